/* Without the database: what is answered with 503, what goes on from memory, what comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/chat_fakes.h"

static int setup(void **state)
{
	(void)state;
	fake_begin();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_end();
	return 0;
}

static void writes_are_503_with_a_time(void **state)
{
	static const uint8_t routes[] = {
		WIRE_CHAT_ONLINE_STATUS,
		WIRE_CHAT_READ,
		WIRE_CHAT_DELIVERED,
		WIRE_CHAT_ACTIVE_CHATS,
		WIRE_CHAT_HISTORY,
		WIRE_CHAT_SEND,
		WIRE_CHAT_EDIT,
		WIRE_CHAT_DELETE,
		WIRE_CHAT_CREATE,
		WIRE_CHAT_ADD_PARTICIPANT,
		WIRE_CHAT_REMOVE_PARTICIPANT,
		WIRE_CHAT_RECEIPTS,
		WIRE_CHAT_USERS_ONLINE,
	};

	(void)state;
	(void)fake_send("1", 1, "x");
	fake_away = true;
	fake_forget();
	for (size_t i = 0; i < sizeof(routes); i++) {
		struct fake_reply *r = fake_ask("1", (struct chat_call){.route = routes[i],
									.chat = 1,
									.message = 1,
									.text = SLICE("x"),
									.user = SLICE("2")});

		assert_int_equal(r->status, 503);
		assert_true(r->retry_after >= 1);
		assert_string_equal(r->body, "{\"message\":\"Service Unavailable\"}");
	}
	expect_untold("publish");
}

static void known_tokens_are_good_for_the_grace(void **state)
{
	const struct chat_call info = {.route = WIRE_CHAT_CONNECTION_INFO};

	(void)state;
	(void)fake_ask("1", info);
	fake_away = true;
	chat_store_changed(fake_chat, fake_now, false);
	fake_pass(299 * USEC_PER_SEC);
	assert_int_equal(fake_ask("1", info)->status, 200);
	assert_int_equal(fake_ask("2", info)->status, 503);
	fake_pass(2 * USEC_PER_SEC);
	assert_int_equal(fake_ask("1", info)->status, 503);
}

/* The store has not said yet that it is away: its answers do. */
static void the_grace_holds_before_the_store_knows(void **state)
{
	const struct chat_call info = {.route = WIRE_CHAT_CONNECTION_INFO};

	(void)state;
	(void)fake_ask("1", info);
	fake_pass(100 * USEC_PER_SEC);
	fake_away = true;
	assert_int_equal(fake_ask("1", info)->status, 200);
}

static void known_participants_may_subscribe(void **state)
{
	(void)state;
	assert_int_equal(fake_authorize("1", 7, "private-chat.1")->status, 200);
	fake_away = true;
	assert_int_equal(fake_authorize("1", 7, "private-chat.1")->status, 200);
	assert_int_equal(fake_authorize("1", 7, "presence-users")->status, 200);
	assert_int_equal(fake_authorize("1", 7, "private-user.1")->status, 200);
	assert_int_equal(fake_authorize("1", 7, "private-chat.2")->status, 503);
}

static void who_was_removed_is_not_known_any_more(void **state)
{
	(void)state;
	assert_int_equal(fake_authorize("2", 7, "private-chat.1")->status, 200);
	(void)fake_ask("1", (struct chat_call){.route = WIRE_CHAT_REMOVE_PARTICIPANT,
					       .chat = 1,
					       .user = SLICE("2")});
	fake_away = true;
	assert_int_equal(fake_authorize("2", 7, "private-chat.1")->status, 503);
}

static void who_left_without_our_knowledge_is_seen_when_asked(void **state)
{
	(void)state;
	assert_int_equal(fake_authorize("2", 7, "private-chat.1")->status, 200);
	fake_leave(1, "2");
	assert_int_equal(fake_authorize("2", 7, "private-chat.1")->status, 403);
	fake_away = true;
	assert_int_equal(fake_authorize("2", 7, "private-chat.1")->status, 503);
}

static void presence_goes_on_from_memory(void **state)
{
	(void)state;
	fake_open(7);
	assert_true(fake_join("1", 7, "presence-users"));
	fake_away = true;
	fake_forget();
	fake_close(7);
	fake_pass(10 * USEC_PER_SEC);
	expect_told("publish presence-users user.status.changed {\"user\":{\"id\":1,"
		    "\"name\":\"Ada\",\"is_online\":false,"
		    "\"last_seen_at\":\"2025-11-25T08:30:00.000Z\"}}");
}

/* Of a stranger nothing is known, not even whether he hides. */
static void strangers_are_told_when_the_database_is_back(void **state)
{
	(void)state;
	fake_away = true;
	fake_open(7);
	assert_true(fake_subscribe(7, "presence-users", true, "1"));
	fake_settle();
	expect_untold("publish");
	fake_away = false;
	chat_store_changed(fake_chat, fake_now, true);
	fake_settle();
	expect_told("publish presence-users user.status.changed {\"user\":{\"id\":1,"
		    "\"name\":\"Ada\",\"is_online\":true,");
}

static void or_after_a_while_when_it_was_only_busy(void **state)
{
	(void)state;
	fake_away = true;
	fake_open(7);
	assert_true(fake_subscribe(7, "presence-users", true, "1"));
	fake_settle();
	fake_away = false;
	assert_true(chat_deadline(fake_chat) <= fake_now + USEC_PER_SEC);
	fake_pass(USEC_PER_SEC);
	expect_told("user.status.changed");
}

static void being_shown_again_is_not_forgotten(void **state)
{
	(void)state;
	fake_open(7);
	assert_true(fake_join("1", 7, "presence-users"));
	(void)fake_ask("1", (struct chat_call){.route = WIRE_CHAT_ONLINE_STATUS, .flag = 0});
	fake_pass(USEC_PER_SEC);
	fake_close(7);
	fake_pass(10 * USEC_PER_SEC);
	fake_away = true;
	fake_forget();
	fake_open(8);
	assert_true(fake_subscribe(8, "presence-users", true, "1"));
	fake_settle();
	expect_told("\"is_online\":true");
	fake_away = false;
	chat_store_changed(fake_chat, fake_now, true);
	fake_settle();
	assert_non_null(
		strstr(fake_ask("3", (struct chat_call){.route = WIRE_CHAT_USERS_ONLINE})->body,
		       "\"id\":1,\"name\":\"Ada\",\"is_online\":true"));
}

static void a_line_that_cannot_be_made_is_left_out(void **state)
{
	static struct fake_reply sent;

	(void)state;
	(void)fake_send("1", 1, "known");
	fake_forget();
	fake_call("1", (struct chat_call){.route = WIRE_CHAT_SEND, .chat = 1, .text = SLICE("x")},
		  &sent);
	fake_away = true;
	fake_settle();
	assert_int_equal(sent.status, 201);
	expect_told("message.sent");
	expect_untold("chat.activity");
	fake_away = false;
	(void)fake_send("1", 1, "y");
	assert_int_equal(fake_count("chat.activity"), 2);
}

static void questions_under_way_are_503_at_the_end(void **state)
{
	static struct fake_reply one;
	static struct fake_reply two;
	static struct fake_reply three;

	(void)state;
	(void)fake_typing("2", 1, true);
	fake_open(7);
	assert_true(fake_subscribe(7, "private-chat.1", true, NULL));
	assert_true(fake_subscribe(7, "presence-users", true, "1"));
	fake_call("1", (struct chat_call){.route = WIRE_CHAT_SEND, .chat = 1, .text = SLICE("x")},
		  &one);
	fake_call("2", (struct chat_call){.route = WIRE_CHAT_ACTIVE_CHATS}, &two);
	fake_call("2", (struct chat_call){.route = WIRE_CHAT_TYPING, .chat = 1, .flag = 1}, &three);
	(void)fake_answer(QUEUE_LOOKUPS);
	chat_free(fake_chat);
	fake_chat = NULL;
	assert_int_equal(one.status, 503);
	assert_int_equal(two.status, 503);
	assert_int_equal(three.status, 503);
	assert_int_equal(one.count + two.count + three.count, 3);
}

static void a_route_that_is_not_there_is_404(void **state)
{
	(void)state;
	assert_int_equal(fake_ask("1", (struct chat_call){.route = 0})->status, 404);
	assert_int_equal(fake_ask("1", (struct chat_call){.route = 200})->status, 404);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(writes_are_503_with_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(known_tokens_are_good_for_the_grace, setup,
						teardown),
		cmocka_unit_test_setup_teardown(the_grace_holds_before_the_store_knows, setup,
						teardown),
		cmocka_unit_test_setup_teardown(known_participants_may_subscribe, setup, teardown),
		cmocka_unit_test_setup_teardown(who_was_removed_is_not_known_any_more, setup,
						teardown),
		cmocka_unit_test_setup_teardown(who_left_without_our_knowledge_is_seen_when_asked,
						setup, teardown),
		cmocka_unit_test_setup_teardown(presence_goes_on_from_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(strangers_are_told_when_the_database_is_back, setup,
						teardown),
		cmocka_unit_test_setup_teardown(or_after_a_while_when_it_was_only_busy, setup,
						teardown),
		cmocka_unit_test_setup_teardown(being_shown_again_is_not_forgotten, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_line_that_cannot_be_made_is_left_out, setup,
						teardown),
		cmocka_unit_test_setup_teardown(questions_under_way_are_503_at_the_end, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_route_that_is_not_there_is_404, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
