/*
 * One connection to PostgreSQL on the loop, in pipeline mode. It connects, prepares the statements
 * of its role, and comes back by itself after a loss, with pauses from 0.1 to 5 s, or with another
 * one to the same server (pg_conn_join()).
 *
 *	pg_conn_query(c, PG_ASYNC_COMMIT, &params);
 *	pg_conn_query(c, PG_MOVE_CURSORS, &params);
 *	pg_conn_sync(c, on_done, batch);	// one transaction of these two
 *
 * A batch is what stands between two syncs: one transaction, unless pg_conn_text() opened one that
 * reaches further. Its outcome is told when the server has answered the sync, that is after COMMIT,
 * and in the order of the batches. Nothing queues here: a batch may only be made while the
 * connection is ready, and whoever makes them bounds how many are under way.
 *
 * A batch that is under way when the connection goes is told an error of class PG_LOST: it may have
 * been committed or not. The same class ends the connection when the server names it.
 *
 * Name resolution inside libpq blocks: use hostaddr, a socket directory, or a local resolver.
 */
#ifndef BROKER_STORE_PG_CONN_H
#define BROKER_STORE_PG_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "broker/store/pg_error.h"
#include "broker/store/pg_param.h"
#include "broker/store/pg_stmt.h"
#include "common/base/clock.h"
#include "common/base/slice.h"

struct loop;
struct pg_conn;

#define PG_CONN_CONNECT_TIMEOUT (5 * USEC_PER_SEC)
/* An answer that takes longer than this means a server that hangs: the connection is given up. */
#define PG_CONN_ANSWER_TIMEOUT (8 * USEC_PER_SEC)
#define PG_CONN_WATCH USEC_PER_SEC
#define PG_CONN_PAUSE_MIN (USEC_PER_SEC / 10)
#define PG_CONN_PAUSE_MAX (5 * USEC_PER_SEC)

/* Statements of one batch at most. */
#define PG_BATCH_MAX 64

struct pg_conn_ops {
	void (*on_ready)(void *ctx);
	/* After the batches under way have been told. Also when an attempt to connect failed. */
	void (*on_lost)(void *ctx, const struct pg_error *error);
	/* NULL where nothing is listened to. */
	void (*on_notify)(void *ctx, struct slice channel, struct slice payload);
};

/* Strings, statements and ops must live as long as the connection. */
struct pg_conn_options {
	const char *conninfo;
	const char *password_file;
	const char *node;
	const char *settings;	  /* "-c name=value ..." beside the common ones, or NULL */
	const char *const *setup; /* statements without result to run first, NULL-ended, or NULL */
	const struct pg_stmts *stmts;
	enum pg_role role;
};

/*
 * `results` holds one result for each statement of the batch; they are freed after the call. With
 * an error there are none. No call of the connection is forbidden inside it but pg_conn_free().
 */
typedef void (*pg_done_fn)(void *ctx, const struct pg_error *error, PGresult *const *results,
			   int n);

/* Opens nothing before pg_conn_open(). */
MUST_CHECK struct pg_conn *pg_conn_new(struct loop *loop, const struct pg_conn_options *options,
				       const struct pg_conn_ops *ops, void *ctx);
/* Tells nobody anything. NULL is allowed. */
void pg_conn_free(struct pg_conn *c);

/* Connects at once; without effect when it is open already. */
void pg_conn_open(struct pg_conn *c);
/* Ends it for good; batches under way are told PG_LOST, on_lost() is not called. */
void pg_conn_close(struct pg_conn *c);

bool pg_conn_ready(const struct pg_conn *c);

/*
 * Both lead to the same server: when one of them is up again, the other one, and all that were
 * joined with either, connect at once instead of waiting for the end of their pause.
 */
void pg_conn_join(struct pg_conn *a, struct pg_conn *b);

/* Adds a prepared statement to the open batch; the parameters may be changed after the call. */
void pg_conn_query(struct pg_conn *c, enum pg_stmt_id stmt, struct pg_params *params);
/* The same for a text without parameters, as BEGIN and COMMIT. */
void pg_conn_text(struct pg_conn *c, const char *text);
/* Ends the batch, of at least one statement. */
void pg_conn_sync(struct pg_conn *c, pg_done_fn done, void *ctx);

/* Batches under way. */
uint32_t pg_conn_flight(const struct pg_conn *c);
const char *pg_conn_role_name(enum pg_role role);
/* Why it is not ready; "" when it is. */
const char *pg_conn_fault(const struct pg_conn *c);
uint64_t pg_conn_connects(const struct pg_conn *c);
/* When it came up or was lost last, by the loop's clock. */
usec_t pg_conn_since(const struct pg_conn *c);

#endif
