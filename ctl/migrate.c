/*
 * chatctl migrate: applies the numbered files, each in one transaction together with its row in
 * chat.schema_version. Running it again does what is missing and nothing else.
 *
 * Two runs are kept apart by an advisory lock of the transaction. It is tried for, not waited for
 * inside a statement: a statement that waits holds a snapshot, and CREATE INDEX CONCURRENTLY of the
 * other run would wait for its end.
 */
#include "ctl/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/mem.h"
#include "ctl/commands.h"
#include "ctl/db.h"
#include "ctl/migrations.h"
#include "ctl/sql_split.h"

#define SQL_DIR "/usr/share/chat-server/sql"
#define LOCK_PAUSE_NS 100000000

/* "chat" in ASCII, and the number of this use */
#define LOCK_KEY "1667785076, 2"

struct run {
	PGconn *db;
	const struct migrations *files;
	struct outcome *outcome;
	bool waiting; /* it was said that another run is waited for */
};

/* A statement whose result does not matter. CTL_OK or why not. */
static int run_sql(PGconn *db, const char *sql)
{
	PGresult *r = db_query(db, sql, 0, NULL);
	int status = r != NULL ? CTL_OK : db_failed(db);

	PQclear(r);
	return status;
}

/* A statement that gives one boolean. */
static int ask(PGconn *db, const char *sql, bool *ret_yes)
{
	PGresult *r = db_query(db, sql, 0, NULL);

	if (r == NULL)
		return db_failed(db);
	*ret_yes = strcmp(PQgetvalue(r, 0, 0), "t") == 0;
	PQclear(r);
	return CTL_OK;
}

static void say_waiting(struct run *run)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};

	if (!run->waiting)
		(void)fputs("chatctl: waiting for another migration to end\n", stderr);
	run->waiting = true;
	(void)nanosleep(&pause, NULL); /* sooner after a signal, which does no harm */
}

/* ---- what was applied ---- */

/* The rows of chat.schema_version; a database that never had the table has none. */
static int read_applied(PGconn *db, PGresult **ret_rows)
{
	bool exists = false;
	int status = ask(db, "SELECT to_regclass('chat.schema_version') IS NOT NULL", &exists);

	if (status != CTL_OK)
		return status;
	*ret_rows = db_query(db,
			     exists ? "SELECT version, name, sha256, applied_at, applied_by"
				      " FROM chat.schema_version ORDER BY version"
				    : "SELECT 0, '', '', now(), '' WHERE false",
			     0, NULL);
	return *ret_rows != NULL ? CTL_OK : db_failed(db);
}

static unsigned row_version(const PGresult *rows, int row)
{
	unsigned long long version;

	return slice_to_u64(slice_str(PQgetvalue(rows, row, 0)), &version) && version <= UINT32_MAX
		       ? (unsigned)version
		       : 0;
}

static int find_row(const PGresult *rows, unsigned version)
{
	for (int row = 0; row < PQntuples(rows); row++) {
		if (row_version(rows, row) == version)
			return row;
	}
	return -1;
}

/* Whether the files may be applied to this database at all; says why not. */
static int judge(const struct run *run, const PGresult *rows)
{
	unsigned newest = 0;

	for (int row = 0; row < PQntuples(rows); row++) {
		unsigned version = row_version(rows, row);

		newest = MAX(newest, version);
		switch (migrations_compare(run->files, version,
					   slice_str(PQgetvalue(rows, row, 2)))) {
		case MIGRATION_SAME:
			break;
		case MIGRATION_CHANGED:
			(void)fprintf(stderr,
				      "chatctl: %s is not the file that was applied as version %u; "
				      "a released file never changes\n",
				      run->files->v[version - 1].file, version);
			return CTL_REFUSED;
		case MIGRATION_UNKNOWN:
			(void)fprintf(stderr,
				      "chatctl: the database has version %u (%s), the files end at "
				      "%zu: use the newer release\n",
				      version, PQgetvalue(rows, row, 1), run->files->n);
			return CTL_REFUSED;
		}
	}
	for (unsigned version = 1; version < newest; version++) {
		if (find_row(rows, version) < 0) {
			(void)fprintf(
				stderr,
				"chatctl: version %u was never applied, but %u was: the table "
				"chat.schema_version was tampered with\n",
				version, newest);
			return CTL_REFUSED;
		}
	}
	return CTL_OK;
}

/* ---- applying ---- */

static int blame(const struct run *run, const struct migration *m, const PGresult *r)
{
	const char *position = PQresultErrorField(r, PG_DIAG_STATEMENT_POSITION);
	unsigned long long at = 0;

	if (position != NULL && m->transaction && slice_to_u64(slice_str(position), &at))
		(void)fprintf(stderr, "chatctl: %s:%zu: ", m->file, migration_line(m, (size_t)at));
	else
		(void)fprintf(stderr, "chatctl: %s: ", m->file);
	(void)fputs(r != NULL ? PQresultErrorMessage(r) : PQerrorMessage(run->db), stderr);
	return db_failed(run->db);
}

/* Notes the file as applied, as the owner of the table. */
static int note(const struct run *run, const struct migration *m)
{
	char version[16];
	const char *params[] = {version, m->name, m->sha256};
	PGresult *r;

	(void)snprintf(version, sizeof(version), "%u", m->version);
	int status = run_sql(run->db, "SET ROLE chat_owner");

	if (status != CTL_OK)
		return status;
	r = db_query(run->db,
		     "INSERT INTO chat.schema_version (version, name, sha256)"
		     " VALUES ($1::int, $2, $3)",
		     3, params);
	if (r == NULL)
		return db_failed(run->db);
	PQclear(r);
	return run_sql(run->db, "RESET ROLE");
}

/* Whether another run has applied it while we waited for the lock. */
static int applied_meanwhile(const struct run *run, const struct migration *m, bool *ret_applied)
{
	PGresult *rows;
	int status = read_applied(run->db, &rows);

	if (status != CTL_OK)
		return status;
	status = judge(run, rows);
	*ret_applied = find_row(rows, m->version) >= 0;
	PQclear(rows);
	return status;
}

/* Inside a transaction that holds the lock. */
static int apply_in_transaction(const struct run *run, const struct migration *m)
{
	int status = run_sql(run->db, "SET LOCAL lock_timeout = '5s'");
	PGresult *r;

	if (status != CTL_OK)
		return status;
	r = PQexec(run->db, m->text);
	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK &&
	    PQresultStatus(r) != PGRES_EMPTY_QUERY)
		status = blame(run, m, r);
	PQclear(r);
	if (status == CTL_OK && PQtransactionStatus(run->db) != PQTRANS_INTRANS) {
		(void)fprintf(stderr, "chatctl: %s: it ends the transaction that it runs in\n",
			      m->file);
		status = CTL_REFUSED;
	}
	if (status == CTL_OK)
		status = note(run, m);
	return status;
}

/* Begins a transaction that holds the lock. */
static int begin_locked(struct run *run)
{
	for (;;) {
		bool locked = false;
		int status = run_sql(run->db, "BEGIN");

		if (status == CTL_OK)
			status = ask(run->db, "SELECT pg_try_advisory_xact_lock(" LOCK_KEY ")",
				     &locked);
		if (status != CTL_OK || locked)
			return status;
		status = run_sql(run->db, "ROLLBACK");
		if (status != CTL_OK)
			return status;
		say_waiting(run);
	}
}

static int apply_whole(struct run *run, const struct migration *m)
{
	bool applied = false;
	int status = begin_locked(run);

	if (status == CTL_OK)
		status = applied_meanwhile(run, m, &applied);
	if (status == CTL_OK && !applied)
		status = apply_in_transaction(run, m);
	if (status == CTL_OK)
		status = run_sql(run->db, "COMMIT");
	else if (PQstatus(run->db) == CONNECTION_OK)
		(void)run_sql(run->db, "ROLLBACK"); /* the first error is the one that counts */
	return status;
}

/* Outside of a transaction, under a lock of the session. */
static int apply_statements(const struct run *run, const struct migration *m)
{
	struct slice rest = slice_of(m->text, m->size);
	struct slice statement;
	int status = run_sql(run->db, "SET lock_timeout = '5s'");

	while (status == CTL_OK && sql_next(&rest, &statement)) {
		char *sql = slice_dup(statement);
		PGresult *r = PQexec(run->db, sql);

		if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
			status = blame(run, m, r);
		PQclear(r);
		free(sql);
	}
	if (status == CTL_OK)
		status = run_sql(run->db, "RESET ROLE");
	return status == CTL_OK ? note(run, m) : status;
}

static int apply_stepwise(struct run *run, const struct migration *m)
{
	bool locked = false;
	bool applied = false;
	int status = CTL_OK;

	while (status == CTL_OK && !locked) {
		status = ask(run->db, "SELECT pg_try_advisory_lock(" LOCK_KEY ")", &locked);
		if (status == CTL_OK && !locked)
			say_waiting(run);
	}
	if (status == CTL_OK)
		status = applied_meanwhile(run, m, &applied);
	if (status == CTL_OK && !applied)
		status = apply_statements(run, m);
	if (locked && PQstatus(run->db) == CONNECTION_OK)
		(void)run_sql(run->db, "SELECT pg_advisory_unlock(" LOCK_KEY ")");
	return status;
}

static int apply_missing(struct run *run, const PGresult *rows)
{
	size_t count = 0;

	for (size_t i = 0; i < run->files->n; i++) {
		const struct migration *m = &run->files->v[i];
		int status;

		if (find_row(rows, m->version) >= 0)
			continue;
		status = m->transaction ? apply_whole(run, m) : apply_stepwise(run, m);
		if (status != CTL_OK)
			return status;
		outcome_add(run->outcome, m->file, "applied");
		count++;
	}
	if (count == 0 && !run->outcome->json)
		(void)printf("nothing to do, the database has version %zu\n", run->files->n);
	return CTL_OK;
}

/* ---- showing ---- */

static void show_line(const struct migration *m, const PGresult *rows, bool json)
{
	int row = find_row(rows, m->version);
	const char *state = "missing";
	const char *at = row >= 0 ? PQgetvalue(rows, row, 3) : "";

	if (row >= 0)
		state = strcmp(PQgetvalue(rows, row, 2), m->sha256) == 0 ? "applied" : "changed";
	if (json)
		(void)printf("%s{\"version\":%u,\"name\":\"%s\",\"state\":\"%s\","
			     "\"applied_at\":%s%s%s}",
			     m->version > 1 ? ",\n" : "\n", m->version, m->name, state,
			     row >= 0 ? "\"" : "", row >= 0 ? at : "null", row >= 0 ? "\"" : "");
	else
		(void)printf("%-24s  %-8s  %s\n", m->file, state, at);
}

static int show(const struct run *run, const PGresult *rows, bool json)
{
	if (json)
		(void)putchar('[');
	for (size_t i = 0; i < run->files->n; i++)
		show_line(&run->files->v[i], rows, json);
	if (json)
		(void)fputs("\n]\n", stdout);
	int status = judge(run, rows);

	if (status == CTL_OK && (size_t)PQntuples(rows) < run->files->n)
		status = CTL_REFUSED;
	return status;
}

/* ---- for chatctl setup ---- */

static void print_file(const struct migration *m)
{
	(void)printf("\n-- %s\n%s%.*s", m->file, m->transaction ? "BEGIN;\n" : "", (int)m->size,
		     m->text);
	(void)printf("\nSET ROLE chat_owner;\n"
		     "INSERT INTO chat.schema_version (version, name, sha256) VALUES (%u, '%s', "
		     "'%s');\nRESET ROLE;\n%s",
		     m->version, m->name, m->sha256, m->transaction ? "COMMIT;\n" : "");
}

static void print_missing(const struct migrations *files, const PGresult *rows)
{
	for (size_t i = 0; i < files->n; i++) {
		if (rows == NULL || find_row(rows, files->v[i].version) < 0)
			print_file(&files->v[i]);
	}
}

int migrate_database(PGconn *db, const char *sql_dir, bool print, struct outcome *o)
{
	struct migrations_fault fault;
	struct migrations *files = migrations_read(sql_dir != NULL ? sql_dir : SQL_DIR, &fault);
	struct run run = {.db = db, .files = files, .outcome = o};
	PGresult *rows = NULL;
	int status = CTL_OK;

	if (files == NULL) {
		(void)fprintf(stderr, "chatctl: %s\n", fault.text);
		return CTL_CONFIG;
	}
	if (db != NULL)
		status = read_applied(db, &rows);
	if (status == CTL_OK && rows != NULL)
		status = judge(&run, rows);
	if (status == CTL_OK && print)
		print_missing(files, rows);
	else if (status == CTL_OK)
		status = apply_missing(&run, rows);
	PQclear(rows);
	migrations_free(files);
	return status;
}

static int apply_told(struct run *run, const PGresult *rows, bool json)
{
	struct outcome o;
	int status;

	outcome_begin(&o, json, true);
	run->outcome = &o;
	status = apply_missing(run, rows);
	outcome_end(&o);
	run->outcome = NULL;
	return status;
}

int command_migrate(const struct args *args)
{
	struct migrations_fault fault;
	struct run run = {0};
	struct migrations *files;
	PGresult *rows = NULL;
	int status;

	files = migrations_read(args->sql_dir != NULL ? args->sql_dir : SQL_DIR, &fault);
	if (files == NULL) {
		(void)fprintf(stderr, "chatctl: %s\n", fault.text);
		return CTL_CONFIG;
	}
	run.files = files;
	status = db_open(args, &run.db);
	if (status == CTL_OK)
		status = read_applied(run.db, &rows);
	if (status == CTL_OK && args->status)
		status = show(&run, rows, args->json);
	else if (status == CTL_OK && (status = judge(&run, rows)) == CTL_OK)
		status = apply_told(&run, rows, args->json);
	PQclear(rows);
	PQfinish(run.db);
	migrations_free(files);
	return status;
}
