#include "common/crypto/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void stays_below(void **state)
{
	bool seen[5] = {false};

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint32_t v = random_below(5);

		assert_true(v < 5);
		seen[v] = true;
	}
	for (int i = 0; i < 5; i++)
		assert_true(seen[i]); /* missing one by chance: 5 x 0.8^1000 */
	assert_int_equal(random_below(1), 0);
}

/* Parent and child must not draw the same numbers. */
static void differs_after_fork(void **state)
{
	int fds[2];
	uint64_t theirs = 0;
	int status = 0;

	(void)state;
	(void)random_u64();
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0) {
		uint64_t mine = random_u64();

		_exit(write(fds[1], &mine, sizeof(mine)) == (ssize_t)sizeof(mine) ? 0 : 1);
	}
	assert_true(pid > 0);
	uint64_t ours = random_u64();

	assert_int_equal(read(fds[0], &theirs, sizeof(theirs)), sizeof(theirs));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(ours != theirs);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stays_below),
		cmocka_unit_test(differs_after_fork),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
