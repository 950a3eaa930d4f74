#include "broker/link/server.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/wire/wire.h"
#include "tests/unit/lane_pair.h"

#define WINDOW (1 << 20)

static struct pair_broker *const b = &pair_broker;

/* ---- coming, speaking, going ---- */

static void test_welcome_and_records(void **state)
{
	struct pair_worker w;
	uint64_t mark;

	(void)state;
	pair_open_broker(WINDOW);
	assert_int_not_equal(server_epoch(b->server), 0);
	pair_open_worker(&w, 1, 5, WINDOW);
	assert_int_equal(pair_send(&w, 1, 8), -ENOTCONN);
	PAIR_UNTIL(w.up_new == 1 && b->came == 1);
	assert_int_equal(lane_slot(b->lane), 1);
	assert_int_equal(lane_generation(b->lane), 5);
	assert_true(lane_number(b->lane) > 0);
	assert_int_equal(server_count(b->server), 1);
	assert_ptr_equal(server_next(b->server, NULL), b->lane);
	assert_null(server_next(b->server, b->lane));
	assert_null(lane_data(b->lane));
	lane_set_data(b->lane, &w);
	assert_ptr_equal(lane_data(b->lane), &w);

	for (uint64_t n = 1; n <= 1000; n++) {
		assert_int_equal(pair_send(&w, n, n), 0);
		pair_send_to(b->lane, n, n);
	}
	mark = lane_mark(b->lane);
	assert_int_equal(pair_send(&w, 1001, LIMIT_WIRE_RECORD + 1), -EMSGSIZE);
	assert_true(lane_acked(b->lane) < mark);
	PAIR_UNTIL(w.records == 1000 && b->records == 1000 && b->acked == mark);
	PAIR_UNTIL(link_counts(w.link).held == 0);
	assert_int_equal(lane_held(b->lane), 0);
	assert_int_equal(w.out_of_order + b->out_of_order, 0);
	assert_int_equal(link_counts(w.link).records_out, 1000);
	assert_int_equal(server_counts(b->server).records_in, 1000);
	assert_int_equal(server_counts(b->server).resent + link_counts(w.link).resent, 0);

	link_free(w.link);
	PAIR_UNTIL(b->gone == 1);
	assert_int_equal(b->end, LANE_LEFT);
	assert_int_equal(server_count(b->server), 0);
	assert_int_equal(w.downs + w.retired, 0);
}

static void test_last_words_are_heard(void **state)
{
	struct pair_worker w;

	(void)state;
	pair_open_broker(WINDOW);
	pair_open_worker(&w, 0, 1, WINDOW);
	PAIR_UNTIL(w.up_new == 1);
	for (uint64_t n = 1; n <= 500; n++)
		assert_int_equal(pair_send(&w, n, 100), 0);
	link_free(w.link);
	PAIR_UNTIL(b->gone == 1);
	assert_int_equal(b->records, 500);
}

static void test_a_worker_waits_for_the_broker(void **state)
{
	struct pair_worker w;

	(void)state;
	pair_open_worker(&w, 0, 1, WINDOW);
	loop_flush(pair_loop);
	pair_open_broker(WINDOW);
	PAIR_UNTIL(w.up_new == 1);
	link_free(w.link);
	PAIR_UNTIL(b->gone == 1);
}

static void test_another_broker(void **state)
{
	struct pair_worker w[2];
	uint32_t number;
	uint64_t epoch;

	(void)state;
	pair_open_broker(WINDOW);
	assert_int_equal(server_expected(b->server), 1); /* nobody knows */
	pair_open_worker(&w[0], 0, 1, WINDOW);
	PAIR_UNTIL(b->came == 1);
	assert_int_equal(server_expected(b->server), 2); /* so many are announced */
	number = lane_number(b->lane);
	server_synced(b->server, b->lane);
	server_synced(b->server, b->lane);
	assert_int_equal(server_expected(b->server), 1);
	pair_open_worker(&w[1], 1, 1, WINDOW);
	PAIR_UNTIL(b->came == 2);
	assert_int_equal(server_expected(b->server), 1);
	server_synced(b->server, b->lane);
	assert_int_equal(server_expected(b->server), 0);
	epoch = server_epoch(b->server);
	PAIR_UNTIL(w[0].up_new == 1 && w[1].up_new == 1);

	/* it ends, and does not say so */
	server_free(b->server);
	PAIR_UNTIL(w[0].downs == 1 && w[1].downs == 1);
	pair_open_broker(WINDOW);
	assert_int_not_equal(server_epoch(b->server), epoch);
	assert_int_equal(server_expected(b->server), 2); /* out of the roster */
	PAIR_UNTIL(w[0].up_new == 2 && w[1].up_new == 2);
	assert_int_equal(b->came, 4);
	assert_int_equal(server_expected(b->server), 2); /* here, but nothing told yet */
	for (struct lane *lane = server_next(b->server, NULL); lane != NULL;
	     lane = server_next(b->server, lane)) {
		if (lane_slot(lane) == 0) {
			assert_int_equal(lane_number(lane), number);
			server_synced(b->server, lane);
		}
	}
	assert_int_equal(server_expected(b->server), 1);
	link_free(w[1].link);
	PAIR_UNTIL(b->gone == 1);
	assert_int_equal(b->expected, 0); /* who leaves tells no more */
	assert_int_equal(server_expected(b->server), 0);
	link_free(w[0].link);
	PAIR_UNTIL(b->gone == 2);
}

/* ---- reload ---- */

static void test_a_successor_lets_its_predecessor_serve(void **state)
{
	struct pair_worker old;
	struct pair_worker young;
	struct lane *lane;

	(void)state;
	pair_open_broker(WINDOW);
	pair_open_worker(&old, 0, 1, WINDOW);
	PAIR_UNTIL(old.up_new == 1);
	lane = b->lane;
	pair_open_worker(&young, 0, 2, WINDOW);
	PAIR_UNTIL(young.up_new == 1);
	assert_int_not_equal(lane_number(lane), lane_number(b->lane));
	pair_send_to(lane, 1, 8);
	pair_send_to(b->lane, 1, 8);
	PAIR_UNTIL(old.records == 1 && young.records == 1);
	assert_int_equal(b->gone, 0);
	link_free(old.link);
	PAIR_UNTIL(b->gone == 1);
	link_free(young.link);
	PAIR_UNTIL(b->gone == 2);
}

/* ---- windows ---- */

static void test_a_full_window_of_the_worker(void **state)
{
	struct pair_worker w;
	uint64_t n = 0;

	(void)state;
	pair_open_broker(WINDOW);
	pair_open_worker(&w, 0, 1, WINDOW);
	PAIR_UNTIL(w.up_new == 1);
	while (pair_send(&w, n + 1, 10000) == 0)
		n++;
	assert_int_equal(pair_send(&w, n + 1, 8), -ENOBUFS);
	assert_in_range(link_counts(w.link).held, WINDOW, WINDOW + 2 * FLOW_BATCH);
	PAIR_UNTIL(b->records == n && link_counts(w.link).held == 0);
	assert_int_equal(pair_send(&w, n + 1, 8), 0);
	PAIR_UNTIL(b->records == n + 1);
	assert_int_equal(b->out_of_order, 0);
	link_free(w.link);
	PAIR_UNTIL(b->gone == 1);
}

/* Each small question costs the broker a large answer: it takes no more than it can hold. */
static void test_large_answers(void **state)
{
	struct pair_worker w;

	(void)state;
	pair_open_broker(WINDOW);
	pair_open_worker(&w, 0, 1, WINDOW);
	PAIR_UNTIL(w.up_new == 1);
	b->answer = 100000;
	for (uint64_t n = 1; n <= 2000; n++)
		assert_int_equal(pair_send(&w, n, 8), 0);
	PAIR_UNTIL(w.records == 2000);
	assert_int_equal(w.bytes, 2000 * b->answer);
	assert_int_equal(w.out_of_order + b->out_of_order, 0);
	assert_in_range(b->held_max, WINDOW / 2, WINDOW / 2 + 2 * b->answer);
	assert_int_equal(server_counts(b->server).gaps, 0);
	assert_int_equal(b->gone, 0);
	link_free(w.link);
	PAIR_UNTIL(b->gone == 1);
}

static void test_a_slow_worker_is_given_up(void **state)
{
	struct pair_worker w;

	(void)state;
	pair_open_broker(WINDOW);
	pair_open_worker(&w, 0, 1, WINDOW);
	PAIR_UNTIL(w.up_new == 1);
	for (uint64_t n = 1; n <= 1000; n++)
		pair_send_to(b->lane, n, 10000); /* and no turn of the loop to take them */
	assert_true(lane_held(b->lane) < WINDOW + 2 * FLOW_BATCH);
	assert_int_equal(b->gone, 0); /* not from within server_send() */
	PAIR_UNTIL(b->gone == 1 && w.retired == 1);
	assert_int_equal(b->end, LANE_SLOW);
	assert_int_equal(pair_send(&w, 1, 8), -ENOTCONN);
	link_free(w.link);
}

static void test_dropped(void **state)
{
	struct pair_worker w;

	(void)state;
	pair_open_broker(WINDOW);
	pair_open_worker(&w, 0, 1, WINDOW);
	PAIR_UNTIL(w.up_new == 1);
	server_drop(b->server, b->lane);
	server_drop(b->server, b->lane);
	pair_send_to(b->lane, 1, 8);
	PAIR_UNTIL(b->gone == 1 && w.retired == 1);
	assert_int_equal(b->end, LANE_DROPPED);
	assert_string_equal(lane_end_name(b->end), "dropped");
	assert_int_equal(w.records, 0);
	link_free(w.link);
}

/* ---- peers that do as they like ---- */

struct raw {
	struct zsock *z;
	unsigned got;
	struct flow_head last;
	bool up;
};

static void on_raw(void *ctx, struct slice peer, struct slice message)
{
	struct raw *r = ctx;

	(void)peer;
	assert_true(flow_head_take(message, &r->last));
	r->got += r->last.type != FLOW_ALIVE;
}

static void on_raw_connection(void *ctx, bool up)
{
	((struct raw *)ctx)->up = up;
}

static const struct zsock_ops raw_ops = {
	.on_message = on_raw,
	.on_connection = on_raw_connection,
};

static void open_raw(struct raw *r)
{
	*r = (struct raw){0};
	r->z = zsock_new(pair_loop, ZSOCK_DEALER, FLOW_MESSAGE_MAX, &raw_ops, r);
	assert_int_equal(zsock_connect(r->z, pair_endpoint), 0);
	PAIR_UNTIL(r->up);
}

static void say(struct raw *r, struct flow_head head, struct slice body)
{
	char bytes[FLOW_HEAD];

	flow_head_put(bytes, &head);
	assert_int_equal(zsock_send(r->z, SLICE_NONE, slice_of(bytes, sizeof(bytes)), body), 0);
}

static void say_hello(struct raw *r, uint64_t life, uint64_t epoch)
{
	struct flow_hello hello = {.life = life, .slots = 2};
	struct flow_head head = {
		.version = WIRE_VERSION, .type = FLOW_HELLO, .epoch = epoch, .seq = 1, .ack = 1};
	char bytes[FLOW_HELLO_BYTES];

	flow_hello_put(bytes, &hello);
	say(r, head, slice_of(bytes, sizeof(bytes)));
}

static struct flow_head data_head(uint64_t seq, uint16_t count)
{
	return (struct flow_head){.version = WIRE_VERSION,
				  .type = FLOW_DATA,
				  .count = count,
				  .epoch = server_epoch(b->server),
				  .seq = seq,
				  .ack = 1};
}

static void test_another_version_is_refused(void **state)
{
	struct raw r;
	struct flow_head head = {.version = WIRE_VERSION + 1, .type = FLOW_HELLO};

	(void)state;
	pair_open_broker(WINDOW);
	open_raw(&r);
	say(&r, head, SLICE("whatever they will send"));
	PAIR_UNTIL(r.got == 1);
	assert_int_equal(r.last.type, FLOW_REFUSED);
	assert_int_equal(r.last.version, WIRE_VERSION);
	assert_int_equal(server_counts(b->server).refused, 1);
	assert_int_equal(b->came, 0);
	zsock_free(r.z, 0);
}

static void test_strangers_and_the_forgotten(void **state)
{
	struct raw r;

	(void)state;
	pair_open_broker(WINDOW);
	open_raw(&r);
	say(&r, data_head(1, 0), SLICE_NONE); /* never said hello */
	PAIR_UNTIL(r.got == 1);
	assert_int_equal(r.last.type, FLOW_WHO);
	say_hello(&r, 77, server_epoch(b->server)); /* claims that it did */
	PAIR_UNTIL(r.got == 2);
	assert_int_equal(r.last.type, FLOW_RETIRED);
	say_hello(&r, 77, 12345); /* comes from another broker */
	PAIR_UNTIL(r.got == 3);
	assert_int_equal(r.last.type, FLOW_WELCOME);
	assert_int_equal(b->came, 1);
	say_hello(&r, 77, 12345); /* says so again before it has heard the welcome */
	PAIR_UNTIL(r.got == 4);
	assert_int_equal(r.last.type, FLOW_WELCOME);
	say_hello(&r, 77, server_epoch(b->server)); /* and once more when it has */
	PAIR_UNTIL(r.got == 5 && b->back == 1);
	assert_int_equal(r.last.type, FLOW_WELCOME);
	assert_int_equal(b->came, 1);

	/* from another connection: the lane goes on there */
	struct raw second;

	open_raw(&second);
	say_hello(&second, 77, server_epoch(b->server));
	PAIR_UNTIL(second.got == 1 && b->back == 2);
	pair_send_to(b->lane, 1, 8);
	PAIR_UNTIL(second.got == 2);
	assert_int_equal(second.last.type, FLOW_DATA);
	assert_int_equal(b->came, 1);
	zsock_free(r.z, 0);
	zsock_free(second.z, 0);
	while (b->gone == 0) {
		pair_send_to(b->lane, 1, 8); /* whoever says something notices */
		loop_flush(pair_loop);
	}
	assert_int_equal(b->end, LANE_LOST);
}

/* A hole in the numbers: asked for once, and again with each heartbeat that shows it. */
static void test_a_gap(void **state)
{
	static const char record[] = "\x63\x08\0\0\0\x01\0\0\0\0\0\0\0";
	struct slice body = slice_of(record, sizeof(record) - 1);
	struct flow_head alive;
	struct raw r;

	(void)state;
	pair_open_broker(WINDOW);
	open_raw(&r);
	say_hello(&r, 77, 0);
	PAIR_UNTIL(r.got == 1);
	say(&r, data_head(2, 1), body);
	PAIR_UNTIL(r.got == 2);
	assert_int_equal(r.last.type, FLOW_AGAIN);
	assert_int_equal(r.last.ack, 1);
	say(&r, data_head(3, 1), body);
	alive = data_head(4, 0);
	alive.type = FLOW_ALIVE;
	say(&r, alive, SLICE_NONE);
	PAIR_UNTIL(r.got == 3);
	assert_int_equal(r.last.type, FLOW_AGAIN);
	assert_int_equal(b->records, 0);
	say(&r, data_head(1, 1), body);
	say(&r, data_head(1, 1), body);
	PAIR_UNTIL(server_counts(b->server).repeated == 1);
	assert_int_equal(b->records, 1);
	zsock_free(r.z, 0);
}

static void broken(struct flow_head head, struct slice body)
{
	struct raw r;
	unsigned gone = b->gone;

	open_raw(&r);
	say_hello(&r, 1000 + gone, 0);
	PAIR_UNTIL(r.got == 1);
	say(&r, head, body);
	PAIR_UNTIL(r.got == 2 && b->gone == gone + 1);
	assert_int_equal(r.last.type, FLOW_RETIRED);
	assert_int_equal(b->end, LANE_BROKEN);
	zsock_free(r.z, 0);
}

static void test_broken_messages(void **state)
{
	struct flow_head ahead;

	(void)state;
	pair_open_broker(WINDOW);
	broken(data_head(1, 1), SLICE_NONE);		     /* no record */
	broken(data_head(1, 1), SLICE("\x63\x09\0\0\0abc")); /* longer than the message */
	broken(data_head(1, 0), SLICE("x"));		     /* bytes of no record */
	ahead = data_head(1, 0);
	ahead.ack = 2; /* nothing has been sent */
	broken(ahead, SLICE_NONE);
	assert_int_equal(b->records, 0);
}

static void test_endpoints_that_are_none(void **state)
{
	char *endpoints[] = {pair_endpoint, (char[]){"ipc:///nonexistent/s"}};
	struct server_options options = {
		.endpoints = endpoints, .endpoint_count = 2, .heartbeat = pair_heartbeat};
	struct server_ops ops = {0};
	struct server *server = NULL;

	(void)state;
	assert_true(server_new(pair_loop, &options, &ops, NULL, &server) < 0);
	assert_null(server);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, pair_setup, pair_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_welcome_and_records),
		TEST(test_last_words_are_heard),
		TEST(test_a_worker_waits_for_the_broker),
		TEST(test_another_broker),
		TEST(test_a_successor_lets_its_predecessor_serve),
		TEST(test_a_full_window_of_the_worker),
		TEST(test_large_answers),
		TEST(test_a_slow_worker_is_given_up),
		TEST(test_dropped),
		TEST(test_another_version_is_refused),
		TEST(test_strangers_and_the_forgotten),
		TEST(test_a_gap),
		TEST(test_broken_messages),
		TEST(test_endpoints_that_are_none),
	};

	return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
