/*
 * Many small writes to sockets in one system call, through io_uring.
 *
 * A ring is never left with anything under way: uring_send() returns when the kernel is done with
 * all that it was given, and each write ends as sendmsg() with MSG_DONTWAIT would have. So nothing
 * here needs a lifetime of its own, and who has no ring writes one by one with the same outcome.
 *
 * A build without liburing has uring_none.c, where no ring can be had.
 */
#ifndef WORKER_EDGE_URING_H
#define WORKER_EDGE_URING_H

#include <sys/types.h>

#include "common/base/macros.h"
#include "worker/edge/outq.h"

#define URING_SENDS 64 /* most of one call */
#define URING_FRAMES 8 /* most of one send; where so many are joined the system call is cheap */

struct uring;

struct uring_send {
	int fd;
	const struct outq *out; /* not empty; what is to be written */
	ssize_t result;		/* set by uring_send(): bytes written, or -errno */
};

/*
 * A ring for this process; none crosses a fork. -errno where there is no io_uring or it may not be
 * used: -EPERM or -ENOSYS of the kernel or a filter, -ENOTSUP of the build.
 */
MUST_CHECK int uring_new(struct uring **ret);
/* NULL is allowed. */
void uring_free(struct uring *u);

/*
 * Writes the first URING_FRAMES frames of each of the n queues, n at most URING_SENDS; none is
 * changed, see outq_written(). A signal in between is -EAGAIN, as is all that the kernel did not
 * take. That is the case where the call as a whole has failed: then -errno is returned, and the
 * ring is good for uring_free() only. 0 otherwise.
 */
MUST_CHECK int uring_send(struct uring *u, struct uring_send *sends, unsigned n);

#endif
