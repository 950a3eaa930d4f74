/* Commands that cannot have their turn yet: their queue, and what happens when it takes too long.
 */
#include <stdlib.h>

#include "common/base/mem.h"
#include "worker/session_internal.h"
#include "worker/worker_internal.h"

/* Commands that may wait; then nothing more is read from the client. */
#define QUEUE_MAX 1024
#define QUEUE_BYTES_MAX (128U << 10)

static struct session_queue *queue_of(struct session_socket *ws)
{
	if (ws->queue == NULL) {
		ws->queue = NEW(struct session_queue);
		STAILQ_INIT(&ws->queue->commands);
	}
	return ws->queue;
}

static void put_off(struct session *s, struct slice text)
{
	struct session_socket *ws = s->ws;
	struct session_queue *q = queue_of(ws);
	struct session_waiting *it = mem_alloc(sizeof(*it) + text.n);

	it->n = (uint32_t)text.n;
	memcpy(it->text, text.p, text.n);
	STAILQ_INSERT_TAIL(&q->commands, it, link);
	q->n++;
	q->bytes += it->n;
	s->w->waiting_bytes += it->n;
	if (ws->waiting_since == 0) {
		ws->waiting_since = worker_now(s->w);
		session_arm(s);
	}
	if (q->n >= QUEUE_MAX || q->bytes >= QUEUE_BYTES_MAX ||
	    s->w->waiting_bytes >= s->w->conf->worker.pending_memory) {
		s->flags |= SESSION_PAUSED;
		stream_pause(&s->stream);
	}
}

/* Out of the queue before it runs: the end of the connection would free it. */
static struct session_waiting *take_first(struct session *s)
{
	struct session_queue *q = s->ws->queue;
	struct session_waiting *it = STAILQ_FIRST(&q->commands);

	STAILQ_REMOVE_HEAD(&q->commands, link);
	q->n--;
	q->bytes -= it->n;
	s->w->waiting_bytes -= it->n;
	if (q->n == 0) {
		free(q);
		s->ws->queue = NULL;
	}
	return it;
}

static void put_back(struct session *s, struct session_waiting *it)
{
	struct session_queue *q = queue_of(s->ws);

	STAILQ_INSERT_HEAD(&q->commands, it, link);
	q->n++;
	q->bytes += it->n;
	s->w->waiting_bytes += it->n;
}

void session_pusher_done(struct session *s)
{
	while (s->ws->queue != NULL)
		free(take_first(s));
}

static void read_on(struct session *s)
{
	const struct session_queue *q = s->ws->queue;

	if (!session_has(s, SESSION_PAUSED) ||
	    (q != NULL && (q->n > QUEUE_MAX / 2 || q->bytes > QUEUE_BYTES_MAX / 2)))
		return;
	s->flags &= (uint16_t)~SESSION_PAUSED;
	stream_resume(&s->stream);
}

void session_pusher_message(struct session *s, struct slice text)
{
	if (s->ws->queue == NULL) {
		if (session_run(s, text) == WAIT)
			put_off(s, text);
	} else if (pusher_is_ping(text)) {
		session_ws_pong(s);
	} else {
		put_off(s, text);
	}
}

void session_pusher_go_on(struct session *s)
{
	struct session_socket *ws = s->ws;

	while (s->state == SESSION_OPEN && ws->queue != NULL) {
		struct session_waiting *it = take_first(s);

		if (session_run(s, slice_of(it->text, it->n)) == WAIT) {
			put_back(s, it);
			return;
		}
		free(it);
	}
	if (s->state != SESSION_OPEN)
		return;
	if (ws->outstanding == 0)
		ws->waiting_since = 0;
	read_on(s);
}

void session_answered(struct session *s)
{
	struct session_socket *ws = s->ws;

	ws->outstanding--;
	/* Each answer shows that the broker works: the others get the whole time again. */
	ws->waiting_since = ws->outstanding > 0 || ws->queue != NULL ? worker_now(s->w) : 0;
	session_pusher_go_on(s);
}

/* ---- giving up ---- */

/* Tells what a waiting command would have been told, had the broker been asked in vain. */
static void refuse_waiting(struct session *s, struct slice text)
{
	enum pusher_error_id why;
	struct pusher_cmd cmd;

	if (session_run(s, text) == DONE || s->state != SESSION_OPEN)
		return;
	if (!pusher_decode(text, &s->w->scratch, &cmd, &why))
		return;
	if (cmd.kind == PUSHER_CMD_SUBSCRIBE)
		session_refuse(s, cmd.channel, PUSHER_REF_BROKER);
	else
		session_error(s, PUSHER_ERR_UNAVAILABLE, SLICE_NONE);
}

/* The answers that are out are no longer waited for. */
static void abandon(struct session *s)
{
	struct session_socket *ws = s->ws;

	for (uint32_t i = 0; i < s->sub.sub_count && s->state == SESSION_OPEN; i++) {
		struct sub *sub = subscriber_sub(&s->sub, i);

		if (sub->waiting == 0 || sub->state == SUB_ABANDONED ||
		    (sub->flags & SUB_GIVEN_UP) != 0)
			continue;
		if (sub->state == SUB_PENDING)
			sub->state = SUB_ABANDONED;
		else
			sub->flags |= SUB_GIVEN_UP;
		session_refuse(s, channel_name(sub->channel), PUSHER_REF_BROKER);
	}
	if (s->state != SESSION_OPEN)
		return;
	if (ws->signing_in)
		session_error(s, PUSHER_ERR_UNAVAILABLE, SLICE_NONE);
	ws->signing_in = false;
	ws->outstanding = 0;
}

void session_pusher_give_up(struct session *s)
{
	struct session_socket *ws = s->ws;

	abandon(s);
	while (s->state == SESSION_OPEN && ws->queue != NULL) {
		struct session_waiting *it = take_first(s);

		refuse_waiting(s, slice_of(it->text, it->n));
		free(it);
	}
	if (s->state != SESSION_OPEN)
		return;
	if (ws->outstanding == 0)
		ws->waiting_since = 0;
	read_on(s);
}
