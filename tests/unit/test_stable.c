#include "broker/stable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct stable *s;
static struct stable_queue a;
static struct stable_queue b;
static char done[4096];

static void on_done(void *ctx, uint64_t origin, uint64_t number)
{
	size_t n = strlen(done);

	(void)ctx;
	(void)snprintf(done + n, sizeof(done) - n, "%u:%u ", (unsigned)origin, (unsigned)number);
}

static int setup(void **state)
{
	(void)state;
	s = stable_new(on_done, NULL);
	done[0] = '\0';
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stable_gone(s, &a);
	stable_gone(s, &b);
	stable_free(s);
	return 0;
}

static void expect(const char *text)
{
	assert_string_equal(done, text);
	done[0] = '\0';
}

static void test_without_receivers_it_is_done_at_once(void **state)
{
	uint32_t id = stable_begin(s, 1, 7);

	(void)state;
	expect("");
	stable_end(s, id);
	expect("1:7 ");
	assert_int_equal(stable_waiting(s), 0);
}

static void test_all_must_acknowledge(void **state)
{
	uint32_t first = stable_begin(s, 1, 1);
	uint32_t second;

	(void)state;
	stable_await(s, &a, first, 1);
	stable_await(s, &a, first, 2); /* a second channel */
	stable_await(s, &b, first, 1);
	stable_end(s, first);
	second = stable_begin(s, 2, 1);
	stable_await(s, &a, second, 3);
	stable_end(s, second);
	stable_acked(s, &b, 1);
	stable_acked(s, &a, 1);
	expect("");
	stable_acked(s, &a, 3);
	expect("1:1 2:1 ");
}

static void test_who_is_gone_is_not_waited_for(void **state)
{
	uint32_t id = stable_begin(s, 1, 1);

	(void)state;
	stable_await(s, &a, id, 5);
	stable_await(s, &b, id, 5);
	stable_end(s, id);
	stable_gone(s, &a);
	expect("");
	stable_acked(s, &b, 9);
	expect("1:1 ");
}

static void test_it_is_not_done_before_all_are_addressed(void **state)
{
	uint32_t id = stable_begin(s, 1, 1);

	(void)state;
	stable_await(s, &a, id, 1);
	stable_acked(s, &a, 1);
	expect("");
	stable_end(s, id);
	expect("1:1 ");
}

/* Rings and tables grow, wrap round and use ids again. */
static void test_many(void **state)
{
	uint64_t acked = 0;

	(void)state;
	for (uint64_t i = 1; i <= 5000; i++) {
		uint32_t id = stable_begin(s, 3, i);

		stable_await(s, &a, id, i);
		stable_end(s, id);
		if (i % 7 == 0) {
			acked += 5;
			stable_acked(s, &a, acked);
			done[0] = '\0';
		}
	}
	assert_int_equal(stable_waiting(s), 5000 - acked);
	stable_acked(s, &a, 4998);
	done[0] = '\0';
	stable_acked(s, &a, 5000);
	expect("3:4999 3:5000 ");
	assert_int_equal(stable_waiting(s), 0);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(test_without_receivers_it_is_done_at_once),
		WITH(test_all_must_acknowledge),
		WITH(test_who_is_gone_is_not_waited_for),
		WITH(test_it_is_not_done_before_all_are_addressed),
		WITH(test_many),
	};

	return cmocka_run_group_tests_name("stable", tests, NULL, NULL);
}
