/*
 * The end of a turn, in batches of streams: first their owners may say what they have to say, then
 * all is written, then the owners learn what came of it. While a batch is written nobody is called,
 * so the output of its streams stands still.
 */
#include "worker/edge/stream.h"

#include "common/base/clock.h"
#include "worker/edge/stream_internal.h"

#define BATCH_PLAIN 16	       /* streams between two looks at the clock */
#define BATCH_BYTES (1U << 20) /* of output, after which a batch is full */

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
static void take_batch(struct stream_batch *batch, struct turn_list *list)
{
	struct stream *s;
	size_t bytes = 0;

	batch->n = 0;
	while (batch->n < BATCH_PLAIN && bytes < BATCH_BYTES && (s = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, turn);
		clear(s, ON_TURN);
		read_on(s);
		bytes += s->out.bytes;
		batch->row[batch->n++].stream = s;
	}
}

static void write_batch(struct stream_batch *batch)
{
	for (unsigned i = 0; i < batch->n; i++) {
		struct stream *s = batch->row[i].stream;

		batch->row[i].written = s->state != DEAD && !has(s, WANT_WRITE);
		if (batch->row[i].written)
			stream_write(s);
	}
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
		take_batch(&all->batch, list);
		write_batch(&all->batch);
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
