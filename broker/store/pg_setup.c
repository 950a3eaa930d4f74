#include <stdio.h>
#include <string.h>

#include "broker/store/pg_check.h"
#include "broker/store/pg_conn_internal.h"
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
	return pg_stmt_used(s) && (s->roles & 1U << c->options.role) != 0;
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

bool pg_setup_check(const struct pg_conn *c, PGresult *const *results, int n,
		    struct pg_error *err_fault)
{
	int at = count_texts(c);
	char fault[PG_CHECK_TEXT];

	for (size_t i = 0; i < c->options.stmts->n && at + 1 < n; i++) {
		const struct pg_stmt *s = &c->options.stmts->v[i];

		if (!is_ours(c, s))
			continue;
		if (!pg_check(s, results[at + 1], fault)) {
			char text[PG_ERROR_TEXT];

			(void)snprintf(text, sizeof(text), "statement %.40s: %.190s", s->name,
				       fault);
			pg_error_set(err_fault, "42703", text); /* undefined_column */
			return false;
		}
		at += 2;
	}
	return true;
}
