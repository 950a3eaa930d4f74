/*
 * Records that wait until the broker knows its workers, in the order in which they came. Pure.
 */
#ifndef BROKER_HOLD_H
#define BROKER_HOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/macros.h"
#include "common/base/slice.h"

/* In place of a record's kind: the worker went. */
#define HOLD_GONE 0

struct hold {
	struct buf bytes;
	size_t at; /* read so far */
};

void hold_init(struct hold *h, size_t max);
void hold_done(struct hold *h);

/* Copies the body. False: no room, nothing was added. */
MUST_CHECK bool hold_add(struct hold *h, uint32_t worker, uint8_t kind, struct slice body);

/* The next one; its body lives until hold_done(). False: there is none. */
MUST_CHECK bool hold_next(struct hold *h, uint32_t *ret_worker, uint8_t *ret_kind,
			  struct slice *ret_body);

#endif
