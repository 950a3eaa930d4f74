#include <string.h>

#include "broker/store/mirror_internal.h"

static const enum pg_stmt_id put_stmts[MIRROR_KINDS] = {
	[MIRROR_CONN] = PG_CONN_PUT,
	[MIRROR_MEMBER] = PG_MEMBER_PUT,
	[MIRROR_USER] = PG_USER_PUT,
	[MIRROR_SEEN] = PG_LAST_SEEN_PUT,
};

/* ---- columns --------------------------------------------------------------------------------- */

#define FOREACH_SENT(row, m, kind, wanted) \
	TAILQ_FOREACH (row, &(m)->flight[kind], entry) \
		if ((row)->put == (wanted))

static void workers(struct mirror *m, enum mirror_kind kind, bool put, uint32_t n)
{
	const struct mirror_row *row;

	pg_array_begin(&m->params, PG_INT4, n);
	FOREACH_SENT(row, m, kind, put)
	pg_array_i32(&m->params, (int32_t)row->worker);
	pg_array_end(&m->params);
}

static void conns(struct mirror *m, enum mirror_kind kind, bool put, uint32_t n)
{
	const struct mirror_row *row;

	pg_array_begin(&m->params, PG_INT8, n);
	FOREACH_SENT(row, m, kind, put)
	pg_array_i64(&m->params, (int64_t)row->conn);
	pg_array_end(&m->params);
}

static void counts(struct mirror *m, enum mirror_kind kind, uint32_t n)
{
	const struct mirror_row *row;

	pg_array_begin(&m->params, PG_INT4, n);
	FOREACH_SENT(row, m, kind, true)
	pg_array_i32(&m->params, (int32_t)row->count);
	pg_array_end(&m->params);
}

static void times(struct mirror *m, enum mirror_kind kind, uint32_t n, int which)
{
	const struct mirror_row *row;

	pg_array_begin(&m->params, PG_TIMESTAMPTZ, n);
	FOREACH_SENT(row, m, kind, true)
	pg_array_time(&m->params, row->at[which]);
	pg_array_end(&m->params);
}

static void texts(struct mirror *m, enum mirror_kind kind, bool put, uint32_t n, enum pg_type type,
		  int which)
{
	const struct mirror_row *row;

	pg_array_begin(&m->params, type, n);
	FOREACH_SENT(row, m, kind, put)
	pg_array_text_or_null(&m->params, mirror_text(row, which));
	pg_array_end(&m->params);
}

/* ---- statements ------------------------------------------------------------------------------ */

static void delete_rows(struct mirror *m, enum mirror_kind kind, uint32_t n)
{
	enum pg_stmt_id stmt = PG_USER_DELETE;

	pg_params_clear(&m->params);
	pg_param_i64(&m->params, m->epoch);
	if (kind == MIRROR_USER) {
		texts(m, kind, false, n, PG_TEXT, 0);
		texts(m, kind, false, n, PG_TEXT, 1);
	} else {
		workers(m, kind, false, n);
		conns(m, kind, false, n);
		stmt = PG_CONN_DELETE;
	}
	if (kind == MIRROR_MEMBER) {
		texts(m, kind, false, n, PG_TEXT, 0);
		stmt = PG_MEMBER_DELETE;
	}
	pg_conn_query(m->conn, stmt, &m->params);
}

static void put_rows(struct mirror *m, enum mirror_kind kind, uint32_t n)
{
	pg_params_clear(&m->params);
	if (kind != MIRROR_SEEN)
		pg_param_i64(&m->params, m->epoch);
	switch (kind) {
	case MIRROR_CONN:
		workers(m, kind, true, n);
		conns(m, kind, true, n);
		for (int i = 0; i < 5; i++)
			texts(m, kind, true, n, PG_TEXT, i);
		times(m, kind, n, 0);
		break;
	case MIRROR_MEMBER:
		workers(m, kind, true, n);
		conns(m, kind, true, n);
		for (int i = 0; i < 3; i++)
			texts(m, kind, true, n, PG_TEXT, i);
		texts(m, kind, true, n, PG_JSONB, 3);
		times(m, kind, n, 0);
		break;
	case MIRROR_USER:
		texts(m, kind, true, n, PG_TEXT, 0);
		texts(m, kind, true, n, PG_TEXT, 1);
		counts(m, kind, n);
		times(m, kind, n, 0);
		times(m, kind, n, 1);
		break;
	case MIRROR_SEEN:
		texts(m, kind, true, n, PG_TEXT, 0);
		texts(m, kind, true, n, PG_TEXT, 1);
		times(m, kind, n, 0);
		break;
	case MIRROR_KINDS:
		break;
	}
	pg_conn_query(m->conn, put_stmts[kind], &m->params);
}

static size_t row_bytes(const struct mirror_row *row)
{
	size_t n = sizeof(*row);

	for (int i = 0; i < MIRROR_TEXTS; i++)
		n += row->lengths[i];
	return n;
}

/* Gives the number of statements. */
static int launch(struct mirror *m, enum mirror_kind kind, size_t *bytes)
{
	uint32_t puts = 0;
	uint32_t deletes = 0;
	struct mirror_row *row;

	while (puts + deletes < m->limit[kind] && *bytes < MIRROR_BATCH_BYTES &&
	       (row = TAILQ_FIRST(&m->queue[kind])) != NULL) {
		TAILQ_REMOVE(&m->queue[kind], row, entry);
		m->nqueue[kind]--;
		TAILQ_INSERT_TAIL(&m->flight[kind], row, entry);
		m->nflight++;
		row->flight = true;
		*bytes += row_bytes(row);
		if (row->put)
			puts++;
		else
			deletes++;
	}
	if (deletes > 0)
		delete_rows(m, kind, deletes);
	if (puts > 0)
		put_rows(m, kind, puts);
	return (deletes > 0) + (puts > 0);
}

static void delete_chunk(struct mirror *m, enum pg_stmt_id stmt, uint32_t worker)
{
	pg_params_clear(&m->params);
	pg_param_i64(&m->params, m->epoch);
	pg_param_i32(&m->params, (int32_t)worker);
	pg_param_i64(&m->params, MIRROR_ROWS);
	pg_conn_query(m->conn, stmt, &m->params);
}

void mirror_batch(struct mirror *m)
{
	const struct mirror_gone *gone = TAILQ_FIRST(&m->gone);
	size_t bytes = 0;
	int queries = gone != NULL ? 2 : 0;

	/* first, so that their results are the first two */
	m->gone_sent = gone != NULL;
	if (gone != NULL) {
		delete_chunk(m, PG_WORKER_CONNS_DELETE, gone->worker);
		delete_chunk(m, PG_WORKER_MEMBERS_DELETE, gone->worker);
	}
	for (int kind = 0; kind < MIRROR_KINDS; kind++) {
		queries += launch(m, (enum mirror_kind)kind, &bytes);
		m->last_query[kind] = queries;
	}
}

static void land(struct mirror *m, struct mirror_row *row, bool stored)
{
	bool again = row->again;

	if (row->dropped || (stored && !again)) {
		mirror_row_free(m, row);
		return;
	}
	TAILQ_REMOVE(&m->flight[row->kind], row, entry);
	m->nflight--;
	row->flight = false;
	row->again = false;
	if (stored)
		TAILQ_INSERT_TAIL(&m->queue[row->kind], row, entry);
	else
		TAILQ_INSERT_HEAD(&m->queue[row->kind], row, entry);
	m->nqueue[row->kind]++;
}

void mirror_landed(struct mirror *m, bool stored)
{
	struct mirror_row *row;

	for (int kind = 0; kind < MIRROR_KINDS; kind++)
		while ((row = TAILQ_LAST(&m->flight[kind], mirror_rows)) != NULL)
			land(m, row, stored);
}
