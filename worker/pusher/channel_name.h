/*
 * What the name of a channel says: whether it is valid and what kind of channel it is. Pure.
 * Prefixes count with their hyphen and the longest one wins: "privateer" is public.
 */
#ifndef WORKER_PUSHER_CHANNEL_NAME_H
#define WORKER_PUSHER_CHANNEL_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/slice.h"

enum channel_kind {
	CHANNEL_PUBLIC,
	CHANNEL_CACHE,
	CHANNEL_PRIVATE,
	CHANNEL_PRIVATE_CACHE,
	CHANNEL_ENCRYPTED,
	CHANNEL_ENCRYPTED_CACHE,
	CHANNEL_PRESENCE,
	CHANNEL_PRESENCE_CACHE,
	CHANNEL_TO_USER, /* #server-to-user-ID */
	CHANNEL_KINDS
};

enum channel_name_result {
	CHANNEL_NAME_OK,
	CHANNEL_NAME_BAD, /* empty, a foreign byte, or '#' without server-to-user-ID */
	CHANNEL_NAME_TOO_LONG,
};

/*
 * Judges a name: bytes A-Z a-z 0-9 _ - = @ , . ; and at most `max` of them. The prefix
 * "#server-to-user-" is not counted in `max`: what follows must be a user id, see below.
 */
enum channel_name_result channel_name_check(struct slice name, size_t max,
					    enum channel_kind *ret_kind);

/* The kind by prefix, of a name that is known to be valid. */
enum channel_kind channel_name_kind(struct slice name);

/* Needs a signature to subscribe, and may carry client events. */
bool channel_kind_is_authorised(enum channel_kind kind);
bool channel_kind_is_presence(enum channel_kind kind);
bool channel_kind_is_cache(enum channel_kind kind);

/* "7" of "#server-to-user-7". */
struct slice channel_name_user(struct slice name);

/* A user id that can stand in the name of a channel: 1 to LIMIT_USER_ID of the bytes above. */
bool user_id_is_name(struct slice id);

/* One or more digits, a dot, one or more digits; at most LIMIT_SOCKET_ID bytes. */
bool socket_id_is_valid(struct slice socket_id);

#endif
