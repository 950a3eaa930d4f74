#include "worker/link/link.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/wire/wire.h"
#include "tests/unit/lane_pair.h"

#define WINDOW (1 << 20)
#define EPOCH 4711

/* A broker that says whatever the test wants. */
static struct zsock *z;
static char peer[ZSOCK_PEER];
static size_t peer_n;
static struct flow_head last;	/* of its last message that was no heartbeat */
static struct flow_hello hello; /* the last one */
static unsigned hellos;
static unsigned got;
static unsigned errors; /* lines of the log */

static void on_message(void *ctx, struct slice from, struct slice message)
{
	struct flow_head head;

	(void)ctx;
	assert_true(flow_head_take(message, &head));
	memcpy(peer, from.p, from.n);
	peer_n = from.n;
	if (head.type == FLOW_HELLO) {
		assert_true(flow_hello_take(message, &hello));
		hellos++;
	}
	if (head.type == FLOW_ALIVE)
		return;
	last = head;
	got++;
}

static const struct zsock_ops raw_ops = {.on_message = on_message};

static void say(enum flow_type type, uint64_t epoch, uint64_t seq, uint64_t ack, struct slice body)
{
	struct flow_head head = {.version = WIRE_VERSION,
				 .type = (uint8_t)type,
				 .count = type == FLOW_DATA,
				 .epoch = epoch,
				 .seq = seq,
				 .ack = ack};
	char bytes[FLOW_HEAD];

	flow_head_put(bytes, &head);
	assert_int_equal(
		zsock_send(z, slice_of(peer, peer_n), slice_of(bytes, sizeof(bytes)), body), 0);
}

static void welcome(uint64_t epoch, uint64_t life, uint64_t ack)
{
	struct flow_hello info = {.life = life, .number = 5};
	char bytes[FLOW_HELLO_BYTES];

	flow_hello_put(bytes, &info);
	say(FLOW_WELCOME, epoch, 1, ack, slice_of(bytes, sizeof(bytes)));
}

static void on_line(void *ctx, enum log_level level, const char *line)
{
	(void)ctx;
	(void)line;
	errors += level == LOG_LEVEL_ERR;
}

static int setup(void **state)
{
	int r = pair_setup(state);

	log_set_sink(on_line, NULL);
	hellos = got = errors = 0;
	z = zsock_new(pair_loop, ZSOCK_ROUTER, FLOW_MESSAGE_MAX, &raw_ops, NULL);
	assert_int_equal(zsock_bind(z, pair_endpoint), 0);
	return r;
}

static int teardown(void **state)
{
	zsock_free(z, 0);
	return pair_teardown(state);
}

static const char record[] = "\x63\x08\0\0\0\x01\0\0\0\0\0\0\0";

static struct slice one_record(void)
{
	return slice_of(record, sizeof(record) - 1);
}

/* A worker that has been welcomed. */
static void open_up(struct pair_worker *w)
{
	pair_open_worker(w, 3, 9, WINDOW);
	PAIR_UNTIL(hellos > 0);
	welcome(EPOCH, hello.life, 1);
	PAIR_UNTIL(w->up_new == 1);
}

static void test_hello(void **state)
{
	struct pair_worker w;

	(void)state;
	pair_open_worker(&w, 3, 9, WINDOW);
	PAIR_UNTIL(hellos > 2); /* again and again */
	assert_int_equal(last.epoch, 0);
	assert_int_equal(hello.slot, 3);
	assert_int_equal(hello.slots, 2);
	assert_int_equal(hello.generation, 9);
	assert_int_equal(hello.number, 0);
	welcome(EPOCH, hello.life + 1, 1); /* meant for somebody else */
	say(FLOW_DATA, EPOCH, 1, 1, one_record());
	PAIR_UNTIL(hellos > 4);
	assert_int_equal(w.up_new + w.records, 0);
	welcome(EPOCH, hello.life, 1);
	PAIR_UNTIL(w.up_new == 1);
	say(FLOW_DATA, EPOCH, 1, 1, one_record());
	PAIR_UNTIL(w.records == 1);
	link_free(w.link);
	PAIR_UNTIL(last.type == FLOW_BYE);
	assert_int_equal(last.ack, 2);
	assert_int_equal(errors, 0);
}

static void test_the_same_broker_again(void **state)
{
	struct pair_worker w;
	unsigned before;

	(void)state;
	open_up(&w);
	for (uint64_t n = 1; n <= 3; n++) {
		assert_int_equal(pair_send(&w, n, 8), 0);
		PAIR_UNTIL(got > 0 && last.type == FLOW_DATA && last.seq == n);
	}
	before = hellos;
	say(FLOW_WHO, EPOCH, 1, 1, SLICE_NONE);
	PAIR_UNTIL(hellos > before);
	assert_int_equal(w.downs, 1);
	assert_int_equal(pair_send(&w, 4, 8), -ENOTCONN);
	assert_int_equal(last.epoch, EPOCH);
	assert_int_equal(hello.number, 5); /* so that the next one may leave it the number */
	welcome(EPOCH, hello.life, 2);	   /* has handled the first record */
	PAIR_UNTIL(w.up_same == 1);
	PAIR_UNTIL(last.type == FLOW_DATA && last.seq == 3);
	assert_int_equal(link_counts(w.link).resent, 2);
	say(FLOW_AGAIN, EPOCH, 1, 3, SLICE_NONE);
	PAIR_UNTIL(link_counts(w.link).resent == 3);
	say(FLOW_ALIVE, EPOCH, 1, 4, SLICE_NONE);
	PAIR_UNTIL(link_counts(w.link).held == 0);
	welcome(EPOCH, hello.life, 4); /* the answer to a second hello changes nothing */
	say(FLOW_DATA, EPOCH, 1, 4, one_record());
	PAIR_UNTIL(w.records == 1);
	assert_int_equal(w.up_same, 1);
	assert_int_equal(w.up_new, 1);
	link_free(w.link);
}

static void test_another_broker(void **state)
{
	struct pair_worker w;

	(void)state;
	open_up(&w);
	assert_int_equal(pair_send(&w, 1, 8), 0);
	say(FLOW_DATA, EPOCH, 1, 1, one_record());
	PAIR_UNTIL(w.records == 1 && last.type == FLOW_DATA);
	say(FLOW_DATA, EPOCH + 1, 2, 1, one_record()); /* not of ours: not heard */
	say(FLOW_RETIRED, EPOCH + 1, 1, 1, SLICE_NONE);
	say(FLOW_WHO, EPOCH + 1, 1, 1, SLICE_NONE);
	PAIR_UNTIL(w.downs == 1);
	welcome(EPOCH + 1, hello.life, 1);
	PAIR_UNTIL(w.up_new == 2);
	assert_int_equal(link_counts(w.link).held, 0); /* forgotten: it will be told anew */
	say(FLOW_DATA, EPOCH + 1, 1, 1, one_record());
	PAIR_UNTIL(w.records == 2);
	assert_int_equal(pair_send(&w, 1, 8), 0);
	PAIR_UNTIL(last.type == FLOW_DATA);
	assert_int_equal(last.seq, 1);
	assert_int_equal(w.retired, 0);
	link_free(w.link);
}

static void test_a_silent_broker(void **state)
{
	struct pair_worker w;

	(void)state;
	pair_heartbeat = 50000;
	open_up(&w);
	PAIR_UNTIL(w.downs == 1);
	assert_int_equal(hello.life != 0, 1);
	welcome(EPOCH, hello.life, 1);
	PAIR_UNTIL(w.up_same == 1);
	link_free(w.link);
}

static void test_retired(void **state)
{
	struct pair_worker w;
	unsigned before;

	(void)state;
	open_up(&w);
	say(FLOW_RETIRED, EPOCH, 1, 1, SLICE_NONE);
	PAIR_UNTIL(w.retired == 1);
	assert_int_equal(pair_send(&w, 1, 8), -ENOTCONN);
	before = hellos;
	say(FLOW_WHO, EPOCH, 1, 1, SLICE_NONE);
	say(FLOW_RETIRED, EPOCH, 1, 1, SLICE_NONE);
	welcome(EPOCH, hello.life, 1);
	zsock_free(z, 200000);
	z = NULL;
	loop_flush(pair_loop);
	assert_int_equal(hellos, before);
	assert_int_equal(w.retired, 1);
	assert_int_equal(w.downs, 0);
	link_free(w.link);
}

static void test_another_version(void **state)
{
	struct flow_head head = {.version = WIRE_VERSION + 1, .type = FLOW_REFUSED};
	char bytes[FLOW_HEAD];
	struct pair_worker w;

	(void)state;
	pair_open_worker(&w, 0, 1, WINDOW);
	flow_head_put(bytes, &head);
	for (unsigned n = 1; n <= 3; n++) {
		PAIR_UNTIL(hellos == n);
		assert_int_equal(zsock_send(z, slice_of(peer, peer_n),
					    slice_of(bytes, sizeof(bytes)), SLICE_NONE),
				 0);
	}
	PAIR_UNTIL(hellos == 4);
	assert_int_equal(errors, 1); /* said once, not with each hello */
	assert_int_equal(w.up_new + w.downs + w.retired, 0);
	link_free(w.link);
}

static void broken(enum flow_type type, uint64_t ack, struct slice body)
{
	struct pair_worker w;

	hellos = errors = 0;
	open_up(&w);
	say(type, EPOCH, 1, ack, body);
	PAIR_UNTIL(w.retired == 1);
	assert_int_equal(errors, 1);
	link_free(w.link);
}

static void test_a_broken_broker(void **state)
{
	struct pair_worker w;

	(void)state;
	broken(FLOW_DATA, 1, SLICE_NONE);
	broken(FLOW_DATA, 1, slice_first(one_record(), 12));
	broken(FLOW_ALIVE, 2, SLICE_NONE);
	hellos = errors = 0;
	open_up(&w); /* nonsense of others is none of ours */
	assert_int_equal(zsock_send(z, slice_of(peer, peer_n), SLICE("x"), SLICE_NONE), 0);
	say(FLOW_DATA, EPOCH, 1, 1, one_record());
	PAIR_UNTIL(w.records == 1);
	link_free(w.link);
}

static void test_gaps(void **state)
{
	struct pair_worker w;

	(void)state;
	open_up(&w);
	say(FLOW_DATA, EPOCH, 2, 1, one_record());
	PAIR_UNTIL(last.type == FLOW_AGAIN);
	assert_int_equal(last.ack, 1);
	last.type = 0;
	say(FLOW_ALIVE, EPOCH, 3, 1, SLICE_NONE);
	PAIR_UNTIL(last.type == FLOW_AGAIN);
	assert_int_equal(w.records, 0);
	say(FLOW_DATA, EPOCH, 1, 1, one_record());
	say(FLOW_DATA, EPOCH, 1, 1, one_record());
	PAIR_UNTIL(link_counts(w.link).repeated == 1);
	assert_int_equal(w.records, 1);
	assert_int_equal(link_counts(w.link).gaps, 2);
	link_free(w.link);
}

static void test_endpoints_that_are_none(void **state)
{
	static const struct link_ops ops;
	char nonsense[] = "nonsense";
	char *endpoint = nonsense;
	struct link_options options = {.endpoints = &endpoint, .heartbeat = USEC_PER_SEC};
	struct link *link = NULL;

	(void)state;
	assert_int_equal(link_new(pair_loop, &options, &ops, NULL, &link), -EINVAL); /* none */
	options.endpoint_count = 1;
	assert_int_equal(link_new(pair_loop, &options, &ops, NULL, &link), -EINVAL);
	assert_null(link);
	link_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_hello),
		TEST(test_the_same_broker_again),
		TEST(test_another_broker),
		TEST(test_a_silent_broker),
		TEST(test_retired),
		TEST(test_another_version),
		TEST(test_a_broken_broker),
		TEST(test_gaps),
		TEST(test_endpoints_that_are_none),
	};

	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
