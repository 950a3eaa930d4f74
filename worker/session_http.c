#include <stdlib.h>

#include "common/base/mem.h"
#include "worker/http/param.h"
#include "worker/session_internal.h"
#include "worker/worker_internal.h"
#include "worker/ws/handshake.h"

#define APP_PATH SLICE("/app/")
/* Bytes of answers that may wait to be read when another request is served. */
#define ANSWERS_WAITING_MAX (64U << 10)

void session_http_start(struct session *s, usec_t now)
{
	s->http = NEW(struct session_http);
	s->http->parser = http_parser_new(s->w->conf->limits.max_body);
	s->http->since = now;
}

void session_http_done(struct session *s)
{
	if (s->http == NULL)
		return;
	http_parser_free(s->http->parser);
	free(s->http->peer);
	free(s->http);
	s->http = NULL;
}

/* ---- deadlines: a total for the head, one for the body, one for idling between requests ---- */

static bool is_idle(const struct session *s)
{
	return !http_has_begun(s->http->parser);
}

usec_t session_http_deadline(const struct session *s)
{
	const struct conf_worker *conf = &s->w->conf->worker;
	bool first = !session_has(s, SESSION_SERVED);

	if (is_idle(s) && !first)
		return s->http->since + conf->keepalive_timeout;
	if (!http_has_head(s->http->parser))
		return s->http->since + conf->head_timeout;
	return s->http->since + conf->body_timeout;
}

static void answer_error(struct session *s, unsigned status, const char *text)
{
	struct frame *f = http_text_frame(status, slice_str(text), false);

	session_push(s, f);
	frame_unref(f);
	session_finish(s);
}

void session_http_due(struct session *s, usec_t now)
{
	if (now < session_http_deadline(s))
		return;
	if (is_idle(s))
		session_finish(s);
	else
		answer_error(s, 408, "The request took too long");
}

/* ---- what a proxy tells about its client ---- */

static void believe_proxy(struct session *s, const struct http_request *r)
{
	struct slice last = SLICE("");
	struct slice line;
	struct slice client;
	unsigned at = 0;

	if (!session_has(s, SESSION_PROXIED))
		return;
	if (s->http->peer == NULL)
		s->http->peer = slice_dup(session_address(s));
	/* Each proxy appends: the last line has the last word. */
	while (http_header_next(r, SLICE("X-Forwarded-For"), &at, &line))
		last = line;
	client = proxies_client(s->w->proxies, last);
	session_set_address(s, client.n > 0 ? client : slice_str(s->http->peer));
	if (slice_eq_nocase(http_header(r, SLICE("X-Forwarded-Proto")), SLICE("https")))
		s->flags |= SESSION_SECURE;
	else
		s->flags &= (uint16_t)~SESSION_SECURE;
}

/* ---- serving ---- */

static struct slice without_prefix(const struct session *s, struct slice path)
{
	struct slice prefix = slice_str(s->w->conf->worker.path_prefix);
	struct slice rest = slice_skip(path, prefix.n);

	if (prefix.n > 0 && slice_starts(path, prefix) && rest.n > 0 && rest.p[0] == '/')
		return rest;
	return path;
}

/* "/app/KEY", nothing behind it. */
static bool app_key(struct slice path, struct slice *ret_key)
{
	if (!slice_starts(path, APP_PATH))
		return false;
	*ret_key = slice_skip(path, APP_PATH.n);
	return ret_key->n > 0 && memchr(ret_key->p, '/', ret_key->n) == NULL;
}

static void upgrade(struct session *s, const struct http_request *r, struct slice key)
{
	struct fault fault = {0};
	struct frame *f;

	if (!ws_handshake_check(r, &fault)) {
		f = ws_refusal_frame(&fault);
		session_push(s, f);
		frame_unref(f);
		session_finish(s);
		return;
	}
	f = ws_accept_frame(r);
	session_push(s, f);
	frame_unref(f);
	if (s->state != SESSION_HTTP)
		return; /* could not even take that */
	session_ws_start(s, r, key);
	session_http_done(s);
}

/* Ready for the next request, or the end. */
static void next_request(struct session *s)
{
	if (session_has(s, SESSION_CLOSE_AFTER)) {
		session_finish(s);
		return;
	}
	http_parser_reset(s->http->parser);
	s->http->answered = false;
	s->http->since = worker_now(s->w);
	s->flags |= SESSION_SERVED;
	session_enter(s, SESSION_HTTP);
}

static void serve(struct session *s)
{
	const struct http_request *r = http_parser_request(s->http->parser);
	struct slice key = SLICE_NONE;

	believe_proxy(s, r);
	s->http->path = without_prefix(s, r->path);
	bool is_app = app_key(s->http->path, &key);

	if (ws_is_upgrade(r) || (is_app && r->method == HTTP_GET)) {
		upgrade(s, r, is_app ? key : SLICE_NONE);
		return;
	}
	session_enter(s, SESSION_ANSWER);
	if (session_has(s, SESSION_OVERLOAD)) {
		struct http_line line = {SLICE_INIT("Retry-After"), SLICE_INIT("1")};
		struct http_response busy = {.status = 503, .lines = &line, .line_count = 1};

		session_respond(s->w, s->sub.conn, &busy);
	} else {
		s->w->serve(s->w, s, r);
	}
	if (s->state == SESSION_ANSWER && s->http->answered)
		next_request(s);
	else if (s->state == SESSION_ANSWER)
		stream_pause(&s->stream);
}

void session_respond(struct worker *w, uint64_t id, const struct http_response *r)
{
	struct session *s = session_find(w, id);
	struct http_response answer = *r;
	const struct http_request *req;
	struct frame *f;

	if (s == NULL || s->state != SESSION_ANSWER || s->http->answered)
		return;
	req = http_parser_request(s->http->parser);
	answer.head_only = req->method == HTTP_HEAD;
	answer.keep_alive = r->keep_alive && req->keep_alive &&
			    !session_has(s, SESSION_CLOSE_AFTER) && !w->draining &&
			    w->conf->worker.keepalive_timeout > 0;
	if (!answer.keep_alive)
		s->flags |= SESSION_CLOSE_AFTER;
	s->http->answered = true;
	f = http_response_frame(&answer);
	session_push(s, f);
	frame_unref(f);
	/* Within the handler's call serve() goes on, when the request is no longer in use. */
	if (s->state != SESSION_ANSWER || session_has(s, SESSION_IN_READ))
		return;
	next_request(s);
	stream_resume(&s->stream);
}

/* Requests of a client that does not read its answers wait in the socket. */
static bool must_wait(struct session *s)
{
	if (stream_waiting(&s->stream) <= ANSWERS_WAITING_MAX)
		return false;
	s->flags |= SESSION_PAUSED;
	stream_pause(&s->stream);
	stream_want_drained(&s->stream);
	return true;
}

void session_http_drained(struct session *s)
{
	if (s->state != SESSION_HTTP || !session_has(s, SESSION_PAUSED))
		return;
	s->flags &= (uint16_t)~SESSION_PAUSED;
	stream_resume(&s->stream);
}

size_t session_http_bytes(struct session *s, char *bytes, size_t n)
{
	struct http_parser *p = s->http->parser;
	size_t used = 0;

	while (used < n && s->state == SESSION_HTTP && !must_wait(s)) {
		struct fault fault = {0};
		bool begun = http_has_begun(p);
		bool head = http_has_head(p);
		size_t took = 0;
		enum parse result = http_parse(p, slice_of(bytes + used, n - used), &took, &fault);

		used += took;
		if (result == PARSE_DONE) {
			serve(s);
			if (s->http == NULL)
				break; /* upgraded */
			continue;
		}
		if (result == PARSE_BAD) {
			answer_error(s, fault.http_status, fault.text);
			return n;
		}
		if (http_has_begun(p) != begun || http_has_head(p) != head)
			s->http->since = worker_now(s->w);
		if (http_take_continue(p)) {
			struct frame *f = frame_copy(HTTP_CONTINUE);

			session_push(s, f);
			frame_unref(f);
		}
		if (s->state == SESSION_HTTP)
			session_arm(s);
		break;
	}
	return used;
}

const struct http_request *session_request(const struct session *s)
{
	return s->state == SESSION_ANSWER ? http_parser_request(s->http->parser) : NULL;
}

struct slice session_path(const struct session *s)
{
	return s->http != NULL ? s->http->path : SLICE_NONE;
}
