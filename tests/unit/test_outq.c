#include "worker/edge/outq.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COST OUTQ_FRAME_COST
#define PLENTY 1000000

static struct outq q;

static int setup(void **state)
{
	(void)state;
	outq_init(&q);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	outq_done(&q);
	return 0;
}

/* Pushes a text and lets the queue alone hold it. */
static bool push(const char *text, size_t high)
{
	struct frame *f = frame_copy(slice_str(text));
	bool taken = outq_push(&q, f, high);

	frame_unref(f);
	return taken;
}

static bool push_urgent(const char *text, size_t high)
{
	struct frame *f = frame_copy(slice_str(text));
	bool taken = outq_push_urgent(&q, f, high);

	frame_unref(f);
	return taken;
}

/* A frame of so many bytes. */
static bool push_size(uint32_t n, size_t high)
{
	struct frame *f = frame_new(n);
	bool taken;

	memset(f->data, 'x', n);
	taken = outq_push(&q, f, high);
	frame_unref(f);
	return taken;
}

/* What waits, in order. */
static void assert_waits(const char *wanted)
{
	struct iovec vec[64];
	char text[256];
	size_t n = 0;
	int count = outq_gather(&q, vec, 64);

	for (int i = 0; i < count; i++) {
		assert_true(vec[i].iov_len > 0);
		memcpy(text + n, vec[i].iov_base, vec[i].iov_len);
		n += vec[i].iov_len;
	}
	text[n] = '\0';
	assert_string_equal(text, wanted);
	assert_int_equal(q.bytes, n);
}

static void first_in_first_out(void **state)
{
	(void)state;
	assert_true(outq_is_empty(&q));
	assert_true(push("ab", PLENTY));
	assert_true(push("c", PLENTY));
	assert_true(push("def", PLENTY));
	assert_waits("abcdef");
	assert_int_equal(outq_cost(&q), 6 + 3 * COST);
	outq_written(&q, 1);
	assert_waits("bcdef");
	outq_written(&q, 0);
	outq_written(&q, 2);
	assert_waits("def");
	outq_written(&q, 3);
	assert_waits("");
	assert_true(outq_is_empty(&q));
	assert_int_equal(outq_cost(&q), 0);
}

/* Through the inline slots, a ring, a larger ring, and round it. */
static void order_survives_growth_and_wrapping(void **state)
{
	char want[128] = "";
	size_t from = 0;
	size_t to = 0;

	(void)state;
	for (unsigned round = 0; round < 60; round++) {
		char letter[2] = {(char)('a' + round % 26), '\0'};

		assert_true(push(letter, PLENTY));
		want[to++] = letter[0];
		if (round % 3 == 2) {
			outq_written(&q, 1);
			from++;
		}
		want[to] = '\0';
		assert_waits(want + from);
	}
	outq_written(&q, to - from);
	assert_int_equal(q.cap, 0);
}

static void owns_no_memory_when_empty(void **state)
{
	(void)state;
	assert_true(push("a", PLENTY));
	assert_true(push("b", PLENTY));
	assert_int_equal(q.cap, 0); /* two lie inside */
	assert_true(push("c", PLENTY));
	assert_int_not_equal(q.cap, 0);
	outq_written(&q, 3);
	assert_int_equal(q.cap, 0);
}

static void shares_frames(void **state)
{
	struct frame *f = frame_copy(SLICE("x"));

	(void)state;
	assert_true(outq_push(&q, f, PLENTY));
	assert_true(outq_push(&q, f, PLENTY));
	assert_int_equal(f->refs, 3);
	outq_written(&q, 1);
	assert_int_equal(f->refs, 2);
	outq_done(&q);
	assert_int_equal(f->refs, 1);
	frame_unref(f);
}

static void the_high_mark_at_n_and_n_plus_1(void **state)
{
	size_t high = 10 + 2 * COST;

	(void)state;
	assert_true(push("12345", high));
	assert_false(push("123456", high));
	assert_waits("12345"); /* nothing was done */
	assert_true(push("12345", high));
	assert_int_equal(outq_cost(&q), high);
	assert_false(push("1", high));
	assert_false(push_urgent("1", high));
	outq_written(&q, 5); /* the first is gone, with its slot */
	assert_true(push("12345", high));
	assert_false(push("1", high));
}

/* What is larger than the mark by itself is taken once, and not counted. */
static void one_frame_may_be_larger_than_the_mark(void **state)
{
	size_t high = 100;

	(void)state;
	assert_true(push_size(100 - COST, high)); /* as large as the mark: an ordinary one */
	assert_true(push_size(101 - COST, high)); /* larger */
	assert_false(push("1", high));
	assert_false(push_size(101 - COST, high));
	outq_written(&q, 100 - COST);
	assert_true(push_size(100 - COST, high)); /* the large one does not count */
	assert_false(push_size(500, high));	  /* but there is one */
	outq_written(&q, 50);
	assert_false(push("1", high));
	outq_written(&q, 101 - COST - 50);
	assert_true(push_size(500, high));
}

static void urgent_ones_pass_what_has_not_begun(void **state)
{
	(void)state;
	assert_true(push("aa", PLENTY));
	assert_true(push("bb", PLENTY));
	assert_true(push_urgent("P", PLENTY));
	assert_waits("Paabb");
	assert_true(push_urgent("Q", PLENTY)); /* in order among themselves */
	assert_waits("PQaabb");
	outq_written(&q, 3); /* P, Q and half of aa */
	assert_true(push_urgent("R", PLENTY));
	assert_true(push_urgent("S", PLENTY));
	assert_waits("aRSbb");
	outq_written(&q, 1);
	assert_true(push_urgent("T", PLENTY));
	assert_waits("RSTbb");
}

static void a_cut_keeps_what_has_begun(void **state)
{
	(void)state;
	assert_true(push("aa", PLENTY));
	assert_true(push_urgent("PP", PLENTY));
	assert_true(push("bb", PLENTY));
	outq_written(&q, 1);
	outq_cut(&q);
	assert_waits("P");
	assert_true(push("c", PLENTY));
	assert_true(push_urgent("Q", PLENTY));
	assert_waits("PQc");
	outq_written(&q, 1);
	outq_cut(&q);
	assert_waits("");
	assert_int_equal(q.cap, 0);
	outq_cut(&q);
	assert_true(outq_is_empty(&q));
}

/* Cutting a large frame off makes room for the next. */
static void a_cut_forgets_the_large_frame(void **state)
{
	(void)state;
	assert_true(push("a", 100));
	assert_true(push_size(500, 100));
	outq_cut(&q);
	assert_true(push_size(500, 100));
	outq_written(&q, 1);
	outq_cut(&q); /* it has begun to go out: it stays */
	assert_int_equal(q.bytes, 499);
	assert_false(push_size(500, 100));
}

static void gathers_no_more_than_asked(void **state)
{
	struct iovec vec[2];

	(void)state;
	assert_int_equal(outq_gather(&q, vec, 2), 0);
	assert_true(push("a", PLENTY));
	assert_true(push("b", PLENTY));
	assert_true(push("c", PLENTY));
	assert_int_equal(outq_gather(&q, vec, 2), 2);
	assert_memory_equal(vec[1].iov_base, "b", 1);
	assert_int_equal(outq_gather(&q, vec, 0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(first_in_first_out),
		TEST(order_survives_growth_and_wrapping),
		TEST(owns_no_memory_when_empty),
		TEST(shares_frames),
		TEST(the_high_mark_at_n_and_n_plus_1),
		TEST(one_frame_may_be_larger_than_the_mark),
		TEST(urgent_ones_pass_what_has_not_begun),
		TEST(a_cut_keeps_what_has_begun),
		TEST(a_cut_forgets_the_large_frame),
		TEST(gathers_no_more_than_asked),
	};

	return cmocka_run_group_tests_name("outq", tests, NULL, NULL);
}
