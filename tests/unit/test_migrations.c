#include "ctl/migrations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];

static int make_dir(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/migrations.XXXXXX");
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int remove_dir(void **state)
{
	static const char *const names[] = {"001_base.sql", "002_more.sql", "003_more.sql",
					    "README.md",    "002_Big.sql",  "0001_x.sql"};
	char path[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path); /* most tests make but some */
	}
	return rmdir(dir);
}

static void put(const char *name, const char *text, size_t n)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

#define PUT(name, text) put(name, text, sizeof(text) - 1)

static void assert_refused(const char *why)
{
	struct migrations_fault fault;

	assert_null(migrations_read(dir, &fault));
	if (strstr(fault.text, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", fault.text, why);
}

static void reads_in_order_what_is_named_so(void **state)
{
	struct migrations_fault fault;
	struct migrations *m;

	(void)state;
	PUT("002_more.sql", "-- no-transaction\nSELECT 2;\n");
	PUT("001_base.sql", "abc");
	PUT("README.md", "no SQL");
	PUT("002_Big.sql", "not a name");
	PUT("0001_x.sql", "not a number");
	m = migrations_read(dir, &fault);
	assert_non_null(m);
	assert_int_equal(m->n, 2);
	assert_int_equal(m->v[0].version, 1);
	assert_string_equal(m->v[0].file, "001_base.sql");
	assert_string_equal(m->v[0].name, "base");
	assert_string_equal(m->v[0].text, "abc");
	assert_string_equal(m->v[0].sha256,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_true(m->v[0].transaction);
	assert_false(m->v[1].transaction);
	migrations_free(m);
}

static void refuses_gaps_doubles_and_nothing(void **state)
{
	(void)state;
	assert_refused("no files");
	PUT("002_more.sql", "SELECT 2");
	assert_refused("002_more.sql stands where number 1 is expected");
	PUT("001_base.sql", "SELECT 1");
	PUT("003_more.sql", "SELECT 3");
	PUT("002_more.sql", "a\0b");
	assert_refused("NUL");
}

static void refuses_a_missing_folder(void **state)
{
	struct migrations_fault fault;

	(void)state;
	assert_null(migrations_read("/nonexistent", &fault));
	assert_non_null(strstr(fault.text, "/nonexistent"));
	migrations_free(NULL);
}

static void compares_with_what_was_applied(void **state)
{
	struct migrations_fault fault;
	struct migrations *m;

	(void)state;
	PUT("001_base.sql", "abc");
	m = migrations_read(dir, &fault);
	assert_non_null(m);
	assert_int_equal(migrations_compare(m, 1, slice_str(m->v[0].sha256)), MIGRATION_SAME);
	assert_int_equal(migrations_compare(m, 1, SLICE("0")), MIGRATION_CHANGED);
	assert_int_equal(migrations_compare(m, 2, slice_str(m->v[0].sha256)), MIGRATION_UNKNOWN);
	assert_int_equal(migrations_compare(m, 0, slice_str(m->v[0].sha256)), MIGRATION_UNKNOWN);
	migrations_free(m);
}

static void counts_lines_by_characters(void **state)
{
	struct migrations_fault fault;
	struct migrations *m;

	(void)state;
	PUT("001_base.sql", "\xc3\xa4\xc3\xa4\nbc\nd");
	m = migrations_read(dir, &fault);
	assert_non_null(m);
	assert_int_equal(migration_line(&m->v[0], 1), 1);
	assert_int_equal(migration_line(&m->v[0], 3), 1);
	assert_int_equal(migration_line(&m->v[0], 4), 2);
	assert_int_equal(migration_line(&m->v[0], 7), 3);
	migrations_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_in_order_what_is_named_so, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(refuses_gaps_doubles_and_nothing, make_dir,
						remove_dir),
		cmocka_unit_test(refuses_a_missing_folder),
		cmocka_unit_test_setup_teardown(compares_with_what_was_applied, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(counts_lines_by_characters, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
