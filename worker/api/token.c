#include "worker/api/token.h"

#include "common/base/encode.h"

bool token_read(const struct http_request *r, struct token *ret)
{
	struct slice value = http_header(r, SLICE("Authorization"));
	struct slice scheme;
	struct slice plain;
	struct slice rest;
	uint8_t digest[SHA256_SIZE];

	if (!slice_cut(value, ' ', &scheme, &plain) || !slice_eq_nocase(scheme, SLICE("Bearer")))
		return false;
	plain = slice_trim(plain);
	ret->id = SLICE_NONE;
	if (slice_cut(plain, '|', &ret->id, &rest)) {
		/* An empty id would ask for the token by its digest. */
		if (ret->id.n == 0 || ret->id.n > TOKEN_ID_MAX)
			return false;
		plain = rest;
	}
	if (plain.n == 0)
		return false;
	digest_sha256(plain, digest);
	hex_encode(digest, sizeof(digest), ret->hash);
	return true;
}
