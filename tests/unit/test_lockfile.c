#include "common/proc/lockfile.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char path[64];

static int setup(void **state)
{
	(void)state;
	(void)snprintf(path, sizeof(path), "/tmp/test_lockfile.%d", (int)getpid());
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return unlink(path);
}

static void only_one_holds_it(void **state)
{
	int fd = -1;
	int other = -1;
	int holder = 0;

	(void)state;
	assert_int_equal(lockfile_take(path, &fd, &holder), 0);
	/* A second open file description is as good as a second process. */
	assert_int_equal(lockfile_take(path, &other, &holder), -EWOULDBLOCK);
	assert_int_equal(holder, getpid());
	lockfile_drop(fd);
	assert_int_equal(lockfile_take(path, &other, &holder), 0);
	lockfile_drop(other);
}

static void ends_with_its_process(void **state)
{
	int fd = -1;
	int holder = 0;
	int status = -1;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(lockfile_take(path, &fd, &holder) == 0 ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(lockfile_take(path, &fd, &holder), 0);
	lockfile_drop(fd);
}

static void does_not_follow_links(void **state)
{
	int fd = -1;
	int holder = 0;

	(void)state;
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(lockfile_take(path, &fd, &holder), -ELOOP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(only_one_holds_it, setup, teardown),
		cmocka_unit_test_setup_teardown(ends_with_its_process, setup, teardown),
		cmocka_unit_test_setup_teardown(does_not_follow_links, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
