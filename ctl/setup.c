/*
 * chatctl setup: what an installation needs once. Each step looks whether its work is done, so
 * running it again does what is missing and nothing else. With --dry-run the statements are written
 * as a script for psql, which somebody else may run who has the rights.
 *
 * Without --conninfo, root connects as postgres does: the system user for which a fresh PostgreSQL
 * of Debian has a superuser.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/hmac.h"
#include "ctl/app_file.h"
#include "ctl/commands.h"
#include "ctl/db.h"
#include "ctl/migrate.h"
#include "ctl/outcome.h"

#define ADMIN_DATABASE "postgres"
#define NAME_MAX_BYTES 64 /* NAMEDATALEN */
#define QUOTED_MAX (2 * NAME_MAX_BYTES + 3)
#define LOGINS_MAX "30" /* a broker keeps six; two may live for a moment */

struct setup {
	const struct args *args;
	const struct conf *conf;
	struct outcome *outcome;
	char server[512]; /* host and port of the configured database */
	char role[NAME_MAX_BYTES];
	char database[NAME_MAX_BYTES];
	char role_sql[QUOTED_MAX]; /* both quoted as identifiers */
	char database_sql[QUOTED_MAX];
	bool new_database;
	bool superuser;
	PGconn *db;
};

/* ---- names ---- */

/* "a""b": PQescapeIdentifier() without a connection, for names that are UTF-8. */
static void quote(const char *name, char out[QUOTED_MAX])
{
	size_t n = 0;

	out[n++] = '"';
	for (; *name != '\0'; name++) {
		if (*name == '"')
			out[n++] = '"';
		out[n++] = *name;
	}
	out[n++] = '"';
	out[n] = '\0';
}

static bool set_name(char out[NAME_MAX_BYTES], const char *name, const char *what)
{
	if (strlen(name) < NAME_MAX_BYTES) {
		(void)snprintf(out, NAME_MAX_BYTES, "%s", name);
		return true;
	}
	(void)fprintf(stderr, "chatctl: [database] conninfo: the name of the %s is too long\n",
		      what);
	return false;
}

/* One option of a connection string, with its quotes. */
static void add_option(struct setup *s, const char *key, const char *value)
{
	struct buf text;

	buf_init(&text, sizeof(s->server) - 1);
	(void)buf_printf(&text, "%s%s='", s->server, key);
	for (; *value != '\0'; value++) {
		if (*value == '\'' || *value == '\\')
			(void)buf_addc(&text, '\\');
		(void)buf_addc(&text, *value);
	}
	(void)buf_add(&text, SLICE("' "));
	if (buf_ok(&text))
		(void)snprintf(s->server, sizeof(s->server), "%.*s", SLICE_ARG(buf_slice(&text)));
	buf_done(&text);
}

/* Where the database is to be, and for whom. */
static int read_conninfo(struct setup *s)
{
	const char *role = DB_BROKER;
	const char *database = NULL;
	char *fault = NULL;
	PQconninfoOption *options = PQconninfoParse(s->conf->database.conninfo, &fault);
	bool ok;

	if (options == NULL) {
		(void)fprintf(stderr, "chatctl: [database] conninfo: %s",
			      fault != NULL ? fault : "out of memory\n");
		PQfreemem(fault);
		return CTL_CONFIG;
	}
	if (s->conf->broker.user[0] != '\0')
		role = s->conf->broker.user;
	for (const PQconninfoOption *o = options; o->keyword != NULL; o++) {
		if (o->val == NULL)
			continue;
		if (strcmp(o->keyword, "user") == 0)
			role = o->val;
		else if (strcmp(o->keyword, "dbname") == 0)
			database = o->val;
		else if (strncmp(o->keyword, "host", 4) == 0 || strcmp(o->keyword, "port") == 0 ||
			 strncmp(o->keyword, "ssl", 3) == 0)
			add_option(s, o->keyword, o->val);
	}
	ok = set_name(s->role, role, "role") &&
	     set_name(s->database, database != NULL ? database : role, "database");
	PQconninfoFree(options);
	quote(s->role, s->role_sql);
	quote(s->database, s->database_sql);
	return ok ? CTL_OK : CTL_CONFIG;
}

/* ---- connecting ---- */

static int open_at(const struct setup *s, const char *database, PGconn **ret_db)
{
	bool named = s->args->conninfo != NULL;

	return db_open_at(named ? s->args->conninfo : s->server, database, !named, ret_db);
}

/* ---- steps ---- */

/* Runs a statement and says what it made, or prints it. */
static int step(const struct setup *s, const char *sql, const char *made)
{
	PGresult *r;

	if (s->args->dry_run) {
		(void)printf("%s;\n", sql);
		return CTL_OK;
	}
	r = db_query(s->db, sql, 0, NULL);
	if (r == NULL)
		return db_failed(s->db);
	PQclear(r);
	if (made != NULL)
		outcome_add(s->outcome, made, "made");
	return CTL_OK;
}

/* A question with one text parameter, answered by one boolean. */
static int ask(const struct setup *s, const char *sql, const char *name, bool *ret_yes)
{
	PGresult *r = db_query(s->db, sql, 1, (const char *[]){name});

	if (r == NULL)
		return db_failed(s->db);
	*ret_yes = strcmp(PQgetvalue(r, 0, 0), "t") == 0;
	PQclear(r);
	return CTL_OK;
}

/* The password of [database] password_file as its SCRAM verifier, which the server stores. */
static int verifier_of(const struct setup *s, char **ret_verifier)
{
	const char *file = s->conf->database.password_file;
	char *password = NULL;
	int r;

	*ret_verifier = NULL;
	if (file[0] == '\0')
		return CTL_OK;
	r = conf_secret(file, &password);
	if (r < 0) {
		(void)fprintf(stderr, "chatctl: [database] password_file = %s: %s\n", file,
			      strerror(-r));
		return CTL_CONFIG;
	}
	*ret_verifier = PQencryptPasswordConn(s->db, password, s->role, "scram-sha-256");
	crypto_free_str(password);
	if (*ret_verifier != NULL)
		return CTL_OK;
	(void)fprintf(stderr, "chatctl: %s", PQerrorMessage(s->db));
	return CTL_REFUSED;
}

static int make_role(const struct setup *s)
{
	char sql[512];
	char *verifier = NULL;
	bool exists = false;
	int status =
		ask(s, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", s->role, &exists);

	if (status != CTL_OK || exists)
		return status;
	status = verifier_of(s, &verifier);
	if (status != CTL_OK)
		return status;
	(void)snprintf(sql, sizeof(sql),
		       "CREATE ROLE %s LOGIN CONNECTION LIMIT " LOGINS_MAX "%s%s%s", s->role_sql,
		       verifier != NULL ? " PASSWORD '" : "", verifier != NULL ? verifier : "",
		       verifier != NULL ? "'" : "");
	PQfreemem(verifier);
	return step(s, sql, "role");
}

static int make_database(struct setup *s)
{
	char sql[512];
	bool exists = false;
	int status = ask(s, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)",
			 s->database, &exists);

	s->new_database = status == CTL_OK && !exists;
	if (!s->new_database)
		return status;
	(void)snprintf(sql, sizeof(sql), "CREATE DATABASE %s ENCODING 'UTF8' TEMPLATE template0",
		       s->database_sql);
	return step(s, sql, "database");
}

/* The roles of the schema, which the files want to find unless a superuser runs them. */
static int make_roles_for_others(struct setup *s)
{
	static const char *const roles[] = {"chat_owner", "chat_broker", "chat_app",
					    "chat_readonly"};
	char sql[128];
	bool exists = false;
	int status = ask(s,
			 "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
			 " AND $1::text IS NOT NULL",
			 s->role, &s->superuser);

	if (status != CTL_OK || s->superuser)
		return status;
	for (size_t i = 0; i < ARRAY_LEN(roles) && status == CTL_OK; i++) {
		status = ask(s, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", roles[i],
			     &exists);
		(void)snprintf(sql, sizeof(sql), "CREATE ROLE %s NOLOGIN", roles[i]);
		if (status == CTL_OK && !exists)
			status = step(s, sql, NULL);
	}
	return status == CTL_OK ? step(s, "GRANT chat_owner TO CURRENT_USER", NULL) : status;
}

/* A database of its own is nobody else's; one that existed keeps its rights. */
static int close_database(const struct setup *s)
{
	char sql[512];
	int status;

	if (!s->new_database)
		return CTL_OK;
	(void)snprintf(sql, sizeof(sql), "REVOKE ALL ON DATABASE %s FROM PUBLIC", s->database_sql);
	status = step(s, sql, NULL);
	(void)snprintf(sql, sizeof(sql),
		       "GRANT CONNECT ON DATABASE %s TO chat_owner, chat_broker, chat_app, "
		       "chat_readonly",
		       s->database_sql);
	return status == CTL_OK ? step(s, sql, NULL) : status;
}

static int grant_role(const struct setup *s)
{
	char sql[256];
	bool member = false;
	int status = CTL_OK;

	if (s->db != NULL)
		status = ask(s,
			     "SELECT EXISTS (SELECT FROM pg_roles b, pg_roles r"
			     " WHERE b.rolname = 'chat_broker' AND r.rolname = $1"
			     " AND pg_has_role(r.oid, b.oid, 'MEMBER'))",
			     s->role, &member);
	if (status != CTL_OK || member)
		return status;
	(void)snprintf(sql, sizeof(sql), "GRANT chat_broker TO %s", s->role_sql);
	return step(s, sql, "membership of chat_broker");
}

/* Everything inside of the database. s->db is NULL when it is to be made by the printed script. */
static int fill(const struct setup *s)
{
	int status = CTL_OK;

	if (!s->superuser)
		status = step(s, "CREATE SCHEMA IF NOT EXISTS chat AUTHORIZATION chat_owner", NULL);
	if (status == CTL_OK)
		status = migrate_database(s->db, s->args->sql_dir, s->args->dry_run, s->outcome);
	if (status == CTL_OK)
		status = close_database(s);
	if (status == CTL_OK)
		status = grant_role(s);
	return status;
}

static int set_up_database(struct setup *s)
{
	int status = read_conninfo(s);

	if (status == CTL_OK)
		status = open_at(s, ADMIN_DATABASE, &s->db);
	if (status != CTL_OK)
		return status;
	if (s->args->dry_run)
		(void)puts("\\set ON_ERROR_STOP on");
	status = make_role(s);
	if (status == CTL_OK)
		status = make_database(s);
	if (status == CTL_OK)
		status = make_roles_for_others(s);
	PQfinish(s->db);
	s->db = NULL;
	if (status == CTL_OK && s->args->dry_run)
		(void)printf("\\connect %s\n", s->database_sql);
	if (status == CTL_OK && !(s->args->dry_run && s->new_database))
		status = open_at(s, s->database, &s->db);
	if (status == CTL_OK)
		status = fill(s);
	PQfinish(s->db);
	return status;
}

int command_setup(const struct args *args)
{
	struct outcome o;
	struct setup s = {.args = args, .outcome = &o};
	struct conf *conf;
	int status;

	if (args->json && args->dry_run) {
		(void)fputs("chatctl: --dry-run writes SQL, not JSON\n", stderr);
		return CTL_USAGE;
	}
	status = db_config(args, false, &conf);
	if (status != CTL_OK)
		return status;
	outcome_begin(&o, args->json, true);
	s.conf = conf;
	if (conf->database.conninfo[0] != '\0')
		status = set_up_database(&s);
	else
		(void)fputs("chatctl: [database] conninfo is empty: no database is set up\n",
			    stderr);
	if (status == CTL_OK)
		status = app_file_first(conf, args->nfiles > 0 ? args->files[0] : CONF_FILE,
					args->dry_run, &o);
	if (status == CTL_OK && !args->dry_run && !args->json)
		(void)puts("all is set up");
	outcome_end(&o);
	conf_free(conf);
	return status;
}
