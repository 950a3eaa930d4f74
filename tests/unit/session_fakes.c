#include "tests/unit/session_fakes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/wire/wire.h"
#include "worker/departed.h"
#include "worker/questions.h"

#define CLIENTS_MAX 8
#define RECORDS_MAX 64

struct worker *fake_worker;
usec_t fake_now;
bool fake_lane_full;
char fake_socket_id[SOCKET_ID_TEXT];

static struct fake_client clients[CLIENTS_MAX];
static size_t client_count;
static struct {
	uint8_t kind;
	struct buf body;
} records[RECORDS_MAX];
static size_t record_first, record_count;
static struct conf *conf;

/* ---- the streams ---- */

const struct stream_ops stream_plain;

static struct fake_client *client_of(const struct stream *s)
{
	/* The newest: its session may stand where that of one who has gone stood. */
	for (size_t i = client_count; i-- > 0;) {
		if (clients[i].stream == s)
			return &clients[i];
	}
	fail_msg("an unknown stream");
	return NULL;
}

void stream_open(struct stream *s, struct streams *all, int fd, const struct stream_ops *ops,
		 void *secure, const struct stream_handler *handler)
{
	struct fake_client *c = &clients[client_count++];

	(void)all;
	(void)fd;
	(void)ops;
	(void)secure;
	*c = (struct fake_client){.stream = s, .handler = handler};
	buf_init(&c->out, 1 << 24);
	buf_init(&c->in, 1 << 20);
}

bool stream_send(struct stream *s, struct frame *f)
{
	struct fake_client *c = client_of(s);

	if (c->full && f->len > 200)
		return false;
	if (!c->closed && !c->aborted)
		assert_true(buf_add(&c->out, frame_slice(f)));
	return true;
}

bool stream_send_urgent(struct stream *s, struct frame *f)
{
	return stream_send(s, f);
}

void stream_cut(struct stream *s)
{
	buf_clear(&client_of(s)->out);
}

size_t stream_waiting(const struct stream *s)
{
	return client_of(s)->out.n;
}

void stream_want_drained(struct stream *s)
{
	(void)s;
}

void stream_pause(struct stream *s)
{
	client_of(s)->paused = true;
}

void stream_resume(struct stream *s)
{
	client_of(s)->paused = false;
}

void stream_close(struct stream *s)
{
	client_of(s)->closed = true;
}

void stream_abort(struct stream *s)
{
	client_of(s)->aborted = true;
}

static void offer(struct fake_client *c)
{
	size_t used;

	while (c->in.n > 0 && !c->paused && !c->closed && !c->aborted) {
		used = c->handler->on_bytes(c->stream, c->in.p, c->in.n);
		buf_consume(&c->in, used);
		if (used == 0)
			break;
	}
}

/* ---- the worker ---- */

usec_t worker_now(const struct worker *w)
{
	(void)w;
	return fake_now;
}

bool worker_is_welcomed(const struct worker *w)
{
	return w->welcomed;
}

bool worker_may_log(struct worker *w, struct log_limit *limit, const char *event)
{
	(void)limit;
	(void)event;
	(void)w;
	return false;
}

void worker_out_done(struct worker *w)
{
	buf_clear(&w->out);
}

static void keep_record(struct worker *w, uint8_t kind)
{
	size_t i = (record_first + record_count++) % RECORDS_MAX;

	assert_true(record_count <= RECORDS_MAX);
	records[i].kind = kind;
	buf_init(&records[i].body, 1 << 20);
	assert_true(buf_add(&records[i].body, buf_slice(&w->record)));
	buf_clear(&w->record);
}

bool worker_send(struct worker *w, uint8_t kind)
{
	if (w->broker != BROKER_AWAY && !fake_lane_full) {
		keep_record(w, kind);
		return true;
	}
	buf_clear(&w->record);
	return false;
}

void worker_send_surely(struct worker *w, uint8_t kind)
{
	keep_record(w, kind);
}

void questions_again(struct worker *w)
{
	(void)w;
}

void worker_release(struct worker *w)
{
	(void)w;
}

void worker_order(struct worker *w, uint8_t what)
{
	(void)w;
	(void)what;
}

static void serve_nothing(struct worker *w, struct session *s, const struct http_request *r)
{
	struct http_response none = {.status = 404, .keep_alive = true};

	(void)r;
	session_respond(w, session_id(s), &none);
}

static void on_timer(void *ctx, struct timer *t)
{
	(void)ctx;
	session_due(t);
}

static const struct hub_ops hub_callbacks = {.deliver = session_deliver};

void fakes_begin(void)
{
	struct slice secret = SLICE("secret");
	struct slice any = SLICE("*");
	struct slice front = SLICE("https://front.example");
	struct app_spec app = {
		.id = SLICE_INIT("app"),
		.key = SLICE_INIT("key"),
		.secrets = &secret,
		.secret_count = 1,
		.origins = &any,
		.origin_count = 1,
		.cors_origins = &front,
		.cors_origin_count = 1,
		.enabled = true,
		.client_events = APP_EVENTS_MEMBERS,
		.client_event_rate = 10,
		.max_event_data = 10240,
		.max_client_event_data = 10240,
		.max_channel_name = 200,
	};
	struct worker *w = NEW(struct worker);

	fake_worker = w;
	fake_now = 1000 * USEC_PER_SEC;
	fake_lane_full = false;
	client_count = 0;
	record_first = record_count = 0;
	conf = conf_new();
	w->conf = conf;
	w->serve = serve_nothing;
	w->apps = apps_new();
	(void)apps_put(w->apps, &app);
	w->hub = hub_new(&hub_callbacks, w);
	w->departed = departed_new(10 * USEC_PER_SEC, 1 << 20);
	w->wheel = wheel_new(fake_now, on_timer, w);
	w->proxies = proxies_new(NULL, 0);
	w->addresses = addresses_new();
	TAILQ_INIT(&w->open);
	TAILQ_INIT(&w->held);
	w->broker = BROKER_UP;
	w->welcomed = true;
	w->number = 1;
	w->sockets_max = 100;
	w->ws_limits = (struct ws_limits){conf->limits.max_message, 4096};
	buf_init(&w->out, LIMIT_FRAME);
	buf_init(&w->record, LIMIT_WIRE_RECORD);
	buf_init(&w->scratch, PUSHER_SCRATCH(conf->limits.max_message));
	buf_init(&w->member, PUSHER_SCRATCH(conf->limits.max_message));
}

void fake_hang_up(struct fake_client *c)
{
	if (c->buried)
		return;
	c->buried = true;
	c->handler->on_closed(c->stream, STREAM_END_PEER, 0);
}

void fakes_end(void)
{
	struct worker *w = fake_worker;

	for (size_t i = 0; i < client_count; i++) {
		fake_hang_up(&clients[i]);
		buf_done(&clients[i].out);
		buf_done(&clients[i].in);
	}
	for (size_t i = 0; i < RECORDS_MAX; i++)
		buf_done(&records[i].body);
	/* Whatever happened in the test: nothing is left of its clients. */
	assert_int_equal(w->sessions.count, 0);
	assert_int_equal(w->sockets, 0);
	assert_int_equal(w->websockets, 0);
	assert_int_equal(w->waiting_bytes, 0);
	assert_int_equal(hub_channels(w->hub), 0);
	session_table_done(&w->sessions);
	hub_free(w->hub);
	departed_free(w->departed);
	apps_free(w->apps);
	wheel_free(w->wheel);
	proxies_free(w->proxies);
	addresses_free(w->addresses);
	buf_done(&w->out);
	buf_done(&w->record);
	buf_done(&w->scratch);
	buf_done(&w->member);
	conf_free(conf);
	free(w);
}

/* ---- the client ---- */

struct fake_client *fake_connect(void)
{
	struct address peer;

	assert_true(address_parse(SLICE("192.0.2.7:1234"), &peer));
	session_accept(fake_worker, -1, &peer, false);
	return &clients[client_count - 1];
}

struct session *fake_session(const struct fake_client *c)
{
	return CONTAINER_OF(c->stream, struct session, stream);
}

void fake_bytes(struct fake_client *c, struct slice bytes)
{
	assert_true(buf_add(&c->in, bytes));
	offer(c);
}

void fake_frame(struct fake_client *c, unsigned opcode, struct slice payload)
{
	char head[8] = {(char)(0x80 | opcode)};
	size_t n = 2;
	struct buf b;

	/* A mask of zeros leaves the payload as it is. */
	if (payload.n < 126) {
		head[1] = (char)(0x80 | payload.n);
	} else {
		head[1] = (char)(0x80 | 126);
		head[2] = (char)(payload.n >> 8);
		head[3] = (char)payload.n;
		n = 4;
	}
	assert_true(payload.n < 65536);
	buf_init(&b, 70000);
	assert_true(buf_add(&b, slice_of(head, n)) && buf_add(&b, slice_of("\0\0\0\0", 4)) &&
		    buf_add(&b, payload));
	fake_bytes(c, buf_slice(&b));
	buf_done(&b);
}

void fake_say(struct fake_client *c, const char *text)
{
	fake_frame(c, WS_OP_TEXT, slice_str(text));
}

struct fake_client *fake_open(const char *path)
{
	struct fake_client *c = fake_connect();
	char request[512];
	struct slice text;
	unsigned op;
	int n = snprintf(request, sizeof(request),
			 "GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
			 "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
			 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
			 path);

	fake_bytes(c, slice_of(request, (size_t)n));
	char *end = memmem(c->out.p, c->out.n, "\r\n\r\n", 4);

	assert_non_null(end);
	assert_memory_equal(c->out.p, "HTTP/1.1 101 ", 13);
	buf_consume(&c->out, (size_t)(end + 4 - c->out.p));
	if (fake_session(c)->state != SESSION_OPEN)
		return c;
	text = fake_take(c, &op);
	assert_non_null(memmem(text.p, text.n, "pusher:connection_established", 29));
	(void)session_socket_id(fake_session(c), fake_socket_id);
	if (fake_worker->broker == BROKER_UP)
		(void)fake_record(WIRE_CONN_OPEN);
	return c;
}

struct slice fake_take(struct fake_client *c, unsigned *ret_op)
{
	static char kept[70000];
	const unsigned char *p = (const unsigned char *)c->out.p;
	size_t head = 2;
	size_t n;

	if (c->out.n == 0)
		return SLICE_NONE;
	*ret_op = p[0] & 0x0FU;
	n = p[1];
	if (n == 126) {
		n = ((size_t)p[2] << 8) | p[3];
		head = 4;
	}
	assert_true(n < sizeof(kept) && head + n <= c->out.n);
	memcpy(kept, p + head, n);
	kept[n] = '\0';
	buf_consume(&c->out, head + n);
	return slice_of(kept, n);
}

void expect_text(struct fake_client *c, const char *text)
{
	unsigned op = 0;
	struct slice got = fake_take(c, &op);

	assert_non_null(got.p);
	assert_string_equal(got.p, text);
	assert_int_equal(op, WS_OP_TEXT);
}

void expect_part(struct fake_client *c, const char *part)
{
	unsigned op = 0;
	struct slice got = fake_take(c, &op);

	assert_non_null(got.p);
	if (strstr(got.p, part) == NULL)
		fail_msg("%s has no %s", got.p, part);
}

void expect_close(struct fake_client *c, unsigned code)
{
	unsigned op = 0;
	struct slice got = fake_take(c, &op);

	assert_non_null(got.p);
	assert_int_equal(op, WS_OP_CLOSE);
	assert_int_equal(((unsigned char)got.p[0] << 8) | (unsigned char)got.p[1], code);
	assert_true(c->closed);
}

void expect_nothing(struct fake_client *c)
{
	unsigned op = 0;
	struct slice got = fake_take(c, &op);

	if (got.p != NULL)
		fail_msg("unexpected: %s", got.p);
}

/* ---- the broker ---- */

struct slice fake_record(uint8_t kind)
{
	static struct buf kept;
	size_t i = record_first;

	assert_true(record_count > 0);
	assert_int_equal(records[i].kind, kind);
	buf_done(&kept);
	kept = records[i].body;
	records[i].body = (struct buf){0};
	record_first = (record_first + 1) % RECORDS_MAX;
	record_count--;
	return buf_slice(&kept);
}

void expect_no_record(void)
{
	assert_int_equal(record_count, 0);
}

void fake_subscribed(struct fake_client *c, const char *channel)
{
	struct wire_subscribed m = {
		.conn = fake_session(c)->sub.conn,
		.channel = slice_str(channel),
	};

	session_on_subscribed(fake_session(c), &m);
	offer(c);
}

const char *fake_auth(const char *channel, const char *channel_data)
{
	static struct buf kept;
	const struct app *app = apps_by_key(fake_worker->apps, SLICE("key"));

	buf_done(&kept);
	buf_init(&kept, 256);
	assert_true(pusher_channel_auth(app->signer, slice_str(fake_socket_id), slice_str(channel),
					channel_data != NULL ? slice_str(channel_data) : SLICE_NONE,
					&kept));
	return buf_cstr(&kept);
}

void fake_wait(usec_t usec)
{
	/* In steps, as the ticks of the loop. */
	for (usec_t end = fake_now + usec; fake_now < end;) {
		fake_now = MIN(end, fake_now + WHEEL_TICK);
		wheel_turn(fake_worker->wheel, fake_now);
	}
}
