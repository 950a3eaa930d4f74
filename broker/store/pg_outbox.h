/*
 * Events from SQL: takes rows out of chat.outbox, hands them up, and commits when they have been
 * passed on. What had not been when the connection or the broker died is there again afterwards;
 * within one life of the broker it is not handed up twice.
 *
 * One broker of the database drains at a time, by a lock of its own. While it sleeps, publishers
 * wake it with NOTIFY; notifying transactions commit one at a time, so under load it looks by
 * itself every 10 ms and tells them so by chat.outbox_wake.
 */
#ifndef BROKER_STORE_PG_OUTBOX_H
#define BROKER_STORE_PG_OUTBOX_H

#include <stdint.h>

#include "broker/store/pg_conn.h"
#include "broker/store/store.h"

struct pg_outbox;

struct pg_outbox_ops {
	void (*on_events)(void *ctx, const struct store_event *events, size_t n);
	/* After pg_outbox_stop(), from the loop. */
	void (*on_stopped)(void *ctx);
};

/* Options and ops must live as long as it. */
MUST_CHECK struct pg_outbox *pg_outbox_new(struct loop *loop, const struct store_options *options,
					   const struct pg_stmts *stmts,
					   const struct pg_outbox_ops *ops, void *ctx);
/* NULL is allowed. */
void pg_outbox_free(struct pg_outbox *o);

void pg_outbox_open(struct pg_outbox *o);
/* Takes no more; what has been handed up is waited for. */
void pg_outbox_stop(struct pg_outbox *o);
void pg_outbox_close(struct pg_outbox *o);

void pg_outbox_allow(struct pg_outbox *o, bool allow);
/* There may be something. */
void pg_outbox_wake(struct pg_outbox *o);
/* Those handed up have been passed on. */
void pg_outbox_done(struct pg_outbox *o);

struct pg_conn *pg_outbox_conn(const struct pg_outbox *o);
uint64_t pg_outbox_taken(const struct pg_outbox *o);

#endif
