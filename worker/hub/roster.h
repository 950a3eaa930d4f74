/*
 * The members of one presence channel, as the broker tells them, in the order of joining. Pure.
 *
 * Each worker keeps this list for the channels it has subscriptions in and makes the snapshots of
 * its clients from it. The two long pieces of a snapshot are kept ready: a new member is appended
 * to both, so a join costs one encoding and n of them no more than n; a member that goes or changes
 * makes them stale, and the next snapshot writes them anew.
 *
 * Bounded by the broker, which admits no more members than one record can list.
 */
#ifndef WORKER_HUB_ROSTER_H
#define WORKER_HUB_ROSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/macros.h"
#include "common/base/slice.h"

struct roster;

MALLOC_LIKE struct roster *roster_new(void);
/* NULL is allowed. */
void roster_free(struct roster *r);

uint32_t roster_count(const struct roster *r);

/*
 * The last in the order from now on; copies both, an empty user_info is none. False: was there
 * already, and has this user_info now.
 */
bool roster_add(struct roster *r, struct slice user_id, struct slice user_info);
/* Another user_info in its old place. An unknown member is left alone. */
void roster_change(struct roster *r, struct slice user_id, struct slice user_info);
/* False: there was none. */
bool roster_remove(struct roster *r, struct slice user_id);

/* In their order. fn must not change the roster. */
typedef void roster_fn(void *ctx, struct slice user_id, struct slice user_info);
void roster_each(const struct roster *r, roster_fn *fn, void *ctx);

/*
 * Marks, for comparisons: begin takes them off all, adding or marking a member sets its mark, and
 * each_unmarked finds who has none. The latter's fn may remove the member it is called with.
 */
void roster_begin_marks(struct roster *r);
void roster_mark(struct roster *r, struct slice user_id);
void roster_each_unmarked(struct roster *r, roster_fn *fn, void *ctx);

/*
 * Lists of ids and entries as pusher_encode_snapshot_id() and _entry() write them, valid until the
 * next change. False: beyond what a frame may hold.
 */
MUST_CHECK bool roster_pieces(struct roster *r, struct slice *ret_ids, struct slice *ret_entries);

#endif
