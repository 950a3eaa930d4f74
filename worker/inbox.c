#include "worker/inbox.h"

#include "common/base/limits.h"
#include "common/wire/wire.h"
#include "worker/departed.h"
#include "worker/link/seen.h"
#include "worker/members.h"
#include "worker/pusher/encode.h"
#include "worker/questions.h"
#include "worker/resync.h"
#include "worker/session_internal.h"
#include "worker/worker_internal.h"
#include "worker/ws/frame.h"

/* Texts of one application; more are not believed. */
#define LIST_MAX 64

/* The WebSocket of a record, if it is still there. */
static struct session *find_open(struct worker *w, uint64_t conn)
{
	struct session *s = session_find(w, conn);

	return s != NULL && s->state == SESSION_OPEN ? s : NULL;
}

static size_t list_of(struct slice list, struct slice items[LIST_MAX])
{
	size_t n = 0;

	while (n < LIST_MAX && wire_list_next(&list, &items[n]))
		n++;
	return n;
}

/* ---- who we are, which applications there are ---- */

static void apps_complete(struct worker *w)
{
	w->welcomed = true;
	worker_release_held(w);
	resync_begin(w);
}

static void on_worker_info(struct worker *w, const struct wire_worker_info *m)
{
	w->number = m->number;
	w->apps_wanted = m->apps;
	w->welcomed = false; /* until the applications are told */
	w->chat_app = NULL;
	apps_begin(w->apps);
	worker_set_chat_app(w, m->chat_app);
	if (m->apps == 0)
		apps_complete(w);
}

static void on_app(struct worker *w, const struct wire_app *m)
{
	struct slice secrets[LIST_MAX];
	struct slice origins[LIST_MAX];
	struct slice cors[LIST_MAX];
	struct app_spec spec = {
		.index = m->app,
		.id = m->id,
		.key = m->key,
		.secrets = secrets,
		.secret_count = list_of(m->secrets, secrets),
		.origins = origins,
		.origin_count = list_of(m->origins, origins),
		.cors_origins = cors,
		.cors_origin_count = list_of(m->cors_origins, cors),
		.enabled = m->enabled != 0,
		.subscription_count = m->subscription_count != 0,
		.watchlist = m->watchlist != 0,
		.client_events = m->client_events,
		.max_connections = m->max_connections,
		.client_event_rate = m->client_event_rate,
		.max_event_data = m->max_event_data,
		.max_client_event_data = m->max_client_event_data,
		.max_channel_name = m->max_channel_name,
		.authorize_timeout = m->authorize_timeout,
	};
	struct app *app = apps_put(w->apps, &spec);

	if (app == NULL)
		log_err("broker.bad_app", "index=%u", m->app);
	else
		log_info("app.known", "id=%.*s enabled=%d", SLICE_ARG(app->id), app->enabled);
	worker_find_chat_app(w);
	if (w->apps_wanted > 0 && --w->apps_wanted == 0)
		apps_complete(w);
}

/* ---- events ---- */

static void on_event(struct worker *w, const struct wire_event *m)
{
	struct app *app = apps_by_index(w->apps, m->app);
	struct channel *c;
	struct frame *f;

	w->counts.events++;
	if (m->number != 0 && !seen_add(w->seen, m->origin, m->number, m->channel)) {
		w->counts.repeated++;
		return;
	}
	c = app != NULL ? hub_find(w->hub, app, m->channel) : NULL;
	if (c == NULL || channel_count(c) == 0)
		return;
	if (m->outbox_id != 0)
		pusher_encode_outbox(&w->out, m->event, m->channel, m->data, m->outbox_id);
	else
		pusher_encode_event(&w->out, m->event, m->channel, m->data,
				    m->user_id.n > 0 ? m->user_id : SLICE_NONE);
	if (!buf_ok(&w->out)) {
		log_err("event.too_large", "bytes=%zu", m->data.n);
		worker_out_done(w);
		return;
	}
	f = ws_text_frame(buf_slice(&w->out));
	worker_out_done(w); /* receivers that are closed for their queue write there, too */
	(void)hub_deliver(w->hub, c, f, m->exclude, m->droppable != 0);
	frame_unref(f);
}

static void on_members(struct worker *w, const struct wire_members *m)
{
	members_list(w, m);
}

static void on_member(struct worker *w, const struct wire_member *m)
{
	w->counts.events++;
	members_change(w, m);
}

/* ---- one connection ---- */

static void on_subscribed(struct worker *w, const struct wire_subscribed *m)
{
	struct session *s = find_open(w, m->conn);

	if (s != NULL)
		session_on_subscribed(s, m);
}

static void on_refused(struct worker *w, const struct wire_refused *m)
{
	struct session *s = find_open(w, m->conn);

	if (s != NULL)
		session_on_refused(s, m);
}

static void on_to_conn(struct worker *w, const struct wire_to_conn *m)
{
	struct session *s = find_open(w, m->conn);

	if (s != NULL)
		session_on_to_conn(s, m);
}

static void on_error(struct worker *w, const struct wire_error *m)
{
	struct session *s = find_open(w, m->conn);

	if (s != NULL)
		session_on_error(s, m);
}

static void on_close(struct worker *w, const struct wire_close *m)
{
	struct session *s = find_open(w, m->conn);

	if (s != NULL)
		session_on_close(s, m->code, m->reason);
}

static void on_expel(struct worker *w, const struct wire_expel *m)
{
	struct session *s = find_open(w, m->conn);

	if (s != NULL)
		session_on_expel(s, m->channel);
}

static void on_signed_in(struct worker *w, const struct wire_signed_in *m)
{
	struct session *s = find_open(w, m->conn);

	if (s != NULL)
		session_on_signed_in(s, m->user_data);
}

static void on_note(struct worker *w, const struct wire_note *m)
{
	struct session *s = find_open(w, m->conn);

	if (s != NULL)
		session_on_note(s, m->key, m->value);
}

static void on_settled(struct worker *w, const struct wire_settled *m)
{
	departed_settled(w->departed, m->conn, m->channel);
}

static void on_order(struct worker *w, const struct wire_order *m)
{
	worker_order(w, m->what);
}

/* ---- questions and publishes ---- */

static void on_published(struct worker *w, const struct wire_published *m)
{
	questions_published(w, m);
}

static void on_stable(struct worker *w, const struct wire_stable *m)
{
	questions_stable(w, m->number);
}

static void on_reply(struct worker *w, const struct wire_reply *m)
{
	struct worker_answer a = {
		.status = m->status, .retry_after = m->retry_after, .body = m->body};

	questions_answered(w, m->req, &a);
}

static void on_authorized(struct worker *w, const struct wire_authorized *m)
{
	struct worker_answer a = {
		.status = m->status,
		.retry_after = m->retry_after,
		.body = m->body,
		.authorized = m->status == 200 ? m : NULL,
	};

	questions_answered(w, m->req, &a);
}

/* ---- the table ---- */

#define TAKE(name) \
	static bool take_##name(struct worker *w, struct slice body) \
	{ \
		struct wire_##name m; \
		if (!wire_decode_##name(body, &m)) \
			return false; \
		on_##name(w, &m); \
		return true; \
	}

TAKE(worker_info)
TAKE(app)
TAKE(event)
TAKE(subscribed)
TAKE(refused)
TAKE(to_conn)
TAKE(error)
TAKE(close)
TAKE(expel)
TAKE(signed_in)
TAKE(published)
TAKE(stable)
TAKE(reply)
TAKE(authorized)
TAKE(note)
TAKE(settled)
TAKE(order)
TAKE(members)
TAKE(member)

static bool (*const table[])(struct worker *w, struct slice body) = {
	[WIRE_WORKER_INFO] = take_worker_info,
	[WIRE_APP] = take_app,
	[WIRE_EVENT] = take_event,
	[WIRE_SUBSCRIBED] = take_subscribed,
	[WIRE_REFUSED] = take_refused,
	[WIRE_TO_CONN] = take_to_conn,
	[WIRE_ERROR] = take_error,
	[WIRE_CLOSE] = take_close,
	[WIRE_EXPEL] = take_expel,
	[WIRE_SIGNED_IN] = take_signed_in,
	[WIRE_PUBLISHED] = take_published,
	[WIRE_STABLE] = take_stable,
	[WIRE_REPLY] = take_reply,
	[WIRE_AUTHORIZED] = take_authorized,
	[WIRE_NOTE] = take_note,
	[WIRE_SETTLED] = take_settled,
	[WIRE_ORDER] = take_order,
	[WIRE_MEMBERS] = take_members,
	[WIRE_MEMBER] = take_member,
};

void inbox_record(struct worker *w, uint8_t kind, struct slice body)
{
	if (kind >= ARRAY_LEN(table) || table[kind] == NULL)
		log_err("broker.unknown_record", "kind=%u", kind);
	else if (!table[kind](w, body))
		log_err("broker.bad_record", "kind=%s bytes=%zu", wire_kind_name(kind), body.n);
}
