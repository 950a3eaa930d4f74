/*
 * Random requests, many of them spoilt, through our parser and through http-parser. Ours is the
 * stricter one by far, so only one direction can hold: what ours accepts the other accepts too,
 * reads the same in it, and finds its end at the same byte. A difference there would be a hole for
 * request smuggling.
 */
#include "worker/http/parser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "tests/model/parser_oracle.h"

enum { ROUNDS = 40000, BODY_MAX = 64, TEXT_MAX = 8192 };

static uint32_t seed;

static uint32_t below(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

/* ---- a request ---- */

#define PICK(out, list) (void)buf_add(out, slice_str((list)[below(ARRAY_LEN(list))]))

static void make_request(struct buf *out)
{
	static const char *const before[] = {"", "", "", "", "\r\n", "\r\n\r\n", "\n"};
	static const char *const methods[] = {"GET", "POST", "PUT", "HEAD", "DELETE", "PATCH"};
	static const char *const targets[] = {"/",  "/a?b=c",	   "/%41/b",  "/a//b?x=%zz",
					      "/?", "/a.b/~c;d=e", "/..%2f.", "/a b",
					      "*",  "http://h/",   "/a?#b",   "/\x80"};
	static const char *const versions[] = {" HTTP/1.1\r\n", " HTTP/1.1\r\n", " HTTP/1.1\r\n",
					       " HTTP/1.0\r\n", " HTTP/1.1\n",	 "\r\n"};
	static const char *const lines[] = {
		"Host: h\r\n",
		"A: b\r\n",
		"A:\r\n",
		"A: \t b c\t \r\n",
		"Accept: \xC3\xA9, \"x\"\r\n",
		"Connection: close\r\n",
		"Connection: keep-alive\r\n",
		"connection: Keep-Alive , x\r\n",
		"Connection: x,close\r\n",
		"Connection: closed\r\n",
		"Content-Length: 5\r\n",
		"Content-Length: 005\r\n",
		"Content-Length: 0\r\n",
		"Content-Length: 5 \r\n",
		"Content-Length: 5, 5\r\n",
		"content-length: 6\r\n",
		"Transfer-Encoding: chunked\r\n",
		"transfer-encoding: Chunked\r\n",
		"Transfer-Encoding: chunked, gzip\r\n",
		"Transfer-Encoding: identity\r\n",
		" folded\r\n",
		"Name : x\r\n",
		"Expect: 100-continue\r\n",
		"X-\x01: y\r\n",
		"A: b\n",
	};
	static const char *const bodies[] = {
		"",
		"hello",
		"hello, world",
		"5\r\nhello\r\n0\r\n\r\n",
		"1\r\na\r\n00A\r\n0123456789\r\n0\r\n\r\n",
		"5;x=y\r\nhello\r\n0\r\n\r\n",
		"5\r\nhello\r\n0\r\nA: b\r\n\r\n",
		"5 \r\nhello\r\n0\r\n\r\n",
		"0\r\n\r\nGET / HTTP/1.1\r\n",
		"-1\r\n",
		"5\nhello\n0\n\n",
	};

	PICK(out, before);
	PICK(out, methods);
	(void)buf_addc(out, ' ');
	PICK(out, targets);
	PICK(out, versions);
	if (below(8) > 0)
		(void)buf_add(out, SLICE("Host: h\r\n"));
	for (uint32_t n = below(4); n > 0; n--)
		PICK(out, lines);
	(void)buf_add(out, below(20) > 0 ? SLICE("\r\n") : SLICE("\n"));
	PICK(out, bodies);
	PICK(out, bodies);
}

/* Sometimes a byte is changed, doubled or lost. */
static void spoil(struct buf *b)
{
	static const char bytes[] = "\r\n \t:;,%/0159aA\0\x7f\x80\xff";
	size_t at = below((uint32_t)b->n);

	switch (below(5)) {
	case 0:
		b->p[at] = bytes[below(sizeof(bytes))];
		break;
	case 1:
		b->p[at] = (char)(b->p[at] ^ (1 << below(8)));
		break;
	case 2:
		memmove(b->p + at, b->p + at + 1, b->n - at - 1);
		b->n--;
		break;
	default:
		break;
	}
}

/* ---- side by side ---- */

/* Our lines in the other's form. It leaves blanks behind a value, which are none of it. */
static void assert_same_lines(const struct http_request *r, struct slice theirs)
{
	struct slice line;

	for (unsigned i = 0; i < r->field_count; i++) {
		const struct http_field *f = &r->fields[i];
		struct slice name;
		struct slice value;

		assert_true(slice_cut(theirs, '\n', &line, &theirs));
		assert_true(slice_cut(line, ':', &name, &value));
		assert_true(slice_eq(name, slice_of(r->head + f->name, f->name_n)));
		assert_true(slice_eq(slice_trim(value), slice_of(r->head + f->value, f->value_n)));
	}
	assert_int_equal(theirs.n, 0);
}

static void compare(const struct http_request *r, struct slice text, size_t used)
{
	struct oracle o;

	oracle_parse(&o, text);
	if (!o.complete || o.used != used)
		fail_msg("%s, %zu bytes of %zu: %.*s", o.error, o.used, used, SLICE_ARG(text));
	assert_true(slice_eq(r->method_name, slice_str(o.method)));
	assert_true(slice_eq(r->target, buf_slice(&o.target)));
	assert_true(slice_eq(r->body, buf_slice(&o.body)));
	assert_int_equal(r->http_1_1, o.http_1_1);
	if (r->keep_alive && !o.keep_alive) /* with both words, ours closes */
		fail_msg("kept: %.*s", SLICE_ARG(text));
	assert_same_lines(r, buf_slice(&o.lines));
	oracle_done(&o);
}

static void what_is_accepted_is_read_alike(void **state)
{
	struct http_parser *ours = http_parser_new(BODY_MAX);
	unsigned accepted = 0;
	const char *given = getenv("MODEL_SEED");
	struct buf text;

	(void)state;
	seed = given != NULL ? (uint32_t)strtoul(given, NULL, 10) : 20261124;
	print_message("# seed %u\n", seed);
	buf_init(&text, TEXT_MAX);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct fault err;
		size_t used;

		buf_clear(&text);
		make_request(&text);
		spoil(&text);
		http_parser_reset(ours);
		if (http_parse(ours, buf_slice(&text), &used, &err) != PARSE_DONE ||
		    http_parser_request(ours)->method == HTTP_OTHER)
			continue; /* http-parser knows a list of methods only */
		accepted++;
		compare(http_parser_request(ours), buf_slice(&text), used);
	}
	print_message("# %u of %u accepted\n", accepted, (unsigned)ROUNDS);
	assert_true(accepted > ROUNDS / 100);
	buf_done(&text);
	http_parser_free(ours);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_accepted_is_read_alike),
	};

	return cmocka_run_group_tests_name("model_parser", tests, NULL, NULL);
}
