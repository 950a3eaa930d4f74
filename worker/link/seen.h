/*
 * Which publishes have been delivered here. After a broker's crash workers publish again whatever
 * was not yet stable, and the new broker, which cannot know, orders it again; who receives it drops
 * what it has had. Remembers the last SEEN_WINDOW deliveries of each of the last SEEN_ORIGINS
 * workers that published. Pure.
 */
#ifndef WORKER_LINK_SEEN_H
#define WORKER_LINK_SEEN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/macros.h"
#include "common/base/slice.h"

#define SEEN_WINDOW 16384
#define SEEN_ORIGINS 256

struct seen;

MALLOC_LIKE struct seen *seen_new(void);
/* NULL is allowed. */
void seen_free(struct seen *seen);

/*
 * Notes a delivery. True: it is new; false: it was had before and must be dropped. One publish may
 * go to several channels, each of them is a delivery of its own.
 */
MUST_CHECK bool seen_add(struct seen *seen, uint64_t origin, uint64_t number, struct slice channel);

#endif
