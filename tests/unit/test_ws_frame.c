#include "worker/ws/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/limits.h"
#include "common/base/mem.h"

#define MAX_LEN 1000

/* ---- headers of clients ---- */

#define MASK "\x01\x02\x03\x04"

static void good_headers(void **state)
{
	static const struct {
		struct slice bytes;
		bool fin;
		uint8_t opcode;
		uint64_t len;
	} rows[] = {
		{SLICE_INIT("\x81\x80" MASK), true, WS_OP_TEXT, 0},
		{SLICE_INIT("\x01\x80" MASK), false, WS_OP_TEXT, 0},
		{SLICE_INIT("\x80\x80" MASK), true, WS_OP_CONTINUATION, 0},
		{SLICE_INIT("\x00\x85" MASK), false, WS_OP_CONTINUATION, 5},
		{SLICE_INIT("\x82\xFD" MASK), true, WS_OP_BINARY, 125},
		{SLICE_INIT("\x88\x80" MASK), true, WS_OP_CLOSE, 0},
		{SLICE_INIT("\x89\xFD" MASK), true, WS_OP_PING, 125},
		{SLICE_INIT("\x8A\x81" MASK), true, WS_OP_PONG, 1},
		{SLICE_INIT("\x81\xFE\x00\x7E" MASK), true, WS_OP_TEXT, 126},
		{SLICE_INIT("\x81\xFE\x03\xE8" MASK), true, WS_OP_TEXT, MAX_LEN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct slice in = rows[i].bytes;
		struct ws_header h = {0};
		struct fault err;

		for (size_t n = 0; n < in.n; n++)
			assert_int_equal(ws_header_decode(slice_first(in, n), MAX_LEN, &h, &err),
					 PARSE_MORE);
		assert_int_equal(ws_header_decode(in, MAX_LEN, &h, &err), PARSE_DONE);
		assert_int_equal(h.fin, rows[i].fin);
		assert_int_equal(h.opcode, rows[i].opcode);
		assert_int_equal(h.len, rows[i].len);
		assert_int_equal(h.head_n, in.n);
		assert_memory_equal(h.mask, MASK, 4);
	}
}

/* The 64 bit form is needed from 65536 on. */
static void long_lengths(void **state)
{
	static const struct {
		struct slice bytes;
		uint64_t max_len;
		uint64_t len; /* 0: refused */
	} rows[] = {
		{SLICE_INIT("\x81\xFE\xFF\xFF" MASK), UINT64_MAX, 65535},
		{SLICE_INIT("\x81\xFF\0\0\0\0\0\x01\0\0" MASK), UINT64_MAX, 65536},
		{SLICE_INIT("\x81\xFF\0\0\0\0\0\x01\0\0" MASK), 65536, 65536},
		{SLICE_INIT("\x81\xFF\0\0\0\0\0\x01\0\0" MASK), 65535, 0},
		{SLICE_INIT("\x81\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF" MASK), UINT64_MAX,
		 INT64_MAX},
		{SLICE_INIT("\x81\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"), 65536, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ws_header h = {0};
		struct fault err = {0};
		enum parse r = ws_header_decode(rows[i].bytes, rows[i].max_len, &h, &err);

		assert_int_equal(r, rows[i].len > 0 ? PARSE_DONE : PARSE_BAD);
		assert_int_equal(h.len, rows[i].len);
		assert_int_equal(err.close_code, rows[i].len > 0 ? 0 : WS_CLOSE_TOO_BIG);
	}
}

/* Refused at the last byte of each, and not before. */
static void bad_headers(void **state)
{
	static const struct {
		struct slice bytes;
		uint16_t code;
	} rows[] = {
		{SLICE_INIT("\xC1"), WS_CLOSE_PROTOCOL}, /* reserved bits */
		{SLICE_INIT("\xA1"), WS_CLOSE_PROTOCOL},
		{SLICE_INIT("\x91"), WS_CLOSE_PROTOCOL},
		{SLICE_INIT("\x83"), WS_CLOSE_PROTOCOL}, /* reserved opcodes */
		{SLICE_INIT("\x84"), WS_CLOSE_PROTOCOL},
		{SLICE_INIT("\x85"), WS_CLOSE_PROTOCOL},
		{SLICE_INIT("\x86"), WS_CLOSE_PROTOCOL},
		{SLICE_INIT("\x87"), WS_CLOSE_PROTOCOL},
		{SLICE_INIT("\x8B"), WS_CLOSE_PROTOCOL},
		{SLICE_INIT("\x8C"), WS_CLOSE_PROTOCOL},
		{SLICE_INIT("\x8D"), WS_CLOSE_PROTOCOL},
		{SLICE_INIT("\x8E"), WS_CLOSE_PROTOCOL},
		{SLICE_INIT("\x8F"), WS_CLOSE_PROTOCOL},
		{SLICE_INIT("\x08"), WS_CLOSE_PROTOCOL}, /* control frames in fragments */
		{SLICE_INIT("\x09"), WS_CLOSE_PROTOCOL},
		{SLICE_INIT("\x0A"), WS_CLOSE_PROTOCOL},
		{SLICE_INIT("\x81\x05"), WS_CLOSE_PROTOCOL}, /* not masked */
		{SLICE_INIT("\x89\x00"), WS_CLOSE_PROTOCOL},
		{SLICE_INIT("\x89\xFE"), WS_CLOSE_PROTOCOL}, /* control frames of 126 bytes */
		{SLICE_INIT("\x88\xFE"), WS_CLOSE_PROTOCOL},
		{SLICE_INIT("\x8A\xFF"), WS_CLOSE_PROTOCOL},
		{SLICE_INIT("\x81\xFE\x00\x7D"), WS_CLOSE_PROTOCOL}, /* not the shortest form */
		{SLICE_INIT("\x81\xFE\x00\x00"), WS_CLOSE_PROTOCOL},
		{SLICE_INIT("\x81\xFF\0\0\0\0\0\0"), WS_CLOSE_PROTOCOL},
		{SLICE_INIT("\x81\xFF\x80"), WS_CLOSE_PROTOCOL}, /* highest bit */
		{SLICE_INIT("\x81\xFE\x03\xE9"), WS_CLOSE_TOO_BIG},
		{SLICE_INIT("\x00\xFE\xFF\xFF"), WS_CLOSE_TOO_BIG},
		{SLICE_INIT("\x82\xFF\0\0\0\0\0\x01\0\0"), WS_CLOSE_TOO_BIG},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct slice in = rows[i].bytes;
		struct ws_header h;
		struct fault err = {0};

		for (size_t n = 0; n < in.n; n++)
			assert_int_equal(ws_header_decode(slice_first(in, n), MAX_LEN, &h, &err),
					 PARSE_MORE);
		assert_int_equal(ws_header_decode(in, MAX_LEN, &h, &err), PARSE_BAD);
		assert_int_equal(err.close_code, rows[i].code);
		assert_int_equal(err.http_status, 0);
		assert_true(strlen(err.text) <= LIMIT_CLOSE_REASON);
	}
}

/* ---- masks ---- */

/* RFC 6455 section 5.7 */
static void unmasks_the_example(void **state)
{
	static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
	char text[] = {0x7f, (char)0x9f, 0x4d, 0x51, 0x58};

	(void)state;
	ws_unmask(text, sizeof(text), mask, 0);
	assert_memory_equal(text, "Hello", 5);
}

/* Any length, at any alignment, cut anywhere, against byte by byte. */
static void unmasks_in_any_pieces(void **state)
{
	static const uint8_t mask[4] = {0xde, 0xad, 0xbe, 0xef};
	char want[40];
	char got[48];

	(void)state;
	for (size_t n = 0; n <= sizeof(want); n++) {
		for (size_t cut = 0; cut <= n; cut++) {
			char *at = got + cut % 8;

			for (size_t i = 0; i < n; i++) {
				at[i] = (char)(i * 7);
				want[i] = (char)((i * 7) ^ mask[i & 3]);
			}
			ws_unmask(at, cut, mask, 0);
			ws_unmask(at + cut, n - cut, mask, cut);
			assert_memory_equal(at, want, n);
		}
	}
}

/* ---- our frames ---- */

static void lengths_take_their_shortest_form(void **state)
{
	static const struct {
		size_t len;
		struct slice header;
	} rows[] = {
		{0, SLICE_INIT("\x81\x00")},
		{125, SLICE_INIT("\x81\x7D")},
		{126, SLICE_INIT("\x81\x7E\x00\x7E")},
		{65535, SLICE_INIT("\x81\x7E\xFF\xFF")},
		{65536, SLICE_INIT("\x81\x7F\0\0\0\0\0\x01\0\0")},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t header[WS_SERVER_HEADER_MAX];
		char *payload = mem_alloc(rows[i].len + 1);

		memset(payload, 'x', rows[i].len + 1);
		assert_int_equal(ws_header_encode(header, WS_OP_TEXT, rows[i].len),
				 rows[i].header.n);
		assert_memory_equal(header, rows[i].header.p, rows[i].header.n);

		struct frame *f = ws_text_frame(slice_of(payload, rows[i].len));

		assert_int_equal(f->len, rows[i].header.n + rows[i].len);
		assert_memory_equal(f->data, rows[i].header.p, rows[i].header.n);
		assert_memory_equal(f->data + rows[i].header.n, payload, rows[i].len);
		frame_unref(f);
		free(payload);
	}
}

static void assert_frame(struct frame *f, struct slice wanted)
{
	assert_true(slice_eq(frame_slice(f), wanted));
	frame_unref(f);
}

static void close_frames(void **state)
{
	(void)state;
	assert_frame(ws_close_frame(1000, SLICE("bye")), SLICE("\x88\x05\x03\xE8"
							       "bye"));
	assert_frame(ws_close_frame(4200, SLICE_NONE), SLICE("\x88\x02\x10\x68"));
	assert_frame(ws_close_frame(WS_CLOSE_NONE, SLICE("unsaid")), SLICE("\x88\x00"));
	assert_frame(ws_close_echo(1001), SLICE("\x88\x02\x03\xE9"));
	assert_frame(ws_close_echo(WS_CLOSE_NONE), SLICE("\x88\x00"));
	assert_frame(ws_frame_new(WS_OP_PONG, SLICE("x")), SLICE("\x8A\x01x"));
}

/* 123 bytes are kept whole, of 124 the last character goes, however long it is. */
static void reasons_are_cut_between_characters(void **state)
{
	static const char *const last[] = {"a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(last); i++) {
		size_t n = strlen(last[i]);
		char reason[LIMIT_CLOSE_REASON + 4];

		memset(reason, 'x', sizeof(reason));
		memcpy(reason + LIMIT_CLOSE_REASON - n, last[i], n);

		struct frame *f = ws_close_frame(1000, slice_of(reason, LIMIT_CLOSE_REASON));

		assert_int_equal(f->len, 2 + 2 + LIMIT_CLOSE_REASON);
		frame_unref(f);
		memset(reason, 'x', sizeof(reason));
		memcpy(reason + LIMIT_CLOSE_REASON + 1 - n, last[i], n);
		f = ws_close_frame(1000, slice_of(reason, LIMIT_CLOSE_REASON + 1));
		assert_int_equal(f->len, 2 + 2 + LIMIT_CLOSE_REASON + 1 - n);
		frame_unref(f);
	}
}

static void codes_that_may_be_sent(void **state)
{
	static const uint16_t good[] = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010,
					1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999};
	static const uint16_t bad[] = {0,    999,  1004, 1005, 1006, 1015,
				       1016, 1100, 2000, 2999, 5000, 65535};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(ws_close_code_valid(good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(ws_close_code_valid(bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_headers),
		cmocka_unit_test(long_lengths),
		cmocka_unit_test(bad_headers),
		cmocka_unit_test(unmasks_the_example),
		cmocka_unit_test(unmasks_in_any_pieces),
		cmocka_unit_test(lengths_take_their_shortest_form),
		cmocka_unit_test(close_frames),
		cmocka_unit_test(reasons_are_cut_between_characters),
		cmocka_unit_test(codes_that_may_be_sent),
	};

	return cmocka_run_group_tests_name("ws_frame", tests, NULL, NULL);
}
