/* Records on their way to the broker, and who may go on when it is there. */
#include "worker/api/api.h"
#include "worker/link/link.h"
#include "worker/questions.h"
#include "worker/session_internal.h"
#include "worker/worker_internal.h"

bool outbox_flush(struct worker *w)
{
	while (w->late.n > 0) {
		uint32_t n;
		uint8_t kind = (uint8_t)w->late.p[0];

		memcpy(&n, w->late.p + 1, sizeof(n));
		if (link_send(w->link, kind, slice_of(w->late.p + 5, n)) != 0)
			return false;
		buf_consume(&w->late, 5 + (size_t)n);
	}
	return true;
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
