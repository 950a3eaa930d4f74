#include "broker/store/pg_row.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/store/pg_param.h"
#include "common/base/clock.h"
#include "common/base/mem.h"

/* Longest text that a value is written out as: a uuid with its NUL. */
#define WRITTEN_MAX PG_UUID_TEXT

int pg_column(const PGresult *result, struct slice name)
{
	int n = PQnfields(result);

	for (int i = 0; i < n; i++)
		if (slice_eq(slice_str(PQfname(result, i)), name))
			return i;
	return -1;
}

static bool is_number(Oid type)
{
	return type == PG_INT8 || type == PG_INT4 || type == PG_INT2;
}

static bool is_text(Oid type)
{
	return type == PG_TEXT || type == PG_VARCHAR || type == PG_BPCHAR || type == PG_NAME ||
	       type == PG_JSON;
}

static bool is_time(Oid type)
{
	return type == PG_TIMESTAMPTZ || type == PG_TIMESTAMP;
}

bool pg_type_fits(enum pg_read read, Oid type)
{
	switch (read) {
	case PG_READ_U64:
	case PG_READ_I64:
		return is_number(type);
	case PG_READ_BOOL:
		return type == PG_BOOL;
	case PG_READ_TIME:
		return is_time(type);
	case PG_READ_TEXT:
		break;
	}
	return is_text(type) || is_number(type) || type == PG_JSONB || type == PG_UUID ||
	       type == PG_TEXT_ARRAY;
}

static int64_t big_endian(const char *p, int n)
{
	uint64_t v = n > 0 && (p[0] & 0x80) != 0 ? UINT64_MAX : 0;

	for (int i = 0; i < n; i++)
		v = v << 8 | (uint8_t)p[i];
	return (int64_t)v;
}

void pg_rows_init(struct pg_rows *r, const PGresult *result, const struct pg_field *fields,
		  size_t nfields)
{
	size_t written = 0;

	if (nfields > PG_FIELDS_MAX)
		die("pg_row: %zu fields", nfields);
	memset(r, 0, sizeof(*r));
	r->result = result;
	r->fields = fields;
	r->nfields = nfields;
	r->n = PQntuples(result);
	for (size_t i = 0; i < nfields; i++) {
		r->columns[i] = pg_column(result, slice_str(fields[i].name));
		if (r->columns[i] >= 0 && fields[i].read == PG_READ_TEXT &&
		    !is_text(PQftype(result, r->columns[i])))
			written++;
	}
	r->ntexts = written * (size_t)r->n * WRITTEN_MAX;
	if (r->ntexts > 0)
		r->texts = mem_alloc(r->ntexts);
}

void pg_rows_done(struct pg_rows *r)
{
	free(r->texts);
	r->texts = NULL;
}

static struct slice write_out(struct pg_rows *r, Oid type, const char *p, int n)
{
	char *to = r->texts + r->used;

	r->used += WRITTEN_MAX;
	if (type == PG_UUID)
		pg_uuid_format((const uint8_t *)p, to);
	else
		(void)snprintf(to, WRITTEN_MAX, "%" PRId64, big_endian(p, n));
	return slice_str(to);
}

static bool read_text(struct pg_rows *r, Oid type, const char *p, int n, struct slice *out)
{
	if (is_text(type))
		*out = slice_of(p, (size_t)n);
	else if (type == PG_JSONB && n >= 1)
		*out = slice_of(p + 1, (size_t)n - 1); /* version of the binary form */
	else if (is_number(type) || (type == PG_UUID && n == 16))
		*out = write_out(r, type, p, n);
	else
		return false;
	return true;
}

static bool read_value(struct pg_rows *r, enum pg_read read, Oid type, const char *p, int n,
		       void *out)
{
	int64_t v = is_number(type) || is_time(type) ? big_endian(p, n) : 0;

	switch (read) {
	case PG_READ_U64:
		*(uint64_t *)out = (uint64_t)v;
		return is_number(type) && v >= 0;
	case PG_READ_I64:
		*(int64_t *)out = v;
		return is_number(type);
	case PG_READ_BOOL:
		*(bool *)out = n == 1 && p[0] != 0;
		return type == PG_BOOL;
	case PG_READ_TIME:
		/* infinity stays what it is */
		*(wall_us_t *)out = v > INT64_MAX - PG_EPOCH_US ? INT64_MAX : v + PG_EPOCH_US;
		return is_time(type);
	case PG_READ_TEXT:
		return read_text(r, type, p, n, out);
	}
	return false;
}

static void set_null(enum pg_read read, void *out)
{
	switch (read) {
	case PG_READ_U64:
	case PG_READ_I64:
	case PG_READ_TIME:
		memset(out, 0, sizeof(uint64_t));
		return;
	case PG_READ_BOOL:
		*(bool *)out = false;
		return;
	case PG_READ_TEXT:
		*(struct slice *)out = SLICE_NONE;
		return;
	}
}

bool pg_rows_read(struct pg_rows *r, int row, void *out)
{
	for (size_t i = 0; i < r->nfields; i++) {
		void *to = (char *)out + r->fields[i].offset;
		int column = r->columns[i];

		if (column < 0 || PQgetisnull(r->result, row, column) != 0)
			set_null(r->fields[i].read, to);
		else if (!read_value(r, r->fields[i].read, PQftype(r->result, column),
				     PQgetvalue(r->result, row, column),
				     PQgetlength(r->result, row, column), to))
			return false;
	}
	return true;
}

/* The value of that column in the first row; NULL when there is none. */
static const char *single(const PGresult *result, const char *name, int *ret_column)
{
	int column = pg_column(result, slice_str(name));

	if (column < 0 || PQntuples(result) == 0 || PQgetisnull(result, 0, column) != 0)
		return NULL;
	*ret_column = column;
	return PQgetvalue(result, 0, column);
}

bool pg_single_bool(const PGresult *result, const char *column, bool *ret_value)
{
	int at = 0;
	const char *p = single(result, column, &at);

	if (p == NULL || PQftype(result, at) != PG_BOOL)
		return false;
	*ret_value = p[0] != 0;
	return true;
}

bool pg_single_i64(const PGresult *result, const char *column, int64_t *ret_value)
{
	int at = 0;
	const char *p = single(result, column, &at);

	if (p == NULL || !is_number(PQftype(result, at)))
		return false;
	*ret_value = big_endian(p, PQgetlength(result, 0, at));
	return true;
}
