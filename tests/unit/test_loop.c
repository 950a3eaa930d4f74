#include "common/loop/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <event2/event.h>

#include "common/base/mem.h"
#include "common/log/log.h"

static struct loop *loop;
static struct event *first, *second, *late;
static char order[64];
static usec_t times[64];
static unsigned count;

static void note(char c)
{
	if (count + 1 >= sizeof(order))
		return;
	times[count] = loop_now(loop);
	order[count++] = c;
}

static int setup(void **state)
{
	(void)state;
	loop = loop_new();
	memset(order, 0, sizeof(order));
	count = 0;
	first = second = late = NULL;
	return 0;
}

static void drop(struct event *ev)
{
	if (ev != NULL)
		event_free(ev);
}

static int teardown(void **state)
{
	(void)state;
	drop(first);
	drop(second);
	drop(late);
	loop_free(loop);
	return 0;
}

static struct event *event_of(event_callback_fn fn)
{
	struct event *ev = event_new(loop_base(loop), -1, 0, fn, NULL);

	assert_non_null(ev);
	return ev;
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	note('L');
	loop_stop(loop);
}

static void on_first(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	note('1');
	event_active(late, 0, 0);
}

static void on_second(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	note('2');
	while (clock_mono() == loop_now(loop))
		continue;
	note('2');
}

static void test_what_is_put_off_comes_after_all_that_is_ready(void **state)
{
	(void)state;
	first = event_of(on_first);
	second = event_of(on_second);
	late = event_of(on_late);
	event_active(first, 0, 0);
	event_active(second, 0, 0);
	loop_run(loop);
	assert_string_equal(order, "122L");
	assert_int_equal(times[0], times[1]); /* one turn, one time, however long it lasts */
	assert_int_equal(times[1], times[2]);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (count == 0 || times[count - 1] != loop_now(loop))
		note('A');
	event_active(first, 0, 0);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	loop_stop(loop);
}

/* Otherwise this test does not end: an event that goes on and on, and a socket that is ready. */
static void test_descriptors_are_seen_beside_endless_work(void **state)
{
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	first = event_of(on_again);
	second = event_new(loop_base(loop), pair[0], EV_READ, on_readable, NULL);
	assert_int_equal(event_add(second, NULL), 0);
	event_active(first, 0, 0);
	assert_int_equal(write(pair[1], "x", 1), 1);
	loop_run(loop);
	assert_true(count > 1); /* and the time goes on, too */
	(void)close(pair[0]);
	(void)close(pair[1]);
}

static void test_stop_before_run(void **state)
{
	(void)state;
	loop_stop(loop);
	loop_run(loop);
	first = event_of(on_late);
	event_active(first, 0, 0);
	loop_run(loop);
	assert_string_equal(order, "L");
}

static void test_flush_does_not_wait(void **state)
{
	(void)state;
	late = event_of(on_late);
	first = event_of(on_first);
	event_active(first, 0, 0);
	loop_flush(loop);
	assert_string_equal(order, "1L");
	loop_flush(loop);
	assert_string_equal(order, "1L");
}

static void test_time_outside_of_the_loop(void **state)
{
	usec_t before = clock_mono();

	(void)state;
	assert_true(loop_now(loop) >= before);
	assert_true(loop_now(loop) <= clock_mono());
}

static void on_line(void *ctx, enum log_level level, const char *line)
{
	(void)level;
	(void)ctx;
	if (strstr(line, "event.") != NULL)
		count++;
}

static void test_messages_of_libevent_reach_the_log(void **state)
{
	(void)state;
	log_set_sink(on_line, NULL);
	/* A descriptor that is a plain file: epoll refuses, libevent warns. */
	first = event_new(loop_base(loop), 999, EV_READ, on_readable, NULL);
	(void)event_add(first, NULL);
	log_set_sink(NULL, NULL);
	assert_true(count > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_put_off_comes_after_all_that_is_ready),
		TEST(test_descriptors_are_seen_beside_endless_work),
		TEST(test_stop_before_run),
		TEST(test_flush_does_not_wait),
		TEST(test_time_outside_of_the_loop),
		TEST(test_messages_of_libevent_reach_the_log),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
