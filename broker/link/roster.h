/*
 * The workers that a broker knows, in a file that outlives it: after a restart the next one knows
 * for whom to wait, and never gives a worker number away twice. Lines:
 *
 *	chat-roster 2
 *	place 4026531836
 *	next 1234
 *	worker 00c0ffee00c0ffee 0 1790000000000000 1232 4711
 *	gone 00c0ffee00c0ffef 1 1790000000000000 1233 4712
 *
 * A worker's line: life, slot, generation, number, process. Who is gone was given up and may not
 * have heard of it: the next broker must not take it for one that missed nothing.
 *
 * The place is the namespace of the processes' numbers: in the same one, a worker whose process is
 * gone, or goes before it has been added, is not waited for.
 *
 * Written anew with each change, under another name first. A file that cannot be read counts as
 * none; one that cannot be written is logged, and the broker goes on.
 */
#ifndef BROKER_LINK_ROSTER_H
#define BROKER_LINK_ROSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/macros.h"

/* In run_dir. */
#define ROSTER_FILE "workers.roster"

/* Numbers are below, so that socket ids stay below 2^53. */
#define ROSTER_NUMBERS (1U << 25)

struct roster;

struct roster_worker {
	uint64_t life;
	uint64_t generation;
	uint32_t slot;
	uint32_t number;
	uint32_t pid; /* 0 = not known, or of another host */
};

/* Reads the file; dir NULL or "" keeps it in memory only. */
MALLOC_LIKE struct roster *roster_new(const char *dir);
/* Leaves the file as it is. NULL is allowed. */
void roster_free(struct roster *r);

/*
 * Workers of the broker before us that may live, and have neither been added nor removed since.
 * Looks whether their processes are still there.
 */
size_t roster_awaited(struct roster *r);
/* There was a file. */
bool roster_found(const struct roster *r);

/* A number that nobody has; wanted: the one that the worker had before, 0 = none. */
uint32_t roster_number(struct roster *r, uint64_t life, uint32_t wanted);

/* A worker is there; one of the same life is no longer awaited. */
void roster_add(struct roster *r, const struct roster_worker *worker);
/* It has ended, and knows it. */
void roster_remove(struct roster *r, uint64_t life);
/* Its lane is gone before it has said anything: it may come as if for the first time. */
void roster_await(struct roster *r, uint64_t life);
/* It was given up. Remembered as long as its process may live, of some hundreds the latest. */
void roster_give_up(struct roster *r, uint64_t life);
bool roster_gave_up(const struct roster *r, uint64_t life);

#endif
