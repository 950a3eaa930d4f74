/* How a stream ends, and the end of each turn. */
#include "worker/edge/stream.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "worker/edge/stream_internal.h"

#define TURN_LOOK 16	/* streams between two looks at the clock */
#define RENEWALS_MAX 12 /* of the linger time, for a peer that still reads what we have for it */

/*
 * An event that is made active runs behind all that are active already: after the sockets and
 * timers of this turn.
 */
void stream_mark(struct stream *s)
{
	struct streams *all = s->all;

	if (!has(s, ON_TURN)) {
		set(s, ON_TURN);
		STAILQ_INSERT_TAIL(&all->turn, s, turn);
	}
	if (!all->turn_set) {
		all->turn_set = true;
		event_active(&all->turn_ev, 0, 0);
	}
}

void stream_die(struct stream *s, enum stream_end end, int err)
{
	if (s->state == DEAD)
		return;
	s->state = DEAD;
	s->end = (uint8_t)end;
	s->err = err;
	stream_mark(s);
}

/* ---- the end of the turn ---- */

static void leave_closing(struct stream *s)
{
	if (s->deadline == 0)
		return;
	TAILQ_REMOVE(&s->all->closing, s, closing);
	s->deadline = 0;
}

/* The owner may free the stream in on_closed(): nothing touches it afterwards. */
static void bury(struct stream *s)
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
	s->handler->on_closed(s->ctx, (enum stream_end)s->end, s->err);
}

static void end_of_turn(struct stream *s)
{
	clear(s, ON_TURN);
	if (s->state == OPEN && has(s, OFFER_AGAIN) && !has(s, PAUSED)) {
		clear(s, OFFER_AGAIN);
		stream_offer_left(s);
	}
	if (s->state == OPEN && !has(s, PAUSED) && !has(s, CHOKED) && s->ops->pending(s))
		stream_read(s);
	if (s->state != DEAD && !has(s, WANT_WRITE))
		stream_flush(s);
	if (s->state != DEAD) {
		stream_watch(s);
		return;
	}
	if (has(s, ON_TURN)) /* died just now: it is on the list again */
		return;
	bury(s);
}

/* Returns the first whose turn has not ended; those behind it follow on the list. */
static struct stream *end_turns(struct turn_list *list, usec_t until)
{
	struct stream *s;
	unsigned n = 0;

	while ((s = STAILQ_FIRST(list)) != NULL) {
		if (n > 0 && n % TURN_LOOK == 0 && clock_mono() >= until)
			break;
		STAILQ_REMOVE_HEAD(list, turn);
		end_of_turn(s);
		n++;
	}
	return s;
}

void streams_watch_behind(struct streams *all, void (*on_behind)(void *ctx, bool behind), void *ctx)
{
	all->on_behind = on_behind;
	all->behind_ctx = ctx;
}

static void set_behind(struct streams *all, bool behind)
{
	if (all->behind == behind)
		return;
	all->behind = behind;
	if (all->on_behind != NULL)
		all->on_behind(all->behind_ctx, behind);
}

/*
 * Thousands of sockets with megabytes for each would keep timers, the lane and its heartbeats
 * waiting for seconds: the rest has its turn after them.
 */
void stream_on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct streams *all = arg;
	struct turn_list list = STAILQ_HEAD_INITIALIZER(list);

	(void)fd;
	(void)what;
	all->turn_set = false;
	STAILQ_CONCAT(&list, &all->turn);
	if (end_turns(&list, clock_mono() + all->limits.turn) == NULL) {
		set_behind(all, false);
		return;
	}
	set_behind(all, true);
	STAILQ_CONCAT(&list, &all->turn);
	STAILQ_CONCAT(&all->turn, &list);
	all->turn_set = true;
	event_active(&all->turn_ev, 0, 0);
}

void streams_finish(struct streams *all)
{
	while (!STAILQ_EMPTY(&all->turn))
		(void)end_turns(&all->turn, USEC_NEVER);
}

/* ---- closing ---- */

static void set_closing_timer(struct streams *all)
{
	struct stream *first = TAILQ_FIRST(&all->closing);
	usec_t now = loop_now(all->loop);
	usec_t wait;

	if (first == NULL)
		return;
	wait = first->deadline > now ? first->deadline - now : 0;

	struct timeval tv = {(time_t)(wait / USEC_PER_SEC), (suseconds_t)(wait % USEC_PER_SEC)};

	if (event_add(&all->closing_ev, &tv) != 0)
		die("no timer for closing streams");
}

static void enter_closing(struct stream *s)
{
	struct streams *all = s->all;
	bool first = TAILQ_EMPTY(&all->closing);

	s->deadline = loop_now(all->loop) + all->limits.linger;
	TAILQ_INSERT_TAIL(&all->closing, s, closing);
	if (first)
		set_closing_timer(all);
}

void stream_on_closing_time(evutil_socket_t fd, short what, void *arg)
{
	struct streams *all = arg;
	struct stream *s;

	(void)fd;
	(void)what;
	while ((s = TAILQ_FIRST(&all->closing)) != NULL && s->deadline <= loop_now(all->loop)) {
		leave_closing(s);
		if (s->state == CLOSING && has(s, PROGRESS) && s->renewals < RENEWALS_MAX) {
			clear(s, PROGRESS);
			s->renewals++;
			enter_closing(s);
		} else {
			stream_die(s, STREAM_END_TIMEOUT, 0);
		}
	}
	set_closing_timer(all);
}

void stream_close(struct stream *s)
{
	if (s->state != OPEN)
		return;
	s->state = CLOSING;
	free(s->left);
	s->left = NULL;
	enter_closing(s);
	stream_mark(s);
}

void stream_abort(struct stream *s)
{
	stream_die(s, STREAM_END_ABORTED, 0);
}
