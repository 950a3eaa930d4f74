#include "common/base/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void compares(void **state)
{
	(void)state;
	assert_true(slice_eq(SLICE("abc"), SLICE("abc")));
	assert_false(slice_eq(SLICE("abc"), SLICE("abd")));
	assert_false(slice_eq(SLICE("abc"), SLICE("ab")));
	assert_true(slice_eq(SLICE_NONE, SLICE("")));
	assert_true(slice_eq_nocase(SLICE("Content-TYPE"), SLICE("content-type")));
	assert_false(slice_eq_nocase(SLICE("a"), SLICE("ab")));
	assert_true(slice_starts(SLICE("private-a"), SLICE("private-")));
	assert_false(slice_starts(SLICE("privat"), SLICE("private-")));
	assert_true(slice_starts(SLICE_NONE, SLICE("")));
	assert_true(slice_ends(SLICE("a.conf"), SLICE(".conf")));
	assert_false(slice_ends(SLICE("conf"), SLICE(".conf")));
}

static void cuts_and_skips(void **state)
{
	struct slice before = SLICE("x");
	struct slice after = SLICE("y");

	(void)state;
	assert_true(slice_cut(SLICE("a=b=c"), '=', &before, &after));
	assert_true(slice_eq(before, SLICE("a")));
	assert_true(slice_eq(after, SLICE("b=c")));
	assert_true(slice_cut(SLICE("="), '=', &before, &after));
	assert_int_equal(before.n, 0);
	assert_int_equal(after.n, 0);
	before = SLICE("kept");
	assert_false(slice_cut(SLICE("none"), '=', &before, &after));
	assert_false(slice_cut(SLICE_NONE, '=', &before, &after));
	assert_true(slice_eq(before, SLICE("kept")));
	assert_true(slice_eq(slice_skip(SLICE("abc"), 1), SLICE("bc")));
	assert_int_equal(slice_skip(SLICE("abc"), 4).n, 0);
	assert_null(slice_skip(SLICE_NONE, 4).p);
	assert_true(slice_eq(slice_first(SLICE("abc"), 2), SLICE("ab")));
	assert_true(slice_eq(slice_first(SLICE("abc"), 9), SLICE("abc")));
}

static void trims(void **state)
{
	(void)state;
	assert_true(slice_eq(slice_trim(SLICE(" \t\r\na b\n ")), SLICE("a b")));
	assert_int_equal(slice_trim(SLICE(" \n")).n, 0);
	assert_int_equal(slice_trim(SLICE_NONE).n, 0);
}

static void reads_only_plain_decimals_in_range(void **state)
{
	static const char *const bad[] = {"",	 "-1", "+1", " 1",  "1 ",
					  "0x1", "1a", "1.", "1e1", "18446744073709551616"};
	unsigned long long v = 7;

	(void)state;
	assert_true(slice_to_u64(SLICE("0"), &v));
	assert_int_equal(v, 0);
	assert_true(slice_to_u64(SLICE("007"), &v));
	assert_int_equal(v, 7);
	assert_true(slice_to_u64(SLICE("18446744073709551615"), &v));
	assert_true(v == UINT64_MAX);
	v = 7;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(slice_to_u64(slice_str(bad[i]), &v));
	assert_int_equal(v, 7);
}

static void copies_with_nul(void **state)
{
	char *copy = slice_dup(slice_first(SLICE("abcd"), 2));
	char *none = slice_dup(SLICE_NONE);

	(void)state;
	assert_string_equal(copy, "ab");
	assert_string_equal(none, "");
	free(copy);
	free(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compares),
		cmocka_unit_test(cuts_and_skips),
		cmocka_unit_test(trims),
		cmocka_unit_test(reads_only_plain_decimals_in_range),
		cmocka_unit_test(copies_with_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
