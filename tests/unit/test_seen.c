#include "worker/link/seen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct slice room = SLICE_INIT("room");

static void test_repeats_are_told_apart(void **state)
{
	struct seen *seen = seen_new();

	(void)state;
	assert_true(seen_add(seen, 1, 1, room));
	assert_false(seen_add(seen, 1, 1, room));
	assert_true(seen_add(seen, 1, 1, SLICE("hall"))); /* the same publish, another channel */
	assert_true(seen_add(seen, 2, 1, room));	  /* another worker's */
	assert_true(seen_add(seen, 1, 1, SLICE("")));
	assert_false(seen_add(seen, 1, 1, SLICE_NONE));
	assert_true(seen_add(seen, 1, 2, room));
	assert_false(seen_add(seen, 2, 1, room));
	assert_false(seen_add(seen, 1, 1, room));
	seen_free(seen);
	seen_free(NULL);
}

/* Ordered when nobody here was subscribed, and once more by the next broker. */
static void test_what_comes_late_is_dropped(void **state)
{
	struct seen *seen = seen_new();

	(void)state;
	assert_true(seen_add(seen, 1, 5, room));
	assert_false(seen_add(seen, 1, 4, room));
	assert_false(seen_add(seen, 1, 4, SLICE("hall")));
	assert_true(seen_add(seen, 1, 5, SLICE("hall")));
	assert_true(seen_add(seen, 1, 7, room));
	assert_false(seen_add(seen, 1, 5, room));
	assert_false(seen_add(seen, 1, 7, room));
	seen_free(seen);
}

static void test_many_channels_of_one_publish(void **state)
{
	struct seen *seen = seen_new();

	(void)state;
	for (uint64_t n = 1; n <= 3; n++) {
		for (uint32_t i = 0; i < 1000; i++)
			assert_true(seen_add(seen, 1, n, slice_of((const char *)&i, sizeof(i))));
		for (uint32_t i = 0; i < 1000; i++)
			assert_false(seen_add(seen, 1, n, slice_of((const char *)&i, sizeof(i))));
	}
	seen_free(seen);
}

/* Transactions that took their number first may end last. */
static void test_the_window_of_the_unordered(void **state)
{
	struct seen *seen = seen_new();

	(void)state;
	for (uint64_t n = 3ULL * SEEN_WINDOW; n > 0; n--) {
		assert_true(seen_add(seen, SEEN_UNORDERED, n, room));
		assert_false(seen_add(seen, SEEN_UNORDERED, n, room));
		if (n <= 2ULL * SEEN_WINDOW)
			assert_false(seen_add(seen, SEEN_UNORDERED, n + SEEN_WINDOW - 1, room));
	}
	assert_true(seen_add(seen, SEEN_UNORDERED, 2ULL * SEEN_WINDOW, room)); /* long forgotten */
	seen_free(seen);
}

static void test_the_origins(void **state)
{
	struct seen *seen = seen_new();

	(void)state;
	for (uint64_t n = 1; n <= SEEN_ORIGINS; n++)
		assert_true(seen_add(seen, n, 1, room));
	assert_false(seen_add(seen, 1, 1, room)); /* and is now the one used last */
	assert_true(seen_add(seen, SEEN_ORIGINS + 1, 1, room));
	assert_false(seen_add(seen, 1, 1, room));
	assert_true(seen_add(seen, 2, 1, room)); /* the one that was forgotten */
	seen_free(seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_repeats_are_told_apart),
		cmocka_unit_test(test_what_comes_late_is_dropped),
		cmocka_unit_test(test_many_channels_of_one_publish),
		cmocka_unit_test(test_the_window_of_the_unordered),
		cmocka_unit_test(test_the_origins),
	};

	return cmocka_run_group_tests_name("seen", tests, NULL, NULL);
}
