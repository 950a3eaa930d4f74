#include "common/proc/lockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/base/slice.h"

static int read_holder(int fd)
{
	char text[32];
	unsigned long long pid;
	ssize_t n = pread(fd, text, sizeof(text), 0);

	if (n <= 0 || !slice_to_u64(slice_trim(slice_of(text, (size_t)n)), &pid) || pid > INT32_MAX)
		return 0;
	return (int)pid;
}

static int write_holder(int fd)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	if (ftruncate(fd, 0) != 0)
		return -errno;
	ssize_t done = pwrite(fd, text, (size_t)n, 0);
	if (done < 0)
		return -errno;
	return done == n ? 0 : -EIO;
}

int lockfile_take(const char *path, int *ret_fd, int *ret_holder)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	int r;

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		r = -errno;
		*ret_holder = read_holder(fd);
		(void)close(fd);
		return r;
	}
	r = write_holder(fd);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

void lockfile_drop(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}
