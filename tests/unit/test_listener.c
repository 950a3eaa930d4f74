#include "worker/edge/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <event2/event.h>

#include "common/loop/loop.h"

static struct loop *loop;
static struct listener *listener;
static struct address bound;
static char dir[] = "/tmp/listener.XXXXXX";
static char path[64];

static unsigned accepted;
static unsigned starved;
static struct address last_peer;
static void (*then)(int fd);

static void on_accept(void *ctx, int fd, const struct address *peer)
{
	assert_ptr_equal(ctx, &accepted);
	accepted++;
	last_peer = *peer;
	if (then != NULL)
		then(fd);
	(void)close(fd); /* has served its purpose */
}

static void on_starved(void *ctx, int err)
{
	(void)ctx;
	assert_int_equal(err, EMFILE);
	starved++;
}

static const struct listener_ops ops = {on_accept, on_starved};

static int make_dir(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "unix:%s/socket", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	(void)unlink(path + 5); /* may be gone */
	return rmdir(dir);
}

static int open_text(const char *text, int *ret_fd)
{
	struct address a;

	assert_true(address_parse(slice_str(text), &a));
	return listener_open(&a, 128, ret_fd);
}

static int setup(void **state)
{
	int fd;

	(void)state;
	accepted = starved = 0;
	then = NULL;
	loop = loop_new();
	assert_int_equal(open_text("127.0.0.1:0", &fd), 0);
	assert_int_equal(listener_address(fd, &bound), 0);
	listener = listener_new(loop, fd, &ops, &accepted);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	listener_free(listener);
	loop_free(loop);
	return 0;
}

/* The kernel completes it without accept(). */
static int dial(const struct address *a)
{
	int fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&a->sa, a->len), 0);
	return fd;
}

#define TURN_UNTIL(condition) \
	do { \
		while (!(condition)) \
			loop_flush(loop); \
	} while (0)

static void check_socket(int fd)
{
	int on = 0;
	socklen_t n = sizeof(on);

	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &n), 0);
	assert_true(on);
}

static void accepts_ready_sockets(void **state)
{
	char text[ADDRESS_TEXT];
	int fd = dial(&bound);

	(void)state;
	then = check_socket;
	TURN_UNTIL(accepted == 1);
	address_host(&last_peer, text);
	assert_string_equal(text, "127.0.0.1");
	(void)close(fd); /* of the test */
}

static void a_turn_accepts_a_batch(void **state)
{
	int fds[LISTENER_BATCH + 1];

	(void)state;
	for (int i = 0; i < LISTENER_BATCH + 1; i++)
		fds[i] = dial(&bound);
	/* One look at the sockets; loop_flush() looks until there is nothing left. */
	assert_int_equal(event_base_loop(loop_base(loop), EVLOOP_ONCE | EVLOOP_NONBLOCK), 0);
	assert_int_equal(accepted, LISTENER_BATCH);
	TURN_UNTIL(accepted == LISTENER_BATCH + 1);
	for (int i = 0; i < LISTENER_BATCH + 1; i++)
		(void)close(fds[i]); /* of the test */
}

static void a_paused_one_leaves_them_in_the_queue(void **state)
{
	int fd;

	(void)state;
	listener_pause(listener);
	fd = dial(&bound);
	for (int i = 0; i < 10; i++)
		loop_flush(loop);
	assert_int_equal(accepted, 0);
	listener_resume(listener);
	TURN_UNTIL(accepted == 1);
	(void)close(fd); /* of the test */
}

static void stop_it(int fd)
{
	(void)fd;
	listener_stop(listener);
	listener_stop(listener);
}

static void free_it(int fd)
{
	(void)fd;
	listener_free(listener);
	listener = NULL;
}

static void may_be_stopped_while_it_accepts(void **state)
{
	int first = dial(&bound);
	int second = dial(&bound);

	(void)state;
	then = stop_it;
	TURN_UNTIL(accepted == 1);
	for (int i = 0; i < 10; i++)
		loop_flush(loop);
	assert_int_equal(accepted, 1);
	listener_resume(listener); /* nothing to resume */
	(void)close(first);	   /* of the test */
	(void)close(second);
}

static void may_be_freed_while_it_accepts(void **state)
{
	int fd = dial(&bound);

	(void)state;
	then = free_it;
	TURN_UNTIL(accepted == 1);
	assert_null(listener);
	(void)close(fd); /* of the test */
}

/* Without descriptors a client is refused at once; later ones are served again. */
static void without_descriptors_it_refuses_and_rests(void **state)
{
	struct rlimit old;
	struct rlimit low;
	int spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int fd = dial(&bound);
	int later;
	char byte;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)spare; /* all numbers below are taken */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	while (dup(0) >= 0)
		;
	TURN_UNTIL(starved == 1);
	assert_int_equal(accepted, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(recv(fd, &byte, 1, 0), 0); /* closed */
	later = dial(&bound);
	TURN_UNTIL(accepted == 1);
	(void)close(later); /* of the test */
	(void)close(fd);
	(void)close(spare);
}

/* ---- opening ---- */

static void workers_share_a_port(void **state)
{
	char text[ADDRESS_TEXT];
	int fd;

	(void)state;
	address_text(&bound, text);
	assert_int_equal(open_text(text, &fd), 0);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	(void)close(fd); /* of the test */
}

static void a_foreign_port_is_an_error(void **state)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct address a = {.len = sizeof(a.sa)};
	int foreign = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = -7;

	(void)state;
	assert_int_equal(bind(foreign, (const struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(foreign, 1), 0);
	assert_int_equal(listener_address(foreign, &a), 0);
	assert_int_equal(listener_open(&a, 128, &fd), -EADDRINUSE);
	assert_int_equal(fd, -7);
	assert_int_equal(open_text("192.0.2.1:80", &fd), -EADDRNOTAVAIL);
	(void)close(foreign); /* of the test */
	assert_int_equal(listener_address(-1, &a), -EBADF);
}

static void a_dead_socket_file_is_replaced(void **state)
{
	struct address a;
	int first;
	int second;

	(void)state;
	assert_int_equal(open_text(path, &first), 0);
	assert_int_equal(open_text(path, &second), -EADDRINUSE);
	(void)close(first); /* its owner is dead, the file stays */
	assert_int_equal(open_text(path, &second), 0);
	assert_int_equal(listener_address(second, &a), 0);
	assert_int_equal(a.sa.ss_family, AF_UNIX);

	struct listener *l = listener_new(loop, second, &ops, &accepted);
	int fd = dial(&a);

	TURN_UNTIL(accepted == 1);
	listener_free(l);
	(void)close(fd); /* of the test */
}

static void a_file_in_the_way_is_kept(void **state)
{
	struct stat st;
	int fd;

	(void)state;
	(void)unlink(path + 5); /* of the test before */
	fd = open(path + 5, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd); /* nothing was written */
	assert_int_equal(open_text(path, &fd), -EEXIST);
	assert_int_equal(stat(path + 5, &st), 0);
	(void)unlink(path + 5); /* done */
	assert_int_equal(open_text("unix:/no-such-directory/socket", &fd), -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(accepts_ready_sockets),
		TEST(a_turn_accepts_a_batch),
		TEST(a_paused_one_leaves_them_in_the_queue),
		TEST(may_be_stopped_while_it_accepts),
		TEST(may_be_freed_while_it_accepts),
		TEST(without_descriptors_it_refuses_and_rests),
		TEST(workers_share_a_port),
		TEST(a_foreign_port_is_an_error),
		TEST(a_dead_socket_file_is_replaced),
		TEST(a_file_in_the_way_is_kept),
	};

	return cmocka_run_group_tests_name("listener", tests, make_dir, remove_dir);
}
