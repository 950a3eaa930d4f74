#include "broker/store/pg_error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void each_state_has_its_class(void **state)
{
	(void)state;
	assert_int_equal(pg_classify(NULL), PG_LOST);
	assert_int_equal(pg_classify(""), PG_LOST);
	assert_int_equal(pg_classify("08006"), PG_LOST);
	assert_int_equal(pg_classify("57P01"), PG_LOST); /* terminated */
	assert_int_equal(pg_classify("53300"), PG_LOST); /* too many connections */
	assert_int_equal(pg_classify("58P01"), PG_LOST);
	assert_int_equal(pg_classify("XX000"), PG_LOST);
	assert_int_equal(pg_classify("25006"), PG_LOST); /* on a standby */
	assert_int_equal(pg_classify("40P01"), PG_AGAIN);
	assert_int_equal(pg_classify("40001"), PG_AGAIN);
	assert_int_equal(pg_classify("55P03"), PG_AGAIN); /* lock_timeout */
	assert_int_equal(pg_classify("57014"), PG_AGAIN); /* statement_timeout */
	assert_int_equal(pg_classify("22021"), PG_DATA);
	assert_int_equal(pg_classify("23505"), PG_DATA);
	assert_int_equal(pg_classify("42P01"), PG_CONFIG);
	assert_int_equal(pg_classify("0A000"), PG_CONFIG);
	assert_int_equal(pg_classify("25001"), PG_CONFIG);
}

static void the_first_line_is_kept(void **state)
{
	struct pg_error e = {.query = 3};
	char line[2 * PG_ERROR_TEXT];

	(void)state;
	pg_error_set(&e, "42P01", "no such table\nLINE 1: ...");
	assert_string_equal(e.text, "no such table");
	assert_string_equal(e.sqlstate, "42P01");
	assert_int_equal(e.class, PG_CONFIG);
	assert_int_equal(e.query, 3);
	pg_error_set(&e, NULL, NULL);
	assert_string_equal(e.text, "");
	assert_string_equal(e.sqlstate, "08006");
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	pg_error_set(&e, "22000", line);
	assert_int_equal(strlen(e.text), PG_ERROR_TEXT - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_state_has_its_class),
		cmocka_unit_test(the_first_line_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
