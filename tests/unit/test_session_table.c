#include "worker/session_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_random_operations(void **state)
{
	enum { IDS = 500 };
	struct session_table t = {0};
	uint64_t ids[IDS]; /* where the sessions' ids stand */
	bool in[IDS] = {false};
	size_t count = 0;
	uint32_t random = 12345;

	(void)state;
	for (int step = 0; step < 200000; step++) {
		random = random * 1664525 + 1013904223;
		uint32_t n = (random >> 8) % IDS;
		/* as real ids: a few high bits, dense low ones */
		uint64_t id = ((uint64_t)(1 + n % 3) << 28) | (n + 1);

		if (in[n] && (random & 1) != 0) {
			session_table_remove(&t, id);
			in[n] = false;
			count--;
		} else if (!in[n]) {
			ids[n] = id;
			session_table_put(&t, &ids[n]);
			in[n] = true;
			count++;
		}
		assert_int_equal(t.count, count);
		assert_ptr_equal(session_table_get(&t, id), in[n] ? &ids[n] : NULL);
	}
	for (uint32_t n = 0; n < IDS; n++) {
		uint64_t id = ((uint64_t)(1 + n % 3) << 28) | (n + 1);

		assert_ptr_equal(session_table_get(&t, id), in[n] ? &ids[n] : NULL);
	}
	size_t at = 0;
	size_t seen = 0;

	while (session_table_next(&t, &at) != NULL)
		seen++;
	assert_int_equal(seen, count);
	session_table_done(&t);
}

static void test_empty(void **state)
{
	uint64_t one = 1;
	struct session_table t = {0};
	size_t at = 0;

	(void)state;
	assert_null(session_table_get(&t, 1));
	assert_null(session_table_next(&t, &at));
	session_table_remove(&t, 1);
	session_table_put(&t, &one);
	assert_null(session_table_get(&t, 0));
	session_table_remove(&t, 2);
	assert_int_equal(t.count, 1);
	session_table_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_operations),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests_name("session_table", tests, NULL, NULL);
}
