/*
 * Signatures of the Pusher protocol with the active secrets of one application. Pure.
 *
 * A signer holds the public key and prepared HMAC keys, newest first. Checking accepts any of them;
 * making uses the first. A signature is "KEY:HEX", HEX being HMAC-SHA256 in 64 digits; comparison
 * takes the same time wherever it differs.
 */
#ifndef WORKER_PUSHER_AUTH_H
#define WORKER_PUSHER_AUTH_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/macros.h"
#include "common/base/slice.h"

struct pusher_signer;

/* Secrets active at once. */
#define PUSHER_SECRETS_MAX 8

/* Copies what it needs; more than PUSHER_SECRETS_MAX secrets are our bug. */
MALLOC_LIKE struct pusher_signer *pusher_signer_new(struct slice key, const struct slice *secrets,
						    size_t n);
/* NULL is allowed. */
void pusher_signer_free(struct pusher_signer *s);

/* channel_data with .p == NULL: none was sent. `auth` is what the client presented. */
MUST_CHECK bool pusher_channel_auth_ok(const struct pusher_signer *s, struct slice socket_id,
				       struct slice channel, struct slice channel_data,
				       struct slice auth);
MUST_CHECK bool pusher_user_auth_ok(const struct pusher_signer *s, struct slice socket_id,
				    struct slice user_data, struct slice auth);

/* Append "KEY:HEX"; false when the buffer is full or the application has no secret. */
MUST_CHECK bool pusher_channel_auth(const struct pusher_signer *s, struct slice socket_id,
				    struct slice channel, struct slice channel_data,
				    struct buf *out);
MUST_CHECK bool pusher_user_auth(const struct pusher_signer *s, struct slice socket_id,
				 struct slice user_data, struct buf *out);

/*
 * For signatures of other forms (the HTTP API): whether `hex` is the MAC of the joined parts under
 * any active secret.
 */
MUST_CHECK bool pusher_signed(const struct pusher_signer *s, const struct slice *parts, size_t n,
			      struct slice hex);

#endif
