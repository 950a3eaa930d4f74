/*
 * Deadlines of many objects in one place: a hashed timing wheel. Pure; one per worker, turned by
 * one timer of the loop. Arming and cancelling take constant time.
 *
 * A timer fires at the first turn at or after its deadline, never before it. In its callback every
 * timer may be armed or cancelled, its own too.
 */
#ifndef WORKER_WHEEL_H
#define WORKER_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/list.h"
#include "common/base/macros.h"

/* How often wheel_turn() should be called. */
#define WHEEL_TICK (50 * USEC_PER_MSEC)
#define WHEEL_SLOTS 2048 /* a turn of 102.4 s; later deadlines stay for another one */

/* Embedded in the object; zeroed = not armed. */
struct timer {
	LIST_ENTRY(timer) link;
	usec_t deadline; /* 0 = not armed */
};

struct wheel;

/* fire: a timer is due; it is no longer armed. */
MALLOC_LIKE struct wheel *wheel_new(usec_t now, void (*fire)(void *ctx, struct timer *t),
				    void *ctx);
/* NULL is allowed. No timer may be armed. */
void wheel_free(struct wheel *w);

/* Arms or arms anew. */
void wheel_arm(struct wheel *w, struct timer *t, usec_t deadline);
void wheel_cancel(struct timer *t);

/* Fires what is due. */
void wheel_turn(struct wheel *w, usec_t now);

#endif
