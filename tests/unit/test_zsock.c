#include "common/loop/zsock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <event2/event.h>

#include "common/base/mem.h"
#include "common/loop/loop.h"

#define ALARM 120 /* a test that hangs ends with this */
#define MESSAGE 1024

/* One process: a socket, and what it has taken. */
struct end {
	struct loop *loop;
	struct zsock *z;
	uint64_t got;
	uint64_t sent;
	uint64_t answers; /* to what was sent as work */
	uint64_t want;	  /* so many of them end the loop */
	uint64_t burst;	  /* most work on the way; 0 = answers only */
	unsigned ups;
	unsigned downs;
	uint32_t pid; /* of who sent the last message */
	char peer[ZSOCK_PEER];
	size_t peer_n;
	char last[MESSAGE];
	size_t last_n;
	bool echo;
	bool ended; /* was told to */
};

static char dir[64];
static char endpoint[128];

static int setup(void **state)
{
	(void)state;
	memcpy(dir, "/tmp/zsock.XXXXXX", sizeof("/tmp/zsock.XXXXXX"));
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(endpoint, sizeof(endpoint), "ipc://%s/s", dir);
	(void)alarm(ALARM);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	(void)alarm(0);
	(void)unlink(endpoint + strlen("ipc://"));
	return rmdir(dir);
}

static struct slice peer_of(const struct end *e)
{
	return slice_of(e->peer, e->peer_n);
}

static void on_message(void *ctx, struct slice peer, struct slice message)
{
	struct end *e = ctx;

	e->pid = zsock_peer_pid(e->z);
	if (peer.n > 0)
		memcpy(e->peer, peer.p, peer.n);
	e->peer_n = peer.n;
	e->last_n = MIN(message.n, (size_t)MESSAGE);
	memcpy(e->last, message.p, e->last_n);
	e->got++;
	e->ended = e->ended || slice_eq(message, SLICE("end"));
	if (e->echo)
		assert_int_equal(zsock_send(e->z, peer, message, SLICE_NONE), 0);
	e->answers += slice_eq(message, SLICE("workload"));
	while (e->sent < e->want && e->sent - e->answers < e->burst) {
		assert_int_equal(zsock_send(e->z, peer, SLICE("work"), SLICE("load")), 0);
		e->sent++;
	}
	if (e->want > 0 && e->answers == e->want)
		loop_stop(e->loop);
}

static void on_connection(void *ctx, bool up)
{
	struct end *e = ctx;

	e->ups += up;
	e->downs += !up;
}

static const struct zsock_ops ops = {
	.on_message = on_message,
	.on_connection = on_connection,
};

static void open_end(struct end *e, enum zsock_type type)
{
	e->loop = loop_new();
	e->z = zsock_new(e->loop, type, MESSAGE, &ops, e);
	if (type == ZSOCK_ROUTER)
		assert_int_equal(zsock_bind(e->z, endpoint), 0);
	else
		assert_int_equal(zsock_connect(e->z, endpoint), 0);
}

static void close_end(struct end *e)
{
	zsock_free(e->z, 0);
	loop_free(e->loop);
}

#define UNTIL(e, condition) \
	do { \
		while (!(condition)) \
			(void)event_base_loop(loop_base((e)->loop), EVLOOP_ONCE); \
	} while (0)

/* Two sockets on one loop. */
static void open_pair(struct end *router, struct end *dealer)
{
	*router = (struct end){0};
	*dealer = (struct end){0};
	open_end(router, ZSOCK_ROUTER);
	dealer->loop = router->loop;
	dealer->z = zsock_new(router->loop, ZSOCK_DEALER, MESSAGE, &ops, dealer);
	assert_int_equal(zsock_connect(dealer->z, endpoint), 0);
	UNTIL(router, dealer->ups == 1);
}

static void test_there_and_back(void **state)
{
	struct end router;
	struct end dealer;
	struct stat st;

	(void)state;
	open_pair(&router, &dealer);
	assert_int_equal(stat(endpoint + strlen("ipc://"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0770); /* the group may speak, others not */
	assert_int_equal(zsock_send(dealer.z, SLICE_NONE, SLICE("a"), SLICE("bc")), 0);
	UNTIL(&router, router.got == 1);
	assert_memory_equal(router.last, "abc", 3);
	assert_int_equal(router.pid, getpid());
	assert_int_equal(zsock_peer_pid(router.z), 0); /* of no message */
	assert_int_equal(zsock_send(router.z, peer_of(&router), SLICE_NONE, SLICE("d")), 0);
	UNTIL(&router, dealer.got == 1);
	assert_int_equal(dealer.last_n, 1);
	assert_int_equal(dealer.peer_n, 0);
	zsock_free(dealer.z, 0);
	close_end(&router);
}

static void test_held(void **state)
{
	struct end router;
	struct end dealer;

	(void)state;
	open_pair(&router, &dealer);
	assert_int_equal(zsock_send(dealer.z, SLICE_NONE, SLICE("a"), SLICE_NONE), 0);
	UNTIL(&router, router.got == 1);
	zsock_hold(dealer.z, true);
	for (int i = 2; i < 10; i++) { /* it may say what it likes, and hears nothing */
		assert_int_equal(zsock_send(router.z, peer_of(&router), SLICE("b"), SLICE_NONE), 0);
		assert_int_equal(zsock_send(dealer.z, SLICE_NONE, SLICE("c"), SLICE_NONE), 0);
		UNTIL(&router, router.got == (uint64_t)i);
	}
	assert_int_equal(dealer.got, 0);
	zsock_hold(dealer.z, false);
	UNTIL(&router, dealer.got == 8);
	zsock_free(dealer.z, 0);
	close_end(&router);
}

static void test_nobody_there(void **state)
{
	struct end router;
	struct end dealer;

	(void)state;
	open_pair(&router, &dealer);
	assert_int_equal(zsock_send(router.z, SLICE("nobody"), SLICE("x"), SLICE_NONE),
			 -EHOSTUNREACH);
	assert_int_equal(zsock_send(dealer.z, SLICE_NONE, SLICE("x"), SLICE_NONE), 0);
	UNTIL(&router, router.got == 1);

	/* the dealer ends: sooner or later the router knows */
	zsock_free(dealer.z, 0);
	while (zsock_send(router.z, peer_of(&router), SLICE("x"), SLICE_NONE) == 0)
		(void)event_base_loop(loop_base(router.loop), EVLOOP_NONBLOCK);
	assert_int_equal(zsock_send(router.z, peer_of(&router), SLICE("x"), SLICE_NONE),
			 -EHOSTUNREACH);

	/* the router ends: the dealer is told, and nothing is queued for another one */
	dealer = (struct end){.loop = router.loop};
	dealer.z = zsock_new(router.loop, ZSOCK_DEALER, MESSAGE, &ops, &dealer);
	assert_int_equal(zsock_send(dealer.z, SLICE_NONE, SLICE("x"), SLICE_NONE), -EAGAIN);
	assert_int_equal(zsock_connect(dealer.z, endpoint), 0);
	UNTIL(&router, dealer.ups == 1);
	zsock_free(router.z, 0);
	UNTIL(&router, dealer.downs == 1);
	assert_int_equal(zsock_send(dealer.z, SLICE_NONE, SLICE("x"), SLICE_NONE), -EAGAIN);

	/* and another one comes: the connection comes back, under another name */
	router.z = zsock_new(router.loop, ZSOCK_ROUTER, MESSAGE, &ops, &router);
	assert_int_equal(zsock_bind(router.z, endpoint), 0);
	UNTIL(&router, dealer.ups == 2);
	router.got = 0;
	assert_int_equal(zsock_send(dealer.z, SLICE_NONE, SLICE("y"), SLICE_NONE), 0);
	UNTIL(&router, router.got == 1);
	assert_memory_equal(router.last, "y", 1);
	zsock_free(dealer.z, 0);
	close_end(&router);
}

static void test_too_large(void **state)
{
	struct end router;
	struct end dealer;
	char bytes[MESSAGE + 1] = {0};

	(void)state;
	open_pair(&router, &dealer);
	assert_int_equal(
		zsock_send(dealer.z, SLICE_NONE, slice_of(bytes, sizeof(bytes)), SLICE_NONE), 0);
	UNTIL(&router, dealer.downs == 1);
	assert_int_equal(router.got, 0);
	zsock_free(dealer.z, 0);
	close_end(&router);
}

static void test_endpoints_that_are_none(void **state)
{
	struct loop *loop = loop_new();
	struct zsock *z = zsock_new(loop, ZSOCK_ROUTER, MESSAGE, &ops, NULL);

	(void)state;
	assert_int_equal(zsock_bind(z, "nonsense"), -EINVAL);
	assert_int_equal(zsock_bind(z, "ipc:///nonexistent/s"), -ENOENT);
	assert_int_equal(zsock_connect(z, "tcp://nonsense"), -EINVAL);
	zsock_free(z, 0);
	zsock_free(NULL, 0);
	loop_free(loop);
}

/* ---- the signal that ZeroMQ swallows ---- */

#define BUSY_US 300

static struct event *busy;

/* Work in between, and a send whose call takes the signal of what has come in away. */
static void on_busy(evutil_socket_t fd, short what, void *arg)
{
	struct end *e = arg;
	usec_t until = clock_mono() + BUSY_US;

	(void)fd;
	(void)what;
	while (clock_mono() < until)
		continue;
	if (e->peer_n > 0 || e->echo)
		(void)!zsock_send(e->z, peer_of(e), SLICE("busy"), SLICE_NONE);
}

static void start_busy(struct end *e)
{
	static const struct timeval every = {0, 1000};

	busy = event_new(loop_base(e->loop), -1, EV_PERSIST, on_busy, e);
	assert_int_equal(event_add(busy, &every), 0);
}

/* Answers everything until it is told to end: 0 if no signal was missed. */
static NORETURN void answer_all(void)
{
	struct end e = {.echo = true};

	(void)alarm(ALARM);
	open_end(&e, ZSOCK_DEALER);
	start_busy(&e);
	UNTIL(&e, e.ups == 1);
	(void)!zsock_send(e.z, SLICE_NONE, SLICE("start"), SLICE_NONE);
	UNTIL(&e, e.ended);
	_exit(zsock_missed(e.z) == 0 ? 0 : 1);
}

static void stress(uint64_t messages, uint64_t burst)
{
	struct end e = {.want = messages, .burst = burst};
	pid_t pid = fork(); /* before there is any thread */
	int status;

	if (pid == 0)
		answer_all();
	open_end(&e, ZSOCK_ROUTER);
	start_busy(&e);
	loop_run(e.loop);
	assert_int_equal(e.answers, messages);
	assert_int_equal(zsock_missed(e.z), 0);
	assert_int_equal(zsock_send(e.z, peer_of(&e), SLICE("end"), SLICE_NONE), 0);
	while (waitpid(pid, &status, WNOHANG) == 0)
		(void)event_base_loop(loop_base(e.loop), EVLOOP_NONBLOCK);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	event_free(busy);
	close_end(&e);
}

static void test_no_signal_is_missed_one_by_one(void **state)
{
	(void)state;
	stress(5000, 1);
}

static void test_no_signal_is_missed_in_bursts(void **state)
{
	(void)state;
	stress(200000, 2000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_no_signal_is_missed_one_by_one),
		TEST(test_no_signal_is_missed_in_bursts),
		TEST(test_there_and_back),
		TEST(test_held),
		TEST(test_nobody_there),
		TEST(test_too_large),
		TEST(test_endpoints_that_are_none),
	};

	return cmocka_run_group_tests_name("zsock", tests, NULL, NULL);
}
