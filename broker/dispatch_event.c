/* Events on their way to subscribers, and who has to acknowledge them. */
#include "broker/dispatch_internal.h"

#include <stdlib.h>

#include "broker/channel_kind.h"
#include "broker/registry/history.h"
#include "common/base/mem.h"
#include "common/log/log.h"

/* ---- one event ---- */

void dispatch_event(struct dispatch *d, const struct wire_event *e, uint32_t track)
{
	const struct interest *interest;
	uint32_t n = 0;

	interest = registry_interest(d->parts.registry, e->app, e->channel, &n);
	if (n == 0)
		return;
	if (!wire_encode_event(&d->record, e)) {
		dispatch_send(d, NULL, WIRE_EVENT, false);
		return;
	}
	/* The same record for each of them. */
	for (uint32_t i = 0; i < n; i++) {
		struct peer *peer = dispatch_peer(d, interest[i].worker);

		if (peer == NULL || peer->lane == NULL)
			continue;
		server_send(d->parts.server, peer->lane, WIRE_EVENT, buf_slice(&d->record));
		d->counts.sent++;
		if (track != UNTRACKED)
			stable_await(d->stable, &peer->acks, track, lane_mark(peer->lane));
	}
	dispatch_send(d, NULL, WIRE_EVENT, true);
}

uint64_t dispatch_conn_of(struct slice socket_id)
{
	struct slice first;
	struct slice second;
	unsigned long long conn;

	return slice_cut(socket_id, '.', &first, &second) && slice_to_u64(first, &conn) ? conn : 0;
}

uint64_t dispatch_find_conn(const struct dispatch *d, uint32_t app, struct slice socket_id)
{
	uint64_t conn = dispatch_conn_of(socket_id);
	struct registry_conn row;

	if (!registry_conn(d->parts.registry, conn, &row))
		return 0;
	return row.app == app && slice_eq(row.socket_id, socket_id) ? conn : 0;
}

void dispatch_on_stable(void *ctx, uint64_t origin, uint64_t number)
{
	struct dispatch *d = ctx;
	struct wire_stable m = {.number = number};

	if (origin != ORIGIN_OUTBOX)
		dispatch_send(d, dispatch_peer(d, (uint32_t)origin), WIRE_STABLE,
			      wire_encode_stable(&d->record, &m));
	else if (!d->stopped)
		store_events_done(d->parts.store);
}

/* ---- client events ---- */

void dispatch_client_event(struct dispatch *d, struct peer *p, const struct wire_client_event *m)
{
	struct registry_conn row;
	struct wire_event e = {
		.channel = m->channel,
		.event = m->event,
		.data = m->data,
		.exclude = m->conn,
		.droppable = 1,
	};

	(void)p;
	/* It may have been expelled while this was on its way; nobody promises these anything. */
	if (!registry_conn(d->parts.registry, m->conn, &row) ||
	    !registry_is_subscribed(d->parts.registry, m->conn, m->channel))
		return;
	e.app = row.app;
	/* Whose event it is says the subscription, never the client. */
	if (channel_is_presence(m->channel))
		e.user_id = registry_member(d->parts.registry, m->conn, m->channel);
	d->counts.client_events++;
	dispatch_event(d, &e, UNTRACKED);
}

/* ---- publishes of the HTTP API ---- */

static void send_published(struct dispatch *d, struct peer *p, uint64_t number, uint16_t status,
			   struct slice body)
{
	struct wire_published m = {.number = number, .status = status, .body = body};

	dispatch_send(d, p, WIRE_PUBLISHED, wire_encode_published(&d->record, &m));
}

/* Each channel has its own event, named by the same (origin, number). */
static void order(struct dispatch *d, const struct wire_publish *m, uint32_t track)
{
	struct slice channels = m->channels;
	struct wire_event e = {
		.app = m->app,
		.event = m->event,
		.data = m->data,
		.exclude = dispatch_find_conn(d, m->app, m->socket_id),
		.origin = m->origin,
		.number = m->number,
	};

	while (wire_list_next(&channels, &e.channel)) {
		if (channel_is_cache(e.channel))
			history_put(d->parts.history, d->now.mono, m->app, e.channel, m->event,
				    m->data);
		dispatch_event(d, &e, track);
	}
}

/* Had before: it is stable when all that has been sent is acknowledged. */
static void await_all(struct dispatch *d, uint32_t track)
{
	for (struct peer *p = d->peers; p != NULL; p = p->hh.next) {
		if (p->lane != NULL)
			stable_await(d->stable, &p->acks, track, lane_mark(p->lane));
	}
}

void dispatch_publish(struct dispatch *d, struct peer *p, const struct wire_publish *m)
{
	uint32_t track;

	if (dispatch_app(d, m->app) == NULL) {
		send_published(d, p, m->number, 404, SLICE("Unknown app_id"));
		return;
	}
	track = stable_begin(d->stable, p->number, m->number);
	if (origins_add(d->origins, m->origin, m->number)) {
		d->counts.published++;
		order(d, m, track);
	} else {
		await_all(d, track);
	}
	/* Accepted and ordered: the publisher hears of it before it becomes stable. */
	dispatch_publish_body(d, m->app, m->channels, m->info);
	send_published(d, p, m->number, 200, buf_slice(&d->body));
	dispatch_body_done(d);
	stable_end(d->stable, track);
}

/* ---- events of chat.publish() ---- */

static void order_outbox(struct dispatch *d, const struct store_event *row, uint32_t track)
{
	const struct apps *apps = d->options.apps;
	struct wire_event e = {
		.app = row->app.n > 0 ? apps_find(apps, row->app) : apps_chat(apps),
		.channel = row->channel,
		.event = row->event,
		.data = row->payload,
		.origin = ORIGIN_OUTBOX,
		.number = row->id,
		.outbox_id = row->id,
	};

	if (dispatch_app(d, e.app) == NULL) {
		log_warning("outbox.unknown_app", "id=%llu app=%.*s", (unsigned long long)row->id,
			    SLICE_ARG(row->app));
		return;
	}
	e.exclude = dispatch_find_conn(d, e.app, row->socket_id);
	if (channel_is_cache(e.channel))
		history_put(d->parts.history, d->now.mono, e.app, e.channel, e.event, e.data);
	d->counts.outbox_events++;
	dispatch_event(d, &e, track);
}

void dispatch_on_events(struct dispatch *d, const struct store_event *events, size_t n)
{
	uint32_t track;

	dispatch_enter(d);
	track = stable_begin(d->stable, ORIGIN_OUTBOX, 0);
	for (size_t i = 0; i < n; i++)
		order_outbox(d, &events[i], track);
	stable_end(d->stable, track);
}
