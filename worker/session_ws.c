#include <stdlib.h>

#include "common/base/encode.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "common/crypto/random.h"
#include "common/wire/wire.h"
#include "worker/departed.h"
#include "worker/http/param.h"
#include "worker/pusher/encode.h"
#include "worker/session_internal.h"
#include "worker/worker_internal.h"

#define AGENT_MAX 64

/* ---- sending ---- */

void session_ws_out(struct session *s)
{
	struct worker *w = s->w;
	struct frame *f;

	if (!buf_ok(&w->out)) {
		/* Beyond all measure: without it the client would be wrong for ever. */
		log_err("message.too_large", "bytes=%zu", w->out.n);
		worker_out_done(w);
		session_ws_end(s, PUSHER_END_OVERLOAD);
		return;
	}
	f = ws_text_frame(buf_slice(&w->out));
	worker_out_done(w);
	session_push(s, f);
	frame_unref(f);
}

/* Ahead of what waits, but never of the opening. */
static void push_pong(struct session *s, struct frame *f)
{
	if (session_has(s, SESSION_FRESH) || !stream_send_urgent(&s->stream, f))
		session_push(s, f);
	frame_unref(f);
}

void session_ws_pong(struct session *s)
{
	pusher_encode_event(&s->w->out, pusher_event_name(PUSHER_EV_PONG), SLICE_NONE, SLICE("{}"),
			    SLICE_NONE);
	push_pong(s, ws_text_frame(buf_slice(&s->w->out)));
	buf_clear(&s->w->out);
}

struct slice session_socket_id(const struct session *s, char text[SOCKET_ID_TEXT])
{
	size_t n = decimal_encode(s->sub.conn, text);

	text[n++] = '.';
	n += decimal_encode(s->ws->nonce, text + n);
	text[n] = '\0';
	return slice_of(text, n);
}

/* ---- ending ---- */

/* Where there is no room for it, the end of the connection has to do. */
static void push_last(struct session *s, struct frame *f)
{
	if (!stream_send(&s->stream, f))
		log_debug("session.no_last_frame", "id=%llu", (unsigned long long)s->sub.conn);
	frame_unref(f);
}

void session_ws_close(struct session *s, uint16_t code, struct slice reason, bool with_error)
{
	struct frame *f;

	if (s->state == SESSION_CLOSING)
		return;
	/* Since version 6 the close frame says it all; before, and at connect, the event does. */
	if (with_error || (s->ws->protocol < 6 && code >= 4000)) {
		pusher_encode_error(&s->w->out, code, reason, SLICE_NONE);
		f = ws_text_frame(buf_slice(&s->w->out));
		buf_clear(&s->w->out);
		push_last(s, f);
	}
	f = ws_close_frame(code, reason);
	push_last(s, f);
	s->ws->close_code = code;
	session_finish(s);
}

void session_ws_end(struct session *s, enum pusher_error_id why)
{
	const struct pusher_error *e = pusher_error(why);

	session_ws_close(s, (uint16_t)e->code, e->text, s->state == SESSION_HELD);
}

static void hello_free(struct session_socket *ws)
{
	if (ws->hello == NULL)
		return;
	free(ws->hello->key);
	free(ws->hello->origin);
	free(ws->hello);
	ws->hello = NULL;
}

void session_ws_leave(struct session *s)
{
	struct worker *w = s->w;
	struct session_socket *ws = s->ws;
	char text[SOCKET_ID_TEXT];

	if (s->state == SESSION_OPEN)
		departed_closed(w, s);
	hub_unsubscribe_all(w->hub, &s->sub);
	session_pusher_done(s);
	if (s->state == SESSION_OPEN) {
		if (worker_may_log(w, &w->log_closed, "client.closed"))
			log_info("client.closed", "socket_id=%.*s code=%u seconds=%llu",
				 SLICE_ARG(session_socket_id(s, text)), ws->close_code,
				 (unsigned long long)((worker_now(w) - ws->opened) / USEC_PER_SEC));
		if (w->sync_at == ws)
			w->sync_at = TAILQ_NEXT(ws, list);
		w->websockets--;
		app_count(s->app, -1);
	}
	if (session_has(s, SESSION_TOLD)) {
		struct wire_conn_close m = {.conn = s->sub.conn, .code = ws->close_code};

		s->flags &= (uint16_t)~SESSION_TOLD;
		if (wire_encode_conn_close(&w->record, &m))
			worker_send_surely(w, WIRE_CONN_CLOSE);
	}
}

void session_ws_done(struct session *s)
{
	struct session_socket *ws = s->ws;

	if (ws == NULL)
		return;
	hello_free(ws);
	ws_reader_done(&ws->reader);
	session_notes_done(ws);
	texts_drop(&s->w->texts, ws->agent);
	free(ws->user);
	free(ws->signin);
	free(ws);
	s->ws = NULL;
}

/* ---- opening ---- */

/* "js 8.6.0" of ?client=js&version=8.6.0; what is not plain text is left out. */
static struct text *agent_of(struct worker *w, struct slice query)
{
	struct slice parts[2];
	char text[AGENT_MAX + 1];
	size_t n = 0;

	(void)http_param_find(query, SLICE("client"), &parts[0]);
	(void)http_param_find(query, SLICE("version"), &parts[1]);
	for (size_t p = 0; p < 2; p++) {
		if (p > 0 && n > 0 && parts[p].n > 0 && n < AGENT_MAX)
			text[n++] = ' ';
		for (size_t i = 0; i < parts[p].n && n < AGENT_MAX; i++) {
			if (parts[p].p[i] > ' ' && parts[p].p[i] < 0x7F)
				text[n++] = parts[p].p[i];
		}
	}
	return texts_take(&w->texts, slice_of(text, n));
}

static uint8_t protocol_of(struct slice query, bool *ret_bad)
{
	struct slice value;
	unsigned long long n = PUSHER_PROTOCOL_MAX;

	if (http_param_find(query, SLICE("protocol"), &value) > 0 && !slice_to_u64(value, &n))
		n = 0;
	*ret_bad = n < PUSHER_PROTOCOL_MIN || n > PUSHER_PROTOCOL_MAX;
	return *ret_bad ? PUSHER_PROTOCOL_MAX : (uint8_t)n;
}

/* Why it may not come in, in the order in which clients should learn it. False: it may. */
static bool refused(const struct session *s, const struct app *app, enum pusher_error_id *ret_why)
{
	const struct session_hello *hello = s->ws->hello;

	if (hello->key == NULL)
		*ret_why = PUSHER_END_NO_PATH;
	else if (app == NULL)
		*ret_why = PUSHER_END_NO_APP;
	else if (!app->enabled)
		*ret_why = PUSHER_END_APP_DISABLED;
	else if (hello->bad_version)
		*ret_why = PUSHER_END_VERSION;
	else if (!app_origin_ok(app, slice_str(hello->origin)))
		*ret_why = PUSHER_END_ORIGIN;
	else if (app->max_connections != 0 && app->connections >= app->max_connections)
		*ret_why = PUSHER_END_QUOTA;
	else if (session_has(s, SESSION_OVERLOAD))
		*ret_why = PUSHER_END_OVERLOAD;
	else if (s->w->draining)
		*ret_why = PUSHER_END_DRAIN;
	else
		return false;
	return true;
}

static void establish(struct session *s)
{
	struct worker *w = s->w;
	struct session_socket *ws = s->ws;
	uint64_t counter = ++w->conn_counter & ((1ULL << WIRE_CONN_BITS) - 1);
	char text[SOCKET_ID_TEXT];

	session_rename(s, ((uint64_t)w->number << WIRE_CONN_BITS) | counter);
	ws->nonce = random_below(1U << 31);
	ws->heard = ws->opened = worker_now(w);
	ws->opened_at = clock_wall();
	hello_free(ws);
	session_enter(s, SESSION_OPEN);
	app_count(s->app, 1);
	w->websockets++;

	if (worker_may_log(w, &w->log_connected, "client.connected"))
		log_info("client.connected", "socket_id=%.*s address=%.*s app=%.*s",
			 SLICE_ARG(session_socket_id(s, text)), SLICE_ARG(session_address(s)),
			 SLICE_ARG(s->app->id));
	pusher_encode_established(&w->out, session_socket_id(s, text),
				  (unsigned)(w->conf->worker.activity_timeout / USEC_PER_SEC));
	session_ws_out(s);
	/* Where others wait to be told of, it waits behind them. */
	if (s->state == SESSION_OPEN && w->broker != BROKER_AWAY && w->sync_at == NULL &&
	    !(worker_up(w) && session_tell_open(s)))
		w->sync_at = ws;
}

void session_ws_release(struct session *s)
{
	struct worker *w = s->w;
	const struct session_hello *hello = s->ws->hello;
	enum pusher_error_id why;

	if (hello->key != NULL)
		s->app = apps_by_key(w->apps, slice_str(hello->key));
	if (refused(s, s->app, &why)) {
		w->counts.refused++;
		session_ws_end(s, why);
		return;
	}
	establish(s);
	if (s->state == SESSION_OPEN && !session_has(s, SESSION_IN_READ))
		stream_resume(&s->stream);
}

void session_ws_start(struct session *s, const struct http_request *r, struct slice key)
{
	struct session_socket *ws = NEW(struct session_socket);
	struct session_hello *hello = NEW(struct session_hello);

	s->ws = ws;
	ws->s = s;
	ws->hello = hello;
	ws->opened = worker_now(s->w);
	ws->close_code = WS_CLOSE_NORMAL + 6; /* 1006: no close frame yet */
	STAILQ_INIT(&ws->notes);
	hello->key = key.p != NULL ? slice_dup(key) : NULL;
	hello->origin = slice_dup(http_header(r, SLICE("Origin")));
	ws->protocol = protocol_of(r->query, &hello->bad_version);
	ws->agent = agent_of(s->w, r->query);
	s->flags |= SESSION_FRESH;
	stream_want_drained(&s->stream);
	session_enter(s, SESSION_HELD);
	if (worker_is_welcomed(s->w) || key.p == NULL)
		session_ws_release(s);
	else
		stream_pause(&s->stream);
}

/* ---- deadlines ---- */

usec_t session_ws_deadline(const struct session *s)
{
	const struct conf_worker *conf = &s->w->conf->worker;
	const struct session_socket *ws = s->ws;
	usec_t at;

	if (s->state == SESSION_HELD)
		return ws->opened + conf->broker_wait;
	at = ws->pinged != 0 ? ws->pinged + conf->pong_timeout : ws->heard + conf->ping_interval;
	if (ws->waiting_since != 0)
		at = MIN(at, ws->waiting_since + conf->broker_wait);
	if (s->app->authorize_timeout != 0 && !session_has(s, SESSION_AUTHORISED))
		at = MIN(at, ws->opened + s->app->authorize_timeout * USEC_PER_SEC);
	return at;
}

static void send_ping(struct session *s, usec_t now)
{
	struct frame *f;

	s->ws->pinged = now;
	if (s->ws->protocol >= 5) {
		pusher_encode_event(&s->w->out, pusher_event_name(PUSHER_EV_PING), SLICE_NONE,
				    SLICE("{}"), SLICE_NONE);
		session_ws_out(s);
		return;
	}
	f = ws_frame_new(WS_OP_PING, SLICE(""));
	session_push(s, f);
	frame_unref(f);
}

void session_ws_due(struct session *s, usec_t now)
{
	const struct conf_worker *conf = &s->w->conf->worker;
	struct session_socket *ws = s->ws;

	if (s->state == SESSION_HELD) {
		if (now >= ws->opened + conf->broker_wait)
			session_ws_end(s, PUSHER_END_OVERLOAD);
		return;
	}
	if (s->app->authorize_timeout != 0 && !session_has(s, SESSION_AUTHORISED) &&
	    now >= ws->opened + s->app->authorize_timeout * USEC_PER_SEC) {
		session_ws_end(s, PUSHER_END_NOT_AUTHORIZED_IN_TIME);
		return;
	}
	if (ws->pinged != 0 && now >= ws->pinged + conf->pong_timeout) {
		s->w->counts.silent++;
		session_ws_end(s, PUSHER_END_NO_PONG);
		return;
	}
	if (ws->pinged == 0 && now >= ws->heard + conf->ping_interval)
		send_ping(s, now);
	if (s->state == SESSION_OPEN && ws->waiting_since != 0 &&
	    now >= ws->waiting_since + conf->broker_wait)
		session_pusher_give_up(s);
}

/* ---- reading ---- */

static void on_ping(struct session *s, struct slice payload)
{
	push_pong(s, ws_frame_new(WS_OP_PONG, payload));
}

static void on_close(struct session *s, uint16_t code)
{
	struct frame *f = ws_close_echo(code);

	push_last(s, f);
	s->ws->close_code = code;
	session_finish(s);
}

static void on_event(struct session *s, enum ws_event ev, const struct ws_message *m,
		     const struct fault *fault)
{
	switch (ev) {
	case WS_TEXT:
		session_pusher_message(s, m->payload);
		break;
	case WS_BINARY:
		if (utf8_valid(m->payload))
			session_pusher_message(s, m->payload);
		else
			session_ws_close(s, WS_CLOSE_UNSUPPORTED, SLICE("Binary is not supported"),
					 false);
		break;
	case WS_PING:
		on_ping(s, m->payload);
		break;
	case WS_CLOSE:
		on_close(s, m->code);
		break;
	case WS_FAULT:
		session_ws_close(s, fault->close_code, slice_str(fault->text), false);
		break;
	case WS_PONG:
	case WS_MORE:
		break;
	}
}

size_t session_ws_bytes(struct session *s, char *bytes, size_t n)
{
	size_t used = 0;

	while (s->state == SESSION_OPEN && !session_has(s, SESSION_PAUSED)) {
		struct ws_message m;
		struct fault fault = {0};
		size_t took = 0;
		enum ws_event ev = ws_read(&s->ws->reader, &s->w->ws_limits, bytes + used, n - used,
					   &took, &m, &fault);

		used += took;
		if (ev == WS_MORE)
			return used;
		s->ws->heard = worker_now(s->w);
		s->ws->pinged = 0;
		on_event(s, ev, &m, &fault);
	}
	return s->state == SESSION_OPEN ? used : n;
}
