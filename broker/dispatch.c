#include "broker/dispatch_internal.h"

#include <inttypes.h>
#include <stdlib.h>

#include "broker/registry/presence.h"
#include "broker/registry/watchlist.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/loop/loop.h"

/* Memory of a buffer that is kept after a large snapshot or list. */
#define BUFFER_KEPT (256U << 10)

struct dispatch *dispatch_new(const struct dispatch_options *options)
{
	struct dispatch *d = NEW(struct dispatch);

	d->options = *options;
	d->open_at = USEC_NEVER;
	d->stable = stable_new(dispatch_on_stable, d);
	d->origins = origins_new();
	d->watchlist = watchlist_new(options->watchlist_window, &dispatch_watchlist_ops, d);
	hold_init(&d->hold, options->hold_max);
	early_init(&d->early);
	buf_init(&d->record, LIMIT_WIRE_RECORD);
	buf_init(&d->body, LIMIT_WIRE_RECORD - 1024); /* the record has other fields */
	return d;
}

/*
 * One whose end still waits in the hold may be back: its lane was lost before it had heard our
 * welcome. It has said nothing yet, so it never left.
 */
static struct peer *peer_of(struct dispatch *d, struct lane *lane)
{
	struct peer *peer = dispatch_peer(d, lane_number(lane));

	if (peer == NULL) {
		peer = NEW(struct peer);
		peer->number = lane_number(lane);
		HASH_ADD(hh, d->peers, number, sizeof(peer->number), peer);
	}
	peer->lane = lane;
	peer->synced = false;
	lane_set_data(lane, peer);
	return peer;
}

static void peer_free(struct dispatch *d, struct peer *peer)
{
	HASH_DELETE(hh, d->peers, peer);
	stable_gone(d->stable, &peer->acks);
	free(peer);
}

void dispatch_free(struct dispatch *d)
{
	if (d == NULL)
		return;
	d->parts = (struct dispatch_parts){0};
	for (struct peer *p = d->peers; p != NULL; p = p->hh.next)
		p->lane = NULL;
	while (d->peers != NULL)
		peer_free(d, d->peers);
	origins_free(d->origins);
	stable_free(d->stable);
	watchlist_free(d->watchlist);
	hold_done(&d->hold);
	early_done(&d->early);
	buf_done(&d->record);
	buf_done(&d->body);
	free(d);
}

void dispatch_stop(struct dispatch *d)
{
	if (d != NULL)
		d->stopped = true;
}

void dispatch_set_parts(struct dispatch *d, const struct dispatch_parts *parts)
{
	d->parts = *parts;
}

void dispatch_enter(struct dispatch *d)
{
	d->now.mono = loop_now(d->options.loop);
	d->now.wall = clock_wall();
	d->options.wake(d->options.ctx);
}

/* ---- sending ---- */

struct peer *dispatch_peer(const struct dispatch *d, uint32_t number)
{
	struct peer *peer;

	HASH_FIND(hh, d->peers, &number, sizeof(number), peer);
	return peer;
}

struct peer *dispatch_peer_of(const struct dispatch *d, uint64_t conn)
{
	struct registry_conn row;

	return registry_conn(d->parts.registry, conn, &row) ? dispatch_peer(d, row.worker) : NULL;
}

static void give_back(struct buf *b)
{
	size_t max = b->max;

	buf_clear(b);
	if (b->cap <= BUFFER_KEPT)
		return;
	buf_done(b);
	buf_init(b, max);
}

void dispatch_body_done(struct dispatch *d)
{
	give_back(&d->body);
}

void dispatch_send(struct dispatch *d, struct peer *peer, uint8_t kind, bool encoded)
{
	if (!encoded)
		log_err("record.too_large", "kind=%s", wire_kind_name(kind));
	else if (peer != NULL && peer->lane != NULL)
		server_send(d->parts.server, peer->lane, kind, buf_slice(&d->record));
	give_back(&d->record);
}

void dispatch_error(struct dispatch *d, struct peer *p, uint64_t conn, int64_t code,
		    struct slice message)
{
	struct wire_error m = {.conn = conn, .code = code, .message = message};

	dispatch_send(d, p, WIRE_ERROR, wire_encode_error(&d->record, &m));
}

/* ---- workers that come ---- */

static void tell_app(struct dispatch *d, struct peer *peer, uint32_t index)
{
	dispatch_send(d, peer, WIRE_APP, apps_encode(d->options.apps, index, &d->record));
}

static void on_worker_new(void *ctx, struct lane *lane)
{
	struct dispatch *d = ctx;
	const struct apps *apps = d->options.apps;
	const struct app *chat = apps_at(apps, apps_chat(apps));
	struct peer *peer = peer_of(d, lane);
	struct wire_worker_info m = {
		.number = peer->number,
		.apps = apps_live(apps),
		.chat_app = slice_str(chat != NULL ? chat->id : ""),
	};

	dispatch_enter(d);
	dispatch_send(d, peer, WIRE_WORKER_INFO, wire_encode_worker_info(&d->record, &m));
	for (uint32_t i = 0; i < apps_count(apps); i++) {
		if (apps_at(apps, i)->conf != NULL)
			tell_app(d, peer, i);
	}
}

static void on_worker_back(void *ctx, struct lane *lane)
{
	(void)ctx;
	(void)lane; /* nothing was lost; the server has logged it */
}

void dispatch_reload(struct dispatch *d, const struct dispatch_options *options)
{
	const struct apps *apps = options->apps;

	d->options = *options;
	watchlist_reload(d->watchlist, options->watchlist_window);
	dispatch_enter(d);
	for (struct peer *peer = d->peers; peer != NULL; peer = peer->hh.next) {
		for (uint32_t i = 0; i < apps_count(apps); i++)
			tell_app(d, peer, i);
	}
}

/* ---- the table ---- */

static void dispatch_sync_begin(struct dispatch *d, struct peer *p, const struct wire_sync_begin *m)
{
	(void)d;
	p->synced = false;
	log_info("worker.sync", "number=%u connections=%" PRIu64, p->number, m->conns);
}

static void dispatch_sync_end(struct dispatch *d, struct peer *p, const struct wire_sync_end *m)
{
	log_notice("worker.synced", "number=%u connections=%" PRIu64, p->number, m->conns);
	if (p->lane != NULL)
		server_synced(d->parts.server, p->lane);
	p->synced = true;
	if (!d->open)
		return;
	dispatch_all_members(d, p);
	chat_all_recalled(d->parts.chat, d->now.mono);
}

static void dispatch_worker_state(struct dispatch *d, struct peer *p,
				  const struct wire_worker_state *m)
{
	(void)d;
	p->state = *m;
}

#define TAKE(name) \
	static bool take_##name(struct dispatch *d, struct peer *p, struct slice body) \
	{ \
		struct wire_##name m; \
		if (!wire_decode_##name(body, &m)) \
			return false; \
		dispatch_##name(d, p, &m); \
		return true; \
	}

TAKE(conn_open)
TAKE(conn_close)
TAKE(subscribe)
TAKE(unsubscribe)
TAKE(signin)
TAKE(client_event)
TAKE(publish)
TAKE(query)
TAKE(terminate)
TAKE(authorize)
TAKE(chat_call)
TAKE(sync_begin)
TAKE(sync_end)
TAKE(note_again)
TAKE(conn_gone)
TAKE(worker_state)
TAKE(members_again)

static bool (*const table[])(struct dispatch *d, struct peer *p, struct slice body) = {
	[WIRE_CONN_OPEN] = take_conn_open,
	[WIRE_CONN_CLOSE] = take_conn_close,
	[WIRE_SUBSCRIBE] = take_subscribe,
	[WIRE_UNSUBSCRIBE] = take_unsubscribe,
	[WIRE_SIGNIN] = take_signin,
	[WIRE_CLIENT_EVENT] = take_client_event,
	[WIRE_PUBLISH] = take_publish,
	[WIRE_QUERY] = take_query,
	[WIRE_TERMINATE] = take_terminate,
	[WIRE_AUTHORIZE] = take_authorize,
	[WIRE_CHAT_CALL] = take_chat_call,
	[WIRE_SYNC_BEGIN] = take_sync_begin,
	[WIRE_SYNC_END] = take_sync_end,
	[WIRE_NOTE_AGAIN] = take_note_again,
	[WIRE_CONN_GONE] = take_conn_gone,
	[WIRE_WORKER_STATE] = take_worker_state,
	[WIRE_MEMBERS_AGAIN] = take_members_again,
};

static void handle(struct dispatch *d, struct peer *peer, uint8_t kind, struct slice body)
{
	d->counts.records++;
	if (kind < ARRAY_LEN(table) && table[kind] != NULL && table[kind](d, peer, body))
		return;
	d->counts.bad_records++;
	log_err("worker.bad_record", "number=%u kind=%u name=%s bytes=%zu", peer->number, kind,
		wire_kind_name(kind), body.n);
}

/* ---- before the workers are known ---- */

/* Says how things have long been, so it can be taken in any order and at once. */
static bool is_retelling(uint8_t kind, struct slice body)
{
	struct wire_subscribe subscribe;
	struct wire_signin signin;

	switch (kind) {
	case WIRE_SYNC_BEGIN:
	case WIRE_SYNC_END:
	case WIRE_CONN_OPEN:
	case WIRE_NOTE_AGAIN:
	case WIRE_MEMBERS_AGAIN:
	case WIRE_WORKER_STATE:
		return true;
	case WIRE_SUBSCRIBE:
		return wire_decode_subscribe(body, &subscribe) &&
		       (subscribe.flags & WIRE_SUB_RESYNC) != 0;
	case WIRE_SIGNIN:
		return wire_decode_signin(body, &signin) && signin.resync != 0;
	default:
		return false;
	}
}

static void end_worker(struct dispatch *d, struct peer *peer)
{
	dispatch_worker_gone(d, peer);
	peer_free(d, peer);
}

static void open_now(struct dispatch *d, const char *why)
{
	struct slice body;
	uint32_t number;
	uint8_t kind;

	d->open = true;
	d->open_at = USEC_NEVER;
	log_notice("broker.open", "workers=%zu connections=%u reason=%s",
		   server_count(d->parts.server),
		   registry_connections(d->parts.registry, UINT32_MAX), why);
	watchlist_settle(d->watchlist);
	registry_recalled(d->parts.registry, d->now);
	dispatch_all_members(d, NULL);
	while (hold_next(&d->hold, &number, &kind, &body)) {
		struct peer *peer = dispatch_peer(d, number);

		if (peer == NULL || (kind == HOLD_GONE && peer->lane != NULL))
			continue;
		if (kind == HOLD_GONE)
			end_worker(d, peer);
		else
			handle(d, peer, kind, body);
	}
	hold_done(&d->hold);
	store_events_allow(d->parts.store, true);
	chat_all_recalled(d->parts.chat, d->now.mono);
}

static void open_if_known(struct dispatch *d)
{
	if (!d->open && server_expected(d->parts.server) == 0)
		open_now(d, "all_known");
}

/* True: it waits. Without room for it, nothing waits any longer. */
static bool hold(struct dispatch *d, const struct peer *peer, uint8_t kind, struct slice body)
{
	if (d->open)
		return false;
	if (hold_add(&d->hold, peer->number, kind, body))
		return true;
	open_now(d, "too_much_waits");
	return false;
}

void dispatch_start(struct dispatch *d)
{
	dispatch_enter(d);
	d->open_at = d->now.mono + d->options.resync_wait;
}

bool dispatch_is_open(const struct dispatch *d)
{
	return d->open;
}

/* ---- callbacks of the server ---- */

static void on_record(void *ctx, struct lane *lane, uint8_t kind, struct slice body)
{
	struct dispatch *d = ctx;
	struct peer *peer = lane_data(lane);

	if (d->stopped)
		return; /* it is not answered, so its worker asks the next broker */
	dispatch_enter(d);
	if (d->open || is_retelling(kind, body) || !hold(d, peer, kind, body))
		handle(d, peer, kind, body);
	if (kind == WIRE_SYNC_END)
		open_if_known(d);
}

static void on_acked(void *ctx, struct lane *lane, uint64_t mark)
{
	struct dispatch *d = ctx;
	struct peer *peer = lane_data(lane);

	if (!d->stopped)
		stable_acked(d->stable, &peer->acks, mark);
}

static void on_worker_gone(void *ctx, struct lane *lane, enum lane_end end)
{
	struct dispatch *d = ctx;
	struct peer *peer = lane_data(lane);

	(void)end; /* the server has logged it */
	if (d->stopped) {
		peer->lane = NULL;
		return;
	}
	dispatch_enter(d);
	peer->lane = NULL;
	stable_gone(d->stable, &peer->acks);
	if (!hold(d, peer, HOLD_GONE, SLICE_NONE))
		end_worker(d, peer);
	open_if_known(d);
}

const struct server_ops dispatch_server_ops = {
	.on_worker_new = on_worker_new,
	.on_worker_back = on_worker_back,
	.on_record = on_record,
	.on_acked = on_acked,
	.on_worker_gone = on_worker_gone,
};

/* ---- time ---- */

usec_t dispatch_deadline(const struct dispatch *d)
{
	usec_t registry;
	usec_t chat;
	usec_t watchlist;

	if (d->stopped)
		return USEC_NEVER;
	if (!d->open)
		return d->open_at;
	registry = registry_deadline(d->parts.registry);
	chat = chat_deadline(d->parts.chat);
	watchlist = watchlist_deadline(d->watchlist);
	return MIN(MIN(registry, chat), MIN(watchlist, early_deadline(&d->early)));
}

void dispatch_turn(struct dispatch *d)
{
	if (d->stopped)
		return;
	dispatch_enter(d);
	if (!d->open && d->now.mono >= d->open_at) {
		size_t missing = server_expected(d->parts.server);

		/* Without any there is nobody to miss: they have not been started yet. */
		if (missing > 0 && server_count(d->parts.server) > 0)
			log_warning("broker.workers_missing", "count=%zu", missing);
		open_now(d, "waited");
	}
	if (!d->open)
		return;
	registry_turn(d->parts.registry, d->now);
	chat_turn(d->parts.chat, d->now.mono);
	watchlist_turn(d->watchlist, d->now.mono);
	dispatch_early_turn(d);
}

/* ---- for operators ---- */

void dispatch_counts(const struct dispatch *d, struct dispatch_counts *ret)
{
	*ret = d->counts;
}

uint32_t dispatch_unstable(const struct dispatch *d)
{
	return stable_waiting(d->stable);
}

void dispatch_worker_said(const struct dispatch *d, uint32_t number, struct wire_worker_state *ret)
{
	const struct peer *p = dispatch_peer(d, number);

	*ret = p != NULL ? p->state : (struct wire_worker_state){0};
}

unsigned dispatch_order(struct dispatch *d, uint8_t what, uint32_t number)
{
	struct wire_order m = {.what = what};
	unsigned n = 0;

	dispatch_enter(d);
	for (struct peer *p = d->peers; p != NULL; p = p->hh.next) {
		if (p->lane == NULL || (number != 0 && p->number != number))
			continue;
		dispatch_send(d, p, WIRE_ORDER, wire_encode_order(&d->record, &m));
		n++;
	}
	return n;
}
