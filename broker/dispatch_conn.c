/* Connections, their subscriptions and who they are. */
#include "broker/dispatch_internal.h"

#include <inttypes.h>
#include <string.h>

#include "broker/channel_kind.h"
#include "broker/registry/watchlist.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/log/log.h"

/* Refusals as clients hear them: section 7.4 of the protocol. */
struct refusal {
	struct slice type;
	struct slice error;
	uint32_t status;
	int64_t code;
	struct slice message;
};

#define TEXT_FULL "The presence channel is full."

static const struct refusal refused_auth = {SLICE_INIT("AuthError"),
					    SLICE_INIT("The connection is unauthorized."), 401,
					    4009, SLICE_INIT("Connection is unauthorized")};
static const struct refusal refused_full = {SLICE_INIT("LimitReached"), SLICE_INIT(TEXT_FULL), 4100,
					    4100, SLICE_INIT(TEXT_FULL)};
static const struct refusal refused_unknown = {
	SLICE_INIT("ServerError"), SLICE_INIT("The server cannot do this at the moment."), 503, 0,
	SLICE_INIT("The server cannot do this at the moment, try again later")};

static void refuse(struct dispatch *d, struct peer *p, const struct wire_subscribe *s,
		   const struct refusal *why)
{
	struct wire_refused m = {
		.conn = s->conn,
		.channel = s->channel,
		.type = why->type,
		.error = why->error,
		.status = why->status,
		.code = why->code,
		.message = why->message,
	};

	d->counts.refused++;
	dispatch_send(d, p, WIRE_REFUSED, wire_encode_refused(&d->record, &m));
	/* One that stood, and was asked for again, is over at the worker, too. */
	registry_unsubscribe(d->parts.registry, d->now, s->conn, s->channel);
}

static void send_close(struct dispatch *d, struct peer *p, uint64_t conn, uint16_t code,
		       struct slice reason)
{
	struct wire_close m = {.conn = conn, .code = code, .reason = reason};

	dispatch_send(d, p, WIRE_CLOSE, wire_encode_close(&d->record, &m));
}

/* ---- connections ---- */

void dispatch_conn_open(struct dispatch *d, struct peer *p, const struct wire_conn_open *m)
{
	const struct conf_app *app = dispatch_app(d, m->app);
	struct registry_conn row = {
		.conn = m->conn,
		.worker = p->number,
		.app = m->app,
		.socket_id = m->socket_id,
		.address = m->address,
		.agent = m->agent,
		.opened_at = m->opened_at,
	};

	if (app == NULL) {
		send_close(d, p, m->conn, 4001, SLICE("Application does not exist"));
		return;
	}
	/* A worker only knows its own share of an application's connections. */
	if (d->open && app->max_connections > 0 &&
	    registry_connections(d->parts.registry, m->app) >= app->max_connections) {
		struct slice text = SLICE("Application is over connection quota");

		dispatch_error(d, p, m->conn, 4004, text);
		send_close(d, p, m->conn, 4004, text);
	}
	registry_open(d->parts.registry, d->now, &row);
	if (wire_conn_is_after(m->conn, p->newest))
		p->newest = m->conn;
	dispatch_early(d, m->conn);
}

static void end_conn(struct dispatch *d, struct moment at, uint64_t conn)
{
	struct registry_conn row;

	if (!registry_conn(d->parts.registry, conn, &row))
		return;
	if (dispatch_is_chat_app(d, row.app))
		chat_conn_closed(d->parts.chat, d->now.mono, conn);
	watchlist_drop(d->watchlist, conn);
	registry_close(d->parts.registry, at, conn);
}

void dispatch_conn_close(struct dispatch *d, struct peer *p, const struct wire_conn_close *m)
{
	(void)p;
	end_conn(d, d->now, m->conn);
}

/* It went while no broker saw it: the grace begins now, but it was last seen then. */
void dispatch_conn_gone(struct dispatch *d, struct peer *p, const struct wire_conn_gone *m)
{
	struct moment at = {.mono = d->now.mono, .wall = MIN(m->closed_at, d->now.wall)};

	(void)p;
	end_conn(d, at, m->conn);
}

static void forget_conn(void *ctx, uint64_t conn, uint32_t worker)
{
	struct dispatch *d = ctx;
	struct registry_conn row;

	(void)worker;
	watchlist_drop(d->watchlist, conn);
	if (registry_conn(d->parts.registry, conn, &row) && dispatch_is_chat_app(d, row.app))
		chat_conn_closed(d->parts.chat, d->now.mono, conn);
}

void dispatch_worker_gone(struct dispatch *d, struct peer *p)
{
	registry_worker_conns(d->parts.registry, p->number, forget_conn, d);
	registry_worker_gone(d->parts.registry, d->now, p->number);
}

/* ---- what a broker after this one has to know ---- */

void dispatch_note(struct dispatch *d, uint64_t conn, struct slice key, struct slice value)
{
	struct wire_note m = {.conn = conn, .key = key, .value = value};

	dispatch_send(d, dispatch_peer_of(d, conn), WIRE_NOTE, wire_encode_note(&d->record, &m));
}

void dispatch_note_user(struct dispatch *d, uint64_t conn, bool was)
{
	struct registry_conn row;

	if (!was && registry_conn(d->parts.registry, conn, &row) && row.user_id.n > 0)
		dispatch_note(d, conn, SLICE(WIRE_NOTE_USER), row.user_id);
}

void dispatch_note_again(struct dispatch *d, struct peer *p, const struct wire_note_again *m)
{
	struct registry_conn row;

	(void)p;
	if (!registry_conn(d->parts.registry, m->conn, &row))
		return;
	if (slice_eq(m->key, SLICE(WIRE_NOTE_USER)))
		(void)registry_identify(d->parts.registry, d->now, m->conn, m->value);
	else if (dispatch_is_chat_app(d, row.app))
		chat_recalled(d->parts.chat, d->now.mono, m->conn, m->key, m->value);
}

/* ---- subscriptions ---- */

/* Whether the rules let it, with whom the authorisation identifies; what a worker cannot know. */
static bool may_join(struct dispatch *d, const struct registry_conn *row,
		     const struct wire_subscribe *m, struct chat_admission *ret)
{
	struct slice user;

	*ret = (struct chat_admission){.allowed = true};
	if (channel_is_to_user(m->channel, &user))
		return registry_is_signed_in(d->parts.registry, m->conn, user);
	if (dispatch_is_chat_app(d, row->app))
		chat_subscribing(d->parts.chat, d->now.mono, m->conn, m->channel,
				 (m->flags & WIRE_SUB_AUTHORISED) != 0, ret);
	return ret->allowed;
}

/*
 * A connection is identified by the member it became, or by whom the chat had authorised. The id is
 * copied: what follows may ask the chat again.
 */
static void identify(struct dispatch *d, uint64_t conn, struct slice user_id)
{
	struct registry_conn row;
	char copy[LIMIT_USER_ID];
	bool was;

	if (user_id.n == 0 || user_id.n > sizeof(copy))
		return;
	memcpy(copy, user_id.p, user_id.n);
	was = registry_conn(d->parts.registry, conn, &row) && row.user_id.n > 0;
	(void)registry_identify(d->parts.registry, d->now, conn, slice_of(copy, user_id.n));
	dispatch_note_user(d, conn, was);
}

/* It was lawful once; the rules have changed while it stood. */
static void refuse_retold(struct dispatch *d, struct peer *p, const struct wire_subscribe *s)
{
	struct wire_expel m = {.conn = s->conn, .channel = s->channel};

	dispatch_send(d, p, WIRE_EXPEL, wire_encode_expel(&d->record, &m));
}

static enum registry_result join(struct dispatch *d, const struct registry_conn *row,
				 const struct wire_subscribe *m)
{
	struct registry_subscribe s = {
		.conn = m->conn,
		.channel = m->channel,
		.presence = (m->flags & WIRE_SUB_PRESENCE) != 0,
		.resync = (m->flags & WIRE_SUB_RESYNC) != 0,
		.user_id = m->user_id,
		.user_info = m->user_info,
		.joined_at = m->joined_at,
	};

	d->joining.app = row->app;
	d->joining.cache = (m->flags & WIRE_SUB_CACHE) != 0 && (m->flags & WIRE_SUB_AGAIN) == 0;
	return registry_subscribe(d->parts.registry, d->now, &s);
}

void dispatch_subscribe(struct dispatch *d, struct peer *p, const struct wire_subscribe *m)
{
	bool resync = (m->flags & WIRE_SUB_RESYNC) != 0;
	struct chat_admission admission;
	enum registry_result result;
	struct registry_conn row;

	if (!registry_conn(d->parts.registry, m->conn, &row)) {
		if (!resync)
			refuse(d, p, m, &refused_unknown);
		return;
	}
	if (!may_join(d, &row, m, &admission)) {
		if (resync)
			refuse_retold(d, p, m);
		else
			refuse(d, p, m, &refused_auth);
		return;
	}
	result = join(d, &row, m);
	if (result != REGISTRY_OK) {
		if (resync)
			refuse_retold(d, p, m);
		else
			refuse(d, p, m, result == REGISTRY_FULL ? &refused_full : &refused_unknown);
		return;
	}
	d->counts.subscribed++;
	identify(d, m->conn, (m->flags & WIRE_SUB_PRESENCE) != 0 ? m->user_id : admission.user_id);
	if (resync || !dispatch_is_chat_app(d, row.app) ||
	    !registry_conn(d->parts.registry, m->conn, &row))
		return;
	chat_subscribed(d->parts.chat, d->now.mono, m->conn, row.user_id, m->channel);
}

void dispatch_unsubscribe(struct dispatch *d, struct peer *p, const struct wire_unsubscribe *m)
{
	(void)p;
	registry_unsubscribe(d->parts.registry, d->now, m->conn, m->channel);
}
