/*
 * The end of a turn, in batches of streams: first their owners may say what they have to say, then
 * all is written, then the owners learn what came of it. While a batch is written nobody is called,
 * so the output of its streams stands still.
 */
#include "worker/edge/stream.h"

#include "common/base/clock.h"
#include "common/log/log.h"
#include "worker/edge/stream_internal.h"

#define BATCH_PLAIN 16	       /* streams between two looks at the clock */
#define BATCH_BYTES (1U << 20) /* of output, after which a batch is full */
#define RING_WORTH 2	       /* sends; one alone costs the same either way */

/*
 * An event that is made active runs behind all that are active already: after the sockets and
 * timers of this turn.
 */
static void set_turn(struct streams *all)
{
	if (all->turn_set)
		return;
	all->turn_set = true;
	event_active(&all->turn_ev, 0, 0);
}

void stream_mark(struct stream *s)
{
	struct streams *all = s->all;

	if (!has(s, ON_TURN)) {
		set(s, ON_TURN);
		STAILQ_INSERT_TAIL(&all->turn, s, turn);
	}
	set_turn(all);
}

/* ---- a batch ---- */

/* What the owner has left lies before what the socket has. */
static void read_on(struct stream *s)
{
	if (s->state == OPEN && has(s, OFFER_AGAIN) && !has(s, PAUSED)) {
		clear(s, OFFER_AGAIN);
		stream_offer_left(s);
	}
	if (s->state == OPEN && !has(s, PAUSED) && !has(s, CHOKED) && s->ops->pending(s))
		stream_read(s);
}

/* From the front of the list. What is marked from now on has its turn in a later batch. */
static void take_batch(struct streams *all, struct turn_list *list)
{
	struct stream_batch *batch = &all->batch;
	unsigned most = all->uring != NULL ? STREAM_BATCH : BATCH_PLAIN;
	struct stream *s;
	size_t bytes = 0;

	batch->n = 0;
	while (batch->n < most && bytes < BATCH_BYTES && (s = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, turn);
		clear(s, ON_TURN);
		read_on(s);
		bytes += s->out.bytes;
		batch->row[batch->n++].stream = s;
	}
}

/* Whether a ring can do what ops->write() does, for less. */
static bool suits_ring(const struct stream *s)
{
	return s->ops->bare && !outq_is_empty(&s->out) && s->out.count <= URING_FRAMES;
}

static void give_up_ring(struct streams *all, int err)
{
	log_warning("worker.io_uring", "failed error=%d", err);
	uring_free(all->uring);
	all->uring = NULL;
}

static void write_together(struct streams *all, struct stream **senders, struct uring_send *sends,
			   unsigned n)
{
	int r;

	if (n < RING_WORTH) {
		for (unsigned i = 0; i < n; i++)
			stream_write(senders[i]);
		return;
	}
	r = uring_send(all->uring, sends, n);
	for (unsigned i = 0; i < n; i++)
		stream_wrote(senders[i], sends[i].result);
	if (r < 0)
		give_up_ring(all, -r);
}

static void write_batch(struct streams *all)
{
	struct stream_batch *batch = &all->batch;
	struct stream *senders[STREAM_BATCH];
	struct uring_send sends[STREAM_BATCH];
	unsigned n = 0;

	for (unsigned i = 0; i < batch->n; i++) {
		struct stream *s = batch->row[i].stream;

		batch->row[i].written = s->state != DEAD && !has(s, WANT_WRITE);
		if (!batch->row[i].written)
			continue;
		if (all->uring != NULL && suits_ring(s)) {
			sends[n] = (struct uring_send){.fd = stream_fd(s), .out = &s->out};
			senders[n++] = s;
		} else {
			stream_write(s);
		}
	}
	write_together(all, senders, sends, n);
}

static void end_of_turn(struct stream *s, bool written)
{
	if (written)
		stream_settle(s);
	if (s->state != DEAD)
		stream_watch(s);
	else if (!has(s, ON_TURN)) /* else it died just now, and is on the list again */
		stream_bury(s);
}

static void end_batch(struct stream_batch *batch)
{
	for (unsigned i = 0; i < batch->n; i++)
		end_of_turn(batch->row[i].stream, batch->row[i].written);
}

/* ---- a turn ---- */

/* False: the time is over; what is still on the list has had no turn. */
static bool end_turns(struct streams *all, struct turn_list *list, usec_t until)
{
	for (;;) {
		take_batch(all, list);
		write_batch(all);
		end_batch(&all->batch);
		if (STAILQ_EMPTY(list))
			return true;
		if (clock_mono() >= until)
			return false;
	}
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
	if (end_turns(all, &list, clock_mono() + all->limits.turn)) {
		set_behind(all, false);
		return;
	}
	set_behind(all, true);
	STAILQ_CONCAT(&list, &all->turn);
	STAILQ_CONCAT(&all->turn, &list);
	set_turn(all);
}

void streams_finish(struct streams *all)
{
	struct turn_list list = STAILQ_HEAD_INITIALIZER(list);

	while (!STAILQ_EMPTY(&all->turn)) {
		STAILQ_CONCAT(&list, &all->turn);
		(void)end_turns(all, &list, USEC_NEVER);
	}
}
