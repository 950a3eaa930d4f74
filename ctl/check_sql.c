#include "ctl/check_sql.h"

#include <stdio.h>
#include <string.h>

#include "broker/store/pg_check.h"
#include "broker/store/store.h"
#include "common/base/buf.h"
#include "common/base/slice.h"
#include "ctl/commands.h"
#include "ctl/db.h"
#include "ctl/outcome.h"

#define ERROR_MAX 2048

struct checking {
	PGconn *db;
	struct outcome *o;
	struct pg_stmts stmts;
	unsigned checked;
	unsigned faults;
	bool lost;
};

/* ---- what is said ---- */

static void blame(struct checking *k, const struct pg_stmt *s, const char *text)
{
	k->faults++;
	if (s->own != NULL)
		outcome_find(k->o, "statement", FINDING_WRONG, "[sql \"%s\"] query: %s", s->name,
			     text);
	else
		outcome_find(k->o, "statement", FINDING_WRONG, "statement %s: %s", s->name, text);
}

/* The server counts characters from 1. */
static void put_place(struct buf *out, const char *text, unsigned long long position)
{
	unsigned long long line = 1;
	unsigned long long column = 1;

	for (const char *p = text; *p != '\0' && position > 1; p++) {
		if (((unsigned char)*p & 0xc0) == 0x80)
			continue;
		position--;
		column++;
		if (*p == '\n') {
			line++;
			column = 1;
		}
	}
	(void)buf_printf(out, "line %llu, column %llu: ", line, column);
}

static void say_error(struct checking *k, const struct pg_stmt *s, const PGresult *r)
{
	const char *position = PQresultErrorField(r, PG_DIAG_STATEMENT_POSITION);
	const char *message = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
	const char *hint = PQresultErrorField(r, PG_DIAG_MESSAGE_HINT);
	unsigned long long at;
	struct buf out;

	if (PQstatus(k->db) != CONNECTION_OK) {
		k->lost = true;
		(void)fprintf(stderr, "chatctl: %s", PQerrorMessage(k->db));
		return;
	}
	buf_init(&out, ERROR_MAX);
	if (position != NULL && slice_to_u64(slice_str(position), &at))
		put_place(&out, s->text, at);
	(void)buf_printf(&out, "%s%s%s", message != NULL ? message : "refused",
			 hint != NULL ? ". " : "", hint != NULL ? hint : "");
	blame(k, s, buf_ok(&out) ? buf_cstr(&out) : "refused");
	buf_done(&out);
}

/* ---- statements ---- */

/* As the store takes them. */
static void take_own(struct checking *k, const struct conf *conf)
{
	for (size_t i = 0; i < conf->nsqls; i++) {
		const struct conf_sql *sql = &conf->sqls[i];
		bool rule = conf_sql_is_rule(conf, sql->name);
		bool taken = rule ? pg_stmts_add_rule(&k->stmts, sql->name, sql->query)
				  : pg_stmts_replace(&k->stmts, sql->name, sql->query);

		if (taken)
			continue;
		k->faults++;
		outcome_find(k->o, "statement", FINDING_WRONG, "[sql \"%s\"]: %s", sql->name,
			     rule ? "the name is one of the broker's, or there are too many rules"
				  : "there is no statement of that name, and no channel's rule");
	}
}

static bool prepare(struct checking *k, const struct pg_stmt *s)
{
	Oid types[PG_PARAMS_MAX];
	PGresult *r;
	bool ok;

	for (int i = 0; i < PG_PARAMS_MAX; i++)
		types[i] = (Oid)s->types[i];
	r = PQprepare(k->db, s->name, s->text, pg_stmt_params(s), types);
	ok = PQresultStatus(r) == PGRES_COMMAND_OK;
	if (!ok)
		say_error(k, s, r);
	PQclear(r);
	return ok;
}

static bool describe(struct checking *k, const struct pg_stmt *s)
{
	PGresult *r = PQdescribePrepared(k->db, s->name);
	char fault[PG_CHECK_TEXT];
	bool ok = PQresultStatus(r) == PGRES_COMMAND_OK;

	if (!ok) {
		say_error(k, s, r);
	} else if (!pg_check(s, r, fault)) {
		blame(k, s, fault);
		ok = false;
	}
	PQclear(r);
	return ok;
}

/* A plan that is made to be looked at is made with the same rights as one that runs. */
static void explain(struct checking *k, const struct pg_stmt *s)
{
	struct buf sql;
	PGresult *r;

	buf_init(&sql, 4096);
	(void)buf_printf(&sql, "EXPLAIN EXECUTE \"%s\"", s->name);
	for (int i = 0; i < pg_stmt_params(s); i++)
		(void)buf_printf(&sql, "%s", i == 0 ? "(NULL" : ", NULL");
	(void)buf_printf(&sql, "%s", pg_stmt_params(s) > 0 ? ")" : "");
	r = PQexec(k->db, buf_cstr(&sql));
	if (PQresultStatus(r) != PGRES_TUPLES_OK)
		say_error(k, s, r);
	PQclear(r);
	buf_done(&sql);
}

static void check_all(struct checking *k)
{
	for (size_t i = 0; i < k->stmts.n && !k->lost; i++) {
		const struct pg_stmt *s = &k->stmts.v[i];

		if (!pg_stmt_used(s))
			continue;
		k->checked++;
		if (prepare(k, s) && describe(k, s))
			explain(k, s);
	}
}

/* ---- the database ---- */

/* As the broker's sessions are, but for writing. */
static bool settle(PGconn *db)
{
	PGresult *r = PQexec(db, "SET search_path TO DEFAULT; SET timezone = 'UTC';"
				 " SET default_transaction_read_only = on;"
				 " SET statement_timeout = '10s'; SET lock_timeout = '2s'");
	bool ok = PQresultStatus(r) == PGRES_COMMAND_OK;

	if (!ok)
		(void)fprintf(stderr, "chatctl: %s", PQerrorMessage(db));
	PQclear(r);
	return ok;
}

/* False: there is no schema, or an older one. */
static bool schema_is_new(PGconn *db, struct outcome *o)
{
	PGresult *r = PQexec(db, "SELECT max(version) FROM chat.schema_version");
	unsigned long long version = 0;
	bool ok = PQresultStatus(r) == PGRES_TUPLES_OK &&
		  slice_to_u64(slice_str(PQgetvalue(r, 0, 0)), &version) &&
		  version >= STORE_SCHEMA_MIN;

	if (!ok)
		outcome_find(o, "schema", FINDING_WRONG,
			     "the schema of the database has version %llu, %d is needed: run "
			     "chatctl migrate",
			     version, STORE_SCHEMA_MIN);
	PQclear(r);
	return ok;
}

int check_statements(const struct conf *conf, PGconn *db, struct outcome *o)
{
	struct checking k = {.db = db, .o = o};
	int status = CTL_OK;

	if (!settle(db))
		return db_failed(db);
	if (!schema_is_new(db, o))
		return PQstatus(db) == CONNECTION_OK ? CTL_REFUSED : CTL_UNAVAILABLE;
	pg_stmts_init(&k.stmts);
	take_own(&k, conf);
	check_all(&k);
	if (k.lost)
		status = CTL_UNAVAILABLE;
	else if (k.faults > 0)
		status = CTL_CONFIG;
	else
		outcome_find(o, "database", FINDING_RIGHT,
			     "the database is right: %u statements, %zu of them configured",
			     k.checked, conf->nsqls);
	pg_stmts_done(&k.stmts);
	return status;
}
