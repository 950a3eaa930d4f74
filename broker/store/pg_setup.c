#include <stdio.h>
#include <string.h>

#include "broker/store/pg_conn_internal.h"
#include "broker/store/pg_row.h"
#include "common/base/mem.h"

static int count_texts(const struct pg_conn *c)
{
	int n = 0;

	while (c->options.setup != NULL && c->options.setup[n] != NULL)
		n++;
	return n;
}

static bool is_ours(const struct pg_conn *c, const struct pg_stmt *s)
{
	return (s->roles & 1U << c->options.role) != 0;
}

void pg_setup_send(struct pg_conn *c)
{
	for (int i = 0; i < count_texts(c); i++)
		pg_conn_text(c, c->options.setup[i]);
	for (size_t i = 0; i < c->options.stmts->n; i++) {
		const struct pg_stmt *s = &c->options.stmts->v[i];
		Oid types[PG_PARAMS_MAX];

		if (!is_ours(c, s))
			continue;
		for (int k = 0; k < PG_PARAMS_MAX; k++)
			types[k] = (Oid)s->types[k];
		if (c->open == NULL)
			c->open = NEW(struct pg_batch);
		c->open->n += 2;
		if (c->open->n > PG_BATCH_MAX)
			die("pg_setup: more than %d statements", PG_BATCH_MAX);
		if (PQsendPrepare(c->pg, s->name, s->text, pg_stmt_params(s), types) == 0 ||
		    PQsendDescribePrepared(c->pg, s->name) == 0)
			c->send_failed = true;
	}
}

/* The statement that the numbered step of the setup was about; NULL for a text. */
static const struct pg_stmt *stmt_of_step(const struct pg_conn *c, int step)
{
	int at = count_texts(c);

	for (size_t i = 0; i < c->options.stmts->n; i++) {
		const struct pg_stmt *s = &c->options.stmts->v[i];

		if (!is_ours(c, s))
			continue;
		if (step == at || step == at + 1)
			return s;
		at += 2;
	}
	return NULL;
}

void pg_setup_name_fault(const struct pg_conn *c, struct pg_error *e)
{
	const struct pg_stmt *s = stmt_of_step(c, e->query);
	char text[PG_ERROR_TEXT];

	if (s == NULL)
		return;
	(void)snprintf(text, sizeof(text), "%.200s (statement %.40s)", e->text, s->name);
	memcpy(e->text, text, sizeof(text));
}

static void set_fault(struct pg_error *e, const struct pg_stmt *s, struct slice column,
		      const char *what)
{
	char text[PG_ERROR_TEXT];

	(void)snprintf(text, sizeof(text), "statement %s: column %.*s %s", s->name,
		       SLICE_ARG(column), what);
	pg_error_set(e, "42703", text); /* undefined_column */
}

/* Every name of the list must be there, with a type that pg_row.h reads. */
static bool check_columns(const struct pg_stmt *s, const PGresult *described,
			  struct pg_error *err_fault)
{
	struct slice rest = slice_str(s->columns);

	while (rest.n > 0) {
		struct slice name = rest;
		int column;

		if (!slice_cut(rest, ' ', &name, &rest))
			rest = SLICE_NONE;
		column = pg_column(described, name);
		if (column < 0) {
			set_fault(err_fault, s, name, "is missing");
			return false;
		}
		if (!pg_type_readable(PQftype(described, column))) {
			set_fault(err_fault, s, name, "has a type that cannot be read: cast it");
			return false;
		}
	}
	return true;
}

bool pg_setup_check(const struct pg_conn *c, PGresult *const *results, int n,
		    struct pg_error *err_fault)
{
	int at = count_texts(c);

	for (size_t i = 0; i < c->options.stmts->n && at + 1 < n; i++) {
		const struct pg_stmt *s = &c->options.stmts->v[i];

		if (!is_ours(c, s))
			continue;
		if (s->columns != NULL && !check_columns(s, results[at + 1], err_fault))
			return false;
		at += 2;
	}
	return true;
}
