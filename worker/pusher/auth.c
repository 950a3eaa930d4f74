#include "worker/pusher/auth.h"

#include <stdlib.h>

#include "common/base/encode.h"
#include "common/base/mem.h"
#include "common/crypto/hmac.h"

struct pusher_signer {
	char *key;
	size_t count;
	struct hmac_key *secrets[PUSHER_SECRETS_MAX]; /* newest first */
};

struct pusher_signer *pusher_signer_new(struct slice key, const struct slice *secrets, size_t n)
{
	struct pusher_signer *s = NEW(struct pusher_signer);

	if (n > PUSHER_SECRETS_MAX)
		die("pusher_signer_new: %zu secrets", n);
	s->key = slice_dup(key);
	s->count = n;
	for (size_t i = 0; i < n; i++)
		s->secrets[i] = hmac_key_new(secrets[i]);
	return s;
}

void pusher_signer_free(struct pusher_signer *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->count; i++)
		hmac_key_free(s->secrets[i]);
	free(s->key);
	free(s);
}

bool pusher_signed(const struct pusher_signer *s, const struct slice *parts, size_t n,
		   struct slice hex)
{
	uint8_t mac[HMAC_SIZE];
	bool good = false;

	for (size_t i = 0; i < s->count; i++) {
		hmac_sha256(s->secrets[i], parts, n, mac);
		good |= hmac_hex_equal(mac, hex);
	}
	return good;
}

/* "KEY:HEX", split at the first colon. */
static bool auth_ok(const struct pusher_signer *s, const struct slice *parts, size_t n,
		    struct slice auth)
{
	struct slice key;
	struct slice hex;

	return slice_cut(auth, ':', &key, &hex) && slice_eq(key, slice_str(s->key)) &&
	       pusher_signed(s, parts, n, hex);
}

static bool sign(const struct pusher_signer *s, const struct slice *parts, size_t n,
		 struct buf *out)
{
	uint8_t mac[HMAC_SIZE];
	char hex[2 * HMAC_SIZE + 1];

	if (s->count == 0)
		return false;
	hmac_sha256(s->secrets[0], parts, n, mac);
	hex_encode(mac, sizeof(mac), hex);
	return buf_add(out, slice_str(s->key)) && buf_addc(out, ':') &&
	       buf_add(out, slice_of(hex, 2 * sizeof(mac)));
}

/* What is signed for a channel: socket_id:channel[:channel_data], at most five parts. */
#define CHANNEL_PARTS 5

static size_t channel_parts(struct slice parts[CHANNEL_PARTS], struct slice socket_id,
			    struct slice channel, struct slice channel_data)
{
	parts[0] = socket_id;
	parts[1] = SLICE(":");
	parts[2] = channel;
	if (channel_data.p == NULL)
		return 3;
	parts[3] = SLICE(":");
	parts[4] = channel_data;
	return 5;
}

bool pusher_channel_auth_ok(const struct pusher_signer *s, struct slice socket_id,
			    struct slice channel, struct slice channel_data, struct slice auth)
{
	struct slice parts[CHANNEL_PARTS];
	size_t n = channel_parts(parts, socket_id, channel, channel_data);

	return auth_ok(s, parts, n, auth);
}

bool pusher_user_auth_ok(const struct pusher_signer *s, struct slice socket_id,
			 struct slice user_data, struct slice auth)
{
	struct slice parts[] = {socket_id, SLICE("::user::"), user_data};

	return auth_ok(s, parts, ARRAY_LEN(parts), auth);
}

bool pusher_channel_auth(const struct pusher_signer *s, struct slice socket_id,
			 struct slice channel, struct slice channel_data, struct buf *out)
{
	struct slice parts[CHANNEL_PARTS];
	size_t n = channel_parts(parts, socket_id, channel, channel_data);

	return sign(s, parts, n, out);
}

bool pusher_user_auth(const struct pusher_signer *s, struct slice socket_id, struct slice user_data,
		      struct buf *out)
{
	struct slice parts[] = {socket_id, SLICE("::user::"), user_data};

	return sign(s, parts, ARRAY_LEN(parts), out);
}
