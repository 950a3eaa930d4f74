/*
 * Whether every event of one source came to one receiver, once and in its order. Pure, 16 bytes.
 *
 * Exact for what comes at most 64 events late; what comes later than that counts as a repeat.
 */
#ifndef BENCH_TRACK_H
#define BENCH_TRACK_H

#include <stdint.h>

enum track_result {
	TRACK_NEXT,  /* the one that was due */
	TRACK_AHEAD, /* those between have not come, or not yet */
	TRACK_LATE,  /* one of those */
	TRACK_TWICE,
};

/* Zeroed: number 0 is due. */
struct track {
	uint64_t recent; /* bit k: number next - 1 - k has come */
	uint32_t next;
};

enum track_result track_take(struct track *t, uint32_t number);

#endif
