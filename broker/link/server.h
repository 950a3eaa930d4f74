/*
 * The broker's end of the lanes (common/wire/README.md): one for each worker process. Says who
 * comes and goes, brings records in their order, each once, and sends them.
 *
 *	struct server_options options = {.endpoints = ..., .run_dir = ..., ...};
 *	r = server_new(loop, &options, &ops, broker, &server);
 *
 *	on_worker_new(lane)	server_send() WORKER_INFO, then the APPs
 *	on_record(lane, ...)	until SYNC_END: server_synced(server, lane)
 *	server_expected() == 0	everybody who was known before has told his state
 *
 * A lane lives from on_worker_new() until on_worker_gone() returns. Nobody is called back from
 * within server_send() or server_drop(): whoever is to be given up is told at the end of the turn.
 *
 * Backpressure. At most about `window` bytes wait for the acknowledgement of a worker. When half of
 * it is used, nothing more is taken from that worker (its own window then stops it) until only a
 * quarter is; what others cause may still fill it, and then the worker is given up: LANE_SLOW.
 *
 * Death. A worker is given up when it is silent for three heartbeats, when its socket has gone (a
 * killed process: noticed with the next record or heartbeat to it, and at once when a successor of
 * its slot appears), or when it says goodbye. A successor alone does not end its predecessor: in a
 * reload the old child goes on serving while it drains. If one that was given up wakes, it is told
 * so and ends by itself.
 */
#ifndef BROKER_LINK_SERVER_H
#define BROKER_LINK_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/macros.h"
#include "common/base/slice.h"

struct lane;
struct loop;
struct server;

/* Nothing of it needs to outlive server_new(). */
struct server_options {
	char *const *endpoints; /* ZeroMQ addresses to bind; ipc sockets are made with mode 0660 */
	size_t endpoint_count;
	const char *run_dir; /* the roster is kept there; "" or NULL = nowhere */
	usec_t heartbeat;
	uint64_t window;
};

enum lane_end {
	LANE_LEFT,    /* it said goodbye */
	LANE_LOST,    /* its socket is gone */
	LANE_SILENT,  /* three missed heartbeats */
	LANE_SLOW,    /* its window is full */
	LANE_BROKEN,  /* it broke the protocol */
	LANE_DROPPED, /* by server_drop() */
};

/* "left", "lost", ...; for the log. */
const char *lane_end_name(enum lane_end end);

/* Any of them may call server_send() and server_drop(), none server_free(). */
struct server_ops {
	/*
	 * A worker has been welcomed. We know nothing of it: it waits for WORKER_INFO with
	 * lane_number() and for the APPs, then tells its whole state.
	 */
	void (*on_worker_new)(void *ctx, struct lane *lane);
	/* One that is known has found us again; nothing was lost either way. For the log. */
	void (*on_worker_back)(void *ctx, struct lane *lane);
	/* One record of wire.def, worker to broker; `body` is valid during the call. */
	void (*on_record)(void *ctx, struct lane *lane, uint8_t kind, struct slice body);
	/* The worker has handled every record below `mark`: see lane_mark(). */
	void (*on_acked)(void *ctx, struct lane *lane, uint64_t mark);
	/* The worker is gone, or as good as; the lane is freed after the call. */
	void (*on_worker_gone)(void *ctx, struct lane *lane, enum lane_end end);
};

/*
 * Draws the epoch, reads the roster, binds. 0 and *ret_server, or -errno; the log says at which
 * endpoint. ops and ctx must outlive it.
 */
MUST_CHECK int server_new(struct loop *loop, const struct server_options *options,
			  const struct server_ops *ops, void *ctx, struct server **ret_server);

/*
 * Closes without goodbye: the workers stay and look for the next broker, which finds them in the
 * roster. No callback follows. NULL is allowed.
 */
void server_free(struct server *server);

/*
 * Sends a record at the end of this turn, together with all others for the same worker; copies it.
 * A lane that is about to end takes nothing. The body must not be larger than LIMIT_WIRE_RECORD.
 */
void server_send(struct server *server, struct lane *lane, uint8_t kind, struct slice body);

/* Gives a worker up; on_worker_gone() follows at the end of the turn. */
void server_drop(struct server *server, struct lane *lane);

/* Its state has been told completely: SYNC_END was handled. */
void server_synced(struct server *server, struct lane *lane);

/*
 * How many workers are still to tell their state: of those the broker before us knew, or, if no
 * roster was found, of as many as the first hello says there are (one until then). Those that leave
 * no longer count. Never waits for ever: the caller stops asking after resync_wait.
 */
size_t server_expected(const struct server *server);

/* The life of this broker towards its workers; random, never 0. */
uint64_t server_epoch(const struct server *server);

/* Lanes that stand, in the order in which they came: lane = server_next(server, NULL) ... NULL. */
struct lane *server_next(const struct server *server, const struct lane *after);
size_t server_count(const struct server *server);

/*
 * The worker's number in socket ids, 1 ... 2^25 - 1: kept over broker restarts, and given to no
 * other worker for a day (as long as fewer than 40,000 a day are started).
 */
uint32_t lane_number(const struct lane *lane);
unsigned lane_slot(const struct lane *lane);
uint64_t lane_generation(const struct lane *lane);

/* For the caller's own record of the worker; NULL at first. */
void lane_set_data(struct lane *lane, void *data);
void *lane_data(const struct lane *lane);

/* Behind the last record sent: on_acked() with this number or a higher one covers all up to now. */
uint64_t lane_mark(const struct lane *lane);
/* The mark acknowledged last. */
uint64_t lane_acked(const struct lane *lane);

/* Bytes that wait for the worker's acknowledgement. */
size_t lane_held(const struct lane *lane);

/* Only ever grow. */
struct server_counts {
	uint64_t records_in;
	uint64_t records_out;
	uint64_t resent;   /* messages sent again */
	uint64_t repeated; /* records had before, dropped */
	uint64_t gaps;	   /* messages missed, asked for again */
	uint64_t refused;  /* hellos of another version */
	uint64_t missed;   /* readiness that only the safety timer found; stays 0 */
};

struct server_counts server_counts(const struct server *server);

#endif
