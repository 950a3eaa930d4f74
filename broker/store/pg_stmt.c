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
	s->n = PG_STMTS;
}

void pg_stmts_done(struct pg_stmts *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->v[i].own);
		free(s->v[i].own_name);
	}
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

bool pg_stmts_add_rule(struct pg_stmts *s, const char *name, const char *query)
{
	struct pg_stmt *stmt = &s->v[s->n];

	if (s->n == ARRAY_LEN(s->v))
		return false;
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->v[i].name, name) == 0)
			return false;
	*stmt = (struct pg_stmt){
		.types = {PG_TEXT, PG_TEXT},
		.roles = 1U << PG_ROLE_LOOKUPS,
		.own = mem_strdup(query),
		.own_name = mem_strdup(name),
	};
	stmt->name = stmt->own_name;
	stmt->text = stmt->own;
	s->n++;
	return true;
}

enum pg_stmt_id pg_stmts_rule(const struct pg_stmts *s, struct slice name)
{
	for (size_t i = PG_STMTS; i < s->n; i++)
		if (slice_eq(slice_str(s->v[i].name), name))
			return (enum pg_stmt_id)i;
	return PG_NO_STMT;
}

bool pg_stmt_used(const struct pg_stmt *s)
{
	return s->text[0] != '\0';
}

int pg_stmt_params(const struct pg_stmt *s)
{
	int n = 0;

	while (n < PG_PARAMS_MAX && s->types[n] != 0)
		n++;
	return n;
}
