#include "worker/hub/quota.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_a_burst_then_the_rate(void **state)
{
	struct quota q = {0};
	usec_t now = 5 * USEC_PER_SEC;

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_true(quota_take(&q, 10, now));
	assert_false(quota_take(&q, 10, now));
	assert_false(quota_take(&q, 10, now + 99999));
	assert_true(quota_take(&q, 10, now + 100000));
	assert_false(quota_take(&q, 10, now + 100000));
	/* a second later it is full again, and not fuller */
	now += 2 * USEC_PER_SEC;
	for (int i = 0; i < 10; i++)
		assert_true(quota_take(&q, 10, now));
	assert_false(quota_take(&q, 10, now));
}

static void test_no_limit(void **state)
{
	struct quota q = {0};

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_true(quota_take(&q, 0, 1));
}

static void test_one_a_second(void **state)
{
	struct quota q = {0};

	(void)state;
	assert_true(quota_take(&q, 1, 1));
	assert_false(quota_take(&q, 1, USEC_PER_SEC));
	assert_true(quota_take(&q, 1, USEC_PER_SEC + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_burst_then_the_rate),
		cmocka_unit_test(test_no_limit),
		cmocka_unit_test(test_one_a_second),
	};

	return cmocka_run_group_tests_name("quota", tests, NULL, NULL);
}
