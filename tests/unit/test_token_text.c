#include "ctl/token_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void crc_is_that_of_php(void **state)
{
	(void)state;
	assert_int_equal(token_crc32(SLICE("")), 0);
	assert_int_equal(token_crc32(SLICE("123456789")), 0xcbf43926);
	assert_int_equal(token_crc32(SLICE("The quick brown fox jumps over the lazy dog")),
			 0x414fa339);
}

static void checksum_has_eight_digits(void **state)
{
	char text[TOKEN_TEXT + 1];

	(void)state;
	token_finish(SLICE("0123456789abcdefghijABCDEFGHIJ0123456789"), text);
	assert_int_equal(strlen(text), TOKEN_TEXT);
	assert_memory_equal(text, "0123456789abcdefghijABCDEFGHIJ0123456789", TOKEN_RANDOM);
	assert_int_equal(strspn(text + TOKEN_RANDOM, "0123456789abcdef"), 8);
}

static void tokens_are_letters_and_digits_and_differ(void **state)
{
	char a[TOKEN_TEXT + 1];
	char b[TOKEN_TEXT + 1];
	char again[TOKEN_TEXT + 1];

	(void)state;
	token_make(a);
	token_make(b);
	assert_string_not_equal(a, b);
	assert_int_equal(strspn(a, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789"),
			 TOKEN_TEXT);
	token_finish(slice_of(a, TOKEN_RANDOM), again);
	assert_string_equal(a, again);
}

static void digest_is_sha256_in_hex(void **state)
{
	char digest[TOKEN_DIGEST + 1];

	(void)state;
	token_digest(SLICE("abc"), digest);
	assert_string_equal(digest,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc_is_that_of_php),
		cmocka_unit_test(checksum_has_eight_digits),
		cmocka_unit_test(tokens_are_letters_and_digits_and_differ),
		cmocka_unit_test(digest_is_sha256_in_hex),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
