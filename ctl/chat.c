/* chatctl chat: conversations. */
#include <stdio.h>
#include <string.h>

#include "ctl/commands.h"
#include "ctl/db.h"

/* $1 name, $2 owner, $3 direct, $4 ... the other users */
static PGresult *create(PGconn *db, const struct args *args)
{
	const char *params[3 + ARGS_USERS_MAX] = {
		args->name,
		args->owner,
		args->direct ? "true" : "false",
	};
	struct buf sql;
	PGresult *r;

	buf_init(&sql, 4096);
	(void)buf_add(&sql, SLICE("SELECT status, chat_id AS id, unknown"
				  " FROM chat.create_chat($1, $2, ARRAY["));
	for (size_t i = 0; i < args->nusers; i++) {
		(void)buf_printf(&sql, "%s$%zu::text", i > 0 ? "," : "", 4 + i);
		params[3 + i] = args->users[i];
	}
	(void)buf_add(&sql, SLICE("]::text[], $3::boolean)"));
	r = db_query(db, buf_cstr(&sql), 3 + (int)args->nusers, params);
	buf_done(&sql);
	return r;
}

static int show_created(const PGresult *r, bool json)
{
	const char *status = PQgetvalue(r, 0, 0);

	if (strcmp(status, "unknown_users") == 0) {
		(void)fprintf(stderr, "chatctl: there are no such users: %s\n",
			      PQgetvalue(r, 0, 2));
		return CTL_REFUSED;
	}
	if (strcmp(status, "not_two") == 0) {
		(void)fputs("chatctl: a direct chat needs two different users\n", stderr);
		return CTL_REFUSED;
	}
	if (json)
		(void)printf("{\"id\":%s,\"status\":\"%s\"}\n", PQgetvalue(r, 0, 1), status);
	else
		(void)puts(PQgetvalue(r, 0, 1));
	return CTL_OK;
}

int command_chat_create(const struct args *args)
{
	PGconn *db;
	PGresult *r;
	int status;

	if (args->owner == NULL || (args->direct && args->name != NULL)) {
		(void)fputs("chatctl: chat create needs --owner; a direct chat has no --name\n",
			    stderr);
		return CTL_USAGE;
	}
	status = db_open(args, &db);
	if (status != CTL_OK)
		return status;
	r = create(db, args);
	status = r != NULL ? show_created(r, args->json) : db_failed(db);
	PQclear(r);
	PQfinish(db);
	return status;
}

int command_chat_list(const struct args *args)
{
	char limit[16];
	const char *params[] = {args->nusers > 0 ? args->users[0] : NULL, limit};
	PGconn *db;
	PGresult *r;
	int status;

	if (args->nusers > 1) {
		(void)fputs("chatctl: chat list takes one --user at most\n", stderr);
		return CTL_USAGE;
	}
	status = db_open(args, &db);
	if (status != CTL_OK)
		return status;
	(void)snprintf(limit, sizeof(limit), "%u", args->limit);
	r = db_query(db,
		     "SELECT c.chat_id AS id, c.name, c.owner_id AS owner,"
		     " c.direct_key IS NOT NULL AS direct, c.last_seq AS messages,"
		     " c.last_message_at, (SELECT json_agg(p.user_id ORDER BY p.join_no)"
		     " FROM chat.participant p WHERE p.chat_id = c.chat_id) AS participants"
		     " FROM chat.chat c WHERE $1::text IS NULL OR EXISTS (SELECT FROM"
		     " chat.participant p WHERE p.chat_id = c.chat_id AND p.user_id = $1)"
		     " ORDER BY c.chat_id LIMIT $2::int",
		     2, params);
	if (r != NULL)
		db_print(r, args->json);
	else
		status = db_failed(db);
	PQclear(r);
	PQfinish(db);
	return status;
}
