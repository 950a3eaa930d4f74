#include "worker/http/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/base/macros.h"

#define BODY_MAX 100
#define HOST "Host: h\n"

/* Lines "Name: value\n" as the parser cuts them; all belongs to statics. */
static struct http_request request_of(const char *method, const char *target, struct slice lines)
{
	static struct http_field fields[16];
	struct http_request r = {
		.method_name = slice_str(method),
		.target = slice_str(target),
		.http_1_1 = true,
		.head = lines.p,
		.fields = fields,
	};
	struct slice line;
	struct slice name;
	struct slice value;
	struct slice rest = lines;

	while (slice_cut(rest, '\n', &line, &rest)) {
		assert_true(slice_cut(line, ':', &name, &value));
		value = slice_trim(value);
		fields[r.field_count++] = (struct http_field){
			.name = (uint16_t)(name.p - lines.p),
			.name_n = (uint16_t)name.n,
			.value = (uint16_t)(value.p - lines.p),
			.value_n = (uint16_t)value.n,
		};
	}
	return r;
}

static uint16_t status_of(struct http_request *r, struct http_framing *ret)
{
	struct fault err = {0};

	if (http_head_judge(r, BODY_MAX, ret, &err))
		return 0;
	assert_non_null(err.text);
	assert_int_equal(err.close_code, 0);
	return err.http_status;
}

static void parts_path_and_query(void **state)
{
	static const char *const rows[][3] = {
		{"/", "/", ""},		 {"/a?b=c", "/a", "b=c"}, {"/a?", "/a", ""},
		{"/a?b?c", "/a", "b?c"}, {"/?/../", "/", "/../"},
	};
	struct http_framing framing;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_request r = request_of("GET", rows[i][0], SLICE(HOST));

		assert_int_equal(status_of(&r, &framing), 0);
		assert_true(slice_eq(r.path, slice_str(rows[i][1])));
		assert_true(slice_eq(r.query, slice_str(rows[i][2])));
		assert_int_equal(framing.length, 0);
		assert_false(framing.chunked);
		assert_false(framing.expects);
	}
}

static void methods_by_their_exact_name(void **state)
{
	struct http_framing framing;

	(void)state;
	for (unsigned m = 0; m < HTTP_OTHER; m++) {
		struct slice name = http_method_text((enum http_method)m);
		struct http_request r = request_of(name.p, "/", SLICE(HOST));

		assert_int_equal(status_of(&r, &framing), 0);
		assert_int_equal(r.method, m);
	}
	struct http_request r = request_of("Get", "/", SLICE(HOST));

	assert_int_equal(status_of(&r, &framing), 0);
	assert_int_equal(r.method, HTTP_OTHER);
}

struct lines_case {
	struct slice lines;
	uint16_t status;
};

static void judge_all(const struct lines_case *rows, size_t n, bool http_1_1)
{
	struct http_framing framing;

	for (size_t i = 0; i < n; i++) {
		struct http_request r = request_of("POST", "/", rows[i].lines);

		r.http_1_1 = http_1_1;
		uint16_t status = status_of(&r, &framing);

		if (status != rows[i].status)
			fail_msg("%.*s: %u", SLICE_ARG(rows[i].lines), status);
	}
}

static void one_host(void **state)
{
	static const struct lines_case rows[] = {
		{SLICE_INIT(HOST), 0},
		{SLICE_INIT("X: y\n"), 400},
		{SLICE_INIT("Host:\n"), 400},
		{SLICE_INIT("Host: a b\n"), 400},
		{SLICE_INIT(HOST "host: h\n"), 400},
	};
	static const struct lines_case old[] = {
		{SLICE_INIT("X: y\n"), 0},
		{SLICE_INIT("Host: a b\n"), 400},
	};

	(void)state;
	judge_all(rows, ARRAY_LEN(rows), true);
	judge_all(old, ARRAY_LEN(old), false);
}

static void some_lines_stand_alone(void **state)
{
	static const char *const names[] = {
		"Host",		"Content-Length",    "Transfer-Encoding",
		"Content-Type", "Authorization",     "Origin",
		"Expect",	"Sec-WebSocket-Key", "Sec-WebSocket-Version",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char text[128];
		int n = snprintf(text, sizeof(text), "%s: 1\n%s: 1\n", names[i], names[i]);
		struct lines_case row = {slice_of(text, (size_t)n), 400};

		text[n / 2] |= 0x20; /* in any case */
		judge_all(&row, 1, true);
	}
	static const struct lines_case others[] = {
		{SLICE_INIT(HOST "Cookie: a\nCookie: b\n"), 0},
		{SLICE_INIT(HOST "Sec-WebSocket-Protocol: a\nSec-WebSocket-Protocol: b\n"), 0},
	};

	judge_all(others, ARRAY_LEN(others), true);
}

static void how_the_body_is_delimited(void **state)
{
	static const struct lines_case rows[] = {
		{SLICE_INIT(HOST "Content-Length: 0\n"), 0},
		{SLICE_INIT(HOST "Content-Length: 100\n"), 0},
		{SLICE_INIT(HOST "Content-Length: 101\n"), 413},
		{SLICE_INIT(HOST "Content-Length: 0000000000000000000000100\n"), 0},
		{SLICE_INIT(HOST "Content-Length: 18446744073709551616\n"), 413},
		{SLICE_INIT(HOST "Content-Length:\n"), 400},
		{SLICE_INIT(HOST "Content-Length: 1,1\n"), 400},
		{SLICE_INIT(HOST "Content-Length: -0\n"), 400},
		{SLICE_INIT(HOST "Content-Length: 1_0\n"), 400},
		{SLICE_INIT(HOST "Transfer-Encoding: chunked\n"), 0},
		{SLICE_INIT(HOST "Transfer-Encoding: CHUNKED\n"), 0},
		{SLICE_INIT(HOST "Transfer-Encoding: xchunked\n"), 400},
		{SLICE_INIT(HOST "Transfer-Encoding: chunked, chunked\n"), 400},
		{SLICE_INIT(HOST "Transfer-Encoding: chunked\nContent-Length: 0\n"), 400},
		{SLICE_INIT(HOST "Expect: 100-continue\n"), 0},
		{SLICE_INIT(HOST "Expect: other\n"), 417},
		{SLICE_INIT(HOST "Expect:\n"), 417},
	};
	static const struct lines_case old[] = {
		{SLICE_INIT("Transfer-Encoding: chunked\n"), 400},
		{SLICE_INIT("Content-Length: 1\n"), 0},
		{SLICE_INIT("Expect: other\n"), 0},
	};
	struct http_framing framing;

	(void)state;
	judge_all(rows, ARRAY_LEN(rows), true);
	judge_all(old, ARRAY_LEN(old), false);

	struct http_request r =
		request_of("POST", "/", SLICE(HOST "Content-Length: 7\nExpect: 100-Continue\n"));

	assert_int_equal(status_of(&r, &framing), 0);
	assert_int_equal(framing.length, 7);
	assert_false(framing.chunked);
	assert_true(framing.expects);
	r = request_of("POST", "/",
		       SLICE(HOST "Transfer-Encoding: chunked\nExpect: 100-continue\n"));
	assert_int_equal(status_of(&r, &framing), 0);
	assert_true(framing.chunked);
	assert_true(framing.expects);
	r = request_of("POST", "/", SLICE(HOST "Content-Length: 0\nExpect: 100-continue\n"));
	assert_int_equal(status_of(&r, &framing), 0);
	assert_false(framing.expects); /* nothing to wait for */
}

static void whether_the_connection_stays(void **state)
{
	static const struct {
		struct slice lines;
		bool http_1_1;
		bool stays;
	} rows[] = {
		{SLICE_INIT(HOST), true, true},
		{SLICE_INIT(HOST), false, false},
		{SLICE_INIT(HOST "Connection: keep-alive\n"), false, true},
		{SLICE_INIT(HOST "Connection: keep-alive, close\n"), false, false},
		{SLICE_INIT(HOST "Connection: Upgrade\nConnection: x, CLOSE\n"), true, false},
		{SLICE_INIT(HOST "Connection: closed\n"), true, true},
	};
	struct http_framing framing;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_request r = request_of("GET", "/", rows[i].lines);

		r.http_1_1 = rows[i].http_1_1;
		assert_int_equal(status_of(&r, &framing), 0);
		assert_int_equal(r.keep_alive, rows[i].stays);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_path_and_query),
		cmocka_unit_test(methods_by_their_exact_name),
		cmocka_unit_test(one_host),
		cmocka_unit_test(some_lines_stand_alone),
		cmocka_unit_test(how_the_body_is_delimited),
		cmocka_unit_test(whether_the_connection_stays),
	};

	return cmocka_run_group_tests_name("head", tests, NULL, NULL);
}
