/*
 * Which records for the broker may wait for company. Each message of the lane wakes four threads,
 * so those of a thousand clients that connect at once had better share a few. Pure.
 *
 * Openings and ends of connections, subscriptions and their ends go out at once if none of their
 * kind has within FLOW_DELAY, so a lone client never waits; else up to FLOW_DELAY later, or with
 * the next message. All other kinds go out at the end of the turn, with whatever waits before them.
 */
#ifndef WORKER_LINK_PACE_H
#define WORKER_LINK_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"

#define PACE_KINDS 4

struct pace {
	usec_t last[PACE_KINDS]; /* when one of that kind went out */
	uint8_t waiting;	 /* a bit for each of them */
	bool urgent;		 /* a record waits that may not */
};

/* A record of this kind waits to go out. */
void pace_add(struct pace *p, uint8_t kind);

/* Whether what waits goes out now. */
bool pace_is_due(const struct pace *p, usec_t now);

/* What is to be sent again goes out in any case. */
void pace_hurry(struct pace *p);

/* All has gone out. */
void pace_sent(struct pace *p, usec_t now);

/* Something waits, due or not. */
static inline bool pace_waits(const struct pace *p)
{
	return p->waiting != 0;
}

#endif
