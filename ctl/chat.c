/* chatctl chat: conversations. */
#include <stdio.h>
#include <string.h>

#include "ctl/commands.h"
#include "ctl/db.h"
#include "ctl/outcome.h"

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

/* ---- participants ---- */

/* What the functions of the schema say of a user in place of having done it; NULL: it was done. */
static const char *refusal_of(const char *status)
{
	static const struct {
		const char *status;
		const char *text;
	} refusals[] = {
		{"present", "is a participant already"},
		{"absent", "is no participant"},
		{"unknown_user", "does not exist"},
		{"forbidden", "cannot come or go: there is no such chat, or it is a direct one"},
	};

	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		if (strcmp(status, refusals[i].status) == 0)
			return refusals[i].text;
	}
	return NULL;
}

static int change(PGconn *db, const char *sql, const char *chat, const char *user)
{
	const char *params[] = {chat, user};
	PGresult *r = db_query(db, sql, 2, params);
	const char *refusal;
	int status = CTL_OK;

	if (r == NULL)
		return db_failed(db);
	refusal = refusal_of(PQgetvalue(r, 0, 0));
	if (refusal != NULL) {
		(void)fprintf(stderr, "chatctl: user %s %s\n", user, refusal);
		status = CTL_REFUSED;
	}
	PQclear(r);
	return status;
}

static int change_all(const struct args *args, const char *sql, const char *result)
{
	struct outcome o;
	unsigned long long chat;
	PGconn *db;
	int status;

	if (args->noperands != 1 || args->nusers == 0 ||
	    !slice_to_u64(slice_str(args->operands[0]), &chat)) {
		(void)fputs("chatctl: the id of a chat and --user are needed\n", stderr);
		return CTL_USAGE;
	}
	status = db_open(args, &db);
	if (status != CTL_OK)
		return status;
	outcome_begin(&o, args->json, false);
	for (size_t i = 0; i < args->nusers; i++) {
		int one = change(db, sql, args->operands[0], args->users[i]);

		outcome_add(&o, args->users[i], one == CTL_OK ? result : "refused");
		status = MAX(status, one);
	}
	outcome_end(&o);
	PQfinish(db);
	return status;
}

int command_chat_add_user(const struct args *args)
{
	return change_all(args, "SELECT status FROM chat.add_participant($1::bigint, $2)", "added");
}

int command_chat_remove_user(const struct args *args)
{
	return change_all(args, "SELECT status FROM chat.remove_participant($1::bigint, $2)",
			  "removed");
}
