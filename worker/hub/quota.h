/* A token bucket in eight bytes. Pure. */
#ifndef WORKER_HUB_QUOTA_H
#define WORKER_HUB_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"

/* When the bucket would be full again. Zeroed: it is full. */
struct quota {
	usec_t full_at;
};

/*
 * Takes a token of a bucket that holds `rate` and regains `rate` a second. False: empty, nothing
 * was taken. rate 0 = no limit.
 */
bool quota_take(struct quota *q, uint32_t rate, usec_t now);

#endif
