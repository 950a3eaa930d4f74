#include "worker/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/macros.h"

static struct wheel *wheel;
static int fired[4];
static struct timer timers[4];
static usec_t again; /* arm timer 0 anew for this when it fires */

static void on_fire(void *ctx, struct timer *t)
{
	size_t i = (size_t)(t - timers);

	(void)ctx;
	assert_int_equal(t->deadline, 0);
	fired[i]++;
	if (i == 0 && again != 0)
		wheel_arm(wheel, t, again);
	if (i == 1)
		wheel_cancel(&timers[2]);
}

static int setup(void **state)
{
	(void)state;
	memset(fired, 0, sizeof(fired));
	memset(timers, 0, sizeof(timers));
	again = 0;
	wheel = wheel_new(1000 * USEC_PER_SEC, on_fire, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	wheel_free(wheel);
	return 0;
}

static usec_t at(usec_t ms)
{
	return 1000 * USEC_PER_SEC + ms * USEC_PER_MSEC;
}

static void test_never_early(void **state)
{
	(void)state;
	wheel_arm(wheel, &timers[0], at(120));
	wheel_turn(wheel, at(119));
	assert_int_equal(fired[0], 0);
	wheel_turn(wheel, at(170));
	assert_int_equal(fired[0], 1);
	wheel_turn(wheel, at(10000));
	assert_int_equal(fired[0], 1);
}

static void test_the_past_is_due_at_the_next_turn(void **state)
{
	(void)state;
	wheel_arm(wheel, &timers[0], 1);
	wheel_turn(wheel, at(50));
	assert_int_equal(fired[0], 1);
}

static void test_cancel_and_arm_anew(void **state)
{
	(void)state;
	wheel_arm(wheel, &timers[0], at(100));
	wheel_cancel(&timers[0]);
	wheel_cancel(&timers[0]);
	wheel_arm(wheel, &timers[3], at(100));
	wheel_arm(wheel, &timers[3], at(500));
	wheel_turn(wheel, at(400));
	assert_int_equal(fired[0] + fired[3], 0);
	wheel_turn(wheel, at(600));
	assert_int_equal(fired[3], 1);
}

static void test_beyond_one_revolution(void **state)
{
	usec_t far = 1000ULL * WHEEL_SLOTS; /* ms: twenty revolutions */

	(void)state;
	wheel_arm(wheel, &timers[0], at(far));
	for (usec_t t = 0; t < far; t += 50)
		wheel_turn(wheel, at(t));
	assert_int_equal(fired[0], 0);
	wheel_turn(wheel, at(far + 50));
	assert_int_equal(fired[0], 1);
}

static void test_callbacks_may_arm_and_cancel(void **state)
{
	(void)state;
	again = at(200);
	wheel_arm(wheel, &timers[0], at(100));
	wheel_arm(wheel, &timers[2], at(1000));
	wheel_arm(wheel, &timers[1], at(900));
	wheel_turn(wheel, at(150));
	assert_int_equal(fired[0], 1);
	again = 0;
	wheel_turn(wheel, at(250));
	assert_int_equal(fired[0], 2);
	wheel_turn(wheel, at(950));
	wheel_turn(wheel, at(2000));
	assert_int_equal(fired[1], 1);
	assert_int_equal(fired[2], 0);
}

/* The process was stopped for an hour. */
static void test_a_long_pause(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++)
		wheel_arm(wheel, &timers[i], at(100 + 7000 * i));
	wheel_arm(wheel, &timers[3], at(7200000));
	wheel_turn(wheel, at(3600000));
	assert_int_equal(fired[0], 1);
	assert_int_equal(fired[1], 1);
	assert_int_equal(fired[3], 0);
	wheel_cancel(&timers[3]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_never_early, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_past_is_due_at_the_next_turn, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_cancel_and_arm_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(test_beyond_one_revolution, setup, teardown),
		cmocka_unit_test_setup_teardown(test_callbacks_may_arm_and_cancel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_long_pause, setup, teardown),
	};

	return cmocka_run_group_tests_name("wheel", tests, NULL, NULL);
}
