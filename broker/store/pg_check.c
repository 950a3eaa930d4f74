#include "broker/store/pg_check.h"

#include <stdarg.h>
#include <stdio.h>

#include "broker/store/pg_row.h"

/* What a column must hold; most hold text. */
static const struct {
	enum pg_read read;
	const char *names;
} kinds[] = {
	{PG_READ_U64, "version epoch id ord message_id chat_id seq prev_seq reply_to token_id "
		      "delivered_id read_id "
		      "joined_seq delivered_seq read_seq last_seq unread_count participant_count"},
	{PG_READ_BOOL,
	 "got lives stopped is_last is_owner direct member delivered_moved read_moved"},
	{PG_READ_TIME, "created_at edited_at deleted_at updated_at message_at delivered_at read_at "
		       "expires_at last_seen hidden_since"},
};

PRINTF(2, 3) static bool fail(char *err_fault, const char *format, ...);

static bool fail(char *err_fault, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(err_fault, PG_CHECK_TEXT, format, ap);
	va_end(ap);
	return false;
}

/* The next name of a list with blanks between. */
static bool next_name(struct slice *rest, struct slice *ret_name)
{
	*ret_name = *rest;
	if (rest->n == 0)
		return false;
	if (!slice_cut(*rest, ' ', ret_name, rest))
		*rest = SLICE_NONE;
	return true;
}

static enum pg_read kind_of(struct slice column)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct slice rest = slice_str(kinds[i].names);
		struct slice name;

		while (next_name(&rest, &name)) {
			if (slice_eq(name, column))
				return kinds[i].read;
		}
	}
	return PG_READ_TEXT;
}

static const char *noun_of(enum pg_read read)
{
	static const char *const nouns[] = {
		[PG_READ_U64] = "a whole number (bigint)",
		[PG_READ_I64] = "a whole number (bigint)",
		[PG_READ_BOOL] = "a boolean",
		[PG_READ_TIME] = "a time (timestamptz)",
		[PG_READ_TEXT] = "text",
	};

	return nouns[read];
}

bool pg_check(const struct pg_stmt *s, const PGresult *described, char err_fault[PG_CHECK_TEXT])
{
	struct slice rest = slice_str(s->columns != NULL ? s->columns : "");
	struct slice name;
	int given = pg_stmt_params(s);

	if (PQnparams(described) > given)
		return fail(err_fault, "$%d is used, but the last parameter is $%d",
			    PQnparams(described), given);
	while (next_name(&rest, &name)) {
		int column = pg_column(described, name);
		enum pg_read kind = kind_of(name);

		if (column < 0)
			return fail(err_fault, "column %.*s is missing", SLICE_ARG(name));
		if (!pg_type_fits(kind, PQftype(described, column)))
			return fail(err_fault, "column %.*s must be %s: cast it", SLICE_ARG(name),
				    noun_of(kind));
	}
	return true;
}
