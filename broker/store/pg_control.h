/*
 * The control connection: version of the schema, guard lock, life of the broker in chat.broker,
 * and what the database notifies. The lock lives as long as the session, so this connection does
 * nothing that could take long.
 */
#ifndef BROKER_STORE_PG_CONTROL_H
#define BROKER_STORE_PG_CONTROL_H

#include <stdint.h>

#include "broker/store/pg_conn.h"
#include "broker/store/store.h"

struct pg_control;

struct pg_control_ops {
	/*
	 * What the first try to reach the database came to, once: NULL when it is there or merely
	 * away, else why it cannot be used as it is.
	 */
	void (*on_first_answer)(void *ctx, const char *refusal);
	/* pg_control_state() or pg_control_epoch() changed. */
	void (*on_state)(void *ctx);
	void (*on_taken_over)(void *ctx);
	/* "*" also after each return: what was notified meanwhile is gone. */
	void (*on_token)(void *ctx, struct slice token_id);
	/* The user may no longer take part in the chat. */
	void (*on_participant)(void *ctx, uint64_t chat, struct slice user_id);
	/* There may be something in the outbox. */
	void (*on_outbox)(void *ctx);
	/* How far the mirror is, for the heartbeat: 0 = never flushed. */
	void (*mirror)(void *ctx, wall_us_t *ret_flushed_at, uint64_t *ret_pending);
	/* After pg_control_stop(). */
	void (*on_stopped)(void *ctx);
};

/* Options and ops must live as long as it. */
MUST_CHECK struct pg_control *pg_control_new(struct loop *loop, const struct store_options *options,
					     const struct pg_stmts *stmts,
					     const struct pg_control_ops *ops, void *ctx);
/* NULL is allowed. */
void pg_control_free(struct pg_control *k);

void pg_control_open(struct pg_control *k);

/* Ends the epoch; on_stopped() follows in any case, from the loop. */
void pg_control_stop(struct pg_control *k);

enum store_state pg_control_state(const struct pg_control *k);
int64_t pg_control_epoch(const struct pg_control *k);
/* "" when it is up. */
const char *pg_control_fault(const struct pg_control *k);
struct pg_conn *pg_control_conn(const struct pg_control *k);

#endif
