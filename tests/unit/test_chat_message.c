/* Messages: sending, repeating, editing, deleting, history, inbox lines. */
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

#define ID "00000000-0000-4000-8000-000000000001"

static struct chat_call history(uint64_t before, uint64_t after, uint32_t limit)
{
	return (struct chat_call){.route = WIRE_CHAT_HISTORY,
				  .chat = 1,
				  .before_seq = before,
				  .after_seq = after,
				  .limit = limit};
}

static struct fake_reply *edit(const char *user, uint64_t message, const char *text)
{
	return fake_ask(user, (struct chat_call){.route = WIRE_CHAT_EDIT,
						 .message = message,
						 .text = slice_str(text)});
}

static struct fake_reply *delete (const char *user, uint64_t message)
{
	return fake_ask(user, (struct chat_call){.route = WIRE_CHAT_DELETE, .message = message});
}

static void a_message_has_all_its_fields(void **state)
{
	(void)state;
	assert_int_equal(fake_send("1", 1, "Hi \"Bob\"\n")->status, 201);
	assert_string_equal(
		fake_send("2", 1, "x")->body,
		"{\"message\":{\"id\":2,\"chat_id\":1,\"seq\":2,\"prev_seq\":1,"
		"\"user\":{\"id\":2,\"name\":\"Bob\"},\"body\":\"x\",\"reply_to\":null,"
		"\"meta\":null,\"client_id\":null,\"created_at\":\"2025-11-25T08:30:00.000Z\","
		"\"edited_at\":null,\"deleted_at\":null}}");
	expect_told("\"body\":\"Hi \\\"Bob\\\"\\n\"");
}

static void what_was_sent_comes_back(void **state)
{
	struct fake_reply *r;

	(void)state;
	(void)fake_send("2", 1, "first");
	r = fake_ask("1", (struct chat_call){.route = WIRE_CHAT_SEND,
					     .chat = 1,
					     .text = SLICE("answer"),
					     .client_id = SLICE(ID),
					     .reply_to = 1,
					     .meta = SLICE("{\"a\":1}")});
	assert_int_equal(r->status, 201);
	assert_non_null(
		strstr(r->body, "\"reply_to\":1,\"meta\":{\"a\":1},\"client_id\":\"" ID "\""));
}

static void the_event_comes_before_the_answer_and_the_line_after(void **state)
{
	(void)state;
	(void)fake_send("1", 1, "Hi");
	assert_true(fake_in_order("publish private-chat.1 message.sent {\"message\":{\"id\":1,",
				  "answer 201 {\"message\":{\"id\":1,"));
	assert_true(fake_in_order("answer 201", "publish private-user.2 chat.activity"));
}

static void everybody_gets_a_line_with_their_own_count(void **state)
{
	(void)state;
	(void)fake_send("1", 1, "one");
	fake_forget();
	(void)fake_send("1", 1, "two");
	expect_told(
		"publish private-user.1 chat.activity {\"chat_id\":1,\"last_message\":{\"id\":2,");
	expect_told("\"deleted_at\":null},\"unread_count\":0} exclude=0");
	expect_told(
		"publish private-user.2 chat.activity {\"chat_id\":1,\"last_message\":{\"id\":2,");
	expect_told("\"deleted_at\":null},\"unread_count\":2} exclude=0");
	assert_int_equal(fake_count("chat.activity"), 2);
}

static void lines_of_a_burst_count_up(void **state)
{
	struct fake_reply replies[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		fake_call(
			"1",
			(struct chat_call){.route = WIRE_CHAT_SEND, .chat = 1, .text = SLICE("x")},
			&replies[i]);
	fake_settle();
	assert_int_equal(fake_count("private-user.2 chat.activity"), 3);
	assert_true(fake_in_order("\"unread_count\":1}", "\"unread_count\":2}"));
	assert_true(fake_in_order("\"unread_count\":2}", "\"unread_count\":3}"));
}

static void chats_that_wait_share_the_next_question(void **state)
{
	static const uint64_t chats[] = {1, 1, 2};
	struct fake_reply replies[3];

	(void)state;
	(void)fake_ask("1", history(UINT64_MAX, UINT64_MAX, 1)); /* the token is known */
	fake_forget();
	for (int i = 0; i < 3; i++)
		fake_call("1",
			  (struct chat_call){
				  .route = WIRE_CHAT_SEND, .chat = chats[i], .text = SLICE("x")},
			  &replies[i]);
	while (fake_answer(QUEUE_MESSAGES))
		;
	assert_true(fake_answer(QUEUE_LOOKUPS));
	assert_int_equal(fake_count("private-user.2 chat.activity"), 1);
	assert_true(fake_answer(QUEUE_LOOKUPS));
	assert_int_equal(fake_count("private-user.2 chat.activity"), 2);
	assert_int_equal(fake_count("private-user.3 chat.activity {\"chat_id\":2"), 1);
	assert_false(fake_answer(QUEUE_LOOKUPS));
}

static void the_socket_of_the_sender_does_not_get_it(void **state)
{
	struct chat_call call = {.route = WIRE_CHAT_SEND,
				 .chat = 1,
				 .text = SLICE("x"),
				 .caller = {.socket_id = SLICE("7.7")}};

	(void)state;
	fake_open(7);
	(void)fake_ask("1", call);
	expect_told("exclude=7");
	fake_forget();
	call.caller.socket_id = SLICE("9.9");
	(void)fake_ask("1", call);
	expect_untold("exclude=9");
	assert_int_equal(fake_count("message.sent"), 1);
}

static void strangers_are_403_as_chats_that_do_not_exist(void **state)
{
	(void)state;
	assert_int_equal(fake_send("3", 1, "x")->status, 403);
	assert_int_equal(fake_send("3", 99, "x")->status, 403);
	assert_int_equal(fake_ask("3", history(UINT64_MAX, UINT64_MAX, 0))->status, 403);
	expect_untold("publish");
}

static void a_client_id_is_sent_once(void **state)
{
	const struct chat_call call = {
		.route = WIRE_CHAT_SEND, .chat = 1, .text = SLICE("x"), .client_id = SLICE(ID)};
	struct fake_reply first = *fake_ask("1", call);
	struct fake_reply *second;

	(void)state;
	assert_int_equal(first.status, 201);
	fake_forget();
	second = fake_ask("1", call);
	assert_int_equal(second->status, 200);
	assert_string_equal(second->body, first.body);
	expect_untold("publish");
}

static void a_reply_to_elsewhere_is_422(void **state)
{
	struct fake_reply *r;

	(void)state;
	(void)fake_send("1", 2, "in another chat");
	r = fake_ask("1", (struct chat_call){.route = WIRE_CHAT_SEND,
					     .chat = 1,
					     .text = SLICE("x"),
					     .reply_to = 1});
	assert_int_equal(r->status, 422);
	assert_string_equal(
		r->body,
		"{\"message\":\"The reply to field must name a message of this chat.\","
		"\"errors\":{\"reply_to\":[\"The reply to field must name a message of this "
		"chat.\"]}}");
}

static void events_leave_by_seq_whatever_else_answers(void **state)
{
	struct fake_reply replies[4];

	(void)state;
	for (size_t i = 0; i < 4; i++)
		fake_call(
			i % 2 == 0 ? "1" : "2",
			(struct chat_call){.route = WIRE_CHAT_SEND, .chat = 1, .text = SLICE("x")},
			&replies[i]);
	/* Tokens and participants come from another connection than the messages. */
	while (fake_waiting() > 0) {
		(void)fake_answer(QUEUE_LOOKUPS);
		(void)fake_answer(QUEUE_LOOKUPS);
		(void)fake_answer(QUEUE_MESSAGES);
	}
	for (int i = 1; i < 4; i++) {
		char first[64];
		char second[64];

		(void)snprintf(first, sizeof(first), "message.sent {\"message\":{\"id\":%d,", i);
		(void)snprintf(second, sizeof(second), "message.sent {\"message\":{\"id\":%d,",
			       i + 1);
		assert_true(fake_in_order(first, second));
	}
}

static void names_of_events_are_as_configured(void **state)
{
	(void)state;
	fake_options.event_names = CHAT_EVENTS_ECHO;
	chat_reload(fake_chat, &fake_options);
	(void)fake_send("1", 1, "x");
	expect_told("publish private-chat.1 App\\Events\\message\\sent {");
	expect_untold("private-chat.1 message.sent");
	fake_options.event_names = CHAT_EVENTS_BOTH;
	chat_reload(fake_chat, &fake_options);
	fake_forget();
	(void)fake_send("1", 1, "x");
	assert_true(fake_in_order("private-chat.1 message.sent",
				  "private-chat.1 App\\Events\\message\\sent"));
}

static void senders_are_limited(void **state)
{
	(void)state;
	for (int i = 0; i < 30; i++)
		assert_int_equal(fake_send("1", 1, "x")->status, 201);
	assert_int_equal(fake_send("1", 1, "x")->status, 429);
	assert_int_equal(fake_send("2", 1, "x")->status, 201);
	fake_pass(USEC_PER_SEC / 10);
	assert_int_equal(fake_send("1", 1, "x")->status, 201);
	assert_int_equal(fake_send("1", 1, "x")->status, 429);
}

/* ---- editing and deleting ---- */

static void own_messages_can_be_edited(void **state)
{
	struct fake_reply *r;

	(void)state;
	(void)fake_send("1", 1, "one");
	fake_forget();
	r = edit("1", 1, "ONE");
	assert_int_equal(r->status, 200);
	assert_non_null(strstr(r->body, "\"body\":\"ONE\""));
	assert_non_null(strstr(r->body, "\"edited_at\":\"2025"));
	expect_told("publish private-chat.1 message.updated {\"message\":{\"id\":1,");
	assert_int_equal(edit("2", 1, "x")->status, 403);
	assert_int_equal(edit("1", 77, "x")->status, 403);
}

static void editing_the_newest_gives_lines_and_an_older_one_none(void **state)
{
	(void)state;
	(void)fake_send("1", 1, "one");
	(void)fake_send("1", 1, "two");
	fake_forget();
	(void)edit("1", 2, "TWO");
	assert_int_equal(fake_count("chat.activity"), 2);
	expect_told("\"unread_count\":2}");
	fake_forget();
	(void)edit("1", 1, "ONE");
	assert_int_equal(fake_count("chat.activity"), 0);
}

/* The edit was of the newest when it was made; a new message came before its line went out. */
static void an_older_line_never_follows_a_newer_one(void **state)
{
	struct fake_reply edited;
	struct fake_reply sent;

	(void)state;
	(void)fake_send("1", 1, "one");
	(void)fake_ask("2", history(UINT64_MAX, UINT64_MAX, 1)); /* the token is known */
	fake_forget();
	fake_call("1",
		  (struct chat_call){.route = WIRE_CHAT_EDIT, .message = 1, .text = SLICE("ONE")},
		  &edited);
	fake_call("2", (struct chat_call){.route = WIRE_CHAT_SEND, .chat = 1, .text = SLICE("two")},
		  &sent);
	while (fake_answer(QUEUE_MESSAGES) || fake_answer(QUEUE_LOOKUPS))
		;
	expect_told("message.updated");
	assert_int_equal(fake_count("last_message\":{\"id\":1,"), 0);
	assert_int_equal(fake_count("last_message\":{\"id\":2,"), 2);
}

static void deleting_keeps_the_place(void **state)
{
	struct fake_reply *r;

	(void)state;
	(void)fake_send("1", 1, "one");
	fake_forget();
	r = delete ("1", 1);
	assert_int_equal(r->status, 200);
	assert_non_null(strstr(r->body, "\"seq\":1,"));
	assert_non_null(strstr(r->body, "\"body\":\"\""));
	assert_non_null(strstr(r->body, "\"deleted_at\":\"2025"));
	expect_told("publish private-chat.1 message.deleted");
	assert_int_equal(fake_count("chat.activity"), 2);
}

static void deleting_again_is_200_without_an_event(void **state)
{
	(void)state;
	(void)fake_send("1", 1, "one");
	(void)delete ("1", 1);
	fake_forget();
	assert_int_equal(delete ("1", 1)->status, 200);
	expect_untold("publish");
}

static void a_deleted_one_cannot_be_edited(void **state)
{
	struct fake_reply *r;

	(void)state;
	(void)fake_send("1", 1, "one");
	(void)delete ("1", 1);
	fake_forget();
	r = edit("1", 1, "x");
	assert_int_equal(r->status, 422);
	assert_non_null(strstr(r->body, "\"errors\":{\"body\":["));
	expect_untold("publish");
}

/* ---- history ---- */

/* The seqs of a page: "3 4 5 +" with more before or after it. */
static const char *page_of(struct fake_reply *r)
{
	static char text[1024];
	const char *at = r->body;
	size_t n = 0;

	assert_int_equal(r->status, 200);
	while ((at = strstr(at, "\"seq\":")) != NULL) {
		at += 6;
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%.*s ", (int)strcspn(at, ","),
				      at);
	}
	(void)snprintf(text + n, sizeof(text) - n, "%s",
		       strstr(r->body, "\"has_more\":true}") != NULL ? "+" : "-");
	return text;
}

static void history_is_ascending_and_says_whether_there_is_more(void **state)
{
	(void)state;
	assert_string_equal(fake_ask("1", history(UINT64_MAX, UINT64_MAX, 0))->body,
			    "{\"data\":[],\"has_more\":false}");
	for (int i = 0; i < 6; i++)
		(void)fake_send("1", 1, "x");
	assert_string_equal(page_of(fake_ask("2", history(UINT64_MAX, UINT64_MAX, 3))), "4 5 6 +");
	assert_string_equal(page_of(fake_ask("2", history(4, UINT64_MAX, 3))), "1 2 3 -");
	assert_string_equal(page_of(fake_ask("2", history(4, UINT64_MAX, 2))), "2 3 +");
	assert_string_equal(page_of(fake_ask("2", history(1, UINT64_MAX, 2))), "-");
	assert_string_equal(page_of(fake_ask("2", history(0, UINT64_MAX, 2))), "-");
	assert_string_equal(page_of(fake_ask("2", history(UINT64_MAX, 0, 2))), "1 2 +");
	assert_string_equal(page_of(fake_ask("2", history(UINT64_MAX, 4, 2))), "5 6 -");
	assert_string_equal(page_of(fake_ask("2", history(UINT64_MAX, 6, 2))), "-");
}

static void a_page_has_at_most_200(void **state)
{
	struct fake_reply *r;
	unsigned rows = 0;

	(void)state;
	fake_options.messages.per_second = 0;
	chat_reload(fake_chat, &fake_options);
	for (int i = 0; i < 205; i++)
		(void)fake_send("1", 1, "x");
	r = fake_ask("1", history(UINT64_MAX, 0, 5000));
	for (const char *at = r->body; (at = strstr(at, "\"seq\":")) != NULL; at++)
		rows++;
	assert_int_equal(rows, 200);
	assert_non_null(strstr(r->body, "\"has_more\":true}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_message_has_all_its_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_sent_comes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_event_comes_before_the_answer_and_the_line_after, setup, teardown),
		cmocka_unit_test_setup_teardown(everybody_gets_a_line_with_their_own_count, setup,
						teardown),
		cmocka_unit_test_setup_teardown(lines_of_a_burst_count_up, setup, teardown),
		cmocka_unit_test_setup_teardown(chats_that_wait_share_the_next_question, setup,
						teardown),
		cmocka_unit_test_setup_teardown(the_socket_of_the_sender_does_not_get_it, setup,
						teardown),
		cmocka_unit_test_setup_teardown(strangers_are_403_as_chats_that_do_not_exist, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_client_id_is_sent_once, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reply_to_elsewhere_is_422, setup, teardown),
		cmocka_unit_test_setup_teardown(events_leave_by_seq_whatever_else_answers, setup,
						teardown),
		cmocka_unit_test_setup_teardown(names_of_events_are_as_configured, setup, teardown),
		cmocka_unit_test_setup_teardown(senders_are_limited, setup, teardown),
		cmocka_unit_test_setup_teardown(own_messages_can_be_edited, setup, teardown),
		cmocka_unit_test_setup_teardown(
			editing_the_newest_gives_lines_and_an_older_one_none, setup, teardown),
		cmocka_unit_test_setup_teardown(an_older_line_never_follows_a_newer_one, setup,
						teardown),
		cmocka_unit_test_setup_teardown(deleting_keeps_the_place, setup, teardown),
		cmocka_unit_test_setup_teardown(deleting_again_is_200_without_an_event, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_deleted_one_cannot_be_edited, setup, teardown),
		cmocka_unit_test_setup_teardown(history_is_ascending_and_says_whether_there_is_more,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_page_has_at_most_200, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
