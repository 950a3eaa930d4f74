#include "worker/link/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/wire/flow.h"
#include "common/wire/wire.h"

#define NOW 1000000

static void test_a_lone_client_never_waits(void **state)
{
	struct pace p = {0};

	(void)state;
	assert_false(pace_is_due(&p, NOW));
	pace_add(&p, WIRE_CONN_OPEN);
	assert_true(pace_is_due(&p, NOW));
	pace_sent(&p, NOW);
	assert_false(pace_waits(&p));
	assert_false(pace_is_due(&p, NOW));
	pace_add(&p, WIRE_SUBSCRIBE); /* another kind */
	assert_true(pace_is_due(&p, NOW + 1));
}

static void test_many_share_a_message(void **state)
{
	struct pace p = {0};

	(void)state;
	pace_add(&p, WIRE_SUBSCRIBE);
	pace_sent(&p, NOW);
	pace_add(&p, WIRE_SUBSCRIBE);
	assert_true(pace_waits(&p));
	assert_false(pace_is_due(&p, NOW + FLOW_DELAY - 1));
	assert_true(pace_is_due(&p, NOW + FLOW_DELAY));
	/* It goes along with the first of another kind, and counts as sent. */
	pace_add(&p, WIRE_CONN_OPEN);
	assert_true(pace_is_due(&p, NOW + 1));
	pace_sent(&p, NOW + 1);
	pace_add(&p, WIRE_SUBSCRIBE);
	pace_add(&p, WIRE_CONN_OPEN);
	assert_false(pace_is_due(&p, NOW + FLOW_DELAY));
	assert_true(pace_is_due(&p, NOW + 1 + FLOW_DELAY));
}

static void test_what_may_not_wait_takes_all_along(void **state)
{
	struct pace p = {0};

	(void)state;
	pace_add(&p, WIRE_SUBSCRIBE);
	pace_sent(&p, NOW);
	pace_add(&p, WIRE_SUBSCRIBE);
	pace_add(&p, WIRE_CLIENT_EVENT);
	assert_true(pace_is_due(&p, NOW));
	pace_sent(&p, NOW);
	assert_false(pace_waits(&p));
	assert_false(pace_is_due(&p, NOW));
	pace_hurry(&p);
	assert_true(pace_is_due(&p, NOW));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_lone_client_never_waits),
		cmocka_unit_test(test_many_share_a_message),
		cmocka_unit_test(test_what_may_not_wait_takes_all_along),
	};

	return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
