/*
 * PostgreSQL as the broker sees it: six connections that are opened at start and kept, and what
 * happens when they go. Nothing here ever waits; everything is told by callbacks of the loop.
 *
 *	struct store *store;
 *	char fault[STORE_FAULT];
 *
 *	if (store_new(loop, &options, &ops, ctx, &store, fault, sizeof(fault)) < 0) ...
 *	chat = chat_new(..., store_chat(store), ...);	// the rules of the chat call the database
 *	registry tells store_mirror(store)		// see mirror.h
 *	store_start(store);				// on_up() when everything stands
 *	...
 *	store_stop(store);				// on_stopped(): last writes are done
 *	store_free(store);
 *
 * With an empty conninfo there is no database: store_new() gives a store that stays AWAY for ever,
 * accepts mirror calls and forgets them, and answers every chat call as unavailable.
 *
 * The connections: control (guard lock, heartbeat, LISTEN), mirror, messages 0 and 1, look-ups,
 * outbox. Each comes back by itself after a loss, with growing pauses from 0.1 to 5 s.
 *
 * Guard. One broker of a node holds an advisory lock of the database while its control connection
 * lives; whoever takes it gets a new epoch of chat.broker, which ends the one before. A broker that
 * loses only the connection goes on serving and takes the lock again; one that finds the lock held
 * by somebody else for longer than `guard_grace`, or its epoch ended, hears on_taken_over() and
 * must end. The lock file of the run directory, which keeps a second broker of the host out while
 * the database is away, is the caller's.
 */
#ifndef BROKER_STORE_STORE_H
#define BROKER_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/store/mirror.h"
#include "common/base/clock.h"
#include "common/base/macros.h"
#include "common/base/slice.h"

struct loop;
struct store;
struct chat_store;

#define STORE_FAULT 512

/* Oldest and newest version of the schema that this broker runs on. */
#define STORE_SCHEMA_MIN 7
#define STORE_SCHEMA_MAX 999

enum store_state {
	STORE_AWAY,    /* not reached, or not usable: store_fault() says why */
	STORE_STANDBY, /* reached, but another broker of the node holds the guard lock */
	STORE_UP,      /* guard and epoch are ours, chat calls are served */
};

/* One statement of the configuration, in place of the shipped one. */
struct store_sql {
	const char *name;
	const char *query;
	/*
	 * In place of none: the rule of some channel. $1 is the user, $2 the channel, any row is a
	 * yes. At most 16 of them.
	 */
	bool rule;
};

/* Strings must live as long as the store, apart from those of `sql`, which are copied. */
struct store_options {
	const char *conninfo;	   /* string or URL without a password; "" = no database */
	const char *password_file; /* "" = none; read anew at each connect */
	const char *node;	   /* name in chat.broker */
	const char *version;	   /* of the program */
	const char *app_id;	   /* application that the chat belongs to */
	bool publish;		   /* drain chat.outbox */
	bool see_all;		   /* [chat] new_members_see = all */
	bool members_may_add;
	enum mirror_scope mirror;
	usec_t mirror_window;	   /* 0 = 100 ms */
	uint32_t mirror_queue_max; /* rows kept during an outage; 0 = 1,000,000 */
	usec_t database_wait;	   /* how long a chat call waits for an absent database */
	uint32_t max_waiting;	   /* chat calls that wait at once; 0 = 10,000 */
	usec_t guard_grace;	   /* 0 = 30 s */
	usec_t guard_delay; /* before a first epoch, after each connect: who had it may come back */
	const struct store_sql *sql;
	size_t nsql;
};

/* An event that chat.publish() left. Slices live during the callback. */
struct store_event {
	uint64_t id;	  /* outbox_id of the frame */
	struct slice app; /* empty: the application of the chat */
	struct slice channel;
	struct slice event;
	struct slice payload;	/* JSON text */
	struct slice socket_id; /* connection that does not get it; empty = none */
};

/* All are optional. None may free the store; store_stop() is allowed everywhere. */
struct store_ops {
	/*
	 * What the first try to reach the database came to, once after store_start(): NULL when it
	 * is there, merely away, or none is configured; else why it cannot be used as it is: it
	 * does not exist, does not let us in, or its schema has another version.
	 */
	void (*on_first_answer)(void *ctx, const char *refusal);

	/* STATE and epoch changed; `state` is what store_state() gives. */
	void (*on_state)(void *ctx, enum store_state state);

	/* A successor took the node over, or another broker holds it: write nothing more and end.
	 */
	void (*on_taken_over)(void *ctx);

	/*
	 * Tokens with that id changed: forget what is remembered of them and check their
	 * connections anew. "*" = all tokens; also told after each return of the control
	 * connection, because what was notified meanwhile is gone.
	 */
	void (*on_token)(void *ctx, struct slice token_id);

	/*
	 * The row of a participant was removed or moved, by whoever it was. Only what happens while
	 * the control connection stands is told.
	 */
	void (*on_participant)(void *ctx, uint64_t chat, struct slice user_id);

	/*
	 * Events from SQL in the order of the outbox, at most 1000. They are deleted for good when
	 * the caller says store_events_done() once, here or later: when every worker has them.
	 * Until then no others come. What was not done when the connection or the broker died comes
	 * again with the same ids.
	 */
	void (*on_events)(void *ctx, const struct store_event *events, size_t n);

	/* After store_stop(). */
	void (*on_stopped)(void *ctx);
};

/*
 * -EINVAL: the conninfo cannot be read or holds a password, or a statement of `sql` has a name that
 * does not exist or is no rule of a channel; the text in err_fault says which. Opens nothing yet.
 */
MUST_CHECK int store_new(struct loop *loop, const struct store_options *options,
			 const struct store_ops *ops, void *ctx, struct store **ret_store,
			 char *err_fault, size_t size);
/* At once, without last writes. NULL is allowed. Not from inside a callback of the store. */
void store_free(struct store *s);

void store_start(struct store *s);

/*
 * Writes what the mirror still holds, ends the epoch and closes, within `within`; then
 * on_stopped(). Chat calls that have no answer yet are answered as unavailable.
 */
void store_stop(struct store *s, usec_t within);

enum store_state store_state(const struct store *s);

/* Why it is not up, in one line for people: "" when it is. */
const char *store_fault(const struct store *s);

/* Epoch of chat.broker; 0 = none yet. */
int64_t store_epoch(const struct store *s);

/* The database as the rules of the chat call it. Lives as long as the store. */
const struct chat_store *store_chat(struct store *s);

struct mirror *store_mirror(struct store *s);

/* To be set before store_start(). */
void store_set_source(struct store *s, const struct mirror_source *source);

/* Holds the outbox back until true is given: a broker that does not know its workers yet. */
void store_events_allow(struct store *s, bool allow);
void store_events_done(struct store *s);

/* Values of the configuration that a reload may change. */
void store_reload(struct store *s, const struct store_options *options);

struct store_conn_stats {
	const char *role; /* control, mirror, messages0 ... */
	bool ready;
	uint32_t queued;   /* statements that wait or are under way */
	uint64_t connects; /* how often it came up */
	usec_t since;	   /* when it came up or was lost last */
};

#define STORE_CONNS 6

struct store_stats {
	struct store_conn_stats conns[STORE_CONNS];
	uint32_t messages_queued;
	uint64_t messages_bytes;
	usec_t messages_oldest; /* age of the oldest that waits */
	uint64_t messages_stored;
	uint64_t message_batches;
	uint64_t receipts;    /* cursor moves written */
	uint64_t events;      /* taken from the outbox */
	uint64_t unavailable; /* calls that were refused because the database was away */
	struct mirror_stats mirror;
};

void store_stats(const struct store *s, struct store_stats *ret_stats);

#endif
