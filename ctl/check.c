/* chatctl check: the whole configuration, secret files too. */
#include <stdio.h>

#include "ctl/commands.h"
#include "ctl/db.h"

int command_check(const struct args *args)
{
	struct conf_fault fault;
	struct conf *conf;
	int status = db_config(args, true, &conf);

	if (status != CTL_OK)
		return status;
	if (conf_check(conf, &fault)) {
		(void)printf("the configuration is right: %zu application%s\n", conf->napps,
			     conf->napps == 1 ? "" : "s");
	} else {
		(void)fprintf(stderr, "chatctl: %s\n", fault.text);
		status = CTL_CONFIG;
	}
	conf_free(conf);
	return status;
}
