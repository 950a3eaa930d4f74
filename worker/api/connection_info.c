#include "worker/api/connection_info.h"

#include "common/base/limits.h"
#include "common/json/scan.h"
#include "worker/api/answer.h"
#include "worker/session.h"

#define BODY_MAX 65536
#define PORT_WS 80
#define PORT_WSS 443

/* ---- where ---- */

/* "example.org:8080", "[::1]:8080"; *ret_port is 0 where there is none. */
static bool split_host(struct slice text, struct slice *ret_host, uint16_t *ret_port)
{
	const char *bracket = text.n > 0 ? memchr(text.p, ']', text.n) : NULL;
	size_t from = bracket != NULL ? (size_t)(bracket - text.p) : 0;
	const char *colon = text.n > from ? memchr(text.p + from, ':', text.n - from) : NULL;
	unsigned long long port = 0;

	*ret_host = text;
	if (colon != NULL) {
		size_t at = (size_t)(colon - text.p);

		*ret_host = slice_first(text, at);
		if (text.n > at + 1 &&
		    (!slice_to_u64(slice_skip(text, at + 1), &port) || port > UINT16_MAX))
			return false;
	}
	*ret_port = (uint16_t)port;
	return ret_host->n > 0;
}

static bool split_url(struct slice url, bool *ret_tls, struct slice *ret_host,
		      struct slice *ret_path)
{
	static const struct {
		struct slice text;
		bool tls;
	} schemes[] = {
		{SLICE_INIT("https://"), true},
		{SLICE_INIT("http://"), false},
		{SLICE_INIT("wss://"), true},
		{SLICE_INIT("ws://"), false},
	};

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		const char *slash;

		if (!slice_eq_nocase(slice_first(url, schemes[i].text.n), schemes[i].text))
			continue;
		*ret_tls = schemes[i].tls;
		*ret_host = slice_skip(url, schemes[i].text.n);
		slash = ret_host->n > 0 ? memchr(ret_host->p, '/', ret_host->n) : NULL;
		*ret_path = SLICE("");
		if (slash != NULL) {
			size_t at = (size_t)(slash - ret_host->p);

			*ret_path = slice_skip(*ret_host, at);
			*ret_host = slice_first(*ret_host, at);
		}
		while (slice_ends(*ret_path, SLICE("/")))
			*ret_path = slice_first(*ret_path, ret_path->n - 1);
		return true;
	}
	return false;
}

bool connection_place_read(struct slice url, struct slice host, bool secure, struct slice path,
			   struct connection_place *ret)
{
	uint16_t port;

	*ret = (struct connection_place){.tls = secure, .path = path};
	if (url.n > 0) {
		if (!split_url(url, &ret->tls, &host, &ret->path))
			return false;
		if (ret->path.n == 0)
			ret->path = path;
	}
	if (!split_host(host, &ret->host, &port))
		return false;
	ret->ws_port = port != 0 ? port : PORT_WS;
	ret->wss_port = port != 0 ? port : PORT_WSS;
	return true;
}

/* ---- the answer ---- */

/* The user's id as text: it is a number or a string, as the configuration says. */
static bool user_id_of(struct slice user, struct buf *scratch, struct slice *ret)
{
	struct json_field id = {.name = SLICE_INIT("id")};
	struct json_value root;

	if (!json_scan(user, &root) || !json_fields(&root, &id, 1, JSON_LAST_WINS))
		return false;
	json_scratch(scratch, user.n);
	if (json_is(&id.value, JSON_STRING))
		*ret = json_text(&id.value, scratch);
	else
		*ret = id.value.raw;
	return json_given(&id.value);
}

/* A JSON string of two texts. */
static void add_joined(struct buf *out, struct slice a, struct slice b)
{
	struct buf text;

	buf_init(&text, BODY_MAX);
	(void)buf_add(&text, a);
	(void)buf_add(&text, b);
	(void)buf_json_str(out, buf_slice(&text)); /* checked with the whole answer */
	buf_done(&text);
}

static void add_info(struct buf *out, const struct app *app, const struct connection_place *at,
		     struct slice user, struct slice user_id)
{
	(void)buf_add(out, SLICE("{\"broadcaster\":\"reverb\",\"key\":"));
	(void)buf_json_str(out, app->key);
	(void)buf_add(out, SLICE(",\"wsHost\":"));
	(void)buf_json_str(out, at->host);
	(void)buf_printf(out, ",\"wsPort\":%u,\"wssPort\":%u,\"wsPath\":", at->ws_port,
			 at->wss_port);
	(void)buf_json_str(out, at->path);
	(void)buf_printf(out, ",\"forceTLS\":%s", at->tls ? "true" : "false");
	(void)buf_add(out, SLICE(",\"enabledTransports\":[\"ws\",\"wss\"],\"authEndpoint\":"));
	add_joined(out, at->path, SLICE("/broadcasting/auth"));
	(void)buf_add(out, SLICE(",\"userAuthentication\":{\"endpoint\":"));
	add_joined(out, at->path, SLICE("/broadcasting/user-auth"));
	/* Echo puts the bearer token into these headers and fails where they are missing. */
	(void)buf_add(out, SLICE(",\"headers\":{}},\"user\":"));
	(void)buf_add(out, user);
	(void)buf_add(out, SLICE(",\"channels\":{\"user\":"));
	add_joined(out, SLICE("private-user."), user_id);
	(void)buf_add(out, SLICE(",\"presence\":\"presence-users\"}}"));
}

static bool place_of(struct worker *w, const struct session *s, struct connection_place *ret)
{
	const struct conf *conf = worker_conf(w);
	struct slice host = http_header(session_request(s), SLICE("Host"));

	/* HTTP/1.0 may do without. */
	return connection_place_read(slice_str(conf->chat.public_url),
				     host.n > 0 ? host : SLICE("localhost"), session_is_secure(s),
				     slice_str(conf->worker.path_prefix), ret);
}

void connection_info_on_reply(struct worker *w, uint64_t session, void *ctx,
			      const struct worker_answer *a)
{
	struct session *s = session_find(w, session);
	const struct app *app = worker_chat_app(w);
	struct connection_place at;
	struct slice user_id;
	struct buf scratch;
	struct buf out;

	(void)ctx;
	if (s == NULL || session_request(s) == NULL)
		return;
	if (a->status != 200) {
		answer_broker(w, session, a);
		return;
	}
	buf_init(&scratch, a->body.n + 1);
	buf_init(&out, BODY_MAX);
	if (app != NULL && place_of(w, s, &at) && user_id_of(a->body, &scratch, &user_id))
		add_info(&out, app, &at, a->body, user_id);
	if (out.n > 0 && buf_ok(&out))
		answer_json(w, session, buf_slice(&out));
	else
		answer_unavailable(w, session);
	buf_done(&scratch);
	buf_done(&out);
}
