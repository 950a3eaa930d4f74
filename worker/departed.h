/*
 * Connections and presence subscriptions that have ended, remembered until the world has been told.
 *
 * The broker tells the others that a member has gone when the grace is over. If it dies before, its
 * successor has never heard of that member, and in the lists of the other clients it would stay for
 * ever. So a resync tells of what has ended too: first how it was, then that it has gone; the grace
 * begins anew, and a user who is back by then is never removed.
 *
 *	departed_closed(w, s);		// before the subscriptions of s are taken apart
 *	departed_settled(w, conn, channel);	// the broker: all have been told
 *	departed_tell(w)		// in a resync, after all that stands
 *
 * What the broker does not settle (the member has another connection) is forgotten after the graces
 * and some more, counted only while the broker is there. Bounded in bytes; then the oldest go
 * first.
 */
#ifndef WORKER_DEPARTED_H
#define WORKER_DEPARTED_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/macros.h"
#include "common/base/slice.h"

struct departed;
struct session;
struct sub;
struct worker;

/* keep: how long after a close the broker may yet have to tell others. */
MALLOC_LIKE struct departed *departed_new(usec_t keep, size_t max_bytes);
/* NULL is allowed. */
void departed_free(struct departed *d);

/* A session that others may know of is about to go. Its socket has not been taken apart. */
void departed_closed(struct worker *w, const struct session *s);
/* The same for one subscription of a session that stays. */
void departed_left(struct worker *w, const struct session *s, const struct sub *sub);

/* The broker has told all subscribers of the channel. */
void departed_settled(struct departed *d, uint64_t conn, struct slice channel);

/*
 * A broker is there again: the time to wait for what it tells begins anew. `is_new`: it knows
 * nothing, so all of them are to be told.
 */
void departed_restart(struct departed *d, usec_t now, bool is_new);
/* For every tick while the broker is there. */
void departed_turn(struct departed *d, usec_t now);

/*
 * Tells the broker of those that it does not know. False: the lane is full; call again, it goes on
 * where it stopped.
 */
bool departed_tell(struct worker *w);

/* Connections that are remembered. */
uint32_t departed_count(const struct departed *d);
/* Forgotten for want of room; only ever grows. */
uint64_t departed_lost(const struct departed *d);

#endif
