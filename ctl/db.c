#include "ctl/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/crypto/hmac.h"
#include "common/proc/privs.h"
#include "ctl/commands.h"

int db_config(const struct args *args, bool secrets, struct conf **ret_conf)
{
	struct conf_source source = {
		.file = args->nfiles > 0 ? args->files[0] : CONF_FILE,
		.optional = args->nfiles == 0,
		.more = args->files + 1,
		.nmore = args->nfiles > 1 ? args->nfiles - 1 : 0,
		.env = environ,
		.secrets = secrets,
	};
	struct conf_fault fault;

	if (conf_load(&source, ret_conf, &fault))
		return CTL_OK;
	(void)fprintf(stderr, "chatctl: %s\n", fault.text);
	return CTL_CONFIG;
}

/* Messages of the server without the context that only its functions understand. */
static void on_notice(void *ctx, const PGresult *r)
{
	const char *severity = PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED);

	(void)ctx;
	if (severity != NULL && strcmp(severity, "WARNING") == 0)
		(void)fprintf(stderr, "chatctl: %s\n",
			      PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY));
}

/* What stands later overrides: the conninfo may name a time limit of its own. */
static int connect_to(const char *conninfo, const char *password, const char *database,
		      PGconn **ret_db)
{
	const char *keys[] = {"connect_timeout",
			      "dbname",
			      "client_encoding",
			      "fallback_application_name",
			      "password",
			      "dbname",
			      NULL};
	const char *values[] = {"10", conninfo, "UTF8", "chatctl", password, database, NULL};
	PGconn *db = PQconnectdbParams(keys, values, 1);
	PGresult *r = NULL;

	if (db == NULL)
		die("out of memory connecting");
	PQsetNoticeReceiver(db, on_notice, NULL);
	if (PQstatus(db) == CONNECTION_OK)
		r = PQexec(db, "SET timezone = 'UTC'; SET search_path = pg_catalog");
	if (PQresultStatus(r) != PGRES_COMMAND_OK) {
		(void)fprintf(stderr, "chatctl: %s", PQerrorMessage(db));
		PQclear(r);
		PQfinish(db);
		return CTL_UNAVAILABLE;
	}
	PQclear(r);
	*ret_db = db;
	return CTL_OK;
}

/* The same as another system user, who is somebody for the database; only root can. */
static int connect_as(const char *user, const char *conninfo, const char *password,
		      const char *database, PGconn **ret_db)
{
	unsigned uid = 0;
	unsigned gid = 0;
	bool other = user != NULL && privs_are_root() && privs_lookup(user, &uid, &gid) == 0;
	int status;

	if (other && (setegid(gid) != 0 || seteuid(uid) != 0))
		die("cannot become user %s", user);
	status = connect_to(conninfo, password, database, ret_db);
	if (other && (seteuid(0) != 0 || setegid(0) != 0))
		die("cannot become root again");
	return status;
}

/* The server runs here and believes the kernel who one is: no role is named, no other host. */
static bool trusts_system_user(const char *conninfo)
{
	PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
	bool is_so = options != NULL;

	for (const PQconninfoOption *o = options; is_so && o->keyword != NULL; o++) {
		if (o->val == NULL)
			continue;
		if (strcmp(o->keyword, "user") == 0 || strcmp(o->keyword, "hostaddr") == 0 ||
		    (strcmp(o->keyword, "host") == 0 && o->val[0] != '/'))
			is_so = false;
	}
	PQconninfoFree(options);
	return is_so;
}

static int connect_configured(const struct conf_database *conf, const char *as, PGconn **ret_db)
{
	char *password = NULL;
	int status = CTL_OK;

	if (conf->conninfo[0] == '\0') {
		(void)fputs("chatctl: [database] conninfo is empty: there is no database\n",
			    stderr);
		return CTL_CONFIG;
	}
	if (conf->password_file[0] != '\0') {
		int r = conf_secret(conf->password_file, &password);

		if (r < 0) {
			(void)fprintf(stderr, "chatctl: [database] password_file = %s: %s\n",
				      conf->password_file, strerror(-r));
			return CTL_CONFIG;
		}
	}
	if (!trusts_system_user(conf->conninfo))
		as = NULL;
	status = connect_as(as, conf->conninfo, password, NULL, ret_db);
	crypto_free_str(password);
	return status;
}

int db_open_as(const struct args *args, const char *as, PGconn **ret_db)
{
	struct conf *conf;
	int status;

	if (args->conninfo != NULL)
		return connect_to(args->conninfo, NULL, NULL, ret_db);
	status = db_config(args, false, &conf);
	if (status != CTL_OK)
		return status;
	status = connect_configured(&conf->database, as, ret_db);
	conf_free(conf);
	return status;
}

int db_open(const struct args *args, PGconn **ret_db)
{
	return db_open_as(args, DB_ADMIN, ret_db);
}

int db_open_at(const char *conninfo, const char *database, bool as_admin, PGconn **ret_db)
{
	return connect_as(as_admin ? DB_ADMIN : NULL, conninfo, NULL, database, ret_db);
}

/* What the role lacks; the broker's own may not do what administrators do. */
static void hint(const PGresult *r)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);

	if (state != NULL && strcmp(state, "42501") == 0)
		(void)fputs("chatctl: this role may not do that: be root on the host of the "
			    "database, or name another role with --conninfo\n",
			    stderr);
}

PGresult *db_query(PGconn *db, const char *sql, int nparams, const char *const *params)
{
	PGresult *r = PQexecParams(db, sql, nparams, NULL, params, NULL, NULL, 0);
	ExecStatusType s = PQresultStatus(r);

	if (s == PGRES_TUPLES_OK || s == PGRES_COMMAND_OK)
		return r;
	(void)fprintf(stderr, "chatctl: %s", PQerrorMessage(db));
	hint(r);
	PQclear(r);
	return NULL;
}

int db_failed(const PGconn *db)
{
	return PQstatus(db) == CONNECTION_OK ? CTL_REFUSED : CTL_UNAVAILABLE;
}

/* ---- output ---- */

#define OBJECT_MAX (1 << 20)

static void put_field(struct buf *out, const PGresult *r, int row, int column)
{
	const char *text = PQgetvalue(r, row, column);

	if (PQgetisnull(r, row, column)) {
		(void)buf_add(out, SLICE("null"));
		return;
	}
	switch (PQftype(r, column)) {
	case DB_BOOL:
		(void)buf_add(out, text[0] == 't' ? SLICE("true") : SLICE("false"));
		break;
	case DB_INT2:
	case DB_INT4:
	case DB_INT8:
	case DB_JSON:
	case DB_JSONB:
		(void)buf_add(out, slice_str(text));
		break;
	default:
		(void)buf_json_str(out, slice_str(text));
	}
}

static void put_object(const PGresult *r, int row)
{
	struct buf out;

	buf_init(&out, OBJECT_MAX);
	for (int c = 0; c < PQnfields(r); c++) {
		(void)buf_addc(&out, c == 0 ? '{' : ',');
		(void)buf_json_str(&out, slice_str(PQfname(r, c)));
		(void)buf_addc(&out, ':');
		put_field(&out, r, row, c);
	}
	(void)buf_addc(&out, '}');
	if (!buf_ok(&out))
		die("a row of more than %d bytes", OBJECT_MAX);
	(void)fwrite(out.p, 1, out.n, stdout); /* main() looks whether all was written */
	buf_done(&out);
}

void db_print_object(const PGresult *r, int row)
{
	put_object(r, row);
	(void)putchar('\n');
}

static void print_json(const PGresult *r)
{
	(void)putchar('[');
	for (int row = 0; row < PQntuples(r); row++) {
		(void)fputs(row == 0 ? "\n" : ",\n", stdout);
		put_object(r, row);
	}
	(void)fputs("\n]\n", stdout);
}

#define COLUMNS_MAX 16

/* Width of a column in bytes; close enough where names are not ASCII. */
static int width(const PGresult *r, int column)
{
	int most = (int)strlen(PQfname(r, column));

	for (int row = 0; row < PQntuples(r); row++)
		most = MAX(most, PQgetlength(r, row, column));
	return MIN(most, 60);
}

/* A terminal must not obey what somebody chose as a name. */
static void put_cell(const char *text, int cell_width, bool last)
{
	int n = 0;

	for (; text[n] != '\0'; n++)
		(void)putchar((unsigned char)text[n] < 0x20 || text[n] == 0x7f ? '?' : text[n]);
	if (last)
		(void)putchar('\n');
	else
		(void)printf("%*s  ", MAX(cell_width - n, 0), "");
}

static void print_table(const PGresult *r)
{
	int columns = PQnfields(r);
	int widths[COLUMNS_MAX];

	if (columns > COLUMNS_MAX)
		die("a table of %d columns", columns);
	for (int c = 0; c < columns; c++)
		widths[c] = width(r, c);
	for (int row = -1; row < PQntuples(r); row++) {
		for (int c = 0; c < columns; c++)
			put_cell(row < 0 ? PQfname(r, c) : PQgetvalue(r, row, c), widths[c],
				 c == columns - 1);
	}
}

void db_print(const PGresult *r, bool json)
{
	if (json)
		print_json(r);
	else
		print_table(r);
}
