/* chatctl dump-config: what is in force, files and environment together. */
#include <stdio.h>

#include "ctl/commands.h"
#include "ctl/conf_rows.h"
#include "ctl/db.h"

#define DUMP_MAX ((size_t)1 << 20)
#define ROWS_MAX (8 * DUMP_MAX)

int command_dump_config(const struct args *args)
{
	struct conf *conf;
	struct buf text;
	struct buf rows;
	const struct buf *out;
	int status = db_config(args, false, &conf);

	if (status != CTL_OK)
		return status;
	buf_init(&text, DUMP_MAX);
	buf_init(&rows, ROWS_MAX);
	out = args->json ? &rows : &text;
	if (!conf_dump(conf, &text) || (args->json && !conf_rows_put(buf_slice(&text), &rows)) ||
	    fwrite(out->p, 1, out->n, stdout) != out->n) {
		(void)fputs("chatctl: the output could not be written\n", stderr);
		status = CTL_IO;
	}
	buf_done(&rows);
	buf_done(&text);
	conf_free(conf);
	return status;
}
