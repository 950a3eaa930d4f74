#include "broker/admin/facts.h"

#include <inttypes.h>
#include <string.h>

/* Appends are not checked here: admin.c gives a buffer that takes all, and looks at its mark. */

/* ---- /metrics ---- */

enum metric_type { GAUGE, COUNTER };

static void put_head(struct buf *out, enum metric_type type, const char *name, const char *help)
{
	(void)buf_printf(out, "# HELP %s %s.\n# TYPE %s %s\n", name, help, name,
			 type == COUNTER ? "counter" : "gauge");
}

static void put_metric(struct buf *out, enum metric_type type, const char *name, const char *help,
		       uint64_t value)
{
	put_head(out, type, name, help);
	(void)buf_printf(out, "%s %" PRIu64 "\n", name, value);
}

static void put_workers(struct buf *out, const struct admin_facts *f)
{
	put_head(out, GAUGE, "chat_worker_connections", "Client connections of a worker");
	for (size_t i = 0; i < f->worker_count; i++)
		(void)buf_printf(out, "chat_worker_connections{slot=\"%u\",worker=\"%u\"} %u\n",
				 f->worker_rows[i].slot, f->worker_rows[i].number,
				 f->worker_rows[i].connections);
	put_head(out, GAUGE, "chat_worker_unacknowledged_bytes",
		 "Bytes sent to a worker that it has not acknowledged");
	for (size_t i = 0; i < f->worker_count; i++)
		(void)buf_printf(out,
				 "chat_worker_unacknowledged_bytes{slot=\"%u\",worker=\"%u\"} "
				 "%" PRIu64 "\n",
				 f->worker_rows[i].slot, f->worker_rows[i].number,
				 f->worker_rows[i].held);
}

static void put_sessions(struct buf *out, const struct admin_facts *f)
{
	put_head(out, GAUGE, "chat_database_session_up", "1 when this connection is usable");
	for (size_t i = 0; i < f->session_count; i++)
		(void)buf_printf(out, "chat_database_session_up{role=\"%s\"} %d\n",
				 f->session_rows[i].role, f->session_rows[i].ready);
	put_head(out, GAUGE, "chat_database_session_queued", "Statements that wait or run");
	for (size_t i = 0; i < f->session_count; i++)
		(void)buf_printf(out, "chat_database_session_queued{role=\"%s\"} %u\n",
				 f->session_rows[i].role, f->session_rows[i].queued);
}

/* One row of each number for each worker. */
static void put_worker_numbers(struct buf *out, const struct admin_facts *f)
{
#define WORKER_METRIC(field, type, name, help) \
	put_head(out, type, name, help); \
	for (size_t i = 0; i < f->worker_count; i++) \
		(void)buf_printf(out, "%s{slot=\"%u\",worker=\"%u\"} %" PRIu64 "\n", name, \
				 f->worker_rows[i].slot, f->worker_rows[i].number, \
				 f->worker_rows[i].field);
#include "broker/admin/worker_metrics.def"
#undef WORKER_METRIC
}

void admin_metrics(struct buf *out, const struct admin_facts *f)
{
	put_head(out, GAUGE, "chat_build_info", "Always 1; the version is its label");
	(void)buf_printf(out, "chat_build_info{version=\"%s\"} 1\n", f->version);
	put_metric(out, GAUGE, "chat_ready", "1 when workers are known and events are ordered",
		   f->open);
#define METRIC(field, type, name, help) put_metric(out, type, name, help, f->field);
#include "broker/admin/metrics.def"
#undef METRIC
	put_workers(out, f);
	put_worker_numbers(out, f);
	put_sessions(out, f);
}

/* ---- /ready ---- */

static bool is_ready(const struct admin_facts *f)
{
	return f->open && !f->stopping && !(f->database_required && f->database_up == 0);
}

static void put_waiting(struct buf *out, bool waits, const char *what, bool *first)
{
	if (!waits)
		return;
	(void)buf_printf(out, "%s\"%s\"", *first ? "" : ",", what);
	*first = false;
}

bool admin_ready(struct buf *out, const struct admin_facts *f)
{
	bool first = true;

	if (is_ready(f)) {
		(void)buf_add(out, SLICE("{\"ready\":true}"));
		return true;
	}
	(void)buf_add(out, SLICE("{\"ready\":false,\"waiting_for\":["));
	put_waiting(out, f->stopping, "stopping", &first);
	put_waiting(out, f->standby, "standby", &first);
	put_waiting(out, !f->standby && !f->open, "workers", &first);
	put_waiting(out, f->database_required && f->database_up == 0, "database", &first);
	(void)buf_add(out, SLICE("]}"));
	return false;
}

/* ---- /status ---- */

static void put_text(struct buf *out, const char *name, const char *text)
{
	(void)buf_printf(out, "\"%s\":", name);
	(void)buf_json_str(out, slice_str(text));
}

static void status_database(struct buf *out, const struct admin_facts *f)
{
	(void)buf_add(out, SLICE("\"database\":{"));
	put_text(out, "state", f->database_state);
	(void)buf_addc(out, ',');
	put_text(out, "fault", f->database_fault);
	(void)buf_printf(out, ",\"required\":%s,\"epoch\":%" PRIu64 ",\"connections\":[",
			 f->database_required ? "true" : "false", f->database_epoch);
	for (size_t i = 0; i < f->session_count; i++) {
		const struct admin_session *s = &f->session_rows[i];

		(void)buf_printf(out,
				 "%s{\"role\":\"%s\",\"ready\":%s,\"queued\":%u,"
				 "\"connects\":%" PRIu64 "}",
				 i > 0 ? "," : "", s->role, s->ready ? "true" : "false", s->queued,
				 s->connects);
	}
	(void)buf_add(out, SLICE("]}"));
}

static void status_workers(struct buf *out, const struct admin_facts *f)
{
	(void)buf_add(out, SLICE("\"workers\":["));
	for (size_t i = 0; i < f->worker_count; i++) {
		const struct admin_worker *w = &f->worker_rows[i];

		(void)buf_printf(out,
				 "%s{\"number\":%u,\"slot\":%u,\"generation\":%" PRIu64
				 ",\"connections\":%u,\"unacknowledged_bytes\":%" PRIu64
				 ",\"draining\":%s,\"drain_left\":%u",
				 i > 0 ? "," : "", w->number, w->slot, w->generation,
				 w->connections, w->held, w->draining ? "true" : "false",
				 w->drain_left);
#define WORKER_METRIC(field, type, name, help) \
	(void)buf_printf(out, ",\"" #field "\":%" PRIu64, w->field);
#include "broker/admin/worker_metrics.def"
#undef WORKER_METRIC
		(void)buf_addc(out, '}');
	}
	(void)buf_addc(out, ']');
}

static void status_apps(struct buf *out, const struct admin_facts *f)
{
	(void)buf_add(out, SLICE("\"apps\":["));
	for (size_t i = 0; i < f->app_count; i++) {
		const struct admin_app *a = &f->app_rows[i];

		(void)buf_add(out, i > 0 ? SLICE(",{") : SLICE("{"));
		put_text(out, "id", a->id);
		(void)buf_printf(out, ",\"enabled\":%s,\"chat\":%s,\"connections\":%u}",
				 a->enabled ? "true" : "false", a->chat ? "true" : "false",
				 a->connections);
	}
	(void)buf_addc(out, ']');
}

static void status_counts(struct buf *out, const struct admin_facts *f)
{
	bool first = true;

	(void)buf_add(out, SLICE("\"counts\":{"));
#define METRIC(field, type, name, help) \
	(void)buf_printf(out, "%s\"" #field "\":%" PRIu64, first ? "" : ",", f->field); \
	first = false;
#include "broker/admin/metrics.def"
#undef METRIC
	(void)buf_addc(out, '}');
}

void admin_status(struct buf *out, const struct admin_facts *f)
{
	const struct admin_rates *r = &f->rates;

	(void)buf_addc(out, '{');
	put_text(out, "version", f->version);
	(void)buf_addc(out, ',');
	put_text(out, "node", f->node);
	(void)buf_printf(out, ",\"pid\":%d,\"ready\":%s,\"standby\":%s,\"started_at\":\"", f->pid,
			 is_ready(f) ? "true" : "false", f->standby ? "true" : "false");
	(void)clock_rfc3339(out, f->started_at);
	(void)buf_printf(out,
			 "\",\"connections\":%" PRIu64 ",\"users\":%" PRIu64
			 ",\"rates\":{\"published\":%" PRIu64 ",\"client_events\":%" PRIu64
			 ",\"chat_events\":%" PRIu64 ",\"sent\":%" PRIu64 ",\"calls\":%" PRIu64
			 "},",
			 f->connections, f->users, r->published, r->client_events, r->chat_events,
			 r->sent, r->calls);
	status_database(out, f);
	(void)buf_addc(out, ',');
	status_workers(out, f);
	(void)buf_addc(out, ',');
	status_apps(out, f);
	(void)buf_addc(out, ',');
	status_counts(out, f);
	(void)buf_addc(out, '}');
}
