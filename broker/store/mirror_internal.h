/*
 * Inside of the mirror. mirror.c gathers what changed, by row; mirror_write.c sends it; store.c
 * opens and ends it.
 *
 * Where the tables stand is a stage. Until they are known to hold what the broker holds, calls
 * about living rows are ignored, because the walk through the source will tell them all:
 *
 *	UNKNOWN  no epoch yet, or the tables were emptied, or more changed than is kept
 *	WIPE     rows of our epoch leave the tables, in chunks
 *	WALK     the source tells everything, 500 rows at a time; from here on calls count
 *	MARK     everything is written, the mark that says so is under way
 *	STEADY   changes only
 *
 * A connection that comes back in STEADY looks for the mark: still there, then what was in flight
 * is sent again and nothing else; gone, then the tables were emptied and all begins anew.
 */
#ifndef BROKER_STORE_MIRROR_INTERNAL_H
#define BROKER_STORE_MIRROR_INTERNAL_H

#include <event2/event_struct.h>

#include "broker/store/mirror.h"
#include "broker/store/pg_conn.h"
#include "common/base/list.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/base/slab.h"

struct store_options;

#define MIRROR_ROWS 500			     /* of one statement; libpq keeps its room */
#define MIRROR_BATCH_BYTES ((size_t)8 << 20) /* texts of one transaction */
#define MIRROR_TEXTS 5
#define MIRROR_TOKEN 33

enum mirror_kind {
	MIRROR_CONN,   /* texts: app, socket_id, user_id, address, agent */
	MIRROR_MEMBER, /* texts: channel, app, user_id, user_info */
	MIRROR_USER,   /* texts: app, user_id */
	MIRROR_SEEN,   /* texts: app, user_id */
	MIRROR_KINDS,
};

enum mirror_stage {
	MIRROR_UNKNOWN,
	MIRROR_WIPE,
	MIRROR_WALK,
	MIRROR_MARK,
	MIRROR_STEADY,
};

/* A row that the tables do not hold yet as it is now. */
struct mirror_row {
	TAILQ_ENTRY(mirror_row) entry; /* in a queue or in the flight of its kind */
	UT_hash_handle hh;
	enum mirror_kind kind;
	bool put;     /* false: the row is to go */
	bool flight;  /* its value of then is on its way */
	bool again;   /* changed since */
	bool dropped; /* not to be sent again */
	uint32_t worker;
	uint64_t conn;
	uint32_t count;
	wall_us_t at[2];
	char *data; /* the texts, one after the other */
	uint32_t lengths[MIRROR_TEXTS];
	size_t nkey;
	char key[]; /* of the hash */
};
TAILQ_HEAD(mirror_rows, mirror_row);

struct mirror_gone {
	TAILQ_ENTRY(mirror_gone) entry;
	uint32_t worker;
};
TAILQ_HEAD(mirror_gones, mirror_gone);

struct mirror {
	struct loop *loop;
	struct pg_conn *conn; /* NULL: no database, everything is forgotten */
	struct mirror_source source;
	usec_t window;
	enum mirror_scope scope;
	uint32_t queue_max;

	struct slab slab;	 /* of the rows */
	struct mirror_row *rows; /* hash by key */
	struct mirror_rows queue[MIRROR_KINDS];
	struct mirror_rows flight[MIRROR_KINDS];
	struct mirror_gones gone;
	uint32_t nqueue[MIRROR_KINDS];
	uint32_t nkind[MIRROR_KINDS]; /* in the hash */
	uint32_t limit[MIRROR_KINDS]; /* rows of a statement; halved when one of them is refused */
	int last_query[MIRROR_KINDS]; /* of the batch under way, one past the kind's */
	uint32_t nflight;

	enum mirror_stage stage;
	int64_t epoch;
	uint64_t cursor; /* of the walk */
	usec_t sent_at;
	struct event timer;
	struct pg_params params;
	struct mirror_stats stats;

	void (*on_idle)(void *ctx); /* set by mirror_finish() */
	void *idle_ctx;

	char token[MIRROR_TOKEN];
	bool checked; /* the mark was found, or written, on this connection */
	bool walked;
	bool walking;	/* inside the source: what it tells is kept, however much */
	bool began;	/* a whole write was begun before */
	bool busy;	/* a batch is under way */
	bool gone_sent; /* it begins with the rows of a worker that went */
	bool timed;
};

/* ---- mirror_write.c -------------------------------------------------------------------------- */

void mirror_timer_init(struct mirror *m);
/* Opens the connection; `epoch` is the broker's. */
void mirror_begin(struct mirror *m, int64_t epoch);
/* Something changed: sends it when the window is over. */
void mirror_stir(struct mirror *m);
/* Sends what may be sent now. */
void mirror_go(struct mirror *m);
/* Writes what is left at once and calls on_idle() when nothing is, perhaps before it returns. */
void mirror_finish(struct mirror *m, void (*on_idle)(void *ctx), void *ctx);

/* ---- mirror.c -------------------------------------------------------------------------------- */

/* `stmts` NULL: there is no database. */
MUST_CHECK struct mirror *mirror_new(struct loop *loop, const struct store_options *options,
				     const struct pg_stmts *stmts);
/* NULL is allowed. */
void mirror_free(struct mirror *m);
/* 0 = 100 ms. */
void mirror_set_window(struct mirror *m, usec_t window);
void mirror_set_source(struct mirror *m, const struct mirror_source *source);

/* Forgets every row about what lives; last seen stays. */
void mirror_forget(struct mirror *m);
/* Takes a row out of its list and the table. */
void mirror_row_free(struct mirror *m, struct mirror_row *row);
struct slice mirror_text(const struct mirror_row *row, int i);
/* Rows that are not written; all of a worker that went are one. */
uint64_t mirror_pending(const struct mirror *m);

/* ---- mirror_batch.c -------------------------------------------------------------------------- */

/* Moves rows from the queues into the flight and adds their statements to the open batch. */
void mirror_batch(struct mirror *m);
/* After the batch: rows that stand are forgotten, or, false, all go back into their queues. */
void mirror_landed(struct mirror *m, bool stored);

extern const struct pg_conn_ops mirror_conn_ops;

#endif
