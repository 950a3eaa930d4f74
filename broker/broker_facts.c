/* What the parts of the broker say of themselves, gathered for operators. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "broker/apps.h"
#include "broker/broker_internal.h"
#include "broker/registry/history.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "common/wire/wire.h"

static void count(void *ctx, uint64_t conn, uint32_t worker)
{
	uint32_t *n = ctx;

	(void)conn;
	(void)worker;
	++*n;
}

static void take_state(const struct broker *b, struct admin_worker *row)
{
	struct wire_worker_state state;

	dispatch_worker_said(b->dispatch, row->number, &state);
	row->draining = state.draining != 0;
	row->drain_left = state.drain_left;
#define WORKER_METRIC(field, type, name, help) row->field = state.field;
#include "broker/admin/worker_metrics.def"
#undef WORKER_METRIC
}

static void take_workers(struct broker *b, struct admin_facts *f)
{
	struct server_counts c = {0};
	struct lane *lane = NULL;
	size_t n = 0;

	if (b->server == NULL)
		return;
	b->worker_rows =
		mem_grow(b->worker_rows, server_count(b->server) + 1, sizeof(*b->worker_rows));
	while ((lane = server_next(b->server, lane)) != NULL) {
		struct admin_worker *row = &b->worker_rows[n++];

		*row = (struct admin_worker){
			.number = lane_number(lane),
			.slot = lane_slot(lane),
			.generation = lane_generation(lane),
			.held = lane_held(lane),
		};
		registry_worker_conns(b->registry, row->number, count, &row->connections);
		take_state(b, row);
	}
	c = server_counts(b->server);
	f->worker_rows = b->worker_rows;
	f->worker_count = n;
	f->workers = n;
	f->workers_expected = dispatch_is_open(b->dispatch) ? 0 : server_expected(b->server);
	f->records_in = c.records_in;
	f->records_out = c.records_out;
	f->lane_resent = c.resent;
	f->lane_gaps = c.gaps;
	f->lane_missed = c.missed;
}

static void take_apps(struct broker *b, struct admin_facts *f)
{
	uint32_t n = apps_count(b->apps);

	b->app_rows = mem_grow(b->app_rows, (size_t)n + 1, sizeof(*b->app_rows));
	for (uint32_t i = 0; i < n; i++) {
		const struct app *app = apps_at(b->apps, i);

		b->app_rows[i] = (struct admin_app){
			.id = app->id,
			.enabled = app->conf != NULL && app->conf->enabled,
			.chat = i == apps_chat(b->apps),
			.connections = registry_connections(b->registry, i),
		};
	}
	f->app_rows = b->app_rows;
	f->app_count = n;
}

static void take_registry(const struct broker *b, struct admin_facts *f)
{
	struct registry_stats s;

	registry_stats(b->registry, &s);
	f->connections = s.connections;
	f->channels = s.channels;
	f->subscriptions = s.subscriptions;
	f->members = s.members;
	f->users = s.users;
	f->cache_bytes = history_bytes(b->history);
}

static void take_dispatch(const struct broker *b, struct admin_facts *f)
{
	struct dispatch_counts c;

	dispatch_counts(b->dispatch, &c);
	f->records_bad = c.bad_records;
	f->published = c.published;
	f->client_events = c.client_events;
	f->chat_events = c.chat_events;
	f->outbox_events = c.outbox_events;
	f->presence_events = c.presence_events;
	f->sent = c.sent;
	f->subscribed = c.subscribed;
	f->refused = c.refused;
	f->queries = c.queries;
	f->calls = c.calls;
	f->unstable = dispatch_unstable(b->dispatch);
}

static void take_chat(const struct broker *b, struct admin_facts *f)
{
	struct chat_stats s;

	chat_stats(b->chat, &s);
	f->chat_messages = s.messages;
	f->tokens_cached = s.tokens_cached;
	f->grants = s.grants;
	f->typing = s.typing;
}

static void take_mirror(const struct mirror_stats *s, struct admin_facts *f)
{
	wall_us_t now = clock_wall();

	f->mirror_pending = s->pending;
	f->mirror_written = s->written;
	f->mirror_batches = s->batches;
	f->mirror_rewrites = s->rewrites;
	f->mirror_dropped = s->dropped;
	f->mirror_flush_ms = s->last_flush_ms;
	/* With nothing to write the tables hold everything now. */
	if (s->pending > 0 && s->flushed_at > 0 && now > s->flushed_at)
		f->mirror_lag_us = (uint64_t)(now - s->flushed_at);
}

static const char *state_name(const struct broker *b)
{
	if (b->start_conf->database.conninfo[0] == '\0')
		return "none";
	switch (store_state(b->store)) {
	case STORE_UP:
		return "up";
	case STORE_STANDBY:
		return "standby";
	case STORE_AWAY:
		break;
	}
	return "away";
}

static void take_store(struct broker *b, struct admin_facts *f)
{
	struct store_stats s;

	store_stats(b->store, &s);
	for (size_t i = 0; i < STORE_CONNS; i++)
		b->session_rows[i] = (struct admin_session){
			.role = s.conns[i].role,
			.ready = s.conns[i].ready,
			.queued = s.conns[i].queued,
			.connects = s.conns[i].connects,
		};
	f->session_rows = b->session_rows;
	f->session_count = b->start_conf->database.conninfo[0] != '\0' ? STORE_CONNS : 0;
	f->database_state = state_name(b);
	f->database_fault = store_fault(b->store);
	f->database_up = store_state(b->store) == STORE_UP;
	f->database_epoch = (uint64_t)store_epoch(b->store);
	f->messages_queued = s.messages_queued;
	f->messages_bytes = s.messages_bytes;
	f->messages_oldest_us = s.messages_oldest;
	f->messages_stored = s.messages_stored;
	f->message_batches = s.message_batches;
	f->receipts = s.receipts;
	f->outbox_taken = s.events;
	f->unavailable = s.unavailable;
	take_mirror(&s.mirror, f);
}

/* Resident bytes; 0 when the kernel does not say. */
static uint64_t memory(void)
{
	unsigned long long pages = 0;
	struct slice size;
	struct slice rest;
	char text[128];
	FILE *f = fopen("/proc/self/statm", "re");
	size_t n;

	if (f == NULL)
		return 0;
	n = fread(text, 1, sizeof(text), f);
	(void)fclose(f); /* only read */
	if (!slice_cut(slice_of(text, n), ' ', &size, &rest) ||
	    !slice_cut(rest, ' ', &size, &rest) || !slice_to_u64(size, &pages))
		return 0;
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void broker_facts(void *ctx, struct admin_facts *ret)
{
	struct broker *b = ctx;

	*ret = (struct admin_facts){
		.version = CHAT_VERSION,
		.node = b->node,
		.pid = (int)getpid(),
		.started_at = b->started_at,
		.standby = b->waiting,
		.open = dispatch_is_open(b->dispatch),
		.stopping = b->stopping,
		.database_required = b->start_conf->database.require_database,
		.rates = b->rates,
	};
	take_workers(b, ret);
	take_apps(b, ret);
	take_registry(b, ret);
	take_dispatch(b, ret);
	take_chat(b, ret);
	take_store(b, ret);
	ret->memory_bytes = memory();
	ret->uptime_s = (loop_now(b->loop) - b->started) / USEC_PER_SEC;
}

void broker_facts_tick(struct broker *b)
{
	struct dispatch_counts now;

	dispatch_counts(b->dispatch, &now);
	b->rates = (struct admin_rates){
		.published = now.published - b->before.published,
		.client_events = now.client_events - b->before.client_events,
		.chat_events = now.chat_events - b->before.chat_events,
		.sent = now.sent - b->before.sent,
		.calls = now.calls - b->before.calls,
	};
	b->before = now;
}

void broker_facts_done(struct broker *b)
{
	free(b->worker_rows);
	free(b->app_rows);
}
