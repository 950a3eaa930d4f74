/* The first application of a new installation. */
#ifndef CTL_SETUP_APP_H
#define CTL_SETUP_APP_H

#include "common/base/macros.h"
#include "common/conf/conf.h"

/*
 * Makes an application with a new key and secret in the first directory that the configuration
 * `file` includes, unless there is one. `dry_run`: only says so, as a comment of SQL. Gives an exit
 * status.
 */
MUST_CHECK int setup_app(const struct conf *conf, const char *file, bool dry_run);

#endif
