/* Who a bearer token says one is. Shared and counted; what it says never changes. */
#ifndef BROKER_CHAT_IDENTITY_H
#define BROKER_CHAT_IDENTITY_H

#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/macros.h"
#include "common/base/slice.h"

struct chat_token_row;

struct identity {
	uint32_t refs;
	int64_t token_id;
	wall_us_t expires_at; /* 0 = never */
	struct slice user_id; /* 1 to LIMIT_USER_ID bytes */
	struct slice user_name;
	struct slice hash; /* of the token: 64 hex digits */
	char text[];
};

/* Copies the row, with one reference. Its user id must be of a good length. */
MALLOC_LIKE struct identity *identity_new(const struct chat_token_row *row);
struct identity *identity_ref(struct identity *who);
/* NULL is allowed. */
void identity_unref(struct identity *who);

#endif
