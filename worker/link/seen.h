/*
 * Which publishes have been delivered here. After a broker's crash workers publish again whatever
 * was not yet stable, and the new broker, which cannot know, orders it again; who receives it drops
 * what it has had. Pure.
 *
 * The publishes of a worker rise, so what is below the last one is either a repeat, or was ordered
 * before anybody here was subscribed: it would come out of its order, and is dropped as well. Those
 * of the database (SEEN_UNORDERED) rise only on the whole; of them the last SEEN_WINDOW deliveries
 * are remembered. So are the last SEEN_ORIGINS workers that published.
 */
#ifndef WORKER_LINK_SEEN_H
#define WORKER_LINK_SEEN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/macros.h"
#include "common/base/slice.h"

#define SEEN_WINDOW 16384
#define SEEN_ORIGINS 256
#define SEEN_UNORDERED UINT64_MAX /* origin of chat.publish() */

struct seen;

MALLOC_LIKE struct seen *seen_new(void);
/* NULL is allowed. */
void seen_free(struct seen *seen);

/*
 * Notes a delivery. True: it is new; false: it must be dropped. One publish may go to several
 * channels, each of them is a delivery of its own.
 */
MUST_CHECK bool seen_add(struct seen *seen, uint64_t origin, uint64_t number, struct slice channel);

#endif
