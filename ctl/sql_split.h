/*
 * Cuts a file of SQL into its statements, for files that must not run in one transaction. Knows
 * what PostgreSQL knows of quotes: '...', E'...', "...", $tag$...$tag$ and both comments, nested
 * ones too. Pure.
 *
 *	struct slice rest = text, statement;
 *	while (sql_next(&rest, &statement))
 *		...
 */
#ifndef CTL_SQL_SPLIT_H
#define CTL_SQL_SPLIT_H

#include <stdbool.h>

#include "common/base/macros.h"
#include "common/base/slice.h"

/*
 * The next statement without its semicolon, with the comments before it. False when only blanks and
 * comments are left. An open quote reaches to the end: the server will say what is wrong with it.
 */
MUST_CHECK bool sql_next(struct slice *rest, struct slice *ret_statement);

#endif
