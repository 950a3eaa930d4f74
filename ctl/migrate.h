/* The numbered files, for chatctl setup; what chatctl migrate does with them stands in migrate.c.
 */
#ifndef CTL_MIGRATE_H
#define CTL_MIGRATE_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "common/base/macros.h"
#include "ctl/outcome.h"

/*
 * Applies the files of `sql_dir` (NULL: those of the package) that the database lacks, or with
 * `print` writes them to standard output as a script for psql. `db` may be NULL for printing: then
 * it lacks all. Each file that was applied is noted in `o`. Gives an exit status.
 */
MUST_CHECK int migrate_database(PGconn *db, const char *sql_dir, bool print, struct outcome *o);

#endif
