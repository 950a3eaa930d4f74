#include "common/base/siphash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* First 16 vectors of the reference implementation: key 00..0f, input 00, 0001, ... */
static void gives_the_vectors_of_its_authors(void **state)
{
	static const uint64_t want[] = {
		0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
		0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
		0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
		0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5,
	};
	static const uint64_t key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
	uint8_t input[16];

	(void)state;
	for (size_t i = 0; i < 16; i++) {
		input[i] = (uint8_t)i;
		assert_true(siphash(input, i, key) == want[i]);
	}
}

static void one_process_has_one_key(void **state)
{
	(void)state;
	assert_true(hash_bytes("abc", 3) == hash_bytes("abc", 3));
	assert_true(hash_bytes("abc", 3) != hash_bytes("abd", 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_the_vectors_of_its_authors),
		cmocka_unit_test(one_process_has_one_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
