/* What the registry says: records to workers, rows of the mirror, news for the chat. */
#include "broker/dispatch_internal.h"

#include "broker/registry/history.h"
#include "broker/registry/watchlist.h"

static struct mirror *mirror_of(const struct dispatch *d)
{
	return store_mirror(d->parts.store);
}

static struct slice app_id(const struct dispatch *d, uint32_t app)
{
	const struct app *a = apps_at(d->options.apps, app);

	return slice_str(a != NULL ? a->id : "");
}

/* ---- subscribers hear ---- */

static void subscribed(void *ctx, uint64_t conn, uint32_t worker, struct slice channel)
{
	struct dispatch *d = ctx;
	struct history_event last;
	struct wire_subscribed m = {.conn = conn, .channel = channel};

	if (d->joining.cache) {
		bool hit =
			history_get(d->parts.history, d->now.mono, d->joining.app, channel, &last);

		m.cache = hit ? WIRE_CACHE_HIT : WIRE_CACHE_MISS;
		m.cache_event = hit ? last.event : SLICE_NONE;
		m.cache_data = hit ? last.data : SLICE_NONE;
	}
	dispatch_send(d, dispatch_peer(d, worker), WIRE_SUBSCRIBED,
		      wire_encode_subscribed(&d->record, &m));
}

static void event(void *ctx, uint32_t app, struct slice channel, struct slice name,
		  struct slice data)
{
	struct dispatch *d = ctx;
	struct wire_event m = {.app = app, .channel = channel, .event = name, .data = data};

	d->counts.presence_events++;
	dispatch_event(d, &m, UNTRACKED);
}

/* The worker that had the connection, if it is still there. */
static void settled(void *ctx, uint64_t conn, struct slice channel)
{
	struct dispatch *d = ctx;
	struct wire_settled m = {.conn = conn, .channel = channel};

	dispatch_send(d, dispatch_peer(d, (uint32_t)(conn >> WIRE_CONN_BITS)), WIRE_SETTLED,
		      wire_encode_settled(&d->record, &m));
}

/* ---- users ---- */

static void left(void *ctx, uint32_t app, struct slice user_id, struct slice channel)
{
	struct dispatch *d = ctx;

	if (dispatch_is_chat_app(d, app))
		chat_left(d->parts.chat, d->now.mono, user_id, channel);
}

static void user_online(void *ctx, uint32_t app, struct slice user_id)
{
	struct dispatch *d = ctx;

	watchlist_changed(d->watchlist, d->now.mono, app, user_id, true);
	if (dispatch_is_chat_app(d, app))
		chat_user_online(d->parts.chat, d->now.mono, user_id);
}

static void user_offline(void *ctx, uint32_t app, struct slice user_id, wall_us_t last_seen)
{
	struct dispatch *d = ctx;

	watchlist_changed(d->watchlist, d->now.mono, app, user_id, false);
	mirror_last_seen(mirror_of(d), app_id(d, app), user_id, last_seen);
	if (dispatch_is_chat_app(d, app))
		chat_user_offline(d->parts.chat, d->now.mono, user_id, last_seen);
}

/* Written now and not after the grace: a broker that dies in between has said it. */
static void user_unconnected(void *ctx, uint32_t app, struct slice user_id, wall_us_t at)
{
	struct dispatch *d = ctx;

	mirror_last_seen(mirror_of(d), app_id(d, app), user_id, at);
	if (dispatch_is_chat_app(d, app))
		chat_user_unconnected(d->parts.chat, d->now.mono, user_id, at);
}

/* ---- rows of the mirror ---- */

static void conn_row(void *ctx, const struct registry_conn *row)
{
	struct dispatch *d = ctx;
	struct mirror_conn m = {
		.worker = row->worker,
		.conn = row->conn,
		.app = app_id(d, row->app),
		.socket_id = row->socket_id,
		.user_id = row->user_id,
		.address = row->address,
		.agent = row->agent,
		.connected_at = row->opened_at,
	};

	mirror_conn_put(mirror_of(d), &m);
}

static void conn_gone(void *ctx, uint32_t worker, uint64_t conn)
{
	mirror_conn_del(mirror_of(ctx), worker, conn);
}

static void sub_row(void *ctx, const struct registry_sub *row)
{
	struct dispatch *d = ctx;
	struct mirror_member m = {
		.worker = row->worker,
		.conn = row->conn,
		.channel = row->channel,
		.app = app_id(d, row->app),
		.user_id = row->user_id,
		.user_info = row->user_info,
		.joined_at = row->joined_at,
	};

	mirror_member_put(mirror_of(d), &m);
}

static void sub_gone(void *ctx, uint32_t worker, uint64_t conn, struct slice channel)
{
	mirror_member_del(mirror_of(ctx), worker, conn, channel);
}

static void user_row(void *ctx, const struct registry_user *row)
{
	struct dispatch *d = ctx;
	struct mirror_user m = {
		.app = app_id(d, row->app),
		.user_id = row->user_id,
		.connections = row->connections,
		.online_since = row->online_since,
		.changed_at = row->changed_at,
	};

	mirror_user_put(mirror_of(d), &m);
}

static void user_gone(void *ctx, uint32_t app, struct slice user_id)
{
	struct dispatch *d = ctx;

	mirror_user_del(mirror_of(d), app_id(d, app), user_id);
}

static void worker_gone(void *ctx, uint32_t worker)
{
	mirror_worker_gone(mirror_of(ctx), worker);
}

const struct registry_ops dispatch_registry_ops = {
	.subscribed = subscribed,
	.members = dispatch_members,
	.member = dispatch_member,
	.event = event,
	.settled = settled,
	.left = left,
	.user_online = user_online,
	.user_offline = user_offline,
	.user_unconnected = user_unconnected,
	.conn_row = conn_row,
	.conn_gone = conn_gone,
	.sub_row = sub_row,
	.sub_gone = sub_gone,
	.user_row = user_row,
	.user_gone = user_gone,
	.worker_gone = worker_gone,
};

/* The rows come through the ops above, into the store's only mirror. */
bool dispatch_walk(void *ctx, struct mirror *m, uint64_t *cursor, uint32_t most)
{
	struct dispatch *d = ctx;

	(void)m;
	return registry_walk(d->parts.registry, cursor, most);
}
