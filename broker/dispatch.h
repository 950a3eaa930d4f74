/*
 * The only joint of lane, registry, chat and store: takes what one of them says and tells the
 * others. A table has one small handler for each record of a worker; the ops tables below are what
 * registry, chat, store and server call.
 *
 *	d = dispatch_new(&options);
 *	registry_new(&..., &dispatch_registry_ops, d);	// and so on, each with d as its ctx
 *	dispatch_set_parts(d, &parts);
 *	dispatch_start(d);
 *	...
 *	dispatch_turn(d);		// at dispatch_deadline() or later
 *
 * Order. Events of a channel leave in the order in which this module handles what causes them; the
 * success frame of a subscription and all later events of its channel go to its worker on one lane.
 *
 * A broker that starts knows none of the workers that may be serving clients already. Until all of
 * them have told their state, at most for resync_wait, everything else they ask waits in its order
 * (hold.h), and neither grace nor typing ends: the first worker's events would miss the others'
 * subscribers.
 */
#ifndef BROKER_DISPATCH_H
#define BROKER_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/chat/chat.h"
#include "broker/link/server.h"
#include "broker/registry/registry.h"
#include "broker/store/store.h"
#include "common/base/clock.h"
#include "common/base/macros.h"

struct apps;
struct dispatch;
struct history;
struct loop;

struct dispatch_options {
	struct loop *loop;
	const struct apps *apps;
	usec_t resync_wait;
	uint32_t max_watchlist;
	usec_t watchlist_window;
	size_t hold_max; /* bytes of records that wait for the workers; with more it waits no longer
			  */
	/* A deadline may have changed: dispatch_deadline() is to be asked at the end of the turn.
	 */
	void (*wake)(void *ctx);
	void *ctx;
};

/* Apart from `server`, which a standby broker opens later, all are there; none is owned. */
struct dispatch_parts {
	struct server *server;
	struct registry *registry;
	struct history *history;
	struct chat *chat;
	struct store *store;
};

/* ctx of all of them is the dispatch. */
extern const struct server_ops dispatch_server_ops;
extern const struct registry_ops dispatch_registry_ops;
extern const struct chat_ops dispatch_chat_ops;

MALLOC_LIKE struct dispatch *dispatch_new(const struct dispatch_options *options);
/* Takes nothing any more, whatever still comes: the parts are about to be freed. */
void dispatch_stop(struct dispatch *d);
/* After the parts have been freed. NULL is allowed. */
void dispatch_free(struct dispatch *d);

void dispatch_set_parts(struct dispatch *d, const struct dispatch_parts *parts);

/* The server stands: resync_wait begins. */
void dispatch_start(struct dispatch *d);

/* Values that a reload may change; applications are told to all workers anew. */
void dispatch_reload(struct dispatch *d, const struct dispatch_options *options);

/* Every worker is known (or was waited for long enough): events are ordered. */
bool dispatch_is_open(const struct dispatch *d);

usec_t dispatch_deadline(const struct dispatch *d);
void dispatch_turn(struct dispatch *d);

/* ---- what the store says ---- */

void dispatch_on_events(struct dispatch *d, const struct store_event *events, size_t n);
void dispatch_on_token(struct dispatch *d, struct slice token_id);
void dispatch_on_participant(struct dispatch *d, uint64_t chat, struct slice user_id);
void dispatch_on_database(struct dispatch *d, bool up);
/* For struct mirror_source; ctx is the dispatch. */
bool dispatch_walk(void *ctx, struct mirror *m, uint64_t *cursor, uint32_t most);

/* ---- for operators ---- */

struct wire_worker_state;

/* What a worker said of itself last; all zero: nothing yet, or unknown. */
void dispatch_worker_said(const struct dispatch *d, uint32_t number, struct wire_worker_state *ret);

/*
 * Passes an operator's wish (WIRE_ORDER) on to the supervisor of one worker, or of all (0). How
 * many workers were told.
 */
unsigned dispatch_order(struct dispatch *d, uint8_t what, uint32_t number);

/* Only ever grow. */
struct dispatch_counts {
	uint64_t records; /* of workers */
	uint64_t bad_records;
	uint64_t published;	/* events of the HTTP API */
	uint64_t client_events; /* accepted */
	uint64_t chat_events;
	uint64_t outbox_events;
	uint64_t presence_events; /* members and counts */
	uint64_t sent;		  /* of these to workers, by record */
	uint64_t subscribed;
	uint64_t refused; /* subscriptions */
	uint64_t queries;
	uint64_t calls; /* authorisations and calls of the chat */
};

void dispatch_counts(const struct dispatch *d, struct dispatch_counts *ret);

/* Publishes and events of the outbox that some worker has not acknowledged. */
uint32_t dispatch_unstable(const struct dispatch *d);

#endif
