#include "ctl/sql_split.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/macros.h"

/* The statements of a text, NULL at the end of `want`. */
static void assert_statements(const char *text, const char *const *want)
{
	struct slice rest = slice_str(text);
	struct slice statement;

	for (; *want != NULL; want++) {
		assert_true(sql_next(&rest, &statement));
		assert_int_equal(statement.n, strlen(*want));
		assert_memory_equal(statement.p, *want, statement.n);
	}
	assert_false(sql_next(&rest, &statement));
}

#define STATEMENTS(text, ...) assert_statements(text, (const char *const[]){__VA_ARGS__, NULL})

static void cuts_at_semicolons(void **state)
{
	(void)state;
	STATEMENTS("SELECT 1; SELECT 2;", "SELECT 1", "SELECT 2");
	STATEMENTS("SELECT 1;\nSELECT 2\n", "SELECT 1", "SELECT 2");
}

static void nothing_is_no_statement(void **state)
{
	(void)state;
	assert_statements("", (const char *const[]){NULL});
	assert_statements(" ;\n; ", (const char *const[]){NULL});
	assert_statements("-- a comment; no more\n/* nor ; this */", (const char *const[]){NULL});
}

static void quotes_hide_semicolons(void **state)
{
	(void)state;
	STATEMENTS("SELECT 'a;b'; SELECT 2", "SELECT 'a;b'", "SELECT 2");
	STATEMENTS("SELECT 'it''s;'; SELECT 2", "SELECT 'it''s;'", "SELECT 2");
	STATEMENTS("SELECT \"a;\"\"b\"; SELECT 2", "SELECT \"a;\"\"b\"", "SELECT 2");
	STATEMENTS("SELECT E'\\';'; SELECT 2", "SELECT E'\\';'", "SELECT 2");
	STATEMENTS("SELECT '\\'; SELECT 2", "SELECT '\\'", "SELECT 2");
	STATEMENTS("SELECT nameE'\\'; SELECT 2", "SELECT nameE'\\'", "SELECT 2");
}

static void dollars_hide_semicolons(void **state)
{
	(void)state;
	STATEMENTS("DO $$ BEGIN; END; $$; SELECT 2", "DO $$ BEGIN; END; $$", "SELECT 2");
	STATEMENTS("DO $a$ $$;$b$; $a$; SELECT 2", "DO $a$ $$;$b$; $a$", "SELECT 2");
	STATEMENTS("SELECT $1; SELECT a$b; SELECT c$", "SELECT $1", "SELECT a$b", "SELECT c$");
	STATEMENTS("SELECT $", "SELECT $");
}

static void comments_hide_semicolons(void **state)
{
	(void)state;
	STATEMENTS("SELECT 1 -- one; two\n; SELECT 2", "SELECT 1 -- one; two", "SELECT 2");
	STATEMENTS("SELECT /* a /* b; */ c; */ 1; SELECT 2", "SELECT /* a /* b; */ c; */ 1",
		   "SELECT 2");
	STATEMENTS("-- no-transaction\nSELECT 1;", "-- no-transaction\nSELECT 1");
}

static void open_quotes_reach_to_the_end(void **state)
{
	(void)state;
	STATEMENTS("SELECT 'a; SELECT 2", "SELECT 'a; SELECT 2");
	STATEMENTS("SELECT $$a; SELECT 2", "SELECT $$a; SELECT 2");
	STATEMENTS("SELECT 1 /* a; SELECT 2", "SELECT 1 /* a; SELECT 2");
	STATEMENTS("SELECT E'\\", "SELECT E'\\");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts_at_semicolons),
		cmocka_unit_test(nothing_is_no_statement),
		cmocka_unit_test(quotes_hide_semicolons),
		cmocka_unit_test(dollars_hide_semicolons),
		cmocka_unit_test(comments_hide_semicolons),
		cmocka_unit_test(open_quotes_reach_to_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
