/* How a stream ends. */
#include "worker/edge/stream.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "worker/edge/stream_internal.h"

#define RENEWALS_MAX 12 /* of the linger time, for a peer that still reads what we have for it */

void stream_die(struct stream *s, enum stream_end end, int err)
{
	if (s->state == DEAD)
		return;
	s->state = DEAD;
	s->end = (uint8_t)end;
	s->err = err;
	stream_mark(s);
}

static void leave_closing(struct stream *s)
{
	if (s->last == NULL)
		return;
	TAILQ_REMOVE(&s->all->closing, s->last, link);
	free(s->last);
	s->last = NULL;
}

void stream_bury(struct stream *s)
{
	int fd = event_get_fd(&s->ev);

	leave_closing(s);
	(void)event_del(&s->ev); /* cannot fail here: see stream_watch() */
	s->ops->done(s);
	(void)close(fd); /* nothing can be done about an error */
	s->all->counts.waiting -= s->out.bytes;
	outq_done(&s->out);
	free(s->left);
	s->all->counts.open--;
	s->handler->on_closed(s, (enum stream_end)s->end, s->err);
}

/* ---- closing ---- */

static void set_closing_timer(struct streams *all)
{
	const struct stream_closing *first = TAILQ_FIRST(&all->closing);
	usec_t now = loop_now(all->loop);
	usec_t wait;

	if (first == NULL)
		return;
	wait = first->deadline > now ? first->deadline - now : 0;

	struct timeval tv = {(time_t)(wait / USEC_PER_SEC), (suseconds_t)(wait % USEC_PER_SEC)};

	if (event_add(&all->closing_ev, &tv) != 0)
		die("no timer for closing streams");
}

/* From now on it has the linger time. */
static void await_end(struct streams *all, struct stream_closing *c)
{
	bool first = TAILQ_EMPTY(&all->closing);

	c->deadline = loop_now(all->loop) + all->limits.linger;
	TAILQ_INSERT_TAIL(&all->closing, c, link);
	if (first)
		set_closing_timer(all);
}

/* It has passed. */
static void linger_over(struct streams *all, struct stream_closing *c)
{
	struct stream *s = c->stream;

	if (s->state != CLOSING || !has(s, PROGRESS) || c->renewals == RENEWALS_MAX) {
		leave_closing(s);
		stream_die(s, STREAM_END_TIMEOUT, 0);
		return;
	}
	clear(s, PROGRESS);
	c->renewals++;
	TAILQ_REMOVE(&all->closing, c, link);
	await_end(all, c);
}

void stream_on_closing_time(evutil_socket_t fd, short what, void *arg)
{
	struct streams *all = arg;
	struct stream_closing *c;

	(void)fd;
	(void)what;
	while ((c = TAILQ_FIRST(&all->closing)) != NULL && c->deadline <= loop_now(all->loop))
		linger_over(all, c);
	set_closing_timer(all);
}

void stream_close(struct stream *s)
{
	if (s->state != OPEN)
		return;
	s->state = CLOSING;
	free(s->left);
	s->left = NULL;
	s->last = NEW(struct stream_closing);
	s->last->stream = s;
	await_end(s->all, s->last);
	stream_mark(s);
}

void stream_abort(struct stream *s)
{
	stream_die(s, STREAM_END_ABORTED, 0);
}
