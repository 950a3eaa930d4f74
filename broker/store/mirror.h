/*
 * The mirror: what the broker holds in memory, written to PostgreSQL for people to look at. Nobody
 * waits for it. Changes are gathered by row for `mirror_window`, the newest value of a row wins,
 * and each batch is one transaction of a few set-based statements.
 *
 * The caller says how things are, never how to write them: every function is idempotent, copies
 * what it is given, and may be called while the database is away. Rows are keyed
 *	connection   (worker, conn)
 *	member       (worker, conn, channel)
 *	user         (app, user)
 *	last seen    (app, user), the only one that outlives the broker
 *
 * When the tables have been emptied, or more changed during an outage than is kept, the mirror asks
 * its source for everything that lives and writes it again; the caller does nothing for that but
 * implement mirror_source.
 */
#ifndef BROKER_STORE_MIRROR_H
#define BROKER_STORE_MIRROR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/slice.h"

struct mirror;

enum mirror_scope {
	MIRROR_ALL,	 /* connections, every subscription, users */
	MIRROR_PRESENCE, /* members of presence channels, users */
	MIRROR_OFF,	 /* nothing but last seen */
};

/*
 * Texts of clients may hold what PostgreSQL cannot: with NUL or broken UTF-8 an agent, address or
 * user_info is written as NULL, so is a user_info with \u0000 or half a surrogate pair; a row whose
 * key holds such a thing is not written at all.
 */
struct mirror_conn {
	uint32_t worker; /* number of the worker in socket ids */
	uint64_t conn;
	struct slice app; /* id of the application */
	struct slice socket_id;
	struct slice user_id; /* empty = identified as nobody */
	struct slice address;
	struct slice agent;
	wall_us_t connected_at;
};

struct mirror_member {
	uint32_t worker;
	uint64_t conn;
	struct slice channel;
	struct slice app;
	struct slice user_id;	/* empty = none */
	struct slice user_info; /* JSON text; empty = none */
	wall_us_t joined_at;
};

struct mirror_user {
	struct slice app;
	struct slice user_id;
	uint32_t connections; /* identified ones; 0 during the grace */
	wall_us_t online_since;
	wall_us_t changed_at;
};

void mirror_conn_put(struct mirror *m, const struct mirror_conn *row);
void mirror_conn_del(struct mirror *m, uint32_t worker, uint64_t conn);
void mirror_member_put(struct mirror *m, const struct mirror_member *row);
void mirror_member_del(struct mirror *m, uint32_t worker, uint64_t conn, struct slice channel);
void mirror_user_put(struct mirror *m, const struct mirror_user *row);
void mirror_user_del(struct mirror *m, struct slice app, struct slice user_id);

/* Durable, only ever moves forward; written in every scope. */
void mirror_last_seen(struct mirror *m, struct slice app, struct slice user_id, wall_us_t at);

/*
 * Everything of a worker is gone: its connections and subscriptions leave the tables in chunks, and
 * changes of its rows that were not written yet are dropped. One call in place of one for each row.
 * Its number must not be used again in this life of the broker. Users are not touched: those that
 * went offline are told by mirror_user_del().
 */
void mirror_worker_gone(struct mirror *m, uint32_t worker);

/* Gives the mirror all that lives. Implemented by the owner of the registry. */
struct mirror_source {
	/*
	 * Tells about `most` living rows by mirror_conn_put(), mirror_member_put() and
	 * mirror_user_put(), going on from *cursor, which is 0 at first and then whatever the last
	 * call left there. True: there is more. To tell all at once and return false is right too,
	 * only less smooth. What changes between two calls is told by the ordinary calls anyway, so
	 * the walk may miss or repeat it.
	 */
	bool (*walk)(void *ctx, struct mirror *m, uint64_t *cursor, uint32_t most);
	void *ctx;
};

struct mirror_stats {
	uint64_t pending;     /* rows to be written, those in flight included */
	uint64_t written;     /* rows written so far */
	uint64_t batches;     /* transactions so far */
	uint64_t rewrites;    /* whole writes after the first */
	uint64_t dropped;     /* rows that PostgreSQL refused */
	wall_us_t flushed_at; /* when the tables last held everything; 0 = never */
	uint32_t last_flush_ms;
};

void mirror_stats(const struct mirror *m, struct mirror_stats *ret_stats);

#endif
