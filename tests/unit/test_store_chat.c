/* The other operations of the chat: chats, participants, pages, receipts, users. */
#include "broker/chat/chat_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/store/store.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "tests/unit/pg_cluster.h"
#include "tests/unit/store_probe.h"

#define ADA SLICE("1")
#define BOB SLICE("2")
#define EVE SLICE("3")

static struct cluster *cluster;
static struct loop *loop;
static struct probe *probe;
static const struct chat_store *cs;
static struct answer a;

static int start(void **state)
{
	(void)state;
	cluster = cluster_new();
	cluster_exec(cluster, "INSERT INTO chat.app_user (user_id, name) "
			      "VALUES ('1', 'Ada'), ('2', 'Bob'), ('3', 'Eve')");
	loop = loop_new();
	probe = probe_new(loop, cluster_conninfo(cluster), "chat");
	probe_up(probe);
	cs = probe->chat;
	return 0;
}

static int stop(void **state)
{
	(void)state;
	probe_free(probe);
	loop_free(loop);
	cluster_free(cluster);
	return 0;
}

/* Waits for the answer of the call that was made with &a. */
static enum chat_store_code answered(void)
{
	probe_wait_flag(loop, &a.done);
	assert_int_equal(a.times, 1);
	a.done = false;
	a.times = 0;
	return a.code;
}

static uint64_t make_chat(bool direct)
{
	const struct slice other = BOB;

	cs->create_chat(cs->self, ADA, direct ? SLICE_NONE : SLICE("Club"), &other, 1, direct,
			on_created_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	return a.chat;
}

static uint64_t say(uint64_t chat, struct slice who, const char *text)
{
	cs->post(cs->self,
		 &(struct chat_post){.chat = chat, .sender_id = who, .body = slice_str(text)},
		 on_posted_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	return a.message.id;
}

/* ---- tests ------------------------------------------------------------------------------------
 */

static void chats_are_made(void **state)
{
	const struct slice unknown[] = {BOB, SLICE("77")};
	const struct slice self = ADA;
	uint64_t chat;

	(void)state;
	chat = make_chat(false);
	assert_true(a.flag);
	assert_true(make_chat(false) != chat);
	chat = make_chat(true);
	assert_true(a.flag);
	assert_int_equal(make_chat(true), chat); /* once */
	assert_false(a.flag);
	cs->create_chat(cs->self, ADA, SLICE_NONE, unknown, 2, false, on_created_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_INVALID);
	assert_string_equal(a.field, "participant_ids");
	assert_string_equal(a.why, "unknown_users");
	cs->create_chat(cs->self, ADA, SLICE_NONE, &self, 1, true, on_created_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_INVALID);
	assert_string_equal(a.why, "not_two");
	cs->create_chat(cs->self, ADA, SLICE("a\xff"), NULL, 0, false, on_created_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_INVALID);
	assert_string_equal(a.field, "name");
}

static void participants_come_and_go(void **state)
{
	uint64_t chat = make_chat(false);

	(void)state;
	say(chat, ADA, "one");
	cs->add_participant(cs->self, chat, EVE, BOB, on_member_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_true(a.flag);
	assert_int_equal(a.member.joined_seq, 1);
	assert_string_equal(a.sender_name, "Eve");
	assert_string_equal(a.ids[0], "1");
	cs->add_participant(cs->self, chat, EVE, BOB, on_member_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_false(a.flag);
	cs->add_participant(cs->self, chat, SLICE("77"), BOB, on_member_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_INVALID);
	assert_string_equal(a.field, "user_id");

	cs->participants(cs->self, &chat, 1, 0, on_participants_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_int_equal(a.n, 3);
	assert_string_equal(a.ids[0], "1");
	assert_string_equal(a.ids[2], "3");
	assert_true(a.participants[0].is_owner);
	assert_int_equal(a.participants[1].last_seq - a.participants[1].read_seq, 1);
	assert_int_equal(a.participants[2].last_seq - a.participants[2].read_seq, 0);
	cs->participants(cs->self, &chat, 1, 2, on_participants_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_int_equal(a.n, 2);
	assert_int_equal(a.participants[0].participant_count, 3);

	cs->remove_participant(cs->self, chat, ADA, BOB, on_member_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_FORBIDDEN);
	assert_false(a.has_row);
	cs->remove_participant(cs->self, chat, ADA, ADA, on_member_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_true(a.flag);
	assert_string_equal(a.ids[0], "2"); /* passes to the longest-standing */
	cs->participant(cs->self, chat, ADA, on_participants_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_FORBIDDEN);
	cs->participant(cs->self, chat, EVE, on_participants_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_int_equal(a.participants[0].joined_seq, 1);
	assert_int_equal(a.participants[0].participant_count, 2);
}

static void history_is_paged(void **state)
{
	uint64_t chat = make_chat(false);

	(void)state;
	cs->history(cs->self, chat, BOB, 0, 10, on_messages_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK); /* nothing yet */
	assert_int_equal(a.n, 0);
	for (int i = 0; i < 5; i++)
		say(chat, ADA, "text");
	cs->history(cs->self, chat, BOB, 0, 2, on_messages_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_int_equal(a.n, 2);
	assert_int_equal(a.seqs[0], 5);
	assert_string_equal(a.sender_name, "Ada");
	cs->history(cs->self, chat, BOB, 4, 10, on_messages_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_int_equal(a.n, 3);
	assert_int_equal(a.seqs[0], 3);
	cs->catch_up(cs->self, chat, BOB, 3, 10, on_messages_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_int_equal(a.n, 2);
	assert_int_equal(a.seqs[0], 4);
	cs->catch_up(cs->self, chat, BOB, UINT64_MAX, 10, on_messages_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_int_equal(a.n, 0);
	cs->history(cs->self, chat, EVE, 0, 10, on_messages_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_FORBIDDEN);
	cs->catch_up(cs->self, 999999, BOB, 0, 10, on_messages_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_FORBIDDEN);
}

static void messages_change(void **state)
{
	uint64_t chat = make_chat(false);
	uint64_t first = say(chat, ADA, "first");
	uint64_t second = say(chat, BOB, "second");

	(void)state;
	cs->edit(cs->self, first, ADA, SLICE("edited"), on_changed_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_true(a.flag);
	assert_false(a.is_last);
	assert_string_equal(a.body, "edited");
	assert_true(a.message.edited_at > 0);
	cs->edit(cs->self, second, ADA, SLICE("x"), on_changed_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_FORBIDDEN);
	assert_false(a.has_row);
	cs->delete_message(cs->self, second, BOB, on_changed_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_true(a.flag);
	assert_true(a.is_last);
	assert_string_equal(a.body, "");
	cs->delete_message(cs->self, second, BOB, on_changed_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_false(a.flag);
	cs->edit(cs->self, second, BOB, SLICE("x"), on_changed_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_false(a.flag);
	cs->edit(cs->self, first, ADA, SLICE("x\xff"), on_changed_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_INVALID);
	assert_string_equal(a.field, "body");
}

static void cursors_move_forward(void **state)
{
	uint64_t chat = make_chat(false);
	struct answer many[3] = {0};
	uint64_t second;

	(void)state;
	say(chat, ADA, "1");
	second = say(chat, ADA, "2");
	say(chat, ADA, "3");
	cs->find_message(cs->self, second, BOB, on_place_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_int_equal(a.place.seq, 2);
	assert_int_equal(a.place.chat, chat);
	assert_int_equal(a.place.read_seq, 0);
	assert_int_equal(a.place.read_at, 0);
	cs->find_message(cs->self, second, EVE, on_place_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_FORBIDDEN);

	cs->move_cursors(cs->self, chat, BOB, 1, 0, on_cursor_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_true(a.cursor.delivered_moved);
	assert_false(a.cursor.read_moved);
	assert_int_equal(a.cursor.delivered_seq, 1);
	assert_int_equal(a.cursor.read_id, 0);
	for (size_t i = 0; i < 3; i++) /* become one move */
		cs->move_cursors(cs->self, chat, BOB, 0, i + 1, on_cursor_answer, &many[i]);
	for (size_t i = 0; i < 3; i++) {
		probe_wait_flag(loop, &many[i].done);
		assert_int_equal(many[i].code, CHAT_STORE_OK);
	}
	assert_int_equal(many[2].cursor.read_seq, 3);
	assert_int_equal(many[2].cursor.delivered_seq, 3);
	cs->move_cursors(cs->self, chat, BOB, 99, 99, on_cursor_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_false(a.cursor.read_moved);
	assert_int_equal(a.cursor.read_seq, 3);
	cs->move_cursors(cs->self, chat, EVE, 0, 1, on_cursor_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_FORBIDDEN);
	cs->receipts(cs->self, chat, ADA, on_receipts_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_int_equal(a.n, 2);
	assert_int_equal(a.receipts[1].read_seq, 3);
	cs->receipts(cs->self, chat, EVE, on_receipts_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_FORBIDDEN);
}

static void a_list_of_chats(void **state)
{
	uint64_t chat = make_chat(false);
	struct chat_pair pairs[2] = {{chat, BOB}, {chat, EVE}};
	wall_us_t at;

	(void)state;
	cs->chat_view(cs->self, pairs, 2, on_chats_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_int_equal(a.n, 1);
	assert_false(a.view.has_last);
	say(chat, ADA, "newest");
	cs->active_chats(cs->self, BOB, 0, 0, 1, on_chats_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.view.chat, chat);
	assert_true(a.view.has_last);
	assert_int_equal(a.view.last.chat, chat);
	assert_string_equal(a.body, "newest");
	assert_int_equal(a.view.unread, 1);
	assert_int_equal(a.view.participant_count, 2);
	assert_int_equal(a.view.updated_at, a.view.last.created_at);
	at = a.view.updated_at;
	cs->active_chats(cs->self, BOB, at, chat, 50, on_chats_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_true(a.n > 0);
	assert_true(a.view.chat != chat);
	assert_true(a.view.updated_at <= at);
	cs->active_chats(cs->self, SLICE("nobody"), 0, 0, 50, on_chats_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_int_equal(a.n, 0);
}

static void users_and_their_settings(void **state)
{
	const struct slice ids[] = {ADA, SLICE("77")};
	const struct slice bob = BOB;

	(void)state;
	make_chat(true);
	cluster_exec(cluster, "INSERT INTO chat.user_last_seen VALUES ('chatapp', '1', "
			      "'2031-01-01 00:00:00.5Z'), ('another', '1', '2032-01-01Z')");
	cs->users(cs->self, ids, 2, on_users_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.user.last_seen, INT64_C(1924992000500000));
	assert_int_equal(a.user.policy, CHAT_POLICY_EVERYONE);
	assert_int_equal(a.user.hidden_since, 0);
	cs->set_policy(cs->self, ADA, CHAT_POLICY_NOBODY, on_done_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	cs->set_hidden(cs->self, ADA, 1000000, on_hidden_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_int_equal(a.hidden_since, 1000000);
	cs->set_hidden(cs->self, ADA, 9000000, on_hidden_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_int_equal(a.hidden_since, 1000000); /* the earlier moment stays */
	cs->users(cs->self, ids, 1, on_users_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_int_equal(a.user.policy, CHAT_POLICY_NOBODY);
	assert_int_equal(a.user.hidden_since, 1000000);
	cs->set_hidden(cs->self, ADA, 0, on_hidden_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_int_equal(a.hidden_since, 0);
	cs->users(cs->self, NULL, 0, on_users_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_int_equal(a.n, 0);

	cs->shares_chat(cs->self, ADA, NULL, 0, on_ids_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_true(a.n >= 1);
	cs->shares_chat(cs->self, ADA, &bob, 1, on_ids_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_int_equal(a.n, 1);
	assert_string_equal(a.ids[0], "2");
	cs->contacts(cs->self, BOB, ids, 2, 10, on_users_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_int_equal(a.n, 1);
	assert_string_equal(a.ids[0], "1");
	cs->contacts(cs->self, BOB, NULL, 0, 1, on_users_answer, &a);
	assert_int_equal(answered(), CHAT_STORE_OK);
	assert_int_equal(a.n, 1);
}

static void too_many_calls_are_refused(void **state)
{
	struct probe *p = probe_new(loop, cluster_conninfo(cluster), "few");
	struct answer many[40] = {0};
	const struct slice id = ADA;
	size_t refused = 0;

	(void)state;
	p->options.max_waiting = 20;
	probe_open(p); /* not started: all wait */
	for (size_t i = 0; i < 40; i++)
		p->chat->users(p->chat->self, &id, 1, on_users_answer, &many[i]);
	probe_wait_flag(loop, &many[39].done);
	for (size_t i = 0; i < 40; i++)
		refused += many[i].done ? 1 : 0;
	assert_int_equal(refused, 20);
	probe_free(p);
}

static void calls_outlive_their_connection(void **state)
{
	struct answer many[200] = {0};
	const struct slice id = ADA;

	(void)state;
	for (int round = 0; round < 3; round++) {
		memset(many, 0, sizeof(many));
		for (size_t i = 0; i < 200; i++)
			cs->users(cs->self, &id, 1, on_users_answer, &many[i]);
		cluster_exec(cluster, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
				      "WHERE application_name = 'chat-broker/chat/lookups'");
		for (size_t i = 0; i < 200; i++) {
			probe_wait_flag(loop, &many[i].done);
			assert_int_equal(many[i].times, 1);
			assert_int_equal(many[i].code, CHAT_STORE_OK);
			assert_int_equal(many[i].n, 1);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chats_are_made),
		cmocka_unit_test(participants_come_and_go),
		cmocka_unit_test(history_is_paged),
		cmocka_unit_test(messages_change),
		cmocka_unit_test(cursors_move_forward),
		cmocka_unit_test(a_list_of_chats),
		cmocka_unit_test(users_and_their_settings),
		cmocka_unit_test(too_many_calls_are_refused),
		cmocka_unit_test(calls_outlive_their_connection),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
