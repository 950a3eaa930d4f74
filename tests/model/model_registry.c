/*
 * Random operations on the registry beside a model that is a plain table. After each step members,
 * counts, interest and who is online must be the same; and every subscriber that applies what is
 * told (all members, then each change) must see exactly the members there are.
 */
#include "broker/registry/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/registry/presence.h"
#include "common/base/macros.h"

enum { CONNS = 30, CHANNELS = 6, PRESENCE = 3, USERS = 7, WORKERS = 3, STEPS = 60000 };

#define GRACE 300
#define OFFLINE 700

struct view {
	bool sees[USERS];
};

struct conn_model {
	bool open;
	uint32_t worker;
	int user; /* -1 = nobody */
	bool in[CHANNELS];
	int as[CHANNELS]; /* member of a presence channel */
	struct view view[CHANNELS];
};

static struct registry *reg;
static struct conn_model conns[CONNS];
static uint64_t member_until[CHANNELS][USERS]; /* end of the grace; 0 = none */
static uint64_t online_until[USERS];	       /* likewise */
static bool said_online[USERS];
static bool silent; /* a worker goes: its rows are not told one by one */
static int rows_conn, rows_sub, rows_user;
static struct moment now = {1000, 5000};
static uint32_t seed;

static uint32_t below(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

/* 0 names no connection. */
static uint64_t number_of(int i)
{
	return (uint64_t)i + 1;
}

static struct slice channel_text(int c)
{
	static const char *const names[CHANNELS] = {"presence-a", "presence-b", "presence-cache-c",
						    "news",	  "private-x",	"cache-y"};

	return slice_str(names[c]);
}

static int channel_of(struct slice name)
{
	for (int i = 0; i < CHANNELS; i++)
		if (slice_eq(channel_text(i), name))
			return i;
	fail_msg("unknown channel %.*s", SLICE_ARG(name));
	return 0;
}

static struct slice user_text(int u)
{
	static const char *const ids[USERS] = {"1", "2", "\"q\"", "4", "ünf", "6", "7"};

	return slice_str(ids[u]);
}

static int user_of(struct slice id)
{
	for (int i = 0; i < USERS; i++)
		if (slice_eq(user_text(i), id))
			return i;
	fail_msg("unknown user %.*s", SLICE_ARG(id));
	return 0;
}

/* ---- what the world hears ---- */

static void see(void *ctx, struct slice user_id, struct slice user_info)
{
	struct view *v = ctx;

	(void)user_info;
	v->sees[user_of(user_id)] = true;
}

static void on_subscribed(void *ctx, uint64_t conn, uint32_t worker, struct slice channel)
{
	struct conn_model *c = &conns[conn - 1];
	int ch = channel_of(channel);

	(void)ctx;
	assert_int_equal(worker, c->worker);
	memset(&c->view[ch], 0, sizeof(c->view[ch]));
	if (ch < PRESENCE)
		registry_members(reg, 1, channel, see, &c->view[ch]);
}

static void on_members(void *ctx, uint32_t worker, uint32_t app, struct slice channel)
{
	uint32_t n;
	const struct interest *it = registry_interest(reg, app, channel, &n);

	(void)ctx;
	assert_true(channel_of(channel) < PRESENCE);
	for (uint32_t i = 0; i < n; i++)
		if (it[i].worker == worker)
			assert_int_equal(it[i].subscriptions, 1);
}

static void on_member(void *ctx, const struct registry_change *change)
{
	int ch = channel_of(change->channel);
	bool added = change->kind == REGISTRY_ADDED;
	int u = user_of(change->user_id);

	(void)ctx;
	assert_int_equal(change->app, 1);
	assert_true(ch < PRESENCE);
	if (change->kind == REGISTRY_CHANGED)
		return;
	assert_true(change->announce);
	for (uint64_t i = 0; i < CONNS; i++) {
		if (!conns[i].open || !conns[i].in[ch] || i + 1 == change->exclude)
			continue;
		assert_int_equal(conns[i].view[ch].sees[u], !added); /* paired for each receiver */
		conns[i].view[ch].sees[u] = added;
	}
}

static void on_event(void *ctx, uint32_t app, struct slice channel, struct slice event,
		     struct slice data)
{
	(void)ctx;
	(void)data;
	assert_int_equal(app, 1);
	assert_true(channel_of(channel) >= PRESENCE);
	assert_true(slice_eq(event, SLICE("pusher_internal:subscription_count")));
}

static void on_settled(void *ctx, uint64_t conn, struct slice channel)
{
	(void)ctx;
	assert_true(conn > 0 && conn <= CONNS);
	assert_true(channel_of(channel) < PRESENCE);
}

static void on_left(void *ctx, uint32_t app, struct slice user, struct slice channel)
{
	int ch = channel_of(channel);

	(void)ctx;
	(void)app;
	(void)user_of(user);
	assert_true(ch < PRESENCE);
}

static void on_user_online(void *ctx, uint32_t app, struct slice user)
{
	(void)ctx;
	(void)app;
	assert_false(said_online[user_of(user)]);
	said_online[user_of(user)] = true;
}

static void on_user_offline(void *ctx, uint32_t app, struct slice user, wall_us_t last_seen)
{
	(void)ctx;
	(void)app;
	assert_true(said_online[user_of(user)]);
	assert_true(last_seen > 0 && last_seen <= now.wall);
	said_online[user_of(user)] = false;
}

static void on_user_unconnected(void *ctx, uint32_t app, struct slice user, wall_us_t at)
{
	(void)ctx;
	(void)app;
	assert_int_equal(at, now.wall);
	assert_true(said_online[user_of(user)]);
}

static void on_conn_row(void *ctx, const struct registry_conn *row)
{
	(void)ctx;
	assert_true(conns[row->conn - 1].open);
	rows_conn++;
}

static void on_conn_gone(void *ctx, uint32_t worker, uint64_t conn)
{
	(void)ctx;
	(void)worker;
	(void)conn;
	assert_false(silent);
}

static void on_sub_row(void *ctx, const struct registry_sub *row)
{
	(void)ctx;
	assert_true(conns[row->conn - 1].open);
	rows_sub++;
}

static void on_sub_gone(void *ctx, uint32_t worker, uint64_t conn, struct slice channel)
{
	(void)ctx;
	(void)worker;
	(void)conn;
	(void)channel;
	assert_false(silent);
}

static void on_user_row(void *ctx, const struct registry_user *row)
{
	(void)ctx;
	(void)user_of(row->user_id);
	rows_user++;
}

static void on_user_gone(void *ctx, uint32_t app, struct slice user)
{
	(void)ctx;
	(void)app;
	(void)user_of(user);
}

static void on_worker_gone(void *ctx, uint32_t worker)
{
	(void)ctx;
	assert_in_range(worker, 0, WORKERS - 1);
}

static const struct registry_ops ops = {
	.subscribed = on_subscribed,
	.members = on_members,
	.member = on_member,
	.event = on_event,
	.settled = on_settled,
	.left = on_left,
	.user_online = on_user_online,
	.user_offline = on_user_offline,
	.user_unconnected = on_user_unconnected,
	.conn_row = on_conn_row,
	.conn_gone = on_conn_gone,
	.sub_row = on_sub_row,
	.sub_gone = on_sub_gone,
	.user_row = on_user_row,
	.user_gone = on_user_gone,
	.worker_gone = on_worker_gone,
};

/* ---- the model ---- */

static int members_here(int ch, int user)
{
	int n = 0;

	for (int i = 0; i < CONNS; i++)
		n += conns[i].open && conns[i].in[ch] && conns[i].as[ch] == user;
	return n;
}

static int connections_of(int user)
{
	int n = 0;

	for (int i = 0; i < CONNS; i++)
		n += conns[i].open && conns[i].user == user;
	return n;
}

static void model_leave(struct conn_model *c, int ch, bool grace)
{
	if (!c->in[ch])
		return;
	c->in[ch] = false;
	if (ch < PRESENCE && members_here(ch, c->as[ch]) == 0)
		member_until[ch][c->as[ch]] = grace ? now.mono + GRACE : 0;
}

static void model_close(struct conn_model *c)
{
	for (int ch = 0; ch < CHANNELS; ch++)
		model_leave(c, ch, true);
	c->open = false;
	if (c->user >= 0 && connections_of(c->user) == 0)
		online_until[c->user] = now.mono + OFFLINE;
	c->user = -1;
}

/* ---- steps ---- */

static void step_open(int i)
{
	char id[24];
	struct registry_conn row = {.conn = number_of(i), .app = 1, .worker = below(WORKERS)};

	if (conns[i].open)
		return;
	(void)snprintf(id, sizeof(id), "%d.1", i);
	row.socket_id = slice_str(id);
	row.address = SLICE("192.0.2.1");
	conns[i].open = true;
	conns[i].worker = row.worker;
	conns[i].user = -1;
	registry_open(reg, now, &row);
}

static void step_subscribe(int i, bool resync)
{
	int ch = (int)below(CHANNELS);
	int user = (int)below(USERS);
	struct conn_model *c = &conns[i];
	struct registry_subscribe r = {
		.conn = number_of(i),
		.channel = channel_text(ch),
		.presence = ch < PRESENCE,
		.resync = resync,
		.user_id = user_text(user),
		.user_info = below(2) != 0 ? SLICE("{\"n\":1}") : SLICE_NONE,
	};

	if (!c->open) {
		assert_int_equal(registry_subscribe(reg, now, &r), REGISTRY_UNKNOWN);
		return;
	}
	/* A resync belongs to a registry that knows nobody yet: others would not hear of it. */
	if (resync && (ch < PRESENCE || c->in[ch]))
		return;
	if (!c->in[ch]) {
		c->in[ch] = true;
		c->as[ch] = user;
		if (ch < PRESENCE)
			member_until[ch][user] = 0;
	}
	assert_int_equal(registry_subscribe(reg, now, &r), REGISTRY_OK);
}

static void step_unsubscribe(int i)
{
	int ch = (int)below(CHANNELS);

	if (conns[i].open)
		model_leave(&conns[i], ch, false);
	registry_unsubscribe(reg, now, number_of(i), channel_text(ch));
}

static void step_close(int i)
{
	if (conns[i].open)
		model_close(&conns[i]);
	registry_close(reg, now, number_of(i));
}

static void step_identify(int i)
{
	int user = (int)below(USERS);
	struct conn_model *c = &conns[i];
	bool mine = c->open && (c->user == -1 || c->user == user);

	if (c->open && c->user == -1) {
		c->user = user;
		online_until[user] = 0;
	}
	assert_int_equal(registry_identify(reg, now, number_of(i), user_text(user)), mine);
}

static void step_worker_gone(void)
{
	uint32_t worker = below(WORKERS);

	for (int i = 0; i < CONNS; i++)
		if (conns[i].open && conns[i].worker == worker)
			model_close(&conns[i]);
	silent = true;
	registry_worker_gone(reg, now, worker);
	silent = false;
}

static void step_time(void)
{
	uint64_t by = below(150);

	now.mono += by;
	now.wall += (wall_us_t)by;
	registry_turn(reg, now);
	for (int ch = 0; ch < PRESENCE; ch++)
		for (int u = 0; u < USERS; u++)
			if (member_until[ch][u] <= now.mono)
				member_until[ch][u] = 0;
	for (int u = 0; u < USERS; u++)
		if (online_until[u] <= now.mono)
			online_until[u] = 0;
	assert_true(registry_deadline(reg) > now.mono);
}

/* ---- comparison ---- */

static bool seen_members[USERS];

static void on_row(void *ctx, struct slice id, struct slice info)
{
	(void)ctx;
	(void)info;
	assert_false(seen_members[user_of(id)]);
	seen_members[user_of(id)] = true;
}

static void compare_channel(int ch)
{
	struct registry_channel row;
	uint32_t subs = 0;
	uint32_t by_worker[WORKERS] = {0};
	uint32_t members = 0;
	uint32_t n;
	const struct interest *it = registry_interest(reg, 1, channel_text(ch), &n);

	for (int i = 0; i < CONNS; i++) {
		if (!conns[i].open || !conns[i].in[ch])
			continue;
		subs++;
		by_worker[conns[i].worker]++;
	}
	assert_int_equal(registry_channel(reg, 1, channel_text(ch), &row), subs > 0);
	assert_int_equal(row.subscriptions, subs);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(it[i].subscriptions, by_worker[it[i].worker]);
		assert_true(it[i].subscriptions > 0);
		by_worker[it[i].worker] = 0;
	}
	for (uint32_t i = 0; i < WORKERS; i++)
		assert_int_equal(by_worker[i], 0);
	if (ch >= PRESENCE)
		return;
	memset(seen_members, 0, sizeof(seen_members));
	registry_members(reg, 1, channel_text(ch), on_row, NULL);
	for (int u = 0; u < USERS; u++) {
		bool is = members_here(ch, u) > 0 || member_until[ch][u] > 0;

		assert_int_equal(seen_members[u], is);
		members += is;
		for (int i = 0; i < CONNS; i++)
			if (conns[i].open && conns[i].in[ch])
				assert_int_equal(conns[i].view[ch].sees[u], is);
	}
	if (subs > 0)
		assert_int_equal(row.members, members);
}

static void compare(void)
{
	struct registry_user row;
	uint32_t open = 0;

	for (int ch = 0; ch < CHANNELS; ch++)
		compare_channel(ch);
	for (int u = 0; u < USERS; u++) {
		bool is = connections_of(u) > 0 || online_until[u] > 0;

		assert_int_equal(registry_user(reg, 1, user_text(u), &row), is);
		assert_int_equal(said_online[u], is);
		if (is)
			assert_int_equal(row.connections, connections_of(u));
	}
	for (int i = 0; i < CONNS; i++)
		open += conns[i].open;
	assert_int_equal(registry_connections(reg, 1), open);
}

static void walk_tells_all(void)
{
	uint64_t cursor = 0;
	struct registry_stats stats;

	registry_stats(reg, &stats);
	rows_conn = rows_sub = rows_user = 0;
	while (registry_walk(reg, &cursor, 1 + below(5)))
		;
	assert_int_equal(rows_conn, stats.connections);
	assert_int_equal(rows_sub, stats.subscriptions);
	assert_true(rows_user <= (int)stats.users);
}

static void step(void)
{
	int i = (int)below(CONNS);

	switch (below(16)) {
	case 0:
	case 1:
	case 2:
		step_open(i);
		break;
	case 3:
	case 4:
	case 5:
	case 6:
	case 7:
		step_subscribe(i, false);
		break;
	case 8:
		step_subscribe(i, true);
		break;
	case 9:
	case 10:
		step_unsubscribe(i);
		break;
	case 11:
		step_close(i);
		break;
	case 12:
		step_identify(i);
		break;
	case 13:
		if (below(20) == 0)
			step_worker_gone();
		break;
	default:
		step_time();
		break;
	}
}

static void test_random(void **state)
{
	static const struct registry_options options = {
		.presence_grace = GRACE,
		.offline_grace = OFFLINE,
	};

	(void)state;
	print_message("# seed %u\n", seed);
	reg = registry_new(&options, &ops, NULL);
	registry_app(reg, 1, true);
	for (int n = 0; n < STEPS; n++) {
		step();
		compare();
		if (n % 500 == 0)
			walk_tells_all();
	}
	registry_free(reg);
}

int main(void)
{
	const char *given = getenv("MODEL_SEED");
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};

	seed = given != NULL ? (uint32_t)strtoul(given, NULL, 10) : 20261124;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
