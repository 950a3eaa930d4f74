/*
 * HMAC-SHA256 with prepared keys, the three digests that the protocols name, and comparison in
 * constant time. A fault of the library ends the process: there is nothing sensible to go on with.
 *
 *	struct hmac_key *key = hmac_key_new(secret);
 *	struct slice parts[] = {socket_id, SLICE(":"), channel};
 *	uint8_t mac[HMAC_SIZE];
 *	hmac_sha256(key, parts, 3, mac);
 *	if (hmac_hex_equal(mac, presented)) ...
 *	hmac_key_free(key);
 */
#ifndef COMMON_CRYPTO_HMAC_H
#define COMMON_CRYPTO_HMAC_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/macros.h"
#include "common/base/slice.h"

#define HMAC_SIZE 32
#define SHA256_SIZE 32
#define SHA1_SIZE 20
#define MD5_SIZE 16

struct hmac_key;

/* The secret is not kept; an empty one is allowed. */
MALLOC_LIKE struct hmac_key *hmac_key_new(struct slice secret);
void hmac_key_free(struct hmac_key *key);

/* Over the parts joined without anything between them. Not for use by two threads at once. */
void hmac_sha256(struct hmac_key *key, const struct slice *parts, size_t n, uint8_t out[HMAC_SIZE]);

/*
 * Whether `hex` is the MAC as 64 hex digits of either case. The time does not depend on where the
 * first wrong digit stands.
 */
MUST_CHECK bool hmac_hex_equal(const uint8_t mac[HMAC_SIZE], struct slice hex);

void digest_sha256(struct slice bytes, uint8_t out[SHA256_SIZE]);
/* Only for Sec-WebSocket-Accept (RFC 6455 section 4.2.2). */
void digest_sha1(struct slice bytes, uint8_t out[SHA1_SIZE]);
/* Only for body_md5 of the HTTP API. */
void digest_md5(struct slice bytes, uint8_t out[MD5_SIZE]);

/* Constant time for equal lengths; texts of different length are different. */
MUST_CHECK bool crypto_equal(struct slice a, struct slice b);

/* Overwrites, also where a compiler would see no need. */
void crypto_erase(void *p, size_t n);
/* Erases and frees a string; NULL is allowed. */
void crypto_free_str(char *s);

#endif
