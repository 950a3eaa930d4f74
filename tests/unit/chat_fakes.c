#include "tests/unit/chat_fakes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/chat_house.h"
#include "tests/unit/chat_store_fake.h"

struct chat *fake_chat;
struct registry *fake_registry;
struct chat_options fake_options;
usec_t fake_now;
wall_us_t fake_wall;
struct buf fake_told;

#define NOTES_MAX 64

static struct moment moment(void)
{
	return (struct moment){fake_now, fake_wall};
}

/* ---- what the chat does ---- */

static void on_publish(void *ctx, const struct chat_event *e)
{
	(void)ctx;
	assert_true(buf_printf(&fake_told, "publish %.*s %.*s %.*s exclude=%llu%s%s\n",
			       SLICE_ARG(e->channel), SLICE_ARG(e->event), SLICE_ARG(e->data),
			       (unsigned long long)e->exclude, e->droppable ? " droppable" : "",
			       e->only_if_occupied ? " alias" : ""));
}

static void on_to_conn(void *ctx, uint64_t conn, struct slice channel, struct slice event,
		       struct slice data)
{
	(void)ctx;
	assert_true(buf_printf(&fake_told, "to_conn %llu %.*s %.*s %.*s\n",
			       (unsigned long long)conn, SLICE_ARG(channel), SLICE_ARG(event),
			       SLICE_ARG(data)));
}

static void on_expel(void *ctx, uint64_t conn, struct slice channel)
{
	(void)ctx;
	assert_true(buf_printf(&fake_told, "expel %llu %.*s\n", (unsigned long long)conn,
			       SLICE_ARG(channel)));
	registry_unsubscribe(fake_registry, moment(), conn, channel);
}

static void on_close(void *ctx, uint64_t conn, uint16_t code, struct slice reason)
{
	(void)ctx;
	(void)reason;
	assert_true(buf_printf(&fake_told, "close %llu %u\n", (unsigned long long)conn,
			       (unsigned)code));
}

static void on_last_seen(void *ctx, struct slice user_id, wall_us_t at)
{
	(void)ctx;
	house_last_seen(user_id, at);
}

/* The socket of connection 7 is "7.7". */
static uint64_t on_find_conn(void *ctx, struct slice socket_id)
{
	struct registry_conn row;
	unsigned long long conn;
	struct slice first;
	struct slice second;

	(void)ctx;
	if (!slice_cut(socket_id, '.', &first, &second) || !slice_eq(first, second) ||
	    !slice_to_u64(first, &conn) || !registry_conn(fake_registry, conn, &row))
		return 0;
	return conn;
}

/* As a worker keeps them. */
static struct kept_note {
	uint64_t conn; /* 0 = free */
	char *key;
	char *value;
	size_t value_n;
} notes[NOTES_MAX];

static void drop_note(struct kept_note *n)
{
	free(n->key);
	free(n->value);
	*n = (struct kept_note){0};
}

static void drop_notes(uint64_t conn)
{
	for (size_t i = 0; i < NOTES_MAX; i++) {
		if (conn == 0 || notes[i].conn == conn)
			drop_note(&notes[i]);
	}
}

static void on_note(void *ctx, uint64_t conn, struct slice key, struct slice value)
{
	struct kept_note *to = NULL;

	(void)ctx;
	for (size_t i = 0; i < NOTES_MAX; i++) {
		struct kept_note *n = &notes[i];

		if (n->conn == conn && slice_eq(slice_str(n->key), key))
			drop_note(n);
		if (n->conn == 0 && to == NULL)
			to = n;
	}
	if (value.n == 0 || to == NULL) /* a test that makes thousands does not restart */
		return;
	*to = (struct kept_note){conn, slice_dup(key), slice_dup(value), value.n};
}

static wall_us_t on_wall(void *ctx)
{
	(void)ctx;
	return fake_wall;
}

static const struct chat_ops chat_ops = {
	.publish = on_publish,
	.to_conn = on_to_conn,
	.expel = on_expel,
	.close = on_close,
	.note = on_note,
	.last_seen = on_last_seen,
	.find_conn = on_find_conn,
	.wall = on_wall,
};

/* ---- what the registry does ---- */

static void ignore_subscribed(void *ctx, uint64_t conn, uint32_t worker, struct slice channel)
{
	(void)ctx;
	(void)conn;
	(void)worker;
	(void)channel;
}

static void ignore_members(void *ctx, uint32_t worker, uint32_t app, struct slice channel)
{
	(void)ctx;
	(void)worker;
	(void)app;
	(void)channel;
}

static void ignore_member(void *ctx, const struct registry_change *change)
{
	(void)ctx;
	(void)change;
}

static void ignore_event(void *ctx, uint32_t app, struct slice channel, struct slice event,
			 struct slice data)
{
	(void)ctx;
	(void)app;
	(void)channel;
	(void)event;
	(void)data;
}

static void on_left(void *ctx, uint32_t app, struct slice user_id, struct slice channel)
{
	(void)ctx;
	(void)app;
	chat_left(fake_chat, fake_now, user_id, channel);
}

static void on_user_online(void *ctx, uint32_t app, struct slice user_id)
{
	(void)ctx;
	(void)app;
	chat_user_online(fake_chat, fake_now, user_id);
}

static void on_user_offline(void *ctx, uint32_t app, struct slice user_id, wall_us_t last_seen)
{
	(void)ctx;
	(void)app;
	house_last_seen(user_id, last_seen);
	chat_user_offline(fake_chat, fake_now, user_id, last_seen);
}

static void on_user_unconnected(void *ctx, uint32_t app, struct slice user_id, wall_us_t at)
{
	(void)ctx;
	(void)app;
	house_last_seen(user_id, at);
	chat_user_unconnected(fake_chat, fake_now, user_id, at);
}

static void ignore_conn_row(void *ctx, const struct registry_conn *row)
{
	(void)ctx;
	(void)row;
}

static void ignore_conn_gone(void *ctx, uint32_t worker, uint64_t conn)
{
	(void)ctx;
	(void)worker;
	(void)conn;
}

static void ignore_sub_row(void *ctx, const struct registry_sub *row)
{
	(void)ctx;
	(void)row;
}

static void ignore_sub_gone(void *ctx, uint32_t worker, uint64_t conn, struct slice channel)
{
	(void)ctx;
	(void)worker;
	(void)conn;
	(void)channel;
}

static void ignore_user_row(void *ctx, const struct registry_user *row)
{
	(void)ctx;
	(void)row;
}

static void ignore_user_gone(void *ctx, uint32_t app, struct slice user_id)
{
	(void)ctx;
	(void)app;
	(void)user_id;
}

static void ignore_settled(void *ctx, uint64_t conn, struct slice channel)
{
	(void)ctx;
	(void)conn;
	(void)channel;
}

static void ignore_worker_gone(void *ctx, uint32_t worker)
{
	(void)ctx;
	(void)worker;
}

static const struct registry_ops registry_ops = {
	.subscribed = ignore_subscribed,
	.members = ignore_members,
	.member = ignore_member,
	.event = ignore_event,
	.settled = ignore_settled,
	.left = on_left,
	.user_online = on_user_online,
	.user_offline = on_user_offline,
	.user_unconnected = on_user_unconnected,
	.conn_row = ignore_conn_row,
	.conn_gone = ignore_conn_gone,
	.sub_row = ignore_sub_row,
	.sub_gone = ignore_sub_gone,
	.user_row = ignore_user_row,
	.user_gone = ignore_user_gone,
	.worker_gone = ignore_worker_gone,
};

/* ---- begin and end ---- */

static void begin_broker(void)
{
	static const struct registry_options registry = {
		.presence_grace = 3 * USEC_PER_SEC,
		.offline_grace = 10 * USEC_PER_SEC,
	};

	fake_registry = registry_new(&registry, &registry_ops, NULL);
	registry_app(fake_registry, APP, false);
	fake_chat = chat_new(&fake_options, &fake_store, fake_registry, &chat_ops, NULL);
}

void fake_begin(void)
{
	fake_now = 1000 * USEC_PER_SEC;
	fake_wall = 1764059400000000; /* 2025-11-25T08:30:00Z */
	fake_options = (struct chat_options){
		.app = APP,
		.integer_ids = true,
		.members_may_add = true,
		.event_names = CHAT_EVENTS_PLAIN,
		.typing_timeout = 6 * USEC_PER_SEC,
		.typing_repeat = 3 * USEC_PER_SEC,
		.offline_grace = 10 * USEC_PER_SEC,
		.auth_cache = 60 * USEC_PER_SEC,
		.auth_cache_grace = 300 * USEC_PER_SEC,
		.auth_cache_size = 1000,
		.max_message_body = 8000,
		.max_chat_name = 255,
		.max_participants = 1000,
		.messages = {10, 30},
		.typing = {2, 10},
		.receipts = {20, 100},
		.authorizations = {20, 1000},
		.failed_tokens = {10, 100},
	};
	buf_init(&fake_told, 1 << 24);
	house_begin();
	begin_broker();
}

void fake_end(void)
{
	chat_free(fake_chat);
	registry_free(fake_registry);
	house_end();
	drop_notes(0);
	buf_done(&fake_told);
}

void fake_forget(void)
{
	buf_clear(&fake_told);
}

/* ---- another broker ---- */

void fake_crash(void)
{
	fake_settle();
	chat_free(fake_chat);
	registry_free(fake_registry);
	fake_now += USEC_PER_SEC;
	fake_wall += (wall_us_t)USEC_PER_SEC;
	begin_broker();
}

void fake_recall(uint64_t conn)
{
	fake_wall -= (wall_us_t)(60 * USEC_PER_SEC);
	fake_open(conn); /* long ago */
	fake_wall += (wall_us_t)(60 * USEC_PER_SEC);
	for (size_t i = 0; i < NOTES_MAX; i++) {
		const struct kept_note *n = &notes[i];

		if (n->conn == conn)
			chat_recalled(fake_chat, fake_now, conn, slice_str(n->key),
				      slice_of(n->value, n->value_n));
	}
}

void fake_all_recalled(void)
{
	chat_all_recalled(fake_chat, fake_now);
	fake_settle();
}

size_t fake_notes(uint64_t conn)
{
	size_t n = 0;

	for (size_t i = 0; i < NOTES_MAX; i++)
		n += notes[i].conn == conn;
	return n;
}

/* ---- calls ---- */

struct chat_caller fake_caller(const char *user)
{
	static char hash[4][65];
	static char id[4][24];
	static unsigned turn;
	char *h = hash[turn % 4];
	char *i = id[turn++ % 4];

	(void)snprintf(h, 65, "%064llu", strtoull(user, NULL, 10));
	(void)snprintf(i, 24, "%s", user);
	return (struct chat_caller){
		.token_id = slice_str(i),
		.token_hash = slice_str(h),
		.address = SLICE("192.0.2.1"),
	};
}

static void on_answer(void *ctx, const struct chat_answer *a)
{
	struct fake_reply *r = ctx;

	r->count++;
	r->status = a->status;
	r->retry_after = a->retry_after;
	r->presence = a->presence;
	assert_true(a->body.n < sizeof(r->body));
	(void)snprintf(r->body, sizeof(r->body), "%.*s", SLICE_ARG(a->body));
	(void)snprintf(r->user_info, sizeof(r->user_info), "%.*s", SLICE_ARG(a->user_info));
	(void)snprintf(r->user_id, sizeof(r->user_id), "%.*s", SLICE_ARG(a->user_id));
	assert_true(buf_printf(&fake_told, "answer %u %s\n", r->status, r->body));
}

/* Everything of a question is gone when the call returns, as a record of the lane is. */
void fake_call(const char *user, struct chat_call call, struct fake_reply *ret)
{
	struct slice *texts[] = {&call.user,   &call.text,    &call.client_id,
				 &call.meta,   &call.name,    &call.ids,
				 &call.cursor, &call.invalid, &call.caller.socket_id};
	struct chat_caller caller = fake_caller(user);
	char *copies[ARRAY_LEN(texts)];

	*ret = (struct fake_reply){0};
	caller.socket_id = call.caller.socket_id;
	call.caller = caller;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		copies[i] = texts[i]->p != NULL ? slice_dup(*texts[i]) : NULL;
		texts[i]->p = copies[i];
	}
	chat_call(fake_chat, fake_now, &call, on_answer, ret);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		free(copies[i]);
}

struct fake_reply *fake_ask(const char *user, struct chat_call call)
{
	static struct fake_reply reply;

	fake_call(user, call, &reply);
	fake_settle();
	assert_int_equal(reply.count, 1);
	return &reply;
}

struct fake_reply *fake_authorize(const char *user, uint64_t conn, const char *channel)
{
	static struct fake_reply reply;
	struct chat_caller caller = fake_caller(user);
	char socket_id[48];

	(void)snprintf(socket_id, sizeof(socket_id), "%llu.%llu", (unsigned long long)conn,
		       (unsigned long long)conn);
	caller.socket_id = slice_str(socket_id);
	reply = (struct fake_reply){0};
	chat_authorize(fake_chat, fake_now, &caller, slice_str(channel), on_answer, &reply);
	fake_settle();
	assert_int_equal(reply.count, 1);
	return &reply;
}

struct fake_reply *fake_send(const char *user, uint64_t chat, const char *text)
{
	return fake_ask(
		user,
		(struct chat_call){.route = WIRE_CHAT_SEND, .chat = chat, .text = slice_str(text)});
}

struct fake_reply *fake_typing(const char *user, uint64_t chat, bool is_typing)
{
	return fake_ask(user, (struct chat_call){
				      .route = WIRE_CHAT_TYPING, .chat = chat, .flag = is_typing});
}

struct fake_reply *fake_read(const char *user, uint64_t message)
{
	return fake_ask(user, (struct chat_call){.route = WIRE_CHAT_READ, .message = message});
}

/* ---- connections ---- */

void fake_open(uint64_t conn)
{
	char socket_id[48];
	struct registry_conn row = {
		.conn = conn,
		.worker = 1,
		.app = APP,
		.address = SLICE("192.0.2.1"),
		.opened_at = fake_wall,
	};

	(void)snprintf(socket_id, sizeof(socket_id), "%llu.%llu", (unsigned long long)conn,
		       (unsigned long long)conn);
	row.socket_id = slice_str(socket_id);
	registry_open(fake_registry, moment(), &row);
}

void fake_close(uint64_t conn)
{
	drop_notes(conn);
	chat_conn_closed(fake_chat, fake_now, conn);
	registry_close(fake_registry, moment(), conn);
}

static void identify(uint64_t conn, struct slice user)
{
	char copy[LIMIT_USER_ID];

	if (user.n == 0)
		return;
	memcpy(copy, user.p, user.n);
	(void)registry_identify(fake_registry, moment(), conn, slice_of(copy, user.n));
}

bool fake_subscribe(uint64_t conn, const char *channel, bool authorised, const char *member)
{
	struct registry_subscribe s = {
		.conn = conn,
		.channel = slice_str(channel),
		.presence = member != NULL,
		.user_id = slice_str(member),
	};
	struct chat_admission admission;
	struct registry_conn row;

	chat_subscribing(fake_chat, fake_now, conn, s.channel, authorised, &admission);
	if (!admission.allowed)
		return false;
	assert_int_equal(registry_subscribe(fake_registry, moment(), &s), REGISTRY_OK);
	identify(conn, member != NULL ? s.user_id : admission.user_id);
	assert_true(registry_conn(fake_registry, conn, &row));
	chat_subscribed(fake_chat, fake_now, conn, row.user_id, s.channel);
	return true;
}

void fake_unsubscribe(uint64_t conn, const char *channel)
{
	registry_unsubscribe(fake_registry, moment(), conn, slice_str(channel));
}

bool fake_sign_in(uint64_t conn, const char *user)
{
	if (!registry_sign_in(fake_registry, moment(), conn, slice_str(user)))
		return false;
	chat_signed_in(fake_chat, fake_now, conn, slice_str(user));
	return true;
}

bool fake_join(const char *user, uint64_t conn, const char *channel)
{
	bool presence = slice_starts(slice_str(channel), SLICE("presence-"));
	bool joined = fake_authorize(user, conn, channel)->status == 200 &&
		      fake_subscribe(conn, channel, true, presence ? user : NULL);

	fake_settle();
	return joined;
}

void fake_pass(usec_t time)
{
	fake_now += time;
	fake_wall += (wall_us_t)time;
	registry_turn(fake_registry, moment());
	chat_turn(fake_chat, fake_now);
	fake_settle();
}

/* ---- what was told ---- */

static const char *find(const char *from, const char *part)
{
	return from != NULL ? strstr(from, part) : NULL;
}

bool fake_was_told(const char *part)
{
	return find(buf_cstr(&fake_told), part) != NULL;
}

unsigned fake_count(const char *part)
{
	const char *at = buf_cstr(&fake_told);
	unsigned n = 0;

	while ((at = find(at, part)) != NULL) {
		at++;
		n++;
	}
	return n;
}

bool fake_in_order(const char *first, const char *second)
{
	const char *at = find(buf_cstr(&fake_told), first);

	return at != NULL && find(at + strlen(first), second) != NULL;
}
