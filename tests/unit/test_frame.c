#include "common/base/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void copies_its_bytes(void **state)
{
	char text[] = "bytes\0more";
	struct frame *f = frame_copy(slice_of(text, 10));

	(void)state;
	text[0] = 'x';
	assert_int_equal(f->len, 10);
	assert_true(slice_eq(frame_slice(f), SLICE("bytes\0more")));
	frame_unref(f);
}

/* The sanitizer's leak check is the other half of this test. */
static void lives_until_the_last_reference(void **state)
{
	struct frame *f = frame_copy(SLICE("a"));

	(void)state;
	assert_int_equal(f->refs, 1);
	assert_ptr_equal(frame_ref(f), f);
	assert_int_equal(f->refs, 2);
	frame_unref(f);
	assert_int_equal(f->refs, 1);
	assert_int_equal(f->data[0], 'a');
	frame_unref(f);
	frame_unref(NULL);
}

static void may_be_empty(void **state)
{
	struct frame *f = frame_copy(SLICE_NONE);

	(void)state;
	assert_int_equal(f->len, 0);
	frame_unref(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_its_bytes),
		cmocka_unit_test(lives_until_the_last_reference),
		cmocka_unit_test(may_be_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
