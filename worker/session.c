#include "worker/session_internal.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "worker/worker_internal.h"

/* ---- states ---- */

static const char *const state_names[SESSION_STATES] = {
	[SESSION_NEW] = "new",	 [SESSION_HTTP] = "http", [SESSION_ANSWER] = "answer",
	[SESSION_HELD] = "held", [SESSION_OPEN] = "open", [SESSION_CLOSING] = "closing",
};

#define BIT(state) (1U << (state))

/* Which states may follow; README.md draws it. */
static const unsigned char follows[SESSION_STATES] = {
	[SESSION_NEW] = BIT(SESSION_HTTP),
	[SESSION_HTTP] = BIT(SESSION_ANSWER) | BIT(SESSION_HELD) | BIT(SESSION_CLOSING),
	[SESSION_ANSWER] = BIT(SESSION_HTTP) | BIT(SESSION_CLOSING),
	[SESSION_HELD] = BIT(SESSION_OPEN) | BIT(SESSION_CLOSING),
	[SESSION_OPEN] = BIT(SESSION_CLOSING),
};

void session_enter(struct session *s, enum session_state to)
{
	if ((follows[s->state] & BIT(to)) == 0)
		die("session %llu: %s -> %s", (unsigned long long)s->sub.conn,
		    state_names[s->state], state_names[to]);
	log_debug("session.state", "id=%llu from=%s to=%s", (unsigned long long)s->sub.conn,
		  state_names[s->state], state_names[to]);
	if (s->state == SESSION_HELD)
		TAILQ_REMOVE(&s->w->held, s->ws, list);
	if (s->state == SESSION_OPEN)
		TAILQ_REMOVE(&s->w->open, s->ws, list);
	s->state = (uint8_t)to;
	if (to == SESSION_HELD)
		TAILQ_INSERT_TAIL(&s->w->held, s->ws, list);
	if (to == SESSION_OPEN)
		TAILQ_INSERT_TAIL(&s->w->open, s->ws, list);
	if (to != SESSION_CLOSING)
		session_arm(s);
}

/* ---- deadlines ---- */

void session_arm(struct session *s)
{
	usec_t at = USEC_NEVER;

	if (s->state == SESSION_HTTP)
		at = session_http_deadline(s);
	else if (s->state == SESSION_HELD || s->state == SESSION_OPEN)
		at = session_ws_deadline(s);
	if (at == USEC_NEVER)
		wheel_cancel(&s->timer);
	else if (at != s->timer.deadline)
		wheel_arm(s->w->wheel, &s->timer, at);
}

void session_due(struct timer *t)
{
	struct session *s = CONTAINER_OF(t, struct session, timer);
	usec_t now = worker_now(s->w);

	if (s->state == SESSION_HTTP)
		session_http_due(s, now);
	else if (s->state == SESSION_HELD || s->state == SESSION_OPEN)
		session_ws_due(s, now);
	if (s->state != SESSION_CLOSING)
		session_arm(s);
}

/* ---- callbacks of the stream ---- */

static struct session *session_of(struct stream *stream)
{
	return CONTAINER_OF(stream, struct session, stream);
}

static size_t on_bytes(struct stream *stream, char *bytes, size_t n)
{
	struct session *s = session_of(stream);
	size_t used = 0;

	s->flags |= SESSION_IN_READ;
	if (s->state == SESSION_HTTP)
		used = session_http_bytes(s, bytes, n);
	/* What follows an upgrade are frames already. */
	if (s->state == SESSION_OPEN && used < n)
		used += session_ws_bytes(s, bytes + used, n - used);
	s->flags &= (uint16_t)~SESSION_IN_READ;
	return used;
}

static void on_drained(struct stream *stream)
{
	struct session *s = session_of(stream);

	s->flags &= (uint16_t)~SESSION_FRESH;
	session_http_drained(s);
}

/* Everything but the memory: the tables, the hub, the broker, the deadline. Once. */
static void leave(struct session *s)
{
	wheel_cancel(&s->timer);
	if (s->ws != NULL)
		session_ws_leave(s);
	session_table_remove(&s->w->sessions, s->sub.conn);
	session_enter(s, SESSION_CLOSING);
}

static void on_closed(struct stream *stream, enum stream_end end, int err)
{
	struct session *s = session_of(stream);
	struct worker *w = s->w;

	log_debug("session.end", "id=%llu how=%d error=%d", (unsigned long long)s->sub.conn,
		  (int)end, err);
	if (s->state != SESSION_CLOSING)
		leave(s);
	session_http_done(s);
	session_ws_done(s);
	if (session_has(s, SESSION_BY_ADDRESS))
		addresses_drop(w->addresses, session_address(s));
	w->sockets--;
	session_set_address(s, SLICE(""));
	free(s);
}

static const struct stream_handler handler = {
	.on_bytes = on_bytes,
	.on_closed = on_closed,
	.on_drained = on_drained,
};

/* ---- life ---- */

void session_accept(struct worker *w, int fd, const struct address *peer, bool overload)
{
	struct session *s = NEW(struct session);
	uint32_t most_of_one = w->conf->worker.max_connections_per_address;
	char text[ADDRESS_TEXT];

	s->w = w;
	/* Apart from the numbers of socket ids, which stay below 2^53. */
	s->sub.conn = (1ULL << 63) | ++w->id_counter;
	address_host(peer, text);
	session_set_address(s, slice_str(text));
	if (proxies_trust(w->proxies, slice_str(text)))
		s->flags |= SESSION_PROXIED;
	else if (most_of_one != 0 && addresses_take(w->addresses, slice_str(text), most_of_one))
		s->flags |= SESSION_BY_ADDRESS;
	else if (most_of_one != 0)
		overload = true;
	if (overload)
		s->flags |= SESSION_OVERLOAD;
	w->sockets++;
	w->counts.accepted++;
	session_table_put(&w->sessions, &s->sub.conn);
	session_http_start(s, worker_now(w));
	stream_open(&s->stream, w->streams, fd, &stream_plain, NULL, &handler);
	session_enter(s, SESSION_HTTP);
}

void session_set_address(struct session *s, struct slice address)
{
	char *old = session_has(s, SESSION_LONG_ADDRESS) ? s->address.large : NULL;

	if (address.n < SESSION_SMALL_ADDRESS) {
		char text[SESSION_SMALL_ADDRESS] = {0};

		memcpy(text, address.p, address.n);
		memcpy(s->address.small, text, sizeof(text));
		s->flags &= (uint16_t)~SESSION_LONG_ADDRESS;
	} else {
		s->address.large = slice_dup(address);
		s->flags |= SESSION_LONG_ADDRESS;
	}
	free(old); /* it may be what `address` points into */
}

void session_rename(struct session *s, uint64_t id)
{
	session_table_remove(&s->w->sessions, s->sub.conn);
	s->sub.conn = id;
	session_table_put(&s->w->sessions, &s->sub.conn);
}

void session_finish(struct session *s)
{
	if (s->state == SESSION_CLOSING)
		return;
	leave(s);
	stream_close(&s->stream);
}

void session_abort(struct session *s)
{
	if (s->state != SESSION_CLOSING)
		leave(s);
	stream_abort(&s->stream);
}

/* Its queue is full: what has not begun to go out is dropped, so that the close frame fits. */
static void too_slow(struct session *s)
{
	s->w->counts.slow++;
	stream_cut(&s->stream);
	if (s->state == SESSION_OPEN)
		session_ws_end(s, PUSHER_END_SLOW);
	else
		session_abort(s);
}

void session_push(struct session *s, struct frame *f)
{
	if (s->state != SESSION_CLOSING && !stream_send(&s->stream, f))
		too_slow(s);
}

void session_deliver(void *ctx, struct subscriber *who, struct frame *f, bool droppable)
{
	struct session *s = CONTAINER_OF(who, struct session, sub);

	(void)ctx;
	/* Half a queue is enough for what may be lost. */
	if (droppable && stream_waiting(&s->stream) > s->w->conf->limits.max_output / 2)
		s->w->counts.dropped++;
	else
		session_push(s, f);
}

void session_drain(struct session *s)
{
	switch ((enum session_state)s->state) {
	case SESSION_HELD:
	case SESSION_OPEN:
		session_ws_end(s, PUSHER_END_DRAIN);
		break;
	case SESSION_HTTP:
		/* A request that has begun is still served, with its answer as the last. */
		s->flags |= SESSION_CLOSE_AFTER;
		if (!http_has_begun(s->http->parser))
			session_finish(s);
		break;
	case SESSION_ANSWER:
		s->flags |= SESSION_CLOSE_AFTER;
		break;
	case SESSION_NEW:
	case SESSION_CLOSING:
	case SESSION_STATES:
		break;
	}
}

/* ---- what others may know ---- */

uint64_t session_id(const struct session *s)
{
	return s->sub.conn;
}

static struct session *of_id(uint64_t *id)
{
	return id != NULL ? CONTAINER_OF(id, struct session, sub.conn) : NULL;
}

struct session *session_next(struct worker *w, size_t *at)
{
	return of_id(session_table_next(&w->sessions, at));
}

struct session *session_find(struct worker *w, uint64_t id)
{
	return of_id(session_table_get(&w->sessions, id));
}

struct slice session_address(const struct session *s)
{
	return slice_str(session_has(s, SESSION_LONG_ADDRESS) ? s->address.large
							      : s->address.small);
}

bool session_is_secure(const struct session *s)
{
	return session_has(s, SESSION_SECURE);
}
