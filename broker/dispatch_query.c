/* Questions of the HTTP API: bodies as in sections 16.3 to 16.9 of the protocol. */
#include "broker/dispatch_internal.h"

#include <inttypes.h>
#include <stdlib.h>

#include "broker/channel_kind.h"
#include "broker/registry/history.h"
#include "broker/registry/presence.h"
#include "common/base/mem.h"

#define TEXT_TERMINATED "You got disconnected by the app."

static void reply(struct dispatch *d, struct peer *p, uint64_t req, uint16_t status,
		  struct slice body)
{
	struct wire_reply m = {.req = req, .status = status, .body = body};

	dispatch_send(d, p, WIRE_REPLY, wire_encode_reply(&d->record, &m));
}

/* ---- what can be said of a channel ---- */

/* Members of an object that is open; *first says whether the next one needs no comma. */
static void put_name(struct buf *b, const char *name, bool *first)
{
	if (!*first)
		(void)buf_addc(b, ',');
	*first = false;
	(void)buf_printf(b, "\"%s\":", name);
}

static void put_cache(struct dispatch *d, uint32_t app, struct slice channel)
{
	struct history_event event;

	if (!history_get(d->parts.history, d->now.mono, app, channel, &event)) {
		(void)buf_add(&d->body, SLICE("null"));
		return;
	}
	(void)buf_add(&d->body, SLICE("{\"data\":"));
	(void)buf_json_str(&d->body, event.data);
	/* Rounded up: what is still there has some time left. */
	(void)buf_printf(
		&d->body, ",\"ttl\":%" PRIu64 "}",
		(uint64_t)((event.expires - d->now.mono + USEC_PER_SEC - 1) / USEC_PER_SEC));
}

/* Attributes that do not apply to the channel are left out. */
static void put_info(struct dispatch *d, uint32_t app, const struct registry_channel *c,
		     uint8_t info, bool *first)
{
	if ((info & WIRE_INFO_USER_COUNT) != 0 && channel_is_presence(c->name)) {
		put_name(&d->body, "user_count", first);
		(void)buf_u64(&d->body, c->members);
	}
	if ((info & WIRE_INFO_SUBSCRIPTION_COUNT) != 0) {
		put_name(&d->body, "subscription_count", first);
		(void)buf_u64(&d->body, c->subscriptions);
	}
	if ((info & WIRE_INFO_CACHE) != 0 && channel_is_cache(c->name)) {
		put_name(&d->body, "cache", first);
		put_cache(d, app, c->name);
	}
}

/* One entry of "channels": the name and an object of what was asked. */
static void put_channel(struct dispatch *d, uint32_t app, const struct registry_channel *c,
			uint8_t info, bool *first)
{
	bool inner = true;

	if (!*first)
		(void)buf_addc(&d->body, ',');
	*first = false;
	(void)buf_json_str(&d->body, c->name);
	(void)buf_add(&d->body, SLICE(":{"));
	put_info(d, app, c, info, &inner);
	(void)buf_addc(&d->body, '}');
}

/* Also of a channel that is not there: all zero. */
static bool look(const struct dispatch *d, uint32_t app, struct slice name,
		 struct registry_channel *ret)
{
	bool occupied =
		registry_channel(d->parts.registry, app, name, ret) && ret->subscriptions > 0;

	ret->name = name;
	return occupied;
}

void dispatch_publish_body(struct dispatch *d, uint32_t app, struct slice channels, uint8_t info)
{
	struct registry_channel c;
	struct slice name;
	bool first = true;

	buf_clear(&d->body);
	if (info == 0) {
		(void)buf_add(&d->body, SLICE("{}"));
		return;
	}
	(void)buf_add(&d->body, SLICE("{\"channels\":{"));
	while (wire_list_next(&channels, &name)) {
		c = (struct registry_channel){0};
		(void)look(d, app, name, &c); /* zero counts are reported */
		put_channel(d, app, &c, info, &first);
	}
	(void)buf_add(&d->body, SLICE("}}"));
}

/* ---- queries ---- */

struct listing {
	struct dispatch *d;
	uint32_t app;
	uint8_t info;
	bool first;
};

static void list_channel(void *ctx, const struct registry_channel *c)
{
	struct listing *l = ctx;

	if (channel_is_listed(c->name))
		put_channel(l->d, l->app, c, l->info, &l->first);
}

static void body_channels(struct dispatch *d, const struct wire_query *m)
{
	struct listing l = {.d = d, .app = m->app, .info = m->info, .first = true};

	(void)buf_add(&d->body, SLICE("{\"channels\":{"));
	registry_channels(d->parts.registry, m->app, m->prefix, list_channel, &l);
	(void)buf_add(&d->body, SLICE("}}"));
}

static void body_channel(struct dispatch *d, const struct wire_query *m)
{
	struct registry_channel c = {0};
	bool first = false; /* "occupied" stands before all others */

	(void)buf_add(&d->body, look(d, m->app, m->channel, &c) ? SLICE("{\"occupied\":true")
								: SLICE("{\"occupied\":false"));
	put_info(d, m->app, &c, m->info, &first);
	(void)buf_addc(&d->body, '}');
}

static void list_member(void *ctx, struct slice user_id, struct slice user_info)
{
	struct listing *l = ctx;
	struct buf *b = &l->d->body;

	if (!l->first)
		(void)buf_addc(b, ',');
	l->first = false;
	(void)buf_add(b, SLICE("{\"id\":"));
	(void)buf_json_str(b, user_id);
	if ((l->info & WIRE_INFO_USER_INFO) != 0) {
		(void)buf_add(b, SLICE(",\"user_info\":"));
		(void)buf_add(b, user_info.n > 0 ? user_info : SLICE("null"));
	}
	(void)buf_addc(b, '}');
}

static void body_users(struct dispatch *d, const struct wire_query *m)
{
	struct listing l = {.d = d, .app = m->app, .info = m->info, .first = true};

	(void)buf_add(&d->body, SLICE("{\"users\":["));
	registry_members(d->parts.registry, m->app, m->channel, list_member, &l);
	(void)buf_add(&d->body, SLICE("]}"));
}

static void body_connections(struct dispatch *d, const struct wire_query *m)
{
	(void)buf_printf(&d->body, "{\"connections\":%u}",
			 registry_connections(d->parts.registry, m->app));
}

void dispatch_query(struct dispatch *d, struct peer *p, const struct wire_query *m)
{
	d->counts.queries++;
	if (dispatch_app(d, m->app) == NULL) {
		reply(d, p, m->req, 404, SLICE("Unknown app_id"));
		return;
	}
	buf_clear(&d->body);
	switch (m->what) {
	case WIRE_QUERY_CHANNELS:
		body_channels(d, m);
		break;
	case WIRE_QUERY_CHANNEL:
		body_channel(d, m);
		break;
	case WIRE_QUERY_USERS:
		body_users(d, m);
		break;
	case WIRE_QUERY_CONNECTIONS:
		body_connections(d, m);
		break;
	default:
		reply(d, p, m->req, 404, SLICE("Not found"));
		return;
	}
	if (buf_ok(&d->body))
		reply(d, p, m->req, 200, buf_slice(&d->body));
	else
		reply(d, p, m->req, 400,
		      SLICE("The answer is too large, ask for less with filter_by_prefix"));
	dispatch_body_done(d);
}

/* ---- terminate ---- */

struct termination {
	struct dispatch *d;
	struct slice user_id;
	uint16_t code;
	bool only_signed_in;
};

static void terminate(void *ctx, uint64_t conn, uint32_t worker)
{
	struct termination *t = ctx;
	struct wire_close m = {
		.conn = conn, .code = t->code, .reason = SLICE_INIT(TEXT_TERMINATED)};

	if (t->only_signed_in && !registry_is_signed_in(t->d->parts.registry, conn, t->user_id))
		return;
	dispatch_send(t->d, dispatch_peer(t->d, worker), WIRE_CLOSE,
		      wire_encode_close(&t->d->record, &m));
}

void dispatch_terminate(struct dispatch *d, struct peer *p, const struct wire_terminate *m)
{
	const struct conf_app *app = dispatch_app(d, m->app);
	struct termination t = {.d = d, .user_id = m->user_id};

	d->counts.queries++;
	if (app == NULL) {
		reply(d, p, m->req, 404, SLICE("Unknown app_id"));
		return;
	}
	t.code = (uint16_t)app->terminate_code;
	t.only_signed_in = !app->terminate_by_presence;
	registry_user_conns(d->parts.registry, m->app, m->user_id, app->terminate_by_presence,
			    terminate, &t);
	reply(d, p, m->req, 200, SLICE("{}"));
}
