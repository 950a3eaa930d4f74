#include "worker/questions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "worker/worker_internal.h"

static struct worker *w;
static struct conf *conf;
static usec_t now;
static bool lane_full;

/* What the broker has been sent: a letter for each, 'q' or 'p', 'P' for a resent publish. */
static char sent[256];
static uint64_t last_origin;

usec_t worker_now(const struct worker *worker)
{
	(void)worker;
	return now;
}

bool worker_send(struct worker *worker, uint8_t kind)
{
	struct wire_publish p;
	size_t n = strlen(sent);
	bool taken = worker->broker == BROKER_UP && !lane_full;

	if (taken && kind == WIRE_PUBLISH) {
		assert_true(wire_decode_publish(buf_slice(&worker->record), &p));
		sent[n] = p.resent ? 'P' : 'p';
		last_origin = p.origin;
	} else if (taken) {
		sent[n] = kind == WIRE_CHAT_CALL ? 'c' : 'q';
	}
	buf_clear(&worker->record);
	return taken;
}

/* What handlers heard: "ID:STATUS " for each. */
static char heard[256];

static void on_done(struct worker *worker, uint64_t session, void *ctx,
		    const struct worker_answer *a)
{
	size_t n = strlen(heard);

	(void)worker;
	(void)ctx;
	(void)snprintf(heard + n, sizeof(heard) - n, "%llu:%u ", (unsigned long long)session,
		       a->status);
}

static int setup(void **state)
{
	(void)state;
	w = NEW(struct worker);
	conf = conf_new();
	w->conf = conf;
	w->broker = BROKER_UP;
	w->number = 5;
	w->questions = questions_new();
	buf_init(&w->record, LIMIT_WIRE_RECORD);
	now = 1000 * USEC_PER_SEC;
	lane_full = false;
	memset(sent, 0, sizeof(sent));
	memset(heard, 0, sizeof(heard));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	questions_free(w->questions, w);
	buf_done(&w->record);
	conf_free(conf);
	free(w);
	return 0;
}

static uint64_t ask(uint64_t session, uint8_t kind)
{
	struct worker_ask a = {
		.req = worker_new_req(w),
		.kind = kind,
		.body = SLICE("body"),
		.session = session,
		.done = on_done,
	};

	assert_true(worker_ask(w, &a));
	return a.req;
}

static uint64_t publish(uint64_t session)
{
	struct wire_publish p = {.event = SLICE_INIT("e"), .data = SLICE_INIT("d")};

	assert_true(worker_publish(w, &p, session, on_done, NULL));
	return p.number;
}

static void published(uint64_t number, uint16_t status)
{
	struct wire_published m = {.number = number, .status = status};

	questions_published(w, &m);
}

static void test_an_answer_comes_once(void **state)
{
	struct worker_answer a = {.status = 200};
	uint64_t req = ask(1, WIRE_QUERY);

	(void)state;
	assert_string_equal(sent, "q");
	questions_answered(w, req, &a);
	questions_answered(w, req, &a);
	questions_answered(w, 77, &a);
	questions_turn(w, now + conf->worker.broker_wait);
	assert_string_equal(heard, "1:200 ");
}

static void test_publishes_stay_until_they_are_stable(void **state)
{
	uint64_t number = publish(1);

	(void)state;
	assert_int_equal(last_origin, 5);
	published(number, 200);
	assert_string_equal(heard, "1:200 ");
	questions_again(w);
	assert_string_equal(sent, "pP");
	assert_int_equal(last_origin, 5);
	questions_stable(w, number);
	questions_again(w);
	assert_string_equal(sent, "pP");
	/* one that was refused is over with its answer */
	published(publish(2), 413);
	questions_again(w);
	assert_string_equal(sent, "pPp");
	assert_string_equal(heard, "1:200 2:413 ");
}

/* Another broker gives the worker another number: what has a name keeps it. */
static void test_the_origin_stays(void **state)
{
	(void)state;
	published(publish(1), 200);
	w->number = 6;
	questions_again(w);
	assert_int_equal(last_origin, 5);
	(void)publish(2);
	assert_int_equal(last_origin, 6);
}

static void test_waiting_for_the_broker(void **state)
{
	(void)state;
	w->broker = BROKER_AWAY;
	(void)publish(1);
	(void)ask(2, WIRE_QUERY);
	assert_string_equal(sent, "");
	questions_turn(w, now + conf->worker.broker_wait - 1);
	assert_string_equal(heard, "");
	w->broker = BROKER_UP;
	questions_go_on(w);
	assert_string_equal(sent, "pq");

	w->broker = BROKER_AWAY;
	now += 1;
	(void)ask(3, WIRE_QUERY);
	questions_turn(w, now + conf->worker.broker_wait - 1);
	assert_string_equal(heard, "1:503 2:503 ");
	questions_turn(w, now + conf->worker.broker_wait);
	assert_string_equal(heard, "1:503 2:503 3:503 ");
	w->broker = BROKER_UP;
	questions_go_on(w);
	assert_string_equal(sent, "pq"); /* who was told no is not served in secret */
}

static void test_order_after_a_crash(void **state)
{
	(void)state;
	(void)publish(1);
	(void)ask(2, WIRE_QUERY);
	(void)ask(3, WIRE_CHAT_CALL);
	w->broker = BROKER_AWAY;
	(void)publish(4);
	w->broker = BROKER_UP;
	memset(sent, 0, sizeof(sent));
	questions_again(w);
	/* resent, asked again, then what is new; whether the chat call was done nobody knows */
	assert_string_equal(sent, "Pqp");
	assert_string_equal(heard, "3:503 ");
}

static void test_a_full_lane(void **state)
{
	(void)state;
	lane_full = true;
	(void)ask(1, WIRE_QUERY);
	lane_full = false;
	(void)publish(2);
	assert_string_equal(sent, "qp"); /* in their order */
}

static void test_limits(void **state)
{
	struct worker_ask a = {
		.kind = WIRE_QUERY, .body = SLICE_INIT("body"), .session = 9, .done = on_done};

	(void)state;
	conf->worker.pending_requests = 3;
	for (int i = 0; i < 3; i++)
		(void)ask(1, WIRE_QUERY);
	a.req = worker_new_req(w);
	assert_false(worker_ask(w, &a));
	questions_turn(w, now + conf->worker.broker_wait);
	assert_true(worker_ask(w, &a));
	conf->worker.pending_memory = 512;
	a.req = worker_new_req(w);
	assert_false(worker_ask(w, &a)); /* 256 for the row and four for the body, twice */
	conf->worker.pending_memory = 520;
	assert_true(worker_ask(w, &a));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_an_answer_comes_once),
		TEST(test_publishes_stay_until_they_are_stable),
		TEST(test_the_origin_stays),
		TEST(test_waiting_for_the_broker),
		TEST(test_order_after_a_crash),
		TEST(test_a_full_lane),
		TEST(test_limits),
	};

	return cmocka_run_group_tests_name("questions", tests, NULL, NULL);
}
