#include "tests/unit/lane_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/link/roster.h"
#include "common/base/mem.h"
#include "common/log/log.h"

#define ALARM 120 /* a test that hangs ends with this */

struct loop *pair_loop;
usec_t pair_heartbeat;
struct pair_broker pair_broker;
char pair_dir[64];
char pair_endpoint[128];

static void no_line(void *ctx, enum log_level level, const char *line)
{
	(void)ctx;
	(void)level;
	(void)line;
}

int pair_setup(void **state)
{
	(void)state;
	memcpy(pair_dir, "/tmp/lane.XXXXXX", sizeof("/tmp/lane.XXXXXX"));
	if (mkdtemp(pair_dir) == NULL)
		return -1;
	(void)snprintf(pair_endpoint, sizeof(pair_endpoint), "ipc://%s/s", pair_dir);
	pair_loop = loop_new();
	pair_broker = (struct pair_broker){0};
	pair_heartbeat = USEC_PER_SEC;
	log_set_sink(no_line, NULL);
	(void)alarm(ALARM);
	return 0;
}

int pair_teardown(void **state)
{
	char path[128];

	(void)state;
	(void)alarm(0);
	log_set_sink(NULL, NULL);
	server_free(pair_broker.server);
	loop_free(pair_loop);
	(void)snprintf(path, sizeof(path), "%s/" ROSTER_FILE, pair_dir);
	(void)unlink(path);
	(void)unlink(pair_endpoint + strlen("ipc://"));
	return rmdir(pair_dir);
}

/* ---- records ---- */

static uint64_t number_of(struct slice body)
{
	uint64_t n;

	assert_true(body.n >= sizeof(n));
	memcpy(&n, body.p, sizeof(n));
	return n;
}

static char *body_of(uint64_t number, size_t size)
{
	char *body = mem_zalloc(MAX(size, sizeof(number)));

	memcpy(body, &number, sizeof(number));
	return body;
}

int pair_send(struct pair_worker *w, uint64_t number, size_t size)
{
	char *body = body_of(number, size);
	int r = link_send(w->link, PAIR_KIND, slice_of(body, MAX(size, sizeof(number))));

	free(body);
	return r;
}

void pair_send_to(struct lane *lane, uint64_t number, size_t size)
{
	char *body = body_of(number, size);

	server_send(pair_broker.server, lane, PAIR_KIND, slice_of(body, MAX(size, sizeof(number))));
	free(body);
}

/* ---- the worker ---- */

static void on_record(void *ctx, uint8_t kind, struct slice body)
{
	struct pair_worker *w = ctx;
	uint64_t number = number_of(body);

	assert_int_equal(kind, PAIR_KIND);
	w->out_of_order += number != w->last + 1;
	w->last = number;
	w->bytes += body.n;
	w->records++;
}

static void on_up(void *ctx, bool new_broker)
{
	struct pair_worker *w = ctx;

	w->up_new += new_broker;
	w->up_same += !new_broker;
	if (new_broker)
		w->last = 0;
}

static void on_down(void *ctx)
{
	((struct pair_worker *)ctx)->downs++;
}

static void on_retired(void *ctx)
{
	((struct pair_worker *)ctx)->retired++;
}

static const struct link_ops worker_ops = {
	.on_record = on_record,
	.on_up = on_up,
	.on_down = on_down,
	.on_retired = on_retired,
};

void pair_open_worker(struct pair_worker *w, unsigned slot, uint64_t generation, uint64_t window)
{
	char *endpoint = pair_endpoint;
	struct link_options options = {
		.endpoints = &endpoint,
		.endpoint_count = 1,
		.slot = slot,
		.slots = 2,
		.generation = generation,
		.heartbeat = pair_heartbeat,
		.window = window,
	};

	*w = (struct pair_worker){0};
	assert_int_equal(link_new(pair_loop, &options, &worker_ops, w, &w->link), 0);
}

/* ---- the broker ---- */

static void on_worker_new(void *ctx, struct lane *lane)
{
	struct pair_broker *b = ctx;

	b->came++;
	b->lane = lane;
}

static void on_worker_back(void *ctx, struct lane *lane)
{
	(void)lane;
	((struct pair_broker *)ctx)->back++;
}

static void on_worker_record(void *ctx, struct lane *lane, uint8_t kind, struct slice body)
{
	struct pair_broker *b = ctx;
	uint64_t number = number_of(body);

	assert_int_equal(kind, PAIR_KIND);
	b->out_of_order += number != b->last + 1;
	b->last = number;
	b->records++;
	if (b->answer > 0)
		pair_send_to(lane, number, b->answer);
	b->held_max = MAX(b->held_max, lane_held(lane));
}

static void on_acked(void *ctx, struct lane *lane, uint64_t mark)
{
	assert_int_equal(lane_acked(lane), mark);
	((struct pair_broker *)ctx)->acked = mark;
}

static void on_worker_gone(void *ctx, struct lane *lane, enum lane_end end)
{
	struct pair_broker *b = ctx;

	b->gone++;
	b->end = end;
	b->expected = server_expected(b->server);
	if (b->lane == lane)
		b->lane = NULL;
}

static const struct server_ops broker_ops = {
	.on_worker_new = on_worker_new,
	.on_worker_back = on_worker_back,
	.on_record = on_worker_record,
	.on_acked = on_acked,
	.on_worker_gone = on_worker_gone,
};

void pair_open_broker(uint64_t window)
{
	char *endpoints[] = {pair_endpoint};
	struct server_options options = {
		.endpoints = endpoints,
		.endpoint_count = 1,
		.run_dir = pair_dir,
		.heartbeat = pair_heartbeat,
		.window = window,
	};

	assert_int_equal(
		server_new(pair_loop, &options, &broker_ops, &pair_broker, &pair_broker.server), 0);
}
