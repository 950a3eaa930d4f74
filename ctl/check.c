/*
 * chatctl check: the whole configuration, secret files too; what it asks of this machine; its
 * statements in the database. It says what would fail before it does.
 */
#include <stdio.h>

#include "ctl/check_limits.h"
#include "ctl/check_sql.h"
#include "ctl/commands.h"
#include "ctl/db.h"
#include "ctl/outcome.h"
#include "ctl/status.h"

static int check_files(const struct conf *conf, struct outcome *o)
{
	struct conf_fault fault;

	if (!conf_check(conf, &fault)) {
		outcome_find(o, "configuration", FINDING_WRONG, "%s", fault.text);
		return CTL_CONFIG;
	}
	outcome_find(o, "configuration", FINDING_RIGHT,
		     "the configuration is right: %zu application%s", conf->napps,
		     conf->napps == 1 ? "" : "s");
	return CTL_OK;
}

static int check_database(const struct args *args, const struct conf *conf, struct outcome *o)
{
	PGconn *db;
	int status;

	if (args->conninfo == NULL && conf->database.conninfo[0] == '\0')
		return CTL_OK; /* it runs without one */
	/* With the rights that the broker has. */
	status =
		db_open_as(args, conf->broker.user[0] != '\0' ? conf->broker.user : DB_BROKER, &db);
	if (status != CTL_OK) {
		outcome_find(o, "database", FINDING_WRONG,
			     "the database is out of reach: chatctl "
			     "setup makes it, [database] conninfo says where it is");
		return status;
	}
	status = check_server(db, o);
	if (status == CTL_OK)
		status = check_statements(conf, db, o);
	PQfinish(db);
	return status;
}

int command_check(const struct args *args)
{
	struct outcome o;
	struct conf *conf;
	int machine = CTL_OK;
	int status = db_config(args, true, &conf);

	if (status != CTL_OK)
		return status;
	outcome_begin(&o, args->json, true);
	status = check_files(conf, &o);
	if (status == CTL_OK)
		machine = check_machine(conf, status_answers(conf), &o);
	if (status == CTL_OK && !args->offline)
		status = check_database(args, conf, &o);
	outcome_end(&o);
	conf_free(conf);
	return status != CTL_OK ? status : machine;
}
