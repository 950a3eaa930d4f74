/*
 * One connection to PostgreSQL in pipeline mode, with one of the broker's statements after the
 * other; what fails ends the process. The session has the settings of the broker's.
 *
 *	bare_link_open(&l, conninfo, PG_ROLE_LOOKUPS, "", on_answer, ctx);
 *	bare_link_query(&l, PG_HISTORY, &params);
 *	bare_link_sync(&l);	// one transaction
 *	for (;;)
 *		bare_link_wait(&links, n, timeout_us);	// calls on_answer()
 */
#ifndef TESTS_BENCH_BARE_LINK_H
#define TESTS_BENCH_BARE_LINK_H

#include <libpq-fe.h>

#include "broker/store/pg_stmt.h"
#include "common/base/clock.h"

struct bare_link {
	PGconn *pg;
	const struct pg_stmts *stmts;
	/* The sync of the oldest transaction has come; `last` is the result of its last statement.
	 */
	void (*on_answer)(struct bare_link *l, const PGresult *last);
	void *ctx;
	PGresult *last;
	uint32_t number;
};

/* Connects, and prepares the statements of the role. `settings`: "-c name=value ..." or "". */
void bare_link_open(struct bare_link *l, const char *conninfo, const struct pg_stmts *stmts,
		    enum pg_role role, const char *settings);
void bare_link_close(struct bare_link *l);
/* A query of its own, outside of everything; the first value as a number. */
int64_t bare_link_number(const char *conninfo, const char *query);

void bare_link_query(struct bare_link *l, enum pg_stmt_id stmt, struct pg_params *params);
void bare_link_sync(struct bare_link *l);
/* Answers that come within `wait`; at least one look at each link. */
void bare_link_wait(struct bare_link *links, uint32_t n, usec_t wait);

#endif
