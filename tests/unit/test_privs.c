#include "common/proc/privs.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/proc/child.h"
#include "common/proc/rlimit.h"

/* Runs a check in a child, whose privileges and limits may be spoilt. */
static int in_child(int (*check)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(check());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int drop_to_nobody(void)
{
	unsigned int uid;
	unsigned int gid;

	if (privs_lookup("nobody", &uid, &gid) != 0 || privs_drop("nobody") != 0)
		return 1;
	if (geteuid() == 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 2;
	return seteuid(0) == 0 ? 3 : 0;
}

static void gives_up_privileges_for_good(void **state)
{
	(void)state;
	if (!privs_are_root()) {
		/* Then it keeps the user and only bars new privileges. */
		assert_int_equal(in_child(drop_to_nobody), 0);
		return;
	}
	assert_int_equal(in_child(drop_to_nobody), 0);
	assert_int_equal(privs_drop(""), -EPERM);
	assert_int_equal(privs_drop("root"), -EPERM);
	assert_int_equal(privs_drop("no-such-user-here"), -ENOENT);
}

static int raise_files(void)
{
	struct rlimit limit;
	uint64_t now = 0;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 1;
	limit.rlim_cur = 64;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || rlimit_raise_files(&now) != 0)
		return 2;
	return now == limit.rlim_max && now > 64 ? 0 : 3;
}

static void raises_the_limit_of_files(void **state)
{
	(void)state;
	assert_int_equal(in_child(raise_files), 0);
}

static int follow_parent(void)
{
	child_reset_signals();
	return child_follow(getppid()) == 0 && child_follow(getppid() + 1) == -ESRCH ? 0 : 1;
}

static void a_child_knows_its_parent(void **state)
{
	(void)state;
	assert_int_equal(in_child(follow_parent), 0);
}

static int no_dump(void)
{
	privs_no_dump();
	return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
}

static void leaves_no_core(void **state)
{
	(void)state;
	assert_int_equal(in_child(no_dump), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_up_privileges_for_good),
		cmocka_unit_test(raises_the_limit_of_files),
		cmocka_unit_test(a_child_knows_its_parent),
		cmocka_unit_test(leaves_no_core),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
