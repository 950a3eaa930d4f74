#include "common/crypto/hmac.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "common/base/encode.h"
#include "common/base/mem.h"

struct hmac_key {
	EVP_MAC_CTX *ctx; /* keyed once, begun anew for each message */
};

static EVP_MAC *hmac_algorithm(void)
{
	static EVP_MAC *mac; /* for the life of the process */

	if (mac == NULL)
		mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	if (mac == NULL)
		die("OpenSSL has no HMAC");
	return mac;
}

struct hmac_key *hmac_key_new(struct slice secret)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	const void *bytes = secret.n > 0 ? (const void *)secret.p : "";
	struct hmac_key *key = NEW(struct hmac_key);

	key->ctx = EVP_MAC_CTX_new(hmac_algorithm());
	if (key->ctx == NULL || EVP_MAC_init(key->ctx, bytes, secret.n, params) != 1)
		die("cannot prepare an HMAC key");
	return key;
}

void hmac_key_free(struct hmac_key *key)
{
	if (key == NULL)
		return;
	EVP_MAC_CTX_free(key->ctx);
	free(key);
}

void hmac_sha256(struct hmac_key *key, const struct slice *parts, size_t n, uint8_t out[HMAC_SIZE])
{
	size_t len = 0;

	/* Without a key it begins anew with the one it has: no allocation, no key schedule. */
	if (EVP_MAC_init(key->ctx, NULL, 0, NULL) != 1)
		die("HMAC cannot begin");
	for (size_t i = 0; i < n; i++) {
		if (parts[i].n > 0 &&
		    EVP_MAC_update(key->ctx, (const unsigned char *)parts[i].p, parts[i].n) != 1)
			die("HMAC fails");
	}
	if (EVP_MAC_final(key->ctx, out, &len, HMAC_SIZE) != 1 || len != HMAC_SIZE)
		die("HMAC cannot end");
}

bool hmac_hex_equal(const uint8_t mac[HMAC_SIZE], struct slice hex)
{
	uint8_t given[HMAC_SIZE];

	return hex_decode(hex, given, sizeof(given)) && CRYPTO_memcmp(mac, given, HMAC_SIZE) == 0;
}

static void digest(const char *name, EVP_MD **fetched, struct slice bytes, uint8_t *out, size_t n)
{
	unsigned int len = 0;

	if (*fetched == NULL)
		*fetched = EVP_MD_fetch(NULL, name, NULL);
	if (*fetched == NULL || EVP_Digest(bytes.n > 0 ? (const void *)bytes.p : "", bytes.n, out,
					   &len, *fetched, NULL) != 1)
		die("OpenSSL has no %s", name);
	if (len != n)
		die("%s of %u bytes", name, len);
}

void digest_sha256(struct slice bytes, uint8_t out[SHA256_SIZE])
{
	static EVP_MD *md;

	digest("SHA256", &md, bytes, out, SHA256_SIZE);
}

void digest_sha1(struct slice bytes, uint8_t out[SHA1_SIZE])
{
	static EVP_MD *md;

	digest("SHA1", &md, bytes, out, SHA1_SIZE);
}

void digest_md5(struct slice bytes, uint8_t out[MD5_SIZE])
{
	static EVP_MD *md;

	digest("MD5", &md, bytes, out, MD5_SIZE);
}

bool crypto_equal(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}

void crypto_erase(void *p, size_t n)
{
	if (n > 0)
		OPENSSL_cleanse(p, n);
}

void crypto_free_str(char *s)
{
	if (s == NULL)
		return;
	crypto_erase(s, strlen(s));
	free(s);
}
