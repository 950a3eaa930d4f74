/*
 * Parameters of one statement in PostgreSQL's binary form. Nothing is ever put into the text of a
 * statement, and arrays carry a whole batch in one parameter for each column.
 *
 *	struct pg_params p;
 *
 *	pg_params_init(&p);
 *	pg_param_i64(&p, epoch);			// $1 bigint
 *	pg_array_begin(&p, PG_TEXT, 2);			// $2 text[]
 *	pg_array_text(&p, SLICE("a"));
 *	pg_array_null(&p);
 *	pg_array_end(&p);
 *	pg_conn_query(conn, stmt, &p);
 *	pg_params_clear(&p);				// ready for the next statement
 *	pg_params_done(&p);
 *
 * All values are copied. Whoever fills it keeps the sum below PG_PARAMS_BYTES; what is more is a
 * fault of ours and ends the process. Text must be valid UTF-8 without NUL: see pg_text_ok().
 */
#ifndef BROKER_STORE_PG_PARAM_H
#define BROKER_STORE_PG_PARAM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/slice.h"

#define PG_PARAMS_MAX 10
#define PG_PARAMS_BYTES ((size_t)256 << 20)

/* Numbers of built-in types (pg_type.dat); they never change. */
enum pg_type {
	PG_BOOL = 16,
	PG_INT8 = 20,
	PG_INT2 = 21,
	PG_INT4 = 23,
	PG_TEXT = 25,
	PG_JSON = 114,
	PG_NAME = 19,
	PG_BPCHAR = 1042,
	PG_VARCHAR = 1043,
	PG_TIMESTAMP = 1114,
	PG_TIMESTAMPTZ = 1184,
	PG_UUID = 2950,
	PG_JSONB = 3802,
	PG_VOID = 2278,

	PG_INT4_ARRAY = 1007,
	PG_TEXT_ARRAY = 1009,
	PG_INT8_ARRAY = 1016,
	PG_JSON_ARRAY = 199,
	PG_TIMESTAMPTZ_ARRAY = 1185,
	PG_UUID_ARRAY = 2951,
	PG_JSONB_ARRAY = 3807,
};

/* Microseconds between the Unix epoch and PostgreSQL's, 2000-01-01. */
#define PG_EPOCH_US INT64_C(946684800000000)

struct pg_params {
	struct buf data;
	int n;
	size_t at[PG_PARAMS_MAX];	   /* where a value begins in `data` */
	int lengths[PG_PARAMS_MAX];	   /* -1 = NULL */
	const char *values[PG_PARAMS_MAX]; /* set by pg_params_ready() */
	int formats[PG_PARAMS_MAX];
	uint32_t missing; /* elements that the open array still lacks */
	enum pg_type element;
};

void pg_params_init(struct pg_params *p);
void pg_params_done(struct pg_params *p);
void pg_params_clear(struct pg_params *p);
/* Fills in `values`; the data must not change afterwards. */
void pg_params_ready(struct pg_params *p);

void pg_param_null(struct pg_params *p);
void pg_param_bool(struct pg_params *p, bool v);
void pg_param_i32(struct pg_params *p, int32_t v);
void pg_param_i64(struct pg_params *p, int64_t v);
void pg_param_text(struct pg_params *p, struct slice v);
/* NULL for an empty one. */
void pg_param_text_or_null(struct pg_params *p, struct slice v);
void pg_param_time(struct pg_params *p, wall_us_t at);

/* An array of `n` elements of that (element) type; exactly n of the calls below must follow. */
void pg_array_begin(struct pg_params *p, enum pg_type element, uint32_t n);
void pg_array_end(struct pg_params *p);
void pg_array_null(struct pg_params *p);
void pg_array_i32(struct pg_params *p, int32_t v);
void pg_array_i64(struct pg_params *p, int64_t v);
/* Of text, json and jsonb. */
void pg_array_text(struct pg_params *p, struct slice v);
void pg_array_text_or_null(struct pg_params *p, struct slice v);
void pg_array_time(struct pg_params *p, wall_us_t at);
void pg_array_uuid(struct pg_params *p, const uint8_t uuid[16]);

/* Valid UTF-8 without NUL: what a text of PostgreSQL can hold. */
bool pg_text_ok(struct slice text);

/*
 * Whether jsonb takes a text that is JSON already: pg_text_ok(), no \u0000, no half of a surrogate
 * pair, no number beyond what numeric holds.
 */
bool pg_jsonb_ok(struct slice json);

/* xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx, in either case; false for anything else. */
bool pg_uuid_parse(struct slice text, uint8_t ret_uuid[16]);
#define PG_UUID_TEXT 37
void pg_uuid_format(const uint8_t uuid[16], char ret_text[PG_UUID_TEXT]);

#endif
