#include "worker/edge/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/base/mem.h"
#include "common/loop/loop.h"

#define REST_US 100000 /* pause after the descriptors ran out */

struct listener {
	struct event ev;
	struct event rest_ev;
	const struct listener_ops *ops;
	void *ctx;
	int fd;
	int reserve; /* given up to refuse a connection when no descriptor is left; -1 = spent */
	bool paused;
	bool resting;
	bool inside; /* on_accept() runs */
	bool freed;  /* by on_accept() */
};

/* ---- opening ---- */

static int set_options(int fd, int family)
{
	static const int on = 1;

	if (family == AF_UNIX)
		return 0;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0)
		return -errno;
	/* Inherited by what is accepted. Not needed to work: an error only costs latency. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0)
		return -errno;
	return 0;
}

/* Removes a socket file that nobody listens on; -EADDRINUSE if somebody does. */
static int clear_path(const struct address *a)
{
	struct sockaddr_un un;
	struct stat st;

	memcpy(&un, &a->sa, sizeof(un));
	if (lstat(un.sun_path, &st) != 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;

	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;

	bool dead = connect(fd, (const struct sockaddr *)&a->sa, a->len) != 0 &&
		    (errno == ECONNREFUSED || errno == ENOENT);

	(void)close(fd); /* a probe */
	if (!dead)
		return -EADDRINUSE;
	return unlink(un.sun_path) == 0 || errno == ENOENT ? 0 : -errno;
}

int listener_open(const struct address *a, int backlog, int *ret_fd)
{
	int family = a->sa.ss_family;
	int r = family == AF_UNIX ? clear_path(a) : 0;

	if (r < 0)
		return r;

	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	r = set_options(fd, family);
	if (r == 0 && bind(fd, (const struct sockaddr *)&a->sa, a->len) != 0)
		r = -errno;
	if (r == 0 && listen(fd, backlog) != 0)
		r = -errno;
	if (r < 0)
		(void)close(fd); /* the first error is the one to tell */
	else
		*ret_fd = fd;
	return r;
}

int listener_address(int fd, struct address *ret)
{
	ret->len = sizeof(ret->sa);
	return getsockname(fd, (struct sockaddr *)&ret->sa, &ret->len) == 0 ? 0 : -errno;
}

/* ---- accepting ---- */

static int open_reserve(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void watch(struct listener *l)
{
	if (l->fd < 0 || l->paused || l->resting)
		(void)event_del(&l->ev); /* cannot fail for an event that was assigned */
	else if (event_add(&l->ev, NULL) != 0)
		die("no event for a listener");
}

/*
 * No descriptor is left: the reserve makes room to accept one connection and close it, so that the
 * client learns at once that it must go elsewhere.
 */
static void starve(struct listener *l, int err)
{
	struct timeval tv = {.tv_usec = REST_US};

	if ((err == EMFILE || err == ENFILE) && l->reserve >= 0) {
		(void)close(l->reserve); /* of /dev/null */

		int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0)
			(void)close(fd); /* refused */
		l->reserve = open_reserve();
	}
	l->resting = true;
	watch(l);
	if (event_add(&l->rest_ev, &tv) != 0)
		die("no timer for a listener");
	if (l->ops->on_starved != NULL)
		l->ops->on_starved(l->ctx, err);
}

static void on_rested(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;

	(void)fd;
	(void)what;
	l->resting = false;
	if (l->reserve < 0)
		l->reserve = open_reserve();
	watch(l);
}

/* False when nothing more is to be accepted in this turn. */
static bool accept_one(struct listener *l)
{
	struct address peer = {.len = sizeof(peer.sa)};
	int fd = accept4(l->fd, (struct sockaddr *)&peer.sa, &peer.len,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		l->ops->on_accept(l->ctx, fd, &peer);
		return true;
	}
	switch (errno) {
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		starve(l, errno);
		return false;
	case EAGAIN:
		return false;
	default: /* that one connection failed before we took it */
		return true;
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;

	(void)fd;
	(void)what;
	l->inside = true;
	for (int i = 0; i < LISTENER_BATCH; i++) {
		if (l->fd < 0 || l->paused || !accept_one(l))
			break;
	}
	l->inside = false;
	if (l->freed)
		free(l);
}

struct listener *listener_new(struct loop *loop, int fd, const struct listener_ops *ops, void *ctx)
{
	struct listener *l = NEW(struct listener);

	l->fd = fd;
	l->ops = ops;
	l->ctx = ctx;
	l->reserve = open_reserve();
	if (event_assign(&l->ev, loop_base(loop), fd, EV_READ | EV_PERSIST, on_readable, l) != 0 ||
	    event_assign(&l->rest_ev, loop_base(loop), -1, 0, on_rested, l) != 0)
		die("event_assign() of a listener");
	watch(l);
	return l;
}

void listener_stop(struct listener *l)
{
	if (l->fd < 0)
		return;
	(void)event_del(&l->ev); /* cannot fail: both were assigned */
	(void)event_del(&l->rest_ev);
	(void)close(l->fd); /* others hold it, too */
	l->fd = -1;
	if (l->reserve >= 0)
		(void)close(l->reserve);
	l->reserve = -1;
}

void listener_free(struct listener *l)
{
	if (l == NULL)
		return;
	listener_stop(l);
	if (l->inside)
		l->freed = true;
	else
		free(l);
}

void listener_pause(struct listener *l)
{
	l->paused = true;
	watch(l);
}

void listener_resume(struct listener *l)
{
	l->paused = false;
	watch(l);
}
