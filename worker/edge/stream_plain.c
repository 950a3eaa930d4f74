/* Streams without TLS. */
#include "worker/edge/stream.h"

#include <errno.h>
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

static ssize_t plain_read(struct stream *s, void *to, size_t n)
{
	ssize_t r = read(stream_fd(s), to, n);

	if (r >= 0)
		return r;
	return errno == EINTR ? -EAGAIN : -errno;
}

static ssize_t plain_write(struct stream *s)
{
	struct iovec vec[IOV_MAX];
	struct msghdr message = {.msg_iov = vec};
	ssize_t r;

	message.msg_iovlen = (size_t)outq_gather(&s->out, vec, IOV_MAX);
	if (message.msg_iovlen == 1) /* cheaper, and what most turns have */
		r = send(stream_fd(s), vec[0].iov_base, vec[0].iov_len, MSG_NOSIGNAL);
	else
		r = sendmsg(stream_fd(s), &message, MSG_NOSIGNAL);

	if (r >= 0)
		return r;
	return errno == EINTR ? -EAGAIN : -errno;
}

static void plain_shutdown(struct stream *s)
{
	(void)shutdown(stream_fd(s), SHUT_WR); /* fails only if the peer is gone: read() tells */
}

static void plain_done(struct stream *s)
{
	(void)s;
}

static bool plain_pending(const struct stream *s)
{
	(void)s;
	return false;
}

const struct stream_ops stream_plain = {
	.bare = true,
	.read = plain_read,
	.write = plain_write,
	.shutdown = plain_shutdown,
	.done = plain_done,
	.pending = plain_pending,
};
