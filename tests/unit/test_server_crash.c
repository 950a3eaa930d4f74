/*
 * Ends of lanes in processes that are killed, stopped and woken. Children are forked before their
 * parent has a thread, and begin when they are told to.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "tests/unit/lane_pair.h"
#include "worker/link/seen.h"

#define WINDOW (1 << 20)
#define HEARTBEAT 300000
#define ALARM 120

/* ---- children ---- */

struct child {
	pid_t pid;
	int go;
};

static struct child child_new(void (*run)(void))
{
	struct child c;
	int ends[2];
	char byte;

	assert_int_equal(pipe(ends), 0);
	c.go = ends[1];
	c.pid = fork();
	assert_true(c.pid >= 0);
	if (c.pid == 0) {
		(void)close(ends[1]);
		(void)alarm(ALARM);
		if (read(ends[0], &byte, 1) == 1)
			run();
		_exit(0);
	}
	(void)close(ends[0]);
	return c;
}

static void child_go(const struct child *c)
{
	assert_int_equal(write(c->go, "x", 1), 1);
}

static void child_signal(const struct child *c, int number)
{
	assert_int_equal(kill(c->pid, number), 0);
}

/* The exit status, or minus the signal. */
static int child_end(const struct child *c)
{
	int status;

	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	(void)close(c->go);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* The parent's own, when the children stand. */
static void open_loop(void)
{
	pair_loop = loop_new();
}

static int setup(void **state)
{
	int r = pair_setup(state);

	loop_free(pair_loop); /* none before the forks */
	pair_loop = NULL;
	pair_heartbeat = HEARTBEAT;
	return r;
}

/* ---- a broker that is killed under load ---- */

enum { INFO = PAIR_KIND, PUBLISH = 1, EVENT, STABLE };

#define BROKERS 4
#define PUBLISHES 20000
#define OPEN_MOST 500

static void send_number(struct server *server, struct lane *lane, uint8_t kind, uint64_t number)
{
	server_send(server, lane, kind, slice_of(&number, sizeof(number)));
}

static struct server *server;

/* Publishes whose event is on its way, and the mark behind it. */
static uint64_t on_way[2 * OPEN_MOST][2];
static size_t way_first, way_last;

static void on_worker_new(void *ctx, struct lane *lane)
{
	(void)ctx;
	send_number(server, lane, INFO, 0);
}

static void on_worker_back(void *ctx, struct lane *lane)
{
	(void)ctx;
	(void)lane;
}

static void on_publish(void *ctx, struct lane *lane, uint8_t kind, struct slice body)
{
	uint64_t number;

	(void)ctx;
	if (kind != PUBLISH || body.n < sizeof(number))
		_exit(3);
	memcpy(&number, body.p, sizeof(number));
	send_number(server, lane, EVENT, number);
	if (way_last - way_first == ARRAY_LEN(on_way))
		_exit(4);
	on_way[way_last % ARRAY_LEN(on_way)][0] = number;
	on_way[way_last++ % ARRAY_LEN(on_way)][1] = lane_mark(lane);
}

static void on_acked(void *ctx, struct lane *lane, uint64_t mark)
{
	(void)ctx;
	while (way_first < way_last && on_way[way_first % ARRAY_LEN(on_way)][1] <= mark)
		send_number(server, lane, STABLE, on_way[way_first++ % ARRAY_LEN(on_way)][0]);
}

static void on_worker_gone(void *ctx, struct lane *lane, enum lane_end end)
{
	(void)ctx;
	(void)lane;
	_exit(end == LANE_LEFT ? 0 : 5);
}

static const struct server_ops broker_ops = {
	.on_worker_new = on_worker_new,
	.on_worker_back = on_worker_back,
	.on_record = on_publish,
	.on_acked = on_acked,
	.on_worker_gone = on_worker_gone,
};

static void run_broker(void)
{
	struct loop *loop = loop_new();
	char *endpoints[] = {pair_endpoint};
	struct server_options options = {
		.endpoints = endpoints,
		.endpoint_count = 1,
		.run_dir = pair_dir,
		.heartbeat = HEARTBEAT,
		.window = WINDOW,
	};

	if (server_new(loop, &options, &broker_ops, NULL, &server) < 0)
		_exit(2);
	loop_run(loop);
}

/* The worker: publishes, keeps what is not stable, tells it again to another broker. */
static struct {
	struct link *link;
	struct seen *seen;
	struct child *brokers;
	unsigned broker;
	uint64_t next;	   /* to publish */
	uint64_t stable;   /* all up to here */
	uint64_t told;	   /* to this broker, up to here */
	uint64_t received; /* distinct events */
	uint64_t repeated;
	uint64_t disorder;
	unsigned ups;
	bool informed; /* this broker has sent INFO */
	uint8_t had[PUBLISHES + 1];
} p;

static void publish_some(void)
{
	char body[300];

	while (p.informed && p.told < PUBLISHES && p.told - p.stable < OPEN_MOST) {
		uint64_t number = p.told + 1;

		memset(body, 'x', sizeof(body));
		memcpy(body, &number, sizeof(number));
		if (link_send(p.link, PUBLISH, slice_of(body, sizeof(body))) != 0)
			break;
		p.told = number;
	}
}

static void on_event(uint64_t number)
{
	assert_in_range(number, 1, PUBLISHES);
	if (!seen_add(p.seen, 1, number, SLICE("channel"))) {
		p.repeated++;
		return;
	}
	p.had[number]++;
	p.disorder += number != ++p.received;
	/* The first three brokers die in the middle of their work. */
	if (p.broker < BROKERS - 1 && number == PUBLISHES / BROKERS * (uint64_t)(p.broker + 1))
		child_signal(&p.brokers[p.broker], SIGKILL);
}

static void on_record(void *ctx, uint8_t kind, struct slice body)
{
	uint64_t number;

	(void)ctx;
	memcpy(&number, body.p, sizeof(number));
	if (kind == INFO)
		p.informed = true;
	else if (kind == EVENT)
		on_event(number);
	else if (kind == STABLE)
		p.stable = number;
	publish_some();
}

static void on_up(void *ctx, bool new_broker)
{
	(void)ctx;
	p.ups++;
	assert_true(new_broker);
	p.told = p.stable; /* the rest is told again */
}

static void on_down(void *ctx)
{
	(void)ctx;
	p.informed = false;
	assert_int_equal(child_end(&p.brokers[p.broker]), -SIGKILL);
	child_go(&p.brokers[++p.broker]);
}

static void on_retired(void *ctx)
{
	(void)ctx;
	fail_msg("retired");
}

static const struct link_ops worker_ops = {
	.on_record = on_record,
	.on_up = on_up,
	.on_down = on_down,
	.on_retired = on_retired,
};

static void test_a_broker_killed_three_times(void **state)
{
	struct child brokers[BROKERS];
	char *endpoint = pair_endpoint;
	struct link_options options = {.endpoints = &endpoint,
				       .endpoint_count = 1,
				       .slots = 1,
				       .heartbeat = HEARTBEAT,
				       .window = WINDOW};

	(void)state;
	memset(&p, 0, sizeof(p));
	for (int i = 0; i < BROKERS; i++)
		brokers[i] = child_new(run_broker);
	open_loop();
	p.brokers = brokers;
	p.seen = seen_new();
	assert_int_equal(link_new(pair_loop, &options, &worker_ops, NULL, &p.link), 0);
	child_go(&brokers[0]);
	PAIR_UNTIL(p.stable == PUBLISHES);
	assert_int_equal(p.broker, BROKERS - 1);
	assert_int_equal(p.ups, BROKERS);
	assert_int_equal(p.disorder, 0); /* of one publisher */
	assert_int_equal(p.received, PUBLISHES);
	for (uint64_t n = 1; n <= PUBLISHES; n++)
		assert_int_equal(p.had[n], 1);
	assert_int_equal(link_counts(p.link).missed, 0);
	link_free(p.link);
	assert_int_equal(child_end(&brokers[BROKERS - 1]), 0);
	seen_free(p.seen);
}

static void test_a_broker_that_stalls(void **state)
{
	struct child broker = child_new(run_broker);
	struct pair_worker w;

	(void)state;
	open_loop();
	child_go(&broker);
	pair_open_worker(&w, 0, 1, WINDOW);
	PAIR_UNTIL(w.records == 1);
	child_signal(&broker, SIGSTOP);
	PAIR_UNTIL(w.downs == 1);
	child_signal(&broker, SIGCONT);
	PAIR_UNTIL(w.up_same == 1); /* it has not taken its own sleep for the worker's silence */
	assert_int_equal(w.up_new, 1);
	link_free(w.link);
	assert_int_equal(child_end(&broker), 0);
}

/* ---- workers that are killed and stopped ---- */

static void run_worker(void)
{
	struct pair_worker w;

	open_loop();
	pair_open_worker(&w, 0, 1, WINDOW);
	PAIR_UNTIL(w.retired > 0);
	_exit(w.records < 2 || w.out_of_order > 0 ? 1 : 7);
}

static void test_a_worker_that_stalls(void **state)
{
	struct child worker = child_new(run_worker);

	(void)state;
	open_loop();
	pair_open_broker(WINDOW);
	child_go(&worker);
	PAIR_UNTIL(pair_broker.came == 1);
	pair_send_to(pair_broker.lane, 1, 8);
	PAIR_UNTIL(pair_broker.acked == 2);
	child_signal(&worker, SIGSTOP);
	pair_send_to(pair_broker.lane, 2, 8);
	PAIR_UNTIL(pair_broker.gone == 1);
	assert_int_equal(pair_broker.end, LANE_SILENT);
	child_signal(&worker, SIGCONT);
	assert_int_equal(child_end(&worker), 7); /* it hears what it missed, and that it must end */
}

static void test_a_killed_worker_and_its_successor(void **state)
{
	struct child worker = child_new(run_worker);
	struct pair_worker successor;

	(void)state;
	open_loop();
	pair_heartbeat = 30 * USEC_PER_SEC; /* silence would be noticed much later */
	pair_open_broker(WINDOW);
	child_go(&worker);
	PAIR_UNTIL(pair_broker.came == 1);
	child_signal(&worker, SIGKILL);
	assert_int_equal(child_end(&worker), -SIGKILL);
	pair_open_worker(&successor, 0, 2, WINDOW);
	PAIR_UNTIL(successor.up_new == 1 && pair_broker.gone == 1);
	assert_int_equal(pair_broker.end, LANE_LOST);
	link_free(successor.link);
	PAIR_UNTIL(pair_broker.gone == 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, pair_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_broker_killed_three_times),
		TEST(test_a_broker_that_stalls),
		TEST(test_a_worker_that_stalls),
		TEST(test_a_killed_worker_and_its_successor),
	};

	return cmocka_run_group_tests_name("server_crash", tests, NULL, NULL);
}
