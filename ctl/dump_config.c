/* chatctl dump-config: what is in force, files and environment together. */
#include <stdio.h>

#include "ctl/commands.h"
#include "ctl/db.h"

#define DUMP_MAX (1 << 20)

int command_dump_config(const struct args *args)
{
	struct conf *conf;
	struct buf text;
	int status = db_config(args, false, &conf);

	if (status != CTL_OK)
		return status;
	buf_init(&text, DUMP_MAX);
	if (!conf_dump(conf, &text) || fwrite(text.p, 1, text.n, stdout) != text.n) {
		(void)fputs("chatctl: the output could not be written\n", stderr);
		status = CTL_IO;
	}
	buf_done(&text);
	conf_free(conf);
	return status;
}
