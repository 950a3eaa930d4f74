/* Who may subscribe, whom that identifies, and how it is taken back. */
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

static void owners_get_their_own_channel(void **state)
{
	struct fake_reply *r;

	(void)state;
	r = fake_authorize("1", 7, "private-user.1");
	assert_int_equal(r->status, 200);
	assert_string_equal(r->user_id, "1");
	assert_string_equal(r->body, "");
	assert_false(r->presence);
	assert_int_equal(fake_authorize("2", 7, "private-user.1")->status, 403);
}

static void participants_get_the_channels_of_a_chat(void **state)
{
	static const char *const channels[] = {"private-chat.1", "presence-chat.1",
					       "presence-presence-chat.1"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(fake_authorize("2", 7, channels[i])->status, 200);
		assert_int_equal(fake_authorize("3", 7, channels[i])->status, 403);
	}
}

static void presence_carries_the_member(void **state)
{
	struct fake_reply *r;

	(void)state;
	r = fake_authorize("1", 7, "presence-users");
	assert_int_equal(r->status, 200);
	assert_true(r->presence);
	assert_string_equal(r->user_info, "{\"id\":1,\"name\":\"Ada\"}");
	fake_options.integer_ids = false;
	chat_reload(fake_chat, &fake_options);
	assert_string_equal(fake_authorize("1", 7, "presence-users")->user_info,
			    "{\"id\":\"1\",\"name\":\"Ada\"}");
}

static void signing_in_needs_a_token_only(void **state)
{
	struct fake_reply *r;

	(void)state;
	r = fake_authorize("3", 7, "");
	assert_int_equal(r->status, 200);
	assert_string_equal(r->user_id, "3");
	assert_string_equal(r->user_info, "{\"id\":3,\"name\":\"Cyd\"}");
}

static void unknown_and_forbidden_look_the_same(void **state)
{
	static const char *const channels[] = {"private-chat.1", "private-chat.99",
					       "private-nothing", "presence-chat.0", "public"};

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		struct fake_reply *r = fake_authorize("3", 7, channels[i]);

		assert_int_equal(r->status, 403);
		assert_string_equal(r->body, "{\"message\":\"This action is unauthorized.\"}");
	}
}

static void a_statement_decides(void **state)
{
	static const struct chat_rule rules[] = {{"private-x.*", "only_two", false}};

	(void)state;
	fake_options.rules = rules;
	fake_options.nrules = 1;
	chat_reload(fake_chat, &fake_options);
	assert_int_equal(fake_authorize("2", 7, "private-x.y")->status, 200);
	assert_int_equal(fake_authorize("1", 7, "private-x.y")->status, 403);
}

static void deny_refuses_what_has_no_signature(void **state)
{
	static const struct chat_rule rules[] = {{"*", "deny", false}};

	(void)state;
	fake_open(7);
	assert_true(fake_subscribe(7, "news", false, NULL));
	fake_options.rules = rules;
	fake_options.nrules = 1;
	chat_reload(fake_chat, &fake_options);
	assert_false(fake_subscribe(7, "news2", false, NULL));
	assert_int_equal(fake_authorize("1", 7, "private-news")->status, 403);
	assert_true(fake_subscribe(7, "private-news", true, NULL));
	assert_true(fake_join("1", 7, "private-chat.1"));
}

static void they_are_limited_by_user(void **state)
{
	struct fake_reply *r;

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(fake_authorize("1", 7, "private-user.1")->status, 200);
	r = fake_authorize("1", 7, "private-user.1");
	assert_int_equal(r->status, 429);
	assert_int_equal(r->retry_after, 1);
	assert_int_equal(fake_authorize("2", 7, "private-user.2")->status, 200);
	fake_pass(USEC_PER_SEC);
	for (int i = 0; i < 20; i++)
		assert_int_equal(fake_authorize("1", 7, "private-user.1")->status, 200);
	assert_int_equal(fake_authorize("1", 7, "private-user.1")->status, 429);
}

/* ---- identity ---- */

static struct slice user_of(uint64_t conn)
{
	struct registry_conn row;

	assert_true(registry_conn(fake_registry, conn, &row));
	return row.user_id;
}

static void presenting_identifies_and_asking_does_not(void **state)
{
	(void)state;
	fake_open(7);
	assert_int_equal(fake_authorize("1", 7, "private-user.1")->status, 200);
	assert_int_equal(user_of(7).n, 0);
	assert_true(fake_subscribe(7, "private-user.1", true, NULL));
	assert_true(slice_eq(user_of(7), SLICE("1")));
}

static void without_a_signature_nobody_is_identified(void **state)
{
	(void)state;
	fake_open(7);
	assert_int_equal(fake_authorize("1", 7, "presence-users")->status, 200);
	assert_true(fake_subscribe(7, "news", false, NULL));
	assert_int_equal(user_of(7).n, 0);
}

static void of_two_who_ask_neither_counts(void **state)
{
	(void)state;
	fake_open(7);
	assert_int_equal(fake_authorize("1", 7, "private-chat.1")->status, 200);
	assert_int_equal(fake_authorize("2", 7, "private-chat.1")->status, 200);
	assert_true(fake_subscribe(7, "private-chat.1", true, NULL));
	assert_int_equal(user_of(7).n, 0);
}

static void the_first_identity_stays(void **state)
{
	(void)state;
	fake_open(7);
	assert_true(fake_join("1", 7, "private-user.1"));
	assert_true(fake_join("2", 7, "private-user.2"));
	assert_true(slice_eq(user_of(7), SLICE("1")));
}

static void a_presence_channel_says_itself_who_it_is(void **state)
{
	struct chat_admission admission;

	(void)state;
	fake_open(7);
	assert_int_equal(fake_authorize("1", 7, "presence-users")->status, 200);
	chat_subscribing(fake_chat, fake_now, 7, SLICE("presence-users"), true, &admission);
	assert_true(admission.allowed);
	assert_int_equal(admission.user_id.n, 0);
}

static void what_is_remembered_of_a_socket_goes_with_it(void **state)
{
	struct chat_stats stats;

	(void)state;
	fake_open(7);
	assert_true(fake_join("1", 7, "private-user.1"));
	chat_stats(fake_chat, &stats);
	assert_int_equal(stats.grants, 1);
	fake_close(7);
	chat_stats(fake_chat, &stats);
	assert_int_equal(stats.grants, 0);
	assert_int_equal(fake_authorize("1", 7, "private-user.1")->status, 200);
	chat_stats(fake_chat, &stats);
	assert_int_equal(stats.grants, 0);
}

static void what_is_remembered_of_a_socket_is_bounded(void **state)
{
	static const struct chat_rule rules[] = {{"private-any.*", "authenticated", false}};
	unsigned refused = 0;

	(void)state;
	fake_options.authorizations.per_second = 0;
	fake_options.rules = rules;
	fake_options.nrules = 1;
	chat_reload(fake_chat, &fake_options);
	fake_open(7);
	for (int i = 0; i < 5000; i++) {
		char channel[32];

		(void)snprintf(channel, sizeof(channel), "private-any.%d", i);
		refused += fake_authorize("1", 7, channel)->status == 429;
	}
	assert_int_equal(refused, 5000 - 4096);
}

/* ---- chat.sync ---- */

static void a_subscriber_is_told_where_the_chat_stands(void **state)
{
	(void)state;
	(void)fake_send("2", 1, "one");
	(void)fake_send("1", 1, "two");
	(void)fake_send("2", 1, "three");
	(void)fake_read("1", 2);
	fake_open(7);
	fake_forget();
	assert_true(fake_join("1", 7, "private-chat.1"));
	expect_told("to_conn 7 private-chat.1 chat.sync "
		    "{\"chat_id\":1,\"last_seq\":3,\"read_seq\":2,\"delivered_seq\":2}");
}

static void nobody_has_no_cursors(void **state)
{
	(void)state;
	(void)fake_send("2", 1, "one");
	fake_open(7);
	assert_true(fake_subscribe(7, "private-chat.1", true, NULL));
	fake_settle();
	expect_told("{\"chat_id\":1,\"last_seq\":1,\"read_seq\":null,\"delivered_seq\":null}");
}

static void other_channels_get_no_sync(void **state)
{
	(void)state;
	fake_open(7);
	assert_true(fake_join("1", 7, "presence-chat.1"));
	assert_true(fake_join("1", 7, "private-user.1"));
	expect_untold("chat.sync");
}

static void it_comes_when_the_database_is_back(void **state)
{
	(void)state;
	fake_open(7);
	fake_open(8);
	assert_int_equal(fake_authorize("1", 7, "private-chat.1")->status, 200);
	assert_int_equal(fake_authorize("1", 8, "private-chat.1")->status, 200);
	fake_away = true;
	assert_true(fake_subscribe(7, "private-chat.1", true, NULL));
	assert_true(fake_subscribe(8, "private-chat.1", true, NULL));
	fake_settle();
	expect_untold("chat.sync");
	fake_close(8);
	fake_away = false;
	chat_store_changed(fake_chat, fake_now, true);
	fake_settle();
	expect_told("to_conn 7 private-chat.1 chat.sync");
	expect_untold("to_conn 8");
}

static void waiting_syncs_are_bounded_by_what_is_subscribed(void **state)
{
	(void)state;
	fake_away = true;
	for (uint64_t conn = 1; conn <= 20000; conn++) {
		fake_open(conn);
		assert_true(fake_subscribe(conn, "private-chat.1", true, NULL));
		fake_close(conn);
		fake_settle();
	}
	fake_away = false;
	fake_calls = 0;
	chat_store_changed(fake_chat, fake_now, true);
	fake_settle();
	assert_int_equal(fake_calls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(owners_get_their_own_channel, setup, teardown),
		cmocka_unit_test_setup_teardown(participants_get_the_channels_of_a_chat, setup,
						teardown),
		cmocka_unit_test_setup_teardown(presence_carries_the_member, setup, teardown),
		cmocka_unit_test_setup_teardown(signing_in_needs_a_token_only, setup, teardown),
		cmocka_unit_test_setup_teardown(unknown_and_forbidden_look_the_same, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_statement_decides, setup, teardown),
		cmocka_unit_test_setup_teardown(deny_refuses_what_has_no_signature, setup,
						teardown),
		cmocka_unit_test_setup_teardown(they_are_limited_by_user, setup, teardown),
		cmocka_unit_test_setup_teardown(presenting_identifies_and_asking_does_not, setup,
						teardown),
		cmocka_unit_test_setup_teardown(without_a_signature_nobody_is_identified, setup,
						teardown),
		cmocka_unit_test_setup_teardown(of_two_who_ask_neither_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(the_first_identity_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(a_presence_channel_says_itself_who_it_is, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_is_remembered_of_a_socket_goes_with_it, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_is_remembered_of_a_socket_is_bounded, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_subscriber_is_told_where_the_chat_stands, setup,
						teardown),
		cmocka_unit_test_setup_teardown(nobody_has_no_cursors, setup, teardown),
		cmocka_unit_test_setup_teardown(other_channels_get_no_sync, setup, teardown),
		cmocka_unit_test_setup_teardown(it_comes_when_the_database_is_back, setup,
						teardown),
		cmocka_unit_test_setup_teardown(waiting_syncs_are_bounded_by_what_is_subscribed,
						setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
