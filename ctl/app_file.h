/* Applications as files of their own, in a directory that the configuration includes. */
#ifndef CTL_APP_FILE_H
#define CTL_APP_FILE_H

#include <limits.h>

#include "common/base/macros.h"
#include "common/conf/conf.h"
#include "ctl/outcome.h"

#define APP_KEY_BYTES 10
#define APP_SECRET_BYTES 20
#define APP_ID_MAX 64

/* What was made: the key and the secret in hex, and where they stand. */
struct app_file {
	char key[2 * APP_KEY_BYTES + 1];
	char secret[2 * APP_SECRET_BYTES + 1];
	char path[PATH_MAX];
};

/*
 * Makes the application `id` with a new key and secret, in app-ID.conf of the first directory that
 * the configuration `file` includes; whoever may read `file` may read that, and nobody else. Gives
 * an exit status and has said what is wrong. The caller erases *ret, which is set on CTL_OK only.
 */
MUST_CHECK int app_file_make(const struct conf *conf, const char *file, const char *id,
			     struct app_file *ret);

/*
 * The first application of a new installation, named "chat", unless there is one. `dry_run`: only
 * says so, as a comment of SQL. Gives an exit status.
 */
MUST_CHECK int app_file_first(const struct conf *conf, const char *file, bool dry_run,
			      struct outcome *o);

#endif
