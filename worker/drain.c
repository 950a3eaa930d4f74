/* The end of a worker: its clients go to others, a few at a time. */
#include "common/loop/loop.h"
#include "worker/session_internal.h"
#include "worker/worker_internal.h"

void drain_begin(struct worker *w, bool orphan)
{
	usec_t now = worker_now(w);

	if (w->draining)
		return;
	w->draining = true;
	w->drain_from = now;
	w->drain_end = now + w->conf->worker.drain_timeout;
	log_notice("worker.draining", "sockets=%u websockets=%u orphan=%d", w->sockets,
		   w->websockets, orphan);
	for (unsigned i = 0; i < w->listener_count; i++)
		listener_stop(w->listeners[i]);
}

void drain_now(struct worker *w)
{
	drain_begin(w, false);
	w->drain_end = worker_now(w);
}

/* Up to `most` of them; those whose answer is under way are left to end by themselves. */
static void send_away(struct worker *w, uint32_t most)
{
	size_t at = 0;
	uint32_t sent = 0;
	struct session *s;

	while (sent < most && (s = session_next(w, &at)) != NULL) {
		session_drain(s);
		if (s->state != SESSION_CLOSING)
			continue;
		sent++;
		at = at > 0 ? at - 1 : 0; /* another row may have moved here */
	}
}

void drain_step(struct worker *w)
{
	usec_t now = worker_now(w);
	uint64_t due;

	if (!w->draining)
		return;
	due = (now - w->drain_from) * w->conf->worker.drain_rate / USEC_PER_SEC;
	if (now >= w->drain_end)
		send_away(w, UINT32_MAX);
	else if (due > w->drained)
		send_away(w, (uint32_t)(due - w->drained));
	w->drained = due;
	/* Past the end nobody waits for slow peers or handlers longer than a close may take. */
	if (w->sockets == 0 || now >= w->drain_end + w->conf->worker.close_timeout)
		loop_stop(w->loop);
}
