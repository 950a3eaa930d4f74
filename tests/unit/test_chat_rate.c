#include "broker/chat/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "broker/chat/chat.h"

static const struct chat_rate ten = {10, 30};

static unsigned take(struct rates *r, usec_t now, const char *name, unsigned times)
{
	unsigned taken = 0;
	unsigned wait;

	for (unsigned i = 0; i < times; i++)
		taken += rates_take(r, now, &ten, slice_str(name), &wait);
	return taken;
}

static void a_burst_and_then_the_rate(void **state)
{
	struct rates *r = rates_new(100);
	unsigned wait;

	(void)state;
	assert_int_equal(take(r, 5, "a", 40), 30);
	assert_int_equal(take(r, 5 + USEC_PER_SEC, "a", 40), 10);
	assert_int_equal(take(r, 5 + 60 * USEC_PER_SEC, "a", 40), 30);
	assert_false(rates_take(r, 5 + 60 * USEC_PER_SEC, &ten, SLICE("a"), &wait));
	assert_int_equal(wait, 1);
	rates_free(r);
}

static void each_name_has_its_own(void **state)
{
	struct rates *r = rates_new(100);

	(void)state;
	assert_int_equal(take(r, 5, "a", 40), 30);
	assert_int_equal(take(r, 5, "b", 40), 30);
	rates_free(r);
}

static void slow_rates_say_how_long_to_wait(void **state)
{
	const struct chat_rate slow = {1, 1};
	struct rates *r = rates_new(100);
	unsigned wait;

	(void)state;
	assert_true(rates_take(r, 0, &slow, SLICE("a"), &wait));
	assert_int_equal(wait, 0);
	assert_false(rates_take(r, USEC_PER_SEC / 2, &slow, SLICE("a"), &wait));
	assert_int_equal(wait, 1);
	assert_true(rates_take(r, USEC_PER_SEC, &slow, SLICE("a"), &wait));
	rates_free(r);
}

static void zero_is_no_limit(void **state)
{
	const struct chat_rate none = {0, 1};
	struct rates *r = rates_new(100);
	unsigned wait;

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_true(rates_take(r, 0, &none, SLICE("a"), &wait));
	rates_free(r);
}

static void the_longest_unused_goes_first(void **state)
{
	struct rates *r = rates_new(3);

	(void)state;
	assert_int_equal(take(r, 5, "a", 30), 30);
	assert_int_equal(take(r, 6, "b", 30), 30);
	assert_int_equal(take(r, 7, "c", 30), 30);
	assert_int_equal(take(r, 8, "a", 1), 0);
	assert_int_equal(take(r, 9, "d", 1), 1); /* in place of b */
	assert_int_equal(take(r, 10, "a", 1), 0);
	assert_int_equal(take(r, 10, "c", 1), 0);
	assert_int_equal(take(r, 10, "b", 1), 1);
	rates_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_and_then_the_rate),
		cmocka_unit_test(each_name_has_its_own),
		cmocka_unit_test(slow_rates_say_how_long_to_wait),
		cmocka_unit_test(zero_is_no_limit),
		cmocka_unit_test(the_longest_unused_goes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
