/* chatctl user: the users of houses without a users table of their own. */
#include <stdio.h>
#include <string.h>

#include "ctl/commands.h"
#include "ctl/db.h"
#include "ctl/outcome.h"

/* Of one user; people are only told what went wrong. */
static void report(const struct args *args, const char *result)
{
	struct outcome o;

	outcome_begin(&o, args->json, false);
	outcome_add(&o, args->id, result);
	outcome_end(&o);
}

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
	} else {
		report(args, "added");
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

int command_user_set(const struct args *args)
{
	const char *params[] = {args->id, args->name, args->info};
	PGconn *db;
	PGresult *r;
	int status;

	if (!filled(args->id) || (args->name != NULL && !filled(args->name)) ||
	    (args->name == NULL && args->info == NULL)) {
		(void)fputs("chatctl: user set needs --id, and --name or --info\n", stderr);
		return CTL_USAGE;
	}
	status = db_open(args, &db);
	if (status != CTL_OK)
		return status;
	r = db_query(db,
		     "UPDATE chat.app_user SET name = coalesce($2, name),"
		     " info = coalesce($3::jsonb, info) WHERE user_id = $1",
		     3, params);
	if (r == NULL) {
		status = db_failed(db);
	} else if (strcmp(PQcmdTuples(r), "1") != 0) {
		(void)fprintf(stderr, "chatctl: there is no user %s\n", args->id);
		status = CTL_REFUSED;
	} else {
		report(args, "changed");
	}
	PQclear(r);
	PQfinish(db);
	return status;
}

/*
 * Leaves all chats first, so that those that the user owns pass on. Direct chats stay: they are the
 * other one's too. Tokens go with their user.
 */
static int remove_user(PGconn *db, const char *id)
{
	PGresult *left = db_query(db,
				  "SELECT chat.remove_participant(p.chat_id, p.user_id) FROM"
				  " (SELECT x.chat_id, x.user_id FROM chat.participant x"
				  " JOIN chat.chat c USING (chat_id)"
				  " WHERE x.user_id = $1 AND c.direct_key IS NULL"
				  " ORDER BY x.chat_id) p",
				  1, &id);
	PGresult *r = NULL;
	int status = CTL_OK;

	if (left != NULL)
		r = db_query(db, "DELETE FROM chat.app_user WHERE user_id = $1", 1, &id);
	if (r == NULL) {
		status = db_failed(db);
	} else if (strcmp(PQcmdTuples(r), "0") == 0) {
		(void)fprintf(stderr, "chatctl: there is no user %s\n", id);
		status = CTL_REFUSED;
	}
	PQclear(r);
	PQclear(left);
	return status;
}

int command_user_remove(const struct args *args)
{
	struct outcome o;
	PGconn *db;
	int status;

	if (args->noperands == 0) {
		(void)fputs("chatctl: user remove needs the ids of users\n", stderr);
		return CTL_USAGE;
	}
	status = db_open(args, &db);
	if (status != CTL_OK)
		return status;
	outcome_begin(&o, args->json, false);
	for (size_t i = 0; i < args->noperands; i++) {
		int one = remove_user(db, args->operands[i]);

		outcome_add(&o, args->operands[i], one == CTL_OK ? "removed" : "refused");
		status = MAX(status, one);
	}
	outcome_end(&o);
	PQfinish(db);
	return status;
}
