#include "worker/texts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void shared(void **state)
{
	struct texts t = {0};
	struct text *a = texts_take(&t, SLICE("js 8.6.0"));
	struct text *b = texts_take(&t, SLICE("js 8.6.0"));
	struct text *empty = texts_take(&t, SLICE(""));

	(void)state;
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, empty);
	assert_true(slice_eq(text_slice(a), SLICE("js 8.6.0")));
	assert_int_equal(text_slice(empty).n, 0);
	texts_drop(&t, a);
	assert_true(slice_eq(text_slice(b), SLICE("js 8.6.0")));
	texts_drop(&t, b);
	texts_drop(&t, empty);
	texts_drop(&t, NULL);
	assert_null(t.table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(shared)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
