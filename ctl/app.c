/* chatctl app: the applications of the configuration. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "ctl/app_file.h"
#include "ctl/commands.h"
#include "ctl/db.h"

/* ---- list ---- */

enum { NAME, ID, KEY, SECRETS, ENABLED, CLIENT_EVENTS, MAX_CONNECTIONS, CHAT, COLUMNS };

static char *column(const char *name)
{
	return (char *)(uintptr_t)name; /* libpq copies it */
}

static PGresult *new_table(void)
{
	/* The types say how the cells look in JSON: text, int4, bool. */
	PGresAttDesc columns[COLUMNS] = {
		[NAME] = {.name = column("name"), .typid = DB_TEXT},
		[ID] = {.name = column("id"), .typid = DB_TEXT},
		[KEY] = {.name = column("key"), .typid = DB_TEXT},
		[SECRETS] = {.name = column("secrets"), .typid = DB_INT4},
		[ENABLED] = {.name = column("enabled"), .typid = DB_BOOL},
		[CLIENT_EVENTS] = {.name = column("client_events"), .typid = DB_TEXT},
		[MAX_CONNECTIONS] = {.name = column("max_connections"), .typid = DB_INT4},
		[CHAT] = {.name = column("chat"), .typid = DB_BOOL},
	};
	PGresult *r = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);

	if (r == NULL || !PQsetResultAttrs(r, COLUMNS, columns))
		die("no memory for a table");
	return r;
}

static void put_text(PGresult *r, int row, int which, const char *text)
{
	/* libpq takes a char * and copies what it points to. */
	if (!PQsetvalue(r, row, which, column(text), (int)strlen(text)))
		die("no memory for a table");
}

static void put_number(PGresult *r, int row, int which, size_t number)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%zu", number);
	put_text(r, row, which, text);
}

static void put_bool(PGresult *r, int row, int which, bool value)
{
	put_text(r, row, which, value ? "t" : "f");
}

int command_app_list(const struct args *args)
{
	static const char *const events[] = {
		[CONF_CLIENT_EVENTS_OFF] = "off",
		[CONF_CLIENT_EVENTS_MEMBERS] = "members",
		[CONF_CLIENT_EVENTS_ALL] = "all",
	};
	struct conf *conf;
	int status = db_config(args, true, &conf);
	PGresult *r;

	if (status != CTL_OK)
		return status;
	r = new_table();
	for (size_t i = 0; i < conf->napps; i++) {
		const struct conf_app *app = &conf->apps[i];
		int row = (int)i;

		put_text(r, row, NAME, app->name);
		put_text(r, row, ID, conf_app_id(app));
		put_text(r, row, KEY, app->key);
		put_number(r, row, SECRETS, app->secret.n);
		put_bool(r, row, ENABLED, app->enabled);
		put_text(r, row, CLIENT_EVENTS, events[app->client_events]);
		put_number(r, row, MAX_CONNECTIONS, app->max_connections);
		put_bool(r, row, CHAT, app == conf_chat_app(conf));
	}
	db_print(r, args->json);
	PQclear(r);
	conf_free(conf);
	return CTL_OK;
}

/* ---- create ---- */

/* It becomes part of paths and URLs. */
static bool id_is_good(const char *id)
{
	size_t n = strlen(id);

	return n > 0 && n <= APP_ID_MAX && id[0] != '.' && id[0] != '-' &&
	       id[strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
			     "_-.")] == '\0';
}

static bool is_taken(const struct conf *conf, const char *id)
{
	for (size_t i = 0; i < conf->napps; i++) {
		if (strcmp(conf->apps[i].name, id) == 0 ||
		    strcmp(conf_app_id(&conf->apps[i]), id) == 0)
			return true;
	}
	return false;
}

static void tell(const char *id, const struct app_file *made, bool json)
{
	if (json)
		(void)printf("{\"id\":\"%s\",\"key\":\"%s\",\"secret\":\"%s\",\"file\":\"%s\"}\n",
			     id, made->key, made->secret, made->path);
	else
		(void)printf("application %s made in %s\n"
			     "chatctl reload takes it in, chatctl export-env %s shows how to "
			     "reach it\n",
			     id, made->path, id);
}

static int create(const struct args *args, const struct conf *conf)
{
	const char *file = args->nfiles > 0 ? args->files[0] : CONF_FILE;
	struct app_file made;
	int status;

	if (is_taken(conf, args->id)) {
		(void)fprintf(stderr, "chatctl: there is an application %s\n", args->id);
		return CTL_REFUSED;
	}
	if (conf->napps >= CONF_APPS_MAX) {
		(void)fprintf(stderr, "chatctl: there are %zu applications, the most possible\n",
			      conf->napps);
		return CTL_REFUSED;
	}
	status = app_file_make(conf, file, args->id, &made);
	if (status != CTL_OK)
		return status;
	tell(args->id, &made, args->json);
	explicit_bzero(&made, sizeof(made));
	return CTL_OK;
}

int command_app_create(const struct args *args)
{
	struct conf *conf;
	int status;

	if (args->id == NULL || !id_is_good(args->id)) {
		(void)fprintf(stderr,
			      "chatctl: app create needs --id: 1 to %d letters, digits, '_', '-' "
			      "or '.'\n",
			      APP_ID_MAX);
		return CTL_USAGE;
	}
	status = db_config(args, false, &conf);
	if (status != CTL_OK)
		return status;
	status = create(args, conf);
	conf_free(conf);
	return status;
}
