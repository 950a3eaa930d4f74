/*
 * What operators are told, as plain numbers and texts: filled in by the broker for each question,
 * turned into text by admin_metrics(), admin_status() and admin_ready(). Pure.
 */
#ifndef BROKER_ADMIN_FACTS_H
#define BROKER_ADMIN_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/macros.h"

struct admin_worker {
	uint32_t number;
	unsigned slot;
	uint64_t generation;
	uint32_t connections;
	uint64_t held; /* bytes that it has not acknowledged */
	/* as it says of itself, a second ago */
	bool draining;
	uint32_t drain_left; /* seconds */
#define WORKER_METRIC(field, type, name, help) uint64_t field;
#include "broker/admin/worker_metrics.def"
#undef WORKER_METRIC
};

struct admin_app {
	const char *id;
	bool enabled;
	bool chat; /* the chat belongs to it */
	uint32_t connections;
};

/* A connection to PostgreSQL. */
struct admin_session {
	const char *role;
	bool ready;
	uint32_t queued;
	uint64_t connects;
};

/* A second of the recent past. */
struct admin_rates {
	uint64_t published;
	uint64_t client_events;
	uint64_t chat_events;
	uint64_t sent;
	uint64_t calls;
};

/* Strings are never NULL; arrays and strings live until the facts are asked for again. */
struct admin_facts {
	const char *version;
	const char *node;
	int pid;
	wall_us_t started_at;
	bool standby;  /* waits for the guard lock, has no lanes yet */
	bool open;     /* knows its workers, orders events */
	bool stopping; /* will not come back */
	bool database_required;
	const char *database_state; /* "up", "standby", "away" or "none" */
	const char *database_fault;
	struct admin_rates rates;
	const struct admin_worker *worker_rows;
	size_t worker_count;
	const struct admin_app *app_rows;
	size_t app_count;
	const struct admin_session *session_rows;
	size_t session_count;
#define METRIC(field, type, name, help) uint64_t field;
#include "broker/admin/metrics.def"
#undef METRIC
};

/* Appends the text of /metrics in Prometheus' exposition format. No names of channels or users. */
void admin_metrics(struct buf *out, const struct admin_facts *f);

/* Appends the JSON object of /status. */
void admin_status(struct buf *out, const struct admin_facts *f);

/*
 * Appends the JSON object of /ready: {"ready":true} or {"ready":false,"waiting_for":["workers"]},
 * with "standby", "workers", "database" or "stopping". False: not ready.
 */
bool admin_ready(struct buf *out, const struct admin_facts *f);

#endif
