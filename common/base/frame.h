/*
 * An immutable, reference-counted block of bytes: one complete WebSocket frame (or HTTP answer),
 * built once and shared by the output queues of all its receivers. Counts are not atomic: a frame
 * belongs to one thread.
 *
 * Life: frame_new() gives a frame with one reference and writable data; once a second holder has it
 * nobody writes to it again. Each holder drops its own reference with frame_unref().
 */
#ifndef COMMON_BASE_FRAME_H
#define COMMON_BASE_FRAME_H

#include <stdint.h>

#include "common/base/macros.h"
#include "common/base/slice.h"

struct frame {
	uint32_t refs;
	uint32_t len;
	unsigned char data[];
};

/* len bytes of uninitialised data, one reference. */
MALLOC_LIKE struct frame *frame_new(uint32_t len);
MALLOC_LIKE struct frame *frame_copy(struct slice bytes);

static inline struct frame *frame_ref(struct frame *f)
{
	f->refs++;
	return f;
}

/* Frees the frame with its last reference. NULL is allowed. */
void frame_unref(struct frame *f);

static inline struct slice frame_slice(const struct frame *f)
{
	return slice_of(f->data, f->len);
}

#endif
