/* chatctl token: bearer tokens of users. Their text is shown once and kept nowhere. */
#include <stdio.h>
#include <string.h>

#include "common/crypto/hmac.h"
#include "ctl/commands.h"
#include "ctl/db.h"
#include "ctl/outcome.h"
#include "ctl/token_text.h"

/* A token for a user who does not exist would be found by nobody: no row is made then. */
static const char insert_sql[] =
	"INSERT INTO chat.personal_access_tokens"
	" (tokenable_id, name, token, abilities, expires_at)"
	" SELECT u.user_id, $2, $3, '[\"*\"]', now() AT TIME ZONE 'UTC' + $4::interval"
	" FROM chat.app_user u WHERE u.user_id = $1"
	" RETURNING id";

static void show_secret(const struct args *args, const char *id, const char *secret)
{
	if (args->json)
		(void)printf("{\"id\":%s,\"token\":\"%s|%s\"}\n", id, id, secret);
	else
		(void)printf("%s|%s\n", id, secret);
}

int command_token_create(const struct args *args)
{
	char secret[TOKEN_TEXT + 1];
	char digest[TOKEN_DIGEST + 1];
	const char *params[] = {args->users[0], args->name != NULL ? args->name : "chatctl", digest,
				args->expires};
	PGconn *db;
	PGresult *r;
	int status;

	if (args->nusers != 1) {
		(void)fputs("chatctl: token create needs one --user\n", stderr);
		return CTL_USAGE;
	}
	status = db_open(args, &db);
	if (status != CTL_OK)
		return status;
	token_make(secret);
	token_digest(slice_of(secret, TOKEN_TEXT), digest);
	r = db_query(db, insert_sql, 4, params);
	if (r == NULL) {
		status = db_failed(db);
	} else if (PQntuples(r) != 1) {
		(void)fprintf(stderr, "chatctl: there is no user %s\n", args->users[0]);
		status = CTL_REFUSED;
	} else {
		show_secret(args, PQgetvalue(r, 0, 0), secret);
	}
	crypto_erase(secret, sizeof(secret));
	PQclear(r);
	PQfinish(db);
	return status;
}

int command_token_list(const struct args *args)
{
	char limit[16];
	const char *params[] = {args->nusers > 0 ? args->users[0] : NULL, limit};
	PGconn *db;
	PGresult *r;
	int status;

	if (args->nusers > 1) {
		(void)fputs("chatctl: token list takes one --user at most\n", stderr);
		return CTL_USAGE;
	}
	status = db_open(args, &db);
	if (status != CTL_OK)
		return status;
	(void)snprintf(limit, sizeof(limit), "%u", args->limit);
	r = db_query(db,
		     "SELECT id, tokenable_id AS \"user\", name, created_at, last_used_at,"
		     " expires_at, coalesce(expires_at <= now() AT TIME ZONE 'UTC', false)"
		     " AS expired FROM chat.personal_access_tokens"
		     " WHERE $1::text IS NULL OR tokenable_id = $1 ORDER BY id LIMIT $2::int",
		     2, params);
	if (r != NULL)
		db_print(r, args->json);
	else
		status = db_failed(db);
	PQclear(r);
	PQfinish(db);
	return status;
}

static int revoke(PGconn *db, const char *id)
{
	PGresult *r = db_query(db, "DELETE FROM chat.personal_access_tokens WHERE id = $1::bigint",
			       1, &id);
	int status = CTL_OK;

	if (r == NULL) {
		status = db_failed(db);
	} else if (strcmp(PQcmdTuples(r), "0") == 0) {
		(void)fprintf(stderr, "chatctl: there is no token %s\n", id);
		status = CTL_REFUSED;
	}
	PQclear(r);
	return status;
}

int command_token_revoke(const struct args *args)
{
	struct outcome o;
	PGconn *db;
	int status;

	if (args->noperands == 0) {
		(void)fputs("chatctl: token revoke needs the ids of tokens\n", stderr);
		return CTL_USAGE;
	}
	for (size_t i = 0; i < args->noperands; i++) {
		unsigned long long id;

		/* not "7|secret": the operand would have been seen by everybody on the machine */
		if (!slice_to_u64(slice_str(args->operands[i]), &id)) {
			(void)fputs("chatctl: the id of a token is the number before its |\n",
				    stderr);
			return CTL_USAGE;
		}
	}
	status = db_open(args, &db);
	if (status != CTL_OK)
		return status;
	outcome_begin(&o, args->json, false);
	for (size_t i = 0; i < args->noperands; i++) {
		int one = revoke(db, args->operands[i]);

		outcome_add(&o, args->operands[i], one == CTL_OK ? "revoked" : "refused");
		status = MAX(status, one);
	}
	outcome_end(&o);
	PQfinish(db);
	return status;
}
