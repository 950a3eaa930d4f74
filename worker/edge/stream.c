#include "worker/edge/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "worker/edge/stream_internal.h"

#define PAUSE_ABOVE_DEFAULT 65536
#define LINGER_DEFAULT (5 * USEC_PER_SEC)
#define TURN_DEFAULT (50 * USEC_PER_MSEC)

/* ---- which events the socket is watched for ---- */

static void on_ready(evutil_socket_t fd, short what, void *arg);

static bool is_blocked(const struct stream *s)
{
	return s->state == OPEN && (has(s, PAUSED) || has(s, CHOKED));
}

static void watch(struct stream *s, short want)
{
	short have = event_get_events(&s->ev) & (EV_READ | EV_WRITE);

	if (want == have)
		return;
	(void)event_del(&s->ev); /* cannot fail for an event that was assigned */
	if (event_assign(&s->ev, loop_base(s->all->loop), event_get_fd(&s->ev),
			 (short)(want | EV_PERSIST), on_ready, s) != 0)
		die("event_assign() of a stream");
	if (want != 0 && event_add(&s->ev, NULL) != 0)
		stream_die(s, STREAM_END_ERROR, errno != 0 ? errno : EIO);
}

/*
 * A pause is mostly over before the client says anything more: the socket is watched on, until it
 * is readable in the middle of one; see on_ready().
 */
void stream_watch(struct stream *s)
{
	short want = 0;

	if (is_blocked(s))
		want = event_get_events(&s->ev) & EV_READ;
	else if (s->state == OPEN)
		want = EV_READ;
	if ((s->state == CLOSING || s->state == LINGERING) && !has(s, PEER_ENDED))
		want = EV_READ;
	if (s->state != DEAD && has(s, WANT_WRITE))
		want |= EV_WRITE;
	watch(s, want);
}

/* ---- reading ---- */

static void forget_left(struct stream *s)
{
	free(s->left);
	s->left = NULL;
}

/* Keeps the n bytes that were not used. */
static void keep(struct stream *s, const char *bytes, size_t n)
{
	if (n == 0) {
		forget_left(s);
		return;
	}
	if (s->left == NULL || s->left->cap < n) {
		forget_left(s);
		s->left = mem_alloc(sizeof(*s->left) + n);
		s->left->cap = (uint32_t)n;
	}
	memcpy(s->left->bytes, bytes, n);
	s->left->n = (uint32_t)n;
}

/* Shows n bytes of the shared buffer to the owner. */
static void offer(struct stream *s, size_t n)
{
	char *bytes = s->all->buffer;
	size_t used = s->handler->on_bytes(s, bytes, n);

	if (used > n)
		die("on_bytes() used %zu of %zu bytes", used, n);
	if (s->state != OPEN)
		return;
	if (used == 0 && n == STREAM_READ_BUFFER && !has(s, PAUSED)) {
		stream_die(s, STREAM_END_FULL, 0);
		return;
	}
	keep(s, bytes + used, n - used);
}

static size_t load_left(struct stream *s)
{
	size_t n = s->left != NULL ? s->left->n : 0;

	if (n > 0)
		memcpy(s->all->buffer, s->left->bytes, n);
	return n;
}

static void peer_ended(struct stream *s)
{
	if (s->state == OPEN)
		stream_die(s, STREAM_END_PEER, 0);
	else if (s->state == CLOSING)
		set(s, PEER_ENDED);
	else
		stream_die(s, STREAM_END_CLOSED, 0);
}

void stream_read(struct stream *s)
{
	struct streams *all = s->all;
	size_t left = load_left(s);
	size_t room = STREAM_READ_BUFFER - left;

	if (room == 0) /* full of what a paused owner has not used */
		return;

	ssize_t n = s->ops->read(s, all->buffer + left, room);

	if (n == -EAGAIN)
		return;
	all->counts.reads++;
	if (n < 0) {
		stream_die(s, STREAM_END_ERROR, (int)-n);
	} else if (n == 0) {
		peer_ended(s);
	} else {
		all->counts.bytes_in += (uint64_t)n;
		if (s->state == OPEN)
			offer(s, left + (size_t)n);
		if (s->ops->pending(s))
			stream_mark(s);
	}
}

/* ---- writing ---- */

static void output_is_empty(struct stream *s)
{
	if (s->state == OPEN && has(s, WANT_DRAINED)) {
		clear(s, WANT_DRAINED);
		if (s->handler->on_drained != NULL)
			s->handler->on_drained(s);
	}
	if (s->state != CLOSING || !outq_is_empty(&s->out))
		return;
	if (has(s, PEER_ENDED)) {
		stream_die(s, STREAM_END_CLOSED, 0);
		return;
	}
	s->ops->shutdown(s);
	s->state = LINGERING;
}

void stream_wrote(struct stream *s, ssize_t n)
{
	struct streams *all = s->all;

	if (n < 0 && n != -EAGAIN) {
		stream_die(s, STREAM_END_ERROR, (int)-n);
		return;
	}
	if (n != 0)
		all->counts.writes++;
	if (n > 0) {
		all->counts.bytes_out += (uint64_t)n;
		all->counts.waiting -= (uint64_t)n;
		set(s, PROGRESS);
		outq_written(&s->out, (size_t)n);
	}
	if (outq_is_empty(&s->out))
		clear(s, WANT_WRITE);
	else
		set(s, WANT_WRITE);
	if (s->out.bytes > all->limits.pause_above)
		set(s, CHOKED);
	else if (s->out.bytes <= all->limits.pause_above / 2)
		clear(s, CHOKED);
}

void stream_write(struct stream *s)
{
	stream_wrote(s, outq_is_empty(&s->out) ? 0 : s->ops->write(s));
}

void stream_settle(struct stream *s)
{
	if (s->state == DEAD)
		return;
	if (!has(s, CHOKED) && s->ops->pending(s))
		stream_mark(s);
	if (outq_is_empty(&s->out))
		output_is_empty(s);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;

	(void)fd;
	if (s->state != DEAD && (what & EV_WRITE)) {
		stream_write(s);
		stream_settle(s);
	}
	if ((what & EV_READ) && is_blocked(s))
		watch(s, event_get_events(&s->ev) & EV_WRITE);
	else if (s->state != DEAD && (what & EV_READ))
		stream_read(s);
	stream_watch(s);
}

/* ---- the owner's calls ---- */

void stream_offer_left(struct stream *s)
{
	if (s->left != NULL)
		offer(s, load_left(s));
}

void stream_open(struct stream *s, struct streams *all, int fd, const struct stream_ops *ops,
		 void *secure, const struct stream_handler *handler)
{
	s->all = all;
	s->ops = ops;
	s->secure = secure;
	s->handler = handler;
	s->state = OPEN;
	outq_init(&s->out);
	if (event_assign(&s->ev, loop_base(all->loop), fd, EV_PERSIST, on_ready, s) != 0)
		die("event_assign() of a stream");
	all->counts.open++;
	stream_watch(s);
}

static bool send_frame(struct stream *s, struct frame *f,
		       bool (*push)(struct outq *q, struct frame *f, size_t high))
{
	size_t before = s->out.bytes;

	if (s->state != OPEN)
		return true;
	if (!push(&s->out, f, s->all->limits.high)) {
		s->all->counts.refused_frames++;
		return false;
	}
	s->all->counts.waiting += s->out.bytes - before;
	if (!has(s, WANT_WRITE)) {
		stream_mark(s);
	} else if (s->out.bytes > s->all->limits.pause_above && !has(s, CHOKED)) {
		set(s, CHOKED); /* the socket is full: no write will tell */
		stream_mark(s); /* for stream_watch() */
	}
	return true;
}

bool stream_send(struct stream *s, struct frame *f)
{
	return send_frame(s, f, outq_push);
}

bool stream_send_urgent(struct stream *s, struct frame *f)
{
	return send_frame(s, f, outq_push_urgent);
}

void stream_cut(struct stream *s)
{
	size_t before = s->out.bytes;

	if (s->state == DEAD)
		return;
	outq_cut(&s->out);
	s->all->counts.waiting -= before - s->out.bytes;
}

size_t stream_waiting(const struct stream *s)
{
	return s->out.bytes;
}

size_t stream_held(const struct stream *s)
{
	size_t left = s->left != NULL ? sizeof(*s->left) + s->left->cap : 0;

	return left + outq_cost(&s->out);
}

void stream_want_drained(struct stream *s)
{
	if (s->state != OPEN)
		return;
	set(s, WANT_DRAINED);
	stream_mark(s);
}

void stream_pause(struct stream *s)
{
	if (s->state != OPEN)
		return;
	set(s, PAUSED);
	stream_mark(s); /* for stream_watch() */
}

void stream_resume(struct stream *s)
{
	if (s->state != OPEN)
		return;
	clear(s, PAUSED);
	set(s, OFFER_AGAIN);
	stream_mark(s);
}

bool stream_is_ending(const struct stream *s)
{
	return s->state != OPEN;
}

int stream_fd(const struct stream *s)
{
	return event_get_fd(&s->ev);
}

/* ---- the shared part ---- */

void streams_set_limits(struct streams *all, const struct stream_limits *limits)
{
	all->limits = *limits;
	if (all->limits.high == 0)
		all->limits.high = OUTQ_HIGH_DEFAULT;
	if (all->limits.pause_above == 0)
		all->limits.pause_above = PAUSE_ABOVE_DEFAULT;
	if (all->limits.linger == 0)
		all->limits.linger = LINGER_DEFAULT;
	if (all->limits.turn == 0)
		all->limits.turn = TURN_DEFAULT;
}

struct streams *streams_new(struct loop *loop, const struct stream_limits *limits)
{
	struct streams *all = NEW(struct streams);

	all->loop = loop;
	streams_set_limits(all, limits);
	STAILQ_INIT(&all->turn);
	TAILQ_INIT(&all->closing);
	if (event_assign(&all->turn_ev, loop_base(loop), -1, 0, stream_on_turn, all) != 0 ||
	    event_assign(&all->closing_ev, loop_base(loop), -1, 0, stream_on_closing_time, all) !=
		    0)
		die("event_assign() of the streams");
	return all;
}

void streams_free(struct streams *all)
{
	if (all == NULL)
		return;
	if (all->counts.open > 0)
		die("streams_free() with open streams");
	(void)event_del(&all->turn_ev); /* cannot fail: both were assigned */
	(void)event_del(&all->closing_ev);
	uring_free(all->uring);
	free(all);
}

int streams_use_uring(struct streams *all)
{
	if (all->uring != NULL)
		return 0;
	return uring_new(&all->uring);
}

const struct stream_counts *streams_counts(const struct streams *all)
{
	return &all->counts;
}
