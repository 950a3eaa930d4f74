#include "ctl/dotenv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"

static struct dotenv env;
static struct dotenv_fault fault;

static int teardown(void **state)
{
	(void)state;
	dotenv_done(&env);
	return 0;
}

static void reads(const char *text)
{
	dotenv_done(&env);
	if (!dotenv_parse(slice_str(text), &env, &fault))
		fail_msg("%u: %s", fault.line, fault.text);
}

/* The value of A in this text; NULL: it has none. */
static void is(const char *text, const char *want)
{
	const struct dotenv_var *v;

	reads(text);
	v = dotenv_find(&env, "A");
	assert_non_null(v);
	if (want == NULL)
		assert_null(v->value);
	else
		assert_string_equal(v->value, want);
}

static void refuses(const char *text, unsigned line)
{
	dotenv_done(&env);
	if (dotenv_parse(slice_str(text), &env, &fault))
		fail_msg("accepted: %s", text);
	assert_int_equal(fault.line, line);
	assert_non_null(fault.text);
}

static void test_plain(void **state)
{
	(void)state;
	is("A=1", "1");
	is("  A = 1  \n", "1");
	is("export A=1", "1");
	is("A=", "");
	is("A", NULL);
	is("A # nothing", NULL);
	is("A=x # comment", "x");
	is("A=x#y", "x");
	is("A=#x", "");
	is("A=a=b", "a=b");
	is("A=\\n'\"", "\\n'\"");
	is("A=\xC3\xA9\r\n", "\xC3\xA9");
	is("\xEF\xBB\xBF"
	   "A=1",
	   "1");
	is("# A=0\n\n\tA=1\n#A=2", "1");
	is("A=1\nA=2", "2");
	is("exported=0\nA=base64:Zm9v+/=", "base64:Zm9v+/=");
}

static void test_quotes(void **state)
{
	(void)state;
	is("A='x y # z' # comment", "x y # z");
	is("A=\"x y # z\"", "x y # z");
	is("A=''", "");
	is("A=\"\"", "");
	is("A='${B} \\n'", "${B} \\n");
	is("A=\"a\\\"b\\\\c\\$d\\ne\"", "a\"b\\c$d\ne");
	is("A='over\nlines'\nB=1", "over\nlines");
	assert_int_equal(dotenv_find(&env, "B")->line, 3);
	is("A=\"it's\"", "it's");
}

static void test_expansions(void **state)
{
	(void)state;
	is("B=x\nA=${B}", "x");
	is("B=x\nA=\"a${B}${B}c\"", "axxc");
	is("B=x\nA=a-${B}-c", "a-x-c");
	is("A=$", "$");
	is("A=$B", "$B");
	is("A=\"$5 ${ } ${}\"", "$5 ${ } ${}");
	is("B='x y'\nA=${B}", "x y");
	is("A=1\nA=${A}2", "12");
	assert_null(dotenv_find(&env, "A")->missing);
	is("A=${B}\nB=1", "${B}");
	assert_string_equal(dotenv_find(&env, "A")->missing, "B");
	is("A=\"${FIRST} ${SECOND}\"", "${FIRST} ${SECOND}");
	assert_string_equal(dotenv_find(&env, "A")->missing, "FIRST");
}

static void test_what_is_refused(void **state)
{
	(void)state;
	refuses("A=x y", 1);
	refuses("\nA='x' y", 2);
	refuses("A=\"x\"y", 1);
	refuses("A='x\n\n", 1);
	refuses("B=1\nA=\"x", 2);
	refuses("A=\"\\x\"", 1);
	refuses("A=\"\\", 1);
	refuses("=x", 1);
	refuses("A-B=x", 1);
	refuses("A B=x", 1);
	refuses("A=\x80", 0);
	dotenv_done(&env);
	assert_false(dotenv_parse(SLICE("A=\0x"), &env, &fault));
}

static void test_sizes(void **state)
{
	char *text = mem_zalloc(DOTENV_TEXT_MAX + 2);
	size_t n = 0;

	(void)state;
	memset(text, '#', DOTENV_TEXT_MAX);
	reads(text);
	text[DOTENV_TEXT_MAX] = '#';
	refuses(text, 0);
	/* each line is twice as long as the one above */
	text[0] = '\0';
	n += (size_t)snprintf(text, 20, "V0=0123456789\n");
	for (int i = 1; i < 30; i++)
		n += (size_t)snprintf(text + n, 40, "V%d=${V%d}${V%d}\n", i, i - 1, i - 1);
	refuses(text, 14);
	n = 0;
	for (int i = 0; i <= DOTENV_VARS_MAX; i++)
		n += (size_t)snprintf(text + n, 40, "V%d=\n", i);
	refuses(text, DOTENV_VARS_MAX + 1);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_plain, teardown),
		cmocka_unit_test_teardown(test_quotes, teardown),
		cmocka_unit_test_teardown(test_expansions, teardown),
		cmocka_unit_test_teardown(test_what_is_refused, teardown),
		cmocka_unit_test_teardown(test_sizes, teardown),
	};

	return cmocka_run_group_tests_name("dotenv", tests, NULL, NULL);
}
