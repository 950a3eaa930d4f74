/* Typing indicators. */
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

#define START \
	"publish presence-chat.1 user.typing " \
	"{\"chat_id\":1,\"user\":{\"id\":1,\"name\":\"Ada\"},\"is_typing\":true}"
#define STOP \
	"publish presence-chat.1 user.typing " \
	"{\"chat_id\":1,\"user\":{\"id\":1,\"name\":\"Ada\"},\"is_typing\":false}"

static void a_start_is_told(void **state)
{
	struct fake_reply *r = fake_typing("1", 1, true);

	(void)state;
	assert_int_equal(r->status, 200);
	assert_string_equal(r->body, "{\"is_typing\":true,\"expires_in\":6}");
	expect_told(START " exclude=0 droppable\n");
	expect_told("publish presence-presence-chat.1 user.typing");
	expect_told("droppable alias\n");
	assert_true(fake_in_order("user.typing", "answer 200"));
}

static void it_ends_by_itself(void **state)
{
	(void)state;
	(void)fake_typing("1", 1, true);
	fake_forget();
	assert_int_equal(chat_deadline(fake_chat), fake_now + 6 * USEC_PER_SEC);
	fake_pass(6 * USEC_PER_SEC - 1);
	expect_untold("publish");
	fake_pass(1);
	expect_told(STOP " exclude=0\n");
	assert_int_equal(chat_deadline(fake_chat), USEC_NEVER);
}

static void repeats_extend_and_are_told_every_three_seconds(void **state)
{
	(void)state;
	(void)fake_typing("1", 1, true);
	for (int i = 0; i < 8; i++) {
		fake_pass(USEC_PER_SEC);
		(void)fake_typing("1", 1, true);
	}
	assert_int_equal(fake_count(START), 3); /* at 0, 3 and 6 s */
	expect_untold(STOP);
	fake_pass(6 * USEC_PER_SEC);
	assert_int_equal(fake_count(STOP), 1);
}

static void a_stop_ends_it_and_without_a_start_tells_nobody(void **state)
{
	(void)state;
	assert_string_equal(fake_typing("1", 1, false)->body,
			    "{\"is_typing\":false,\"expires_in\":6}");
	expect_untold("publish");
	(void)fake_typing("1", 1, true);
	(void)fake_typing("1", 1, false);
	assert_int_equal(fake_count(STOP), 1);
	(void)fake_typing("1", 1, false);
	assert_int_equal(fake_count(STOP), 1);
}

static void sending_ends_it(void **state)
{
	(void)state;
	(void)fake_typing("1", 1, true);
	fake_forget();
	(void)fake_send("1", 1, "x");
	assert_true(fake_in_order(STOP, "message.sent"));
	fake_forget();
	(void)fake_send("1", 1, "x");
	expect_untold("user.typing");
}

static void leaving_the_presence_channel_ends_it(void **state)
{
	(void)state;
	fake_open(7);
	fake_open(8);
	assert_true(fake_join("1", 7, "presence-chat.1"));
	assert_true(fake_join("1", 8, "presence-chat.1"));
	(void)fake_typing("1", 1, true);
	fake_unsubscribe(7, "presence-chat.1");
	expect_untold(STOP);
	fake_unsubscribe(8, "presence-chat.1");
	expect_told(STOP);
}

static void losing_the_last_connection_ends_it_everywhere(void **state)
{
	(void)state;
	fake_open(7);
	assert_true(fake_join("1", 7, "private-user.1"));
	(void)fake_typing("1", 1, true);
	(void)fake_typing("1", 2, true);
	fake_close(7);
	expect_told(STOP);
	expect_told("publish presence-chat.2 user.typing {\"chat_id\":2,"
		    "\"user\":{\"id\":1,\"name\":\"Ada\"},\"is_typing\":false}");
	assert_int_equal(chat_deadline(fake_chat), USEC_NEVER);
}

static void the_socket_that_says_so_does_not_get_it(void **state)
{
	(void)state;
	fake_open(7);
	(void)fake_ask("1", (struct chat_call){.route = WIRE_CHAT_TYPING,
					       .chat = 1,
					       .flag = 1,
					       .caller = {.socket_id = SLICE("7.7")}});
	expect_told(START " exclude=7");
	fake_pass(6 * USEC_PER_SEC);
	expect_told(STOP " exclude=0");
}

static void only_participants_type(void **state)
{
	(void)state;
	assert_int_equal(fake_typing("3", 1, true)->status, 403);
	assert_int_equal(fake_typing("3", 99, true)->status, 403);
	assert_int_equal(fake_typing("3", 1, false)->status, 403);
	expect_untold("publish");
}

static void it_is_limited_by_user(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(fake_typing("1", 1, true)->status, 200);
	assert_int_equal(fake_typing("1", 1, true)->status, 429);
	fake_pass(USEC_PER_SEC / 2);
	assert_int_equal(fake_typing("1", 1, true)->status, 200);
	assert_int_equal(fake_typing("1", 1, true)->status, 429);
}

static void it_goes_on_while_the_database_is_away(void **state)
{
	(void)state;
	(void)fake_typing("1", 1, true);
	fake_away = true;
	fake_pass(6 * USEC_PER_SEC);
	expect_told(STOP);
	fake_forget();
	assert_int_equal(fake_typing("1", 1, true)->status, 200);
	expect_told(START);
	chat_store_changed(fake_chat, fake_now, false);
	fake_calls = 0;
	assert_int_equal(fake_typing("1", 1, false)->status, 200);
	assert_int_equal(fake_calls, 0); /* known to be away: nobody is asked */
	assert_int_equal(fake_typing("1", 2, true)->status, 503);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_start_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(it_ends_by_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(repeats_extend_and_are_told_every_three_seconds,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_stop_ends_it_and_without_a_start_tells_nobody,
						setup, teardown),
		cmocka_unit_test_setup_teardown(sending_ends_it, setup, teardown),
		cmocka_unit_test_setup_teardown(leaving_the_presence_channel_ends_it, setup,
						teardown),
		cmocka_unit_test_setup_teardown(losing_the_last_connection_ends_it_everywhere,
						setup, teardown),
		cmocka_unit_test_setup_teardown(the_socket_that_says_so_does_not_get_it, setup,
						teardown),
		cmocka_unit_test_setup_teardown(only_participants_type, setup, teardown),
		cmocka_unit_test_setup_teardown(it_is_limited_by_user, setup, teardown),
		cmocka_unit_test_setup_teardown(it_goes_on_while_the_database_is_away, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
