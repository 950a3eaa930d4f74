/* The pure parts of chat-bench: what it counts must be right, or it measures nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bench/histogram.h"
#include "bench/http.h"
#include "bench/pusher.h"
#include "bench/stamp.h"
#include "bench/summary.h"
#include "bench/track.h"
#include "common/base/macros.h"
#include "common/crypto/hmac.h"

static void percentiles(void **state)
{
	static struct histogram h;
	static struct histogram other;

	(void)state;
	assert_int_equal(histogram_at(&h, 0.5), 0);
	for (uint64_t i = 1; i <= 10000; i++)
		histogram_add(i % 2 == 0 ? &h : &other, i);
	histogram_merge(&h, &other);
	assert_int_equal(h.n, 10000);
	assert_in_range(histogram_at(&h, 0.5), 4800, 5200);
	assert_in_range(histogram_at(&h, 0.99), 9600, 10000);
	assert_int_equal(histogram_at(&h, 1.0), 10000);
	assert_int_equal(histogram_at(&h, 0.0), 1);
	histogram_add(&h, UINT64_MAX); /* longer than anything: the last bucket, not beyond it */
	assert_true(histogram_at(&h, 1.0) > 1ULL << 34);
}

static void order(void **state)
{
	struct track t = {0};

	(void)state;
	assert_int_equal(track_take(&t, 0), TRACK_NEXT);
	assert_int_equal(track_take(&t, 0), TRACK_TWICE);
	assert_int_equal(track_take(&t, 1), TRACK_NEXT);
	assert_int_equal(track_take(&t, 4), TRACK_AHEAD);
	assert_int_equal(track_take(&t, 3), TRACK_LATE);
	assert_int_equal(track_take(&t, 3), TRACK_TWICE);
	assert_int_equal(track_take(&t, 2), TRACK_LATE);
	assert_int_equal(track_take(&t, 1), TRACK_TWICE);
	assert_int_equal(track_take(&t, 5), TRACK_NEXT);
	assert_int_equal(track_take(&t, 500), TRACK_AHEAD);
	assert_int_equal(track_take(&t, 499), TRACK_LATE);
	assert_int_equal(track_take(&t, 5), TRACK_TWICE);
}

static void stamps(void **state)
{
	struct stamp in = {.source = 3, .number = 0x01020304, .at = 0x123456789a};
	struct stamp out;
	struct buf b;
	size_t hint = 0;

	(void)state;
	buf_init(&b, 4096);
	(void)buf_add(&b, SLICE("{\"event\":\"x\",\"data\":\""));
	stamp_put(&b, &in, 200);
	(void)buf_add(&b, SLICE("\"}"));
	assert_int_equal(b.n, 21 + 200 + 2);
	for (int i = 0; i < 2; i++) {
		assert_true(stamp_find(buf_slice(&b), &hint, &out));
		assert_memory_equal(&in, &out, sizeof(in));
	}
	hint = 5000;
	assert_true(stamp_find(buf_slice(&b), &hint, &out));
	assert_false(stamp_find(SLICE("#b12"), &hint, &out));
	assert_false(stamp_find(SLICE("{\"event\":\"nothing of ours\"}"), &hint, &out));
	buf_done(&b);
}

static void frames(void **state)
{
	static char big[70000];
	struct slice payload;
	struct buf b;
	size_t n;

	(void)state;
	memset(big, 'x', sizeof(big));
	assert_int_equal(pusher_take_frame(SLICE("\x81"), &n, &payload), PUSHER_MORE);
	assert_int_equal(pusher_take_frame(SLICE("\x81\x02hi!"), &n, &payload), PUSHER_TEXT);
	assert_int_equal(n, 4);
	assert_true(slice_eq(payload, SLICE("hi")));
	assert_int_equal(pusher_take_frame(SLICE("\x89\x00"), &n, &payload), PUSHER_PING);
	assert_int_equal(pusher_take_frame(SLICE("\x88\x02\x10\x68"), &n, &payload), PUSHER_CLOSE);
	assert_int_equal(pusher_close_code(payload), 4200);
	assert_int_equal(pusher_close_code(SLICE_NONE), 1005);
	assert_int_equal(pusher_take_frame(SLICE("\x81\x7e\x00"), &n, &payload), PUSHER_MORE);
	buf_init(&b, 1 << 20);
	for (size_t i = 0; i < 3; i++) {
		static const size_t sizes[] = {5, 300, 70000};

		buf_clear(&b);
		pusher_put_text(&b, slice_of(big, sizes[i]));
		/* Ours are masked: to a client that is no text. */
		assert_int_equal(pusher_take_frame(buf_slice(&b), &n, &payload), PUSHER_OTHER);
		assert_int_equal(payload.n + 4 - sizes[i], 4);
	}
	buf_done(&b);
}

static void messages(void **state)
{
	static const struct {
		struct slice text;
		enum pusher_message kind;
	} rows[] = {
		{SLICE_INIT("{\"event\":\"news\",\"data\":\"\"}"), PUSHER_MSG_EVENT},
		{SLICE_INIT("{\"channel\":\"c\",\"event\":\"news\"}"), PUSHER_MSG_EVENT},
		{SLICE_INIT("{\"event\":\"pusher:ping\",\"data\":{}}"), PUSHER_MSG_PING},
		{SLICE_INIT("{\"event\":\"pusher:error\"}"), PUSHER_MSG_ERROR},
		{SLICE_INIT("{\"event\":\"pusher_internal:member_added\"}"),
		 PUSHER_MSG_MEMBER_ADDED},
		{SLICE_INIT("{\"event\":\"pusher:cache_miss\"}"), PUSHER_MSG_NOTHING},
		{SLICE_INIT("{}"), PUSHER_MSG_NOTHING},
	};
	char id[PUSHER_SOCKET_ID];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(pusher_message_kind(rows[i].text), rows[i].kind);
	assert_true(
		pusher_socket_id(SLICE("{\"data\":\"{\\\"socket_id\\\":\\\"12.34\\\"}\"}"), id));
	assert_string_equal(id, "12.34");
	assert_false(pusher_socket_id(SLICE("{}"), id));
	assert_int_equal(pusher_member_count(SLICE("{\"data\":\"{\\\"count\\\":17}\"}")), 17);
	assert_int_equal(pusher_member_count(SLICE("{\"data\":\"{}\"}")), 0);
}

static void subscribing(void **state)
{
	struct hmac_key *secret = hmac_key_new(SLICE("7ad3773142a6692b25b8"));
	struct pusher_subscribe s = {
		.key = SLICE("278d425bdf160c739803"),
		.secret = secret,
		.socket_id = "1234.1234",
		.channel = SLICE("private-foobar"),
	};
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	pusher_put_subscribe(&b, &s); /* the example of Pusher's documents */
	assert_true(slice_eq(
		buf_slice(&b),
		SLICE("{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"private-foobar\","
		      "\"auth\":\"278d425bdf160c739803:58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f"
		      "5369f135bf843651c3a4\"}}")));
	buf_done(&b);
	hmac_key_free(secret);
}

static void answers(void **state)
{
	struct http_answer a;
	size_t n;

	(void)state;
	assert_false(http_take_answer(SLICE("HTTP/1.1 200 OK\r\ncontent-"), &n, &a));
	assert_false(
		http_take_answer(SLICE("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{"), &n, &a));
	assert_true(http_take_answer(
		SLICE("HTTP/1.1 503 No\r\nA: b\r\ncontent-length: 2\r\n\r\n{}HTTP/1.1"), &n, &a));
	assert_int_equal(a.status, 503);
	assert_true(slice_eq(a.body, SLICE("{}")));
	assert_true(http_take_answer(SLICE("nonsense\r\n\r\n"), &n, &a));
	assert_int_equal(a.status, 0);
}

static void medians(void **state)
{
	struct outcome o = {.round_count = 4};
	struct summary s;

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		o.rounds[i].seconds = 2;
		o.rounds[i].counts[COUNT_DELIVERED] = UINT64_C(100) * ((i * 3) % 4);
	}
	s = summary_of(&o, summary_delivered_rate);
	assert_true(s.median == 75 && s.min == 0 && s.max == 150);
	assert_true(summary_of(&o, summary_delivered_per_cpu).median == 0);
	o.round_count = 0;
	assert_true(summary_of(&o, summary_delivered_rate).max == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(percentiles), cmocka_unit_test(order),
		cmocka_unit_test(stamps),      cmocka_unit_test(frames),
		cmocka_unit_test(messages),    cmocka_unit_test(subscribing),
		cmocka_unit_test(answers),     cmocka_unit_test(medians),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
