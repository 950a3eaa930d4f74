#include "worker/api/api.h"

#include <stdlib.h>

#include "common/base/limits.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "worker/api/answer.h"
#include "worker/api/api_internal.h"
#include "worker/api/broadcasting.h"
#include "worker/api/channels.h"
#include "worker/api/chat.h"
#include "worker/api/cors.h"
#include "worker/api/events.h"
#include "worker/api/files.h"
#include "worker/api/health.h"
#include "worker/api/signature.h"

/* A request that waits until the applications are known. */
struct held {
	STAILQ_ENTRY(held) link; /* oldest first */
	uint64_t session;
	usec_t deadline;
};

struct api {
	struct files *files;
	STAILQ_HEAD(, held) held;
	uint32_t held_count;
};

#define CHAT(route) (API_CHAT + WIRE_CHAT_##route)

static const struct http_route routes[] = {
	{HTTP_GET, API_HEALTH, SLICE_INIT("/up")},

	{HTTP_POST, API_EVENTS, SLICE_INIT("/apps/{}/events")},
	{HTTP_POST, API_BATCH_EVENTS, SLICE_INIT("/apps/{}/batch_events")},
	{HTTP_GET, API_CHANNELS, SLICE_INIT("/apps/{}/channels")},
	{HTTP_GET, API_CHANNEL, SLICE_INIT("/apps/{}/channels/{}")},
	{HTTP_GET, API_CHANNEL_USERS, SLICE_INIT("/apps/{}/channels/{}/users")},
	{HTTP_GET, API_CONNECTIONS, SLICE_INIT("/apps/{}/connections")},
	{HTTP_POST, API_TERMINATE, SLICE_INIT("/apps/{}/users/{*}")},

	{HTTP_POST, API_CHANNEL_AUTH, SLICE_INIT("/broadcasting/auth")},
	{HTTP_POST, API_USER_AUTH, SLICE_INIT("/broadcasting/user-auth")},

	{HTTP_GET, CHAT(CONNECTION_INFO), SLICE_INIT("/api/websocket/connection-info")},
	{HTTP_POST, CHAT(ONLINE_STATUS), SLICE_INIT("/api/websocket/online-status")},
	{HTTP_GET, CHAT(ACTIVE_CHATS), SLICE_INIT("/api/websocket/active-chats")},
	{HTTP_PATCH, CHAT(ME), SLICE_INIT("/api/websocket/me")},
	{HTTP_GET, CHAT(USERS_ONLINE), SLICE_INIT("/api/websocket/users/online")},
	{HTTP_POST, CHAT(CREATE), SLICE_INIT("/api/websocket/chats")},
	{HTTP_POST, CHAT(TYPING), SLICE_INIT("/api/websocket/chats/{}/typing")},
	{HTTP_GET, CHAT(HISTORY), SLICE_INIT("/api/websocket/chats/{}/messages")},
	{HTTP_POST, CHAT(SEND), SLICE_INIT("/api/websocket/chats/{}/messages")},
	{HTTP_GET, CHAT(RECEIPTS), SLICE_INIT("/api/websocket/chats/{}/receipts")},
	{HTTP_POST, CHAT(ADD_PARTICIPANT), SLICE_INIT("/api/websocket/chats/{}/participants")},
	{HTTP_DELETE, CHAT(REMOVE_PARTICIPANT),
	 SLICE_INIT("/api/websocket/chats/{}/participants/{}")},
	{HTTP_POST, CHAT(READ), SLICE_INIT("/api/websocket/messages/{}/read")},
	{HTTP_POST, CHAT(DELIVERED), SLICE_INIT("/api/websocket/messages/{}/delivered")},
	{HTTP_PATCH, CHAT(EDIT), SLICE_INIT("/api/websocket/messages/{}")},
	{HTTP_DELETE, CHAT(DELETE), SLICE_INIT("/api/websocket/messages/{}")},
};

/* ---- life ---- */

struct api *api_new(const struct conf *conf)
{
	struct api *a = NEW(struct api);

	STAILQ_INIT(&a->held);
	a->files = files_new(conf->worker.web_root);
	return a;
}

void api_free(struct api *a)
{
	struct held *it;

	if (a == NULL)
		return;
	while ((it = STAILQ_FIRST(&a->held)) != NULL) {
		STAILQ_REMOVE_HEAD(&a->held, link);
		free(it);
	}
	files_free(a->files);
	free(a);
}

/* ---- what the handlers share ---- */

bool api_is_chat(struct slice path)
{
	return slice_starts(path, SLICE("/api/")) || slice_starts(path, SLICE("/broadcasting/"));
}

static bool is_pusher(struct slice path)
{
	return slice_starts(path, SLICE("/apps/"));
}

bool api_ask(const struct api_call *c, struct api_question *q)
{
	struct worker_ask ask = {
		.req = q->req,
		.kind = q->kind,
		.body = buf_slice(&q->body),
		.session = session_id(c->s),
		.done = q->done,
		.ctx = q->ctx,
	};
	bool asked = q->encoded && worker_ask(c->w, &ask);

	buf_done(&q->body);
	if (!asked)
		answer_unavailable(c->w, session_id(c->s));
	return asked;
}

/* ---- the areas ---- */

/* The application in the path, and its signature. False: answered. */
static bool is_signed(struct api_call *c)
{
	struct signature_input in = {
		.method = c->r->method_name,
		.path = c->path,
		.query = c->r->query,
		.body = c->r->body,
		.now = clock_wall() / (wall_us_t)USEC_PER_SEC,
	};
	uint64_t id = session_id(c->s);
	struct buf why;
	bool good;

	c->app = apps_by_id(worker_apps(c->w), c->match.segments[0]);
	if (c->app == NULL) {
		answer_error(c->w, id, 404, SLICE("Unknown app_id"));
		return false;
	}
	if (!c->app->enabled) {
		answer_error(c->w, id, 403, SLICE("The application is disabled"));
		return false;
	}
	buf_init(&why, SIGNATURE_TEXT_MAX);
	good = signature_ok(c->app->signer, c->app->key, &in, &why);
	if (!good)
		answer_error(c->w, id, 401, buf_slice(&why));
	buf_done(&why);
	return good;
}

static void serve_pusher(struct api_call *c)
{
	if (!is_signed(c))
		return;
	switch ((enum api_endpoint)c->match.id) {
	case API_EVENTS:
		events_serve(c);
		break;
	case API_BATCH_EVENTS:
		events_serve_batch(c);
		break;
	case API_CHANNELS:
		channels_serve_list(c);
		break;
	case API_CHANNEL:
		channels_serve_one(c);
		break;
	case API_CHANNEL_USERS:
		channels_serve_users(c);
		break;
	case API_CONNECTIONS:
		channels_serve_connections(c);
		break;
	case API_TERMINATE:
		channels_serve_terminate(c);
		break;
	case API_HEALTH:
	case API_CHANNEL_AUTH:
	case API_USER_AUTH:
	case API_CHAT:
		die("no endpoint of /apps: %d", c->match.id);
	}
}

static void serve_chat(struct api_call *c)
{
	c->app = worker_chat_app(c->w);
	if (c->app == NULL || !c->app->enabled)
		answer_error(c->w, session_id(c->s), 403,
			     SLICE("The chat has no application that is enabled."));
	else if (c->match.id == API_CHANNEL_AUTH)
		broadcasting_serve_channel(c);
	else if (c->match.id == API_USER_AUTH)
		broadcasting_serve_user(c);
	else
		chat_serve(c);
}

static void refuse_method(const struct api_call *c)
{
	bool chat = api_is_chat(c->path);
	struct answer a = {
		.status = 405,
		.text = !chat,
		.body = chat ? SLICE("{\"message\":\"The method is not supported for this "
				     "route.\"}")
			     : SLICE("Method Not Allowed"),
		.allow = c->match.allow,
	};

	answer_send(c->w, session_id(c->s), &a);
}

/* Bodies are read as they come: nothing is unpacked. */
static bool is_packed(const struct http_request *r)
{
	struct slice encoding = http_header(r, SLICE("Content-Encoding"));

	return r->body.n > 0 && encoding.n > 0 && !slice_eq_nocase(encoding, SLICE("identity"));
}

static void dispatch(struct worker *w, struct session *s, const struct http_request *r)
{
	struct api_call c = {.w = w, .s = s, .r = r, .path = session_path(s)};
	bool chat = api_is_chat(c.path);

	if (is_packed(r)) {
		answer_error(w, session_id(s), 415, SLICE("A Content-Encoding is not supported"));
		return;
	}
	switch (http_route_find(routes, ARRAY_LEN(routes), r->method, c.path, &c.match)) {
	case HTTP_ROUTE_FOUND:
		if (c.match.id == API_HEALTH)
			health_serve(&c);
		else if (chat)
			serve_chat(&c);
		else
			serve_pusher(&c);
		break;
	case HTTP_ROUTE_NO_METHOD:
		c.app = worker_chat_app(w);
		if (chat && r->method == HTTP_OPTIONS)
			cors_preflight(&c, c.match.allow);
		else
			refuse_method(&c);
		break;
	case HTTP_ROUTE_NO_PATH:
		if (chat || is_pusher(c.path))
			answer_error(w, session_id(s), 404, SLICE_NONE);
		else
			files_serve(worker_api(w)->files, &c);
		break;
	}
}

/* ---- waiting for the applications ---- */

static bool needs_apps(struct slice path)
{
	return api_is_chat(path) || is_pusher(path);
}

static void hold(struct worker *w, struct session *s)
{
	struct api *a = worker_api(w);
	const struct conf_worker *conf = &worker_conf(w)->worker;
	struct held *it;

	if (a->held_count >= conf->pending_requests) {
		answer_unavailable(w, session_id(s));
		return;
	}
	it = NEW(struct held);
	it->session = session_id(s);
	it->deadline = worker_now(w) + conf->broker_wait;
	STAILQ_INSERT_TAIL(&a->held, it, link);
	a->held_count++;
}

/* The oldest one's session; NULL: it has gone. */
static struct session *take_held(struct worker *w)
{
	struct api *a = worker_api(w);
	struct held *it = STAILQ_FIRST(&a->held);
	struct session *s = session_find(w, it->session);

	STAILQ_REMOVE_HEAD(&a->held, link);
	a->held_count--;
	free(it);
	return s != NULL && session_request(s) != NULL ? s : NULL;
}

void api_release(struct worker *w)
{
	while (worker_is_welcomed(w) && !STAILQ_EMPTY(&worker_api(w)->held)) {
		struct session *s = take_held(w);

		if (s != NULL)
			dispatch(w, s, session_request(s));
	}
}

void api_turn(struct worker *w, usec_t now)
{
	const struct api *a = worker_api(w);

	while (!STAILQ_EMPTY(&a->held) && STAILQ_FIRST(&a->held)->deadline <= now) {
		struct session *s = take_held(w);

		if (s != NULL)
			answer_unavailable(w, session_id(s));
	}
}

void api_handle(struct worker *w, struct session *s, const struct http_request *r)
{
	if (needs_apps(session_path(s)) && !worker_is_welcomed(w))
		hold(w, s);
	else
		dispatch(w, s, r);
}
