/* Events from SQL: all of them, in order, and what is left of it when something is cut. */
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

static struct cluster *cluster;
static struct loop *loop;
static struct probe *probe;

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

static struct probe *open_probe(const char *node)
{
	struct probe *p = probe_new(loop, cluster_conninfo(cluster), node);

	p->options.publish = true;
	probe_up(p);
	store_events_allow(p->store, true);
	return p;
}

static int open_store(void **state)
{
	(void)state;
	loop = loop_new();
	probe = open_probe("outbox");
	return 0;
}

static int close_store(void **state)
{
	(void)state;
	probe_free(probe);
	loop_free(loop);
	cluster_exec(cluster, "TRUNCATE chat.outbox");
	return 0;
}

static size_t wanted;

static bool enough(void *ctx)
{
	const struct probe *p = ctx;

	return p->nevents >= wanted;
}

static void wait_events(struct probe *p, size_t n)
{
	wanted = n;
	probe_wait(p->loop, enough, p);
	assert_int_equal(p->nevents, n);
}

static bool outbox_empty(void *ctx)
{
	(void)ctx;
	return cluster_int(cluster, "SELECT count(*) FROM chat.outbox") == 0;
}

static void publish(int from, int to)
{
	cluster_exec(cluster,
		     "SELECT chat.publish('private-x', 'e', to_jsonb(g)) "
		     "FROM generate_series(%d, %d) g",
		     from, to);
}

static void assert_in_order(const struct probe *p)
{
	for (size_t i = 0; i < p->nevents; i++) {
		char number[24];

		(void)snprintf(number, sizeof(number), "%zu", i + 1);
		assert_string_equal(p->events[i].payload, number);
		if (i > 0)
			assert_true(p->events[i].id > p->events[i - 1].id);
	}
}

/* ---- tests ------------------------------------------------------------------------------------
 */

static void an_event_comes_as_it_was_published(void **state)
{
	int64_t id;

	(void)state;
	id = cluster_int(cluster, "SELECT chat.publish('orders', 'shipped', '{\"id\": 5}', "
				  "app_id => 'shop', socket_id => '12.34')");
	wait_events(probe, 1);
	assert_int_equal(probe->events[0].id, id);
	assert_string_equal(probe->events[0].app, "shop");
	assert_string_equal(probe->events[0].channel, "orders");
	assert_string_equal(probe->events[0].event, "shipped");
	assert_string_equal(probe->events[0].payload, "{\"id\": 5}");
	assert_string_equal(probe->events[0].socket_id, "12.34");
	probe_wait(loop, outbox_empty, NULL);
	cluster_exec(cluster, "SELECT chat.publish('orders', 'e', NULL)");
	wait_events(probe, 2);
	assert_string_equal(probe->events[1].app, "(null)");
	assert_string_equal(probe->events[1].payload, "null");
	assert_string_equal(probe->events[1].socket_id, "(null)");
}

static void a_rolled_back_one_never_comes(void **state)
{
	(void)state;
	cluster_exec(cluster, "BEGIN");
	publish(100, 100);
	cluster_exec(cluster, "ROLLBACK");
	publish(1, 1);
	wait_events(probe, 1);
	assert_string_equal(probe->events[0].payload, "1");
}

static void many_come_in_portions_and_in_order(void **state)
{
	(void)state;
	publish(1, 3500);
	wait_events(probe, 3500);
	assert_true(probe->batches >= 4);
	assert_in_order(probe);
	/* traffic is high: publishers need not notify */
	probe_wait(loop, outbox_empty, NULL);
	publish(3501, 3600);
	wait_events(probe, 3600);
	assert_in_order(probe);
}

static void large_ones_come_few_at_a_time(void **state)
{
	(void)state;
	cluster_exec(cluster, "SELECT chat.publish('x', 'e', to_jsonb(repeat('y', 1000000))) "
			      "FROM generate_series(1, 12)");
	wait_events(probe, 12);
	assert_true(probe->batches >= 3);
}

static void nothing_comes_before_the_last_are_done(void **state)
{
	(void)state;
	probe->hold = true;
	publish(1, 10);
	wait_events(probe, 10);
	publish(11, 20);
	cluster_exec(cluster, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
			      "WHERE application_name = 'chat-broker/outbox/outbox'");
	assert_int_equal(cluster_int(cluster, "SELECT count(*) FROM chat.outbox"), 20);
	probe->hold = false;
	store_events_done(probe->store);
	/* the first ten are told apart: they do not come again */
	wait_events(probe, 20);
	assert_in_order(probe);
	probe_wait(loop, outbox_empty, NULL);
	assert_int_equal(probe->nevents, 20);
}

static void what_was_not_done_comes_again_to_the_next_broker(void **state)
{
	struct probe *next;

	(void)state;
	probe->hold = true;
	publish(1, 10);
	wait_events(probe, 10);
	probe_free(probe); /* dies */
	next = open_probe("outbox");
	wait_events(next, 10);
	assert_in_order(next);
	probe_wait(loop, outbox_empty, NULL);
	probe = next;
}

static void a_restart_of_the_server_loses_none(void **state)
{
	(void)state;
	publish(1, 500);
	wait_events(probe, 500);
	publish(501, 600);
	cluster_stop(cluster, "fast");
	cluster_start(cluster);
	publish(601, 700);
	wait_events(probe, 700);
	assert_in_order(probe);
	probe_wait(loop, outbox_empty, NULL);
}

static void one_broker_of_the_database_drains(void **state)
{
	struct probe *other;

	(void)state;
	publish(1, 1);
	wait_events(probe, 1);
	other = open_probe("other node");
	publish(2, 200);
	wait_events(probe, 200);
	assert_int_equal(other->nevents, 0);
	probe_free(probe);
	publish(201, 210);
	wait_events(other, 10);
	probe = other;
}

static void it_waits_until_it_is_allowed(void **state)
{
	struct probe *other;

	(void)state;
	store_events_allow(probe->store, false);
	publish(1, 5);
	other = open_probe("wait"); /* runs the loop for a while; the lock is the first one's */
	assert_int_equal(probe->nevents, 0);
	store_events_allow(probe->store, true);
	wait_events(probe, 5);
	probe_free(other);
}

static void a_slow_transaction_is_not_passed_over(void **state)
{
	(void)state;
	cluster_exec(cluster, "CREATE EXTENSION IF NOT EXISTS dblink");
	cluster_exec(cluster, "SELECT dblink_connect('slow', 'dbname=chat user=postgres host=' || "
			      "current_setting('unix_socket_directories'))");
	cluster_exec(cluster, "SELECT dblink_exec('slow', 'BEGIN')");
	cluster_exec(cluster, "SELECT * FROM dblink('slow', $$SELECT chat.publish('x', 'e', "
			      "'\"slow\"')$$) AS t(id bigint)");
	cluster_exec(cluster, "SELECT chat.publish('x', 'e', '\"fast\"')");
	wait_events(probe, 1);
	assert_string_equal(probe->events[0].payload, "\"fast\"");
	cluster_exec(cluster, "SELECT dblink_exec('slow', 'COMMIT')");
	wait_events(probe, 2);
	assert_true(probe->events[1].id < probe->events[0].id);
	cluster_exec(cluster, "SELECT dblink_disconnect('slow')");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_event_comes_as_it_was_published, open_store,
						close_store),
		cmocka_unit_test_setup_teardown(a_rolled_back_one_never_comes, open_store,
						close_store),
		cmocka_unit_test_setup_teardown(many_come_in_portions_and_in_order, open_store,
						close_store),
		cmocka_unit_test_setup_teardown(large_ones_come_few_at_a_time, open_store,
						close_store),
		cmocka_unit_test_setup_teardown(nothing_comes_before_the_last_are_done, open_store,
						close_store),
		cmocka_unit_test_setup_teardown(what_was_not_done_comes_again_to_the_next_broker,
						open_store, close_store),
		cmocka_unit_test_setup_teardown(a_restart_of_the_server_loses_none, open_store,
						close_store),
		cmocka_unit_test_setup_teardown(one_broker_of_the_database_drains, open_store,
						close_store),
		cmocka_unit_test_setup_teardown(it_waits_until_it_is_allowed, open_store,
						close_store),
		cmocka_unit_test_setup_teardown(a_slow_transaction_is_not_passed_over, open_store,
						close_store),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
