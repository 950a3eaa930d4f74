/*
 * The last event of each cache channel, with a time to live and a bound on memory: the oldest go
 * first. Pure.
 */
#ifndef BROKER_REGISTRY_HISTORY_H
#define BROKER_REGISTRY_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/macros.h"
#include "common/base/slice.h"

struct history;

/* memory in bytes; ttl restarts with each event. */
MALLOC_LIKE struct history *history_new(size_t memory, usec_t ttl);
void history_free(struct history *h);
void history_reload(struct history *h, size_t memory, usec_t ttl);

/* Copies both. One that alone is larger than the memory is not kept, nor is the one before. */
void history_put(struct history *h, usec_t now, uint32_t app, struct slice channel,
		 struct slice event, struct slice data);

struct history_event {
	struct slice event;
	struct slice data;
	usec_t expires;
};

/* False: none, or expired. The slices live until the next put. */
bool history_get(struct history *h, usec_t now, uint32_t app, struct slice channel,
		 struct history_event *ret);

size_t history_bytes(const struct history *h);

#endif
