/*
 * Token buckets by name: so many calls a second for each user or address. Full buckets are
 * forgotten and the table is bounded; when it is full, the one that was used longest ago goes.
 * Pure.
 */
#ifndef BROKER_CHAT_RATE_H
#define BROKER_CHAT_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/macros.h"
#include "common/base/slice.h"

struct chat_rate;
struct rates;

/* At most `most` buckets. */
MALLOC_LIKE struct rates *rates_new(uint32_t most);
/* NULL is allowed. */
void rates_free(struct rates *r);

/*
 * Takes one token of the bucket of `name`. False: it is empty, nothing was taken, and *ret_wait
 * is the seconds (at least 1) until there is one. A rate of 0 is no limit.
 */
bool rates_take(struct rates *r, usec_t now, const struct chat_rate *rate, struct slice name,
		unsigned *ret_wait);

#endif
