/*
 * The chat's operations on the database: fills in chat_store.h over three connections. Reads go
 * through the look-up connection, up to 64 under way; writes through two of messages, which share
 * the chats by number, so that the writes of one chat keep their order and the broker's own batches
 * never wait for each other's locks.
 *
 * Messages are gathered while a commit is under way and go together when it has come back: one
 * commit each when all is quiet, up to 200 in one when it is not.
 */
#ifndef BROKER_STORE_PG_CHAT_H
#define BROKER_STORE_PG_CHAT_H

#include "broker/chat/chat_store.h"
#include "broker/store/pg_conn.h"
#include "broker/store/store.h"

struct pg_chat;

/* Statements NULL: there is no database. Options must live as long as it. */
MUST_CHECK struct pg_chat *pg_chat_new(struct loop *loop, const struct store_options *options,
				       const struct pg_stmts *stmts);
/* NULL is allowed. */
void pg_chat_free(struct pg_chat *p);

const struct chat_store *pg_chat_ops(const struct pg_chat *p);

/* Opens the connections; until then calls wait. */
void pg_chat_open(struct pg_chat *p);

/*
 * Answers as unavailable what has not been sent and whatever is called from now on. What is under
 * way still comes; pg_chat_idle() tells when nothing is.
 */
void pg_chat_stop(struct pg_chat *p);
bool pg_chat_idle(const struct pg_chat *p);
/* Ends the connections; what was under way is answered as unavailable. */
void pg_chat_close(struct pg_chat *p);

/* PG_ROLE_MESSAGES0, PG_ROLE_MESSAGES1 or PG_ROLE_LOOKUPS; NULL without a database. */
struct pg_conn *pg_chat_conn(const struct pg_chat *p, enum pg_role role);
/* Batches and calls that wait or are under way there. */
uint32_t pg_chat_queued(const struct pg_chat *p, enum pg_role role);
/* Fills in what is about messages, receipts and refusals. */
void pg_chat_stats(const struct pg_chat *p, struct store_stats *ret_stats);

#endif
