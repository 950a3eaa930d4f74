/* What the chat knew of connections outlives the broker. */
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
	fake_open(7);
	fake_open(8);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_end();
	return 0;
}

static void take_out(const char *user)
{
	(void)fake_ask("1", (struct chat_call){.route = WIRE_CHAT_REMOVE_PARTICIPANT,
					       .chat = 1,
					       .user = slice_str(user)});
}

/* A new broker, told of connection 7; its subscription is retold by the test, if it had any. */
static void restart(void)
{
	fake_crash();
	fake_recall(7);
}

static void a_token_that_is_revoked_later_closes_its_connections(void **state)
{
	(void)state;
	assert_true(fake_join("1", 7, "private-user.1"));
	restart();
	fake_all_recalled();
	fake_forget();
	fake_revoke(1);
	chat_token_changed(fake_chat, fake_now, SLICE("1"));
	fake_settle();
	expect_told("close 7 4009");
}

static void one_that_was_revoked_meanwhile_closes_them_at_once(void **state)
{
	(void)state;
	assert_true(fake_join("1", 7, "private-user.1"));
	fake_crash();
	fake_revoke(1);
	fake_recall(7);
	fake_forget();
	fake_all_recalled();
	expect_told("close 7 4009");
}

static void a_good_one_closes_nothing(void **state)
{
	(void)state;
	assert_true(fake_join("1", 7, "private-user.1"));
	restart();
	fake_forget();
	fake_all_recalled();
	expect_untold("close");
	expect_untold("expel");
}

static void an_authorisation_that_was_not_used_yet_identifies(void **state)
{
	struct registry_conn row;

	(void)state;
	assert_int_equal(fake_authorize("1", 7, "private-user.1")->status, 200);
	restart();
	fake_all_recalled();
	assert_true(fake_subscribe(7, "private-user.1", true, NULL));
	assert_true(registry_conn(fake_registry, 7, &row));
	assert_true(slice_eq(row.user_id, SLICE("1")));
	fake_revoke(1);
	chat_token_changed(fake_chat, fake_now, SLICE("1"));
	fake_settle();
	expect_told("close 7 4009");
}

static void who_was_removed_does_not_come_back(void **state)
{
	(void)state;
	assert_true(fake_join("2", 7, "private-chat.1"));
	take_out("2");
	expect_told("expel 7 private-chat.1");
	restart();
	assert_false(fake_subscribe(7, "private-chat.1", true, NULL));
	fake_all_recalled();
	assert_false(fake_subscribe(7, "private-chat.1", true, NULL));
}

static void who_was_removed_before_subscribing_does_not_either(void **state)
{
	(void)state;
	assert_int_equal(fake_authorize("2", 7, "private-chat.1")->status, 200);
	take_out("2");
	restart();
	assert_false(fake_subscribe(7, "private-chat.1", true, NULL));
}

static void who_may_again_may_after_a_restart_too(void **state)
{
	(void)state;
	assert_true(fake_join("2", 7, "private-chat.1"));
	take_out("2");
	(void)fake_ask("1", (struct chat_call){.route = WIRE_CHAT_ADD_PARTICIPANT,
					       .chat = 1,
					       .user = SLICE("2")});
	restart();
	fake_all_recalled();
	assert_true(fake_subscribe(7, "private-chat.1", true, NULL));
}

static void who_was_removed_meanwhile_loses_the_channels(void **state)
{
	(void)state;
	assert_true(fake_join("2", 7, "private-chat.1"));
	fake_crash();
	fake_leave(1, "2");
	fake_recall(7);
	assert_true(fake_subscribe(7, "private-chat.1", true, NULL));
	fake_settle();
	expect_untold("expel");
	fake_all_recalled();
	expect_told("expel 7 private-chat.1");
	assert_false(fake_subscribe(7, "private-chat.1", true, NULL));
}

static void without_a_database_it_is_asked_later(void **state)
{
	(void)state;
	assert_true(fake_join("2", 7, "private-chat.1"));
	fake_crash();
	fake_leave(1, "2");
	fake_away = true;
	chat_store_changed(fake_chat, fake_now, false);
	fake_recall(7);
	assert_true(fake_subscribe(7, "private-chat.1", true, NULL));
	fake_all_recalled();
	fake_pass(10 * USEC_PER_SEC);
	expect_untold("expel");
	fake_away = false;
	chat_store_changed(fake_chat, fake_now, true);
	fake_settle();
	expect_told("expel 7 private-chat.1");
}

static void notes_say_no_more_than_they_must(void **state)
{
	(void)state;
	assert_int_equal(fake_notes(7), 0);
	assert_true(fake_join("1", 7, "private-user.1"));
	assert_int_equal(fake_notes(7), 2); /* the authorisation, the token */
	assert_true(fake_join("1", 7, "private-chat.1"));
	assert_int_equal(fake_notes(7), 3);
	assert_int_equal(fake_notes(8), 0);
	fake_close(7);
	assert_int_equal(fake_notes(7), 0);
}

static void broken_notes_are_ignored(void **state)
{
	static const struct slice bad[] = {
		SLICE_INIT("g"),
		SLICE_INIT("g12345678"),
		SLICE_INIT("g12345678\0"),
		SLICE_INIT("g12345678\xFFshort"),
		SLICE_INIT("g12345678\1"
			   "1short"),
		SLICE_INIT("r"),
		SLICE_INIT("r\3ab"),
		SLICE_INIT("?"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		chat_recalled(fake_chat, fake_now, 7, SLICE("gprivate-user.1"), bad[i]);
		chat_recalled(fake_chat, fake_now, 7, SLICE("t"), bad[i]);
		chat_recalled(fake_chat, fake_now, 7, SLICE(""), bad[i]);
		chat_recalled(fake_chat, fake_now, 7, SLICE("?"), bad[i]);
	}
	fake_all_recalled();
	assert_true(fake_subscribe(7, "private-user.1", true, NULL));
}

static void who_appears_offline_still_does(void **state)
{
	(void)state;
	assert_true(fake_join("1", 7, "private-user.1"));
	(void)fake_ask("1", (struct chat_call){.route = WIRE_CHAT_ONLINE_STATUS, .flag = 0});
	expect_told("\"is_online\":false");
	restart();
	fake_forget();
	(void)registry_identify(fake_registry, (struct moment){fake_now, fake_wall}, 7, SLICE("1"));
	chat_user_online(fake_chat, fake_now, SLICE("1"));
	fake_all_recalled();
	expect_untold("user.status.changed");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_token_that_is_revoked_later_closes_its_connections),
		TEST(one_that_was_revoked_meanwhile_closes_them_at_once),
		TEST(a_good_one_closes_nothing),
		TEST(an_authorisation_that_was_not_used_yet_identifies),
		TEST(who_was_removed_does_not_come_back),
		TEST(who_was_removed_before_subscribing_does_not_either),
		TEST(who_may_again_may_after_a_restart_too),
		TEST(who_was_removed_meanwhile_loses_the_channels),
		TEST(without_a_database_it_is_asked_later),
		TEST(notes_say_no_more_than_they_must),
		TEST(broken_notes_are_ignored),
		TEST(who_appears_offline_still_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
