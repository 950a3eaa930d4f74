#include "common/proc/inherit.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/macros.h"
#include "common/base/slice.h"

#define FIRST 3 /* behind standard input, output and error */

/* False: for another process, or none at all. */
static bool is_for_us(unsigned long long *ret_n)
{
	unsigned long long pid;

	return slice_to_u64(slice_str(getenv("LISTEN_PID")), &pid) &&
	       pid == (unsigned long long)getpid() &&
	       slice_to_u64(slice_str(getenv("LISTEN_FDS")), ret_n);
}

size_t inherit_take(int fds[INHERIT_MAX])
{
	unsigned long long announced = 0;
	size_t n = 0;

	if (!is_for_us(&announced))
		announced = 0;
	for (unsigned i = 0; i < MIN(announced, (unsigned long long)INHERIT_MAX); i++) {
		int fd = FIRST + (int)i;

		/* One that is not open is none. */
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
			fds[n++] = fd;
	}
	(void)unsetenv("LISTEN_PID"); /* fail for bad names only */
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	return n;
}
