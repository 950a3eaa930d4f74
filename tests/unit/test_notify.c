#include "common/proc/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static int fd = -1;

/* A socket with a name that is no file, as systemd makes them in containers. */
static int setup(void **state)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char name[64];

	(void)state;
	int n = snprintf(name, sizeof(name), "@test_notify.%d", (int)getpid());

	memcpy(at.sun_path, name, (size_t)n);
	at.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&at,
			   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n)) != 0)
		return 1;
	return setenv("NOTIFY_SOCKET", name, 1);
}

static int teardown(void **state)
{
	(void)state;
	close(fd);
	return unsetenv("NOTIFY_SOCKET");
}

static void assert_next(const char *want)
{
	char text[600];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	assert_true(n >= 0);
	text[n] = '\0';
	assert_string_equal(text, want);
}

static void sends_one_datagram_each(void **state)
{
	char text[200];

	(void)state;
	notify_ready(NULL);
	assert_next("READY=1");
	notify_ready("2 workers");
	assert_next("READY=1\nSTATUS=2 workers");
	notify_stopping();
	assert_next("STOPPING=1");
	notify_status("draining");
	assert_next("STATUS=draining");
	notify_watchdog();
	assert_next("WATCHDOG=1");
	notify_reloading();
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	assert_true(n > 0);
	text[n] = '\0';
	assert_memory_equal(text, "RELOADING=1\nMONOTONIC_USEC=", 27);
}

static void passes_descriptors(void **state)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	char text[200];
	struct iovec iov = {.iov_base = text, .iov_len = sizeof(text)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.bytes,
			   .msg_controllen = sizeof(control.bytes)};
	int pair[2];
	int passed;
	char byte;

	(void)state;
	assert_int_equal(pipe(pair), 0);
	notify_store("listener", pair[1]);
	ssize_t n = recvmsg(fd, &m, 0);

	assert_int_equal(n, strlen("FDSTORE=1\nFDNAME=listener"));
	assert_memory_equal(text, "FDSTORE=1\nFDNAME=listener", (size_t)n);
	assert_int_equal(control.head.cmsg_type, SCM_RIGHTS);
	memcpy(&passed, CMSG_DATA(&control.head), sizeof(passed));
	assert_int_equal(write(passed, "x", 1), 1);
	assert_int_equal(read(pair[0], &byte, 1), 1);
	notify_unstore("listener");
	assert_next("FDSTOREREMOVE=1\nFDNAME=listener");
	(void)close(pair[0]); /* all of the test */
	(void)close(pair[1]);
	(void)close(passed);
}

static void without_a_socket_it_is_silent(void **state)
{
	char text[8];

	(void)state;
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
	notify_ready("x");
	assert_int_equal(setenv("NOTIFY_SOCKET", "relative", 1), 0);
	notify_ready("x");
	assert_int_equal(recv(fd, text, sizeof(text), 0), -1);
}

static void reads_the_watchdog(void **state)
{
	char pid[16];

	(void)state;
	assert_int_equal(notify_watchdog_interval(), 0);
	assert_int_equal(setenv("WATCHDOG_USEC", "3000000", 1), 0);
	assert_int_equal(notify_watchdog_interval(), 3000000);
	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid() + 1);
	assert_int_equal(setenv("WATCHDOG_PID", pid, 1), 0);
	assert_int_equal(notify_watchdog_interval(), 0);
	assert_int_equal(unsetenv("WATCHDOG_PID") | unsetenv("WATCHDOG_USEC"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(sends_one_datagram_each, setup, teardown),
		cmocka_unit_test_setup_teardown(passes_descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_socket_it_is_silent, setup, teardown),
		cmocka_unit_test_setup_teardown(reads_the_watchdog, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
