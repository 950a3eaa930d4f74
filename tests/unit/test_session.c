#include "worker/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/wire/wire.h"
#include "tests/unit/session_fakes.h"
#include "worker/resync.h"

#define APP "/app/key?protocol=7"

static int setup(void **state)
{
	(void)state;
	fakes_begin();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fakes_end();
	return 0;
}

static void subscribe(struct fake_client *c, const char *channel)
{
	char text[512];

	(void)snprintf(text, sizeof(text),
		       "{\"event\":\"pusher:subscribe\",\"data\":{\"auth\":\"%s\","
		       "\"channel\":\"%s\"}}",
		       fake_auth(channel, NULL), channel);
	fake_say(c, text);
}

/* Subscribed, and everything about it taken. */
static void join(struct fake_client *c, const char *channel)
{
	subscribe(c, channel);
	(void)fake_record(WIRE_SUBSCRIBE);
	fake_subscribed(c, channel);
	expect_part(c, "subscription_succeeded");
}

static struct sub *sub_of(const struct fake_client *c, const char *name)
{
	const struct session *s = fake_session(c);
	struct channel *ch = hub_find(fake_worker->hub, s->app, slice_str(name));

	return ch != NULL ? hub_sub(&s->sub, ch) : NULL;
}

static void event_to(const char *channel)
{
	struct channel *c = hub_find(fake_worker->hub, apps_by_key(fake_worker->apps, SLICE("key")),
				     slice_str(channel));
	struct frame *f = ws_text_frame(SLICE("event"));

	if (c != NULL)
		(void)hub_deliver(fake_worker->hub, c, f, 0, false);
	frame_unref(f);
}

/* ---- opening ---- */

static void test_refusals_come_inside_the_socket(void **state)
{
	static const struct {
		const char *path;
		const char *frame;
		unsigned code;
	} rows[] = {
		{"/app/none", "{\"code\":4001,", 4001},
		{"/other", "{\"code\":4005,", 4005},
		{"/app/key/x", "{\"code\":4005,", 4005},
		{"/app/key?protocol=3", "{\"code\":4007,", 4007},
		{"/app/key?protocol=8", "{\"code\":4007,", 4007},
		{"/app/key?protocol=abc", "{\"code\":4007,", 4007},
		{"/app/none?protocol=3", "{\"code\":4001,", 4001},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fake_client *c = fake_open(rows[i].path);

		expect_part(c, rows[i].frame);
		expect_close(c, rows[i].code);
	}
	expect_no_record();
}

static void test_handshakes_wait_for_the_apps(void **state)
{
	struct fake_client *c;

	(void)state;
	fake_worker->welcomed = false;
	c = fake_open(APP);
	expect_nothing(c);
	assert_true(c->paused);
	fake_worker->welcomed = true;
	session_ws_release(fake_session(c));
	expect_part(c, "connection_established");
	assert_false(c->paused);
	(void)fake_record(WIRE_CONN_OPEN);

	fake_worker->welcomed = false;
	c = fake_open(APP);
	fake_wait(fake_worker->conf->worker.broker_wait + USEC_PER_SEC);
	expect_part(c, "{\"code\":4100,");
	expect_close(c, 4100);
}

static void test_frames_behind_the_handshake(void **state)
{
	struct fake_client *c = fake_connect();
	static const char bytes[] = "GET /app/key HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
				    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
				    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
				    "\x81\x97\0\0\0\0{\"event\":\"pusher:ping\"}";

	(void)state;
	fake_bytes(c, slice_of(bytes, sizeof(bytes) - 1));
	char *end = memmem(c->out.p, c->out.n, "\r\n\r\n", 4);

	assert_non_null(end);
	buf_consume(&c->out, (size_t)(end + 4 - c->out.p));
	expect_part(c, "connection_established");
	expect_text(c, "{\"event\":\"pusher:pong\",\"data\":\"{}\"}");
}

/* ---- order ---- */

static void test_events_only_after_success(void **state)
{
	struct fake_client *c = fake_open(APP);

	(void)state;
	subscribe(c, "news");
	event_to("news");
	expect_nothing(c);
	fake_subscribed(c, "news");
	expect_text(c, "{\"event\":\"pusher_internal:subscription_succeeded\","
		       "\"channel\":\"news\",\"data\":\"{}\"}");
	event_to("news");
	expect_text(c, "event");
}

static void test_answers_keep_their_order(void **state)
{
	struct fake_client *c = fake_open(APP);

	(void)state;
	subscribe(c, "a");
	subscribe(c, "b");
	fake_say(c, "{\"event\":\"hello\"}");
	subscribe(c, "a b");
	fake_say(c, "{\"event\":\"pusher:ping\"}");
	subscribe(c, "c");
	(void)fake_record(WIRE_SUBSCRIBE);
	(void)fake_record(WIRE_SUBSCRIBE);
	expect_no_record(); /* c stands behind what waits */
	expect_part(c, "pusher:pong");
	expect_nothing(c);
	fake_subscribed(c, "a");
	expect_part(c, "\"channel\":\"a\"");
	expect_nothing(c);
	fake_subscribed(c, "b");
	expect_part(c, "\"channel\":\"b\"");
	expect_part(c, "Unsupported event received on socket: hello");
	expect_part(c, "InvalidChannel");
	expect_part(c, "Invalid channel name: a b");
	(void)fake_record(WIRE_SUBSCRIBE);
	expect_nothing(c);
}

static void test_unsubscribe_of_what_is_pending(void **state)
{
	struct fake_client *c = fake_open(APP);

	(void)state;
	subscribe(c, "a");
	fake_say(c, "{\"event\":\"pusher:unsubscribe\",\"data\":{\"channel\":\"a\"}}");
	subscribe(c, "a");
	(void)fake_record(WIRE_SUBSCRIBE);
	expect_no_record();
	fake_subscribed(c, "a");
	expect_part(c, "subscription_succeeded");
	(void)fake_record(WIRE_UNSUBSCRIBE);
	(void)fake_record(WIRE_SUBSCRIBE);
	event_to("a");
	expect_nothing(c);
}

static void test_signin_decides_what_follows(void **state)
{
	struct fake_client *c = fake_open(APP);
	const struct app *app = fake_session(c)->app;
	struct buf auth;
	char text[512];

	(void)state;
	buf_init(&auth, 256);
	assert_true(pusher_user_auth(app->signer, slice_str(fake_socket_id),
				     SLICE("{\"id\":\"7\"}"), &auth));
	(void)snprintf(text, sizeof(text),
		       "{\"event\":\"pusher:signin\",\"data\":{\"auth\":\"%s\","
		       "\"user_data\":\"{\\\"id\\\":\\\"7\\\"}\"}}",
		       buf_cstr(&auth));
	buf_done(&auth);
	fake_say(c, text);
	subscribe(c, "#server-to-user-7");
	subscribe(c, "#server-to-user-8");
	(void)fake_record(WIRE_SIGNIN);
	expect_no_record();
	session_on_signed_in(fake_session(c), SLICE("{\"id\":\"7\"}"));
	expect_part(c, "pusher:signin_success");
	(void)fake_record(WIRE_SUBSCRIBE);
	fake_subscribed(c, "#server-to-user-7");
	expect_part(c, "subscription_succeeded");
	expect_part(c, "AuthError");
	expect_part(c, "4009");
}

/* ---- subscriptions ---- */

static void test_bad_signature(void **state)
{
	struct fake_client *c = fake_open(APP);

	(void)state;
	fake_say(c, "{\"event\":\"pusher:subscribe\",\"data\":{\"auth\":null,"
		    "\"channel\":\"private-a\"}}");
	expect_text(c, "{\"event\":\"pusher:subscription_error\",\"channel\":\"private-a\","
		       "\"data\":\"{\\\"type\\\":\\\"AuthError\\\",\\\"error\\\":\\\"The "
		       "connection is unauthorized.\\\",\\\"status\\\":401}\"}");
	expect_text(c, "{\"event\":\"pusher:error\",\"data\":{\"code\":4009,"
		       "\"message\":\"Connection is unauthorized\"}}");
	join(c, "private-a");
}

static void test_subscribing_twice(void **state)
{
	struct fake_client *c = fake_open(APP);
	struct wire_subscribe m;

	(void)state;
	join(c, "private-a");
	subscribe(c, "private-a");
	assert_true(wire_decode_subscribe(fake_record(WIRE_SUBSCRIBE), &m));
	assert_int_equal(m.flags, WIRE_SUB_AGAIN | WIRE_SUB_AUTHORISED);
	event_to("private-a");
	expect_text(c, "event");
	fake_subscribed(c, "private-a");
	expect_part(c, "subscription_succeeded");
	fake_subscribed(c, "private-a"); /* nobody asked */
	expect_nothing(c);
}

static void test_most_subscriptions(void **state)
{
	struct fake_client *c = fake_open(APP);
	char name[16];

	(void)state;
	for (unsigned i = 0; i < fake_worker->conf->limits.max_subscriptions; i++) {
		(void)snprintf(name, sizeof(name), "c%u", i);
		join(c, name);
	}
	subscribe(c, "one-more");
	expect_part(c, "LimitReached");
	expect_part(c, "Too many subscriptions");
	fake_say(c, "{\"event\":\"pusher:unsubscribe\",\"data\":{\"channel\":\"c0\"}}");
	(void)fake_record(WIRE_UNSUBSCRIBE);
	join(c, "one-more");
}

static void test_refused_and_expelled(void **state)
{
	struct fake_client *c = fake_open(APP);
	struct wire_refused m = {
		.channel = SLICE_INIT("private-a"),
		.type = SLICE_INIT("AuthError"),
		.error = SLICE_INIT("No."),
		.status = 403,
		.code = 4009,
		.message = SLICE_INIT("No"),
	};

	(void)state;
	subscribe(c, "private-a");
	(void)fake_record(WIRE_SUBSCRIBE);
	session_on_refused(fake_session(c), &m);
	expect_part(c, "\\\"status\\\":403");
	expect_part(c, "{\"code\":4009,\"message\":\"No\"}");
	assert_null(sub_of(c, "private-a"));

	join(c, "private-b");
	session_on_expel(fake_session(c), SLICE("private-b"));
	expect_part(c, "\\\"status\\\":403");
	expect_part(c, "{\"code\":4009,");
	assert_null(sub_of(c, "private-b"));
	event_to("private-b");
	expect_nothing(c);
	session_on_expel(fake_session(c), SLICE("private-b"));
	expect_nothing(c);
}

/* ---- client events ---- */

static void test_client_events(void **state)
{
	struct fake_client *c = fake_open(APP);
	struct wire_client_event m;

	(void)state;
	join(c, "private-a");
	fake_say(c, "{\"event\":\"client-x\",\"channel\":\"private-a\",\"data\":{\"k\":1}}");
	assert_true(wire_decode_client_event(fake_record(WIRE_CLIENT_EVENT), &m));
	assert_true(slice_eq(m.data, SLICE("{\"k\":1}")));
	assert_int_equal(m.user_id.n, 0);
	fake_say(c, "{\"event\":\"client-x\",\"channel\":\"private-b\"}");
	expect_part(c, "4009,\"message\":\"The client is not a member");
	fake_say(c, "{\"event\":\"client-x\",\"channel\":\"news\"}");
	expect_part(c, "null,\"message\":\"Client event rejected");
	expect_no_record();
}

/* Refused ones count too: ten a second, whatever becomes of them. */
static void test_client_event_rate(void **state)
{
	struct fake_client *c = fake_open(APP);

	(void)state;
	join(c, "private-a");
	for (int i = 0; i < 10; i++) {
		fake_say(c, i % 2 ? "{\"event\":\"client-x\",\"channel\":\"private-a\"}"
				  : "{\"event\":\"client-x\",\"channel\":\"private-b\"}");
		if (i % 2)
			(void)fake_record(WIRE_CLIENT_EVENT);
		else
			expect_part(c, "not a member");
	}
	fake_say(c, "{\"event\":\"client-x\",\"channel\":\"private-a\"}");
	expect_part(c, "4301,\"message\":\"The rate limit");
	expect_no_record();
	fake_wait(USEC_PER_SEC / 10);
	fake_say(c, "{\"event\":\"client-x\",\"channel\":\"private-a\"}");
	(void)fake_record(WIRE_CLIENT_EVENT);
}

static void test_client_event_size(void **state)
{
	struct fake_client *c = fake_open(APP);
	static char text[10400];

	(void)state;
	join(c, "private-a");
	for (int n = 10240; n <= 10241; n++) {
		int head = snprintf(text, sizeof(text),
				    "{\"event\":\"client-x\",\"channel\":\"private-a\","
				    "\"data\":\"%0*d\"}",
				    n, 0);

		assert_in_range(head, n, (int)sizeof(text) - 1);
		fake_say(c, text);
		if (n == 10240)
			(void)fake_record(WIRE_CLIENT_EVENT);
		else
			expect_part(c, "less than 10 KB");
	}
}

/* ---- while the broker is away ---- */

static void test_commands_wait_for_the_broker(void **state)
{
	struct fake_client *c = fake_open(APP);

	(void)state;
	join(c, "a");
	fake_worker->broker = BROKER_AWAY;
	subscribe(c, "b");
	fake_say(c, "{\"event\":\"pusher:unsubscribe\",\"data\":{\"channel\":\"a\"}}");
	fake_say(c, "{\"event\":\"pusher:ping\"}");
	expect_part(c, "pusher:pong");
	expect_nothing(c);
	expect_no_record();

	resync_begin(fake_worker);
	assert_false(resync_step(fake_worker));
	(void)fake_record(WIRE_SYNC_BEGIN);
	(void)fake_record(WIRE_CONN_OPEN);
	(void)fake_record(WIRE_SUBSCRIBE); /* a still stands: its end waits behind b */
	(void)fake_record(WIRE_SYNC_END);
	(void)fake_record(WIRE_SUBSCRIBE);
	(void)fake_record(WIRE_UNSUBSCRIBE);
	expect_no_record();
	fake_subscribed(c, "b");
	expect_part(c, "\"channel\":\"b\"");
}

static void test_waiting_has_an_end(void **state)
{
	struct fake_client *c = fake_open(APP);

	(void)state;
	subscribe(c, "asked");
	(void)fake_record(WIRE_SUBSCRIBE);
	fake_worker->broker = BROKER_AWAY;
	subscribe(c, "waits");
	fake_say(c, "{\"event\":\"hello\"}");
	fake_wait(fake_worker->conf->worker.broker_wait / 2);
	expect_nothing(c);
	fake_wait(fake_worker->conf->worker.broker_wait);
	expect_part(c, "\"channel\":\"asked\",\"data\":\"{\\\"type\\\":\\\"ServerError\\\"");
	expect_part(c, "pusher:error");
	expect_part(c, "\"channel\":\"waits\",\"data\":\"{\\\"type\\\":\\\"ServerError\\\"");
	expect_part(c, "pusher:error");
	expect_part(c, "hello");
	expect_nothing(c);

	/* The answer comes after all: the client was told no, so no it is. */
	fake_worker->broker = BROKER_UP;
	fake_subscribed(c, "asked");
	expect_nothing(c);
	(void)fake_record(WIRE_UNSUBSCRIBE);
	assert_null(sub_of(c, "asked"));
}

static void test_a_new_broker_is_asked_again(void **state)
{
	struct fake_client *c = fake_open(APP);
	struct wire_subscribe m;

	(void)state;
	join(c, "private-a");
	subscribe(c, "private-b");
	(void)fake_record(WIRE_SUBSCRIBE);
	resync_begin(fake_worker);
	while (resync_step(fake_worker))
		;
	(void)fake_record(WIRE_SYNC_BEGIN);
	(void)fake_record(WIRE_CONN_OPEN);
	assert_true(wire_decode_subscribe(fake_record(WIRE_SUBSCRIBE), &m));
	assert_true(slice_eq(m.channel, SLICE("private-a")));
	assert_int_equal(m.flags, WIRE_SUB_RESYNC | WIRE_SUB_AUTHORISED);
	(void)fake_record(WIRE_SYNC_END);
	assert_true(wire_decode_subscribe(fake_record(WIRE_SUBSCRIBE), &m));
	assert_true(slice_eq(m.channel, SLICE("private-b")));
	assert_int_equal(m.flags, WIRE_SUB_AUTHORISED);
	fake_subscribed(c, "private-b");
	expect_part(c, "\"channel\":\"private-b\"");
}

/* The lane takes nothing for a while, also in the middle of a resync. */
static void test_a_full_lane(void **state)
{
	struct fake_client *c = fake_open(APP);

	(void)state;
	join(c, "a");
	fake_lane_full = true;
	subscribe(c, "b");
	expect_no_record();
	resync_begin(fake_worker);
	assert_false(resync_step(fake_worker));
	expect_no_record();
	fake_lane_full = false;
	assert_false(resync_step(fake_worker));
	(void)fake_record(WIRE_SYNC_BEGIN);
	(void)fake_record(WIRE_CONN_OPEN);
	(void)fake_record(WIRE_SUBSCRIBE);
	(void)fake_record(WIRE_SYNC_END);
	(void)fake_record(WIRE_SUBSCRIBE);
	expect_no_record();
}

static void test_too_many_waiting_commands(void **state)
{
	struct fake_client *c = fake_open(APP);
	char name[16];
	int n = 0;

	(void)state;
	fake_worker->broker = BROKER_AWAY;
	while (!c->paused && n < 5000) {
		(void)snprintf(name, sizeof(name), "c%d", n++);
		subscribe(c, name);
	}
	/* by their number, or as here by their bytes */
	assert_in_range(n, 500, 1024);
	fake_say(c, "{\"event\":\"pusher:ping\"}"); /* stays in the socket */
	expect_nothing(c);
}

/* ---- liveness and ends ---- */

static void test_silence(void **state)
{
	struct fake_client *c = fake_open(APP);
	const struct conf_worker *conf = &fake_worker->conf->worker;

	(void)state;
	fake_wait(conf->ping_interval - USEC_PER_SEC);
	expect_nothing(c);
	fake_wait(2 * USEC_PER_SEC);
	expect_text(c, "{\"event\":\"pusher:ping\",\"data\":\"{}\"}");
	fake_wait(conf->pong_timeout - 2 * USEC_PER_SEC);
	fake_say(c, "{\"event\":\"pusher:pong\",\"data\":{}}");
	fake_wait(conf->ping_interval - USEC_PER_SEC);
	expect_nothing(c);
	fake_wait(2 * USEC_PER_SEC + conf->pong_timeout);
	expect_part(c, "pusher:ping");
	expect_close(c, 4201);
	(void)fake_record(WIRE_CONN_CLOSE);
}

static void test_old_protocols(void **state)
{
	struct fake_client *c = fake_open("/app/key?protocol=4");
	unsigned op = 0;

	(void)state;
	fake_wait(fake_worker->conf->worker.ping_interval + USEC_PER_SEC);
	assert_non_null(fake_take(c, &op).p);
	assert_int_equal(op, WS_OP_PING);
	session_on_close(fake_session(c), 4200, SLICE("bye"));
	expect_part(c, "{\"code\":4200,\"message\":\"bye\"}");
	expect_close(c, 4200);
}

static void test_ten_faults(void **state)
{
	struct fake_client *c = fake_open(APP);

	(void)state;
	for (int i = 0; i < 9; i++) {
		fake_say(c, "x");
		expect_part(c, "Invalid message format");
	}
	fake_wait(10 * USEC_PER_SEC);
	for (int i = 0; i < 10; i++) {
		fake_say(c, "{\"event\":\"hello\"}");
		expect_part(c, "Unsupported");
	}
	expect_close(c, 1008);
	fake_say(c, "x");
	expect_nothing(c);
}

static void test_binary_is_text_or_wrong(void **state)
{
	struct fake_client *c = fake_open(APP);

	(void)state;
	fake_frame(c, WS_OP_BINARY, SLICE("{\"event\":\"pusher:ping\"}"));
	expect_part(c, "pusher:pong");
	fake_frame(c, WS_OP_BINARY, SLICE("\xFF"));
	expect_close(c, 1003);
	(void)fake_record(WIRE_CONN_CLOSE);
	c = fake_open(APP);
	fake_frame(c, WS_OP_TEXT, SLICE("\xFF"));
	expect_close(c, 1007);
	(void)fake_record(WIRE_CONN_CLOSE);
	c = fake_open(APP);
	fake_frame(c, WS_OP_CLOSE, SLICE("\x03\xE8"));
	expect_close(c, 1000);
}

static void test_a_slow_reader(void **state)
{
	struct fake_client *c = fake_open(APP);
	struct frame *f = frame_new(1000);
	struct channel *ch;

	(void)state;
	memset(f->data, 'x', f->len);
	join(c, "a");
	c->full = true;
	ch = hub_find(fake_worker->hub, fake_session(c)->app, SLICE("a"));
	assert_int_equal(hub_deliver(fake_worker->hub, ch, f, 0, false), 1);
	frame_unref(f);
	expect_close(c, 4100);
	assert_int_equal(fake_worker->counts.slow, 1);
	(void)fake_record(WIRE_CONN_CLOSE);
	assert_int_equal(hub_channels(fake_worker->hub), 0);
}

static void test_authorise_in_time(void **state)
{
	struct fake_client *c = fake_open(APP);
	struct fake_client *d;

	(void)state;
	fake_session(c)->app->authorize_timeout = 5;
	session_arm(fake_session(c));
	join(c, "private-a");
	d = fake_open(APP);
	join(d, "public");
	fake_wait(6 * USEC_PER_SEC);
	expect_nothing(c);
	expect_close(d, 4009);
}

static void test_drain(void **state)
{
	struct fake_client *c = fake_open(APP);
	struct fake_client *h = fake_connect();

	(void)state;
	session_drain(fake_session(c));
	expect_close(c, 4200);
	session_drain(fake_session(h));
	assert_true(h->closed);
	session_drain(fake_session(h)); /* twice is once */
}

/* ---- HTTP ---- */

static struct session *asked;

static void serve_later(struct worker *w, struct session *s, const struct http_request *r)
{
	(void)w;
	(void)r;
	asked = s;
}

static void test_requests_one_after_the_other(void **state)
{
	struct fake_client *c = fake_connect();
	struct http_response ok = {.status = 200, .body = SLICE_INIT("one"), .keep_alive = true};
	uint64_t id = session_id(fake_session(c));

	(void)state;
	fake_worker->serve = serve_later;
	asked = NULL;
	fake_bytes(c, SLICE("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n"
			    "Connection: close\r\n\r\n"));
	assert_true(c->paused);
	assert_true(slice_eq(session_request(asked)->path, SLICE("/1")));
	session_respond(fake_worker, id, &ok);
	session_respond(fake_worker, id, &ok); /* an answer too many */
	assert_false(c->paused);
	assert_null(session_request(asked));
	asked = NULL;
	fake_bytes(c, SLICE("")); /* the stream offers the rest again */
	assert_true(slice_eq(session_request(asked)->path, SLICE("/2")));
	session_respond(fake_worker, id, &ok);
	assert_true(c->closed);
	assert_null(session_find(fake_worker, id));
	session_respond(fake_worker, id, &ok); /* late: nobody is there */
	assert_non_null(memmem(c->out.p, c->out.n, "Connection: close", 17));
}

static unsigned served;

static void serve_much(struct worker *w, struct session *s, const struct http_request *r)
{
	static char body[100000];
	struct http_response big = {
		.status = 200, .body = {body, sizeof(body)}, .keep_alive = true};

	(void)r;
	served++;
	session_respond(w, session_id(s), &big);
}

/* A client that asks much and reads nothing: its requests wait, it is not cut off. */
static void test_answers_that_nobody_reads(void **state)
{
	struct fake_client *c = fake_connect();

	(void)state;
	fake_worker->serve = serve_much;
	served = 0;
	for (int i = 0; i < 3; i++)
		fake_bytes(c, SLICE("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
	assert_int_equal(served, 1);
	assert_true(c->paused);
	for (unsigned i = 2; i <= 3; i++) {
		buf_clear(&c->out);
		c->handler->on_drained(c->stream);
		assert_false(c->paused);
		fake_bytes(c, SLICE("")); /* the stream offers the rest again */
		assert_int_equal(served, i);
	}
	assert_false(c->aborted);
}

static void test_http_deadlines(void **state)
{
	struct fake_client *idle = fake_connect();
	struct fake_client *slow = fake_connect();
	struct fake_client *kept = fake_connect();
	const struct conf_worker *conf = &fake_worker->conf->worker;

	(void)state;
	fake_bytes(slow, SLICE("GET / HT"));
	fake_bytes(kept, SLICE("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
	fake_wait(conf->head_timeout + USEC_PER_SEC);
	assert_true(idle->closed);
	assert_int_equal(idle->out.n, 0);
	assert_true(slow->closed);
	assert_memory_equal(slow->out.p, "HTTP/1.1 408 ", 13);
	assert_false(kept->closed);
	fake_wait(conf->keepalive_timeout);
	assert_true(kept->closed);
}

static void test_bad_http(void **state)
{
	struct fake_client *c = fake_connect();

	(void)state;
	fake_bytes(c, SLICE("GET / HTTP/1.1\nHost: x\n\n"));
	assert_true(c->closed);
	assert_memory_equal(c->out.p, "HTTP/1.1 400 ", 13);
	c = fake_connect();
	fake_bytes(c, SLICE("GET /app/key HTTP/1.1\r\nHost: x\r\n\r\n"));
	assert_true(c->closed);
	assert_memory_equal(c->out.p, "HTTP/1.1 426 ", 13);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_refusals_come_inside_the_socket),
		TEST(test_handshakes_wait_for_the_apps),
		TEST(test_frames_behind_the_handshake),
		TEST(test_events_only_after_success),
		TEST(test_answers_keep_their_order),
		TEST(test_unsubscribe_of_what_is_pending),
		TEST(test_signin_decides_what_follows),
		TEST(test_bad_signature),
		TEST(test_subscribing_twice),
		TEST(test_most_subscriptions),
		TEST(test_refused_and_expelled),
		TEST(test_client_events),
		TEST(test_client_event_rate),
		TEST(test_client_event_size),
		TEST(test_commands_wait_for_the_broker),
		TEST(test_waiting_has_an_end),
		TEST(test_a_new_broker_is_asked_again),
		TEST(test_a_full_lane),
		TEST(test_too_many_waiting_commands),
		TEST(test_silence),
		TEST(test_old_protocols),
		TEST(test_ten_faults),
		TEST(test_binary_is_text_or_wrong),
		TEST(test_a_slow_reader),
		TEST(test_authorise_in_time),
		TEST(test_drain),
		TEST(test_requests_one_after_the_other),
		TEST(test_answers_that_nobody_reads),
		TEST(test_http_deadlines),
		TEST(test_bad_http),
	};

	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
