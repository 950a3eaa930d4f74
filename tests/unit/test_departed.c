/*
 * What a worker keeps for a broker that has not come yet: notes of the one before, and who has gone
 * without all having been told.
 */
#include "worker/departed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/wire/wire.h"
#include "tests/unit/session_fakes.h"
#include "worker/inbox.h"
#include "worker/resync.h"

#define APP "/app/key?protocol=7"
#define ROOM "presence-room"
#define KEEP (10 * USEC_PER_SEC) /* of session_fakes.c */

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

static struct departed *gone(void)
{
	return fake_worker->departed;
}

/* A member of the room; the records of joining are taken. */
static struct fake_client *member(const char *user)
{
	struct fake_client *c = fake_open(APP);
	char data[64];
	char text[512];

	(void)snprintf(data, sizeof(data), "{\"user_id\":\"%s\"}", user);
	(void)snprintf(text, sizeof(text),
		       "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"" ROOM "\","
		       "\"auth\":\"%s\",\"channel_data\":\"{\\\"user_id\\\":\\\"%s\\\"}\"}}",
		       fake_auth(ROOM, data), user);
	fake_say(c, text);
	(void)fake_record(WIRE_SUBSCRIBE);
	fake_subscribed(c, ROOM);
	expect_part(c, "subscription_succeeded");
	return c;
}

static void leave_room(struct fake_client *c)
{
	fake_say(c, "{\"event\":\"pusher:unsubscribe\",\"data\":{\"channel\":\"" ROOM "\"}}");
}

static void note(const struct fake_client *c, const char *key, const char *value)
{
	session_on_note(fake_session(c), slice_str(key), slice_str(value));
}

static void expect_note(uint64_t conn, const char *key, const char *value)
{
	struct wire_note_again m;

	assert_true(wire_decode_note_again(fake_record(WIRE_NOTE_AGAIN), &m));
	assert_int_equal(m.conn, conn);
	assert_true(slice_eq(m.key, slice_str(key)));
	assert_true(slice_eq(m.value, slice_str(value)));
}

static void expect_member(uint64_t conn, const char *user)
{
	struct wire_subscribe m;

	assert_true(wire_decode_subscribe(fake_record(WIRE_SUBSCRIBE), &m));
	assert_int_equal(m.conn, conn);
	assert_true(slice_eq(m.channel, SLICE(ROOM)));
	assert_true(slice_eq(m.user_id, slice_str(user)));
	assert_int_equal(m.flags, WIRE_SUB_RESYNC | WIRE_SUB_PRESENCE | WIRE_SUB_AUTHORISED);
}

static void expect_open(uint64_t conn)
{
	struct wire_conn_open m;

	assert_true(wire_decode_conn_open(fake_record(WIRE_CONN_OPEN), &m));
	assert_int_equal(m.conn, conn);
}

static void expect_gone(uint64_t conn)
{
	struct wire_conn_gone m;

	assert_true(wire_decode_conn_gone(fake_record(WIRE_CONN_GONE), &m));
	assert_int_equal(m.conn, conn);
	assert_true(m.closed_at > 0);
}

static void broker_goes(void)
{
	fake_worker->broker = BROKER_AWAY;
}

/* Another one, which is told everything. */
static void broker_comes(void)
{
	resync_begin(fake_worker);
	while (resync_step(fake_worker))
		;
	(void)fake_record(WIRE_SYNC_BEGIN);
}

static void settled(uint64_t conn)
{
	departed_settled(gone(), conn, SLICE(ROOM));
}

static void notes_are_kept_replaced_and_taken_back(void **state)
{
	struct fake_client *c = fake_open(APP);
	uint64_t conn = fake_session(c)->sub.conn;

	(void)state;
	note(c, "u", "7");
	note(c, "ga", "one");
	note(c, "gb", "two");
	note(c, "ga", "three");
	note(c, "gb", "");
	note(c, "gc", "");
	note(c, "", "nothing");
	broker_goes();
	broker_comes();
	expect_open(conn);
	expect_note(conn, "u", "7");
	expect_note(conn, "ga", "three");
	(void)fake_record(WIRE_SYNC_END);
	expect_no_record();
}

static void who_closes_while_the_broker_is_away_is_told_of(void **state)
{
	struct fake_client *c = member("7");
	uint64_t conn = fake_session(c)->sub.conn;

	(void)state;
	note(c, "u", "7");
	note(c, "t", "token");
	broker_goes();
	fake_hang_up(c);
	(void)fake_record(WIRE_CONN_CLOSE); /* for the old broker, should it come back */
	broker_comes();
	expect_open(conn);
	expect_note(conn, "u", "7");
	expect_member(conn, "7");
	expect_gone(conn);
	(void)fake_record(WIRE_SYNC_END);
	expect_no_record();
	assert_int_equal(departed_count(gone()), 1);
}

/* Its close may have been handled, and yet the grace was not over when the broker died. */
static void who_closed_shortly_before_is_told_of_too(void **state)
{
	struct fake_client *c = member("7");
	uint64_t conn = fake_session(c)->sub.conn;

	(void)state;
	fake_hang_up(c);
	(void)fake_record(WIRE_CONN_CLOSE);
	broker_goes();
	broker_comes();
	expect_open(conn);
	expect_member(conn, "7");
	expect_gone(conn);
	(void)fake_record(WIRE_SYNC_END);
}

static void what_the_broker_has_settled_is_forgotten(void **state)
{
	struct fake_client *c = member("7");
	uint64_t conn = fake_session(c)->sub.conn;

	(void)state;
	fake_hang_up(c);
	(void)fake_record(WIRE_CONN_CLOSE);
	settled(conn + 1);
	departed_settled(gone(), conn, SLICE("presence-other"));
	assert_int_equal(departed_count(gone()), 1);
	settled(conn);
	assert_int_equal(departed_count(gone()), 0);
	broker_goes();
	broker_comes();
	(void)fake_record(WIRE_SYNC_END);
	expect_no_record();
}

/* That the user has gone offline is never settled: it is forgotten when the time is over. */
static void time_forgets_the_rest(void **state)
{
	struct fake_client *c = member("7");
	uint64_t conn = fake_session(c)->sub.conn;

	(void)state;
	note(c, "u", "7");
	fake_hang_up(c);
	(void)fake_record(WIRE_CONN_CLOSE);
	settled(conn);
	assert_int_equal(departed_count(gone()), 1);
	departed_turn(gone(), fake_now + KEEP - 1);
	assert_int_equal(departed_count(gone()), 1);
	departed_restart(gone(), fake_now + KEEP, false);
	departed_turn(gone(), fake_now + KEEP);
	assert_int_equal(departed_count(gone()), 1);
	departed_turn(gone(), fake_now + 2 * KEEP);
	assert_int_equal(departed_count(gone()), 0);
}

static void who_was_nobody_leaves_nothing(void **state)
{
	struct fake_client *c = fake_open(APP);

	(void)state;
	fake_say(c, "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"news\"}}");
	(void)fake_record(WIRE_SUBSCRIBE);
	fake_subscribed(c, "news");
	fake_hang_up(c);
	(void)fake_record(WIRE_CONN_CLOSE);
	assert_int_equal(departed_count(gone()), 0);
}

static void who_left_the_room_is_told_of(void **state)
{
	struct fake_client *c = member("7");
	uint64_t conn = fake_session(c)->sub.conn;

	(void)state;
	broker_goes();
	leave_room(c);
	(void)fake_record(WIRE_UNSUBSCRIBE);
	broker_comes();
	expect_open(conn);
	expect_member(conn, "7");
	(void)fake_record(WIRE_UNSUBSCRIBE);
	(void)fake_record(WIRE_SYNC_END);
	expect_no_record();
	settled(conn);
	assert_int_equal(departed_count(gone()), 0);
}

static void who_left_and_closed_is_told_of_once(void **state)
{
	struct fake_client *c = member("7");
	uint64_t conn = fake_session(c)->sub.conn;

	(void)state;
	broker_goes();
	leave_room(c);
	(void)fake_record(WIRE_UNSUBSCRIBE);
	fake_hang_up(c);
	(void)fake_record(WIRE_CONN_CLOSE);
	broker_comes();
	expect_open(conn);
	expect_member(conn, "7");
	(void)fake_record(WIRE_UNSUBSCRIBE);
	expect_gone(conn);
	(void)fake_record(WIRE_SYNC_END);
	expect_no_record();
}

static void who_is_back_in_the_room_stands(void **state)
{
	struct fake_client *c = member("7");
	uint64_t conn = fake_session(c)->sub.conn;
	char text[512];

	(void)state;
	leave_room(c);
	(void)fake_record(WIRE_UNSUBSCRIBE);
	(void)snprintf(text, sizeof(text),
		       "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"" ROOM "\","
		       "\"auth\":\"%s\",\"channel_data\":\"{\\\"user_id\\\":\\\"7\\\"}\"}}",
		       fake_auth(ROOM, "{\"user_id\":\"7\"}"));
	fake_say(c, text);
	(void)fake_record(WIRE_SUBSCRIBE);
	fake_subscribed(c, ROOM);
	broker_goes();
	broker_comes();
	expect_open(conn);
	expect_member(conn, "7");
	(void)fake_record(WIRE_SYNC_END);
	expect_no_record();
}

/* The new broker is there but has not been told of it when it closes. */
static void who_closes_during_the_resync_is_told_of(void **state)
{
	struct fake_client *c = member("7");
	uint64_t conn = fake_session(c)->sub.conn;

	(void)state;
	broker_goes();
	resync_forget(fake_worker);
	fake_hang_up(c);
	expect_no_record();
	broker_comes();
	expect_open(conn);
	expect_member(conn, "7");
	expect_gone(conn);
	(void)fake_record(WIRE_SYNC_END);
}

static void a_full_lane_is_no_end(void **state)
{
	struct fake_client *c = member("7");
	uint64_t conn = fake_session(c)->sub.conn;

	(void)state;
	fake_hang_up(c);
	(void)fake_record(WIRE_CONN_CLOSE);
	broker_goes();
	resync_begin(fake_worker);
	fake_lane_full = true;
	assert_false(resync_step(fake_worker));
	expect_no_record();
	fake_lane_full = false;
	assert_false(resync_step(fake_worker));
	(void)fake_record(WIRE_SYNC_BEGIN);
	expect_open(conn);
	expect_member(conn, "7");
	expect_gone(conn);
	(void)fake_record(WIRE_SYNC_END);
}

static void room_is_bounded(void **state)
{
	struct departed *small = departed_new(KEEP, 1);

	(void)state;
	departed_free(gone());
	fake_worker->departed = small;
	for (int i = 0; i < 3; i++) {
		struct fake_client *c = member("7");

		fake_hang_up(c);
		(void)fake_record(WIRE_CONN_CLOSE);
		assert_int_equal(departed_count(small), 1);
		assert_int_equal(departed_lost(small), i);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(notes_are_kept_replaced_and_taken_back),
		TEST(who_closes_while_the_broker_is_away_is_told_of),
		TEST(who_closed_shortly_before_is_told_of_too),
		TEST(what_the_broker_has_settled_is_forgotten),
		TEST(time_forgets_the_rest),
		TEST(who_was_nobody_leaves_nothing),
		TEST(who_left_the_room_is_told_of),
		TEST(who_left_and_closed_is_told_of_once),
		TEST(who_is_back_in_the_room_stands),
		TEST(who_closes_during_the_resync_is_told_of),
		TEST(a_full_lane_is_no_end),
		TEST(room_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
