/*
 * A worker's end of the lane to the broker (common/wire/README.md): finds it, finds it again, and
 * loses no record as long as both live. Where several places are named it looks in one after the
 * other: a broker that waits for another one's end opens its place only then.
 *
 * Until on_up(), and from on_down() to the next on_up(), the broker is away: nothing is taken. What
 * was taken before stays, and is sent again if the broker that comes back is the same; another one
 * (a new epoch) knows nothing, so all of it is forgotten and the owner tells its state anew.
 *
 * Records go out at the end of the loop's turn or a little later (pace.h), many in one message, and
 * come in in their order, each once within one life of the broker. Over a broker's crash the owner
 * asks and publishes again itself, and removes repeats by publish id (seen.h).
 */
#ifndef WORKER_LINK_LINK_H
#define WORKER_LINK_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/macros.h"
#include "common/base/slice.h"

struct link;
struct loop;

struct link_options {
	/* ZeroMQ addresses of brokers, tried in turn; need not outlive link_new(). */
	char *const *endpoints;
	size_t endpoint_count;
	unsigned slot;	     /* of the supervisor, 0 ... slots - 1 */
	unsigned slots;	     /* workers that belong to this broker and supervisor */
	uint64_t generation; /* a later child of the slot has a higher one */
	usec_t heartbeat;    /* three missed ones: the broker is away */
	uint64_t window;     /* bytes sent but not acknowledged before link_send() refuses */
};

/* None of them may call link_free(). */
struct link_ops {
	/* One record of wire.def, broker to worker; `body` is valid during the call. */
	void (*on_record)(void *ctx, uint8_t kind, struct slice body);
	/* Welcomed; new_broker: by one that knows nothing of us, its first record is WORKER_INFO.
	 */
	void (*on_up)(void *ctx, bool new_broker);
	/* The broker is silent or gone; it is looked for. */
	void (*on_down)(void *ctx);
	/*
	 * The broker has given this worker up, for it stalled too long or did not keep up: others
	 * have been told that its clients are gone. It must end. Nothing follows.
	 */
	void (*on_retired)(void *ctx);
};

/*
 * Starts looking for the broker; the first callback comes from the loop. ops and ctx must outlive
 * it. 0 and *ret_link, or -errno for an endpoint that cannot be used.
 */
MUST_CHECK int link_new(struct loop *loop, const struct link_options *options,
			const struct link_ops *ops, void *ctx, struct link **ret_link);

/* Takes leave of the broker, so that it does not wait for us in vain. NULL is allowed. */
void link_free(struct link *link);

/*
 * Takes a record into the order; copies it. 0; -ENOTCONN: the broker is away; -ENOBUFS: it has not
 * acknowledged enough of what was sent, try again later; -EMSGSIZE: larger than LIMIT_WIRE_RECORD.
 */
MUST_CHECK int link_send(struct link *link, uint8_t kind, struct slice body);

/* While it is held no record comes in; heartbeats go out, and so does what is sent. */
void link_hold(struct link *link, bool hold);

/* Only ever grow, apart from `held`. */
struct link_counts {
	uint64_t records_in;
	uint64_t records_out;
	uint64_t resent;   /* messages sent again */
	uint64_t repeated; /* records had before, dropped */
	uint64_t gaps;	   /* messages missed, asked for again */
	uint64_t missed;   /* readiness that only the safety timer found; stays 0 */
	uint64_t held;	   /* bytes not acknowledged now */
};

struct link_counts link_counts(const struct link *link);

#endif
