/* Receipts: cursors, their events, unread counts. */
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

static struct fake_reply *delivered(const char *user, uint64_t message)
{
	return fake_ask(user, (struct chat_call){.route = WIRE_CHAT_DELIVERED, .message = message});
}

static void three(void)
{
	for (int i = 0; i < 3; i++)
		(void)fake_send("1", 1, "x");
	fake_forget();
}

static void reading_moves_and_tells(void **state)
{
	(void)state;
	three();
	assert_string_equal(fake_read("2", 2)->body,
			    "{\"chat_id\":1,\"message_id\":2,\"seq\":2,"
			    "\"read_at\":\"2025-11-25T08:30:00.000Z\",\"unread_count\":1}");
	expect_told("publish private-chat.1 message.read {\"chat_id\":1,"
		    "\"user\":{\"id\":2,\"name\":\"Bob\"},\"seq\":2,\"message_id\":2,"
		    "\"read_at\":\"2025-11-25T08:30:00.000Z\"}");
}

static void reading_implies_delivered_in_one_event(void **state)
{
	(void)state;
	three();
	(void)fake_read("2", 2);
	expect_untold("message.delivered");
	fake_forget();
	(void)delivered("2", 1);
	expect_untold("publish");
}

static void delivered_moves_and_tells(void **state)
{
	(void)state;
	three();
	assert_string_equal(delivered("2", 3)->body,
			    "{\"chat_id\":1,\"message_id\":3,\"seq\":3,"
			    "\"delivered_at\":\"2025-11-25T08:30:00.000Z\",\"unread_count\":3}");
	expect_told("publish private-chat.1 message.delivered {\"chat_id\":1,"
		    "\"user\":{\"id\":2,\"name\":\"Bob\"},\"seq\":3,\"message_id\":3,"
		    "\"delivered_at\":\"2025-11-25T08:30:00.000Z\"}");
	expect_untold("message.read");
	expect_untold("chat.activity");
}

static void cursors_only_move_forward(void **state)
{
	(void)state;
	three();
	(void)fake_read("2", 3);
	fake_forget();
	assert_non_null(strstr(fake_read("2", 1)->body, "\"message_id\":3,\"seq\":3,"));
	expect_untold("publish");
	assert_int_equal(fake_read_seq(1, "2"), 3);
}

static void the_reader_is_told_on_all_devices(void **state)
{
	(void)state;
	three();
	(void)fake_read("2", 2);
	expect_told(
		"publish private-user.2 chat.activity {\"chat_id\":1,\"last_message\":{\"id\":3,");
	expect_told("},\"unread_count\":1}");
	expect_untold("private-user.1 chat.activity");
}

static void senders_follow_their_own_messages_without_an_event(void **state)
{
	(void)state;
	three();
	assert_int_equal(fake_read_seq(1, "1"), 3);
	assert_non_null(strstr(fake_read("1", 3)->body, "\"unread_count\":0"));
	expect_untold("publish");
}

static void others_and_what_is_not_there_are_403(void **state)
{
	(void)state;
	three();
	assert_int_equal(fake_read("3", 1)->status, 403);
	assert_int_equal(fake_read("2", 77)->status, 403);
	assert_int_equal(delivered("3", 1)->status, 403);
}

static void both_kinds_share_a_limit(void **state)
{
	(void)state;
	three();
	for (int i = 0; i < 50; i++) {
		assert_int_equal(fake_read("2", 1)->status, 200);
		assert_int_equal(delivered("2", 1)->status, 200);
	}
	assert_int_equal(fake_read("2", 1)->status, 429);
	assert_int_equal(delivered("2", 1)->status, 429);
	assert_int_equal(fake_read("1", 1)->status, 200);
}

static void all_cursors_can_be_seen(void **state)
{
	struct fake_reply *r;

	(void)state;
	three();
	(void)delivered("2", 2);
	r = fake_ask("2", (struct chat_call){.route = WIRE_CHAT_RECEIPTS, .chat = 1});
	assert_string_equal(
		r->body,
		"{\"data\":[{\"user_id\":1,\"delivered_seq\":3,"
		"\"delivered_at\":\"2025-11-25T08:30:00.000Z\",\"read_seq\":3,"
		"\"read_at\":\"2025-11-25T08:30:00.000Z\"},{\"user_id\":2,\"delivered_seq\":2,"
		"\"delivered_at\":\"2025-11-25T08:30:00.000Z\",\"read_seq\":0,\"read_at\":null}]}");
	r = fake_ask("3", (struct chat_call){.route = WIRE_CHAT_RECEIPTS, .chat = 1});
	assert_int_equal(r->status, 403);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reading_moves_and_tells, setup, teardown),
		cmocka_unit_test_setup_teardown(reading_implies_delivered_in_one_event, setup,
						teardown),
		cmocka_unit_test_setup_teardown(delivered_moves_and_tells, setup, teardown),
		cmocka_unit_test_setup_teardown(cursors_only_move_forward, setup, teardown),
		cmocka_unit_test_setup_teardown(the_reader_is_told_on_all_devices, setup, teardown),
		cmocka_unit_test_setup_teardown(senders_follow_their_own_messages_without_an_event,
						setup, teardown),
		cmocka_unit_test_setup_teardown(others_and_what_is_not_there_are_403, setup,
						teardown),
		cmocka_unit_test_setup_teardown(both_kinds_share_a_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(all_cursors_can_be_seen, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
