#include "broker/dispatch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/limits.h"
#include "tests/unit/dispatch_fakes.h"

#define A CONN(1, 1)
#define B CONN(2, 1)
#define C CONN(2, 2)
#define PRESENCE (WIRE_SUB_PRESENCE | WIRE_SUB_AUTHORISED)

static int setup(void **state)
{
	(void)state;
	fakes_begin(true);
	return 0;
}

static int setup_closed(void **state)
{
	(void)state;
	fakes_begin(false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fakes_end();
	return 0;
}

/* ---- workers ---- */

static void test_a_new_worker_hears_who_it_is_and_of_apps(void **state)
{
	(void)state;
	expect_lines("1 WORKER_INFO 1 apps=2 chat=app\n"
		     "1 APP 0 app enabled=1\n1 APP 1 other enabled=1\n"
		     "2 WORKER_INFO 2 apps=2 chat=app\n"
		     "2 APP 0 app enabled=1\n2 APP 1 other enabled=1\n");
}

static void test_events_wait_until_all_workers_are_known(void **state)
{
	(void)state;
	fake_open(1, A, 0);
	fake_subscribe(1, A, "a", WIRE_SUB_RESYNC, "");
	SAY(1, sync_end, SYNC_END, .conns = 1);
	expect_news("1 WORKER_INFO 1 apps=2 chat=app\n"
		    "1 APP 0 app enabled=1\n1 APP 1 other enabled=1\n"
		    "2 WORKER_INFO 2 apps=2 chat=app\n"
		    "2 APP 0 app enabled=1\n2 APP 1 other enabled=1\n");
	fake_publish(1, 1, "a", 0);
	fake_subscribe(1, A, "b", 0, "");
	expect_lines("");
	assert_false(dispatch_is_open(fake_d));
	/* The second worker's subscriber gets the event that came before it was known. */
	fake_open(2, B, 0);
	fake_subscribe(2, B, "a", WIRE_SUB_RESYNC, "");
	SAY(2, sync_end, SYNC_END, .conns = 1);
	expect_news("1 EVENT a ev d\n2 EVENT a ev d\n1 PUBLISHED 1 200 {}\n"
		    "1 SUBSCRIBED b cache=0 \nchat subscribed b as \noutbox allow 1\n");
}

static void test_a_missing_worker_is_not_waited_for_for_ever(void **state)
{
	(void)state;
	SAY(1, sync_end, SYNC_END, .conns = 0);
	fake_publish(1, 1, "a", 0);
	fake_wait(USEC_PER_SEC);
	assert_false(dispatch_is_open(fake_d));
	assert_true(dispatch_deadline(fake_d) == fake_now + USEC_PER_SEC);
	fake_wait(USEC_PER_SEC);
	assert_true(dispatch_is_open(fake_d));
}

static void test_too_much_waiting_ends_the_wait(void **state)
{
	static const char data[2000];

	(void)state;
	for (unsigned i = 0; i < 4 && !dispatch_is_open(fake_d); i++)
		SAY(1, client_event, CLIENT_EVENT, .conn = A, .data = {data, sizeof(data)});
	assert_true(dispatch_is_open(fake_d));
}

static void test_a_worker_that_goes_while_others_are_awaited(void **state)
{
	(void)state;
	fake_open(1, A, 0);
	fake_publish(1, 1, "a", 0);
	SAY(1, sync_end, SYNC_END, .conns = 1);
	fake_gone(1);
	assert_int_equal(registry_connections(fake_d->parts.registry, 0), 1);
	SAY(2, sync_end, SYNC_END, .conns = 0);
	assert_int_equal(registry_connections(fake_d->parts.registry, 0), 0);
}

/* Its lane broke before it heard our welcome, so it comes as if for the first time. */
static void test_one_that_is_back_while_others_are_awaited(void **state)
{
	(void)state;
	fake_gone(1);
	dispatch_server_ops.on_worker_new(fake_d, &fake_lanes[0]);
	fake_open(1, A, 0);
	fake_subscribe(1, A, "a", WIRE_SUB_RESYNC, "");
	SAY(1, sync_end, SYNC_END, .conns = 1);
	SAY(2, sync_end, SYNC_END, .conns = 0);
	assert_true(dispatch_is_open(fake_d));
	assert_int_equal(registry_connections(fake_d->parts.registry, 0), 1);
	expect_news("1 WORKER_INFO 1 apps=2 chat=app\n"
		    "1 APP 0 app enabled=1\n1 APP 1 other enabled=1\n"
		    "2 WORKER_INFO 2 apps=2 chat=app\n"
		    "2 APP 0 app enabled=1\n2 APP 1 other enabled=1\n"
		    "1 WORKER_INFO 1 apps=2 chat=app\n"
		    "1 APP 0 app enabled=1\n1 APP 1 other enabled=1\noutbox allow 1\n");
	fake_publish(1, 1, "a", 0);
	expect_lines("1 EVENT a ev d\n1 PUBLISHED 1 200 {}\n");
}

/* What the fakes' workers were welcomed with. */
static void forget_welcome(void)
{
	expect_news("1 WORKER_INFO 1 apps=2 chat=app\n"
		    "1 APP 0 app enabled=1\n1 APP 1 other enabled=1\n"
		    "2 WORKER_INFO 2 apps=2 chat=app\n"
		    "2 APP 0 app enabled=1\n2 APP 1 other enabled=1\n");
}

static void retell_gone(uint32_t worker, uint64_t conn, const char *user)
{
	fake_open(worker, conn, 0);
	SAY(worker, note_again, NOTE_AGAIN, .conn = conn, .key = SLICE_INIT(WIRE_NOTE_USER),
	    .value = slice_str(user));
	fake_subscribe(worker, conn, "presence-a", PRESENCE | WIRE_SUB_RESYNC, user);
	SAY(worker, conn_gone, CONN_GONE, .conn = conn, .code = 1006, .closed_at = 5);
}

/* It closed while no broker was there: the others are told when the grace is over. */
static void test_who_left_while_no_broker_was_there_is_missed(void **state)
{
	(void)state;
	forget_welcome();
	retell_gone(1, A, "7");
	fake_open(2, B, 0);
	fake_subscribe(2, B, "presence-a", PRESENCE | WIRE_SUB_RESYNC, "8");
	SAY(1, sync_end, SYNC_END, .conns = 0);
	SAY(2, sync_end, SYNC_END, .conns = 1);
	expect_news("chat online 7\nchat online 8\n2 NOTE u 8\n"
		    "1 MEMBERS presence-a 7 8\n2 MEMBERS presence-a 7 8\n"
		    "chat closed 1.1\nchat left 7 presence-a\nchat unconnected 7\n"
		    "outbox allow 1\n");
	fake_wait(3 * USEC_PER_SEC);
	expect_news("2 MEMBER presence-a removed 7 \n"
		    "1 SETTLED 1 presence-a\n");
	fake_wait(7 * USEC_PER_SEC);
	expect_news("chat offline 7\n");
}

static void test_who_is_back_is_not(void **state)
{
	(void)state;
	forget_welcome();
	retell_gone(1, A, "7");
	fake_open(2, B, 0);
	fake_subscribe(2, B, "presence-a", PRESENCE | WIRE_SUB_RESYNC, "7");
	SAY(1, sync_end, SYNC_END, .conns = 0);
	SAY(2, sync_end, SYNC_END, .conns = 1);
	expect_news("chat online 7\n2 NOTE u 7\n1 MEMBERS presence-a 7\n2 MEMBERS presence-a 7\n"
		    "chat closed 1.1\noutbox allow 1\n");
	fake_wait(20 * USEC_PER_SEC);
	expect_news("");
}

static void retell_members(uint32_t worker, const char *user)
{
	struct buf list;

	buf_init(&list, 256);
	assert_true(wire_list_add(&list, slice_str(user)) && wire_list_add(&list, SLICE("{}")));
	SAY(worker, members_again, MEMBERS_AGAIN, .app = 0, .channel = SLICE_INIT("presence-a"),
	    .members = buf_slice(&list));
	buf_done(&list);
}

/* Their worker has gone with the broker, and nobody but the others knows that they were there. */
static void test_members_whom_nobody_has_are_missed(void **state)
{
	(void)state;
	forget_welcome();
	fake_open(2, B, 0);
	fake_subscribe(2, B, "presence-a", PRESENCE | WIRE_SUB_RESYNC, "8");
	retell_members(2, "7");
	retell_members(2, "8");
	retell_members(2, "9");
	SAY(2, sync_end, SYNC_END, .conns = 1);
	fake_wait(USEC_PER_SEC); /* the grace begins when the broker opens */
	SAY(1, sync_end, SYNC_END, .conns = 0);
	expect_news("chat online 8\n2 NOTE u 8\n2 MEMBERS presence-a 8 7 {} 9 {}\n"
		    "outbox allow 1\n");
	fake_wait(3 * USEC_PER_SEC - 1);
	fake_open(1, A, 0);
	fake_subscribe(1, A, "presence-a", PRESENCE, "7");
	expect_news("2 MEMBER presence-a silent changed 7 \n1 MEMBERS presence-a 8 7 9 {}\n"
		    "1 SUBSCRIBED presence-a cache=0 \nchat online 7\n1 NOTE u 7\n"
		    "chat subscribed presence-a as 7\n");
	fake_wait(1);
	expect_news("2 MEMBER presence-a removed 9 \n1 MEMBER presence-a removed 9 \n");
	retell_members(2, "9"); /* an open broker knows who is there */
	fake_wait(9 * USEC_PER_SEC);
	expect_news("");
}

/* A worker that comes late hears what it has missed, but not before it has told all. */
static void test_a_late_worker_is_told_the_members(void **state)
{
	(void)state;
	forget_welcome();
	SAY(1, sync_end, SYNC_END, .conns = 0);
	fake_wait(2 * USEC_PER_SEC);
	fake_open(1, A, 0);
	fake_subscribe(1, A, "presence-a", PRESENCE, "7");
	expect_news("outbox allow 1\n1 MEMBERS presence-a 7\n1 SUBSCRIBED presence-a cache=0 \n"
		    "chat online 7\n1 NOTE u 7\nchat subscribed presence-a as 7\n");
	SAY(2, sync_begin, SYNC_BEGIN, .conns = 1);
	fake_open(2, B, 0);
	fake_subscribe(2, B, "presence-a", PRESENCE | WIRE_SUB_RESYNC, "8");
	expect_news("1 MEMBER presence-a added 8  but\nchat online 8\n2 NOTE u 8\n");
	SAY(2, sync_end, SYNC_END, .conns = 1);
	expect_news("2 MEMBERS presence-a 7 8\n");
}

/* Whom a connection was identified as, and what the chat had noted, comes back with it. */
static void test_notes_come_back(void **state)
{
	(void)state;
	forget_welcome();
	fake_open(1, A, 0);
	SAY(1, note_again, NOTE_AGAIN, .conn = A, .key = SLICE_INIT(WIRE_NOTE_USER),
	    .value = SLICE_INIT("7"));
	SAY(1, note_again, NOTE_AGAIN, .conn = A, .key = SLICE_INIT("t"), .value = SLICE_INIT("x"));
	SAY(1, note_again, NOTE_AGAIN, .conn = B, .key = SLICE_INIT("t"), .value = SLICE_INIT("x"));
	fake_subscribe(1, A, "presence-a", PRESENCE | WIRE_SUB_RESYNC, "8");
	expect_lines("mirror conn 268435457.1 app=app user=\n"
		     "mirror conn 268435457.1 app=app user=7\n"
		     "mirror user 7 1\nchat online 7\nchat recalled 1 t x\n"
		     "mirror member 1 presence-a user=8\n");
}

/* Nobody came or went: it is we who did not know. */
static void test_watchers_hear_nothing_of_a_restart(void **state)
{
	struct buf list;

	(void)state;
	forget_welcome();
	buf_init(&list, 1024);
	assert_true(wire_list_add(&list, SLICE("8")));
	fake_open(1, A, 0);
	SAY(1, signin, SIGNIN, .conn = A, .user_id = SLICE_INIT("7"), .watchlist = buf_slice(&list),
	    .resync = 1);
	fake_open(2, B, 0);
	SAY(2, signin, SIGNIN, .conn = B, .user_id = SLICE_INIT("8"), .resync = 1);
	SAY(1, sync_end, SYNC_END, .conns = 1);
	SAY(2, sync_end, SYNC_END, .conns = 1);
	fake_wait(USEC_PER_SEC);
	expect_news("chat online 7\n1 NOTE u 7\nchat signed_in 7\n"
		    "chat online 8\n2 NOTE u 8\nchat signed_in 8\noutbox allow 1\n");
	buf_done(&list);
}

static void test_a_lost_worker_takes_its_connections_along(void **state)
{
	(void)state;
	fake_open(1, A, 0);
	fake_subscribe(1, A, "presence-a", PRESENCE, "7");
	fake_open(2, B, 0);
	fake_subscribe(2, B, "presence-a", PRESENCE, "8");
	expect_news("1 MEMBERS presence-a 7\n1 SUBSCRIBED presence-a cache=0 \n"
		    "chat online 7\n1 NOTE u 7\nchat subscribed presence-a as 7\n"
		    "1 MEMBER presence-a added 8  but\n"
		    "2 MEMBERS presence-a 7 8\n2 SUBSCRIBED presence-a cache=0 \n"
		    "chat online 8\n2 NOTE u 8\nchat subscribed presence-a as 8\n");
	fake_gone(1);
	expect_lines("chat closed 1.1\nmirror no worker 1\nchat left 7 presence-a\n"
		     "mirror user 7 0\nmirror last_seen 7\nchat unconnected 7\n");
	fake_wait(3 * USEC_PER_SEC);
	expect_lines("2 MEMBER presence-a removed 7 \n");
	fake_wait(7 * USEC_PER_SEC);
	expect_lines("mirror no user 7\nmirror last_seen 7\nchat offline 7\n");
}

/* ---- connections and subscriptions ---- */

static void test_the_mirror_follows_a_connection(void **state)
{
	(void)state;
	fake_open(1, A, 0);
	fake_identifies = "7";
	fake_subscribe(1, A, "private-a", WIRE_SUB_AUTHORISED, "");
	SAY(1, unsubscribe, UNSUBSCRIBE, .conn = A, .channel = SLICE_INIT("private-a"));
	SAY(1, conn_close, CONN_CLOSE, .conn = A, .code = 1000);
	expect_lines("mirror conn 268435457.1 app=app user=\n"
		     "mirror member 1 private-a user=\n"
		     "1 SUBSCRIBED private-a cache=0 \n"
		     "mirror conn 268435457.1 app=app user=7\n"
		     "mirror user 7 1\nchat online 7\n1 NOTE u 7\n"
		     "chat subscribed private-a as 7\n"
		     "mirror no member 1 private-a\n"
		     "chat closed 1.1\n"
		     "mirror user 7 0\nmirror last_seen 7\nchat unconnected 7\n"
		     "mirror no conn 1 1\n");
}

static void test_a_connection_over_the_quota_is_closed(void **state)
{
	(void)state;
	fake_open(1, A, 0);
	fake_open(1, CONN(1, 2), 0);
	fake_open(1, CONN(1, 3), 0);
	expect_news("");
	fake_open(2, B, 0);
	expect_news("2 ERROR 4004 Application is over connection quota\n"
		    "2 CLOSE 4004 Application is over connection quota\n");
	fake_open(2, C, 77);
	expect_news("2 CLOSE 4001 Application does not exist\n");
}

static void test_what_is_refused(void **state)
{
	(void)state;
	fake_open(1, A, 0);
	fake_denied = true;
	fake_subscribe(1, A, "news", 0, "");
	fake_denied = false;
	fake_subscribe(1, A, "#server-to-user-7", 0, "");
	fake_subscribe(1, CONN(1, 9), "news", 0, "");
	expect_news("1 REFUSED news AuthError 401 4009\n"
		    "1 REFUSED #server-to-user-7 AuthError 401 4009\n"
		    "1 REFUSED news ServerError 503 0\n");
	/* One that stood is over when it is asked for again in vain, here as at its worker. */
	fake_subscribe(1, A, "presence-a", PRESENCE, "7");
	fake_denied = true;
	fake_subscribe(1, A, "presence-a", PRESENCE | WIRE_SUB_AGAIN, "7");
	expect_news("1 MEMBERS presence-a 7\n1 SUBSCRIBED presence-a cache=0 \nchat online 7\n"
		    "1 NOTE u 7\nchat subscribed presence-a as 7\n"
		    "1 REFUSED presence-a AuthError 401 4009\nchat left 7 presence-a\n"
		    "1 SETTLED 1 presence-a\n");
	/* The chat has nothing to say about other applications. */
	fake_open(1, CONN(1, 2), 1);
	fake_subscribe(1, CONN(1, 2), "news", 0, "");
	expect_news("1 SUBSCRIBED news cache=0 \n");
}

static void test_a_full_presence_channel(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= 3; i++) {
		char user[2] = {(char)('0' + i), '\0'};

		fake_open(2, CONN(2, i), 1);
		if (i == 3)
			expect_news("2 MEMBERS presence-a 1\n2 SUBSCRIBED presence-a cache=0 \n"
				    "2 NOTE u 1\n"
				    "2 MEMBER presence-a added 2  but\n"
				    "2 SUBSCRIBED presence-a cache=0 \n2 NOTE u 2\n");
		fake_subscribe(2, CONN(2, i), "presence-a", PRESENCE, user);
	}
	expect_news("2 REFUSED presence-a LimitReached 4100 4100\n");
}

static void test_a_retold_subscription_that_the_rules_now_deny(void **state)
{
	(void)state;
	fake_open(1, A, 0);
	fake_denied = true;
	fake_subscribe(1, A, "news", WIRE_SUB_RESYNC, "");
	expect_news("1 EXPEL news\n");
	fake_publish(1, 1, "news", 0);
	expect_news("1 PUBLISHED 1 200 {}\n1 STABLE 1\n");
}

static void test_signin(void **state)
{
	(void)state;
	fake_open(1, A, 0);
	SAY(1, signin, SIGNIN, .conn = A, .user_id = SLICE_INIT("7"),
	    .user_data = SLICE_INIT("{\"id\":\"7\"}"));
	fake_subscribe(1, A, "#server-to-user-7", 0, "");
	SAY(1, signin, SIGNIN, .conn = A, .user_id = SLICE_INIT("8"));
	expect_news("chat online 7\n1 NOTE u 7\n1 SIGNED_IN {\"id\":\"7\"}\nchat signed_in 7\n"
		    "1 SUBSCRIBED #server-to-user-7 cache=0 \n"
		    "chat subscribed #server-to-user-7 as 7\n"
		    "1 ERROR 4009 Connection is signed in as another user\n");
}

static void test_watchlists(void **state)
{
	struct buf list;

	(void)state;
	buf_init(&list, 256);
	assert_true(wire_list_add(&list, SLICE("8")) && wire_list_add(&list, SLICE("9")) &&
		    wire_list_add(&list, SLICE("10")));
	fake_open(1, A, 1);
	fake_open(2, B, 1);
	SAY(1, signin, SIGNIN, .conn = A, .user_id = SLICE_INIT("7"),
	    .watchlist = buf_slice(&list));
	expect_news(
		"1 NOTE u 7\n1 SIGNED_IN \n1 TO_CONN pusher_internal:watchlist_events {\"events\":"
		"[{\"name\":\"offline\",\"user_ids\":[\"8\",\"9\"]}]}\n"
		"1 ERROR 4302 Watchlist limit exceeded. Only the first 2 user IDs are "
		"accepted.\n");
	SAY(2, signin, SIGNIN, .conn = B, .user_id = SLICE_INIT("8"));
	fake_wait(100 * USEC_PER_MSEC);
	expect_news(
		"2 NOTE u 8\n2 SIGNED_IN \n1 TO_CONN pusher_internal:watchlist_events {\"events\":"
		"[{\"name\":\"online\",\"user_ids\":[\"8\"]}]}\n");
	fake_gone(2);
	fake_wait(10 * USEC_PER_SEC);
	fake_wait(100 * USEC_PER_MSEC);
	expect_news("1 TO_CONN pusher_internal:watchlist_events {\"events\":"
		    "[{\"name\":\"offline\",\"user_ids\":[\"8\"]}]}\n");
	buf_done(&list);
}

static void test_cache_channels_replay_their_last_event(void **state)
{
	(void)state;
	fake_open(1, A, 1);
	fake_subscribe(1, A, "cache-a", WIRE_SUB_CACHE, "");
	expect_news("1 SUBSCRIBED cache-a cache=2 \n");
	SAY(1, conn_close, CONN_CLOSE, .conn = A);
	fake_open(1, A, 0);
	fake_publish(1, 1, "cache-a", 0);
	fake_subscribe(1, A, "cache-a", WIRE_SUB_CACHE, "");
	fake_subscribe(1, A, "cache-a", WIRE_SUB_CACHE | WIRE_SUB_AGAIN, "");
	expect_news("1 PUBLISHED 1 200 {}\n1 STABLE 1\n1 SUBSCRIBED cache-a cache=1 d\n"
		    "chat subscribed cache-a as \n1 SUBSCRIBED cache-a cache=0 \n"
		    "chat subscribed cache-a as \n");
}

/* ---- events ---- */

static void subscribe_all(void)
{
	fake_open(1, A, 0);
	fake_subscribe(1, A, "a", 0, "");
	fake_open(2, B, 0);
	fake_subscribe(2, B, "a", 0, "");
	fake_subscribe(2, B, "b", 0, "");
	expect_news("1 SUBSCRIBED a cache=0 \nchat subscribed a as \n"
		    "2 SUBSCRIBED a cache=0 \nchat subscribed a as \n"
		    "2 SUBSCRIBED b cache=0 \nchat subscribed b as \n");
}

static void test_events_go_where_subscribers_are(void **state)
{
	(void)state;
	subscribe_all();
	fake_publish(1, 1, "b", 0);
	expect_lines("2 EVENT b ev d\n1 PUBLISHED 1 200 {}\n");
	fake_publish(1, 2, "a b c", WIRE_INFO_SUBSCRIPTION_COUNT | WIRE_INFO_USER_COUNT);
	expect_lines("1 EVENT a ev d\n2 EVENT a ev d\n2 EVENT b ev d\n"
		     "1 PUBLISHED 2 200 {\"channels\":{\"a\":{\"subscription_count\":2},"
		     "\"b\":{\"subscription_count\":1},\"c\":{\"subscription_count\":0}}}\n");
}

static void test_a_publish_is_stable_when_all_have_it(void **state)
{
	(void)state;
	subscribe_all();
	fake_publish(1, 1, "a b", 0);
	expect_lines("1 EVENT a ev d\n2 EVENT a ev d\n2 EVENT b ev d\n1 PUBLISHED 1 200 {}\n");
	fake_ack(1);
	expect_lines("");
	assert_int_equal(dispatch_unstable(fake_d), 1);
	fake_ack(2);
	expect_lines("1 STABLE 1\n");
	/* Who is gone is not waited for. */
	fake_publish(1, 2, "b", 0);
	expect_lines("2 EVENT b ev d\n1 PUBLISHED 2 200 {}\n");
	fake_gone(2);
	expect_news("1 STABLE 2\nchat closed 2.1\n");
}

static void test_a_publish_is_ordered_once(void **state)
{
	(void)state;
	subscribe_all();
	fake_publish(1, 5, "a", 0);
	expect_lines("1 EVENT a ev d\n2 EVENT a ev d\n1 PUBLISHED 5 200 {}\n");
	fake_publish(1, 5, "a", 0);
	expect_lines("1 PUBLISHED 5 200 {}\n");
	fake_ack(1);
	fake_ack(2);
	expect_lines("1 STABLE 5\n1 STABLE 5\n");
	/* Numbers of another origin are others. */
	fake_publish(2, 5, "b", 0);
	expect_lines("2 EVENT b ev d\n2 PUBLISHED 5 200 {}\n");
}

static void test_the_publishing_connection_is_left_out(void **state)
{
	struct buf list;

	(void)state;
	subscribe_all();
	buf_init(&list, 64);
	assert_true(wire_list_add(&list, SLICE("a")));
	for (unsigned i = 0; i < 3; i++) {
		static const struct slice ids[] = {SLICE_INIT("268435457.1"),
						   SLICE_INIT("268435457.2"), SLICE_INIT("x")};

		SAY(1, publish, PUBLISH, .origin = 1, .number = i + 1, .event = SLICE_INIT("ev"),
		    .channels = buf_slice(&list), .socket_id = ids[i]);
	}
	buf_done(&list);
	expect_lines("1 EVENT a ev  but\n2 EVENT a ev  but\n1 PUBLISHED 1 200 {}\n"
		     "1 EVENT a ev \n2 EVENT a ev \n1 PUBLISHED 2 200 {}\n"
		     "1 EVENT a ev \n2 EVENT a ev \n1 PUBLISHED 3 200 {}\n");
}

static void test_client_events(void **state)
{
	(void)state;
	fake_open(1, A, 1);
	fake_subscribe(1, A, "presence-a", PRESENCE, "7");
	fake_open(2, B, 1);
	fake_subscribe(2, B, "private-a", WIRE_SUB_AUTHORISED, "");
	expect_news("1 MEMBERS presence-a 7\n1 SUBSCRIBED presence-a cache=0 \n1 NOTE u 7\n"
		    "2 SUBSCRIBED private-a cache=0 \n");
	SAY(1, client_event, CLIENT_EVENT, .conn = A, .channel = SLICE_INIT("presence-a"),
	    .event = SLICE_INIT("client-x"), .data = SLICE_INIT("1"),
	    .user_id = SLICE_INIT("forged"));
	SAY(2, client_event, CLIENT_EVENT, .conn = B, .channel = SLICE_INIT("private-a"),
	    .event = SLICE_INIT("client-x"), .data = SLICE_INIT("2"));
	SAY(2, client_event, CLIENT_EVENT, .conn = B, .channel = SLICE_INIT("presence-a"),
	    .event = SLICE_INIT("client-x"), .data = SLICE_INIT("3"));
	expect_lines("1 EVENT presence-a client-x 1 by 7 but\n"
		     "2 EVENT private-a client-x 2 but\n");
}

static void test_events_of_sql(void **state)
{
	struct store_event events[2] = {
		{.id = 1,
		 .channel = SLICE_INIT("a"),
		 .event = SLICE_INIT("x"),
		 .payload = SLICE_INIT("{}"),
		 .socket_id = SLICE_INIT("268435457.1")},
		{.id = 2,
		 .app = SLICE_INIT("nobody"),
		 .channel = SLICE_INIT("a"),
		 .event = SLICE_INIT("y")},
	};

	(void)state;
	subscribe_all();
	dispatch_on_events(fake_d, events, 2);
	expect_lines("1 EVENT a x {} but\n2 EVENT a x {} but\n");
	fake_ack(2);
	fake_ack(1);
	expect_lines("outbox done\n");
	dispatch_on_events(fake_d, events + 1, 1);
	expect_lines("outbox done\n");
}

static void test_a_record_that_cannot_be_read(void **state)
{
	struct dispatch_counts counts;

	(void)state;
	fake_record(1, WIRE_SUBSCRIBE, SLICE("x"));
	fake_record(1, WIRE_EVENT, SLICE(""));
	fake_record(1, 255, SLICE(""));
	expect_lines("");
	dispatch_counts(fake_d, &counts);
	assert_int_equal(counts.bad_records, 3);
}

/* ---- questions ---- */

static void ask(uint8_t what, const char *channel, const char *prefix, uint8_t info)
{
	SAY(1, query, QUERY, .req = 9, .app = 0, .what = what, .channel = slice_str(channel),
	    .prefix = slice_str(prefix), .info = info);
}

static void test_queries(void **state)
{
	const uint8_t both = WIRE_INFO_USER_COUNT | WIRE_INFO_SUBSCRIPTION_COUNT;

	(void)state;
	ask(WIRE_QUERY_CHANNELS, "", "", 0);
	ask(WIRE_QUERY_CHANNEL, "presence-x", "", both);
	ask(WIRE_QUERY_USERS, "presence-x", "", 0);
	expect_lines("1 REPLY 9 200 {\"channels\":{}}\n"
		     "1 REPLY 9 200 {\"occupied\":false,\"user_count\":0,"
		     "\"subscription_count\":0}\n"
		     "1 REPLY 9 200 {\"users\":[]}\n");
	fake_open(1, A, 0);
	fake_subscribe(1, A, "presence-x", PRESENCE, "7\"");
	fake_publish(1, 1, "cache-a", 0);
	expect_news("1 MEMBERS presence-x 7\"\n1 SUBSCRIBED presence-x cache=0 \n"
		    "chat online 7\"\n1 NOTE u 7\"\nchat subscribed presence-x as 7\"\n"
		    "1 PUBLISHED 1 200 {}\n1 STABLE 1\n");
	ask(WIRE_QUERY_CHANNELS, "", "presence-", WIRE_INFO_USER_COUNT);
	ask(WIRE_QUERY_CHANNELS, "", "private-", 0);
	ask(WIRE_QUERY_CHANNEL, "presence-x", "", both);
	ask(WIRE_QUERY_CHANNEL, "cache-a", "", WIRE_INFO_CACHE);
	ask(WIRE_QUERY_CHANNEL, "cache-b", "", WIRE_INFO_CACHE);
	ask(WIRE_QUERY_USERS, "presence-x", "", 0);
	ask(WIRE_QUERY_USERS, "presence-x", "", WIRE_INFO_USER_INFO);
	ask(WIRE_QUERY_CONNECTIONS, "", "", 0);
	ask(99, "", "", 0);
	expect_lines("1 REPLY 9 200 {\"channels\":{\"presence-x\":{\"user_count\":1}}}\n"
		     "1 REPLY 9 200 {\"channels\":{}}\n"
		     "1 REPLY 9 200 {\"occupied\":true,\"user_count\":1,"
		     "\"subscription_count\":1}\n"
		     "1 REPLY 9 200 {\"occupied\":false,\"cache\":{\"data\":\"d\",\"ttl\":60}}\n"
		     "1 REPLY 9 200 {\"occupied\":false,\"cache\":null}\n"
		     "1 REPLY 9 200 {\"users\":[{\"id\":\"7\\\"\"}]}\n"
		     "1 REPLY 9 200 {\"users\":[{\"id\":\"7\\\"\",\"user_info\":null}]}\n"
		     "1 REPLY 9 200 {\"connections\":1}\n"
		     "1 REPLY 9 404 Not found\n");
}

static void test_terminate(void **state)
{
	(void)state;
	fake_open(1, A, 0);
	fake_subscribe(1, A, "presence-x", PRESENCE, "7");
	fake_open(2, B, 1);
	fake_subscribe(2, B, "presence-x", PRESENCE, "7");
	fake_open(2, C, 1);
	SAY(2, signin, SIGNIN, .conn = C, .user_id = SLICE_INIT("7"));
	expect_news("1 MEMBERS presence-x 7\n1 SUBSCRIBED presence-x cache=0 \n"
		    "chat online 7\n1 NOTE u 7\nchat subscribed presence-x as 7\n"
		    "2 MEMBERS presence-x 7\n2 SUBSCRIBED presence-x cache=0 \n2 NOTE u 7\n"
		    "2 NOTE u 7\n2 SIGNED_IN \n");
	SAY(1, terminate, TERMINATE, .req = 3, .app = 0, .user_id = SLICE_INIT("7"));
	expect_lines("1 CLOSE 4009 You got disconnected by the app.\n1 REPLY 3 200 {}\n");
	/* Without terminate_by_presence only who has signed in. */
	SAY(1, terminate, TERMINATE, .req = 4, .app = 1, .user_id = SLICE_INIT("7"));
	expect_lines("2 CLOSE 4200 You got disconnected by the app.\n1 REPLY 4 200 {}\n");
	SAY(1, terminate, TERMINATE, .req = 5, .app = 1, .user_id = SLICE_INIT("nobody"));
	expect_lines("1 REPLY 5 200 {}\n");
}

static void test_questions_to_the_chat(void **state)
{
	(void)state;
	SAY(1, authorize, AUTHORIZE, .req = 1, .socket_id = SLICE_INIT("1.2"),
	    .channel = SLICE_INIT("private-a"));
	fake_answer(200, "");
	SAY(2, chat_call, CHAT_CALL, .req = 2, .route = WIRE_CHAT_SEND, .text = SLICE_INIT("hi"));
	fake_answer(201, "{}");
	/* A worker that has gone gets none. */
	SAY(2, chat_call, CHAT_CALL, .req = 3, .route = WIRE_CHAT_READ);
	fake_gone(2);
	fake_answer(200, "{}");
	expect_lines("chat authorize 1.2 private-a\n1 AUTHORIZED 1 200 7\n"
		     "chat call 8 hi\n2 REPLY 2 201 {}\nchat call 4 \n");
}

static void authorize(uint32_t worker, const char *socket_id)
{
	SAY(worker, authorize, AUTHORIZE, .req = 7, .socket_id = slice_str(socket_id),
	    .channel = SLICE_INIT("private-a"));
}

/* Another worker than the one of the connection may be the quicker one. */
static void test_a_request_waits_for_its_connection(void **state)
{
	(void)state;
	authorize(2, "268435457.1"); /* CONN(1, 1) */
	expect_lines("");
	fake_open(1, CONN(1, 2), 0);
	expect_news("");
	fake_open(1, CONN(1, 1), 0);
	expect_news("chat authorize 268435457.1 private-a\n");
	fake_answer(403, "{}");
	expect_lines("2 AUTHORIZED 7 403 7\n");
}

static void test_a_request_does_not_wait_in_vain(void **state)
{
	(void)state;
	fake_open(1, CONN(1, 5), 0);
	expect_news("");
	authorize(2, "268435460.1"); /* gone: a later one is known */
	expect_lines("chat authorize 268435460.1 private-a\n");
	fake_answer(403, "{}");
	authorize(2, "2415919105.1"); /* of a worker that does not exist */
	fake_answer(403, "{}");
	authorize(2, "x");
	fake_answer(403, "{}");
	expect_lines("2 AUTHORIZED 7 403 7\nchat authorize 2415919105.1 private-a\n"
		     "2 AUTHORIZED 7 403 7\nchat authorize x private-a\n"
		     "2 AUTHORIZED 7 403 7\n");
	authorize(2, "268435462.1"); /* may come */
	expect_lines("");
	assert_int_equal(dispatch_deadline(fake_d), fake_now + EARLY_WAIT);
	fake_wait(EARLY_WAIT);
	expect_lines("chat authorize 268435462.1 private-a\n");
	fake_answer(403, "{}");
	expect_lines("2 AUTHORIZED 7 403 7\n");
}

static void test_what_the_chat_does(void **state)
{
	const struct chat_ops *ops = &dispatch_chat_ops;
	struct chat_event e = {.channel = SLICE_INIT("a"),
			       .event = SLICE_INIT("message.sent"),
			       .data = SLICE_INIT("{}"),
			       .exclude = A};

	(void)state;
	subscribe_all();
	ops->publish(fake_d, &e);
	ops->to_conn(fake_d, B, SLICE("b"), SLICE("chat.sync"), SLICE("{}"));
	ops->expel(fake_d, A, SLICE("a"));
	ops->close(fake_d, B, 4009, SLICE("revoked"));
	ops->to_conn(fake_d, CONN(3, 3), SLICE("b"), SLICE("chat.sync"), SLICE("{}"));
	expect_news("1 EVENT a message.sent {} but\n2 EVENT a message.sent {} but\n"
		    "2 TO_CONN chat.sync {}\n1 EXPEL a\n2 CLOSE 4009 revoked\n");
	assert_true(ops->find_conn(fake_d, SLICE("268435457.1")) == A);
	assert_true(ops->find_conn(fake_d, SLICE("268435457.2")) == 0);
	ops->publish(fake_d, &e);
	expect_lines("2 EVENT a message.sent {} but\n");
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define CLOSED(name) cmocka_unit_test_setup_teardown(name, setup_closed, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLOSED(test_a_new_worker_hears_who_it_is_and_of_apps),
		CLOSED(test_events_wait_until_all_workers_are_known),
		CLOSED(test_a_missing_worker_is_not_waited_for_for_ever),
		CLOSED(test_too_much_waiting_ends_the_wait),
		CLOSED(test_a_worker_that_goes_while_others_are_awaited),
		CLOSED(test_one_that_is_back_while_others_are_awaited),
		CLOSED(test_who_left_while_no_broker_was_there_is_missed),
		CLOSED(test_who_is_back_is_not),
		CLOSED(test_members_whom_nobody_has_are_missed),
		CLOSED(test_a_late_worker_is_told_the_members),
		CLOSED(test_notes_come_back),
		CLOSED(test_watchers_hear_nothing_of_a_restart),
		WITH(test_a_lost_worker_takes_its_connections_along),
		WITH(test_the_mirror_follows_a_connection),
		WITH(test_a_connection_over_the_quota_is_closed),
		WITH(test_what_is_refused),
		WITH(test_a_full_presence_channel),
		WITH(test_a_retold_subscription_that_the_rules_now_deny),
		WITH(test_signin),
		WITH(test_watchlists),
		WITH(test_cache_channels_replay_their_last_event),
		WITH(test_events_go_where_subscribers_are),
		WITH(test_a_publish_is_stable_when_all_have_it),
		WITH(test_a_publish_is_ordered_once),
		WITH(test_the_publishing_connection_is_left_out),
		WITH(test_client_events),
		WITH(test_events_of_sql),
		WITH(test_a_record_that_cannot_be_read),
		WITH(test_queries),
		WITH(test_terminate),
		WITH(test_questions_to_the_chat),
		WITH(test_a_request_waits_for_its_connection),
		WITH(test_a_request_does_not_wait_in_vain),
		WITH(test_what_the_chat_does),
	};

	return cmocka_run_group_tests_name("dispatch", tests, NULL, NULL);
}
