#include "worker/edge/uring.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <liburing.h>

#include "common/base/mem.h"

#define FLAGS (MSG_NOSIGNAL | MSG_DONTWAIT)

struct uring {
	struct io_uring ring;
	struct msghdr messages[URING_SENDS];
	struct iovec vecs[URING_SENDS][URING_FRAMES];
};

/*
 * A write that may not wait is over when it has been submitted, so what the flags of newer kernels
 * make cheaper, the delivery of later ends, never happens here.
 */
int uring_new(struct uring **ret)
{
	struct uring *u = NEW(struct uring);
	struct io_uring_params params = {0};
	int r = io_uring_queue_init_params(URING_SENDS, &u->ring, &params);

	if (r < 0) {
		free(u);
		return r;
	}
	if (!(params.features & IORING_FEAT_FAST_POLL)) { /* of Linux 5.7; sends are of 5.6 */
		uring_free(u);
		return -ENOSYS;
	}
	*ret = u;
	return 0;
}

void uring_free(struct uring *u)
{
	if (u == NULL)
		return;
	io_uring_queue_exit(&u->ring);
	free(u);
}

static void prepare(struct uring *u, const struct uring_send *send, unsigned i)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
	struct iovec *vec = u->vecs[i];
	int n = outq_gather(send->out, vec, URING_FRAMES);

	if (sqe == NULL)
		die("more than %d sends in a ring", URING_SENDS);
	if (n == 1) {
		io_uring_prep_send(sqe, send->fd, vec->iov_base, vec->iov_len, FLAGS);
	} else {
		u->messages[i] = (struct msghdr){.msg_iov = vec, .msg_iovlen = (size_t)n};
		io_uring_prep_sendmsg(sqe, send->fd, &u->messages[i], FLAGS);
	}
	io_uring_sqe_set_data64(sqe, i);
}

/* Returns how many have ended. */
static unsigned reap(struct uring *u, struct uring_send *sends)
{
	struct io_uring_cqe *ended[URING_SENDS];
	unsigned n = io_uring_peek_batch_cqe(&u->ring, ended, URING_SENDS);

	for (unsigned i = 0; i < n; i++) {
		int r = ended[i]->res;

		sends[io_uring_cqe_get_data64(ended[i])].result = r == -EINTR ? -EAGAIN : r;
	}
	io_uring_cq_advance(&u->ring, n);
	return n;
}

int uring_send(struct uring *u, struct uring_send *sends, unsigned n)
{
	unsigned done = 0;

	for (unsigned i = 0; i < n; i++) {
		sends[i].result = -EAGAIN;
		prepare(u, &sends[i], i);
	}
	while (done < n) {
		int r = io_uring_submit_and_wait(&u->ring, n - done);

		done += reap(u, sends);
		/* What the kernel has taken is waited for, whatever happens. */
		if (r < 0 && r != -EINTR && done + io_uring_sq_ready(&u->ring) == n)
			return r;
	}
	return 0;
}
