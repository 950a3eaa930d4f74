#include "worker/http/param.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/macros.h"

static void assert_slice(struct slice got, const char *wanted)
{
	assert_int_equal(got.n, strlen(wanted));
	assert_memory_equal(got.p, wanted, got.n);
}

static void passes_over_empty_parameters(void **state)
{
	struct slice rest = SLICE("&&a=1&b&=c&d=e=f&&");
	struct slice name;
	struct slice value;

	(void)state;
	assert_true(http_param_next(&rest, &name, &value));
	assert_slice(name, "a");
	assert_slice(value, "1");
	assert_true(http_param_next(&rest, &name, &value));
	assert_slice(name, "b");
	assert_slice(value, "");
	assert_true(http_param_next(&rest, &name, &value));
	assert_slice(name, "");
	assert_slice(value, "c");
	assert_true(http_param_next(&rest, &name, &value));
	assert_slice(name, "d");
	assert_slice(value, "e=f");
	assert_false(http_param_next(&rest, &name, &value));
	assert_false(http_param_next(&rest, &name, &value));
}

static void of_nothing_there_is_none(void **state)
{
	struct slice rest = SLICE_NONE;
	struct slice name;
	struct slice value;

	(void)state;
	assert_false(http_param_next(&rest, &name, &value));
	rest = SLICE("&");
	assert_false(http_param_next(&rest, &name, &value));
}

static void compares_what_is_decoded(void **state)
{
	static const struct {
		struct slice raw;
		struct slice text;
		bool same;
	} rows[] = {
		{SLICE_INIT(""), SLICE_INIT(""), true},
		{SLICE_INIT("a"), SLICE_INIT(""), false},
		{SLICE_INIT(""), SLICE_INIT("a"), false},
		{SLICE_INIT("a%62c"), SLICE_INIT("abc"), true},
		{SLICE_INIT("%C3%a9"), SLICE_INIT("\xC3\xA9"), true},
		{SLICE_INIT("a+b"), SLICE_INIT("a b"), true},
		{SLICE_INIT("a%2Bb"), SLICE_INIT("a+b"), true},
		{SLICE_INIT("a%20b"), SLICE_INIT("a b"), true},
		{SLICE_INIT("%00"), SLICE_INIT("\0"), true},
		{SLICE_INIT("%"), SLICE_INIT("%"), false},
		{SLICE_INIT("%4"), SLICE_INIT("%4"), false},
		{SLICE_INIT("%4g"), SLICE_INIT("%4g"), false},
		{SLICE_INIT("%%41"), SLICE_INIT("%A"), false},
		{SLICE_INIT("ab"), SLICE_INIT("aB"), false},
		{SLICE_INIT("abc"), SLICE_INIT("ab"), false},
		{SLICE_INIT("ab"), SLICE_INIT("abc"), false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (http_param_is(rows[i].raw, rows[i].text) != rows[i].same)
			fail_msg("%.*s", SLICE_ARG(rows[i].raw));
	}
}

static void finds_the_first_and_counts_all(void **state)
{
	struct slice all = SLICE("a=1&%61=2&A=3&b&a");
	struct slice value;

	(void)state;
	assert_int_equal(http_param_find(all, SLICE("a"), &value), 3);
	assert_slice(value, "1");
	assert_int_equal(http_param_find(all, SLICE("b"), &value), 1);
	assert_slice(value, "");
	assert_non_null(value.p);
	assert_int_equal(http_param_find(all, SLICE("c"), &value), 0);
	assert_null(value.p);
	assert_int_equal(http_param_find(SLICE_NONE, SLICE("a"), &value), 0);
	assert_null(value.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passes_over_empty_parameters),
		cmocka_unit_test(of_nothing_there_is_none),
		cmocka_unit_test(compares_what_is_decoded),
		cmocka_unit_test(finds_the_first_and_counts_all),
	};

	return cmocka_run_group_tests_name("param", tests, NULL, NULL);
}
