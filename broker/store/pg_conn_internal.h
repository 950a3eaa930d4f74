/* Inner header of pg_conn.c, pg_connect.c and pg_setup.c. */
#ifndef BROKER_STORE_PG_CONN_INTERNAL_H
#define BROKER_STORE_PG_CONN_INTERNAL_H

#include <event2/event_struct.h>

#include "broker/store/pg_conn.h"
#include "common/base/list.h"

enum pg_conn_state {
	PG_CONN_CLOSED, /* not opened yet, or closed for good */
	PG_CONN_DOWN,	/* waits to connect again */
	PG_CONN_CONNECTING,
	PG_CONN_SETUP, /* the statements are being prepared */
	PG_CONN_READY,
};

struct pg_batch {
	TAILQ_ENTRY(pg_batch) entry;
	pg_done_fn done;
	void *ctx;
	usec_t sent;
	int n;	 /* statements sent */
	int got; /* results so far */
	bool setup;
	bool failed;
	struct pg_error error;
	PGresult *results[PG_BATCH_MAX];
};
TAILQ_HEAD(pg_batches, pg_batch);

struct pg_conn {
	struct loop *loop;
	struct pg_conn_options options;
	const struct pg_conn_ops *ops;
	void *ctx;
	struct pg_conn *sibling; /* the next in the ring of those joined; itself = alone */
	enum pg_conn_state state;
	PGconn *pg;
	uint64_t turn; /* counts the lives of `pg`: changed = it is another one, or none */
	struct event readable;
	struct event writable;
	bool watched;
	struct event timer;
	usec_t pause;	       /* before the next attempt */
	struct pg_batch *open; /* being made */
	struct pg_batches flight;
	uint32_t nflight;
	bool in_query;	  /* a result came whose NULL did not yet */
	bool send_failed; /* libpq refused a statement: the connection is given up soon */
	uint64_t connects;
	usec_t since;
	usec_t progress;  /* last result */
	usec_t logged_at; /* last line about being away; 0 = none since it was up */
	char fault[PG_ERROR_TEXT + 64];
};

/* ---- pg_conn.c ------------------------------------------------------------------------------- */

void pg_arm(struct pg_conn *c, usec_t in);
/* It is up: those of the ring that wait try at once. */
void pg_hurry_siblings(const struct pg_conn *c);
/* Ends the connection and tells everybody; it will connect anew. */
void pg_lose(struct pg_conn *c, const struct pg_error *why);
void pg_lose_text(struct pg_conn *c, const char *text);
void pg_on_readable(evutil_socket_t fd, short what, void *arg);
void pg_on_writable(evutil_socket_t fd, short what, void *arg);

/* ---- pg_connect.c ---------------------------------------------------------------------------- */

void pg_connect_start(struct pg_conn *c);
void pg_connect_poll(struct pg_conn *c);
void pg_want_write(struct pg_conn *c);
void pg_unwatch(struct pg_conn *c);

/* ---- pg_setup.c ------------------------------------------------------------------------------ */

/* Puts setup texts, then PREPARE and describe of each statement of the role, into a batch. */
void pg_setup_send(struct pg_conn *c);

/* Whether the statements give the columns that are read; else the fault. */
bool pg_setup_check(const struct pg_conn *c, PGresult *const *results, int n,
		    struct pg_error *err_fault);

/* Puts the name of the statement that failed before the text of the server. */
void pg_setup_name_fault(const struct pg_conn *c, struct pg_error *e);

#endif
