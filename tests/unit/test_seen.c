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
	assert_true(seen_add(seen, 1, 2, room));
	assert_false(seen_add(seen, 2, 1, room));
	assert_true(seen_add(seen, 1, 1, SLICE("")));
	assert_false(seen_add(seen, 1, 1, SLICE_NONE));
	seen_free(seen);
	seen_free(NULL);
}

static void test_the_window(void **state)
{
	struct seen *seen = seen_new();

	(void)state;
	for (uint64_t n = 1; n <= 3ULL * SEEN_WINDOW; n++) {
		assert_true(seen_add(seen, 1, n, room));
		assert_false(seen_add(seen, 1, n, room));
		if (n > SEEN_WINDOW)
			assert_false(seen_add(seen, 1, n - SEEN_WINDOW + 1, room));
	}
	assert_true(seen_add(seen, 1, 2ULL * SEEN_WINDOW, room)); /* long forgotten */
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
		cmocka_unit_test(test_the_window),
		cmocka_unit_test(test_the_origins),
	};

	return cmocka_run_group_tests_name("seen", tests, NULL, NULL);
}
