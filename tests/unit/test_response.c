#include "worker/http/response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_frame(struct frame *f, const char *wanted)
{
	assert_int_equal(f->refs, 1);
	if (f->len != strlen(wanted) || memcmp(f->data, wanted, f->len) != 0)
		fail_msg("%.*s", (int)f->len, (const char *)f->data);
	frame_unref(f);
}

static void a_whole_answer(void **state)
{
	static const struct http_line lines[] = {{SLICE_INIT("A"), SLICE_INIT("b")},
						 {SLICE_INIT("C"), SLICE_INIT("")}};
	struct http_response r = {
		.status = 200,
		.content_type = SLICE_INIT("application/json"),
		.lines = lines,
		.line_count = 2,
		.body = SLICE_INIT("{}"),
		.keep_alive = true,
	};

	(void)state;
	assert_frame(http_response_frame(&r), "HTTP/1.1 200 OK\r\n"
					      "Content-Type: application/json\r\n"
					      "A: b\r\n"
					      "C: \r\n"
					      "Content-Length: 2\r\n"
					      "Connection: keep-alive\r\n"
					      "\r\n{}");
}

static void a_text_for_people(void **state)
{
	(void)state;
	assert_frame(http_text_frame(404, SLICE("no"), false),
		     "HTTP/1.1 404 Not Found\r\n"
		     "Content-Type: text/plain; charset=utf-8\r\n"
		     "Content-Length: 2\r\n"
		     "Connection: close\r\n"
		     "\r\nno");
}

static void some_answers_have_no_body(void **state)
{
	struct http_response r = {.body = SLICE_INIT("body"), .keep_alive = true};

	(void)state;
	r.status = 204;
	assert_frame(http_response_frame(&r), "HTTP/1.1 204 No Content\r\n"
					      "Connection: keep-alive\r\n\r\n");
	r.status = 304;
	assert_frame(http_response_frame(&r), "HTTP/1.1 304 Not Modified\r\n"
					      "Connection: keep-alive\r\n\r\n");
	r.status = 101;
	assert_frame(http_response_frame(&r), "HTTP/1.1 101 Switching Protocols\r\n\r\n");
	r.status = 200;
	r.head_only = true;
	assert_frame(http_response_frame(&r), "HTTP/1.1 200 OK\r\n"
					      "Content-Length: 4\r\n"
					      "Connection: keep-alive\r\n\r\n");
}

/* A value that comes from a request must not begin a line of its own. */
static void no_value_splits_the_answer(void **state)
{
	static const struct http_line lines[] = {
		{SLICE_INIT("Location"),
		 SLICE_INIT("/a\r\nSet-Cookie: b\r\n\r\n\0\t\x7f\xC3\xA9")}};
	struct http_response r = {.status = 302, .lines = lines, .line_count = 1};

	(void)state;
	assert_frame(http_response_frame(&r), "HTTP/1.1 302 Found\r\n"
					      "Location: /a  Set-Cookie: b       \xC3\xA9\r\n"
					      "Content-Length: 0\r\n"
					      "Connection: close\r\n\r\n");
}

static void an_answer_in_chunks(void **state)
{
	struct http_response r = {.status = 200, .chunked = true, .keep_alive = true};
	char bytes[0x1F];

	(void)state;
	assert_frame(http_response_frame(&r), "HTTP/1.1 200 OK\r\n"
					      "Transfer-Encoding: chunked\r\n"
					      "Connection: keep-alive\r\n\r\n");
	assert_frame(http_chunk_frame(SLICE("hello")), "5\r\nhello\r\n");
	assert_frame(http_chunk_frame(SLICE_NONE), "0\r\n\r\n");
	memset(bytes, 'x', sizeof(bytes));
	assert_frame(http_chunk_frame(slice_of(bytes, sizeof(bytes))),
		     "1f\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n");
	assert_true(slice_eq(HTTP_CONTINUE, SLICE("HTTP/1.1 100 Continue\r\n\r\n")));
}

static void every_status_has_a_phrase(void **state)
{
	static const unsigned ours[] = {200, 400, 401, 403, 404, 405, 408, 413, 414,
					415, 417, 422, 426, 429, 431, 500, 503, 505};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		assert_false(slice_eq(http_status_text(ours[i]), SLICE("Unknown")));
	assert_true(slice_eq(http_status_text(299), SLICE("Unknown")));
	assert_true(slice_eq(http_status_text(0), SLICE("Unknown")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_answer),
		cmocka_unit_test(a_text_for_people),
		cmocka_unit_test(some_answers_have_no_body),
		cmocka_unit_test(no_value_splits_the_answer),
		cmocka_unit_test(an_answer_in_chunks),
		cmocka_unit_test(every_status_has_a_phrase),
	};

	return cmocka_run_group_tests_name("response", tests, NULL, NULL);
}
