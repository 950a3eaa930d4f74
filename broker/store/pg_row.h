/*
 * Rows of a result in binary form, read into structs by a table of fields: columns are found by
 * name once a result, and their types looked at, so a statement of the configuration may give
 * bigint where the shipped one gives text.
 *
 *	static const struct pg_field fields[] = {
 *		PG_FIELD("chat_id", PG_READ_U64, struct x, chat),
 *		PG_FIELD("user_id", PG_READ_TEXT, struct x, user_id),
 *	};
 *	struct pg_rows rows;
 *
 *	pg_rows_init(&rows, result, fields, ARRAY_LEN(fields));
 *	for (int i = 0; i < rows.n; i++)
 *		ok = pg_rows_read(&rows, i, &x);
 *	pg_rows_done(&rows);		// slices of the x are void from here on
 *
 * NULL gives 0, false, or the slice whose p is NULL; so does a column that is not there.
 */
#ifndef BROKER_STORE_PG_ROW_H
#define BROKER_STORE_PG_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "common/base/macros.h"
#include "common/base/slice.h"

#define PG_FIELDS_MAX 32

enum pg_read {
	PG_READ_U64,  /* uint64_t; a negative number is a fault */
	PG_READ_I64,  /* int64_t */
	PG_READ_BOOL, /* bool */
	PG_READ_TIME, /* wall_us_t */
	PG_READ_TEXT, /* struct slice, of text, json, jsonb, uuid and whole numbers */
};

struct pg_field {
	const char *name;
	enum pg_read read;
	size_t offset;
};

#define PG_FIELD(column, kind, type, member) \
	{ \
		column, kind, offsetof(type, member) \
	}

struct pg_rows {
	const PGresult *result;
	const struct pg_field *fields;
	size_t nfields;
	int n;
	int columns[PG_FIELDS_MAX]; /* -1 = not there */
	char *texts;		    /* room for numbers and uuids written out */
	size_t ntexts;
	size_t used;
};

void pg_rows_init(struct pg_rows *r, const PGresult *result, const struct pg_field *fields,
		  size_t nfields);
void pg_rows_done(struct pg_rows *r);

/* False: a value is of a type that the field cannot have; `out` is then part filled. */
MUST_CHECK bool pg_rows_read(struct pg_rows *r, int row, void *out);

/* Number of the column with that name, or -1. */
int pg_column(const PGresult *result, struct slice name);

/* The first row's only value; false when it is NULL or there is no row. */
MUST_CHECK bool pg_single_bool(const PGresult *result, const char *column, bool *ret_value);
MUST_CHECK bool pg_single_i64(const PGresult *result, const char *column, int64_t *ret_value);

/* Whether a column of that type can be read so. */
bool pg_type_fits(enum pg_read read, Oid type);

#endif
