/* The life of the store: no database, options, epoch, guard lock, schema, tokens, statements. */
#include "broker/store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "tests/unit/pg_cluster.h"
#include "tests/unit/store_probe.h"

static struct cluster *cluster;

static int start(void **state)
{
	(void)state;
	cluster = cluster_new();
	cluster_exec(cluster, "INSERT INTO chat.app_user VALUES ('1', 'Ada'), ('2', 'Bob')");
	cluster_exec(cluster,
		     "INSERT INTO chat.personal_access_tokens (id, tokenable_id, name, token) "
		     "VALUES (7, '1', 'phone', repeat('a', 64))");
	return 0;
}

static int stop(void **state)
{
	(void)state;
	cluster_free(cluster);
	return 0;
}

static void stop_probe(struct probe *p)
{
	store_stop(p->store, 30 * USEC_PER_SEC);
	probe_wait_flag(p->loop, &p->stopped);
}

/* ---- without a database -----------------------------------------------------------------------
 */

static void without_a_database_calls_are_unavailable(void **state)
{
	struct loop *loop = loop_new();
	struct probe *p = probe_new(loop, "", "n0");
	struct answer posted = {0};
	struct answer users = {0};
	const struct slice id = SLICE("1");

	(void)state;
	probe_open(p);
	store_start(p->store);
	assert_int_equal(store_state(p->store), STORE_AWAY);
	assert_int_equal(store_epoch(p->store), 0);
	mirror_last_seen(p->mirror, SLICE("chatapp"), id, 1);
	mirror_worker_gone(p->mirror, 1);
	p->chat->post(p->chat->self,
		      &(struct chat_post){.chat = 1, .sender_id = id, .body = SLICE("x")},
		      on_posted_answer, &posted);
	p->chat->users(p->chat->self, &id, 1, on_users_answer, &users);
	p->chat->touch_token(p->chat->self, 1);
	assert_false(posted.done); /* never from inside the call */
	probe_wait_flag(loop, &users.done);
	assert_int_equal(posted.code, CHAT_STORE_UNAVAILABLE);
	assert_int_equal(users.code, CHAT_STORE_UNAVAILABLE);
	stop_probe(p);
	probe_free(p);
	loop_free(loop);
}

static int refused(struct loop *loop, const struct store_options *options, char *fault)
{
	static const struct store_ops none;
	struct store *s = NULL;
	int r = store_new(loop, options, &none, NULL, &s, fault, STORE_FAULT);

	store_free(s);
	return r;
}

static void options_are_checked(void **state)
{
	struct loop *loop = loop_new();
	const struct store_sql sql = {.name = "no_such_statement", .query = "SELECT 1"};
	struct store_options o = {.conninfo = "host=",
				  .password_file = "",
				  .node = "n",
				  .version = "v",
				  .app_id = "a"};
	char fault[STORE_FAULT] = "";

	(void)state;
	o.conninfo = "nonsense";
	assert_true(refused(loop, &o, fault) < 0);
	assert_non_null(strstr(fault, "conninfo"));
	o.conninfo = "dbname=chat password=x";
	assert_true(refused(loop, &o, fault) < 0);
	assert_non_null(strstr(fault, "password_file"));
	o.conninfo = "postgresql://u:secret@/chat";
	assert_true(refused(loop, &o, fault) < 0);
	assert_null(strstr(fault, "secret"));
	o.conninfo = "dbname=chat";
	o.sql = &sql;
	o.nsql = 1;
	assert_true(refused(loop, &o, fault) < 0);
	assert_non_null(strstr(fault, "no_such_statement"));
	o.nsql = 0;
	assert_int_equal(refused(loop, &o, fault), 0);
	loop_free(loop);
}

static void an_absent_server_is_told(void **state)
{
	struct loop *loop = loop_new();
	struct probe *p = probe_new(loop, "host=/nowhere/at/all dbname=chat", "n0");
	struct answer a = {0};
	const struct slice id = SLICE("1");

	(void)state;
	p->options.database_wait = 100 * USEC_PER_MSEC;
	probe_open(p);
	store_start(p->store);
	p->chat->users(p->chat->self, &id, 1, on_users_answer, &a);
	probe_wait_flag(loop, &a.done);
	assert_int_equal(a.code, CHAT_STORE_UNAVAILABLE);
	assert_int_equal(store_state(p->store), STORE_AWAY);
	assert_true(store_fault(p->store)[0] != '\0');
	stop_probe(p);
	probe_free(p);
	loop_free(loop);
}

/* ---- life -------------------------------------------------------------------------------------
 */

static void a_life_is_in_the_table(void **state)
{
	struct loop *loop = loop_new();
	struct probe *p = probe_new(loop, cluster_conninfo(cluster), "life");
	struct store_stats stats;
	int64_t epoch;

	(void)state;
	probe_up(p);
	epoch = store_epoch(p->store);
	assert_true(epoch > 0);
	assert_string_equal(store_fault(p->store), "");
	assert_int_equal(
		cluster_int(cluster, "SELECT epoch FROM chat.live_broker WHERE node = 'life'"),
		epoch);
	store_stats(p->store, &stats);
	assert_string_equal(stats.conns[0].role, "control");
	assert_true(stats.conns[0].ready);
	stop_probe(p);
	probe_free(p);
	assert_int_equal(
		cluster_int(cluster, "SELECT count(*) FROM chat.live_broker WHERE node = 'life'"),
		0);
	loop_free(loop);
}

static bool is_standby(void *ctx)
{
	const struct probe *p = ctx;

	return store_state(p->store) == STORE_STANDBY;
}

static void the_guard_keeps_a_second_broker_out(void **state)
{
	struct loop *loop = loop_new();
	struct probe *first = probe_new(loop, cluster_conninfo(cluster), "guard");
	struct probe *second = probe_new(loop, cluster_conninfo(cluster), "guard");
	struct probe *other = probe_new(loop, cluster_conninfo(cluster), "another");
	int64_t epoch;

	(void)state;
	probe_up(first);
	epoch = store_epoch(first->store);
	probe_open(second);
	store_start(second->store);
	probe_wait(loop, is_standby, second);
	assert_int_equal(store_epoch(second->store), 0);
	probe_up(other); /* of another node */

	/* it dies: the lock goes with its session */
	probe_free(first);
	probe_up(second);
	assert_true(store_epoch(second->store) > epoch);
	assert_int_equal(
		cluster_int(cluster, "SELECT count(*) FROM chat.live_broker WHERE node = 'guard'"),
		1);
	probe_free(second);
	probe_free(other);
	loop_free(loop);
}

static void terminate(const char *like)
{
	cluster_exec(cluster,
		     "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
		     "WHERE application_name LIKE '%s'",
		     like);
}

static bool control_came_back(void *ctx)
{
	const struct probe *p = ctx;
	struct store_stats stats;

	store_stats(p->store, &stats);
	return stats.conns[0].connects >= 2 && store_state(p->store) == STORE_UP;
}

static void a_lost_control_connection_keeps_the_epoch(void **state)
{
	struct loop *loop = loop_new();
	struct probe *p = probe_new(loop, cluster_conninfo(cluster), "control");
	int64_t epoch;
	unsigned all;

	(void)state;
	probe_up(p);
	epoch = store_epoch(p->store);
	all = p->tokens_all;
	terminate("chat-broker/control/control");
	probe_wait(loop, control_came_back, p);
	assert_int_equal(store_epoch(p->store), epoch);
	assert_true(p->tokens_all > all); /* what was notified meanwhile is gone */
	assert_false(p->taken_over);
	probe_free(p);
	loop_free(loop);
}

static void an_ended_epoch_is_taken_over(void **state)
{
	struct loop *loop = loop_new();
	struct probe *p = probe_new(loop, cluster_conninfo(cluster), "over");

	(void)state;
	probe_up(p);
	cluster_exec(cluster, "SELECT chat.broker_start('over', 'host', 1, 'v')");
	terminate("chat-broker/over/control");
	probe_wait_flag(loop, &p->taken_over);
	assert_int_equal(store_state(p->store), STORE_AWAY);
	probe_free(p);
	loop_free(loop);
}

static void a_held_guard_is_taken_over_after_the_grace(void **state)
{
	struct loop *loop = loop_new();
	struct probe *p = probe_new(loop, cluster_conninfo(cluster), "held");

	(void)state;
	p->options.guard_grace = 1; /* at once */
	probe_up(p);
	/* the lock passes to the session of the test between two connections of the store */
	cluster_exec(cluster, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
			      "WHERE application_name = 'chat-broker/held/control'; "
			      "SELECT pg_advisory_lock(1667785076, hashtext('held'))");
	probe_wait_flag(loop, &p->taken_over);
	cluster_exec(cluster, "SELECT pg_advisory_unlock_all()");
	probe_free(p);
	loop_free(loop);
}

static bool fault_is_about_schema(void *ctx)
{
	const struct probe *p = ctx;

	return strstr(store_fault(p->store), "chatctl migrate") != NULL;
}

static void an_old_schema_is_named(void **state)
{
	struct loop *loop = loop_new();
	struct probe *p = probe_new(loop, cluster_conninfo(cluster), "old");

	(void)state;
	cluster_exec(cluster, "UPDATE chat.schema_version SET version = 1000 + version");
	probe_open(p);
	store_start(p->store);
	probe_wait(loop, fault_is_about_schema, p);
	assert_int_equal(store_state(p->store), STORE_AWAY);
	cluster_exec(cluster, "UPDATE chat.schema_version SET version = version - 1000");
	probe_up(p); /* by itself */
	probe_free(p);
	loop_free(loop);
}

/* ---- tokens -----------------------------------------------------------------------------------
 */

static bool token_told(void *ctx)
{
	const struct probe *p = ctx;

	return strcmp(p->token, "7") == 0;
}

static void find_token(struct probe *p, const char *id, const char *hash, struct answer *a)
{
	*a = (struct answer){0};
	p->chat->find_token(p->chat->self, slice_str(id), slice_str(hash), on_token_answer, a);
	probe_wait_flag(p->loop, &a->done);
	assert_int_equal(a->code, CHAT_STORE_OK);
}

static void tokens_are_found_and_their_changes_told(void **state)
{
	struct loop *loop = loop_new();
	struct probe *p = probe_new(loop, cluster_conninfo(cluster), "token");
	char hash[65];
	struct answer a;

	(void)state;
	memset(hash, 'a', 64);
	hash[64] = '\0';
	probe_up(p);
	find_token(p, "7", hash, &a);
	assert_true(a.has_row);
	assert_int_equal(a.token.token_id, 7);
	assert_string_equal(a.ids[0], "1");
	assert_string_equal(a.sender_name, "Ada");
	assert_int_equal(a.token.expires_at, 0);
	find_token(p, "", hash, &a);
	assert_true(a.has_row);
	find_token(p, "8", hash, &a);
	assert_false(a.has_row);
	find_token(p, "not a number", hash, &a);
	assert_false(a.has_row);

	cluster_exec(cluster, "UPDATE chat.personal_access_tokens "
			      "SET expires_at = '2031-01-01 00:00:00' WHERE id = 7");
	probe_wait(loop, token_told, p);
	find_token(p, "7", hash, &a);
	assert_int_equal(a.token.expires_at, INT64_C(1924992000000000));
	p->token[0] = '\0';
	cluster_exec(cluster, "UPDATE chat.personal_access_tokens "
			      "SET expires_at = '2001-01-01 00:00:00' WHERE id = 7");
	probe_wait(loop, token_told, p);
	find_token(p, "7", hash, &a);
	assert_false(a.has_row);
	probe_free(p);
	loop_free(loop);
}

static bool removal_told(void *ctx)
{
	const struct probe *p = ctx;

	return p->removed[0] != '\0';
}

static void removed_participants_are_told(void **state)
{
	struct loop *loop = loop_new();
	struct probe *p = probe_new(loop, cluster_conninfo(cluster), "participants");

	(void)state;
	probe_up(p);
	cluster_exec(cluster,
		     "INSERT INTO chat.chat (chat_id, owner_id) VALUES (4711, '1');"
		     "INSERT INTO chat.participant (chat_id, user_id) VALUES (4711, 'a b');"
		     "DELETE FROM chat.chat WHERE chat_id = 4711");
	probe_wait(loop, removal_told, p);
	assert_int_equal(p->removed_chat, 4711);
	assert_string_equal(p->removed, "a b");
	probe_free(p);
	loop_free(loop);
}

static bool token_used(void *ctx)
{
	(void)ctx;
	return cluster_int(cluster, "SELECT count(*) FROM chat.personal_access_tokens "
				    "WHERE id = 7 AND last_used_at IS NOT NULL") == 1;
}

static void used_tokens_are_noted(void **state)
{
	struct loop *loop = loop_new();
	struct probe *p = probe_new(loop, cluster_conninfo(cluster), "used");

	(void)state;
	probe_up(p);
	p->chat->touch_token(p->chat->self, 7);
	p->chat->touch_token(p->chat->self, 7);
	probe_wait(loop, token_used, NULL);
	stop_probe(p);
	probe_free(p);
	loop_free(loop);
}

/* ---- statements of the configuration ----------------------------------------------------------
 */

static void statements_can_be_replaced(void **state)
{
	struct loop *loop = loop_new();
	struct probe *p = probe_new(loop, cluster_conninfo(cluster), "sql");
	/* a bigint where text is read, columns in another order, one more */
	const struct store_sql sql = {.name = "find_token",
				      .query = "SELECT 'x' AS more, $2 AS token_sha256, 42::bigint "
					       "AS user_id, 'Eve'::varchar AS "
					       "user_name, NULL::jsonb AS user_info, "
					       "'[\"*\"]'::text AS abilities, 5 AS token_id, "
					       "NULL::timestamptz AS expires_at WHERE $1 = '5'"};
	struct answer a;

	(void)state;
	p->options.sql = &sql;
	p->options.nsql = 1;
	probe_up(p);
	find_token(p, "5", "abc", &a);
	assert_true(a.has_row);
	assert_string_equal(a.ids[0], "42");
	assert_string_equal(a.sender_name, "Eve");
	assert_string_equal(a.body, "[\"*\"]");
	assert_string_equal(a.meta, "(null)");
	probe_free(p);
	loop_free(loop);
}

static void a_statement_without_its_columns_is_not_used(void **state)
{
	struct loop *loop = loop_new();
	struct probe *p = probe_new(loop, cluster_conninfo(cluster), "sql2");
	const struct store_sql sql = {.name = "shares_chat",
				      .query = "SELECT $1 AS somebody WHERE $2 IS NULL"};
	struct store_stats stats;
	struct answer a = {0};

	(void)state;
	p->options.sql = &sql;
	p->options.nsql = 1;
	p->options.database_wait = 200 * USEC_PER_MSEC;
	probe_up(p);
	p->chat->shares_chat(p->chat->self, SLICE("1"), NULL, 0, on_ids_answer, &a);
	probe_wait_flag(loop, &a.done);
	assert_int_equal(a.code, CHAT_STORE_UNAVAILABLE);
	store_stats(p->store, &stats);
	assert_false(stats.conns[4].ready);
	probe_free(p);
	loop_free(loop);
}

static enum chat_store_code may(struct probe *p, const char *rule, const char *user)
{
	struct answer a = {0};

	p->chat->may_subscribe(p->chat->self, slice_str(rule), slice_str(user),
			       SLICE("private-room.1"), on_done_answer, &a);
	probe_wait_flag(p->loop, &a.done);
	return a.code;
}

static void a_channel_rule_is_a_statement(void **state)
{
	struct loop *loop = loop_new();
	struct probe *p = probe_new(loop, cluster_conninfo(cluster), "rule");
	const struct store_sql sql = {.name = "in_room",
				      .query = "SELECT 1 WHERE $1 = '7' AND $2 = 'private-room.1'",
				      .rule = true};

	(void)state;
	p->options.sql = &sql;
	p->options.nsql = 1;
	probe_up(p);
	assert_int_equal(may(p, "in_room", "7"), CHAT_STORE_OK);
	assert_int_equal(may(p, "in_room", "8"), CHAT_STORE_FORBIDDEN);
	assert_int_equal(may(p, "in_another", "7"), CHAT_STORE_FAULT);
	probe_free(p);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_database_calls_are_unavailable),
		cmocka_unit_test(options_are_checked),
		cmocka_unit_test(an_absent_server_is_told),
		cmocka_unit_test(a_life_is_in_the_table),
		cmocka_unit_test(the_guard_keeps_a_second_broker_out),
		cmocka_unit_test(a_lost_control_connection_keeps_the_epoch),
		cmocka_unit_test(an_ended_epoch_is_taken_over),
		cmocka_unit_test(a_held_guard_is_taken_over_after_the_grace),
		cmocka_unit_test(an_old_schema_is_named),
		cmocka_unit_test(tokens_are_found_and_their_changes_told),
		cmocka_unit_test(removed_participants_are_told),
		cmocka_unit_test(used_tokens_are_noted),
		cmocka_unit_test(statements_can_be_replaced),
		cmocka_unit_test(a_channel_rule_is_a_statement),
		cmocka_unit_test(a_statement_without_its_columns_is_not_used),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
