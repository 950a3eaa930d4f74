/*
 * The numbered files of a directory, NNN_name.sql, and what a database says of them. Reads files,
 * knows no database.
 */
#ifndef CTL_MIGRATIONS_H
#define CTL_MIGRATIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/macros.h"
#include "common/base/slice.h"

#define MIGRATIONS_MAX 999

struct migration {
	unsigned version; /* 1, 2, 3 ... without a gap */
	char *file;	  /* "001_base.sql" */
	char *name;	  /* "base" */
	char *text;	  /* NUL-terminated; `size` bytes without it */
	size_t size;
	char sha256[65];
	bool transaction; /* false: the first line is "-- no-transaction" */
};

struct migrations {
	struct migration v[MIGRATIONS_MAX];
	size_t n;
};

struct migrations_fault {
	char text[512];
};

/*
 * Reads all of them, in order. Other files of the directory are not looked at. NULL: *err_fault
 * says what is wrong. To be freed with migrations_free().
 */
MUST_CHECK struct migrations *migrations_read(const char *dir, struct migrations_fault *err_fault);

void migrations_free(struct migrations *m);

/* Line of the n-th character (from 1, as the server counts them) of the file's text. */
size_t migration_line(const struct migration *m, size_t position);

/* What a row of chat.schema_version means for the files. */
enum migration_state {
	MIGRATION_SAME,
	MIGRATION_CHANGED, /* the file is not the one that was applied */
	MIGRATION_UNKNOWN, /* there is no such file: the database is newer than the files */
};

enum migration_state migrations_compare(const struct migrations *m, unsigned version,
					struct slice sha256);

#endif
