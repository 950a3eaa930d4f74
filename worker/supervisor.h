/*
 * The parent of the worker processes: opens every listener, forks the children, starts new ones for
 * those that die, reloads them one after the other, stops them. It touches neither ZeroMQ nor a
 * byte of a client, and runs on a plain poll() loop without an event base, so that a forked child
 * inherits none: each child makes its own base, ZeroMQ context and timers.
 *
 *	sv = supervisor_new(&options);
 *	r = supervisor_listen(sv, &which);	// as the user who may bind
 *	...					// drop rights
 *	status = supervisor_run(sv);		// forks; a child exits with what run() returned
 *
 * There are `workers` slots. Each slot has, for every TCP address, one socket of a SO_REUSEPORT
 * group; for a unix address all slots share one socket. The supervisor keeps them all open, so the
 * accept queue of a dead child waits for its successor and no connection is refused. A slot that
 * keeps dying pauses 0, 0.1, 0.5, 2, then 5 s between two starts: its share of the new connections
 * waits that long at the most. A service manager is given copies of them all to store, and those
 * that it hands back are used again: neither a crash nor a restart of the supervisor refuses any.
 *
 * Signals: SIGTERM, SIGINT: drain all children, then end; the second one: at once. SIGHUP: call
 * reload(); where the program was replaced meanwhile, the new one is started in its place instead
 * (supervisor_upgrade.c). SIGCHLD: reap.
 *
 * Children know that the supervisor is gone by the end of their control socket: they stop accepting
 * and drain (see control.h).
 */
#ifndef WORKER_SUPERVISOR_H
#define WORKER_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/macros.h"
#include "worker/edge/listener.h"

/* What a child is given. */
struct worker_start {
	unsigned slot; /* 0 … slots - 1 */
	unsigned slots;
	uint64_t generation;  /* larger for each later child, also after a restart of the supervisor
			       */
	int control;	      /* for control_new(); the child owns it */
	const int *listeners; /* fds to accept from, in the order of the addresses; the child owns
				 them */
	unsigned listener_count;
	void *ctx; /* of the options: the configuration in force when the child was forked */
};

struct supervisor_options {
	const struct address *addresses;
	unsigned address_count;
	unsigned workers;
	int backlog;	   /* 0 = SOMAXCONN */
	char *const *argv; /* of main(), for an upgrade; NULL = none. Must outlive it */
	usec_t drain;	   /* how long a draining child may live; killed 2 s later. 0 = 30 s */
	usec_t silent; /* a child whose control socket is silent that long is killed. 0 = 10 s */

	/*
	 * The life of a child; its result is the exit status. Signals are at their defaults, and
	 * the child should treat SIGTERM and SIGINT as an order to drain: a terminal sends them to
	 * all.
	 */
	int (*run)(const struct worker_start *start);
	/*
	 * On SIGHUP: read the configuration again. False: it was bad (and logged), nothing happens.
	 * True: for each slot in turn a successor is started on the same listeners and, when it is
	 * ready, the old child is drained. May be NULL: reload without reading anything.
	 */
	bool (*reload)(void *ctx);
	void *ctx;
};

struct supervisor;

MALLOC_LIKE struct supervisor *supervisor_new(const struct supervisor_options *options);

/* Opens all listeners. 0 or -errno; *err_address is the index of the address that failed. */
MUST_CHECK int supervisor_listen(struct supervisor *sv, unsigned *err_address);

/* The address a listener is really bound to (after port 0). */
MUST_CHECK int supervisor_address(const struct supervisor *sv, unsigned index, struct address *ret);

/* Runs until all children are gone after a stop; returns the exit status. */
MUST_CHECK int supervisor_run(struct supervisor *sv);

/* NULL is allowed. Closes the listeners. */
void supervisor_free(struct supervisor *sv);

#endif
