/*
 * One load process: its share of the connections and talkers of a plan, on one epoll, doing what
 * the shared step says and counting exactly.
 *
 *	load.c    the turn: steps, opening, joining, counts
 *	client.c  a WebSocket connection: opens, subscribes, listens
 *	line.c    a keep-alive HTTP connection
 *	talk.c    who says what when
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "bench/plan.h"
#include "bench/shared.h"

/* Runs until STEP_END, or until the parent is gone. */
void load_run(const struct plan *plan, struct shared *shared, uint32_t number);

/* One of so many members stays to see the others leave. */
#define LOAD_WITNESS 10

/* Of the whole plan: connections that are to stand, those of guests included. */
uint32_t load_clients(const struct plan *plan);

#endif
