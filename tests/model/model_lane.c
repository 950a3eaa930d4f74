/*
 * Two ends of a lane over a way that loses, doubles and reorders messages, beside a model that is a
 * counter: every record must come once, in its order, and the window must empty in the end.
 */
#include "common/wire/flow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"

enum { WAY_MAX = 64, EPOCH = 7 };

struct message {
	char *p;
	size_t n;
};

/* One end, and the way of its messages to the other one. */
struct end {
	struct flow flow;
	struct end *peer;
	struct message way[WAY_MAX];
	size_t on_way;
	uint64_t pushed;
	uint64_t got;
	bool stops;
};

static struct end ends[2];
static uint32_t seed;
static unsigned trouble; /* of 100 messages */

static uint32_t below(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

/* The body of record n: n itself, and a length that differs. */
static size_t body_of(uint64_t n, char *body)
{
	size_t size = sizeof(n) + n * 7919 % 3000;

	memset(body, (int)(n & 0x7F), size);
	memcpy(body, &n, sizeof(n));
	return size;
}

static void push(struct end *e)
{
	char body[4096];
	size_t n = body_of(e->pushed, body);

	flow_push(&e->flow, (uint8_t)(e->pushed % 127 + 1), slice_of(body, n));
	e->pushed++;
}

static bool on_record(void *ctx, uint8_t kind, struct slice body)
{
	struct end *e = ctx;
	char want[4096];
	size_t n = body_of(e->got, want);

	assert_int_equal(body.n, n);
	assert_memory_equal(body.p, want, n);
	assert_int_equal(kind, e->got % 127 + 1);
	e->got++;
	return !e->stops || below(3) != 0;
}

static void put_on_way(struct end *e, enum flow_type type, struct slice body)
{
	struct flow_head head = flow_head(&e->flow, type, EPOCH);
	struct message m = {.n = FLOW_HEAD + body.n};

	if (e->on_way == WAY_MAX || below(100) < trouble)
		return; /* lost */
	m.p = mem_alloc(m.n);
	flow_head_put(m.p, &head);
	if (body.n > 0)
		memcpy(m.p + FLOW_HEAD, body.p, body.n);
	e->way[e->on_way++] = m;
}

static void flush(struct end *e)
{
	struct flow_batch *b;

	while ((b = flow_out(&e->flow)) != NULL) {
		put_on_way(e, FLOW_DATA, slice_of(b->bytes, b->n));
		flow_sent(&e->flow);
	}
	if (flow_owes(&e->flow)) {
		put_on_way(e, FLOW_ALIVE, SLICE_NONE);
		flow_told(&e->flow);
	}
}

static void take_data(struct end *e, struct flow_head *head, struct slice records)
{
	enum flow_in in;

	while ((in = flow_take(&e->flow, head, &records, on_record, e)) == FLOW_IN_STOP)
		continue; /* the rest at once, but as a message of its own */
	assert_int_not_equal(in, FLOW_IN_BROKEN);
	if (in == FLOW_IN_GAP)
		put_on_way(e, FLOW_AGAIN, SLICE_NONE);
}

static void take(struct end *e, struct message m)
{
	struct slice bytes = slice_of(m.p, m.n);
	struct flow_head head;

	assert_true(flow_head_take(bytes, &head));
	assert_int_equal(head.epoch, EPOCH);
	assert_true(flow_ack(&e->flow, head.ack));
	if (head.type == FLOW_DATA)
		take_data(e, &head, slice_skip(bytes, FLOW_HEAD));
	else if (head.type == FLOW_AGAIN)
		flow_rewind(&e->flow);
	else if (flow_behind(&e->flow, head.seq))
		put_on_way(e, FLOW_AGAIN, SLICE_NONE);
}

/* One message of e's way arrives: usually the first. */
static void arrive(struct end *e)
{
	size_t at = below(100) < trouble ? below((uint32_t)e->on_way) : 0;
	struct message m = e->way[at];

	take(e->peer, m);
	if (e->on_way < WAY_MAX && below(100) < trouble)
		return; /* and once more */
	free(m.p);
	e->on_way--;
	memmove(&e->way[at], &e->way[at + 1], (e->on_way - at) * sizeof(m));
}

static void settle(void)
{
	trouble = 0;
	for (int n = 0; n < 10; n++) {
		for (int i = 0; i < 2; i++) {
			flush(&ends[i]);
			put_on_way(&ends[i], FLOW_ALIVE, SLICE_NONE);
		}
		while (ends[0].on_way + ends[1].on_way > 0) {
			for (int i = 0; i < 2; i++) {
				if (ends[i].on_way > 0)
					arrive(&ends[i]);
				flush(&ends[i]);
			}
		}
	}
}

static void run(unsigned percent, bool stops)
{
	memset(ends, 0, sizeof(ends));
	for (int i = 0; i < 2; i++) {
		flow_init(&ends[i].flow);
		ends[i].peer = &ends[1 - i];
		ends[i].stops = stops;
	}
	trouble = percent;
	for (int n = 0; n < 20000; n++) {
		struct end *e = &ends[below(2)];

		switch (below(6)) {
		case 0:
		case 1:
			if (e->flow.held < (1 << 20))
				push(e);
			break;
		case 2:
			flush(e);
			break;
		case 3:
			if (below(20) == 0)
				put_on_way(e, FLOW_ALIVE, SLICE_NONE);
			else if (below(200) == 0)
				flow_rewind(&e->flow); /* as after a welcome */
			break;
		default:
			if (e->on_way > 0)
				arrive(e);
			break;
		}
		assert_true(ends[0].got <= ends[1].pushed && ends[1].got <= ends[0].pushed);
	}
	settle();
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ends[i].got, ends[1 - i].pushed);
		assert_int_equal(ends[i].flow.held, 0);
		assert_int_equal(ends[i].flow.acked, ends[i].pushed + 1);
		flow_done(&ends[i].flow);
	}
}

static void test_a_good_way(void **state)
{
	(void)state;
	seed = 1;
	run(0, false);
}

static void test_bad_ways(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 8; n++) {
		seed = 100 + n;
		run(1 + n * 5, n % 2 == 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_good_way),
		cmocka_unit_test(test_bad_ways),
	};

	return cmocka_run_group_tests_name("model_lane", tests, NULL, NULL);
}
