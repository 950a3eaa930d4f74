/*
 * Telling a broker what this worker holds: everything to a new one, between SYNC_BEGIN and
 * SYNC_END, and later whatever connection could not be told of at once. In chunks, so that the loop
 * stays responsive and the lane is never asked for more than it takes. Last comes what has ended
 * without all having been told of it (departed.h), and which members others have made (members.h).
 *
 * Afterwards what the old broker left unanswered is asked again, unconfirmed publishes are sent
 * again, and what waited goes on, in this order.
 */
#ifndef WORKER_RESYNC_H
#define WORKER_RESYNC_H

#include <stdbool.h>

struct worker;

/* A new broker: nothing is known there. */
void resync_forget(struct worker *w);

/* It has told its apps: now it is told what we hold. */
void resync_begin(struct worker *w);

/* The same broker is back: what it knew it still knows, and a resync that was cut goes on. */
void resync_resume(struct worker *w);

/*
 * One chunk. True: there is more to tell and room on the lane, so call again soon; false: nothing
 * to do, or no room until the broker has taken some.
 */
bool resync_step(struct worker *w);

#endif
