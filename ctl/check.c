/* chatctl check: the whole configuration, secret files too, and its statements in the database. */
#include <stdio.h>

#include "ctl/check_sql.h"
#include "ctl/commands.h"
#include "ctl/db.h"

static int check_files(const struct conf *conf)
{
	struct conf_fault fault;

	if (!conf_check(conf, &fault)) {
		(void)fprintf(stderr, "chatctl: %s\n", fault.text);
		return CTL_CONFIG;
	}
	(void)printf("the configuration is right: %zu application%s\n", conf->napps,
		     conf->napps == 1 ? "" : "s");
	return CTL_OK;
}

static int check_database(const struct args *args, const struct conf *conf)
{
	PGconn *db;
	int status;

	if (args->conninfo == NULL && conf->database.conninfo[0] == '\0')
		return CTL_OK; /* it runs without one */
	(void)fflush(stdout);
	status = db_open(args, &db);
	if (status != CTL_OK)
		return status;
	status = check_statements(conf, db);
	PQfinish(db);
	return status;
}

int command_check(const struct args *args)
{
	struct conf *conf;
	int status = db_config(args, true, &conf);

	if (status != CTL_OK)
		return status;
	status = check_files(conf);
	if (status == CTL_OK && !args->offline)
		status = check_database(args, conf);
	conf_free(conf);
	return status;
}
