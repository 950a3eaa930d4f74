/*
 * Who wants to know of whom that they came online or went (Pusher protocol, section 13.3). Pure.
 *
 * A signed-in connection watches a list of users; at once it is told who of them is online, and
 * later what changes. Changes within a window are told in one frame; a user who is back within it
 * was never away.
 */
#ifndef BROKER_REGISTRY_WATCHLIST_H
#define BROKER_REGISTRY_WATCHLIST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/macros.h"
#include "common/base/slice.h"

struct watchlist;

struct watchlist_ops {
	bool (*is_online)(void *ctx, uint32_t app, struct slice user_id);
	/* `data`: of the event pusher_internal:watchlist_events. */
	void (*tell)(void *ctx, uint64_t conn, struct slice data);
};

/* ops and ctx must outlive it. */
MALLOC_LIKE struct watchlist *watchlist_new(usec_t window, const struct watchlist_ops *ops,
					    void *ctx);
/* Tells nobody. NULL is allowed. */
void watchlist_free(struct watchlist *w);
void watchlist_reload(struct watchlist *w, usec_t window);

/*
 * From now on the connection watches these users and no others; an id that stands twice counts
 * once. With `tell` it is told how things are, unless the list is empty.
 */
void watchlist_set(struct watchlist *w, uint32_t app, uint64_t conn, const struct slice *ids,
		   size_t n, bool tell);
/* The connection has gone. Unknown: nothing. */
void watchlist_drop(struct watchlist *w, uint64_t conn);

/* A user came online or went offline. */
void watchlist_changed(struct watchlist *w, usec_t now, uint32_t app, struct slice user_id,
		       bool online);

/* Whatever has changed so far has long been known: it was a broker that learnt of it. */
void watchlist_settle(struct watchlist *w);

/* USEC_NEVER: nothing is to be told. */
usec_t watchlist_deadline(const struct watchlist *w);
void watchlist_turn(struct watchlist *w, usec_t now);

#endif
