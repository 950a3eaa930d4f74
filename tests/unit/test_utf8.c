#include "common/base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The edges of RFC 3629 section 4. */
static const struct slice good[] = {
	SLICE_INIT(""),
	SLICE_INIT("plain ascii of more than eight bytes"),
	SLICE_INIT("\x7F"),
	SLICE_INIT("\xC2\x80"),
	SLICE_INIT("\xDF\xBF"),
	SLICE_INIT("\xE0\xA0\x80"),
	SLICE_INIT("\xED\x9F\xBF"),
	SLICE_INIT("\xEE\x80\x80"),
	SLICE_INIT("\xEF\xBF\xBF"),
	SLICE_INIT("\xF0\x90\x80\x80"),
	SLICE_INIT("\xF4\x8F\xBF\xBF"),
	SLICE_INIT("\0"),
	SLICE_INIT("12345678\xC3\xA9"
		   "12345678"),
};

static const struct slice bad[] = {
	SLICE_INIT("\x80"), /* a continuation alone */
	SLICE_INIT("\xBF"),
	SLICE_INIT("\xC0\x80"), /* overlong */
	SLICE_INIT("\xC1\xBF"),
	SLICE_INIT("\xE0\x80\x80"),
	SLICE_INIT("\xE0\x9F\xBF"),
	SLICE_INIT("\xF0\x80\x80\x80"),
	SLICE_INIT("\xF0\x8F\xBF\xBF"),
	SLICE_INIT("\xED\xA0\x80"), /* surrogates */
	SLICE_INIT("\xED\xBF\xBF"),
	SLICE_INIT("\xF4\x90\x80\x80"), /* above U+10FFFF */
	SLICE_INIT("\xF5\x80\x80\x80"),
	SLICE_INIT("\xFE"),
	SLICE_INIT("\xFF"),
	SLICE_INIT("\xC3"), /* cut off */
	SLICE_INIT("\xE2\x82"),
	SLICE_INIT("\xF0\x9F\x98"),
	SLICE_INIT("\xC3"
		   "a"), /* no continuation */
	SLICE_INIT("\xE2\x82"
		   "a"),
	SLICE_INIT("12345678\xFF"
		   "12345678"),
};

static void judges_whole_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(utf8_valid(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(utf8_valid(bad[i]));
}

static bool byte_by_byte(struct slice text)
{
	struct utf8 u = UTF8_INIT;

	for (size_t i = 0; i < text.n; i++) {
		if (!utf8_feed(&u, slice_of(text.p + i, 1)))
			return false;
	}
	return utf8_complete(&u);
}

static void judges_pieces_alike(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(byte_by_byte(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(byte_by_byte(bad[i]));
}

/* RFC 6455 asks to fail as soon as the text cannot become right. */
static void fails_at_the_first_wrong_byte(void **state)
{
	struct utf8 u = UTF8_INIT;

	(void)state;
	assert_true(utf8_feed(&u, SLICE("\xF4")));
	assert_false(utf8_complete(&u));
	assert_false(utf8_feed(&u, SLICE("\x90")));
}

/* Every code point once, against the arithmetic definition. */
static void takes_every_code_point(void **state)
{
	(void)state;
	for (uint32_t c = 0x80; c <= 0x11FFFF; c++) {
		char text[4];
		size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

		for (size_t i = n - 1; i > 0; i--)
			text[i] = (char)(0x80 | (c >> (6 * (n - 1 - i)) & 0x3F));
		text[0] = (char)((n == 2 ? 0xC0 : n == 3 ? 0xE0 : 0xF0) | c >> (6 * (n - 1)));
		bool right = c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);

		assert_int_equal(utf8_valid(slice_of(text, n)), right);
	}
}

static void counts_characters(void **state)
{
	(void)state;
	assert_int_equal(utf8_length(SLICE("")), 0);
	assert_int_equal(utf8_length(SLICE("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80")), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judges_whole_texts),
		cmocka_unit_test(judges_pieces_alike),
		cmocka_unit_test(fails_at_the_first_wrong_byte),
		cmocka_unit_test(takes_every_code_point),
		cmocka_unit_test(counts_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
