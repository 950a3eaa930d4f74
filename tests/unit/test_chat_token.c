/* Bearer tokens: what is believed for how long, failing ones, revoking. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/chat_fakes.h"

static const struct chat_call INFO = {.route = WIRE_CHAT_CONNECTION_INFO};

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

static void wrong_token(struct chat_caller *caller)
{
	caller->token_hash =
		SLICE("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff");
}

static void on_answer(void *ctx, const struct chat_answer *a)
{
	struct fake_reply *r = ctx;

	r->count++;
	r->status = a->status;
	r->retry_after = a->retry_after;
	(void)snprintf(r->body, sizeof(r->body), "%.*s", SLICE_ARG(a->body));
}

/* With a caller of the test's own. */
static struct fake_reply *ask_as(struct chat_caller caller)
{
	static struct fake_reply reply;
	struct chat_call call = INFO;

	reply = (struct fake_reply){0};
	call.caller = caller;
	chat_call(fake_chat, fake_now, &call, on_answer, &reply);
	fake_settle();
	assert_int_equal(reply.count, 1);
	return &reply;
}

static void a_good_token_names_its_user(void **state)
{
	(void)state;
	assert_string_equal(fake_ask("2", INFO)->body, "{\"id\":2,\"name\":\"Bob\"}");
}

static void without_a_token_it_is_401(void **state)
{
	struct fake_reply *r = ask_as((struct chat_caller){.address = SLICE("192.0.2.1")});

	(void)state;
	assert_int_equal(r->status, 401);
	assert_string_equal(r->body, "{\"message\":\"Unauthenticated.\"}");
	assert_int_equal(fake_calls, 0);
}

static void a_wrong_hash_is_401_although_the_id_exists(void **state)
{
	struct chat_caller caller = fake_caller("1");

	(void)state;
	wrong_token(&caller);
	assert_int_equal(ask_as(caller)->status, 401);
}

static void an_id_is_digits_or_nothing(void **state)
{
	struct chat_caller caller = fake_caller("1");

	(void)state;
	caller.token_id = SLICE("");
	assert_int_equal(ask_as(caller)->status, 200);
	caller.token_id = SLICE("1x");
	assert_int_equal(ask_as(caller)->status, 401);
	caller.token_id = SLICE("1234567890123456789");
	assert_int_equal(ask_as(caller)->status, 401);
	caller = fake_caller("1");
	caller.token_hash = slice_first(caller.token_hash, 63);
	assert_int_equal(ask_as(caller)->status, 401);
	assert_int_equal(fake_tokens, 1);
}

static void it_is_believed_for_a_while(void **state)
{
	(void)state;
	(void)fake_ask("1", INFO);
	fake_pass(59 * USEC_PER_SEC);
	(void)fake_ask("1", INFO);
	assert_int_equal(fake_tokens, 1);
	fake_pass(2 * USEC_PER_SEC);
	(void)fake_ask("1", INFO);
	assert_int_equal(fake_tokens, 2);
}

static void never_beyond_its_expiry(void **state)
{
	(void)state;
	fake_expire(1, fake_wall + 10 * (wall_us_t)USEC_PER_SEC);
	assert_int_equal(fake_ask("1", INFO)->status, 200);
	fake_pass(10 * USEC_PER_SEC);
	assert_int_equal(fake_ask("1", INFO)->status, 401);
}

static void a_bad_one_is_remembered_for_five_seconds(void **state)
{
	struct chat_caller caller = fake_caller("1");

	(void)state;
	wrong_token(&caller);
	(void)ask_as(caller);
	fake_pass(4 * USEC_PER_SEC);
	(void)ask_as(caller);
	assert_int_equal(fake_tokens, 1);
	fake_pass(2 * USEC_PER_SEC);
	(void)ask_as(caller);
	assert_int_equal(fake_tokens, 2);
}

static void questions_about_one_token_are_one(void **state)
{
	struct fake_reply first;
	struct fake_reply second;

	(void)state;
	fake_call("1", INFO, &first);
	fake_call("1", INFO, &second);
	assert_int_equal(fake_tokens, 1);
	fake_settle();
	assert_int_equal(first.status, 200);
	assert_int_equal(second.status, 200);
}

static void memory_is_bounded(void **state)
{
	struct chat_stats stats;

	(void)state;
	fake_options.auth_cache_size = 2;
	chat_reload(fake_chat, &fake_options);
	for (int i = 1; i <= 4; i++) {
		char user[2] = {(char)('0' + i), '\0'};

		(void)fake_ask(user, INFO);
	}
	chat_stats(fake_chat, &stats);
	assert_int_equal(stats.tokens_cached, 2);
	(void)fake_ask("4", INFO);
	assert_int_equal(fake_tokens, 4);
	(void)fake_ask("1", INFO);
	assert_int_equal(fake_tokens, 5);
}

static void a_revoked_one_stops_at_once(void **state)
{
	(void)state;
	(void)fake_ask("1", INFO);
	fake_revoke(1);
	chat_token_changed(fake_chat, fake_now, SLICE("1"));
	fake_settle();
	assert_int_equal(fake_ask("1", INFO)->status, 401);
	assert_int_equal(fake_ask("2", INFO)->status, 200);
}

/* The answer left the database before the token was deleted. */
static void revoked_while_asked_counts_too(void **state)
{
	struct fake_reply r;

	(void)state;
	fake_call("1", INFO, &r);
	fake_revoke(1);
	chat_token_changed(fake_chat, fake_now, SLICE("1"));
	fake_settle();
	assert_int_equal(r.count, 1);
	assert_int_equal(r.status, 401);
}

static void all_tokens_are_forgotten_with_a_star(void **state)
{
	(void)state;
	(void)fake_ask("1", INFO);
	chat_token_changed(fake_chat, fake_now, SLICE("*"));
	(void)fake_ask("1", INFO);
	assert_int_equal(fake_tokens, 2);
}

static void connections_of_a_revoked_token_are_closed(void **state)
{
	(void)state;
	fake_open(7);
	fake_open(8);
	assert_true(fake_join("1", 7, "private-user.1"));
	assert_true(fake_join("2", 8, "private-user.2"));
	fake_revoke(1);
	fake_forget();
	chat_token_changed(fake_chat, fake_now, SLICE("1"));
	fake_settle();
	expect_told("close 7 4009");
	expect_untold("close 8");
}

static void signed_in_ones_too(void **state)
{
	(void)state;
	fake_open(7);
	assert_int_equal(fake_authorize("1", 7, "")->status, 200);
	assert_true(fake_sign_in(7, "1"));
	fake_revoke(1);
	chat_token_changed(fake_chat, fake_now, SLICE("*"));
	fake_settle();
	expect_told("close 7 4009");
}

static void a_changed_token_that_is_still_good_closes_nothing(void **state)
{
	(void)state;
	fake_open(7);
	assert_true(fake_join("1", 7, "presence-users"));
	chat_token_changed(fake_chat, fake_now, SLICE("1"));
	chat_token_changed(fake_chat, fake_now, SLICE("*"));
	fake_settle();
	expect_untold("close");
}

/* Nobody can close another's connection by asking for its socket with a token of his own. */
static void a_token_that_identified_nobody_closes_nobody(void **state)
{
	(void)state;
	fake_open(7);
	assert_true(fake_join("1", 7, "private-user.1"));
	assert_int_equal(fake_authorize("2", 7, "presence-users")->status, 200);
	fake_revoke(2);
	chat_token_changed(fake_chat, fake_now, SLICE("2"));
	fake_settle();
	expect_untold("close");
}

static void authorisations_of_a_revoked_token_are_void(void **state)
{
	(void)state;
	fake_open(7);
	assert_int_equal(fake_authorize("1", 7, "private-chat.1")->status, 200);
	assert_int_equal(fake_authorize("1", 7, "")->status, 200);
	fake_revoke(1);
	chat_token_changed(fake_chat, fake_now, SLICE("1"));
	fake_settle();
	expect_untold("close");
	assert_false(fake_subscribe(7, "private-chat.1", true, NULL));
	(void)fake_sign_in(7, "1");
	expect_told("close 7 4009");
}

static void a_check_that_fails_is_repeated(void **state)
{
	(void)state;
	fake_open(7);
	assert_true(fake_join("1", 7, "private-user.1"));
	fake_revoke(1);
	fake_away = true;
	chat_token_changed(fake_chat, fake_now, SLICE("1"));
	fake_settle();
	expect_untold("close");
	assert_true(chat_deadline(fake_chat) <= fake_now + USEC_PER_SEC);
	fake_away = false;
	fake_pass(2 * USEC_PER_SEC);
	expect_told("close 7 4009");
}

static void failing_tokens_of_an_address_are_limited_and_only_they(void **state)
{
	struct fake_reply *r;

	(void)state;
	for (int i = 0; i < 100; i++) {
		struct chat_caller caller = fake_caller("1");
		char hash[65];

		(void)snprintf(hash, sizeof(hash), "%064d", 5000 + i);
		caller.token_hash = slice_str(hash);
		assert_int_equal(ask_as(caller)->status, 401);
	}
	struct chat_caller caller = fake_caller("1");

	wrong_token(&caller);
	r = ask_as(caller);
	assert_int_equal(r->status, 429);
	assert_string_equal(r->body, "{\"message\":\"Too Many Attempts.\"}");
	assert_true(r->retry_after >= 1);
	assert_int_equal(fake_ask("1", INFO)->status, 200);
	caller.address = SLICE("192.0.2.2");
	assert_int_equal(ask_as(caller)->status, 401);
}

static void bad_tokens_do_not_push_good_ones_out(void **state)
{
	(void)state;
	fake_options.failed_tokens.per_second = 0;
	chat_reload(fake_chat, &fake_options);
	(void)fake_ask("1", INFO);
	for (int i = 0; i < 11000; i++) {
		struct chat_caller caller = fake_caller("1");
		char hash[65];

		(void)snprintf(hash, sizeof(hash), "%064d", 5000 + i);
		caller.token_hash = slice_str(hash);
		(void)ask_as(caller);
	}
	fake_tokens = 0;
	(void)fake_ask("1", INFO);
	assert_int_equal(fake_tokens, 0);
}

static void wrong_input_is_told_to_good_tokens_only(void **state)
{
	struct chat_call call = INFO;
	struct fake_reply *r;

	(void)state;
	call.invalid = SLICE("{\"message\":\"x\"}");
	r = fake_ask("1", call);
	assert_int_equal(r->status, 422);
	assert_string_equal(r->body, "{\"message\":\"x\"}");
	fake_revoke(1);
	chat_token_changed(fake_chat, fake_now, SLICE("1"));
	assert_int_equal(fake_ask("1", call)->status, 401);
}

static void a_statement_that_is_wrong_is_500(void **state)
{
	struct fake_reply *r;

	(void)state;
	fake_broken = true;
	r = fake_ask("1", INFO);
	assert_int_equal(r->status, 500);
	assert_string_equal(r->body, "{\"message\":\"Server Error\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_good_token_names_its_user, setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_token_it_is_401, setup, teardown),
		cmocka_unit_test_setup_teardown(a_wrong_hash_is_401_although_the_id_exists, setup,
						teardown),
		cmocka_unit_test_setup_teardown(an_id_is_digits_or_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(it_is_believed_for_a_while, setup, teardown),
		cmocka_unit_test_setup_teardown(never_beyond_its_expiry, setup, teardown),
		cmocka_unit_test_setup_teardown(a_bad_one_is_remembered_for_five_seconds, setup,
						teardown),
		cmocka_unit_test_setup_teardown(questions_about_one_token_are_one, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(a_revoked_one_stops_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(revoked_while_asked_counts_too, setup, teardown),
		cmocka_unit_test_setup_teardown(all_tokens_are_forgotten_with_a_star, setup,
						teardown),
		cmocka_unit_test_setup_teardown(connections_of_a_revoked_token_are_closed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(signed_in_ones_too, setup, teardown),
		cmocka_unit_test_setup_teardown(a_changed_token_that_is_still_good_closes_nothing,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_token_that_identified_nobody_closes_nobody, setup,
						teardown),
		cmocka_unit_test_setup_teardown(authorisations_of_a_revoked_token_are_void, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_check_that_fails_is_repeated, setup, teardown),
		cmocka_unit_test_setup_teardown(
			failing_tokens_of_an_address_are_limited_and_only_they, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_tokens_do_not_push_good_ones_out, setup,
						teardown),
		cmocka_unit_test_setup_teardown(wrong_input_is_told_to_good_tokens_only, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_statement_that_is_wrong_is_500, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
