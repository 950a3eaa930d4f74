#include "common/base/encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void hex_goes_both_ways(void **state)
{
	static const uint8_t bytes[] = {0x00, 0x7F, 0x80, 0xFF};
	char text[9];
	uint8_t back[4];

	(void)state;
	hex_encode(bytes, sizeof(bytes), text);
	assert_string_equal(text, "007f80ff");
	assert_true(hex_decode(slice_str(text), back, 4));
	assert_memory_equal(back, bytes, 4);
	assert_true(hex_decode(SLICE("007F80FF"), back, 4));
	assert_memory_equal(back, bytes, 4);
}

static void hex_is_strict(void **state)
{
	uint8_t out[2];

	(void)state;
	assert_false(hex_decode(SLICE("abc"), out, 2));
	assert_false(hex_decode(SLICE("abcde"), out, 2));
	assert_false(hex_decode(SLICE("abcg"), out, 2));
	assert_false(hex_decode(SLICE("0x12"), out, 2));
	assert_false(hex_decode(SLICE(" abc"), out, 2));
}

/* RFC 4648 section 10 */
static void base64_of_the_standard(void **state)
{
	static const char *const pairs[][2] = {
		{"", ""},
		{"f", "Zg=="},
		{"fo", "Zm8="},
		{"foo", "Zm9v"},
		{"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct buf b;
		uint8_t back[8];
		size_t n;

		buf_init(&b, 100);
		assert_true(base64_encode(&b, pairs[i][0], strlen(pairs[i][0])));
		assert_true(slice_eq(buf_slice(&b), slice_str(pairs[i][1])));
		assert_true(base64_decode(buf_slice(&b), back, sizeof(back), &n));
		assert_true(slice_eq(slice_of(back, n), slice_str(pairs[i][0])));
		buf_done(&b);
	}
}

static void base64_is_strict(void **state)
{
	static const char *const bad[] = {"Z",	  "Zg",	      "Zg=",  "Zg==Zg==", "Zh==",
					  "Zm9=", "Z===",     "====", "Zm9v=",	  "Zm 9v",
					  "Zm-v", "Zm9vYmF=", "=Zg=", "Zg\n=="};
	uint8_t out[16];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(base64_decode(slice_str(bad[i]), out, sizeof(out), &n));
	assert_false(base64_decode(SLICE("Zm9v"), out, 2, &n)); /* N + 1 */
	assert_true(base64_decode(SLICE("Zm9v"), out, 3, &n));
}

static void percent_decoding(void **state)
{
	static const char *const bad[] = {"%", "%4", "%g0", "%0g", "a%", "%%41"};
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	assert_true(percent_decode(&b, SLICE("a%2Cb+c%C3%a9%00"), true));
	assert_true(slice_eq(buf_slice(&b), SLICE("a,b c\xC3\xA9\0")));
	buf_clear(&b);
	assert_true(percent_decode(&b, SLICE("b+c"), false));
	assert_true(slice_eq(buf_slice(&b), SLICE("b+c")));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		buf_clear(&b);
		assert_false(percent_decode(&b, slice_str(bad[i]), true));
	}
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hex_goes_both_ways),	  cmocka_unit_test(hex_is_strict),
		cmocka_unit_test(base64_of_the_standard), cmocka_unit_test(base64_is_strict),
		cmocka_unit_test(percent_decoding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
