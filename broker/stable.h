/*
 * Which events still wait for whose acknowledgement. An event of the HTTP API is stable, and an
 * event of chat.publish() is done, when every worker that it was addressed to has acknowledged it
 * or is gone. Pure; no allocation for each event once the tables have grown.
 *
 *	struct stable *stable = stable_new(on_stable, ctx);
 *
 *	id = stable_begin(stable, origin, number);
 *	server_send(...); stable_await(stable, &worker->acks, id, lane_mark(lane));	// for each
 *	stable_end(stable, id);				// on_stable() if there was none
 *	...
 *	stable_acked(stable, &worker->acks, mark);	// on_stable() for those that are complete
 */
#ifndef BROKER_STABLE_H
#define BROKER_STABLE_H

#include <stdint.h>

#include "common/base/macros.h"

struct stable;
struct stable_entry;

/* What a worker has not acknowledged yet, in the order of sending. Zeroed = nothing. */
struct stable_queue {
	struct stable_entry *ring;
	uint32_t cap; /* a power of two, or 0 */
	uint32_t first;
	uint32_t n;
};

/* Both as given to stable_begin(). May call everything but stable_free(). */
typedef void stable_fn(void *ctx, uint64_t origin, uint64_t number);

MALLOC_LIKE struct stable *stable_new(stable_fn *fn, void *ctx);
/* The queues must have been ended before. NULL is allowed. */
void stable_free(struct stable *s);

uint32_t stable_begin(struct stable *s, uint64_t origin, uint64_t number);
/* Marks of one queue never fall. */
void stable_await(struct stable *s, struct stable_queue *q, uint32_t id, uint64_t mark);
/* All workers are addressed; the id must not be used again. */
void stable_end(struct stable *s, uint32_t id);

void stable_acked(struct stable *s, struct stable_queue *q, uint64_t mark);
/* The worker is gone: nobody waits for it any more. Frees the queue's memory. */
void stable_gone(struct stable *s, struct stable_queue *q);

/* Events that wait. */
uint32_t stable_waiting(const struct stable *s);

#endif
