/*
 * Memory that the parent and its load processes share: what is to be done now, what has been
 * counted, how far each channel is. Each process has counters and histograms of its own; the only
 * words that several write are those of struct shared_group, with atomic additions.
 */
#ifndef BENCH_SHARED_H
#define BENCH_SHARED_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/histogram.h"
#include "common/base/macros.h"

/* What the load processes do. The parent alone changes it. */
enum step {
	STEP_OPEN,  /* connections come up and subscribe */
	STEP_REST,  /* nothing but pongs */
	STEP_TALK,  /* talkers talk */
	STEP_ONCE,  /* each talker says one thing */
	STEP_JOIN,  /* those that wait subscribe */
	STEP_LEAVE, /* and unsubscribe, but for those that stay to witness it */
	STEP_JUDGE, /* each listener is asked whether it has got all */
	STEP_END,
};

/* What each process counts; only ever grow. */
enum count {
	COUNT_OPEN,	 /* connections that stood */
	COUNT_READY,	 /* of them subscribed */
	COUNT_LOST_CONN, /* ended before we ended them, or never stood */
	COUNT_SENT,	 /* events that were to reach all of their channel */
	COUNT_REFUSED,	 /* of them refused by the server */
	COUNT_DELIVERED, /* events that came, each once for each receiver */
	COUNT_LATE,	 /* of them behind one that was sent later */
	COUNT_TWICE,	 /* came again */
	COUNT_FRAMES,	 /* WebSocket messages of any kind */
	COUNT_BYTES,
	COUNT_JOINED,	 /* presence: subscriptions that stood */
	COUNT_LEFT,	 /* presence: unsubscribed */
	COUNT_MEMBERS,	 /* member_added and member_removed */
	COUNT_WITNESSED, /* of the latter those that witnesses were told */
	COUNT_SNAPSHOT_BYTES,
	COUNT_WRONG, /* listeners whose members were not all told, or told twice */
	COUNT_PINGS,
	COUNT_JUDGED, /* the step has been taken: 1 for each STEP_JUDGE */
	COUNTS,
};

struct shared_group {
	uint64_t sent;
	uint64_t delivered; /* to all receivers together */
};

#define SHARED_FAULT 200

/* Of one load process. */
struct shared_process {
	uint64_t counts[COUNTS];
	uint64_t cpu_us;
	struct histogram delivery; /* from the sending to the arrival */
	struct histogram answer;   /* of HTTP requests */
	char fault[SHARED_FAULT];  /* the first thing that went wrong */
	uint32_t round;		   /* the histograms belong to this one */
} __attribute__((aligned(64)));

struct shared {
	uint32_t step;
	uint32_t round;	   /* of measuring; histograms of another one are forgotten */
	uint32_t measured; /* whether what comes now belongs into the histograms */
	uint32_t processes;
	uint32_t groups;
	struct shared_process *process;
	struct shared_group *group;
};

/* Stays until the process ends. */
MALLOC_LIKE struct shared *shared_new(uint32_t processes, uint32_t groups);

static inline uint32_t shared_get(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void shared_set(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* Of all processes together. */
uint64_t shared_count(const struct shared *s, enum count which);

/* Copies the counters of a process where the parent can see them. */
void shared_show(struct shared_process *p, const uint64_t counts[COUNTS]);

/* What is still to come: deliveries of all that was sent, in all channels. */
static inline uint64_t group_sent(const struct shared_group *g)
{
	return __atomic_load_n(&g->sent, __ATOMIC_RELAXED);
}

static inline uint64_t group_delivered(const struct shared_group *g)
{
	return __atomic_load_n(&g->delivered, __ATOMIC_RELAXED);
}

static inline void group_add(uint64_t *word, uint64_t n)
{
	(void)__atomic_fetch_add(word, n, __ATOMIC_RELAXED);
}

static inline void group_take(uint64_t *word, uint64_t n)
{
	(void)__atomic_fetch_sub(word, n, __ATOMIC_RELAXED);
}

#endif
