/*
 * Checked bearer tokens (Laravel Sanctum): what the database said is believed for a while, so that
 * it is not asked at each call and does not have to be there all the time. Pure.
 *
 * - A good token is believed for `cache`, never beyond its expiry; while the database is away for
 *   `grace`. What is no token is remembered as that for 5 s.
 * - Both memories are bounded, the longest unused goes first; bad tokens cannot push good ones out.
 * - Questions about one token that come while the database is asked for it are one question.
 * - tokens_changed() forgets at once, and answers that were under way are asked for again.
 */
#ifndef BROKER_CHAT_TOKEN_H
#define BROKER_CHAT_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/macros.h"
#include "common/base/slice.h"

struct chat_store;
struct identity;
struct tokens;

struct tokens_options {
	usec_t cache;
	usec_t grace;
	uint32_t size;
};

enum token_verdict {
	TOKEN_GOOD,
	TOKEN_BAD,
	TOKEN_UNAVAILABLE, /* the database is away and nothing is remembered */
	TOKEN_FAULT,	   /* the database cannot be asked that */
};

/* `who` is set with TOKEN_GOOD, and is the caller's only by identity_ref(). */
typedef void token_fn(void *ctx, enum token_verdict verdict, struct identity *who);

/* store must outlive it. */
MALLOC_LIKE struct tokens *tokens_new(const struct tokens_options *options,
				      const struct chat_store *store);
/* Nobody is told any more. NULL is allowed. */
void tokens_free(struct tokens *t);
void tokens_reload(struct tokens *t, const struct tokens_options *options);

/*
 * Checks a token: the id before its '|' (may be empty) and the SHA-256 of the rest, 64 lower-case
 * hex digits. done() comes once, perhaps at once.
 */
void tokens_check(struct tokens *t, usec_t now, wall_us_t wall, struct slice id, struct slice hash,
		  token_fn *done, void *ctx);

/* A token was changed or deleted; "*" = all. */
void tokens_changed(struct tokens *t, struct slice id);
void tokens_store_changed(struct tokens *t, bool up);

/* Good ones in memory. */
uint32_t tokens_count(const struct tokens *t);

#endif
