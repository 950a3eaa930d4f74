#include "worker/resync.h"

#include "common/wire/wire.h"
#include "worker/departed.h"
#include "worker/members.h"
#include "worker/questions.h"
#include "worker/session_internal.h"
#include "worker/worker_internal.h"

/* Connections told of in one go. */
#define CHUNK 2000

static bool tell_count(struct worker *w, uint8_t kind)
{
	struct wire_sync_begin begin = {.conns = w->websockets};
	struct wire_sync_end end = {.conns = w->websockets};
	bool fits = kind == WIRE_SYNC_BEGIN ? wire_encode_sync_begin(&w->record, &begin)
					    : wire_encode_sync_end(&w->record, &end);

	return worker_send_encoded(w, fits, kind);
}

void resync_forget(struct worker *w)
{
	struct session_socket *ws;

	TAILQ_FOREACH (ws, &w->open, list)
		ws->s->flags &= (uint16_t)~SESSION_TOLD;
	departed_restart(w->departed, worker_now(w), true);
	w->sync = SYNC_NONE;
	w->sync_at = NULL;
}

void resync_begin(struct worker *w)
{
	resync_forget(w);
	w->broker = BROKER_SYNCING;
	w->sync = SYNC_BEGINS;
	w->sync_at = TAILQ_FIRST(&w->open);
}

void resync_resume(struct worker *w)
{
	struct session_socket *ws;

	departed_restart(w->departed, worker_now(w), false);
	w->broker = w->sync == SYNC_NONE ? BROKER_UP : BROKER_SYNCING;
	TAILQ_FOREACH (ws, &w->open, list) {
		if (!session_has(ws->s, SESSION_TOLD))
			break;
	}
	w->sync_at = ws;
	if (w->broker == BROKER_UP)
		worker_release(w);
}

/* All that stands of one connection. False: the lane is full; it is told from its start again. */
static bool tell(struct session *s)
{
	if (!session_tell_open(s) || !session_tell_notes(s))
		return false;
	if (s->ws->user != NULL && !session_tell_signin(s, s->ws->user, true))
		return false;
	for (uint32_t i = 0; i < s->sub.sub_count; i++) {
		const struct sub *sub = subscriber_sub(&s->sub, i);

		if (sub->state == SUB_ACTIVE && !session_tell_subscribe(s, sub, WIRE_SUB_RESYNC))
			return false;
	}
	return true;
}

/* False: no room. */
static bool tell_some(struct worker *w)
{
	for (unsigned n = 0; n < CHUNK && w->sync_at != NULL; n++) {
		struct session *s = w->sync_at->s;

		if (apps_by_index(w->apps, s->app->index) != s->app) {
			session_ws_end(s, PUSHER_END_NO_APP); /* moves sync_at on */
			continue;
		}
		if (!tell(s)) {
			s->flags &= (uint16_t)~SESSION_TOLD;
			return false;
		}
		w->sync_at = TAILQ_NEXT(w->sync_at, list);
		/* Opened after the broker was told all the rest: its commands have waited. */
		if (w->broker == BROKER_UP)
			session_pusher_go_on(s);
	}
	return true;
}

static void finish(struct worker *w)
{
	struct session_socket *ws;
	struct session_socket *next;

	w->sync = SYNC_NONE;
	w->broker = BROKER_UP;
	log_notice("broker.up", "connections=%u subscriptions=%llu", w->websockets,
		   (unsigned long long)hub_subscriptions(w->hub));
	questions_again(w);
	TAILQ_FOREACH_SAFE (ws, &w->open, list, next)
		session_ask_again(ws->s);
}

bool resync_step(struct worker *w)
{
	if (w->broker == BROKER_AWAY || (w->sync == SYNC_NONE && w->sync_at == NULL))
		return false;
	if (w->sync == SYNC_BEGINS) {
		if (!tell_count(w, WIRE_SYNC_BEGIN))
			return false;
		w->sync = SYNC_RUNS;
	}
	if (!tell_some(w))
		return false;
	if (w->sync_at != NULL)
		return true;
	if (w->sync == SYNC_RUNS) {
		if (!departed_tell(w) || !members_tell(w) || !tell_count(w, WIRE_SYNC_END))
			return false;
		finish(w);
	}
	return false;
}
