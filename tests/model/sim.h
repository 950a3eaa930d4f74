/*
 * Processes, their loops and the ZeroMQ sockets between them, simulated in one process: stands in
 * for common/loop, for the functions of libevent that the lane uses, and for getrandom() and
 * kill(), so that both ends of the lane run unchanged. Time moves only when nothing is left to be
 * done, and everything that happens follows from one seed.
 *
 * A process is a struct loop. A connection keeps what was sent over it until it arrives; weather
 * loses, doubles, delays and reorders it, and cuts leave of what is under way only a beginning.
 */
#ifndef TESTS_MODEL_SIM_H
#define TESTS_MODEL_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/macros.h"
#include "common/loop/loop.h"
#include "common/loop/zsock.h"

/* Of 100 messages; and how long one takes, at most. */
struct sim_weather {
	unsigned loss;
	unsigned twice;
	unsigned reorder;
	usec_t delay;
};

extern struct sim_weather sim_weather;
extern usec_t sim_now;
/* Messages that arrived, timers that fired. */
extern uint64_t sim_steps;

/* All begins anew. Nothing may be left of an earlier world. */
void sim_begin(uint64_t seed);
uint32_t sim_below(uint32_t n);
/* True in `percent` of 100 cases. */
bool sim_chance(unsigned percent);

/* At the end of each of its turns. NULL is allowed. */
typedef void sim_turn_fn(void *ctx);

MALLOC_LIKE struct loop *sim_process(uint32_t pid, sim_turn_fn *fn, void *ctx);
/* SIGSTOP, and SIGCONT by itself at that time. */
void sim_stop(struct loop *p, usec_t until);
/*
 * kill -9: nothing of it runs any more, its connections break. Its objects may be freed after it,
 * then sim_bury() it.
 */
void sim_kill(struct loop *p);
void sim_bury(struct loop *p);

/* Breaks the connection of a worker's process, or lets nothing through for a while. */
void sim_cut(struct loop *dealer);
void sim_hush(struct loop *dealer, usec_t until);

/* Runs until that time. */
void sim_run(usec_t until);

#endif
