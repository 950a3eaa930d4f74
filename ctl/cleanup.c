/* chatctl cleanup: for a timer; safe at any time, twice, and without a broker. */
#include "ctl/commands.h"
#include "ctl/db.h"

int command_cleanup(const struct args *args)
{
	PGconn *db;
	PGresult *removed = NULL;
	PGresult *r = NULL;
	int status = db_open(args, &db);

	if (status != CTL_OK)
		return status;
	removed = db_query(db, "CALL chat.cleanup()", 0, NULL);
	if (removed != NULL) {
		const char *params[] = {PQgetvalue(removed, 0, 0)};

		r = db_query(db,
			     "SELECT key AS kind, value::bigint AS removed"
			     " FROM jsonb_each_text($1::jsonb) ORDER BY key",
			     1, params);
	}
	if (r != NULL)
		db_print(r, args->json);
	else
		status = db_failed(db);
	PQclear(r);
	PQclear(removed);
	PQfinish(db);
	return status;
}
