/*
 * A connection to the database for the commands, on blocking libpq. Errors are written to standard
 * error where they happen; callers only pass the exit status on.
 *
 *	PGconn *db;
 *	int status = db_open(args, &db);
 *	if (status != CTL_OK)
 *		return status;
 *	PGresult *r = db_query(db, "SELECT ...", 2, (const char *[]){a, b});
 *	...
 *	PQclear(r);
 *	PQfinish(db);
 */
#ifndef CTL_DB_H
#define CTL_DB_H

#include <libpq-fe.h>

#include "common/base/macros.h"
#include "common/conf/conf_file.h"
#include "ctl/args.h"

/* Types as pg_type numbers them, which never change. */
enum db_type {
	DB_BOOL = 16,
	DB_INT8 = 20,
	DB_INT2 = 21,
	DB_INT4 = 23,
	DB_TEXT = 25,
	DB_JSON = 114,
	DB_JSONB = 3802,
};

/* The files of --config, else CONF_FILE if it exists, and the environment. CTL_OK or CTL_CONFIG. */
MUST_CHECK int db_config(const struct args *args, bool secrets, struct conf **ret_conf);

/*
 * System user of a fresh PostgreSQL, who is its superuser by peer authentication, and that of
 * chat-broker.service.
 */
#define DB_ADMIN "postgres"
#define DB_BROKER "chat-broker"

/*
 * By --conninfo, else by the configuration. Where that leaves it to the system user who one is, on
 * a server of this machine, root connects as system user `as`. CTL_OK, CTL_CONFIG or
 * CTL_UNAVAILABLE.
 */
MUST_CHECK int db_open_as(const struct args *args, const char *as, PGconn **ret_db);

/* The same for who administers what is in the tables: as DB_ADMIN. */
MUST_CHECK int db_open(const struct args *args, PGconn **ret_db);

/*
 * A connection for who sets up the database: `conninfo` with `database` in place of what it names,
 * by root as DB_ADMIN if `as_admin`. CTL_OK or CTL_UNAVAILABLE.
 */
MUST_CHECK int db_open_at(const char *conninfo, const char *database, bool as_admin,
			  PGconn **ret_db);

/*
 * One statement with text parameters (NULL = null). NULL when it failed; else the result, to be
 * cleared by the caller.
 */
MUST_CHECK PGresult *db_query(PGconn *db, const char *sql, int nparams, const char *const *params);

/* The exit status after a failed statement: CTL_UNAVAILABLE when the connection is gone. */
MUST_CHECK int db_failed(const PGconn *db);

/*
 * The rows for people, in aligned columns, or with `json` one array of objects for programs:
 * integers, booleans and json columns as such, all else as strings.
 */
void db_print(const PGresult *r, bool json);

/* One row as a JSON object on a line of its own. */
void db_print_object(const PGresult *r, int row);

#endif
