/* The mirror: the tables hold what was told, also after losses, restarts and overflows. */
#include "broker/store/mirror.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libpq-fe.h>

#include "broker/store/pg_stmt_tables.h"
#include "broker/store/store.h"
#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "tests/unit/pg_cluster.h"
#include "tests/unit/store_probe.h"

#define CONNS 12000
#define T0 INT64_C(1800000000000000)

static struct cluster *cluster;

/* What lives, as a registry would hold it: of each connection its worker, 0 = it is closed. */
struct world {
	uint32_t workers[CONNS];
	uint64_t at_once; /* rows that the walk tells at a time */
};

static struct world world;
static struct loop *loop;
static struct probe *probe;

static struct slice app(void)
{
	return SLICE("chatapp");
}

static void tell(struct mirror *m, uint64_t conn)
{
	char socket_id[32];
	char user[32];

	(void)snprintf(socket_id, sizeof(socket_id), "%d.1", (int)conn);
	(void)snprintf(user, sizeof(user), "%d", (int)conn % 100);
	mirror_conn_put(m, &(struct mirror_conn){.worker = world.workers[conn],
						 .conn = conn,
						 .app = app(),
						 .socket_id = slice_str(socket_id),
						 .user_id = slice_str(user),
						 .address = SLICE("192.0.2.1"),
						 .agent = SLICE("pusher-js 8"),
						 .connected_at = T0 + (int64_t)conn});
	mirror_member_put(m, &(struct mirror_member){.worker = world.workers[conn],
						     .conn = conn,
						     .channel = SLICE("presence-users"),
						     .app = app(),
						     .user_id = slice_str(user),
						     .user_info = SLICE("{\"name\":\"A\"}"),
						     .joined_at = T0});
}

static bool walk(void *ctx, struct mirror *m, uint64_t *cursor, uint32_t most)
{
	uint64_t end = *cursor + MIN(world.at_once, most / 2);

	(void)ctx;
	for (; *cursor < end && *cursor < CONNS; (*cursor)++)
		if (world.workers[*cursor] != 0)
			tell(m, *cursor);
	return *cursor < CONNS;
}

static void open_conn(uint64_t conn, uint32_t worker)
{
	world.workers[conn] = worker;
	tell(probe->mirror, conn);
}

static void close_conn(uint64_t conn)
{
	mirror_member_del(probe->mirror, world.workers[conn], conn, SLICE("presence-users"));
	mirror_conn_del(probe->mirror, world.workers[conn], conn);
	world.workers[conn] = 0;
}

static int64_t living(void)
{
	int64_t n = 0;

	for (size_t i = 0; i < CONNS; i++)
		n += world.workers[i] != 0 ? 1 : 0;
	return n;
}

static bool written(void *ctx)
{
	const struct probe *p = ctx;
	struct store_stats stats;

	store_stats(p->store, &stats);
	return stats.conns[1].ready && stats.mirror.pending == 0 && stats.mirror.flushed_at != 0 &&
	       store_state(p->store) == STORE_UP;
}

/* Rows of the live epoch, and that none of them is of a connection that is closed. */
static void assert_mirrored(void)
{
	char *open;

	probe_wait(loop, written, probe);
	assert_int_equal(cluster_int(cluster, "SELECT count(*) FROM chat.connections"), living());
	assert_int_equal(cluster_int(cluster, "SELECT count(*) FROM chat.who_is_where"), living());
	for (size_t i = 0; i < CONNS; i += 997) {
		open = cluster_text(
			cluster, "SELECT worker_id FROM chat.connections WHERE conn_id = %zu", i);
		assert_int_equal(strtol(open, NULL, 10), world.workers[i]);
		free(open);
	}
}

static int start(void **state)
{
	(void)state;
	cluster = cluster_new();
	return 0;
}

static int stop(void **state)
{
	(void)state;
	cluster_free(cluster);
	return 0;
}

static int open_store(void **state)
{
	static const struct mirror_source source = {.walk = walk};

	(void)state;
	memset(&world, 0, sizeof(world));
	world.at_once = 100;
	loop = loop_new();
	probe = probe_new(loop, cluster_conninfo(cluster), "mirror");
	probe->options.mirror_queue_max = 4000;
	probe_open(probe);
	store_set_source(probe->store, &source);
	return 0;
}

static int close_store(void **state)
{
	(void)state;
	probe_free(probe);
	loop_free(loop);
	return 0;
}

static void go_up(void)
{
	store_start(probe->store);
	probe_up(probe);
	probe_wait(loop, written, probe);
}

/* ---- tests ------------------------------------------------------------------------------------
 */

static void what_is_told_is_in_the_tables(void **state)
{
	char *text;

	(void)state;
	go_up();
	for (uint64_t i = 0; i < 500; i++)
		open_conn(i, 1 + (uint32_t)i % 2);
	mirror_user_put(probe->mirror, &(struct mirror_user){.app = app(),
							     .user_id = SLICE("7"),
							     .connections = 5,
							     .online_since = T0,
							     .changed_at = T0 + 1});
	assert_mirrored();
	text = cluster_text(cluster, "SELECT concat_ws('|', app_id, socket_id, user_id, address, "
				     "agent, extract(epoch FROM connected_at)::bigint) "
				     "FROM chat.connections WHERE conn_id = 42");
	assert_string_equal(text, "chatapp|42.1|42|192.0.2.1|pusher-js 8|1800000000");
	free(text);
	text = cluster_text(cluster, "SELECT user_info->>'name' FROM chat.who_is_where LIMIT 1");
	assert_string_equal(text, "A");
	free(text);
	assert_int_equal(cluster_int(cluster, "SELECT connections FROM chat.who_is_online "
					      "WHERE user_id = '7'"),
			 5);

	for (uint64_t i = 100; i < 300; i++)
		close_conn(i);
	mirror_user_del(probe->mirror, app(), SLICE("7"));
	mirror_last_seen(probe->mirror, app(), SLICE("7"), T0 + 9);
	mirror_last_seen(probe->mirror, app(), SLICE("7"), T0 + 5); /* never back */
	assert_mirrored();
	assert_int_equal(cluster_int(cluster, "SELECT count(*) FROM chat.who_is_online"), 0);
	assert_int_equal(cluster_int(cluster, "SELECT extract(epoch FROM last_seen) * 1000000 "
					      "FROM chat.user_last_seen WHERE user_id = '7'"),
			 T0 + 9);
}

static void a_worker_goes_in_one_call(void **state)
{
	(void)state;
	go_up();
	for (uint64_t i = 0; i < CONNS; i++)
		if (i % 3 != 2) /* fewer than are kept at a time, so in portions */
			open_conn(i, 1 + (uint32_t)i % 3);
	assert_mirrored();
	for (size_t i = 0; i < CONNS; i++)
		if (world.workers[i] == 1)
			world.workers[i] = 0;
	mirror_worker_gone(probe->mirror, 1);
	open_conn(2, 3); /* changes meanwhile */
	close_conn(1);
	assert_mirrored();
	assert_int_equal(
		cluster_int(cluster, "SELECT count(*) FROM chat.connections WHERE worker_id = 1"),
		0);
}

static void what_was_there_before_is_told_by_the_source(void **state)
{
	struct store_stats stats;

	(void)state;
	for (uint64_t i = 0; i < 3000; i++)
		world.workers[i] = 1;
	go_up();
	assert_mirrored();
	store_stats(probe->store, &stats);
	assert_int_equal(stats.mirror.rewrites, 0); /* the first does not count */
}

static void a_lost_connection_loses_no_change(void **state)
{
	struct store_stats stats;

	(void)state;
	go_up();
	for (uint64_t i = 0; i < 1000; i++)
		open_conn(i, 1);
	assert_mirrored();
	for (int k = 0; k < 5; k++) {
		uint64_t at = 1000 + (uint64_t)k * 100;

		for (uint64_t i = 0; i < 100; i++)
			open_conn(at + i, 2);
		cluster_exec(cluster, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
				      "WHERE application_name = 'chat-broker/mirror/mirror'");
		for (uint64_t i = 0; i < 50; i++)
			close_conn((uint64_t)k * 100 + i);
	}
	probe_wait(loop, written, probe);
	assert_mirrored();
	store_stats(probe->store, &stats);
	assert_int_equal(stats.mirror.rewrites, 0); /* the mark was found each time */
}

static bool rewritten(void *ctx)
{
	struct store_stats stats;

	(void)ctx;
	store_stats(probe->store, &stats);
	return stats.mirror.rewrites > 0 && written(probe);
}

static void emptied_tables_are_written_anew(void **state)
{
	(void)state;
	go_up();
	for (uint64_t i = 0; i < 5000; i++)
		open_conn(i, 1);
	mirror_last_seen(probe->mirror, app(), SLICE("keeps"), T0);
	assert_mirrored();
	cluster_stop(cluster, "immediate");
	for (uint64_t i = 4000; i < 4100; i++)
		close_conn(i);
	mirror_last_seen(probe->mirror, app(), SLICE("meanwhile"), T0);
	cluster_start(cluster);
	probe_wait(loop, rewritten, NULL);
	assert_mirrored();
	assert_int_equal(cluster_int(cluster, "SELECT count(*) FROM chat.user_last_seen WHERE "
					      "user_id IN ('meanwhile')"),
			 1);
}

static void more_than_is_kept_is_written_anew(void **state)
{
	(void)state;
	go_up();
	for (uint64_t i = 0; i < 6000; i++)
		open_conn(i, 1);
	probe_wait(loop, written, probe);
	assert_mirrored();
	cluster_stop(cluster, "fast");
	/* 12,000 changes where 4,000 are kept */
	for (uint64_t i = 0; i < 6000; i++)
		close_conn(i);
	for (uint64_t i = 6000; i < 7000; i++)
		open_conn(i, 2);
	cluster_start(cluster);
	probe_wait(loop, rewritten, NULL);
	assert_mirrored();
	assert_int_equal(cluster_int(cluster, "SELECT count(*) FROM chat.connection WHERE epoch = "
					      "(SELECT max(epoch) FROM chat.live_broker)"),
			 1000);
}

static void what_postgresql_cannot_hold_is_left_out(void **state)
{
	struct mirror_member bad = {.worker = 1,
				    .conn = 2,
				    .channel = SLICE("presence-x"),
				    .app = app(),
				    .user_id = SLICE("1"),
				    .joined_at = T0};

	(void)state;
	go_up();
	bad.user_info = SLICE("{\"a\":\"\\u0000\"}");
	mirror_member_put(probe->mirror, &bad);
	bad.conn = 3;
	bad.user_info = SLICE("{\"a\":\"\\ud800\"}");
	mirror_member_put(probe->mirror, &bad);
	bad.conn = 4;
	bad.user_info = SLICE("{\"a\":1e999999}");
	mirror_member_put(probe->mirror, &bad);
	bad.conn = 5;
	bad.user_id = slice_of("a\0b", 3);
	mirror_member_put(probe->mirror, &bad);
	mirror_conn_put(probe->mirror, &(struct mirror_conn){.worker = 1,
							     .conn = 6,
							     .app = app(),
							     .socket_id = SLICE("6.1"),
							     .agent = SLICE("bad \xff agent"),
							     .connected_at = T0});
	probe_wait(loop, written, probe);
	assert_int_equal(cluster_int(cluster, "SELECT count(*) FROM chat.who_is_where WHERE "
					      "channel = 'presence-x' AND user_info IS NULL"),
			 3);
	assert_int_equal(cluster_int(cluster, "SELECT count(*) FROM chat.connections WHERE "
					      "conn_id = 6 AND agent IS NULL"),
			 1);
}

/* A row that the table itself refuses: it is found among the others and dropped alone. */
static void a_refused_row_is_dropped_alone(void **state)
{
	struct store_stats stats;

	(void)state;
	go_up();
	for (uint64_t i = 0; i < 300; i++)
		open_conn(i, 1);
	for (int i = 0; i < 100; i++) {
		char user[16];

		(void)snprintf(user, sizeof(user), "u%d", i);
		mirror_user_put(probe->mirror,
				&(struct mirror_user){.app = app(),
						      .user_id = slice_str(user),
						      .connections = i == 41 ? UINT32_MAX : 1,
						      .online_since = T0,
						      .changed_at = T0});
	}
	assert_mirrored();
	assert_int_equal(cluster_int(cluster, "SELECT count(*) FROM chat.who_is_online"), 99);
	store_stats(probe->store, &stats);
	assert_int_equal(stats.mirror.dropped, 1);
}

static void a_stop_writes_the_rest(void **state)
{
	(void)state;
	go_up();
	mirror_last_seen(probe->mirror, app(), SLICE("rest"), T0);
	store_stop(probe->store, 30 * USEC_PER_SEC);
	probe_wait_flag(loop, &probe->stopped);
	assert_int_equal(cluster_int(cluster, "SELECT count(*) FROM chat.user_last_seen WHERE "
					      "user_id = 'rest'"),
			 1);
	assert_int_equal(cluster_int(cluster, "SELECT count(*) FROM chat.live_broker"), 0);
}

static void the_scope_is_kept(void **state)
{
	struct loop *l = loop_new();
	struct probe *p = probe_new(l, cluster_conninfo(cluster), "scope");
	struct mirror_member member = {.worker = 1,
				       .conn = 1,
				       .channel = SLICE("presence-a"),
				       .app = app(),
				       .user_id = SLICE("1"),
				       .joined_at = T0};

	(void)state;
	p->options.mirror = MIRROR_PRESENCE;
	probe_up(p);
	probe_wait(l, written, p);
	mirror_member_put(p->mirror, &member);
	member.channel = SLICE("private-a");
	mirror_member_put(p->mirror, &member);
	mirror_conn_put(p->mirror, &(struct mirror_conn){.worker = 1,
							 .conn = 1,
							 .app = app(),
							 .socket_id = SLICE("1.1"),
							 .connected_at = T0});
	probe_wait(l, written, p);
	assert_int_equal(cluster_int(cluster, "SELECT count(*) FROM chat.who_is_where"), 1);
	assert_int_equal(cluster_int(cluster, "SELECT count(*) FROM chat.connections"), 0);
	probe_free(p);

	p = probe_new(l, cluster_conninfo(cluster), "scope");
	p->options.mirror = MIRROR_OFF;
	probe_up(p);
	mirror_member_put(p->mirror, &member);
	mirror_last_seen(p->mirror, app(), SLICE("off"), T0);
	probe_wait(l, written, p);
	assert_int_equal(cluster_int(cluster, "SELECT count(*) FROM chat.who_is_where"), 0);
	assert_int_equal(cluster_int(cluster, "SELECT count(*) FROM chat.user_last_seen WHERE "
					      "user_id = 'off'"),
			 1);
	probe_free(p);
	loop_free(l);
}

/* The plan of a statement, as it is kept: made without knowing the values. */
static void plan_of(PGconn *pg, const char *name, struct buf *ret)
{
	const struct pg_stmt *s = &pg_stmts_mirror[0];
	Oid types[PG_PARAMS_MAX];
	char query[200];
	PGresult *plan;
	int n;

	while (s->name == NULL || strcmp(s->name, name) != 0)
		s++;
	n = pg_stmt_params(s);
	for (int k = 0; k < n; k++)
		types[k] = (Oid)s->types[k];
	PQclear(PQprepare(pg, s->name, s->text, n, types));
	(void)snprintf(query, sizeof(query), "EXPLAIN EXECUTE %s (%.*s)", s->name, n * 6 - 2,
		       "NULL, NULL, NULL, NULL");
	plan = PQexec(pg, query);
	assert_int_equal(PQresultStatus(plan), PGRES_TUPLES_OK);
	for (int row = 0; row < PQntuples(plan); row++)
		assert_true(buf_add(ret, slice_str(PQgetvalue(plan, row, 0))));
	PQclear(plan);
}

/* Prepared while the tables are empty, as when a broker starts. */
static void batches_look_up_rows_by_their_keys(void **state)
{
	static const struct {
		const char *stmt;
		const char *by;
	} deletes[] = {
		{"conn_delete", "(worker_id = x.w) AND (conn_id = x.c))"},
		{"member_delete", "(conn_id = x.c) AND (channel = x.n))"},
		{"user_delete", "(app_id = x.a) AND (user_id = x.u))"},
		{"worker_conns_delete", "(worker_id = $2))"},
		{"worker_members_delete", "(worker_id = $2))"},
	};
	const char *names[] = {"dbname", "options", NULL};
	const char *values[] = {cluster_conninfo(cluster), PG_PLAN_BY_INDEX, NULL};
	PGconn *pg = PQconnectdbParams(names, values, 1);

	(void)state;
	assert_int_equal(PQstatus(pg), CONNECTION_OK);
	PQclear(PQexec(pg, "SET plan_cache_mode = force_generic_plan"));
	for (size_t i = 0; i < ARRAY_LEN(deletes); i++) {
		struct buf plan;

		buf_init(&plan, 10000);
		plan_of(pg, deletes[i].stmt, &plan);
		assert_null(strstr(buf_cstr(&plan), "Seq Scan"));
		assert_non_null(strstr(buf_cstr(&plan), deletes[i].by));
		assert_null(strstr(buf_cstr(&plan), "Filter"));
		buf_done(&plan);
	}
	PQfinish(pg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_told_is_in_the_tables, open_store,
						close_store),
		cmocka_unit_test_setup_teardown(a_worker_goes_in_one_call, open_store, close_store),
		cmocka_unit_test_setup_teardown(what_was_there_before_is_told_by_the_source,
						open_store, close_store),
		cmocka_unit_test_setup_teardown(a_lost_connection_loses_no_change, open_store,
						close_store),
		cmocka_unit_test_setup_teardown(emptied_tables_are_written_anew, open_store,
						close_store),
		cmocka_unit_test_setup_teardown(more_than_is_kept_is_written_anew, open_store,
						close_store),
		cmocka_unit_test_setup_teardown(what_postgresql_cannot_hold_is_left_out, open_store,
						close_store),
		cmocka_unit_test_setup_teardown(a_refused_row_is_dropped_alone, open_store,
						close_store),
		cmocka_unit_test(batches_look_up_rows_by_their_keys),
		cmocka_unit_test_setup_teardown(a_stop_writes_the_rest, open_store, close_store),
		cmocka_unit_test(the_scope_is_kept),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
