/* chatctl user: the users of houses without a users table of their own. */
#include <stdio.h>
#include <string.h>

#include "ctl/commands.h"
#include "ctl/db.h"

static bool filled(const char *text)
{
	return text != NULL && text[0] != '\0';
}

int command_user_add(const struct args *args)
{
	const char *params[] = {args->id, args->name, args->info};
	PGconn *db;
	PGresult *r;
	int status;

	if (!filled(args->id) || !filled(args->name)) {
		(void)fputs("chatctl: user add needs --id and --name\n", stderr);
		return CTL_USAGE;
	}
	status = db_open(args, &db);
	if (status != CTL_OK)
		return status;
	r = db_query(db,
		     "INSERT INTO chat.app_user (user_id, name, info) VALUES ($1, $2, $3::jsonb)"
		     " ON CONFLICT (user_id) DO NOTHING",
		     3, params);
	if (r == NULL) {
		status = db_failed(db);
	} else if (strcmp(PQcmdTuples(r), "1") != 0) {
		(void)fprintf(stderr, "chatctl: there is a user %s already\n", args->id);
		status = CTL_REFUSED;
	}
	PQclear(r);
	PQfinish(db);
	return status;
}

int command_user_list(const struct args *args)
{
	char limit[16];
	const char *params[] = {limit};
	PGconn *db;
	PGresult *r;
	int status = db_open(args, &db);

	if (status != CTL_OK)
		return status;
	(void)snprintf(limit, sizeof(limit), "%u", args->limit);
	r = db_query(db,
		     "SELECT user_id AS id, name, info, created_at FROM chat.app_user"
		     " ORDER BY created_at, user_id LIMIT $1::int",
		     1, params);
	if (r != NULL)
		db_print(r, args->json);
	else
		status = db_failed(db);
	PQclear(r);
	PQfinish(db);
	return status;
}
