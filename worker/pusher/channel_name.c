#include "worker/pusher/channel_name.h"

#include "common/base/limits.h"
#include "common/base/macros.h"

#define TO_USER_PREFIX SLICE("#server-to-user-")

/* The longer of two prefixes of which one begins with the other stands first. */
static const struct {
	struct slice prefix;
	enum channel_kind kind;
} prefixes[] = {
	{SLICE_INIT("private-encrypted-cache-"), CHANNEL_ENCRYPTED_CACHE},
	{SLICE_INIT("private-encrypted-"), CHANNEL_ENCRYPTED},
	{SLICE_INIT("private-cache-"), CHANNEL_PRIVATE_CACHE},
	{SLICE_INIT("presence-cache-"), CHANNEL_PRESENCE_CACHE},
	{SLICE_INIT("private-"), CHANNEL_PRIVATE},
	{SLICE_INIT("presence-"), CHANNEL_PRESENCE},
	{SLICE_INIT("cache-"), CHANNEL_CACHE},
	{SLICE_INIT("#server-to-user-"), CHANNEL_TO_USER},
};

#define AUTHORISED 1
#define IS_PRESENCE 2
#define IS_CACHE 4

static const unsigned char traits[CHANNEL_KINDS] = {
	[CHANNEL_CACHE] = IS_CACHE,
	[CHANNEL_PRIVATE] = AUTHORISED,
	[CHANNEL_PRIVATE_CACHE] = AUTHORISED | IS_CACHE,
	[CHANNEL_ENCRYPTED] = AUTHORISED,
	[CHANNEL_ENCRYPTED_CACHE] = AUTHORISED | IS_CACHE,
	[CHANNEL_PRESENCE] = AUTHORISED | IS_PRESENCE,
	[CHANNEL_PRESENCE_CACHE] = AUTHORISED | IS_PRESENCE | IS_CACHE,
};

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("_-=@,.;", c) != NULL);
}

static bool only_name_bytes(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is_name_byte(s.p[i]))
			return false;
	}
	return true;
}

enum channel_kind channel_name_kind(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		if (slice_starts(name, prefixes[i].prefix))
			return prefixes[i].kind;
	}
	return CHANNEL_PUBLIC;
}

enum channel_name_result channel_name_check(struct slice name, size_t max,
					    enum channel_kind *ret_kind)
{
	if (name.n == 0)
		return CHANNEL_NAME_BAD;
	if (slice_starts(name, TO_USER_PREFIX)) {
		*ret_kind = CHANNEL_TO_USER;
		return user_id_is_name(channel_name_user(name)) ? CHANNEL_NAME_OK
								: CHANNEL_NAME_BAD;
	}
	if (name.n > max)
		return CHANNEL_NAME_TOO_LONG;
	if (!only_name_bytes(name))
		return CHANNEL_NAME_BAD;
	*ret_kind = channel_name_kind(name);
	return CHANNEL_NAME_OK;
}

bool channel_kind_is_authorised(enum channel_kind kind)
{
	return (traits[kind] & AUTHORISED) != 0;
}

bool channel_kind_is_presence(enum channel_kind kind)
{
	return (traits[kind] & IS_PRESENCE) != 0;
}

bool channel_kind_is_cache(enum channel_kind kind)
{
	return (traits[kind] & IS_CACHE) != 0;
}

struct slice channel_name_user(struct slice name)
{
	return slice_skip(name, TO_USER_PREFIX.n);
}

bool user_id_is_name(struct slice id)
{
	return id.n > 0 && id.n <= LIMIT_USER_ID && only_name_bytes(id);
}

static bool only_digits(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	}
	return s.n > 0;
}

bool socket_id_is_valid(struct slice socket_id)
{
	struct slice first;
	struct slice second;

	return socket_id.n <= LIMIT_SOCKET_ID && slice_cut(socket_id, '.', &first, &second) &&
	       only_digits(first) && only_digits(second);
}
