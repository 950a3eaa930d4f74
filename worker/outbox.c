/* Records on their way to the broker, and who may go on when it is there. */
#include "worker/api/api.h"
#include "worker/link/link.h"
#include "worker/questions.h"
#include "worker/session_internal.h"
#include "worker/worker_internal.h"

/* A row of w->late: kind, length, record. */
#define ROW_HEAD (1 + sizeof(uint32_t))
/* What is left of its memory when all has been sent. */
#define LATE_KEPT (64U << 10)

bool outbox_flush(struct worker *w)
{
	size_t at = 0;
	bool empty;

	while (at < w->late.n) {
		const char *row = w->late.p + at;
		uint32_t n;

		memcpy(&n, row + 1, sizeof(n));
		if (link_send(w->link, (uint8_t)row[0], slice_of(row + ROW_HEAD, n)) != 0)
			break;
		at += ROW_HEAD + n;
	}
	empty = at == w->late.n;
	buf_consume(&w->late, at); /* once: there may be as many rows as there were clients */
	if (empty && w->late.cap > LATE_KEPT) {
		size_t max = w->late.max;

		buf_done(&w->late);
		buf_init(&w->late, max);
	}
	return empty;
}

bool worker_send(struct worker *w, uint8_t kind)
{
	bool sent = w->broker != BROKER_AWAY && outbox_flush(w) &&
		    link_send(w->link, kind, buf_slice(&w->record)) == 0;

	buf_clear(&w->record);
	return sent;
}

void worker_send_surely(struct worker *w, uint8_t kind)
{
	uint32_t n = (uint32_t)w->record.n;

	if (!outbox_flush(w) || link_send(w->link, kind, buf_slice(&w->record)) != 0) {
		/* Bounded by what is open: each connection and subscription ends once. */
		(void)buf_addc(&w->late, (char)kind);
		(void)buf_add(&w->late, slice_of(&n, sizeof(n)));
		(void)buf_add(&w->late, buf_slice(&w->record));
	}
	buf_clear(&w->record);
}

void worker_release(struct worker *w)
{
	struct session_socket *ws;
	struct session_socket *next;

	TAILQ_FOREACH_SAFE (ws, &w->open, list, next)
		session_pusher_go_on(ws->s);
	questions_go_on(w);
}

void worker_release_held(struct worker *w)
{
	struct session_socket *ws;

	while ((ws = TAILQ_FIRST(&w->held)) != NULL)
		session_ws_release(ws->s); /* open or refused: no longer held */
	api_release(w);
}
