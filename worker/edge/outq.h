/*
 * What waits to be written to one socket: a ring of pointers to shared frames, and how much of the
 * first one has gone out. Pure; the stream does the system calls.
 *
 * The queue holds one reference to each frame in it. Two pointers lie inside the struct, so a
 * connection that is keeping up owns no memory for it; a longer ring is freed when it runs empty.
 *
 * Every frame costs its bytes plus OUTQ_FRAME_COST. The high mark is given with each push: a frame
 * that would bring the cost above it is refused, and the caller closes the slow reader. One frame
 * that is larger than the high mark by itself (a snapshot) is always taken and not counted, but
 * never a second one while it is there.
 */
#ifndef WORKER_EDGE_OUTQ_H
#define WORKER_EDGE_OUTQ_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/base/frame.h"
#include "common/base/macros.h"

#define OUTQ_INLINE 2
#define OUTQ_FRAME_COST 16 /* a slot of the ring, with its slack */
#define OUTQ_HIGH_DEFAULT (1U << 20)

struct outq {
	union {
		struct frame *few[OUTQ_INLINE]; /* is the ring while cap is 0 */
		struct frame **ring;
	};
	uint32_t cap;	 /* slots of `ring`, a power of two */
	uint32_t head;	 /* slot of the first frame */
	uint32_t count;	 /* frames */
	uint32_t begun;	 /* bytes of the first frame that are written */
	uint32_t urgent; /* how many frames at the front were pushed as urgent, plus a begun one */
	uint32_t big;	 /* length of the frame that is larger than the high mark, 0 = none */
	size_t bytes;	 /* not yet written */
};

/* Zeroed memory is an empty queue, too. */
void outq_init(struct outq *q);
/* Drops all frames. */
void outq_done(struct outq *q);

static inline bool outq_is_empty(const struct outq *q)
{
	return q->count == 0;
}

/* What the high mark is compared with. */
size_t outq_cost(const struct outq *q);

/* Appends, taking a reference of its own. False, and nothing done, if it would exceed `high`. */
MUST_CHECK bool outq_push(struct outq *q, struct frame *f, size_t high);

/*
 * As outq_push(), but before everything that has not begun to go out, in order among themselves:
 * for pongs, which must not wait behind bulk.
 */
MUST_CHECK bool outq_push_urgent(struct outq *q, struct frame *f, size_t high);

/* Drops every frame of which no byte has been written: what remains can still be followed by a
 * close frame. */
void outq_cut(struct outq *q);

/* Points up to max vectors at what is to be written next; returns how many. */
int outq_gather(const struct outq *q, struct iovec *vec, int max);

/* n more bytes have been written: drops the frames that are complete. */
void outq_written(struct outq *q, size_t n);

#endif
