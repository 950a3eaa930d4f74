#include "tests/model/sim_broker.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/apps.h"
#include "broker/dispatch.h"
#include "broker/link/roster.h"
#include "broker/registry/history.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "tests/model/sim.h"

#define PID 1000000

struct sim_broker {
	struct loop *loop;
	struct conf *conf;
	struct apps *apps;
	struct dispatch *d;
	struct registry *registry;
	struct history *history;
	struct server *server;
	uint64_t window;
};

static void wake(void *ctx)
{
	(void)ctx; /* looked at after each turn */
}

static void after_turn(void *ctx)
{
	struct sim_broker *b = ctx;
	struct lane *lane = NULL;

	if (dispatch_deadline(b->d) <= loop_now(b->loop))
		dispatch_turn(b->d);
	while ((lane = server_next(b->server, lane)) != NULL)
		assert_true(lane_held(lane) <= b->window + LIMIT_WIRE_RECORD);
}

/* The name of its application is its life. */
static void open_apps(struct sim_broker *b, uint32_t life)
{
	char text[128];
	struct conf_fault fault;

	(void)snprintf(text, sizeof(text), "[app b%" PRIu32 "]\nkey = k\nsecret = s\n", life);
	b->conf = conf_new();
	assert_true(conf_parse(b->conf, slice_str(text), "test", &fault));
	b->apps = apps_new(b->conf);
}

static void open_dispatch(struct sim_broker *b)
{
	struct registry_options registry = {.presence_grace = USEC_PER_SEC};
	struct dispatch_options options = {
		.loop = b->loop,
		.apps = b->apps,
		/* Who lives is there much sooner, so that nothing is missed for want of patience.
		 */
		.resync_wait = 30 * USEC_PER_SEC,
		.watchlist_window = 100 * USEC_PER_MSEC,
		.hold_max = 64 << 20,
		.wake = wake,
	};

	b->d = dispatch_new(&options);
	b->registry = registry_new(&registry, &dispatch_registry_ops, b->d);
	b->history = history_new(1 << 20, 60 * USEC_PER_SEC);
}

struct sim_broker *sim_broker_start(const char *dir, uint32_t life, uint64_t window)
{
	struct sim_broker *b = NEW(struct sim_broker);
	char name[] = "sim";
	char *endpoint = name;
	struct server_options options = {
		.endpoints = &endpoint,
		.endpoint_count = 1,
		.run_dir = dir,
		.heartbeat = USEC_PER_SEC,
		.window = window,
	};
	struct dispatch_parts parts = {0};

	b->window = window;
	b->loop = sim_process(PID, after_turn, b);
	open_apps(b, life);
	open_dispatch(b);
	assert_int_equal(server_new(b->loop, &options, &dispatch_server_ops, b->d, &b->server), 0);
	parts.server = b->server;
	parts.registry = b->registry;
	parts.history = b->history;
	dispatch_set_parts(b->d, &parts);
	dispatch_start(b->d);
	return b;
}

void sim_broker_kill(struct sim_broker *b)
{
	sim_kill(b->loop);
	dispatch_stop(b->d);
	server_free(b->server);
	registry_free(b->registry);
	history_free(b->history);
	dispatch_free(b->d);
	apps_free(b->apps);
	conf_free(b->conf);
	sim_bury(b->loop);
	free(b);
}

void sim_broker_forget(const char *dir)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/" ROSTER_FILE, dir);
	assert_int_equal(unlink(path), 0);
}

void sim_broker_sleep(struct sim_broker *b, usec_t until)
{
	sim_stop(b->loop, until);
}

bool sim_broker_is_quiet(const struct sim_broker *b, size_t workers)
{
	struct lane *lane = NULL;

	if (!dispatch_is_open(b->d) || dispatch_unstable(b->d) > 0 ||
	    server_count(b->server) != workers)
		return false;
	while ((lane = server_next(b->server, lane)) != NULL) {
		if (lane_held(lane) > 0)
			return false;
	}
	return true;
}

bool sim_broker_knows(const struct sim_broker *b, uint64_t conn)
{
	struct registry_conn row;

	return registry_conn(b->registry, conn, &row);
}

bool sim_broker_subscribed(const struct sim_broker *b, uint64_t conn, struct slice channel)
{
	return registry_is_subscribed(b->registry, conn, channel);
}

uint32_t sim_broker_connections(const struct sim_broker *b)
{
	return registry_connections(b->registry, UINT32_MAX);
}
