#include "common/json/scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "common/base/limits.h"
#include "common/base/utf8.h"

static bool accepts(struct slice text)
{
	struct json_value root;

	return json_scan(text, &root);
}

static const char *const good[] = {
	"0",
	" 7 ",
	"-0",
	"-1.5e+10",
	"1E9",
	"0.0",
	"\"\"",
	"true",
	"false",
	"null",
	"[]",
	"{}",
	"[ ]",
	"{ }",
	"[1,[2,{\"a\":[]}],3]",
	"{\"a\":1,\"b\":{\"c\":null}}",
	"\t\r\n{\"a\" : [ 1 , 2 ] }\n",
	"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\"",
	"\"\\ud83d\"",
	"\"\xC3\xA9\xF0\x9F\x98\x80\x7F\"",
	"12345678901234567890123456789",
	"1e400",
	"{\"\":\"\"}",
	"{\"a\":1,\"a\":2}",
};

static const char *const bad[] = {
	"",
	" ",
	"01",
	"-",
	"+1",
	".5",
	"1.",
	"1e",
	"1e+",
	"0x10",
	"--1",
	"NaN",
	"Infinity",
	"tru",
	"truex",
	"True",
	"nul",
	"'a'",
	"\"",
	"\"a",
	"\"\\\"",
	"\"\\x41\"",
	"\"\\u12\"",
	"\"\\u12g4\"",
	"\"\\u123",
	"\"\n\"",
	"\"\t\"",
	"\"\x1f\"",
	"[",
	"]",
	"[1",
	"[1,",
	"[1,]",
	"[,1]",
	"[1 2]",
	"[1}",
	"{",
	"}",
	"{\"a\"",
	"{\"a\":",
	"{\"a\":1",
	"{\"a\":1,",
	"{\"a\":1,}",
	"{,}",
	"{a:1}",
	"{1:1}",
	"{\"a\" 1}",
	"{\"a\"::1}",
	"{\"a\":1 \"b\":2}",
	"{\"a\":1]",
	"1 2",
	"{} {}",
	"[]]",
	"//x\n1",
	"/* */1",
	"\xEF\xBB\xBF{}",
	"\"\xC3\"",
	"\"\xED\xA0\x80\"",
	"\"\xC0\x80\"",
	"\"\xFF\"",
	"\v1",
};

static void knows_the_grammar(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (!accepts(slice_str(good[i])))
			fail_msg("refused: %s", good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (accepts(slice_str(bad[i])))
			fail_msg("accepted: %s", bad[i]);
	}
	assert_false(accepts(SLICE("1\0")));
	assert_false(accepts(SLICE("\"a\0b\"")));
	assert_false(accepts(SLICE_NONE));
}

static void limits_depth(void **state)
{
	char text[4 * LIMIT_JSON_DEPTH];
	size_t n = LIMIT_JSON_DEPTH;

	(void)state;
	memset(text, '[', n);
	memset(text + n, ']', n);
	assert_true(accepts(slice_of(text, 2 * n)));
	n++;
	memset(text, '[', n);
	memset(text + n, ']', n);
	assert_false(accepts(slice_of(text, 2 * n)));
}

static void every_prefix_is_refused(void **state)
{
	struct slice text = SLICE("{\"a\":[1,-2.5e3,true,null,\"\\u00e9\\n\"],\"b\":{\"c\":{}}}");

	(void)state;
	assert_true(accepts(text));
	for (size_t n = 0; n < text.n; n++) {
		char *copy = malloc(n + 1); /* so that the sanitizer sees a step behind it */

		memcpy(copy, text.p, n);
		assert_false(accepts(slice_of(copy, n)));
		free(copy);
	}
}

/* json-c in its strict mode is the oracle; where it is known to differ we do not ask it. */
static bool oracle_accepts(const char *text, size_t n)
{
	struct json_tokener *t = json_tokener_new_ex(LIMIT_JSON_DEPTH + 1);
	bool ok;

	json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	struct json_object *o = json_tokener_parse_ex(t, text, (int)n + 1); /* with its NUL */

	ok = json_tokener_get_error(t) == json_tokener_success &&
	     json_tokener_get_parse_end(t) >= n;
	json_object_put(o);
	json_tokener_free(t);
	return ok;
}

/*
 * Random lists out of the pieces of JSON. Numbers end in a blank: joined ones like 011e3 or 1. are
 * where json-c is not strict.
 */
static void agrees_with_json_c(void **state)
{
	static const char *const pieces[] = {
		"{",	"}",	"[",	       "]",	",",	   ":",	   "1 ",
		"-2 ",	"0.5 ", "1e3 ",	       "\"a\"", "\"\\n\"", "true", "false",
		"null", " ",	"\"\\u00e9\"", "\"b\"", "{\"k\":", "[1 ",  "\""};
	unsigned int seed = 20261124;
	size_t accepted = 0;

	(void)state;
	for (int round = 0; round < 200000; round++) {
		char text[128] = "[";
		size_t n = 1;

		for (int k = (int)(seed >> 20) % 8; k >= 0; k--) {
			seed = seed * 1103515245 + 12345;
			const char *piece =
				pieces[(seed >> 16) % (sizeof(pieces) / sizeof(pieces[0]))];

			memcpy(text + n, piece, strlen(piece));
			n += strlen(piece);
		}
		text[n++] = ']';
		text[n] = '\0';
		bool ours = accepts(slice_of(text, n));

		if (ours != oracle_accepts(text, n))
			fail_msg("json-c %s: %s", ours ? "refuses" : "accepts", text);
		accepted += ours;
	}
	assert_true(accepted > 1000);
}

static struct json_value scan(const char *text)
{
	struct json_value root;

	assert_true(json_scan(slice_str(text), &root));
	return root;
}

static void finds_members(void **state)
{
	struct json_value root = scan(
		" {\"event\" : \"x\", \"d\\u0061ta\":{\"a\":[1,\"}\"]} ,\"n\":-1.50,\"z\":null} ");
	struct json_field f[] = {{.name = SLICE_INIT("event")},
				 {.name = SLICE_INIT("data")},
				 {.name = SLICE_INIT("n")},
				 {.name = SLICE_INIT("z")},
				 {.name = SLICE_INIT("absent")}};

	(void)state;
	assert_true(json_fields(&root, f, 5, JSON_REFUSE));
	assert_true(slice_eq(f[0].value.raw, SLICE("\"x\"")));
	assert_int_equal(f[1].value.type, JSON_OBJECT);
	assert_true(slice_eq(f[1].value.raw, SLICE("{\"a\":[1,\"}\"]}")));
	assert_int_equal(f[2].value.type, JSON_NUMBER);
	assert_true(slice_eq(f[2].value.raw, SLICE("-1.50")));
	assert_int_equal(f[3].value.type, JSON_NULL);
	assert_false(json_given(&f[3].value));
	assert_int_equal(f[4].value.type, JSON_NONE);
	assert_false(json_given(&f[4].value));
	assert_int_equal(json_count(&root), 4);
}

static void treats_names_that_stand_twice(void **state)
{
	struct json_value root = scan("{\"a\":1,\"b\":2,\"\\u0061\":3}");
	struct json_field a = {.name = SLICE_INIT("a")};
	struct json_field b = {.name = SLICE_INIT("b")};

	(void)state;
	assert_true(json_fields(&root, &a, 1, JSON_LAST_WINS));
	assert_true(slice_eq(a.value.raw, SLICE("3")));
	assert_false(json_fields(&root, &a, 1, JSON_REFUSE));
	assert_true(json_fields(&root, &b, 1, JSON_REFUSE)); /* only names that are asked for */
	root = scan("[]");
	assert_false(json_fields(&root, &a, 1, JSON_LAST_WINS));
}

static void walks_arrays(void **state)
{
	struct json_value root = scan("[1, \"a,]\" ,[2,[3]],{\"x\":[]},true]");
	static const char *const want[] = {"1", "\"a,]\"", "[2,[3]]", "{\"x\":[]}", "true"};
	struct json_iter it = {0};
	struct json_value v;

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		assert_true(json_next(&root, &it, &v));
		assert_true(slice_eq(v.raw, slice_str(want[i])));
	}
	assert_false(json_next(&root, &it, &v));
	assert_false(json_next(&root, &it, &v));
	assert_int_equal(json_count(&root), 5);
	root = scan("[ ]");
	it = (struct json_iter){0};
	assert_false(json_next(&root, &it, &v));
	root = scan("{\"a\":1}");
	assert_false(json_next(&root, &it, &v));
}

static void assert_text_is(const char *json, struct slice want)
{
	struct json_value root = scan(json);
	struct buf scratch;

	buf_init(&scratch, 1000);
	json_scratch(&scratch, root.raw.n);
	struct slice text = json_text(&root, &scratch);

	assert_int_equal(text.n, want.n);
	assert_memory_equal(text.p, want.p, want.n);
	assert_true(json_string_is(&root, want));
	assert_false(json_string_is(&root, SLICE("something else")));
	assert_true(utf8_valid(text));
	buf_clear(&scratch);
	assert_true(json_append_text(&root, &scratch));
	assert_true(slice_eq(buf_slice(&scratch), want));
	buf_done(&scratch);
}

static void undoes_escapes(void **state)
{
	(void)state;
	assert_text_is("\"plain\"", SLICE("plain"));
	assert_text_is("\"\"", SLICE(""));
	assert_text_is("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", SLICE("\"\\/\b\f\n\r\t"));
	assert_text_is("\"a\\u0041b\\u00e9\\u20AC\"", SLICE("aAb\xC3\xA9\xE2\x82\xAC"));
	assert_text_is("\"\\u0000\"", SLICE("\0"));
	assert_text_is("\"\\uFFFF\\u07ff\\u0800\\u007f\\u0080\"",
		       SLICE("\xEF\xBF\xBF\xDF\xBF\xE0\xA0\x80\x7F\xC2\x80"));
	assert_text_is("\"\\uD83D\\uDE00\\ud800\\udc00\\uDBFF\\uDFFF\"",
		       SLICE("\xF0\x9F\x98\x80\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"));
}

#define LONE "\xEF\xBF\xBD"

static void replaces_half_pairs(void **state)
{
	(void)state;
	assert_text_is("\"\\uD83D\"", SLICE(LONE));
	assert_text_is("\"\\uDE00\"", SLICE(LONE));
	assert_text_is("\"\\uD83Dx\"", SLICE(LONE "x"));
	assert_text_is("\"\\uD83D\\u0041\"", SLICE(LONE "A"));
	assert_text_is("\"\\uD83D\\n\"", SLICE(LONE "\n"));
	assert_text_is("\"\\uDE00\\uD83D\"", SLICE(LONE LONE));
	assert_text_is("\"\\uD83D\\uD83D\\uDE00\"", SLICE(LONE "\xF0\x9F\x98\x80"));
}

static void texts_stay_where_they_are(void **state)
{
	struct json_value root = scan("[\"a\\n\",\"b\\n\",\"plain\",\"\\u00e9\\u00e9\\u00e9\"]");
	struct json_iter it = {0};
	struct json_value v;
	struct slice text[4] = {0};
	struct buf scratch;

	(void)state;
	buf_init(&scratch, 1000);
	json_scratch(&scratch, root.raw.n);
	for (size_t i = 0; i < ARRAY_LEN(text) && json_next(&root, &it, &v); i++)
		text[i] = json_text(&v, &scratch);
	assert_true(slice_eq(text[0], SLICE("a\n")));
	assert_true(slice_eq(text[1], SLICE("b\n")));
	assert_true(slice_eq(text[2], SLICE("plain")));
	assert_true(slice_eq(text[3], SLICE("\xC3\xA9\xC3\xA9\xC3\xA9")));
	buf_done(&scratch);
}

static void appending_stops_at_the_maximum(void **state)
{
	struct json_value v = scan("\"ab\\u00e9\"");
	struct buf out;

	(void)state;
	buf_init(&out, 4);
	assert_true(json_append_text(&v, &out));
	buf_done(&out);
	buf_init(&out, 3);
	assert_false(json_append_text(&v, &out));
	buf_done(&out);
}

static void reads_integers(void **state)
{
	static const char *const no[] = {"-1", "1.0", "1e3", "\"1\"", "18446744073709551616", "-0"};
	uint64_t n = 5;
	struct json_value v = scan("18446744073709551615");

	(void)state;
	assert_true(json_u64(&v, &n));
	assert_true(n == UINT64_MAX);
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		v = scan(no[i]);
		assert_false(json_u64(&v, &n));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_the_grammar),
		cmocka_unit_test(limits_depth),
		cmocka_unit_test(every_prefix_is_refused),
		cmocka_unit_test(agrees_with_json_c),
		cmocka_unit_test(finds_members),
		cmocka_unit_test(treats_names_that_stand_twice),
		cmocka_unit_test(walks_arrays),
		cmocka_unit_test(undoes_escapes),
		cmocka_unit_test(replaces_half_pairs),
		cmocka_unit_test(texts_stay_where_they_are),
		cmocka_unit_test(appending_stops_at_the_maximum),
		cmocka_unit_test(reads_integers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
