/* worker/http/parser: what is accepted, what is refused with which status, in any pieces. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/limits.h"
#include "worker/http/parser.h"

#define BODY_MAX 64
#define HOST "Host: h\r\n"
#define GET "GET / HTTP/1.1\r\n"
#define POST "POST / HTTP/1.1\r\n" HOST

/* Feeds the text in pieces of at most `piece` bytes. */
static enum parse feed(struct http_parser *p, struct slice in, size_t piece, size_t *ret_used,
		       struct fault *err)
{
	enum parse result = PARSE_MORE;

	*ret_used = 0;
	while (result == PARSE_MORE && *ret_used < in.n) {
		size_t used = 0;

		result = http_parse(p, slice_first(slice_skip(in, *ret_used), piece), &used, err);
		*ret_used += used;
		if (result == PARSE_MORE)
			assert_true(used > 0);
	}
	return result;
}

static void assert_slice(struct slice got, const char *wanted)
{
	assert_int_equal(got.n, strlen(wanted));
	assert_memory_equal(got.p, wanted, got.n);
}

struct bad_case {
	struct slice text;
	uint16_t status;
};

static const struct bad_case BAD[] = {
	/* request line */
	{SLICE_INIT("\x16\x03\x01\x02"), 400},
	{SLICE_INIT(" GET / HTTP/1.1\r\n"), 400},
	{SLICE_INIT("GET  / HTTP/1.1\r\n"), 400},
	{SLICE_INIT("GET / HTTP/1.1\n"), 400},
	{SLICE_INIT("GET / HTTP/1.1 \r\n"), 400},
	{SLICE_INIT("GET / HTTP/1.10\r\n"), 400},
	{SLICE_INIT("GET / http/1.1\r\n"), 400},
	{SLICE_INIT("GET /\r\n"), 400},
	{SLICE_INIT("G\tT / HTTP/1.1\r\n"), 400},
	{SLICE_INIT("GET http://h/ HTTP/1.1\r\n"), 400},
	{SLICE_INIT("OPTIONS * HTTP/1.1\r\n"), 400},
	{SLICE_INIT("CONNECT h:1 HTTP/1.1\r\n"), 400},
	{SLICE_INIT("GET /a\tb HTTP/1.1\r\n"), 400},
	{SLICE_INIT("GET /a#b HTTP/1.1\r\n"), 400},
	{SLICE_INIT("GET /\x80 HTTP/1.1\r\n"), 400},
	{SLICE_INIT("GET / HTTP/2.0\r\n"), 505},
	{SLICE_INIT("GET / HTTP/1.2\r\n"), 505},
	{SLICE_INIT("GET / HTTP/0.9\r\n"), 505},
	{SLICE_INIT("\r\n\r\nGET / HTTP/1.1\r\n"), 400},
	{SLICE_INIT("\rGET / HTTP/1.1\r\n"), 400},
	{SLICE_INIT("\nGET / HTTP/1.1\r\n"), 400},
	/* paths */
	{SLICE_INIT("GET /% HTTP/1.1\r\n" HOST "\r\n"), 400},
	{SLICE_INIT("GET /%zz HTTP/1.1\r\n" HOST "\r\n"), 400},
	{SLICE_INIT("GET /%00 HTTP/1.1\r\n" HOST "\r\n"), 400},
	{SLICE_INIT("GET /%ff%fe HTTP/1.1\r\n" HOST "\r\n"), 400},
	{SLICE_INIT("GET /%c0%af HTTP/1.1\r\n" HOST "\r\n"), 400},
	{SLICE_INIT("GET /a/../b HTTP/1.1\r\n" HOST "\r\n"), 400},
	{SLICE_INIT("GET /a/%2e%2E/b HTTP/1.1\r\n" HOST "\r\n"), 400},
	/* header lines */
	{SLICE_INIT(GET HOST "A : b\r\n"), 400},
	{SLICE_INIT(GET HOST " A: b\r\n"), 400},
	{SLICE_INIT(GET HOST "A: b\r\n c\r\n"), 400},
	{SLICE_INIT(GET HOST "A: b\r\n\tc\r\n"), 400},
	{SLICE_INIT(GET HOST ": b\r\n"), 400},
	{SLICE_INIT(GET HOST "A\r\n"), 400},
	{SLICE_INIT(GET HOST "A(): b\r\n"), 400},
	{SLICE_INIT(GET HOST "A: b\n"), 400},
	{SLICE_INIT(GET HOST "A: b\rc\r\n"), 400},
	{SLICE_INIT(GET HOST "A: b\0c\r\n"), 400},
	{SLICE_INIT(GET HOST "A: b\x7f\r\n"), 400},
	{SLICE_INIT(GET HOST "A\xe9: b\r\n"), 400},
	{SLICE_INIT(GET HOST "\n"), 400},
	{SLICE_INIT(GET HOST "\rX"), 400},
	{SLICE_INIT(GET "\r\n"), 400},
	{SLICE_INIT(GET HOST HOST "\r\n"), 400},
	{SLICE_INIT(GET "Host:\r\n\r\n"), 400},
	{SLICE_INIT(GET "Host: a b\r\n\r\n"), 400},
	{SLICE_INIT(GET "Host: a/b\r\n\r\n"), 400},
	{SLICE_INIT(GET "Host: a,b\r\n\r\n"), 400},
	{SLICE_INIT(GET HOST "Sec-WebSocket-Key: a\r\nSec-WebSocket-Key: a\r\n\r\n"), 400},
	{SLICE_INIT(GET HOST "Authorization: a\r\nauthorization: b\r\n\r\n"), 400},
	/* framing of the body */
	{SLICE_INIT(POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n"), 400},
	{SLICE_INIT(POST "Content-Length: 1, 1\r\n\r\n"), 400},
	{SLICE_INIT(POST "Content-Length: +1\r\n\r\n"), 400},
	{SLICE_INIT(POST "Content-Length: -1\r\n\r\n"), 400},
	{SLICE_INIT(POST "Content-Length: 0x1\r\n\r\n"), 400},
	{SLICE_INIT(POST "Content-Length: 1 1\r\n\r\n"), 400},
	{SLICE_INIT(POST "Content-Length:\r\n\r\n"), 400},
	{SLICE_INIT(POST "Content-Length: 65\r\n\r\n"), 413},
	{SLICE_INIT(POST "Content-Length: 99999999999999999999999\r\n\r\n"), 413},
	{SLICE_INIT(POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
	{SLICE_INIT(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
	{SLICE_INIT(POST "Transfer-Encoding: gzip, chunked\r\n\r\n"), 400},
	{SLICE_INIT(POST "Transfer-Encoding: chunked;a=b\r\n\r\n"), 400},
	{SLICE_INIT(POST "Transfer-Encoding: identity\r\n\r\n"), 400},
	{SLICE_INIT(POST "Transfer-Encoding:\r\n\r\n"), 400},
	{SLICE_INIT("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
	{SLICE_INIT(POST "Expect: 200-ok\r\n\r\n"), 417},
};

#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

static const struct bad_case BAD_CHUNKS[] = {
	{SLICE_INIT(CHUNKED "\r\n"), 400},	    {SLICE_INIT(CHUNKED "g\r\n"), 400},
	{SLICE_INIT(CHUNKED " 1\r\n"), 400},	    {SLICE_INIT(CHUNKED "1 \r\n"), 400},
	{SLICE_INIT(CHUNKED "1;a=b\r\n"), 400},	    {SLICE_INIT(CHUNKED "1\n"), 400},
	{SLICE_INIT(CHUNKED "1\rX"), 400},	    {SLICE_INIT(CHUNKED "0x1\r\n"), 400},
	{SLICE_INIT(CHUNKED "000000001\r\n"), 400}, {SLICE_INIT(CHUNKED "1\r\nab"), 400},
	{SLICE_INIT(CHUNKED "1\r\na\n"), 400},	    {SLICE_INIT(CHUNKED "1\r\na\rX"), 400},
	{SLICE_INIT(CHUNKED "0\r\nA: b\r\n"), 400}, {SLICE_INIT(CHUNKED "0\r\n\n"), 400},
	{SLICE_INIT(CHUNKED "0\r\n\rX"), 400},	    {SLICE_INIT(CHUNKED "41\r\n"), 413},
	{SLICE_INIT(CHUNKED "ffffffff\r\n"), 413},  {SLICE_INIT(CHUNKED "1\r\na\r\n40\r\n"), 413},
};

static void refuse(const struct bad_case *c, size_t piece)
{
	struct http_parser *p = http_parser_new(BODY_MAX);
	struct fault err = {0};
	size_t used;

	if (feed(p, c->text, piece, &used, &err) != PARSE_BAD || err.http_status != c->status)
		fail_msg("%.*s: status %u", SLICE_ARG(c->text), err.http_status);
	assert_non_null(err.text);
	/* it stays so */
	err = (struct fault){0};
	assert_int_equal(http_parse(p, SLICE("GET"), &used, &err), PARSE_BAD);
	assert_int_equal(err.http_status, c->status);
	assert_int_equal(used, 0);
	http_parser_free(p);
}

static void test_refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
		refuse(&BAD[i], SIZE_MAX);
		refuse(&BAD[i], 1);
	}
	for (size_t i = 0; i < ARRAY_LEN(BAD_CHUNKS); i++) {
		refuse(&BAD_CHUNKS[i], SIZE_MAX);
		refuse(&BAD_CHUNKS[i], 1);
	}
}

static const char WHOLE[] = "POST /apps/1/events?a=1&b=%20 HTTP/1.1\r\n"
			    "Host: example.org:8080\r\n"
			    "X-Empty:\r\n"
			    "X-Blank:  \t\r\n"
			    "x-list: a, B ,c\r\n"
			    "X-List: d\r\n"
			    "Content-Length: 5\r\n"
			    "X-Trim: \t a b \t \r\n"
			    "\r\n"
			    "hello";

static void check_whole(const struct http_request *r)
{
	struct slice value = SLICE_NONE;
	unsigned at = 0;

	assert_int_equal(r->method, HTTP_POST);
	assert_slice(r->method_name, "POST");
	assert_slice(r->target, "/apps/1/events?a=1&b=%20");
	assert_slice(r->path, "/apps/1/events");
	assert_slice(r->query, "a=1&b=%20");
	assert_slice(r->body, "hello");
	assert_true(r->http_1_1);
	assert_true(r->keep_alive);
	assert_slice(http_header(r, SLICE("HOST")), "example.org:8080");
	assert_slice(http_header(r, SLICE("x-trim")), "a b");
	assert_non_null(http_header(r, SLICE("X-Empty")).p);
	assert_int_equal(http_header(r, SLICE("X-Empty")).n, 0);
	assert_int_equal(http_header(r, SLICE("X-Blank")).n, 0);
	assert_null(http_header(r, SLICE("X-Other")).p);
	assert_true(http_header_next(r, SLICE("X-List"), &at, &value));
	assert_slice(value, "a, B ,c");
	assert_true(http_header_next(r, SLICE("X-List"), &at, &value));
	assert_slice(value, "d");
	assert_false(http_header_next(r, SLICE("X-List"), &at, &value));
	assert_true(http_header_has(r, SLICE("x-list"), SLICE("b")));
	assert_true(http_header_has(r, SLICE("x-list"), SLICE("D")));
	assert_false(http_header_has(r, SLICE("x-list"), SLICE("a, b")));
	assert_false(http_header_has(r, SLICE("x-empty"), SLICE("a")));
}

/* Two pieces, cut at every byte; then byte by byte. */
static void test_any_pieces(void **state)
{
	struct slice in = slice_of(WHOLE, sizeof(WHOLE) - 1);
	struct fault err;
	size_t used;

	(void)state;
	for (size_t cut = 0; cut <= in.n; cut++) {
		struct http_parser *p = http_parser_new(BODY_MAX);
		enum parse r = http_parse(p, slice_first(in, cut), &used, &err);

		assert_int_equal(used, cut);
		assert_int_equal(http_has_begun(p), cut > 0);
		if (cut < in.n) {
			assert_int_equal(r, PARSE_MORE);
			r = http_parse(p, slice_skip(in, cut), &used, &err);
			assert_int_equal(used, in.n - cut);
		}
		assert_int_equal(r, PARSE_DONE);
		check_whole(http_parser_request(p));
		http_parser_free(p);
	}

	struct http_parser *p = http_parser_new(BODY_MAX);

	assert_int_equal(feed(p, in, 1, &used, &err), PARSE_DONE);
	check_whole(http_parser_request(p));
	http_parser_free(p);
}

static void test_pipelined(void **state)
{
	static const char two[] = "GET /1 HTTP/1.1\r\n" HOST "\r\n"
				  "POST /2 HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab"
				  "\r\nGET /3 HTTP/1.1\r\n" HOST "\r\nrest";
	static const char *const paths[] = {"/1", "/2", "/3"};
	struct http_parser *p = http_parser_new(BODY_MAX);
	struct slice in = slice_of(two, sizeof(two) - 1);
	struct fault err;
	size_t used;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		assert_int_equal(http_parse(p, in, &used, &err), PARSE_DONE);
		assert_slice(http_parser_request(p)->path, paths[i]);
		assert_int_equal(http_parser_request(p)->body.n, i == 1 ? 2 : 0);
		in = slice_skip(in, used);
		http_parser_reset(p);
		assert_false(http_has_begun(p));
	}
	assert_slice(in, "rest");
	http_parser_free(p);
}

static void test_chunked(void **state)
{
	static const char text[] = CHUNKED "5\r\nhello\r\n0000000A\r\n, chunked \r\n1\r\n.\r\n"
					   "0\r\n\r\nGET";
	struct slice in = slice_of(text, sizeof(text) - 1);
	struct fault err;
	size_t used;

	(void)state;
	for (size_t piece = 1; piece < in.n; piece++) {
		struct http_parser *p = http_parser_new(BODY_MAX);

		assert_int_equal(feed(p, in, piece, &used, &err), PARSE_DONE);
		assert_int_equal(used, in.n - 3);
		assert_slice(http_parser_request(p)->body, "hello, chunked .");
		http_parser_free(p);
	}
}

/* Content-Length and chunks at the limit; one more byte is refused (see BAD). */
static void test_body_at_limit(void **state)
{
	static const char *const heads[] = {POST "Content-Length: 64\r\n\r\n", CHUNKED "40\r\n",
					    CHUNKED "3f\r\n"};
	static const char *const tails[] = {"", "\r\n0\r\n\r\n", "\r\n1\r\nx\r\n0\r\n\r\n"};
	char body[BODY_MAX];

	(void)state;
	memset(body, 'x', sizeof(body));
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		struct http_parser *p = http_parser_new(BODY_MAX);
		struct buf in;
		struct fault err;
		size_t used;

		buf_init(&in, 1024);
		assert_true(buf_add(&in, slice_str(heads[i])));
		assert_true(buf_add(&in, slice_of(body, i == 2 ? 63 : 64)));
		assert_true(buf_add(&in, slice_str(tails[i])));
		assert_int_equal(http_parse(p, buf_slice(&in), &used, &err), PARSE_DONE);
		assert_int_equal(http_parser_request(p)->body.n, BODY_MAX);
		buf_done(&in);
		http_parser_free(p);
	}
}

/* The result for a request whose head is made of these counts. */
static enum parse head_of(size_t line, unsigned fields, size_t total, uint16_t *ret_status)
{
	struct http_parser *p = http_parser_new(BODY_MAX);
	struct buf in;
	struct fault err = {0};
	enum parse result;
	size_t used;

	buf_init(&in, 1 << 16);
	assert_true(buf_add(&in, SLICE("GET /")));
	while (in.n < line - 9)
		assert_true(buf_addc(&in, 'a'));
	assert_true(buf_add(&in, SLICE(" HTTP/1.1\r\n" HOST)));
	for (unsigned i = 1; i < fields; i++)
		assert_true(buf_add(&in, SLICE("A: b\r\n")));
	while (total > 0 && in.n + 2 < total) {
		size_t n = MIN(total - 2 - in.n, 1000U);

		if (total - 2 - in.n - n < 10)
			n = total - 2 - in.n; /* no rest that is too short for a line */
		assert_true(buf_add(&in, SLICE("B: ")));
		for (size_t i = 5; i < n; i++)
			assert_true(buf_addc(&in, 'x'));
		assert_true(buf_add(&in, SLICE("\r\n")));
	}
	assert_true(buf_add(&in, SLICE("\r\n")));
	if (total > 0)
		assert_int_equal(in.n, total);
	result = http_parse(p, buf_slice(&in), &used, &err);
	*ret_status = err.http_status;
	buf_done(&in);
	http_parser_free(p);
	return result;
}

static void test_head_limits(void **state)
{
	uint16_t status;

	(void)state;
	assert_int_equal(head_of(LIMIT_HTTP_LINE, 1, 0, &status), PARSE_DONE);
	assert_int_equal(head_of(LIMIT_HTTP_LINE + 1, 1, 0, &status), PARSE_BAD);
	assert_int_equal(status, 414);
	assert_int_equal(head_of(20, LIMIT_HTTP_HEADERS, 0, &status), PARSE_DONE);
	assert_int_equal(head_of(20, LIMIT_HTTP_HEADERS + 1, 0, &status), PARSE_BAD);
	assert_int_equal(status, 431);
	assert_int_equal(head_of(20, 1, LIMIT_HTTP_HEAD, &status), PARSE_DONE);
	assert_int_equal(head_of(20, 1, LIMIT_HTTP_HEAD + 1, &status), PARSE_BAD);
	assert_int_equal(status, 431);
}

static void test_keep_alive(void **state)
{
	static const struct {
		struct slice text;
		bool keeps;
	} rows[] = {
		{SLICE_INIT(GET HOST "\r\n"), true},
		{SLICE_INIT(GET HOST "Connection: close\r\n\r\n"), false},
		{SLICE_INIT(GET HOST "Connection: keep-alive, Close\r\n\r\n"), false},
		{SLICE_INIT(GET HOST "Connection: x\r\nConnection: close\r\n\r\n"), false},
		{SLICE_INIT("GET / HTTP/1.0\r\n\r\n"), false},
		{SLICE_INIT("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), true},
	};
	struct fault err;
	size_t used;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_parser *p = http_parser_new(BODY_MAX);

		assert_int_equal(http_parse(p, rows[i].text, &used, &err), PARSE_DONE);
		assert_int_equal(http_parser_request(p)->keep_alive, rows[i].keeps);
		http_parser_free(p);
	}
}

static void test_expect(void **state)
{
	struct http_parser *p = http_parser_new(BODY_MAX);
	struct fault err;
	size_t used;

	(void)state;
	assert_int_equal(http_parse(p, SLICE(POST "Expect: 100-Continue\r\n"), &used, &err),
			 PARSE_MORE);
	assert_false(http_take_continue(p));
	assert_false(http_has_head(p));
	assert_int_equal(http_parse(p, SLICE("Content-Length: 2\r\n\r\n"), &used, &err),
			 PARSE_MORE);
	assert_true(http_has_head(p));
	assert_true(http_take_continue(p));
	assert_false(http_take_continue(p));
	assert_int_equal(http_parse(p, SLICE("ab"), &used, &err), PARSE_DONE);
	http_parser_reset(p);

	/* the body is there already: nobody waits */
	assert_int_equal(
		http_parse(p, SLICE(POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\na"),
			   &used, &err),
		PARSE_MORE);
	assert_false(http_take_continue(p));
	http_parser_free(p);

	/* without a body it means nothing, and HTTP/1.0 does not know it */
	p = http_parser_new(BODY_MAX);
	assert_int_equal(http_parse(p, SLICE(GET HOST "Expect: 100-continue\r\n\r\n"), &used, &err),
			 PARSE_DONE);
	assert_false(http_take_continue(p));
	http_parser_reset(p);
	assert_int_equal(http_parse(p, SLICE("GET / HTTP/1.0\r\nExpect: x\r\n\r\n"), &used, &err),
			 PARSE_DONE);
	http_parser_free(p);
}

static void test_methods(void **state)
{
	(void)state;
	for (unsigned m = 0; m <= HTTP_OTHER; m++) {
		struct http_parser *p = http_parser_new(BODY_MAX);
		struct slice name = http_method_text((enum http_method)m);
		struct fault err;
		size_t used;

		if (m == HTTP_OTHER)
			name = SLICE("get"); /* methods are case-sensitive */
		assert_int_equal(http_parse(p, name, &used, &err), PARSE_MORE);
		assert_int_equal(http_parse(p, SLICE(" / HTTP/1.1\r\n" HOST "\r\n"), &used, &err),
				 PARSE_DONE);
		assert_int_equal(http_parser_request(p)->method, m);
		http_parser_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refuses),	      cmocka_unit_test(test_any_pieces),
		cmocka_unit_test(test_pipelined),     cmocka_unit_test(test_chunked),
		cmocka_unit_test(test_body_at_limit), cmocka_unit_test(test_head_limits),
		cmocka_unit_test(test_keep_alive),    cmocka_unit_test(test_expect),
		cmocka_unit_test(test_methods),
	};

	return cmocka_run_group_tests_name("parser", tests, NULL, NULL);
}
