/*
 * Whether a statement that the server has described gives what is read from it, and takes no more
 * than it gets. Pure but for the result.
 */
#ifndef BROKER_STORE_PG_CHECK_H
#define BROKER_STORE_PG_CHECK_H

#include <stdbool.h>

#include <libpq-fe.h>

#include "broker/store/pg_stmt.h"
#include "common/base/macros.h"

#define PG_CHECK_TEXT 256

/*
 * `described` is the answer to the description of a prepared statement. False: err_fault says, for
 * people, which parameter or column is wrong and how.
 */
MUST_CHECK bool pg_check(const struct pg_stmt *s, const PGresult *described,
			 char err_fault[PG_CHECK_TEXT]);

#endif
