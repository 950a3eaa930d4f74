#include "common/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/plain.h"

static void assert_text(const struct buf *b, const char *want)
{
	assert_int_equal(b->n, strlen(want));
	assert_memory_equal(b->p, want, b->n);
}

static void appends_up_to_its_maximum(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	assert_true(buf_add(&b, SLICE("abcd")));
	assert_false(buf_addc(&b, 'e'));
	assert_false(buf_ok(&b));
	assert_text(&b, "abcd");
	buf_done(&b);
}

static void a_failed_append_adds_nothing_and_sticks(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 5);
	assert_true(buf_add(&b, SLICE("abc")));
	assert_false(buf_add(&b, SLICE("def")));
	assert_text(&b, "abc");
	assert_false(buf_addc(&b, 'd')); /* would fit, but the sequence is broken */
	buf_clear(&b);
	assert_true(buf_add(&b, SLICE("fghij")));
	assert_text(&b, "fghij");
	buf_done(&b);
}

static void refuses_sizes_that_overflow(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, SIZE_MAX);
	assert_true(buf_addc(&b, 'a'));
	assert_null(buf_reserve(&b, SIZE_MAX));
	buf_done(&b);
}

static void an_empty_slice_fits_an_empty_buffer(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	assert_true(buf_add(&b, SLICE_NONE));
	assert_false(buf_addc(&b, 'a'));
	buf_done(&b);
}

static void writes_numbers(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	assert_true(buf_u64(&b, 0) && buf_addc(&b, ' ') && buf_u64(&b, UINT64_MAX) &&
		    buf_addc(&b, ' ') && buf_i64(&b, INT64_MIN) && buf_addc(&b, ' ') &&
		    buf_i64(&b, -1));
	assert_text(&b, "0 18446744073709551615 -9223372036854775808 -1");
	buf_done(&b);
}

static void formats_text_longer_than_its_stack_buffer(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	assert_true(buf_printf(&b, "%255d|", 1));
	assert_int_equal(b.n, 256);
	assert_true(buf_printf(&b, "%300d", 2));
	assert_int_equal(b.n, 556);
	assert_int_equal(b.p[555], '2');
	buf_done(&b);
}

static void escapes_json(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	assert_true(buf_json_str(&b, SLICE("a\"b\\c/\n\r\t\x01\x1f\xC3\xA9")));
	assert_text(&b, "\"a\\\"b\\\\c/\\n\\r\\t\\u0001\\u001f\xC3\xA9\"");
	buf_clear(&b);
	assert_true(buf_json_str(&b, SLICE_NONE));
	assert_text(&b, "\"\"");
	buf_clear(&b);
	assert_true(buf_json_part(&b, SLICE("\"a\"")) && buf_json_part(&b, SLICE("bc")));
	assert_text(&b, "\\\"a\\\"bc");
	buf_done(&b);
}

static void consumes_from_the_front(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	assert_true(buf_add(&b, SLICE("abcdef")));
	buf_consume(&b, 2);
	assert_text(&b, "cdef");
	buf_consume(&b, 99);
	assert_int_equal(b.n, 0);
	buf_done(&b);
}

static void ends_with_nul_when_there_is_room(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	assert_true(buf_add(&b, SLICE("abc")));
	assert_string_equal(buf_cstr(&b), "abc");
	assert_int_equal(b.n, 3);
	assert_true(buf_addc(&b, 'd'));
	assert_null(buf_cstr(&b));
	buf_done(&b);
}

/* Eight bytes are looked at together: every character in every place, beside plain ones. */
static void escapes_json_in_every_place(void **state)
{
	char text[24];
	struct buf b;
	struct buf wanted;

	(void)state;
	buf_init(&b, 1000);
	buf_init(&wanted, 1000);
	for (unsigned c = 0; c < 256; c++) {
		for (size_t n = 1; n <= sizeof(text); n++) {
			size_t at = (c + n) % n;

			memset(text, 'p', sizeof(text));
			text[at] = (char)c;
			buf_clear(&b);
			buf_clear(&wanted);
			assert_true(buf_json_str(&b, slice_of(text, n)));
			(void)buf_addc(&wanted, '"');
			(void)buf_add(&wanted, slice_of(text, at));
			if (c == '"' || c == '\\')
				(void)buf_printf(&wanted, "\\%c", (char)c);
			else if (c == '\n' || c == '\r' || c == '\t')
				(void)buf_printf(&wanted, "\\%c", "tn  r"[c - '\t']);
			else if (c < 0x20)
				(void)buf_printf(&wanted, "\\u%04x", c);
			else
				(void)buf_addc(&wanted, (char)c);
			(void)buf_add(&wanted, slice_of(text + at + 1, n - at - 1));
			(void)buf_addc(&wanted, '"');
			assert_true(slice_eq(buf_slice(&b), buf_slice(&wanted)));
		}
	}
	buf_done(&b);
	buf_init(&b, 10);
	assert_false(buf_json_str(&b, SLICE("12345678\n"))); /* 12 bytes */
	assert_int_equal(b.n, 0);
	assert_false(buf_ok(&b));
	buf_done(&b);
	buf_done(&wanted);
}

/* In every place, with plain bytes and with others behind it; the bytes before do not count. */
static void finds_the_first_that_is_not_plain(void **state)
{
	char text[24];

	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		bool plain = c >= 0x20 && c != '"' && c != '\\';

		for (size_t at = 0; at < sizeof(text); at++) {
			for (size_t from = 0; from <= at; from++) {
				memset(text, 'p', at);
				memset(text + at, '"', sizeof(text) - at);
				text[at] = (char)c;
				size_t run = plain_run(slice_of(text, sizeof(text)), from);
				assert_int_equal(run, at - from + plain);
				run = plain_run(slice_of(text, at + 1), from);
				assert_int_equal(run, at - from + plain);
			}
		}
	}
	assert_int_equal(plain_run(SLICE_NONE, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends_up_to_its_maximum),
		cmocka_unit_test(a_failed_append_adds_nothing_and_sticks),
		cmocka_unit_test(refuses_sizes_that_overflow),
		cmocka_unit_test(an_empty_slice_fits_an_empty_buffer),
		cmocka_unit_test(writes_numbers),
		cmocka_unit_test(formats_text_longer_than_its_stack_buffer),
		cmocka_unit_test(escapes_json),
		cmocka_unit_test(consumes_from_the_front),
		cmocka_unit_test(ends_with_nul_when_there_is_room),
		cmocka_unit_test(escapes_json_in_every_place),
		cmocka_unit_test(finds_the_first_that_is_not_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
