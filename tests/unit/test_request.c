#include "worker/http/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/macros.h"

/* Accept: a, B / X: / accept:c ,d / X: y / List: ,, e , */
static const char HEAD[] = "Accepta, BXacceptc ,dXyList,, e ,";
static const struct http_field FIELDS[] = {
	{0, 6, 6, 4}, {10, 1, 11, 0}, {11, 6, 17, 4}, {21, 1, 22, 1}, {23, 4, 27, 6},
};
static const struct http_request REQUEST = {
	.head = HEAD,
	.fields = FIELDS,
	.field_count = ARRAY_LEN(FIELDS),
};
static const struct http_request NO_LINES = {.head = HEAD, .fields = FIELDS};

static void assert_slice(struct slice got, const char *wanted)
{
	assert_int_equal(got.n, strlen(wanted));
	assert_memory_equal(got.p, wanted, got.n);
}

static void every_method_has_its_name(void **state)
{
	static const char *const names[HTTP_METHODS] = {"GET",	  "HEAD",  "POST",    "PUT",
							"DELETE", "PATCH", "OPTIONS", ""};

	(void)state;
	for (unsigned m = 0; m < HTTP_METHODS; m++)
		assert_slice(http_method_text((enum http_method)m), names[m]);
}

static void the_first_line_of_a_name(void **state)
{
	struct slice empty = http_header(&REQUEST, SLICE("x"));

	(void)state;
	assert_slice(http_header(&REQUEST, SLICE("ACCEPT")), "a, B");
	assert_non_null(empty.p);
	assert_int_equal(empty.n, 0);
	assert_null(http_header(&REQUEST, SLICE("Accep")).p);
	assert_null(http_header(&REQUEST, SLICE("Accepta")).p);
	assert_null(http_header(&REQUEST, SLICE("")).p);
	assert_null(http_header(&NO_LINES, SLICE("Accept")).p);
}

static void all_lines_in_order(void **state)
{
	struct slice value;
	unsigned at = 0;

	(void)state;
	assert_true(http_header_next(&REQUEST, SLICE("accept"), &at, &value));
	assert_slice(value, "a, B");
	assert_true(http_header_next(&REQUEST, SLICE("accept"), &at, &value));
	assert_slice(value, "c ,d");
	assert_false(http_header_next(&REQUEST, SLICE("accept"), &at, &value));
	assert_false(http_header_next(&REQUEST, SLICE("accept"), &at, &value));
	assert_slice(value, "c ,d");
}

static void lists_of_all_lines(void **state)
{
	static const char *const members[] = {"a", "A", "b", "c", "D"};
	static const char *const others[] = {"", "e", "a, B", " a", "b c", "ab"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		assert_true(http_header_has(&REQUEST, SLICE("Accept"), slice_str(members[i])));
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_false(http_header_has(&REQUEST, SLICE("Accept"), slice_str(others[i])));
	assert_true(http_header_has(&REQUEST, SLICE("list"), SLICE("e")));
	assert_true(http_header_has(&REQUEST, SLICE("X"), SLICE("y")));
	assert_false(http_header_has(&REQUEST, SLICE("None"), SLICE("y")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_method_has_its_name),
		cmocka_unit_test(the_first_line_of_a_name),
		cmocka_unit_test(all_lines_in_order),
		cmocka_unit_test(lists_of_all_lines),
	};

	return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
