#include "worker/control.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "worker/control_bytes.h"

struct control {
	struct event ev;
	struct event beat;
	const struct control_ops *ops;
	void *ctx;
	int fd;
	bool draining;
	bool stopping;
};

static void tell(const struct control *c, enum control_byte byte)
{
	char b = (char)byte;

	if (c->fd >= 0)
		(void)send(c->fd, &b, 1, MSG_NOSIGNAL | MSG_DONTWAIT); /* its end is read below */
}

static void on_beat(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	tell(arg, CONTROL_ALIVE);
}

static void drain(struct control *c, bool orphan)
{
	if (c->draining || c->stopping)
		return;
	c->draining = true;
	c->ops->on_drain(c->ctx, orphan);
}

static void hear(struct control *c, char byte)
{
	if (byte == CONTROL_DRAIN)
		drain(c, false);
	if (byte == CONTROL_STOP && !c->stopping) {
		c->stopping = true;
		c->ops->on_stop(c->ctx);
	}
}

static void hang_up(struct control *c)
{
	if (c->fd < 0)
		return;
	(void)event_del(&c->ev); /* cannot fail: both were assigned */
	(void)event_del(&c->beat);
	(void)close(c->fd); /* the other side is gone */
	c->fd = -1;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;
	char bytes[16];
	ssize_t n = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	(void)fd;
	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	for (ssize_t i = 0; i < n; i++)
		hear(c, bytes[i]);
	if (n > 0)
		return;
	hang_up(c);
	drain(c, true);
}

struct control *control_new(struct loop *loop, int fd, const struct control_ops *ops, void *ctx)
{
	static const struct timeval second = {.tv_sec = 1};
	struct control *c = NEW(struct control);

	*c = (struct control){.ops = ops, .ctx = ctx, .fd = fd};
	if (fd < 0)
		return c;
	if (event_assign(&c->ev, loop_base(loop), fd, EV_READ | EV_PERSIST, on_readable, c) != 0 ||
	    event_assign(&c->beat, loop_base(loop), -1, EV_PERSIST, on_beat, c) != 0 ||
	    event_add(&c->ev, NULL) != 0 || event_add(&c->beat, &second) != 0)
		die("no events for the control socket");
	tell(c, CONTROL_ALIVE);
	return c;
}

void control_ready(struct control *c)
{
	tell(c, CONTROL_READY);
}

void control_ask_reload(struct control *c)
{
	tell(c, CONTROL_RELOAD);
}

void control_ask_replacement(struct control *c)
{
	tell(c, CONTROL_REPLACE);
}

void control_free(struct control *c)
{
	if (c == NULL)
		return;
	hang_up(c);
	free(c);
}
