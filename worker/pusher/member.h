/*
 * Who somebody says to be: channel_data of presence channels and user_data of pusher:signin, once
 * their signature has proved good. Pure. Slices point into the input or the scratch buffer.
 */
#ifndef WORKER_PUSHER_MEMBER_H
#define WORKER_PUSHER_MEMBER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/macros.h"
#include "common/base/slice.h"
#include "common/json/scan.h"

enum member_result {
	MEMBER_OK,
	MEMBER_BAD,	/* no JSON object, no user_id, or one that is neither text nor number */
	MEMBER_TOO_BIG, /* user_id or user_info */
};

struct pusher_member {
	struct slice user_id;	/* canonical: the text, or the number as it was written */
	struct slice user_info; /* raw JSON; empty when absent or null */
};

/* max_info: bytes of user_info. `scratch` is made ready here. */
MUST_CHECK enum member_result pusher_member_decode(struct slice channel_data, size_t max_info,
						   struct buf *scratch, struct pusher_member *ret);

struct pusher_user {
	struct slice id;	     /* can stand in the name of a channel */
	struct slice user_info;	     /* raw JSON; empty when absent or null */
	struct json_value watchlist; /* JSON_NONE, or an array of strings */
	size_t watched;		     /* its length */
};

/* user_data of a signin: `id` must be a string that is not empty. */
MUST_CHECK enum member_result pusher_user_decode(struct slice user_data, size_t max_info,
						 struct buf *scratch, struct pusher_user *ret);

#endif
