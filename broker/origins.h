/*
 * Which publishes this life of the broker has ordered: the highest number of each origin, whose
 * publishes come in rising order. Bounded: the origin that published longest ago is forgotten.
 * Pure.
 */
#ifndef BROKER_ORIGINS_H
#define BROKER_ORIGINS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/macros.h"

struct origins;

MALLOC_LIKE struct origins *origins_new(void);
/* NULL is allowed. */
void origins_free(struct origins *o);

/* Notes a publish. False: it was ordered before. */
MUST_CHECK bool origins_add(struct origins *o, uint64_t origin, uint64_t number);

#endif
