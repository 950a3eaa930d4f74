/*
 * Random operations on the hub beside a model that is a plain table: who is in what, in which
 * state. After each step the hub must count the same, and what it delivers must reach the same.
 */
#include "worker/hub/channel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { CLIENTS = 12, CHANNELS = 9, APPS = 2, NONE = 99 };

struct client {
	struct subscriber sub; /* first: the callback gets its address */
	struct app *app;
	int model[CHANNELS]; /* enum sub_state, or NONE */
	int got;	     /* deliveries since the last look */
	bool leaves;	     /* ends all its subscriptions at the next delivery */
};

static struct client clients[CLIENTS];
static struct hub *hub;
static uint32_t seed;

static uint32_t below(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static struct slice name_of(int channel)
{
	static const char *const names[CHANNELS] = {"a",
						    "b",
						    "private-a",
						    "private-b",
						    "presence-a",
						    "presence-cache-a",
						    "cache-a",
						    "private-encrypted-a",
						    "#server-to-user-1"};

	return slice_str(names[channel]);
}

static void forget(struct client *c)
{
	for (int i = 0; i < CHANNELS; i++)
		c->model[i] = NONE;
}

static void on_deliver(void *ctx, struct subscriber *who, struct frame *f, bool droppable)
{
	struct client *c = (struct client *)who;

	(void)ctx;
	(void)droppable;
	assert_int_equal(f->len, 1);
	c->got++;
	if (!c->leaves)
		return;
	c->leaves = false;
	hub_unsubscribe_all(hub, who);
	forget(c);
}

static const struct hub_ops ops = {.deliver = on_deliver};

static struct sub *find(struct client *c, int channel)
{
	struct channel *ch = hub_find(hub, c->app, name_of(channel));

	return ch != NULL ? hub_sub(&c->sub, ch) : NULL;
}

static void compare(void)
{
	uint64_t subs = 0;

	for (int n = 0; n < CLIENTS; n++) {
		uint32_t own = 0;

		for (int i = 0; i < CHANNELS; i++) {
			struct sub *s = find(&clients[n], i);

			if (clients[n].model[i] == NONE) {
				assert_null(s);
				continue;
			}
			own++;
			assert_non_null(s);
			assert_int_equal(s->state, clients[n].model[i]);
			assert_true(slice_eq(channel_name(s->channel), name_of(i)));
			assert_int_equal(channel_kind(s->channel), channel_name_kind(name_of(i)));
		}
		assert_int_equal(clients[n].sub.sub_count, own);
		subs += own;
	}
	assert_int_equal(hub_subscriptions(hub), subs);
}

static void deliver(int channel, struct app *app)
{
	struct channel *c = hub_find(hub, app, name_of(channel));
	uint64_t exclude = below(2) != 0 ? clients[below(CLIENTS)].sub.conn : 0;
	struct frame *f;
	bool want[CLIENTS];
	uint32_t count = 0;

	if (c == NULL)
		return;
	for (int n = 0; n < CLIENTS; n++) {
		clients[n].got = 0;
		want[n] = clients[n].app == app && clients[n].model[channel] == SUB_ACTIVE &&
			  clients[n].sub.conn != exclude;
		count += want[n];
	}
	if (below(4) == 0)
		clients[below(CLIENTS)].leaves = true;
	f = frame_copy(SLICE("x"));
	assert_int_equal(hub_deliver(hub, c, f, exclude, false), count);
	frame_unref(f);
	for (int n = 0; n < CLIENTS; n++) {
		assert_int_equal(clients[n].got, want[n]);
		clients[n].leaves = false;
	}
}

static void step(void)
{
	struct client *c = &clients[below(CLIENTS)];
	int channel = (int)below(CHANNELS);
	struct sub *s = find(c, channel);

	switch (below(8)) {
	case 0:
	case 1:
	case 2:
		if (s != NULL)
			break;
		s = hub_subscribe(hub, c->app, name_of(channel), &c->sub);
		hub_set_member(s, SLICE("id"), SLICE("{}"));
		assert_true(slice_eq(sub_user_id(s), SLICE("id")));
		assert_true(slice_eq(sub_user_info(s), SLICE("{}")));
		c->model[channel] = SUB_PENDING;
		break;
	case 3:
	case 4:
		if (s == NULL)
			break;
		hub_activate(hub, s);
		c->model[channel] = SUB_ACTIVE;
		break;
	case 5:
		if (s == NULL)
			break;
		hub_unsubscribe(hub, s);
		c->model[channel] = NONE;
		break;
	case 6:
		if (s != NULL && below(2) == 0) {
			hub_suspend(hub, s, SUB_ABANDONED);
			c->model[channel] = SUB_ABANDONED;
		} else if (below(8) == 0) {
			hub_unsubscribe_all(hub, &c->sub);
			forget(c);
		}
		break;
	default:
		deliver(channel, c->app);
		break;
	}
}

static void test_random_operations(void **state)
{
	static const struct slice ids[APPS] = {SLICE_INIT("one"), SLICE_INIT("two")};
	struct apps *apps = apps_new();

	(void)state;
	hub = hub_new(&ops, NULL);
	for (uint32_t i = 0; i < CLIENTS; i++) {
		struct app_spec spec = {
			.index = i % APPS, .id = ids[i % APPS], .key = ids[i % APPS]};

		clients[i].app = i < APPS ? apps_put(apps, &spec) : clients[i % APPS].app;
		clients[i].sub.conn = i + 1;
		forget(&clients[i]);
	}
	seed = 2026;
	for (int n = 0; n < 20000; n++) {
		step();
		compare();
	}
	for (int i = 0; i < CLIENTS; i++)
		hub_unsubscribe_all(hub, &clients[i].sub);
	assert_int_equal(hub_channels(hub), 0);
	assert_int_equal(hub_subscriptions(hub), 0);
	hub_free(hub);
	apps_free(apps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_operations),
	};

	return cmocka_run_group_tests_name("model_hub", tests, NULL, NULL);
}
