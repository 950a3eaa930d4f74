/*
 * A file that only one process holds: the second broker of a node is kept out by it. The lock ends
 * with the process, however that dies; the file stays and says who had it last.
 */
#ifndef COMMON_PROC_LOCKFILE_H
#define COMMON_PROC_LOCKFILE_H

#include "common/base/macros.h"

/*
 * Makes the file if need be, locks it and writes our process id into it. The descriptor belongs to
 * the caller; closing it gives the lock up. -EWOULDBLOCK: another process holds it, *ret_holder is
 * its id, or 0 when the file does not say; else -errno.
 */
MUST_CHECK int lockfile_take(const char *path, int *ret_fd, int *ret_holder);

void lockfile_drop(int fd);

#endif
