/*
 * Who is in the presence channels of this worker: what the broker says of it goes into the rosters
 * and to the subscribers, and comes from there in snapshots and in a resync.
 *
 * A subscriber is told what changes the roster, and nothing else: so whatever a broker repeats
 * after a restart, no member is added or removed twice.
 */
#ifndef WORKER_MEMBERS_H
#define WORKER_MEMBERS_H

#include <stdbool.h>

#include "common/base/macros.h"

struct channel;
struct frame;
struct wire_member;
struct wire_members;
struct worker;

/*
 * Records of the lane. They are about the channel and not about a connection: the one that caused
 * them may have gone.
 */
void members_list(struct worker *w, const struct wire_members *m);
void members_change(struct worker *w, const struct wire_member *m);

/* subscription_succeeded of a presence channel; NULL: larger than a frame may be. */
struct frame *members_snapshot(struct worker *w, struct channel *c);

/*
 * Tells a new broker of members that have no subscription here. False: the lane is full; call
 * again, it goes on where it stopped.
 */
bool members_tell(struct worker *w);

#endif
