#include "worker/report.h"

#include "common/base/mem.h"
#include "common/wire/wire.h"
#include "worker/departed.h"
#include "worker/questions.h"
#include "worker/worker_internal.h"

static void gather(const struct worker *w, struct wire_worker_state *ret)
{
	struct questions_stats q;
	usec_t now = worker_now(w);

	questions_stats(w->questions, &q);
	*ret = (struct wire_worker_state){
		.draining = w->draining,
		.drain_left = w->draining && w->drain_end > now
				      ? (uint32_t)((w->drain_end - now) / USEC_PER_SEC)
				      : 0,
		.sockets = w->sockets,
		.websockets = w->websockets,
		.waiting = q.waiting,
		.unstable = q.unstable,
		.waiting_bytes = q.bytes,
		.command_bytes = w->waiting_bytes,
		.late_bytes = w->late.n,
		.output_bytes = streams_counts(w->streams)->waiting,
		.departed = departed_count(w->departed),
		.accepted = w->counts.accepted,
		.refused = w->counts.refused,
		.slow = w->counts.slow,
		.silent = w->counts.silent,
		.dropped = w->counts.dropped,
		.events = w->counts.events,
		.repeated = w->counts.repeated,
		.unavailable = q.unavailable,
		.departed_lost = departed_lost(w->departed),
	};
}

void report_turn(struct worker *w)
{
	usec_t now = worker_now(w);
	struct wire_worker_state state;

	if (w->broker != BROKER_UP || now < w->report_at)
		return;
	w->report_at = now + USEC_PER_SEC;
	gather(w, &state);
	if (!wire_encode_worker_state(&w->record, &state))
		die("the report of a worker does not fit");
	if (w->reported_to == w->brokers &&
	    slice_eq(buf_slice(&w->reported), buf_slice(&w->record))) {
		buf_clear(&w->record);
		return;
	}
	buf_clear(&w->reported);
	(void)buf_add(&w->reported, buf_slice(&w->record)); /* small */
	if (worker_send(w, WIRE_WORKER_STATE))
		w->reported_to = w->brokers;
	else
		w->reported_to = 0; /* again in a second */
}
