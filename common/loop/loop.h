/*
 * The event loop of a process: libevent's base, the time of the turn, and libevent's own messages
 * bound to our log. Made after fork, one a process; nothing of it crosses a fork.
 *
 *	struct loop *loop = loop_new();
 *	event_assign(&x->ev, loop_base(loop), fd, EV_READ | EV_PERSIST, on_readable, x);
 *	loop_run(loop);		// until a callback calls loop_stop()
 *	loop_flush(loop);	// what was left for the end of the turn
 *	loop_free(loop);
 *
 * End of the turn: event_active() on an event without descriptor runs it after all that is ready
 * now. Batches are flushed and what was closed is freed there, never inside somebody's callback. An
 * event may make itself active again: the loop looks at the descriptors in between.
 */
#ifndef COMMON_LOOP_LOOP_H
#define COMMON_LOOP_LOOP_H

#include <sys/time.h>

#include "common/base/clock.h"
#include "common/base/macros.h"

struct event_base;
struct loop;

/* Ends the process when the system has no descriptor for it. */
MALLOC_LIKE struct loop *loop_new(void);

/* All events of it must have been deleted. NULL is allowed. */
void loop_free(struct loop *loop);

/* For event_assign() and event_new(). */
struct event_base *loop_base(const struct loop *loop);

/* Microseconds of CLOCK_MONOTONIC, one value for all callbacks of a turn. */
usec_t loop_now(struct loop *loop);

/* Runs callbacks until loop_stop(). */
void loop_run(struct loop *loop);

/* Ends loop_run() after the callbacks of this turn; if it does not run, its next call at once. */
void loop_stop(struct loop *loop);

/*
 * Outside of loop_run(): runs what is ready or due, without waiting, so that what was put off to
 * the end of the turn is done before its owner is freed.
 */
void loop_flush(struct loop *loop);

/* For event_add(). */
static inline struct timeval loop_timeval(usec_t t)
{
	return (struct timeval){(time_t)(t / USEC_PER_SEC), (suseconds_t)(t % USEC_PER_SEC)};
}

#endif
