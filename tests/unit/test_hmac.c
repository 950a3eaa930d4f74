#include "common/crypto/hmac.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/encode.h"
#include "common/base/mem.h"

static void assert_hmac(const char *secret, const char *text, const char *want)
{
	struct hmac_key *key = hmac_key_new(slice_str(secret));
	struct slice part = slice_str(text);
	uint8_t mac[HMAC_SIZE];
	char hex[2 * HMAC_SIZE + 1];

	hmac_sha256(key, &part, 1, mac);
	hex_encode(mac, sizeof(mac), hex);
	assert_string_equal(hex, want);
	assert_true(hmac_hex_equal(mac, slice_str(want)));
	hmac_key_free(key);
}

/* RFC 4231, cases 2 and 6 */
static void vectors_of_the_standard(void **state)
{
	char key[132];

	(void)state;
	assert_hmac("Jefe", "what do ya want for nothing?",
		    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, 131);
	key[131] = '\0';
	assert_hmac(key, "Test Using Larger Than Block-Size Key - Hash Key First",
		    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	assert_hmac("", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void vectors_of_channels(void **state)
{
	(void)state;
	assert_hmac("7ad3773142a6692b25b8", "1234.1234:private-foobar",
		    "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4");
	assert_hmac("7ad3773142a6692b25b8", "1234.1234::user::{\"id\":\"12345\"}",
		    "4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba");
	assert_hmac("tofu",
		    "1.1::user::{\"id\":\"\xC4\x85\xC2\xA7\xC2\xB6\xE2\x84\xA2\xE2\x82\xAC\xC5\x82"
		    "\xC3\xBC\xE2\x82\xAC\xC3\x9F\xC2\xA3\"}",
		    "620494cee53d6c568b49598313194088afda37218f0d059af03c0c898ed61ff4");
}

static void parts_are_joined(void **state)
{
	struct hmac_key *key = hmac_key_new(SLICE("7ad3773142a6692b25b8"));
	const struct slice parts[] = {SLICE("1234.1234"), SLICE(":"), SLICE_NONE,
				      SLICE("private-foobar")};
	uint8_t mac[HMAC_SIZE];

	(void)state;
	for (int again = 0; again < 2; again++) { /* a key serves many messages */
		hmac_sha256(key, parts, 4, mac);
		assert_true(hmac_hex_equal(
			mac,
			SLICE("58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4")));
	}
	hmac_key_free(key);
	hmac_key_free(NULL);
}

static void wrong_signatures_are_refused(void **state)
{
	uint8_t mac[HMAC_SIZE] = {0};
	char hex[2 * HMAC_SIZE + 2];

	(void)state;
	hex_encode(mac, sizeof(mac), hex);
	assert_true(hmac_hex_equal(mac, slice_of(hex, 64)));
	for (size_t i = 0; i < 64; i++) {
		hex[i] = '1';
		assert_false(hmac_hex_equal(mac, slice_of(hex, 64)));
		hex[i] = '0';
	}
	assert_false(hmac_hex_equal(mac, slice_of(hex, 63)));
	hex[64] = '0';
	assert_false(hmac_hex_equal(mac, slice_of(hex, 65)));
	hex[5] = 'g';
	assert_false(hmac_hex_equal(mac, slice_of(hex, 64)));
	assert_false(hmac_hex_equal(mac, SLICE_NONE));
}

static void assert_digest(const uint8_t *bytes, size_t n, const char *want)
{
	char hex[65];

	hex_encode(bytes, n, hex);
	assert_string_equal(hex, want);
}

static void digests(void **state)
{
	uint8_t out[32];

	(void)state;
	digest_sha256(SLICE("abc"), out);
	assert_digest(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_sha1(SLICE("dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11"), out);
	assert_digest(out, 20, "b37a4f2cc0624f1690f64606cf385945b2bec4ea"); /* RFC 6455 1.3 */
	digest_md5(SLICE("{\"name\":\"foo\",\"channels\":[\"project-3\"],\"data\":\"{\\\"some\\\":"
			 "\\\"data\\\"}\"}"),
		   out);
	assert_digest(out, 16, "ec365a775a4cd0599faeb73354201b6f");
	digest_md5(SLICE_NONE, out);
	assert_digest(out, 16, "d41d8cd98f00b204e9800998ecf8427e");
}

static void equality(void **state)
{
	(void)state;
	assert_true(crypto_equal(SLICE("abc"), SLICE("abc")));
	assert_false(crypto_equal(SLICE("abc"), SLICE("abd")));
	assert_false(crypto_equal(SLICE("abc"), SLICE("abcd")));
	assert_true(crypto_equal(SLICE_NONE, SLICE("")));
}

static void erases(void **state)
{
	char secret[8] = "secret";

	(void)state;
	crypto_erase(secret, sizeof(secret));
	for (size_t i = 0; i < sizeof(secret); i++)
		assert_int_equal(secret[i], 0);
	crypto_free_str(mem_strdup("secret"));
	crypto_free_str(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_of_the_standard),
		cmocka_unit_test(vectors_of_channels),
		cmocka_unit_test(parts_are_joined),
		cmocka_unit_test(wrong_signatures_are_refused),
		cmocka_unit_test(digests),
		cmocka_unit_test(equality),
		cmocka_unit_test(erases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
