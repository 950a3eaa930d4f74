#include "broker/store/pg_stmt.h"

#include <stdlib.h>
#include <string.h>

#include "broker/store/pg_stmt_tables.h"
#include "common/base/mem.h"

static void take(struct pg_stmts *s, const struct pg_stmt *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (from[i].name != NULL)
			s->v[i] = from[i];
}

void pg_stmts_init(struct pg_stmts *s)
{
	memset(s, 0, sizeof(*s));
	take(s, pg_stmts_mirror, ARRAY_LEN(pg_stmts_mirror));
	take(s, pg_stmts_writes, ARRAY_LEN(pg_stmts_writes));
	take(s, pg_stmts_reads, ARRAY_LEN(pg_stmts_reads));
	take(s, pg_stmts_outbox, ARRAY_LEN(pg_stmts_outbox));
	for (size_t i = 0; i < PG_STMTS; i++)
		if (s->v[i].name == NULL)
			die("pg_stmt: statement %zu is missing", i);
}

void pg_stmts_done(struct pg_stmts *s)
{
	for (size_t i = 0; i < PG_STMTS; i++)
		free(s->v[i].own);
}

bool pg_stmts_replace(struct pg_stmts *s, const char *name, const char *query)
{
	for (size_t i = 0; i < PG_STMTS; i++) {
		struct pg_stmt *stmt = &s->v[i];

		if (!stmt->configurable || strcmp(stmt->name, name) != 0)
			continue;
		free(stmt->own);
		stmt->own = mem_strdup(query);
		stmt->text = stmt->own;
		return true;
	}
	return false;
}

int pg_stmt_params(const struct pg_stmt *s)
{
	int n = 0;

	while (n < PG_PARAMS_MAX && s->types[n] != 0)
		n++;
	return n;
}
