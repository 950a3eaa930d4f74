#include "broker/store/pg_conn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/event.h>

#include "broker/store/pg_conn_internal.h"
#include "common/loop/loop.h"

#define CONNS 4

static struct loop *loop;
static struct pg_conn *conns[CONNS];

static void on_ready(void *ctx)
{
	(void)ctx;
}

static void on_lost(void *ctx, const struct pg_error *error)
{
	(void)ctx;
	(void)error;
}

static int setup(void **state)
{
	static const struct pg_conn_options options = {.conninfo = "host=/nowhere",
						       .password_file = "",
						       .node = "n",
						       .role = PG_ROLE_CONTROL};
	static const struct pg_conn_ops ops = {.on_ready = on_ready, .on_lost = on_lost};

	(void)state;
	loop = loop_new();
	for (size_t i = 0; i < CONNS; i++)
		conns[i] = pg_conn_new(loop, &options, &ops, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < CONNS; i++)
		pg_conn_free(conns[i]);
	loop_free(loop);
	return 0;
}

/* It has been refused for long, and waits. */
static void wait_long(struct pg_conn *c)
{
	c->state = PG_CONN_DOWN;
	c->pause = PG_CONN_PAUSE_MAX;
	pg_arm(c, 3600 * USEC_PER_SEC);
}

static bool waits(const struct pg_conn *c)
{
	return c->pause == PG_CONN_PAUSE_MAX;
}

static void test_one_that_is_back_hurries_those_that_wait(void **state)
{
	(void)state;
	for (size_t i = 1; i < CONNS; i++)
		pg_conn_join(conns[0], conns[i]);
	wait_long(conns[1]);
	wait_long(conns[3]);
	conns[2]->pause = PG_CONN_PAUSE_MAX; /* closed for good */
	pg_hurry_siblings(conns[0]);
	assert_false(waits(conns[1]));
	assert_true(waits(conns[2]));
	assert_false(waits(conns[3]));
	loop_flush(loop); /* they try: nobody is there, so they are refused and wait again */
	assert_true(conns[1]->pause > PG_CONN_PAUSE_MIN);
	assert_int_equal(conns[2]->state, PG_CONN_CLOSED);
	assert_true(conns[3]->pause > PG_CONN_PAUSE_MIN);
}

static void test_those_of_another_ring_are_left_alone(void **state)
{
	(void)state;
	pg_conn_join(conns[0], conns[1]);
	pg_conn_join(conns[2], conns[3]);
	wait_long(conns[1]);
	wait_long(conns[3]);
	pg_hurry_siblings(conns[0]);
	assert_false(waits(conns[1]));
	assert_true(waits(conns[3]));
}

static void test_one_that_has_been_freed_is_out_of_the_ring(void **state)
{
	(void)state;
	for (size_t i = 1; i < CONNS; i++)
		pg_conn_join(conns[0], conns[i]);
	pg_conn_free(conns[1]);
	conns[1] = NULL;
	wait_long(conns[2]);
	wait_long(conns[3]);
	pg_hurry_siblings(conns[0]);
	assert_false(waits(conns[2]));
	assert_false(waits(conns[3]));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_that_is_back_hurries_those_that_wait),
		TEST(test_those_of_another_ring_are_left_alone),
		TEST(test_one_that_has_been_freed_is_out_of_the_ring),
	};

	return cmocka_run_group_tests_name("pg_conn", tests, NULL, NULL);
}
