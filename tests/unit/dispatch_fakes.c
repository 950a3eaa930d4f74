#include "tests/unit/dispatch_fakes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"

struct dispatch *fake_d;
struct conf *fake_conf;
struct lane fake_lanes[LANES_MAX];
usec_t fake_now;
size_t fake_expected;
bool fake_denied;
const char *fake_identifies;
void (*fake_sent)(uint32_t worker, uint8_t kind, struct slice body);
uint32_t fake_workers = 2;
uint32_t fake_max_members = 2;

static struct apps *apps;
static struct registry *registry;
static struct history *history;
static struct buf lines;
static size_t waiting_workers;

static void note(const char *fmt, ...) PRINTF(1, 2);

static void note(const char *fmt, ...)
{
	char text[512];
	va_list args;

	if (fake_sent != NULL)
		return;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	assert_true(buf_add(&lines, slice_str(text)));
	assert_true(buf_addc(&lines, '\n'));
}

/* ---- the server ---- */

#define DETAIL(name, NAME, fmt, ...) \
	case WIRE_##NAME: { \
		struct wire_##name m; \
		assert_true(wire_decode_##name(body, &m)); \
		note("%u " #NAME " " fmt, lane->number, __VA_ARGS__); \
		break; \
	}

#define S(s) SLICE_ARG(s)

static const char *const member_ops[] = {"?", "added", "removed", "changed"};

/* " a b {}": items with a blank before each that is not empty. */
static const char *list_text(struct slice list)
{
	static char text[256];
	struct slice item;
	size_t n = 0;

	text[0] = '\0';
	while (wire_list_next(&list, &item)) {
		if (item.n == 0)
			continue;
		assert_true(n + item.n + 2 < sizeof(text));
		text[n++] = ' ';
		memcpy(text + n, item.p, item.n);
		n += item.n;
		text[n] = '\0';
	}
	return text;
}

void server_send(struct server *server, struct lane *lane, uint8_t kind, struct slice body)
{
	(void)server;
	lane->mark++;
	if (fake_sent != NULL) {
		fake_sent(lane->number, kind, body);
		return;
	}
	switch (kind) {
		DETAIL(worker_info, WORKER_INFO, "%u apps=%u chat=%.*s", m.number, m.apps,
		       S(m.chat_app))
		DETAIL(app, APP, "%u %.*s enabled=%u", m.app, S(m.id), m.enabled)
		DETAIL(event, EVENT, "%.*s %.*s %.*s%s%.*s%s", S(m.channel), S(m.event), S(m.data),
		       m.user_id.n > 0 ? " by " : "", S(m.user_id), m.exclude != 0 ? " but" : "")
		DETAIL(subscribed, SUBSCRIBED, "%.*s cache=%u %.*s", S(m.channel), m.cache,
		       S(m.cache_data))
		DETAIL(member, MEMBER, "%.*s %s%s %.*s %.*s%s", S(m.channel),
		       m.announce != 0 ? "" : "silent ", member_ops[m.op], S(m.user_id),
		       S(m.user_info), m.exclude != 0 ? " but" : "")
		DETAIL(members, MEMBERS, "%.*s%s%s", S(m.channel), list_text(m.members),
		       m.announce != 0 ? "" : " silent")
		DETAIL(refused, REFUSED, "%.*s %.*s %u %d", S(m.channel), S(m.type), m.status,
		       (int)m.code)
		DETAIL(to_conn, TO_CONN, "%.*s %.*s", S(m.event), S(m.data))
		DETAIL(error, ERROR, "%d %.*s", (int)m.code, S(m.message))
		DETAIL(close, CLOSE, "%u %.*s", m.code, S(m.reason))
		DETAIL(expel, EXPEL, "%.*s", S(m.channel))
		DETAIL(signed_in, SIGNED_IN, "%.*s", S(m.user_data))
		DETAIL(published, PUBLISHED, "%u %u %.*s", (unsigned)m.number, m.status, S(m.body))
		DETAIL(stable, STABLE, "%u", (unsigned)m.number)
		DETAIL(reply, REPLY, "%u %u %.*s", (unsigned)m.req, m.status, S(m.body))
		DETAIL(note, NOTE, "%.*s %.*s", S(m.key), S(m.value))
		DETAIL(settled, SETTLED, "%u %.*s", (unsigned)m.conn & 0xFFFF, S(m.channel))
		DETAIL(authorized, AUTHORIZED, "%u %u %.*s", (unsigned)m.req, m.status,
		       S(m.user_id))
	default:
		fail_msg("record %u goes to no worker", kind);
	}
}

void server_synced(struct server *server, struct lane *lane)
{
	(void)server;
	(void)lane;
	if (fake_expected > 0)
		fake_expected--;
}

size_t server_expected(const struct server *server)
{
	(void)server;
	return fake_expected;
}

size_t server_count(const struct server *server)
{
	(void)server;
	return waiting_workers;
}

uint32_t lane_number(const struct lane *lane)
{
	return lane->number;
}

void lane_set_data(struct lane *lane, void *data)
{
	lane->data = data;
}

void *lane_data(const struct lane *lane)
{
	return lane->data;
}

uint64_t lane_mark(const struct lane *lane)
{
	return lane->mark;
}

/* ---- the chat ---- */

static chat_answer_fn *asked;
static void *asked_ctx;

void chat_authorize(struct chat *c, usec_t now, const struct chat_caller *caller,
		    struct slice channel, chat_answer_fn *done, void *ctx)
{
	(void)c;
	(void)now;
	note("chat authorize %.*s %.*s", S(caller->socket_id), S(channel));
	asked = done;
	asked_ctx = ctx;
}

void chat_call(struct chat *c, usec_t now, const struct chat_call *call, chat_answer_fn *done,
	       void *ctx)
{
	(void)c;
	(void)now;
	note("chat call %u %.*s", call->route, S(call->text));
	asked = done;
	asked_ctx = ctx;
}

void fake_answer(unsigned status, const char *body)
{
	struct chat_answer a = {.status = status, .body = slice_str(body), .user_id = SLICE("7")};

	asked(asked_ctx, &a);
}

void chat_subscribing(struct chat *c, usec_t now, uint64_t conn, struct slice channel,
		      bool authorised, struct chat_admission *ret)
{
	(void)c;
	(void)now;
	(void)conn;
	(void)channel;
	(void)authorised;
	ret->allowed = !fake_denied;
	ret->user_id = slice_str(fake_identifies);
}

void chat_subscribed(struct chat *c, usec_t now, uint64_t conn, struct slice user_id,
		     struct slice channel)
{
	(void)c;
	(void)now;
	(void)conn;
	note("chat subscribed %.*s as %.*s", S(channel), S(user_id));
}

void chat_left(struct chat *c, usec_t now, struct slice user_id, struct slice channel)
{
	(void)c;
	(void)now;
	note("chat left %.*s %.*s", S(user_id), S(channel));
}

void chat_signed_in(struct chat *c, usec_t now, uint64_t conn, struct slice user_id)
{
	(void)c;
	(void)now;
	(void)conn;
	note("chat signed_in %.*s", S(user_id));
}

void chat_conn_closed(struct chat *c, usec_t now, uint64_t conn)
{
	(void)c;
	(void)now;
	note("chat closed %u.%u", (unsigned)(conn >> 28), (unsigned)(conn & 0xfffffff));
}

void chat_user_unconnected(struct chat *c, usec_t now, struct slice user_id, wall_us_t at)
{
	(void)c;
	(void)now;
	(void)at;
	note("chat unconnected %.*s", S(user_id));
}

void chat_user_online(struct chat *c, usec_t now, struct slice user_id)
{
	(void)c;
	(void)now;
	note("chat online %.*s", S(user_id));
}

void chat_user_offline(struct chat *c, usec_t now, struct slice user_id, wall_us_t last_seen)
{
	(void)c;
	(void)now;
	(void)last_seen;
	note("chat offline %.*s", S(user_id));
}

void chat_recalled(struct chat *c, usec_t now, uint64_t conn, struct slice key, struct slice value)
{
	(void)c;
	(void)now;
	note("chat recalled %u %.*s %.*s", (unsigned)conn & 0xFFFF, S(key), S(value));
}

void chat_all_recalled(struct chat *c, usec_t now)
{
	(void)c;
	(void)now;
}

void chat_token_changed(struct chat *c, usec_t now, struct slice token_id)
{
	(void)c;
	(void)now;
	note("chat token %.*s", S(token_id));
}

void chat_participant_removed(struct chat *c, usec_t now, uint64_t chat, struct slice user_id)
{
	(void)c;
	(void)now;
	note("chat removed %u %.*s", (unsigned)chat, S(user_id));
}

void chat_store_changed(struct chat *c, usec_t now, bool up)
{
	(void)c;
	(void)now;
	note("chat store %d", up);
}

usec_t chat_deadline(const struct chat *c)
{
	(void)c;
	return USEC_NEVER;
}

void chat_turn(struct chat *c, usec_t now)
{
	(void)c;
	(void)now;
}

/* ---- the store ---- */

struct mirror *store_mirror(struct store *s)
{
	(void)s;
	return NULL;
}

void store_events_allow(struct store *s, bool allow)
{
	(void)s;
	note("outbox allow %d", allow);
}

void store_events_done(struct store *s)
{
	(void)s;
	note("outbox done");
}

void mirror_conn_put(struct mirror *m, const struct mirror_conn *row)
{
	(void)m;
	note("mirror conn %.*s app=%.*s user=%.*s", S(row->socket_id), S(row->app),
	     S(row->user_id));
}

void mirror_conn_del(struct mirror *m, uint32_t worker, uint64_t conn)
{
	(void)m;
	note("mirror no conn %u %u", worker, (unsigned)(conn & 0xfffffff));
}

void mirror_member_put(struct mirror *m, const struct mirror_member *row)
{
	(void)m;
	note("mirror member %u %.*s user=%.*s", row->worker, S(row->channel), S(row->user_id));
}

void mirror_member_del(struct mirror *m, uint32_t worker, uint64_t conn, struct slice channel)
{
	(void)m;
	(void)conn;
	note("mirror no member %u %.*s", worker, S(channel));
}

void mirror_user_put(struct mirror *m, const struct mirror_user *row)
{
	(void)m;
	note("mirror user %.*s %u", S(row->user_id), row->connections);
}

void mirror_user_del(struct mirror *m, struct slice app, struct slice user_id)
{
	(void)m;
	(void)app;
	note("mirror no user %.*s", S(user_id));
}

void mirror_last_seen(struct mirror *m, struct slice app, struct slice user_id, wall_us_t at)
{
	(void)m;
	(void)app;
	(void)at;
	note("mirror last_seen %.*s", S(user_id));
}

void mirror_worker_gone(struct mirror *m, uint32_t worker)
{
	(void)m;
	note("mirror no worker %u", worker);
}

/* ---- the loop ---- */

usec_t loop_now(struct loop *loop)
{
	(void)loop;
	return fake_now;
}

static void wake(void *ctx)
{
	(void)ctx;
}

/* ---- the test's side ---- */

static void make(void)
{
	struct registry_options ro = {
		.presence_grace = 3 * USEC_PER_SEC,
		.offline_grace = 10 * USEC_PER_SEC,
		.max_members = fake_max_members,
	};
	struct dispatch_options options = {
		.apps = apps,
		.resync_wait = 2 * USEC_PER_SEC,
		.max_watchlist = 2,
		.watchlist_window = 100 * USEC_PER_MSEC,
		.hold_max = 4096,
		.wake = wake,
	};
	struct dispatch_parts parts = {0};

	fake_d = dispatch_new(&options);
	registry = registry_new(&ro, &dispatch_registry_ops, fake_d);
	history = history_new(1 << 20, 60 * USEC_PER_SEC);
	parts.registry = registry;
	parts.history = history;
	dispatch_set_parts(fake_d, &parts);
}

void fakes_begin(bool open)
{
	static const char text[] = "[app app]\nkey = k\nsecret = s\nmax_connections = 3\n"
				   "[app other]\nkey = k2\nsecret = s\n"
				   "terminate_by_presence = no\nterminate_code = 4200\n";
	struct conf_fault fault;

	fake_conf = conf_new();
	assert_true(conf_parse(fake_conf, slice_str(text), "test", &fault));
	apps = apps_new(fake_conf);
	fake_now = 1000 * USEC_PER_SEC;
	fake_expected = fake_workers;
	fake_denied = false;
	fake_identifies = "";
	waiting_workers = fake_workers;
	buf_init(&lines, 1 << 20);
	make();
	dispatch_start(fake_d);
	for (uint32_t i = 0; i < LANES_MAX; i++)
		fake_lanes[i] = (struct lane){.number = i + 1};
	for (uint32_t i = 0; i < fake_workers; i++)
		dispatch_server_ops.on_worker_new(fake_d, &fake_lanes[i]);
	for (uint32_t i = 1; open && i <= fake_workers; i++)
		SAY(i, sync_end, SYNC_END, .conns = 0);
	if (open)
		buf_clear(&lines);
}

void fakes_end(void)
{
	dispatch_stop(fake_d);
	registry_free(registry);
	history_free(history);
	dispatch_free(fake_d);
	apps_free(apps);
	conf_free(fake_conf);
	buf_done(&lines);
}

void expect_lines(const char *expected)
{
	const char *got = buf_cstr(&lines);

	assert_string_equal(got != NULL ? got : "", expected);
	buf_clear(&lines);
}

void expect_news(const char *expected)
{
	struct slice rest = buf_slice(&lines);
	struct slice line;
	struct buf news;

	buf_init(&news, 1 << 20);
	while (slice_cut(rest, '\n', &line, &rest)) {
		if (slice_starts(line, SLICE("mirror ")))
			continue;
		assert_true(buf_add(&news, line) && buf_addc(&news, '\n'));
	}
	assert_string_equal(buf_cstr(&news), expected);
	buf_done(&news);
	buf_clear(&lines);
}

void fake_record(uint32_t worker, uint8_t kind, struct slice body)
{
	dispatch_server_ops.on_record(fake_d, &fake_lanes[worker - 1], kind, body);
}

void fake_open(uint32_t worker, uint64_t conn, uint32_t app)
{
	char socket_id[64];

	(void)snprintf(socket_id, sizeof(socket_id), "%llu.1", (unsigned long long)conn);
	SAY(worker, conn_open, CONN_OPEN, .conn = conn, .app = app,
	    .socket_id = slice_str(socket_id), .address = SLICE_INIT("::1"), .opened_at = 5);
}

void fake_subscribe(uint32_t worker, uint64_t conn, const char *channel, uint8_t flags,
		    const char *user_id)
{
	SAY(worker, subscribe, SUBSCRIBE, .conn = conn, .channel = slice_str(channel),
	    .flags = flags, .user_id = slice_str(user_id));
}

void fake_publish(uint32_t worker, uint64_t number, const char *channels, uint8_t info)
{
	struct slice rest = slice_str(channels);
	struct slice channel;
	struct buf list;

	buf_init(&list, 4096);
	while (slice_cut(rest, ' ', &channel, &rest))
		assert_true(wire_list_add(&list, channel));
	assert_true(wire_list_add(&list, rest));
	SAY(worker, publish, PUBLISH, .origin = worker, .number = number, .app = 0,
	    .event = SLICE_INIT("ev"), .channels = buf_slice(&list), .data = SLICE_INIT("d"),
	    .info = info);
	buf_done(&list);
}

void fake_ack(uint32_t worker)
{
	struct lane *lane = &fake_lanes[worker - 1];

	dispatch_server_ops.on_acked(fake_d, lane, lane->mark);
}

void fake_gone(uint32_t worker)
{
	dispatch_server_ops.on_worker_gone(fake_d, &fake_lanes[worker - 1], LANE_LOST);
}

void fake_wait(usec_t usec)
{
	fake_now += usec;
	dispatch_turn(fake_d);
}
