/* Chats and participants: the list, making one, who comes and goes and what they lose. */
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

static struct fake_reply *list(const char *user, uint32_t limit, const char *cursor)
{
	return fake_ask(user, (struct chat_call){.route = WIRE_CHAT_ACTIVE_CHATS,
						 .limit = limit,
						 .cursor = slice_str(cursor)});
}

static struct fake_reply *create(const char *user, const char *name, const char *ids, bool direct)
{
	struct fake_reply *r;
	struct slice rest = slice_str(ids);
	struct slice id;
	struct buf list;

	buf_init(&list, 4096);
	while (slice_cut(rest, ' ', &id, &rest))
		assert_true(wire_list_add(&list, id));
	assert_true(rest.n == 0 || wire_list_add(&list, rest));
	r = fake_ask(user, (struct chat_call){.route = WIRE_CHAT_CREATE,
					      .name = slice_str(name),
					      .ids = buf_slice(&list),
					      .flag = direct});
	buf_done(&list);
	return r;
}

static struct fake_reply *add(const char *by, uint64_t chat, const char *user)
{
	return fake_ask(by, (struct chat_call){.route = WIRE_CHAT_ADD_PARTICIPANT,
					       .chat = chat,
					       .user = slice_str(user)});
}

static struct fake_reply *take_out(const char *by, uint64_t chat, const char *user)
{
	return fake_ask(by, (struct chat_call){.route = WIRE_CHAT_REMOVE_PARTICIPANT,
					       .chat = chat,
					       .user = slice_str(user)});
}

/* ---- the list ---- */

static void a_chat_has_all_its_fields(void **state)
{
	(void)state;
	(void)fake_send("1", 1, "x");
	assert_string_equal(
		list("2", 1, "")->body,
		"{\"data\":[{\"id\":1,\"name\":\"Tea\",\"direct\":false,"
		"\"channel\":\"private-chat.1\",\"presence_channel\":\"presence-chat.1\","
		"\"owner_id\":1,\"participants\":[{\"id\":1,\"name\":\"Ada\",\"is_online\":false,"
		"\"last_seen_at\":null},{\"id\":2,\"name\":\"Bob\",\"is_online\":false,"
		"\"last_seen_at\":null}],\"participant_count\":2,\"last_message\":{\"id\":1,"
		"\"chat_id\":1,\"seq\":1,\"prev_seq\":0,\"user\":{\"id\":1,\"name\":\"Ada\"},"
		"\"body\":\"x\",\"reply_to\":null,\"meta\":null,\"client_id\":null,"
		"\"created_at\":\"2025-11-25T08:30:00.000Z\",\"edited_at\":null,"
		"\"deleted_at\":null},\"last_seq\":1,\"unread_count\":1,\"read_seq\":0,"
		"\"delivered_seq\":0,\"updated_at\":\"2025-11-25T08:30:00.000Z\"}],"
		"\"next_cursor\":null}");
}

static void a_direct_chat_has_no_owner_and_no_name(void **state)
{
	(void)state;
	assert_non_null(strstr(list("3", 0, "")->body,
			       "{\"id\":2,\"name\":null,\"direct\":true,"
			       "\"channel\":\"private-chat.2\","
			       "\"presence_channel\":\"presence-chat.2\",\"owner_id\":null,"));
}

static void cursor_of(const struct fake_reply *r, char cursor[64])
{
	const char *at = strstr(r->body, "\"next_cursor\":\"");

	assert_non_null(at);
	at += strlen("\"next_cursor\":\"");
	(void)snprintf(cursor, 64, "%.*s", (int)strcspn(at, "\""), at);
}

static void pages_follow_each_other_by_activity(void **state)
{
	struct fake_reply *r;
	char cursor[64];

	(void)state;
	fake_pass(USEC_PER_SEC);
	(void)create("1", "New", "2", false);
	fake_pass(USEC_PER_SEC);
	(void)fake_send("1", 1, "x");
	r = list("1", 2, "");
	assert_non_null(strstr(r->body, "{\"data\":[{\"id\":1,"));
	assert_non_null(strstr(r->body, ",{\"id\":3,\"name\":\"New\""));
	assert_null(strstr(r->body, "{\"id\":2,\"name\":null"));
	cursor_of(r, cursor);
	r = list("1", 2, cursor);
	assert_non_null(strstr(r->body, "{\"data\":[{\"id\":2,"));
	assert_non_null(strstr(r->body, "\"next_cursor\":null}"));
}

static void a_cursor_of_somebody_else_is_422(void **state)
{
	(void)state;
	assert_int_equal(list("1", 2, "x")->status, 422);
	assert_int_equal(list("1", 2, "-1")->status, 422);
	assert_int_equal(list("1", 2, "0-1")->status, 422);
	assert_int_equal(list("1", 2, "99999999999999999999-1")->status, 422);
	assert_string_equal(list("4", 2, "")->body, "{\"data\":[],\"next_cursor\":null}");
}

/* ---- creating ---- */

static void everybody_is_told_of_a_new_chat_once(void **state)
{
	struct fake_reply *r;

	(void)state;
	r = create("1", "Trip", "2 3 2 1", false);
	assert_int_equal(r->status, 201);
	assert_non_null(strstr(r->body, "{\"chat\":{\"id\":3,\"name\":\"Trip\",\"direct\":false,"));
	assert_non_null(strstr(r->body, "\"owner_id\":1,"));
	assert_non_null(strstr(r->body, "\"participant_count\":3,"));
	assert_int_equal(fake_count("chat.created"), 3);
	assert_int_equal(fake_count("publish private-user.1 chat.created {\"chat\":{\"id\":3,"), 1);
	assert_int_equal(fake_count("publish private-user.2 chat.created"), 1);
	assert_int_equal(fake_count("publish private-user.3 chat.created"), 1);
	assert_true(fake_in_order("chat.created", "answer 201"));
}

static void a_direct_chat_is_made_once(void **state)
{
	struct fake_reply *r;

	(void)state;
	r = create("2", "", "3", true);
	assert_int_equal(r->status, 201);
	fake_forget();
	r = create("3", "", "2", true);
	assert_int_equal(r->status, 200);
	assert_non_null(strstr(r->body, "{\"chat\":{\"id\":3,"));
	expect_untold("publish");
}

static void users_that_do_not_exist_are_422(void **state)
{
	struct fake_reply *r;

	(void)state;
	r = create("1", "x", "2 99", false);
	assert_int_equal(r->status, 422);
	assert_non_null(strstr(r->body, "\"errors\":{\"participant_ids\":["));
	assert_int_equal(create("1", "", "2 3", true)->status, 422);
	assert_int_equal(create("1", "", "1", true)->status, 422);
	assert_int_equal(add("1", 1, "99")->status, 422);
	expect_untold("publish");
}

/* ---- coming ---- */

static void the_new_one_gets_the_chat_and_the_others_hear(void **state)
{
	struct fake_reply *r;

	(void)state;
	r = add("2", 1, "3");
	assert_int_equal(r->status, 200);
	assert_non_null(strstr(r->body, "\"participant_count\":3,"));
	expect_told("publish private-chat.1 participant.added {\"chat_id\":1,"
		    "\"user\":{\"id\":3,\"name\":\"Cyd\"},\"owner_id\":1}");
	expect_told("publish private-user.3 chat.created {\"chat\":{\"id\":1,");
	assert_int_equal(fake_count("publish"), 2);
}

static void the_new_one_starts_with_nothing_unread_and_nothing_old(void **state)
{
	(void)state;
	(void)fake_send("1", 1, "old");
	(void)add("1", 1, "3");
	expect_told("publish private-user.3 chat.created");
	expect_told("\"last_message\":null,\"last_seq\":1,\"unread_count\":0,");
	assert_int_equal(fake_read("3", 1)->status, 403);
	fake_forget();
	(void)fake_ask("1", (struct chat_call){
				    .route = WIRE_CHAT_EDIT, .message = 1, .text = SLICE("OLD")});
	expect_untold("private-user.3 chat.activity");
	(void)fake_send("1", 1, "new");
	expect_told("publish private-user.3 chat.activity");
}

static void adding_one_who_is_there_is_200_without_an_event(void **state)
{
	(void)state;
	assert_int_equal(add("1", 1, "2")->status, 200);
	expect_untold("publish");
}

static void rights_are_those_of_the_store(void **state)
{
	(void)state;
	assert_int_equal(add("3", 1, "4")->status, 403);
	assert_int_equal(take_out("2", 1, "1")->status, 403);
	assert_int_equal(add("1", 2, "4")->status, 403);
	assert_int_equal(take_out("1", 2, "1")->status, 403);
	expect_untold("publish");
}

/* ---- going ---- */

static void the_others_hear_and_the_one_too(void **state)
{
	struct fake_reply *r;

	(void)state;
	r = take_out("1", 1, "2");
	assert_int_equal(r->status, 200);
	assert_string_equal(r->body, "{}");
	expect_told("publish private-chat.1 participant.removed {\"chat_id\":1,"
		    "\"user\":{\"id\":2,\"name\":\"Bob\"},\"owner_id\":1}");
	expect_told("publish private-user.2 chat.removed {\"chat_id\":1}");
	fake_forget();
	assert_int_equal(take_out("1", 1, "2")->status, 200);
	expect_untold("publish");
}

static void when_the_owner_leaves_the_next_one_owns(void **state)
{
	(void)state;
	assert_int_equal(take_out("1", 1, "1")->status, 200);
	expect_told("participant.removed {\"chat_id\":1,\"user\":{\"id\":1,\"name\":\"Ada\"},"
		    "\"owner_id\":2}");
}

static void sockets_lose_the_channels_at_once(void **state)
{
	(void)state;
	fake_open(7);
	fake_open(8);
	fake_open(9);
	assert_true(fake_join("2", 7, "private-chat.1"));
	assert_true(fake_join("2", 7, "presence-chat.1"));
	assert_true(fake_join("2", 8, "presence-presence-chat.1"));
	assert_true(fake_join("2", 8, "private-user.2"));
	assert_true(fake_join("1", 9, "private-chat.1"));
	fake_forget();
	(void)take_out("1", 1, "2");
	expect_told("expel 7 private-chat.1\n");
	expect_told("expel 7 presence-chat.1\n");
	expect_told("expel 8 presence-presence-chat.1\n");
	assert_int_equal(fake_count("expel"), 3);
	assert_true(fake_in_order("expel", "participant.removed"));
	assert_true(registry_is_subscribed(fake_registry, 9, SLICE("private-chat.1")));
}

static void the_signature_is_no_use_any_more(void **state)
{
	(void)state;
	fake_open(7);
	fake_open(8);
	assert_true(fake_join("2", 7, "private-chat.1"));
	fake_unsubscribe(7, "private-chat.1");
	assert_int_equal(fake_authorize("2", 8, "private-chat.1")->status, 200);
	(void)take_out("1", 1, "2");
	assert_false(fake_subscribe(7, "private-chat.1", true, NULL));
	assert_false(fake_subscribe(7, "presence-chat.1", true, "2"));
	assert_false(fake_subscribe(8, "private-chat.1", true, NULL));
	assert_int_equal(fake_authorize("2", 8, "private-chat.1")->status, 403);
	fake_close(8);
	fake_open(8);
	assert_true(
		fake_subscribe(8, "private-chat.1", true, NULL)); /* another socket of that name */
}

static void a_participant_again_may_again(void **state)
{
	(void)state;
	fake_open(7);
	assert_true(fake_join("2", 7, "private-chat.1"));
	(void)take_out("1", 1, "2");
	(void)add("1", 1, "2");
	assert_true(fake_subscribe(7, "private-chat.1", true, NULL));
	/* Added by somebody else than us: seen when they ask. */
	(void)take_out("1", 1, "2");
	assert_false(fake_subscribe(7, "private-chat.1", true, NULL));
}

/* Who is removed cannot take others along by asking for their sockets. */
static void sockets_of_others_lose_nothing(void **state)
{
	(void)state;
	fake_open(7);
	fake_open(8);
	assert_true(fake_join("1", 7, "private-user.1"));
	assert_true(fake_join("1", 7, "private-chat.1"));
	assert_int_equal(fake_authorize("2", 7, "private-chat.1")->status, 200);
	assert_int_equal(fake_authorize("1", 8, "private-chat.1")->status, 200);
	assert_int_equal(fake_authorize("2", 8, "private-chat.1")->status, 200);
	fake_forget();
	(void)take_out("1", 1, "2");
	expect_untold("expel");
	assert_true(fake_subscribe(8, "private-chat.1", true, NULL));
}

/* The look-up had said yes before the removal was committed. */
static void a_call_on_its_way_is_decided_anew(void **state)
{
	static struct fake_reply typing;
	static struct fake_reply removal;

	(void)state;
	(void)fake_typing("2", 1, false); /* the tokens are known */
	(void)fake_typing("1", 1, false);
	fake_call("2", (struct chat_call){.route = WIRE_CHAT_TYPING, .chat = 1, .flag = 1},
		  &typing);
	fake_call("1",
		  (struct chat_call){
			  .route = WIRE_CHAT_REMOVE_PARTICIPANT, .chat = 1, .user = SLICE("2")},
		  &removal);
	assert_true(fake_answer(QUEUE_MESSAGES));
	assert_int_equal(removal.status, 200);
	fake_settle();
	assert_int_equal(typing.status, 403);
	expect_untold("user.typing");
}

static void typing_ends_with_the_removal(void **state)
{
	(void)state;
	(void)fake_typing("2", 1, true);
	fake_forget();
	(void)take_out("1", 1, "2");
	expect_told("user.typing {\"chat_id\":1,\"user\":{\"id\":2,\"name\":\"Bob\"},"
		    "\"is_typing\":false}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_chat_has_all_its_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(a_direct_chat_has_no_owner_and_no_name, setup,
						teardown),
		cmocka_unit_test_setup_teardown(pages_follow_each_other_by_activity, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_cursor_of_somebody_else_is_422, setup, teardown),
		cmocka_unit_test_setup_teardown(everybody_is_told_of_a_new_chat_once, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_direct_chat_is_made_once, setup, teardown),
		cmocka_unit_test_setup_teardown(users_that_do_not_exist_are_422, setup, teardown),
		cmocka_unit_test_setup_teardown(the_new_one_gets_the_chat_and_the_others_hear,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_new_one_starts_with_nothing_unread_and_nothing_old, setup, teardown),
		cmocka_unit_test_setup_teardown(adding_one_who_is_there_is_200_without_an_event,
						setup, teardown),
		cmocka_unit_test_setup_teardown(rights_are_those_of_the_store, setup, teardown),
		cmocka_unit_test_setup_teardown(the_others_hear_and_the_one_too, setup, teardown),
		cmocka_unit_test_setup_teardown(when_the_owner_leaves_the_next_one_owns, setup,
						teardown),
		cmocka_unit_test_setup_teardown(sockets_lose_the_channels_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(the_signature_is_no_use_any_more, setup, teardown),
		cmocka_unit_test_setup_teardown(a_participant_again_may_again, setup, teardown),
		cmocka_unit_test_setup_teardown(sockets_of_others_lose_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(a_call_on_its_way_is_decided_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(typing_ends_with_the_removal, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
