#include "worker/ws/handshake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/macros.h"
#include "worker/http/parser.h"

#define HEAD "GET /app/key HTTP/1.1\r\nHost: h\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define END "\r\n"

static struct http_parser *parser;

static int setup(void **state)
{
	(void)state;
	parser = http_parser_new(64);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	http_parser_free(parser);
	return 0;
}

static const struct http_request *request(struct slice text)
{
	struct fault err;
	size_t used;

	http_parser_reset(parser);
	assert_int_equal(http_parse(parser, text, &used, &err), PARSE_DONE);
	return http_parser_request(parser);
}

static void assert_frame(struct frame *f, const char *wanted)
{
	if (f->len != strlen(wanted) || memcmp(f->data, wanted, f->len) != 0)
		fail_msg("%.*s", (int)f->len, (const char *)f->data);
	frame_unref(f);
}

/* RFC 6455 section 1.3 */
static void accepts_the_example(void **state)
{
	const struct http_request *r = request(SLICE(HEAD UPGRADE VERSION KEY END));
	char accept[29];
	struct fault err;

	(void)state;
	ws_accept_key(SLICE("dGhlIHNhbXBsZSBub25jZQ=="), accept);
	assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	assert_true(ws_is_upgrade(r));
	assert_true(ws_handshake_check(r, &err));
	assert_frame(ws_accept_frame(r), "HTTP/1.1 101 Switching Protocols\r\n"
					 "Upgrade: websocket\r\n"
					 "Connection: Upgrade\r\n"
					 "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
					 "\r\n");
}

static void accepts_what_browsers_and_proxies_send(void **state)
{
	static const struct slice good[] = {
		SLICE_INIT(HEAD
			   "Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n" VERSION KEY
				   END),
		SLICE_INIT(HEAD
			   "upgrade: h2c, websocket\r\nconnection: upgrade\r\n" VERSION KEY END),
		SLICE_INIT(
			HEAD UPGRADE VERSION KEY
			"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
			"Sec-WebSocket-Protocol: chat\r\n" END),
		SLICE_INIT(HEAD UPGRADE VERSION KEY "Content-Length: 0\r\n" END),
	};
	struct fault err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(ws_handshake_check(request(good[i]), &err));
}

static void refuses(void **state)
{
	static const struct {
		struct slice text;
		uint16_t status;
	} rows[] = {
		{SLICE_INIT("POST /app/key HTTP/1.1\r\nHost: h\r\n" UPGRADE VERSION KEY END), 426},
		{SLICE_INIT("GET /app/key HTTP/1.0\r\nHost: h\r\n" UPGRADE VERSION KEY END), 426},
		{SLICE_INIT(HEAD VERSION KEY END), 426},
		{SLICE_INIT(HEAD "Upgrade: h2c\r\nConnection: Upgrade\r\n" VERSION KEY END), 426},
		{SLICE_INIT(HEAD "Upgrade: websocket\r\n" VERSION KEY END), 426},
		{SLICE_INIT(HEAD "Upgrade: websocket\r\nConnection: close\r\n" VERSION KEY END),
		 426},
		{SLICE_INIT(HEAD UPGRADE KEY END), 426},
		{SLICE_INIT(HEAD UPGRADE "Sec-WebSocket-Version: 8\r\n" KEY END), 426},
		{SLICE_INIT(HEAD UPGRADE "Sec-WebSocket-Version: 13, 8\r\n" KEY END), 426},
		{SLICE_INIT(HEAD UPGRADE VERSION KEY "Content-Length: 1\r\n" END "x"), 400},
		{SLICE_INIT(HEAD UPGRADE VERSION END), 400},
		{SLICE_INIT(HEAD UPGRADE VERSION "Sec-WebSocket-Key:\r\n" END), 400},
		/* 15 and 17 bytes, bits behind the end, another alphabet */
		{SLICE_INIT(HEAD UPGRADE VERSION "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA\r\n" END),
		 400},
		{SLICE_INIT(HEAD UPGRADE VERSION
			    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA=\r\n" END),
		 400},
		{SLICE_INIT(HEAD UPGRADE VERSION
			    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAB==\r\n" END),
		 400},
		{SLICE_INIT(HEAD UPGRADE VERSION
			    "Sec-WebSocket-Key: ____________________AA==\r\n" END),
		 400},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fault err = {0};

		if (ws_handshake_check(request(rows[i].text), &err) ||
		    err.http_status != rows[i].status)
			fail_msg("%.*s: %u", SLICE_ARG(rows[i].text), err.http_status);
		assert_non_null(err.text);
	}
}

static void says_which_version_it_speaks(void **state)
{
	struct fault other = {.http_status = 426, .text = "Version"};
	struct fault key = {.http_status = 400, .text = "Key"};

	(void)state;
	assert_frame(ws_refusal_frame(&other), "HTTP/1.1 426 Upgrade Required\r\n"
					       "Content-Type: text/plain; charset=utf-8\r\n"
					       "Sec-WebSocket-Version: 13\r\n"
					       "Upgrade: websocket\r\n"
					       "Connection: Upgrade\r\n"
					       "Content-Length: 7\r\n"
					       "Connection: close\r\n"
					       "\r\nVersion");
	assert_frame(ws_refusal_frame(&key), "HTTP/1.1 400 Bad Request\r\n"
					     "Content-Type: text/plain; charset=utf-8\r\n"
					     "Content-Length: 3\r\n"
					     "Connection: close\r\n"
					     "\r\nKey");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_the_example),
		cmocka_unit_test(accepts_what_browsers_and_proxies_send),
		cmocka_unit_test(refuses),
		cmocka_unit_test(says_which_version_it_speaks),
	};

	return cmocka_run_group_tests_name("handshake", tests, setup, teardown);
}
