#include "ctl/token_text.h"

#include <stdio.h>

#include "common/base/encode.h"
#include "common/base/mem.h"
#include "common/crypto/hmac.h"
#include "common/crypto/random.h"

uint32_t token_crc32(struct slice text)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < text.n; i++) {
		crc ^= (unsigned char)text.p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ ((crc & 1) != 0 ? UINT32_C(0xedb88320) : 0);
	}
	return ~crc;
}

void token_finish(struct slice random, char out[TOKEN_TEXT + 1])
{
	if (random.n != TOKEN_RANDOM)
		die("a token of %zu characters", random.n);
	memcpy(out, random.p, TOKEN_RANDOM);
	(void)snprintf(out + TOKEN_RANDOM, TOKEN_TEXT - TOKEN_RANDOM + 1, "%08x",
		       token_crc32(random));
}

void token_make(char out[TOKEN_TEXT + 1])
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	char random[TOKEN_RANDOM];

	for (size_t i = 0; i < sizeof(random); i++)
		random[i] = letters[random_below(sizeof(letters) - 1)];
	token_finish(slice_of(random, sizeof(random)), out);
	crypto_erase(random, sizeof(random));
}

void token_digest(struct slice secret, char out[TOKEN_DIGEST + 1])
{
	uint8_t digest[SHA256_SIZE];

	digest_sha256(secret, digest);
	hex_encode(digest, sizeof(digest), out);
}
