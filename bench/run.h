/*
 * The parent's part: starts the load processes, leads them through the steps of the plan, reads
 * clocks and counters at their borders.
 */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/plan.h"
#include "bench/servers.h"
#include "bench/shared.h"

/* From one sample to the next. */
struct span {
	double seconds;
	double cpu[SERVERS_ROLES]; /* seconds, by role */
	double server_cpu;	   /* seconds, of the roles that count */
	double load_cpu;	   /* seconds, of the load processes */
	uint64_t counts[COUNTS];   /* what came to it meanwhile */
};

struct outcome {
	struct span connect;
	struct span rounds[PLAN_ROUNDS];
	uint32_t round_count;
	struct span join;
	struct span leave;
	struct server_sample empty; /* memory before the first connection */
	struct server_sample full;  /* with all of them */
	struct histogram delivery;
	struct histogram answer;
	uint64_t counts[COUNTS]; /* at the end */
	uint64_t lost;		 /* deliveries that did not come */
	bool failed;		 /* it could not be run to its end */
	char fault[SHARED_FAULT];
};

/* Shows on standard error what goes on; NULL = quiet. */
typedef void run_progress_fn(const char *step, double done, double of, double rate);

void run(const struct plan *plan, struct servers *servers, run_progress_fn *progress,
	 struct outcome *ret);

#endif
