#include "tests/bench/bare_link.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

#define LINKS_MAX 64
#define SETTINGS "-c TimeZone=UTC -c random_page_cost=1.1 -c jit=off"

static void need(const PGconn *pg, bool ok)
{
	if (!ok)
		die("PostgreSQL: %s", PQerrorMessage(pg));
}

static PGconn *open_session(const char *conninfo, const char *settings)
{
	char options[256];
	const char *const names[] = {"dbname", "options", NULL};
	const char *const values[] = {conninfo, options, NULL};
	PGconn *pg;

	(void)snprintf(options, sizeof(options), SETTINGS " %s", settings);
	pg = PQconnectdbParams(names, values, 1);
	need(pg, PQstatus(pg) == CONNECTION_OK);
	return pg;
}

static void expect(const PGconn *pg, PGresult *r, ExecStatusType wanted)
{
	need(pg, PQresultStatus(r) == wanted);
	PQclear(r);
}

int64_t bare_link_number(const char *conninfo, const char *query)
{
	PGconn *pg = open_session(conninfo, "");
	PGresult *r = PQexec(pg, query);
	int64_t n;

	need(pg, PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) == 1);
	n = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
	PQclear(r);
	PQfinish(pg);
	return n;
}

void bare_link_open(struct bare_link *l, const char *conninfo, const struct pg_stmts *stmts,
		    enum pg_role role, const char *settings)
{
	l->pg = open_session(conninfo, settings);
	l->stmts = stmts;
	l->last = NULL;
	for (size_t i = 0; i < stmts->n; i++) {
		const struct pg_stmt *s = &stmts->v[i];
		Oid types[PG_PARAMS_MAX];

		if (!pg_stmt_used(s) || (s->roles & 1U << role) == 0)
			continue;
		for (int k = 0; k < PG_PARAMS_MAX; k++)
			types[k] = (Oid)s->types[k];
		expect(l->pg, PQprepare(l->pg, s->name, s->text, pg_stmt_params(s), types),
		       PGRES_COMMAND_OK);
	}
	need(l->pg, PQsetnonblocking(l->pg, 1) == 0 && PQenterPipelineMode(l->pg) == 1);
}

void bare_link_close(struct bare_link *l)
{
	PQclear(l->last);
	PQfinish(l->pg);
}

void bare_link_query(struct bare_link *l, enum pg_stmt_id stmt, struct pg_params *params)
{
	pg_params_ready(params);
	need(l->pg, PQsendQueryPrepared(l->pg, l->stmts->v[stmt].name, params->n, params->values,
					params->lengths, params->formats, 1) == 1);
}

void bare_link_sync(struct bare_link *l)
{
	need(l->pg, PQpipelineSync(l->pg) == 1 && PQflush(l->pg) >= 0);
}

static void take_results(struct bare_link *l)
{
	PGresult *r;

	need(l->pg, PQconsumeInput(l->pg) == 1 && PQflush(l->pg) >= 0);
	while (!PQisBusy(l->pg)) {
		r = PQgetResult(l->pg);
		if (r == NULL) { /* the end of a statement, or of all */
			if (PQisBusy(l->pg) || (r = PQgetResult(l->pg)) == NULL)
				return;
		}
		if (PQresultStatus(r) == PGRES_PIPELINE_SYNC) {
			PQclear(r);
			r = l->last;
			l->last = NULL;
			l->on_answer(l, r);
			PQclear(r);
			continue;
		}
		need(l->pg,
		     PQresultStatus(r) == PGRES_TUPLES_OK || PQresultStatus(r) == PGRES_COMMAND_OK);
		PQclear(l->last);
		l->last = r;
	}
}

void bare_link_wait(struct bare_link *links, uint32_t n, usec_t wait)
{
	struct pollfd p[LINKS_MAX];
	struct timespec t = {(time_t)(wait / USEC_PER_SEC), (long)(wait % USEC_PER_SEC) * 1000};

	if (n > LINKS_MAX)
		die("more than %d connections", LINKS_MAX);
	for (uint32_t i = 0; i < n; i++) {
		short events = POLLIN;

		if (PQflush(links[i].pg) > 0)
			events = POLLIN | POLLOUT;
		p[i] = (struct pollfd){PQsocket(links[i].pg), events, 0};
	}
	if (ppoll(p, n, &t, NULL) < 0 && errno != EINTR)
		die("ppoll(): %s", strerror(errno));
	for (uint32_t i = 0; i < n; i++)
		if (p[i].revents != 0)
			take_results(&links[i]);
}
