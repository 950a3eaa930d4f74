/*
 * Messages through the store: order, keys, batches, and what is left of them when connections or
 * the whole server go in the middle.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "broker/store/store.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "tests/unit/pg_cluster.h"
#include "tests/unit/store_probe.h"

#define CHATS 40

static struct cluster *cluster;

static int start(void **state)
{
	(void)state;
	cluster = cluster_new();
	cluster_exec(cluster, "INSERT INTO chat.app_user VALUES ('1', 'Ada'), ('2', 'Bob')");
	return 0;
}

static int stop(void **state)
{
	(void)state;
	cluster_free(cluster);
	return 0;
}

static int empty(void **state)
{
	(void)state;
	cluster_exec(cluster,
		     "TRUNCATE chat.chat, chat.participant, chat.message, chat.message_key");
	cluster_exec(cluster,
		     "INSERT INTO chat.chat (chat_id, owner_id) "
		     "SELECT g, '1' FROM generate_series(1, %d) g",
		     CHATS);
	cluster_exec(cluster,
		     "INSERT INTO chat.participant (chat_id, user_id) "
		     "SELECT g, u FROM generate_series(1, %d) g, unnest('{1,2}'::text[]) u",
		     CHATS);
	return 0;
}

/* ---- a stream of messages ---------------------------------------------------------------------
 */

struct stream;

struct sent {
	struct stream *stream;
	uint64_t chat;
	uint64_t number; /* of its chat */
	unsigned answers;
};

/* Posts `total` messages over all chats, at most `most` unanswered. */
struct stream {
	struct probe *probe;
	struct sent *sent;
	size_t total;
	size_t most;
	size_t made;
	size_t answered;
	size_t stored;
	size_t unavailable;
	size_t others;
	bool keyed;
	uint64_t last_seq[CHATS + 1];
	uint64_t last_number[CHATS + 1];
	uint64_t next_number[CHATS + 1];
	bool disorder;
	struct event *turn;
};

static void on_posted(void *ctx, const struct chat_result *r, bool stored,
		      const struct chat_message_row *row)
{
	struct sent *m = ctx;
	struct stream *x = m->stream;

	m->answers++;
	x->answered++;
	if (r->code == CHAT_STORE_UNAVAILABLE)
		x->unavailable++;
	else if (r->code != CHAT_STORE_OK || !stored)
		x->others++;
	if (r->code == CHAT_STORE_OK) {
		x->stored++;
		/* answers of a chat come in the order of its calls and of its numbers */
		if (row->seq <= x->last_seq[m->chat] || m->number <= x->last_number[m->chat] ||
		    row->prev_seq != row->seq - 1)
			x->disorder = true;
		x->last_seq[m->chat] = row->seq;
		x->last_number[m->chat] = m->number;
	}
	event_active(x->turn, 0, 0);
}

static void post_more(evutil_socket_t fd, short what, void *arg)
{
	struct stream *x = arg;
	const struct chat_store *cs = x->probe->chat;

	(void)fd;
	(void)what;
	while (x->made < x->total && x->made - x->answered < x->most) {
		struct sent *m = &x->sent[x->made];
		char key[40];
		char body[40];

		m->stream = x;
		m->chat = 1 + (x->made * 7) % CHATS;
		m->number = ++x->next_number[m->chat];
		(void)snprintf(key, sizeof(key), "00000000-0000-4000-8000-%012zx", x->made);
		(void)snprintf(body, sizeof(body), "%zu", x->made);
		x->made++;
		cs->post(cs->self,
			 &(struct chat_post){.chat = m->chat,
					     .sender_id = SLICE("1"),
					     .client_id = x->keyed ? slice_str(key) : SLICE_NONE,
					     .body = slice_str(body)},
			 on_posted, m);
	}
}

static struct stream *stream_new(struct probe *p, size_t total, size_t most, bool keyed)
{
	struct stream *x = NEW(struct stream);

	x->probe = p;
	x->total = total;
	x->most = most;
	x->keyed = keyed;
	x->sent = mem_calloc(total, sizeof(*x->sent));
	x->turn = event_new(loop_base(p->loop), -1, 0, post_more, x);
	event_active(x->turn, 0, 0);
	return x;
}

static void stream_free(struct stream *x)
{
	event_free(x->turn);
	free(x->sent);
	free(x);
}

static bool all_answered(void *ctx)
{
	const struct stream *x = ctx;

	return x->answered == x->total;
}

static bool half_answered(void *ctx)
{
	const struct stream *x = ctx;

	return x->answered >= x->total / 2;
}

static bool eighth_answered(void *ctx)
{
	const struct stream *x = ctx;

	return x->answered >= x->total / 8;
}

/* Every number of every chat from 1 to its last, each text once. */
static void assert_whole(void)
{
	assert_int_equal(cluster_int(cluster,
				     "SELECT count(*) FROM chat.chat c WHERE c.last_seq <> "
				     "(SELECT count(*) FROM chat.message m WHERE "
				     "m.chat_id = c.chat_id)"),
			 0);
	assert_int_equal(cluster_int(cluster,
				     "SELECT count(*) FROM chat.chat c WHERE c.last_seq <> "
				     "(SELECT coalesce(max(seq), 0) FROM chat.message m "
				     "WHERE m.chat_id = c.chat_id)"),
			 0);
	assert_int_equal(
		cluster_int(cluster, "SELECT count(*) - count(DISTINCT body) FROM chat.message"),
		0);
	/* what was posted first stands first */
	assert_int_equal(cluster_int(cluster, "SELECT count(*) FROM (SELECT body::int AS b, "
					      "lag(body::int) OVER (PARTITION BY chat_id ORDER BY "
					      "seq) AS before FROM chat.message) x "
					      "WHERE b < before"),
			 0);
}

static void assert_each_answered_once(const struct stream *x)
{
	for (size_t i = 0; i < x->total; i++)
		assert_int_equal(x->sent[i].answers, 1);
	assert_false(x->disorder);
}

static int64_t messages(void)
{
	return cluster_int(cluster, "SELECT count(*) FROM chat.message");
}

/* ---- tests ------------------------------------------------------------------------------------
 */

static void many_chats_keep_their_order(void **state)
{
	struct loop *loop = loop_new();
	struct probe *p = probe_new(loop, cluster_conninfo(cluster), "posts");
	struct store_stats stats;
	struct stream *x;

	(void)state;
	probe_up(p);
	x = stream_new(p, 4000, 1000, false);
	probe_wait(loop, all_answered, x);
	assert_int_equal(x->stored, 4000);
	assert_int_equal(x->others, 0);
	assert_each_answered_once(x);
	assert_int_equal(messages(), 4000);
	assert_whole();
	store_stats(p->store, &stats);
	assert_int_equal(stats.messages_stored, 4000);
	assert_int_equal(stats.messages_queued, 0);
	assert_int_equal(stats.messages_bytes, 0);
	assert_true(stats.message_batches < 2000); /* they went together */
	stream_free(x);
	probe_free(p);
	loop_free(loop);
}

static void post(struct probe *p, const struct chat_post *m, struct answer *a)
{
	*a = (struct answer){0};
	p->chat->post(p->chat->self, m, on_posted_answer, a);
	assert_false(a->done);
	probe_wait_flag(p->loop, &a->done);
}

static void each_message_gets_its_own_verdict(void **state)
{
	struct loop *loop = loop_new();
	struct probe *p = probe_new(loop, cluster_conninfo(cluster), "posts");
	const char *key = "123E4567-e89b-42d3-a456-426614174000";
	struct chat_post m = {.chat = 1, .sender_id = SLICE("1"), .body = SLICE("hello")};
	struct answer first, a;

	(void)state;
	probe_up(p);
	m.client_id = slice_str(key);
	m.meta = SLICE("{\"a\" : \"\\u0000\"}");
	post(p, &m, &first);
	assert_int_equal(first.code, CHAT_STORE_OK);
	assert_true(first.flag);
	assert_int_equal(first.message.seq, 1);
	assert_int_equal(first.message.prev_seq, 0);
	assert_int_equal(first.message.chat, 1);
	assert_int_equal(first.message.reply_to, 0);
	assert_string_equal(first.sender_name, "Ada");
	assert_string_equal(first.body, "hello");
	assert_string_equal(first.meta, "{\"a\" : \"\\u0000\"}"); /* byte for byte */
	assert_string_equal(first.client_id, "123e4567-e89b-42d3-a456-426614174000");
	assert_true(first.message.created_at > INT64_C(1700000000000000));
	assert_int_equal(first.message.edited_at, 0);

	m.body = SLICE("again");
	post(p, &m, &a); /* the same key: the first message */
	assert_int_equal(a.code, CHAT_STORE_OK);
	assert_false(a.flag);
	assert_int_equal(a.message.id, first.message.id);
	assert_string_equal(a.body, "hello");

	m.client_id = SLICE_NONE;
	m.meta = SLICE_NONE;
	m.reply_to = first.message.id;
	post(p, &m, &a);
	assert_int_equal(a.message.seq, 2);
	assert_int_equal(a.message.reply_to, first.message.id);
	assert_string_equal(a.meta, "(null)");
	assert_string_equal(a.client_id, "(null)");
	m.reply_to = 999999;
	post(p, &m, &a);
	assert_int_equal(a.code, CHAT_STORE_INVALID);
	assert_string_equal(a.field, "reply_to");
	assert_string_equal(a.why, "bad_reply");
	m.reply_to = 0;

	m.sender_id = SLICE("99");
	post(p, &m, &a);
	assert_int_equal(a.code, CHAT_STORE_FORBIDDEN);
	assert_false(a.has_row);
	m.chat = 4711;
	post(p, &m, &a);
	assert_int_equal(a.code, CHAT_STORE_FORBIDDEN);
	m.chat = UINT64_MAX;
	post(p, &m, &a);
	assert_int_equal(a.code, CHAT_STORE_FORBIDDEN);
	m.chat = 1;
	m.sender_id = SLICE("1");
	m.body = slice_of("a\0b", 3);
	post(p, &m, &a);
	assert_int_equal(a.code, CHAT_STORE_INVALID);
	assert_string_equal(a.field, "body");
	m.body = SLICE("x\xff");
	post(p, &m, &a);
	assert_int_equal(a.code, CHAT_STORE_INVALID);
	m.body = SLICE("x");
	m.client_id = SLICE("not-a-uuid");
	post(p, &m, &a);
	assert_string_equal(a.field, "client_id");
	assert_int_equal(messages(), 2);
	probe_free(p);
	loop_free(loop);
}

/* One refused by PostgreSQL itself, in the middle of a batch: the others are stored, in order. */
static void a_bad_one_fails_alone(void **state)
{
	struct loop *loop = loop_new();
	struct probe *p = probe_new(loop, cluster_conninfo(cluster), "posts");
	struct answer a[30] = {0};

	(void)state;
	cluster_exec(cluster, "ALTER TABLE chat.message ADD CONSTRAINT bad CHECK (body <> 'bad')");
	probe_up(p);
	for (size_t i = 0; i < ARRAY_LEN(a); i++)
		p->chat->post(p->chat->self,
			      &(struct chat_post){.chat = 2,
						  .sender_id = SLICE("1"),
						  .body = i == 17 ? SLICE("bad") : SLICE("good")},
			      on_posted_answer, &a[i]);
	for (size_t i = 0; i < ARRAY_LEN(a); i++)
		probe_wait_flag(loop, &a[i].done);
	for (size_t i = 0; i < ARRAY_LEN(a); i++) {
		assert_int_equal(a[i].times, 1);
		assert_int_equal(a[i].code, i == 17 ? CHAT_STORE_INVALID : CHAT_STORE_OK);
		if (i != 17)
			assert_int_equal(a[i].message.seq, i < 17 ? i + 1 : i);
	}
	cluster_exec(cluster, "ALTER TABLE chat.message DROP CONSTRAINT bad");
	probe_free(p);
	loop_free(loop);
}

static void a_locked_chat_holds_nobody_else_up(void **state)
{
	struct loop *loop = loop_new();
	struct probe *p = probe_new(loop, cluster_conninfo(cluster), "posts");
	struct answer held[3] = {0};
	struct answer free_ones[20] = {0};

	(void)state;
	probe_up(p);
	cluster_exec(cluster, "BEGIN");
	cluster_exec(cluster, "SELECT FROM chat.chat WHERE chat_id = 2 FOR UPDATE");
	for (size_t i = 0; i < ARRAY_LEN(held); i++)
		p->chat->post(p->chat->self,
			      &(struct chat_post){
				      .chat = 2, .sender_id = SLICE("1"), .body = SLICE("held")},
			      on_posted_answer, &held[i]);
	for (size_t i = 0; i < ARRAY_LEN(free_ones); i++)
		p->chat->post(p->chat->self,
			      &(struct chat_post){.chat = 4 + 2 * (i % 10),
						  .sender_id = SLICE("1"),
						  .body = SLICE("free")},
			      on_posted_answer, &free_ones[i]);
	for (size_t i = 0; i < ARRAY_LEN(free_ones); i++) {
		probe_wait_flag(loop, &free_ones[i].done);
		assert_int_equal(free_ones[i].code, CHAT_STORE_OK);
	}
	for (size_t i = 0; i < ARRAY_LEN(held); i++)
		assert_false(held[i].done);
	cluster_exec(cluster, "COMMIT");
	for (size_t i = 0; i < ARRAY_LEN(held); i++) {
		probe_wait_flag(loop, &held[i].done);
		assert_int_equal(held[i].code, CHAT_STORE_OK);
		assert_int_equal(held[i].message.seq, i + 1);
	}
	probe_free(p);
	loop_free(loop);
}

static void terminated_backends_lose_nothing(void **state)
{
	struct loop *loop = loop_new();
	struct probe *p = probe_new(loop, cluster_conninfo(cluster), "posts");
	struct stream *x;

	(void)state;
	probe_up(p);
	x = stream_new(p, 6000, 300, true);
	for (int i = 0; i < 6; i++) {
		struct store_stats stats;
		uint64_t connects;

		store_stats(p->store, &stats);
		connects = stats.conns[2 + i % 2].connects;
		cluster_exec(cluster,
			     "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
			     "application_name = 'chat-broker/posts/messages%d'",
			     i % 2);
		for (size_t until = x->answered + 300; x->answered < until && !all_answered(x);)
			loop_flush(loop);
		do {
			loop_flush(loop);
			store_stats(p->store, &stats);
		} while (stats.conns[2 + i % 2].connects == connects);
	}
	probe_wait(loop, all_answered, x);
	assert_int_equal(x->stored, 6000);
	assert_int_equal(x->others, 0); /* also those whose first answer was lost are new to us */
	assert_each_answered_once(x);
	assert_int_equal(messages(), 6000);
	assert_whole();
	stream_free(x);
	probe_free(p);
	loop_free(loop);
}

static void a_restart_in_mid_flight_loses_nothing(void **state)
{
	struct loop *loop = loop_new();
	struct probe *p = probe_new(loop, cluster_conninfo(cluster), "posts");
	struct stream *x;

	(void)state;
	probe_up(p);
	x = stream_new(p, 4000, 500, true);
	probe_wait(loop, eighth_answered, x);
	cluster_stop(cluster, "immediate");
	cluster_start(cluster);
	probe_wait(loop, half_answered, x);
	cluster_stop(cluster, "fast");
	cluster_start(cluster);
	probe_wait(loop, all_answered, x);
	assert_int_equal(x->stored, 4000);
	assert_each_answered_once(x);
	assert_int_equal(messages(), 4000);
	assert_whole();
	stream_free(x);
	probe_free(p);
	loop_free(loop);
}

/* Without a key nobody can tell whether it is stored: it is answered, not sent twice. */
static void without_a_key_nothing_is_sent_twice(void **state)
{
	struct loop *loop = loop_new();
	struct probe *p = probe_new(loop, cluster_conninfo(cluster), "posts");
	struct stream *x;

	(void)state;
	probe_up(p);
	x = stream_new(p, 3000, 300, false);
	probe_wait(loop, eighth_answered, x);
	cluster_stop(cluster, "immediate");
	cluster_start(cluster);
	probe_wait(loop, all_answered, x);
	assert_each_answered_once(x);
	assert_int_equal(x->stored + x->unavailable, 3000);
	assert_in_range(messages(), x->stored, 3000);
	assert_whole();
	stream_free(x);
	probe_free(p);
	loop_free(loop);
}

static void a_long_outage_is_answered_as_unavailable(void **state)
{
	struct loop *loop = loop_new();
	struct probe *p = probe_new(loop, cluster_conninfo(cluster), "posts");
	struct chat_post m = {.chat = 1, .sender_id = SLICE("1"), .body = SLICE("x")};
	struct store_stats stats;
	struct answer a;

	(void)state;
	p->options.database_wait = 2 * USEC_PER_SEC;
	probe_up(p);
	post(p, &m, &a);
	assert_int_equal(a.code, CHAT_STORE_OK);
	cluster_stop(cluster, "fast");
	post(p, &m, &a);
	assert_int_equal(a.code, CHAT_STORE_UNAVAILABLE);
	store_stats(p->store, &stats);
	assert_true(stats.unavailable >= 1);
	assert_int_equal(stats.messages_queued, 0);
	cluster_start(cluster);
	do
		post(p, &m, &a);
	while (a.code == CHAT_STORE_UNAVAILABLE);
	assert_int_equal(a.code, CHAT_STORE_OK);
	assert_int_equal(messages(), 2);
	probe_free(p);
	loop_free(loop);
}

static void a_stop_answers_all(void **state)
{
	struct loop *loop = loop_new();
	struct probe *p = probe_new(loop, cluster_conninfo(cluster), "posts");
	struct stream *x;

	(void)state;
	probe_up(p);
	x = stream_new(p, 2000, 2000, true);
	probe_wait(loop, eighth_answered, x);
	store_stop(p->store, 30 * USEC_PER_SEC);
	probe_wait_flag(loop, &p->stopped);
	probe_wait(loop, all_answered, x);
	assert_each_answered_once(x);
	assert_int_equal(messages(), x->stored); /* what was under way was waited for */
	assert_int_equal(x->stored + x->unavailable, 2000);
	stream_free(x);
	probe_free(p);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(many_chats_keep_their_order, empty),
		cmocka_unit_test_setup(each_message_gets_its_own_verdict, empty),
		cmocka_unit_test_setup(a_bad_one_fails_alone, empty),
		cmocka_unit_test_setup(a_locked_chat_holds_nobody_else_up, empty),
		cmocka_unit_test_setup(terminated_backends_lose_nothing, empty),
		cmocka_unit_test_setup(a_restart_in_mid_flight_loses_nothing, empty),
		cmocka_unit_test_setup(without_a_key_nothing_is_sent_twice, empty),
		cmocka_unit_test_setup(a_long_outage_is_answered_as_unavailable, empty),
		cmocka_unit_test_setup(a_stop_answers_all, empty),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
