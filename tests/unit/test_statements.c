/*
 * The shipped sets of statements, sql/presets/NAME.conf, beside the table of the program: the set
 * `chat` is that table written out, and every set gives all that the chat needs.
 */
#include "broker/store/pg_stmt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/store/pg_check.h"
#include "common/base/mem.h"
#include "common/conf/conf.h"

static const char *presets; /* the folder */

static struct conf *load(const char *name)
{
	struct conf *conf = conf_new();
	struct conf_fault fault;
	char path[4096];
	char *text = mem_alloc(1 << 20);
	size_t n;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s.conf", presets, name);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(text, 1, 1 << 20, f);
	assert_int_equal(fclose(f), 0);
	if (!conf_parse(conf, slice_of(text, n), path, &fault))
		fail_msg("%s", fault.text);
	free(text);
	return conf;
}

static void the_set_of_the_program_is_written_out(void **state)
{
	struct conf *conf = load("chat");
	struct pg_stmts all;
	size_t shipped = 0;

	(void)state;
	pg_stmts_init(&all);
	for (size_t i = 0; i < PG_STMTS; i++) {
		const struct pg_stmt *s = &all.v[i];
		const char *query;

		if (!s->configurable || !pg_stmt_used(s))
			continue;
		shipped++;
		query = conf_sql(conf, s->name);
		if (query == NULL)
			fail_msg("%s is missing", s->name);
		assert_string_equal(query, s->text);
	}
	assert_int_equal(conf->nsqls, shipped);
	pg_stmts_done(&all);
	conf_free(conf);
}

/* Settings of users live in our schema in any case. */
static bool is_ours(const char *name)
{
	return strcmp(name, "set_hidden") == 0 || strcmp(name, "set_last_seen_policy") == 0;
}

static void a_mapping_leaves_nothing_out(void **state)
{
	struct conf *conf = load("laravel");
	struct pg_stmts all;

	(void)state;
	pg_stmts_init(&all);
	for (size_t i = 0; i < conf->nsqls; i++)
		assert_true(pg_stmts_replace(&all, conf->sqls[i].name, conf->sqls[i].query));
	for (size_t i = 0; i < PG_STMTS; i++) {
		const struct pg_stmt *s = &all.v[i];

		if (s->configurable && s->own == NULL && !is_ours(s->name))
			fail_msg("%s is missing", s->name);
	}
	pg_stmts_done(&all);
	conf_free(conf);
}

/* ---- what a description must show ---- */

static PGresult *described(int n, const char *const *names, const Oid *types)
{
	PGresult *r = PQmakeEmptyPGresult(NULL, PGRES_COMMAND_OK);
	PGresAttDesc columns[8] = {0};

	for (int i = 0; i < n; i++)
		columns[i] = (PGresAttDesc){.name = mem_strdup(names[i]), .typid = types[i]};
	assert_int_not_equal(PQsetResultAttrs(r, n, columns), 0);
	for (int i = 0; i < n; i++)
		free(columns[i].name);
	return r;
}

static void expect(const struct pg_stmt *s, int n, const char *const *names, const Oid *types,
		   const char *why)
{
	char fault[PG_CHECK_TEXT] = "";
	PGresult *r = described(n, names, types);

	assert_int_equal(pg_check(s, r, fault), why == NULL);
	if (why != NULL)
		assert_string_equal(fault, why);
	PQclear(r);
}

static void columns_are_found_by_name_and_kind(void **state)
{
	static const struct pg_stmt s = {.name = "x",
					 .text = "SELECT",
					 .types = {PG_INT8},
					 .columns = "chat_id name direct created_at"};
	static const char *const names[] = {"more", "created_at", "direct", "name", "chat_id"};
	static const char *const few[] = {"created_at", "direct", "chat_id"};
	const Oid good[] = {PG_UUID, PG_TIMESTAMP, PG_BOOL, PG_UUID, PG_INT4};
	const Oid bad_id[] = {PG_UUID, PG_TIMESTAMPTZ, PG_BOOL, PG_TEXT, PG_UUID};
	const Oid bad_flag[] = {PG_UUID, PG_TIMESTAMPTZ, PG_INT4, PG_TEXT, PG_INT8};
	const Oid bad_time[] = {PG_UUID, 1082, PG_BOOL, PG_TEXT, PG_INT8}; /* date */
	const Oid bad_text[] = {PG_UUID, PG_TIMESTAMPTZ, PG_BOOL, PG_TIMESTAMPTZ, PG_INT8};
	const Oid types[] = {PG_TIMESTAMPTZ, PG_BOOL, PG_INT8};

	(void)state;
	expect(&s, 5, names, good, NULL);
	expect(&s, 5, names, bad_id, "column chat_id must be a whole number (bigint): cast it");
	expect(&s, 5, names, bad_flag, "column direct must be a boolean: cast it");
	expect(&s, 5, names, bad_time, "column created_at must be a time (timestamptz): cast it");
	expect(&s, 5, names, bad_text, "column name must be text: cast it");
	expect(&s, 3, few, types, "column name is missing");
}

static void rules_are_statements_with_names_of_their_own(void **state)
{
	struct pg_stmts all;
	char name[16];

	(void)state;
	pg_stmts_init(&all);
	assert_false(pg_stmts_replace(&all, "broker_start", "SELECT 1"));
	assert_false(pg_stmts_replace(&all, "sees_orders", "SELECT 1"));
	assert_false(pg_stmts_add_rule(&all, "history", "SELECT 1"));
	for (int i = 0; i < PG_RULES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "rule%d", i);
		assert_true(pg_stmts_add_rule(&all, name, "SELECT 1 WHERE $1 = $2"));
	}
	assert_false(pg_stmts_add_rule(&all, "one_more", "SELECT 1"));
	assert_int_equal(pg_stmts_rule(&all, SLICE("rule3")), PG_STMTS + 3);
	assert_int_equal(pg_stmts_rule(&all, SLICE("history")), PG_NO_STMT);
	assert_int_equal(pg_stmt_params(&all.v[PG_STMTS]), 2);
	pg_stmts_done(&all);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_set_of_the_program_is_written_out),
		cmocka_unit_test(a_mapping_leaves_nothing_out),
		cmocka_unit_test(columns_are_found_by_name_and_kind),
		cmocka_unit_test(rules_are_statements_with_names_of_their_own),
	};

	if (argc != 2) {
		(void)fprintf(stderr, "usage: test_statements PRESETS\n");
		return 64;
	}
	presets = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
