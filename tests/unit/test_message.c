/*
 * worker/ws/message: what RFC 6455 says about framing, fragments, UTF-8 and the end of a
 * connection, one row a case. Each runs with its bytes in one piece, cut in two at every byte, and
 * byte by byte; the events must be the same.
 */
#include "worker/ws/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/limits.h"
#include "common/base/mem.h"

#define MAX_MESSAGE 20
#define MAX_FRAGMENTS 4

static const struct ws_limits LIMITS = {MAX_MESSAGE, MAX_FRAGMENTS};

enum { FIN = 0x80 };

struct client_frame {
	uint8_t first; /* FIN and opcode */
	struct slice payload;
};

struct message_case {
	const char *name;
	struct client_frame frames[8];
	struct slice events;
};

/* x125: so many bytes */
#define X25 "xxxxxxxxxxxxxxxxxxxxxxxxx"
#define X125 X25 X25 X25 X25 X25

#define F(first, literal) \
	{ \
		(first), SLICE_INIT(literal) \
	}
#define TEXT(literal) F(FIN | WS_OP_TEXT, literal)
#define TEXT_BEGIN(literal) F(WS_OP_TEXT, literal)
#define BINARY(literal) F(FIN | WS_OP_BINARY, literal)
#define BINARY_BEGIN(literal) F(WS_OP_BINARY, literal)
#define MID(literal) F(WS_OP_CONTINUATION, literal)
#define LAST(literal) F(FIN | WS_OP_CONTINUATION, literal)
#define PING(literal) F(FIN | WS_OP_PING, literal)
#define PONG(literal) F(FIN | WS_OP_PONG, literal)
#define CLOSE(literal) F(FIN | WS_OP_CLOSE, literal)

static const struct message_case CASES[] = {
	/* messages of one frame */
	{"empty text", {TEXT("")}, SLICE_INIT("T()")},
	{"text", {TEXT("Hello")}, SLICE_INIT("T(Hello)")},
	{"binary", {BINARY("\xFF\xFE")}, SLICE_INIT("B(\xFF\xFE)")},
	{"several", {TEXT("a"), BINARY("b"), TEXT("c")}, SLICE_INIT("T(a)B(b)T(c)")},
	{"as long as allowed",
	 {TEXT("12345678901234567890")},
	 SLICE_INIT("T(12345678901234567890)")},
	{"too long", {TEXT("123456789012345678901")}, SLICE_INIT("fault 1009")},
	{"too long, binary", {BINARY("123456789012345678901")}, SLICE_INIT("fault 1009")},

	/* control frames */
	{"ping", {PING("")}, SLICE_INIT("ping()")},
	{"ping with payload", {PING("data")}, SLICE_INIT("ping(data)")},
	{"ping of bytes", {PING("\xFF")}, SLICE_INIT("ping(\xFF)")},
	{"longest ping", {PING(X125)}, SLICE_INIT("ping(" X125 ")")},
	{"ping too long", {PING(X125 "x")}, SLICE_INIT("fault 1002")},
	{"pong", {PONG("p")}, SLICE_INIT("pong(p)")},
	{"control frames are not messages",
	 {PING(X125), TEXT("a")},
	 SLICE_INIT("ping(" X125 ")T(a)")},
	{"ping in fragments", {F(WS_OP_PING, "a"), LAST("b")}, SLICE_INIT("fault 1002")},
	{"pong in fragments", {F(WS_OP_PONG, "a"), LAST("b")}, SLICE_INIT("fault 1002")},

	/* reserved */
	{"reserved bit 1", {F(FIN | 0x40 | WS_OP_TEXT, "a")}, SLICE_INIT("fault 1002")},
	{"reserved bit 2", {F(FIN | 0x20 | WS_OP_TEXT, "a")}, SLICE_INIT("fault 1002")},
	{"reserved bit 3", {F(FIN | 0x10 | WS_OP_PING, "")}, SLICE_INIT("fault 1002")},
	{"reserved data opcode", {TEXT("a"), F(FIN | 3, "a")}, SLICE_INIT("T(a)fault 1002")},
	{"reserved control opcode", {PING("a"), F(FIN | 11, "")}, SLICE_INIT("ping(a)fault 1002")},

	/* fragments */
	{"two fragments", {TEXT_BEGIN("Hel"), LAST("lo")}, SLICE_INIT("T(Hello)")},
	{"empty fragments", {TEXT_BEGIN(""), MID(""), LAST("")}, SLICE_INIT("T()")},
	{"empty last", {BINARY_BEGIN("ab"), LAST("")}, SLICE_INIT("B(ab)")},
	{"ping between", {TEXT_BEGIN("a"), PING("p"), LAST("b")}, SLICE_INIT("ping(p)T(ab)")},
	{"controls between",
	 {TEXT_BEGIN("a"), PONG(""), MID("b"), PING("1"), PING("2"), LAST("c"), TEXT("d")},
	 SLICE_INIT("pong()ping(1)ping(2)T(abc)T(d)")},
	{"close between", {TEXT_BEGIN("a"), CLOSE("\x03\xE8")}, SLICE_INIT("close 1000()")},
	{"continuation of nothing", {LAST("a")}, SLICE_INIT("fault 1002")},
	{"middle of nothing", {MID("a")}, SLICE_INIT("fault 1002")},
	{"continuation after the end",
	 {TEXT_BEGIN("a"), LAST("b"), LAST("c")},
	 SLICE_INIT("T(ab)fault 1002")},
	{"text inside a text", {TEXT_BEGIN("a"), TEXT("b")}, SLICE_INIT("fault 1002")},
	{"new fragments inside", {TEXT_BEGIN("a"), TEXT_BEGIN("b")}, SLICE_INIT("fault 1002")},
	{"binary inside a text", {TEXT_BEGIN("a"), BINARY("b")}, SLICE_INIT("fault 1002")},
	{"most fragments", {TEXT_BEGIN("a"), MID("b"), MID("c"), LAST("d")}, SLICE_INIT("T(abcd)")},
	{"one fragment more",
	 {TEXT_BEGIN("a"), MID("b"), MID("c"), MID("d"), LAST("e")},
	 SLICE_INIT("fault 1008")},
	{"empty ones count",
	 {TEXT_BEGIN(""), MID(""), MID(""), MID(""), LAST("")},
	 SLICE_INIT("fault 1008")},
	{"fragments as long as allowed",
	 {TEXT_BEGIN("1234567890"), LAST("1234567890")},
	 SLICE_INIT("T(12345678901234567890)")},
	{"fragments too long",
	 {TEXT_BEGIN("1234567890"), LAST("12345678901")},
	 SLICE_INIT("fault 1009")},

	/* UTF-8 (RFC 3629) */
	{"UTF-8",
	 {TEXT("\xCE\xBA\xE1\xBD\xB9\xF0\x9F\x98\x80")},
	 SLICE_INIT("T(\xCE\xBA\xE1\xBD\xB9\xF0\x9F\x98\x80)")},
	{"NUL is a character", {TEXT("a\0b")}, SLICE_INIT("T(a\0b)")},
	{"last code point", {TEXT("\xF4\x8F\xBF\xBF")}, SLICE_INIT("T(\xF4\x8F\xBF\xBF)")},
	{"noncharacter", {TEXT("\xEF\xBF\xBF")}, SLICE_INIT("T(\xEF\xBF\xBF)")},
	{"character across fragments",
	 {TEXT_BEGIN("\xF0\x9F"), LAST("\x98\x80")},
	 SLICE_INIT("T(\xF0\x9F\x98\x80)")},
	{"ping inside a character",
	 {TEXT_BEGIN("\xC3"), PING(""), LAST("\xA9")},
	 SLICE_INIT("ping()T(\xC3\xA9)")},
	{"stray continuation", {TEXT("\x80")}, SLICE_INIT("fault 1007")},
	{"cut off", {TEXT("\xC3")}, SLICE_INIT("fault 1007")},
	{"cut off in fragments", {TEXT_BEGIN("\xC3"), LAST("")}, SLICE_INIT("fault 1007")},
	{"overlong slash", {TEXT("\xC0\xAF")}, SLICE_INIT("fault 1007")},
	{"overlong, 3 bytes", {TEXT("\xE0\x80\xAF")}, SLICE_INIT("fault 1007")},
	{"surrogate", {TEXT("\xED\xA0\x80")}, SLICE_INIT("fault 1007")},
	{"surrogate in fragments",
	 {TEXT_BEGIN("\xED"), MID("\xA0"), LAST("\x80")},
	 SLICE_INIT("fault 1007")},
	{"above U+10FFFF", {TEXT("\xF4\x90\x80\x80")}, SLICE_INIT("fault 1007")},
	{"five bytes", {TEXT("\xF8\x88\x80\x80\x80")}, SLICE_INIT("fault 1007")},
	{"wrong before the end", {TEXT_BEGIN("\xFF"), MID("a")}, SLICE_INIT("fault 1007")},
	{"binary is no text", {BINARY_BEGIN("\xFF"), LAST("\xC3")}, SLICE_INIT("B(\xFF\xC3)")},

	/* the end */
	{"close", {CLOSE("")}, SLICE_INIT("close 1005()")},
	{"close with code", {CLOSE("\x03\xE8")}, SLICE_INIT("close 1000()")},
	{"close with reason",
	 {CLOSE("\x0F\xA1"
		"\xC3\xA9t\xC3\xA9")},
	 SLICE_INIT("close 4001(\xC3\xA9t\xC3\xA9)")},
	{"nothing after close", {CLOSE("\x03\xE8"), TEXT("a")}, SLICE_INIT("close 1000()")},
	{"nothing after a fault", {LAST("a"), TEXT("b")}, SLICE_INIT("fault 1002")},
	{"close of one byte", {CLOSE("\x03")}, SLICE_INIT("fault 1002")},
	{"close with 1004", {CLOSE("\x03\xEC")}, SLICE_INIT("fault 1002")},
	{"close with 1005", {CLOSE("\x03\xED")}, SLICE_INIT("fault 1002")},
	{"close with 1006", {CLOSE("\x03\xEE")}, SLICE_INIT("fault 1002")},
	{"close with 1015", {CLOSE("\x03\xF7")}, SLICE_INIT("fault 1002")},
	{"close with 999", {CLOSE("\x03\xE7")}, SLICE_INIT("fault 1002")},
	{"close with 0", {CLOSE("\0\0")}, SLICE_INIT("fault 1002")},
	{"close with 2999", {CLOSE("\x0B\xB7")}, SLICE_INIT("fault 1002")},
	{"close with 3000", {CLOSE("\x0B\xB8")}, SLICE_INIT("close 3000()")},
	{"close with 4999", {CLOSE("\x13\x87")}, SLICE_INIT("close 4999()")},
	{"close with 5000", {CLOSE("\x13\x88")}, SLICE_INIT("fault 1002")},
	{"close with bad reason", {CLOSE("\x03\xE8\xFF")}, SLICE_INIT("fault 1007")},
	{"close with cut reason", {CLOSE("\x03\xE8\xC3")}, SLICE_INIT("fault 1007")},
	{"close in fragments", {F(WS_OP_CLOSE, ""), LAST("")}, SLICE_INIT("fault 1002")},
	{"close too long", {CLOSE("\x03\xE8" X125)}, SLICE_INIT("fault 1002")},
};

/* A client's frames as bytes, each with a mask of its own. */
static void encode(struct buf *out, const struct client_frame *frames)
{
	for (size_t i = 0; i < 8 && frames[i].payload.p != NULL; i++) {
		struct slice payload = frames[i].payload;
		const uint8_t mask[4] = {(uint8_t)(i + 1), 0xA5, 0, 0xFF};

		(void)buf_addc(out, (char)frames[i].first);
		if (payload.n <= WS_CONTROL_MAX) {
			(void)buf_addc(out, (char)(0x80 | payload.n));
		} else {
			(void)buf_addc(out, (char)(0x80 | 126));
			(void)buf_addc(out, (char)(payload.n >> 8));
			(void)buf_addc(out, (char)payload.n);
		}
		(void)buf_add(out, slice_of(mask, 4));
		for (size_t k = 0; k < payload.n; k++)
			(void)buf_addc(out, (char)((uint8_t)payload.p[k] ^ mask[k & 3]));
	}
	assert_true(buf_ok(out));
}

static void note(struct buf *log, enum ws_event event, const struct ws_message *m,
		 const struct fault *err)
{
	static const char *const names[] = {
		[WS_TEXT] = "T", [WS_BINARY] = "B", [WS_PING] = "ping", [WS_PONG] = "pong"};

	if (event == WS_FAULT) {
		assert_true(strlen(err->text) <= LIMIT_CLOSE_REASON);
		(void)buf_printf(log, "fault %u", err->close_code);
		return;
	}
	if (event == WS_CLOSE)
		(void)buf_printf(log, "close %u", m->code);
	else
		(void)buf_add(log, slice_str(names[event]));
	(void)buf_addc(log, '(');
	(void)buf_add(log, m->payload);
	(void)buf_addc(log, ')');
}

/*
 * Takes all events out of what is held, and what is used off it. The bytes lie in memory of exactly
 * their size, so that the sanitizer sees the first one too many. False after the last event.
 */
static bool read_all(struct ws_reader *r, struct buf *held, struct buf *log)
{
	enum ws_event event = WS_PING;
	char *bytes = mem_alloc(MAX(held->n, 1U));
	size_t n = held->n;
	size_t used = 0;

	if (n > 0)
		memcpy(bytes, held->p, n);
	while (event != WS_MORE && event != WS_CLOSE && event != WS_FAULT) {
		struct ws_message m;
		struct fault err = {0};
		size_t took = 0;

		event = ws_read(r, &LIMITS, bytes + used, n - used, &took, &m, &err);
		used += took;
		assert_true(used <= n);
		if (event != WS_MORE)
			note(log, event, &m, &err);
	}
	if (event == WS_MORE)
		assert_true(n - used <= WS_LEFT_MAX);
	buf_clear(held);
	(void)buf_add(held, slice_of(bytes + used, n - used));
	free(bytes);
	return event == WS_MORE;
}

/* Pieces of `first` bytes, then of at most `piece`. */
static void run(const struct message_case *c, struct slice in, size_t first, size_t piece)
{
	struct ws_reader reader = {0};
	struct buf held;
	struct buf log;
	bool more = true;

	buf_init(&held, 1024);
	buf_init(&log, 1024);
	for (size_t n = first; more && in.n > 0; n = piece) {
		assert_true(buf_add(&held, slice_first(in, n)));
		in = slice_skip(in, n);
		more = read_all(&reader, &held, &log);
	}

	if (!slice_eq(buf_slice(&log), c->events))
		fail_msg("%s, cut at %zu, then %zu: %.*s", c->name, first, piece, (int)log.n,
			 log.p);
	if (more)
		assert_false(ws_reader_inside(&reader));
	ws_reader_done(&reader);
	assert_int_equal(ws_reader_held(&reader), 0);
	buf_done(&held);
	buf_done(&log);
}

static void the_rules_of_the_standard(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		struct buf in;

		buf_init(&in, 1024);
		encode(&in, CASES[i].frames);
		for (size_t cut = 1; cut <= in.n; cut++)
			run(&CASES[i], buf_slice(&in), cut, SIZE_MAX);
		run(&CASES[i], buf_slice(&in), 1, 1);
		run(&CASES[i], buf_slice(&in), 3, 3);
		buf_done(&in);
	}
}

/* ---- where the bytes are ---- */

static void a_whole_frame_is_read_in_place(void **state)
{
	char in[] = "\x81\x82"
		    "\x01\x02\x03\x04"
		    "ii"
		    "rest";
	struct ws_reader r = {0};
	struct ws_message m;
	struct fault err;
	size_t used;

	(void)state;
	assert_int_equal(ws_read(&r, &LIMITS, in, sizeof(in) - 1, &used, &m, &err), WS_TEXT);
	assert_int_equal(used, 8);
	assert_ptr_equal(m.payload.p, in + 6);
	assert_memory_equal(in + 6, "hk", 2);
	assert_memory_equal(in + 8, "rest", 4);
	assert_int_equal(ws_reader_held(&r), 0);
	assert_false(ws_reader_inside(&r));
}

/* A header may announce what it likes: memory grows with what comes. */
static void memory_grows_with_bytes_only(void **state)
{
	static const struct ws_limits large = {16 << 20, MAX_FRAGMENTS};
	char head[] = "\x81\xFF\0\0\0\0\x01\0\0\0\0\0\0\0";
	char bytes[100];
	struct ws_reader r = {0};
	struct ws_message m;
	struct fault err;
	size_t used;

	(void)state;
	assert_int_equal(ws_read(&r, &large, head, sizeof(head) - 1, &used, &m, &err), WS_MORE);
	assert_int_equal(used, sizeof(head) - 1);
	assert_true(ws_reader_inside(&r));
	assert_true(ws_reader_held(&r) < 1024);
	memset(bytes, 'x', sizeof(bytes));
	assert_int_equal(ws_read(&r, &large, bytes, sizeof(bytes), &used, &m, &err), WS_MORE);
	assert_true(ws_reader_held(&r) < 1024);
	ws_reader_done(&r);
	assert_false(ws_reader_inside(&r));
	assert_int_equal(ws_reader_held(&r), 0);
}

/* What was gathered is there until the next call, and then gone. */
static void a_gathered_message_lives_until_the_next_call(void **state)
{
	char begin[] = "\x01\x81\0\0\0\0a";
	char rest[] = "\x80\x81\0\0\0\0b";
	struct ws_reader r = {0};
	struct ws_message m;
	struct fault err;
	size_t used;

	(void)state;
	assert_int_equal(ws_read(&r, &LIMITS, begin, 7, &used, &m, &err), WS_MORE);
	assert_true(ws_reader_inside(&r));
	assert_int_equal(ws_read(&r, &LIMITS, rest, 7, &used, &m, &err), WS_TEXT);
	assert_false(ws_reader_inside(&r));
	memset(rest, 'x', sizeof(rest));
	assert_true(slice_eq(m.payload, SLICE("ab")));
	assert_int_equal(ws_read(&r, &LIMITS, rest, 0, &used, &m, &err), WS_MORE);
	assert_int_equal(used, 0);
	assert_int_equal(ws_reader_held(&r), 0);
}

/* A reload that lowers the limit does not reach a message that has begun. */
static void the_limit_of_the_beginning_holds(void **state)
{
	static const struct ws_limits lower = {2, MAX_FRAGMENTS};
	char begin[] = "\x01\x82\0\0\0\0aa";
	char rest[] = "\x80\x82\0\0\0\0bb";
	char next[] = "\x81\x83\0\0\0\0ccc";
	struct ws_reader r = {0};
	struct ws_message m;
	struct fault err = {0};
	size_t used;

	(void)state;
	assert_int_equal(ws_read(&r, &LIMITS, begin, 8, &used, &m, &err), WS_MORE);
	assert_int_equal(ws_read(&r, &lower, rest, 8, &used, &m, &err), WS_TEXT);
	assert_true(slice_eq(m.payload, SLICE("aabb")));
	assert_int_equal(ws_read(&r, &lower, next, 9, &used, &m, &err), WS_FAULT);
	assert_int_equal(err.close_code, WS_CLOSE_TOO_BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rules_of_the_standard),
		cmocka_unit_test(a_whole_frame_is_read_in_place),
		cmocka_unit_test(memory_grows_with_bytes_only),
		cmocka_unit_test(a_gathered_message_lives_until_the_next_call),
		cmocka_unit_test(the_limit_of_the_beginning_holds),
	};

	return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
