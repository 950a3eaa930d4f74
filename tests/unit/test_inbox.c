#include "worker/inbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/limits.h"
#include "tests/unit/session_fakes.h"
#include "worker/link/seen.h"
#include "worker/questions.h"

#define APP "/app/key?protocol=7"

/* ---- what the inbox tells others ---- */

static unsigned released;
static uint64_t answered;
static unsigned status;
static bool has_grant;

void worker_release_held(struct worker *w)
{
	(void)w;
	released++;
}

void worker_set_chat_app(struct worker *w, struct slice id)
{
	(void)w;
	(void)id;
}

void worker_find_chat_app(struct worker *w)
{
	(void)w;
}

void questions_answered(struct worker *w, uint64_t req, const struct worker_answer *a)
{
	(void)w;
	answered = req;
	status = a->status;
	has_grant = a->authorized != NULL;
}

void questions_published(struct worker *w, const struct wire_published *m)
{
	(void)w;
	answered = m->number;
	status = m->status;
}

void questions_stable(struct worker *w, uint64_t number)
{
	(void)w;
	answered = number;
}

static struct buf body;

static int setup(void **state)
{
	(void)state;
	fakes_begin();
	fake_worker->seen = seen_new();
	buf_init(&body, LIMIT_WIRE_RECORD);
	released = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_done(&body);
	seen_free(fake_worker->seen);
	fakes_end();
	return 0;
}

/* A record of the broker: receive(EVENT, event, .channel = ...). */
#define receive(KIND, name, ...) \
	do { \
		struct wire_##name m = {__VA_ARGS__}; \
		buf_clear(&body); \
		assert_true(wire_encode_##name(&body, &m)); \
		inbox_record(fake_worker, WIRE_##KIND, buf_slice(&body)); \
	} while (0)

static struct fake_client *joined(const char *path, const char *channel)
{
	struct fake_client *c = fake_open(path);
	char text[256];

	(void)snprintf(text, sizeof(text),
		       "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"%s\"}}", channel);
	fake_say(c, text);
	(void)fake_record(WIRE_SUBSCRIBE);
	receive(SUBSCRIBED, subscribed, .conn = fake_session(c)->sub.conn,
		.channel = slice_str(channel));
	expect_part(c, "subscription_succeeded");
	return c;
}

#define EVENT .channel = SLICE_INIT("a"), .event = SLICE_INIT("e"), .data = SLICE_INIT("1")
#define FRAME "{\"event\":\"e\",\"channel\":\"a\",\"data\":\"1\"}"

/* ---- events ---- */

static void test_an_event(void **state)
{
	struct fake_client *one = joined(APP, "a");
	struct fake_client *two = joined(APP, "a");
	struct fake_client *other = joined(APP, "b");

	(void)state;
	receive(EVENT, event, EVENT, .exclude = fake_session(two)->sub.conn);
	expect_text(one, FRAME);
	expect_nothing(two);
	expect_nothing(other);
	receive(EVENT, event, EVENT, .user_id = SLICE_INIT("7"));
	expect_text(two, "{\"event\":\"e\",\"channel\":\"a\",\"data\":\"1\",\"user_id\":\"7\"}");
	receive(EVENT, event, EVENT, .outbox_id = 12);
	expect_part(one, "\"user_id\"");
	expect_text(one, "{\"event\":\"e\",\"channel\":\"a\",\"data\":\"1\",\"outbox_id\":12}");
	receive(EVENT, event, EVENT, .app = 77);
	expect_nothing(one);
}

static void test_an_event_had_before(void **state)
{
	struct fake_client *c = joined(APP, "a");

	(void)state;
	receive(EVENT, event, EVENT, .origin = 1, .number = 5);
	expect_text(c, FRAME);
	receive(EVENT, event, EVENT, .origin = 1, .number = 5);
	expect_nothing(c);
	receive(EVENT, event, EVENT, .origin = 2, .number = 5);
	expect_text(c, FRAME);
	receive(EVENT, event, EVENT);
	expect_text(c, FRAME);
	receive(EVENT, event, EVENT);
	expect_text(c, FRAME);
	assert_int_equal(fake_worker->counts.repeated, 1);
}

/* An old client whose queue is full is told why, in a frame of its own. */
static void test_a_slow_old_client(void **state)
{
	struct fake_client *c = joined("/app/key?protocol=5", "a");
	char data[300];

	(void)state;
	memset(data, 'x', sizeof(data));
	c->full = true;
	receive(EVENT, event, .channel = SLICE_INIT("a"), .event = SLICE_INIT("e"),
		.data = {data, sizeof(data)});
	expect_text(c, "{\"event\":\"pusher:error\",\"data\":{\"code\":4100,"
		       "\"message\":\"Connection is too slow\"}}");
	expect_close(c, 4100);
}

/* ---- members ---- */

#define ROOM .channel = SLICE_INIT("presence-r")
#define IN_ROOM "\"channel\":\"presence-r\",\"data\":\""
#define ADDED(who) \
	"{\"event\":\"pusher_internal:member_added\"," IN_ROOM "{\\\"user_id\\\":\\\"" who \
	"\\\",\\\"user_info\\\":null}\"}"
#define REMOVED(who) \
	"{\"event\":\"pusher_internal:member_removed\"," IN_ROOM "{\\\"user_id\\\":\\\"" who \
	"\\\"}\"}"

/* MEMBERS with ids parted by blanks, none of which has a user_info. */
static void list_is(const char *ids, bool announce)
{
	struct slice rest = slice_str(ids);
	struct slice id;
	struct buf list;

	buf_init(&list, 1024);
	while (slice_cut(rest, ' ', &id, &rest))
		assert_true(wire_list_add(&list, id) && wire_list_add(&list, SLICE("")));
	assert_true(wire_list_add(&list, rest) && wire_list_add(&list, SLICE("")));
	receive(MEMBERS, members, ROOM, .members = buf_slice(&list), .announce = announce);
	buf_done(&list);
}

static struct fake_client *asks_as(const char *user)
{
	struct fake_client *c = fake_open(APP);
	char data[64];
	char text[512];

	(void)snprintf(data, sizeof(data), "{\"user_id\":\"%s\"}", user);
	(void)snprintf(text, sizeof(text),
		       "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"presence-r\","
		       "\"auth\":\"%s\",\"channel_data\":\"{\\\"user_id\\\":\\\"%s\\\"}\"}}",
		       fake_auth("presence-r", data), user);
	fake_say(c, text);
	(void)fake_record(WIRE_SUBSCRIBE);
	return c;
}

static void is_answered(struct fake_client *c, const char *members)
{
	receive(SUBSCRIBED, subscribed, .conn = fake_session(c)->sub.conn, ROOM);
	expect_part(c, members);
}

static void test_a_snapshot_is_of_the_members_told(void **state)
{
	struct fake_client *one = asks_as("1");
	struct fake_client *two;

	(void)state;
	list_is("7 1", true);
	expect_nothing(one);
	is_answered(one,
		    IN_ROOM "{\\\"presence\\\":{\\\"ids\\\":[\\\"7\\\",\\\"1\\\"],"
			    "\\\"hash\\\":{\\\"7\\\":null,\\\"1\\\":null},\\\"count\\\":2}}\"");
	two = asks_as("2");
	receive(MEMBER, member, ROOM, .op = WIRE_MEMBER_ADDED, .announce = 1,
		.user_id = SLICE_INIT("2"), .exclude = fake_session(two)->sub.conn);
	expect_text(one, ADDED("2"));
	/* The first to ask has gone: the second gets its list all the same. */
	fake_hang_up(one);
	(void)fake_record(WIRE_CONN_CLOSE);
	receive(MEMBER, member, ROOM, .op = WIRE_MEMBER_CHANGED, .user_id = SLICE_INIT("7"),
		.user_info = SLICE_INIT("[]"));
	is_answered(two, "{\\\"7\\\":[],\\\"1\\\":null,\\\"2\\\":null},\\\"count\\\":3}}");
	receive(MEMBER, member, ROOM, .op = WIRE_MEMBER_REMOVED, .announce = 1,
		.user_id = SLICE_INIT("1"));
	expect_text(two, REMOVED("1"));
	(void)asks_as("3");
	receive(MEMBER, member, ROOM, .op = WIRE_MEMBER_ADDED, .user_id = SLICE_INIT("3"));
	expect_nothing(two);
}

/* What a broker repeats, or another one finds to be different. */
static void test_members_are_told_of_once(void **state)
{
	struct fake_client *c = asks_as("1");

	(void)state;
	list_is("1 2 3", true);
	is_answered(c, "\\\"count\\\":3");
	receive(MEMBER, member, ROOM, .op = WIRE_MEMBER_ADDED, .announce = 1,
		.user_id = SLICE_INIT("2"));
	receive(MEMBER, member, ROOM, .op = WIRE_MEMBER_REMOVED, .announce = 1,
		.user_id = SLICE_INIT("9"));
	expect_nothing(c);
	list_is("4 3 1", true);
	expect_text(c, REMOVED("2"));
	expect_text(c, ADDED("4"));
	expect_nothing(c);
	list_is("1 5", false);
	list_is("1 5", true);
	expect_nothing(c);
	is_answered(asks_as("5"), "[\\\"1\\\",\\\"5\\\"]");
	/* nobody is in it, or could be */
	receive(MEMBERS, members, .channel = SLICE_INIT("presence-other"));
	receive(MEMBERS, members, .app = 77, ROOM);
	receive(MEMBER, member, .app = 77, ROOM, .op = WIRE_MEMBER_ADDED);
	receive(MEMBER, member, ROOM, .op = 99, .user_id = SLICE_INIT("1"));
	expect_nothing(c);
}

/* The last receiver is closed while it is told. */
static void test_a_list_that_ends_its_channel(void **state)
{
	struct fake_client *c = asks_as("1");

	(void)state;
	list_is("1 2 3", true);
	is_answered(c, "\\\"count\\\":3");
	c->full = true;
	list_is("4 "
		"5555555555555555555555555555555555555555555555555555555555555555555555555555555"
		"5555555555555555555555555555555555555555555555555555555555555555555555555555555 6",
		true);
	assert_int_equal(hub_channels(fake_worker->hub), 0);
}

/* ---- the rest ---- */

static void test_connections_that_are_gone(void **state)
{
	(void)state;
	receive(SUBSCRIBED, subscribed, .conn = 5, .channel = SLICE_INIT("a"));
	receive(REFUSED, refused, .conn = 5, .channel = SLICE_INIT("a"));
	receive(TO_CONN, to_conn, .conn = 5, .event = SLICE_INIT("e"));
	receive(ERROR, error, .conn = 5);
	receive(CLOSE, close, .conn = 5, .code = 4009);
	receive(EXPEL, expel, .conn = 5, .channel = SLICE_INIT("a"));
	receive(SIGNED_IN, signed_in, .conn = 5);
	expect_no_record();
}

static void test_one_connection(void **state)
{
	struct fake_client *c = joined(APP, "a");
	uint64_t conn = fake_session(c)->sub.conn;

	(void)state;
	receive(TO_CONN, to_conn, .conn = conn, .channel = SLICE_INIT("a"),
		.event = SLICE_INIT("chat.sync"), .data = SLICE_INIT("{}"));
	expect_text(c, "{\"event\":\"chat.sync\",\"channel\":\"a\",\"data\":\"{}\"}");
	receive(ERROR, error, .conn = conn, .message = SLICE_INIT("No"));
	expect_part(c, "\"code\":null,\"message\":\"No\"");
	receive(CLOSE, close, .conn = conn, .code = 4009, .reason = SLICE_INIT("Out"));
	expect_close(c, 4009);
}

static void test_answers(void **state)
{
	(void)state;
	receive(REPLY, reply, .req = 3, .status = 403);
	assert_int_equal(answered, 3);
	assert_int_equal(status, 403);
	receive(AUTHORIZED, authorized, .req = 4, .status = 200);
	assert_true(has_grant);
	receive(AUTHORIZED, authorized, .req = 5, .status = 401);
	assert_false(has_grant);
	receive(PUBLISHED, published, .number = 6, .status = 200);
	assert_int_equal(answered, 6);
	receive(STABLE, stable, .number = 7);
	assert_int_equal(answered, 7);
}

/* A new broker tells who we are, then its applications; then we tell it what we hold. */
static void test_a_new_broker(void **state)
{
	struct fake_client *c = joined(APP, "a");

	(void)state;
	receive(WORKER_INFO, worker_info, .number = 9, .apps = 2);
	assert_false(fake_worker->welcomed);
	receive(APP, app, .app = 1, .id = SLICE_INIT("new"), .key = SLICE_INIT("new-key"),
		.enabled = 1);
	assert_int_equal(released, 0);
	receive(APP, app, .app = 0, .id = SLICE_INIT("app"), .key = SLICE_INIT("key"),
		.enabled = 1);
	assert_true(fake_worker->welcomed);
	assert_int_equal(released, 1);
	assert_int_equal(fake_worker->number, 9);
	assert_int_equal(fake_worker->broker, BROKER_SYNCING);
	assert_ptr_equal(apps_by_key(fake_worker->apps, SLICE("key")), fake_session(c)->app);
}

static void test_what_cannot_be_read(void **state)
{
	struct fake_client *c = joined(APP, "a");

	(void)state;
	inbox_record(fake_worker, WIRE_EVENT, SLICE("x"));
	inbox_record(fake_worker, WIRE_CONN_OPEN, SLICE("x")); /* not ours to hear */
	inbox_record(fake_worker, 0, SLICE(""));
	inbox_record(fake_worker, 255, SLICE(""));
	expect_nothing(c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_an_event),
		TEST(test_an_event_had_before),
		TEST(test_a_slow_old_client),
		TEST(test_connections_that_are_gone),
		TEST(test_one_connection),
		TEST(test_answers),
		TEST(test_a_new_broker),
		TEST(test_what_cannot_be_read),
		TEST(test_a_snapshot_is_of_the_members_told),
		TEST(test_members_are_told_of_once),
		TEST(test_a_list_that_ends_its_channel),
	};

	return cmocka_run_group_tests_name("inbox", tests, NULL, NULL);
}
