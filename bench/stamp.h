/*
 * What makes an event recognisable where it arrives: a few hexadecimal digits at the start of its
 * data, and filling up to the wanted size. Pure.
 */
#ifndef BENCH_STAMP_H
#define BENCH_STAMP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/slice.h"

/* "#b", source 4, number 8, microseconds 12: hexadecimal digits */
#define STAMP_BYTES 26

struct stamp {
	uint32_t source; /* talker of the channel */
	uint32_t number; /* of this source, from 0 */
	usec_t at;	 /* when it was sent, or should have been */
};

/* Appends data of `size` bytes, at least STAMP_BYTES, that needs no escapes in JSON. */
void stamp_put(struct buf *out, const struct stamp *s, uint32_t size);

/*
 * Finds the stamp in a message. `hint` is where one was found before, and is kept: most messages
 * are alike.
 */
bool stamp_find(struct slice message, size_t *hint, struct stamp *ret);

#endif
