/*
 * The chat's database with nothing around it: the broker's own statements (broker/store/pg_stmt.h),
 * with parameters in the same form, prepared and pipelined by libpq alone. Run beside the whole
 * house on the same cluster it says what the house adds.
 *
 * Each kind waits out the warm-up, works for so many seconds, and prints one JSON object: what it
 * did, how long each took, and the processor time of PostgreSQL (all children of the postmaster)
 * and its own.
 */
#ifndef TESTS_BENCH_BARE_H
#define TESTS_BENCH_BARE_H

#include <stdint.h>
#include <sys/types.h>

#include "bench/histogram.h"
#include "bench/servers.h"
#include "common/base/clock.h"

struct bare_options {
	const char *conninfo; /* of a role that may do what a broker may */
	const char *target;   /* HOST:PORT: ask the house, not the database */
	const char *requests; /* file: see bare_requests.h */
	pid_t postmaster;
	uint32_t connections;
	uint32_t outstanding; /* requests under way on each */
	uint32_t rows;	      /* of one statement */
	double rate;	      /* rows a second */
	double warmup;	      /* seconds */
	double seconds;
};

/* What is measured, between two borders. */
struct bare_meter {
	const struct bare_options *options;
	struct servers postgres;
	struct server_sample from;
	usec_t begin; /* of what is measured */
	usec_t end;
	double own; /* processor seconds at the beginning */
	struct histogram times;
	uint64_t done;	/* requests, messages or rows */
	uint64_t units; /* statements' batches, or rows that came */
};

/* To be called when all connections stand. */
void bare_meter_init(struct bare_meter *m, const struct bare_options *o);
/* Whether the end has come; takes the sample at the first border when that has passed. */
MUST_CHECK bool bare_meter_over(struct bare_meter *m, usec_t now);
/* One that began at `since` has its answer: counts `n`, if it is inside the borders. */
void bare_meter_add(struct bare_meter *m, usec_t now, usec_t since, uint64_t n, uint64_t units);
/* Prints the object. */
void bare_meter_print(struct bare_meter *m, const char *kind);

/* Batches of messages, one under way on each connection. */
int bare_post(const struct bare_options *o);
/* Pages of history; lists of chats; with `target` by HTTP, else by the statements. */
int bare_history(const struct bare_options *o);
int bare_chats(const struct bare_options *o);
/* Lists of chats without what the answer says of their participants: the first statement alone. */
int bare_list(const struct bare_options *o);
/* The statements of the mirror, one transaction each 100 ms. */
int bare_mirror(const struct bare_options *o);
/* The same changes told to the broker's mirror. */
int bare_drive(const struct bare_options *o);

#endif
