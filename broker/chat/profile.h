/*
 * What is remembered of users: enough to say who came or went while the database is away, and when
 * somebody went last before the database has been told. Bounded, the longest unused goes first.
 * Pure.
 */
#ifndef BROKER_CHAT_PROFILE_H
#define BROKER_CHAT_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/chat/chat_store.h"
#include "common/base/macros.h"
#include "common/base/slice.h"

struct profiles;

struct profile {
	struct slice name; /* .p == NULL: not known */
	bool settings;	   /* the two that follow are known */
	enum chat_policy policy;
	wall_us_t hidden_since; /* 0 = shown as is */
	wall_us_t last_seen;	/* 0 = not known */
};

/* At most `most` users. */
MALLOC_LIKE struct profiles *profiles_new(uint32_t most);
/* NULL is allowed. */
void profiles_free(struct profiles *p);

/* What the database said; `last_seen` only moves forward. */
void profiles_put(struct profiles *p, const struct chat_user_row *row);
void profiles_put_name(struct profiles *p, struct slice user_id, struct slice name);
void profiles_put_hidden(struct profiles *p, struct slice user_id, wall_us_t since);
void profiles_put_seen(struct profiles *p, struct slice user_id, wall_us_t at);

/* False, and all unknown: nothing is remembered. Slices live until the next change. */
bool profiles_get(const struct profiles *p, struct slice user_id, struct profile *ret);

#endif
