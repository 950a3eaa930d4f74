/*
 * The lists of members that workers keep beside the broker's own: a real dispatcher with its
 * registry, and for each of three workers a real hub with its rosters, joined by queues that are
 * emptied in random steps while clients come and go, and brokers and workers are killed.
 *
 * Whenever the queues are empty, each worker's list must be the broker's, in its order. At all
 * times each client that applies what it is told must see exactly the roster of its worker, and
 * never be told of anybody twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/limits.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/wire/wire.h"
#include "tests/model/members_broker.h"
#include "worker/members.h"
#include "worker/worker_internal.h"

enum { WORKERS = 3, CLIENTS = 5, CHANNELS = 2, USERS = 6, STEPS = 60000 };

#define PRESENCE (WIRE_SUB_PRESENCE | WIRE_SUB_AUTHORISED)

struct record {
	STAILQ_ENTRY(record) link;
	uint8_t kind;
	size_t n;
	char body[];
};
STAILQ_HEAD(queue, record);

struct client {
	struct subscriber sub;
	bool open;
	bool sees[CHANNELS][USERS];
};

struct site {
	struct worker w;
	struct client clients[CLIENTS];
	struct queue up;   /* to the broker */
	struct queue down; /* from it */
	uint64_t conns;
	bool alive;
	bool synced; /* the broker of today has been told all */
};

static struct site sites[WORKERS];
static struct app the_app = {.index = BROKER_APP};
static struct app *const app = &the_app;
static uint32_t seed;

static uint32_t below(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static struct slice channel_text(unsigned i)
{
	static const char *const names[CHANNELS] = {"presence-a", "presence-cache-b"};

	return slice_str(names[i]);
}

static unsigned user_of(struct slice id)
{
	assert_int_equal(id.n, 2);
	return (unsigned)(id.p[1] - '0');
}

/* ---- the queues ---- */

static void put(struct queue *q, uint8_t kind, struct slice body)
{
	struct record *r = mem_alloc(sizeof(*r) + body.n);

	r->kind = kind;
	r->n = body.n;
	memcpy(r->body, body.n > 0 ? body.p : "", body.n);
	STAILQ_INSERT_TAIL(q, r, link);
}

static struct record *take(struct queue *q)
{
	struct record *r = STAILQ_FIRST(q);

	if (r != NULL)
		STAILQ_REMOVE_HEAD(q, link);
	return r;
}

static void forget(struct queue *q)
{
	struct record *r;

	while ((r = take(q)) != NULL)
		free(r);
}

static void on_sent(uint32_t worker, uint8_t kind, struct slice body)
{
	put(&sites[worker - 1].down, kind, body);
}

bool worker_send(struct worker *w, uint8_t kind)
{
	put(&CONTAINER_OF(w, struct site, w)->up, kind, buf_slice(&w->record));
	buf_clear(&w->record);
	return true;
}

struct app *apps_by_index(const struct apps *t, uint32_t index)
{
	(void)t;
	return index == BROKER_APP ? app : NULL;
}

void worker_out_done(struct worker *w)
{
	buf_clear(&w->out);
}

#define TELL(site, name, NAME, ...) \
	do { \
		struct wire_##name tell_m = {__VA_ARGS__}; \
		assert_true(worker_send_encoded( \
			&(site)->w, wire_encode_##name(&(site)->w.record, &tell_m), WIRE_##NAME)); \
	} while (0)

/* ---- a worker ---- */

static unsigned channel_of(struct slice text)
{
	return memmem(text.p, text.n, "presence-a", 10) != NULL ? 0 : 1;
}

static void on_deliver(void *ctx, struct subscriber *who, struct frame *f, bool droppable)
{
	struct client *c = CONTAINER_OF(who, struct client, sub);
	struct slice text = frame_slice(f);
	bool added = memmem(text.p, text.n, "member_added", 12) != NULL;
	const char *at = memmem(text.p, text.n, "user_id\\\":\\\"", 12);
	unsigned user;

	(void)ctx;
	(void)droppable;
	assert_non_null(at);
	user = user_of(slice_of(at + 12, 2));
	assert_int_equal(c->sees[channel_of(text)][user], !added);
	c->sees[channel_of(text)][user] = added;
}

static const struct hub_ops hub_ops = {.deliver = on_deliver};

static void site_init(struct site *s)
{
	STAILQ_INIT(&s->up);
	STAILQ_INIT(&s->down);
	s->w.hub = hub_new(&hub_ops, NULL);
	buf_init(&s->w.out, LIMIT_FRAME);
	buf_init(&s->w.record, LIMIT_WIRE_RECORD);
}

static void site_kill(struct site *s)
{
	forget(&s->up);
	forget(&s->down);
	for (unsigned i = 0; i < CLIENTS; i++) {
		hub_unsubscribe_all(s->w.hub, &s->clients[i].sub);
		s->clients[i].open = false;
	}
	s->alive = false;
	s->synced = false;
}

static void site_start(struct site *s)
{
	s->alive = true;
	broker_welcome((uint32_t)(s - sites) + 1);
}

static struct sub *sub_of(struct site *s, struct client *c, struct slice channel)
{
	struct channel *ch = hub_find(s->w.hub, app, channel);

	return ch != NULL ? hub_sub(&c->sub, ch) : NULL;
}

static struct client *client_of(struct site *s, uint64_t conn)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		if (s->clients[i].open && s->clients[i].sub.conn == conn)
			return &s->clients[i];
	return NULL;
}

static void tell_open(struct site *s, const struct client *c)
{
	char id[32];

	(void)snprintf(id, sizeof(id), "%llu.1", (unsigned long long)c->sub.conn);
	TELL(s, conn_open, CONN_OPEN, .conn = c->sub.conn, .app = BROKER_APP,
	     .socket_id = slice_str(id), .opened_at = 1);
}

static void tell_subscribe(struct site *s, const struct sub *sub, uint8_t flags)
{
	TELL(s, subscribe, SUBSCRIBE, .conn = sub->who->conn, .channel = channel_name(sub->channel),
	     .flags = flags | PRESENCE, .user_id = sub_user_id(sub),
	     .user_info = sub_user_info(sub), .joined_at = 1);
}

/* As resync.c and session_ask_again(). */
static void resync(struct site *s)
{
	s->w.brokers++;
	TELL(s, sync_begin, SYNC_BEGIN, .conns = 0);
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct client *c = &s->clients[i];

		if (!c->open)
			continue;
		tell_open(s, c);
		for (uint32_t k = 0; k < c->sub.sub_count; k++)
			if (subscriber_sub(&c->sub, k)->state == SUB_ACTIVE)
				tell_subscribe(s, subscriber_sub(&c->sub, k), WIRE_SUB_RESYNC);
	}
	assert_true(members_tell(&s->w));
	TELL(s, sync_end, SYNC_END, .conns = 0);
	s->synced = true;
	for (unsigned i = 0; i < CLIENTS; i++) {
		for (unsigned k = 0; k < CHANNELS; k++) {
			struct sub *sub = sub_of(s, &s->clients[i], channel_text(k));

			if (sub != NULL && sub->state == SUB_ABANDONED)
				hub_unsubscribe(s->w.hub, sub);
			else if (sub != NULL && sub->state == SUB_PENDING)
				tell_subscribe(s, sub, 0);
		}
	}
}

static void see(void *ctx, struct slice user_id, struct slice user_info)
{
	bool *sees = ctx;

	(void)user_info;
	sees[user_of(user_id)] = true;
}

static void on_subscribed(struct site *s, const struct wire_subscribed *m)
{
	struct client *c = client_of(s, m->conn);
	struct sub *sub = c != NULL ? sub_of(s, c, m->channel) : NULL;
	bool *sees;

	if (sub == NULL)
		return;
	if (sub->state == SUB_ABANDONED) {
		TELL(s, unsubscribe, UNSUBSCRIBE, .conn = m->conn, .channel = m->channel);
		hub_unsubscribe(s->w.hub, sub);
		return;
	}
	hub_activate(s->w.hub, sub);
	sees = c->sees[channel_of(m->channel)];
	memset(sees, 0, sizeof(c->sees[0]));
	roster_each(channel_roster(sub->channel), see, sees);
	assert_true(sees[user_of(sub_user_id(sub))]); /* in its own snapshot */
}

static void on_refused(struct site *s, const struct wire_refused *m)
{
	struct client *c = client_of(s, m->conn);
	struct sub *sub = c != NULL ? sub_of(s, c, m->channel) : NULL;

	if (sub != NULL)
		hub_unsubscribe(s->w.hub, sub);
}

#define HEAR(NAME, name, call) \
	case WIRE_##NAME: { \
		struct wire_##name m; \
		assert_true(wire_decode_##name(body, &m)); \
		call; \
		break; \
	}

static void hear(struct site *s)
{
	struct record *r = take(&s->down);
	struct slice body;

	if (r == NULL)
		return;
	body = slice_of(r->body, r->n);
	switch (r->kind) {
		HEAR(WORKER_INFO, worker_info, resync(s))
		HEAR(MEMBERS, members, members_list(&s->w, &m))
		HEAR(MEMBER, member, members_change(&s->w, &m))
		HEAR(SUBSCRIBED, subscribed, on_subscribed(s, &m))
		HEAR(REFUSED, refused, on_refused(s, &m))
	default:
		break;
	}
	free(r);
}

static void say(struct site *s)
{
	struct record *r = take(&s->up);

	if (r == NULL)
		return;
	broker_hear((uint32_t)(s - sites) + 1, r->kind, slice_of(r->body, r->n));
	free(r);
}

/* ---- steps ---- */

static void step_open(struct site *s, struct client *c)
{
	if (c->open || !s->synced)
		return;
	*c = (struct client){.open = true};
	c->sub.conn = ((uint64_t)(s - sites + 1) << WIRE_CONN_BITS) + ++s->conns;
	tell_open(s, c);
}

static void step_subscribe(struct site *s, struct client *c, struct slice channel)
{
	static const char *const infos[] = {"", "1", "{\"n\":2}"};
	char id[3] = {'u', (char)('0' + below(USERS)), '\0'};
	struct sub *sub = sub_of(s, c, channel);

	if (!c->open || !s->synced || sub != NULL)
		return;
	sub = hub_subscribe(s->w.hub, app, channel, &c->sub);
	hub_set_member(sub, slice_str(id), slice_str(infos[below(3)]));
	tell_subscribe(s, sub, 0);
}

static void step_unsubscribe(struct site *s, struct client *c, struct slice channel)
{
	struct sub *sub = sub_of(s, c, channel);

	if (sub == NULL)
		return;
	if (sub->state == SUB_PENDING) {
		sub->state = SUB_ABANDONED;
	} else if (sub->state == SUB_ACTIVE) {
		hub_unsubscribe(s->w.hub, sub);
		if (s->synced)
			TELL(s, unsubscribe, UNSUBSCRIBE, .conn = c->sub.conn, .channel = channel);
	}
}

static void step_close(struct site *s, struct client *c)
{
	if (!c->open)
		return;
	hub_unsubscribe_all(s->w.hub, &c->sub);
	c->open = false;
	if (s->synced)
		TELL(s, conn_close, CONN_CLOSE, .conn = c->sub.conn);
}

static void step_worker(struct site *s)
{
	if (s->alive) {
		if (!s->synced)
			return;
		site_kill(s);
		broker_gone((uint32_t)(s - sites) + 1);
	} else {
		site_start(s);
	}
}

static void begin_broker(void)
{
	uint32_t alive = 0;

	for (unsigned i = 0; i < WORKERS; i++) {
		alive += sites[i].alive;
		sites[i].synced = false;
	}
	broker_begin(on_sent, alive, USERS - 1);
	for (unsigned i = 0; i < WORKERS; i++)
		if (sites[i].alive)
			site_start(&sites[i]);
}

static void step_broker(void)
{
	broker_end();
	for (unsigned i = 0; i < WORKERS; i++) {
		forget(&sites[i].up);
		forget(&sites[i].down);
	}
	if (below(2) == 0)
		site_kill(&sites[below(WORKERS)]);
	begin_broker();
}

static void step(void)
{
	struct site *s = &sites[below(WORKERS)];
	struct client *c = &s->clients[below(CLIENTS)];
	struct slice channel = channel_text(below(CHANNELS));

	switch (below(16)) {
	case 0:
	case 1:
		step_open(s, c);
		break;
	case 2:
	case 3:
	case 4:
		step_subscribe(s, c, channel);
		break;
	case 5:
		step_unsubscribe(s, c, channel);
		break;
	case 6:
		if (below(2) == 0)
			step_close(s, c);
		break;
	case 7:
		if (below(60) == 0)
			step_worker(s);
		break;
	case 8:
		if (below(80) == 0)
			step_broker();
		break;
	case 9:
		broker_wait(below(500));
		break;
	case 10:
	case 11:
	case 12:
		say(s);
		break;
	default:
		hear(s);
		break;
	}
}

/* ---- comparison ---- */

static void write_member(void *ctx, struct slice user_id, struct slice user_info)
{
	(void)buf_printf(ctx, "%.*s=%.*s ", SLICE_ARG(user_id), SLICE_ARG(user_info));
}

static void compare_clients(struct site *s, struct channel *ch)
{
	bool sees[USERS] = {false};

	roster_each(channel_roster(ch), see, sees);
	for (uint32_t i = 0; i < channel_count(ch); i++) {
		const struct client *c = CONTAINER_OF(channel_sub(ch, i)->who, struct client, sub);

		assert_true(c >= s->clients && c < s->clients + CLIENTS);
		assert_memory_equal(c->sees[channel_of(channel_name(ch))], sees, sizeof(sees));
	}
}

static void compare(void)
{
	struct buf here;
	struct buf there;

	buf_init(&here, 4096);
	buf_init(&there, 4096);
	for (unsigned i = 0; i < WORKERS; i++) {
		for (unsigned k = 0; k < CHANNELS; k++) {
			struct channel *ch = hub_find(sites[i].w.hub, app, channel_text(k));

			if (ch == NULL)
				continue;
			compare_clients(&sites[i], ch);
			buf_clear(&here);
			buf_clear(&there);
			roster_each(channel_roster(ch), write_member, &here);
			broker_members(channel_text(k), &there);
			assert_string_equal(buf_cstr(&here), buf_cstr(&there));
		}
	}
	buf_done(&here);
	buf_done(&there);
}

static void drain(void)
{
	bool more = true;

	while (more) {
		more = false;
		for (unsigned i = 0; i < WORKERS; i++) {
			more |= !STAILQ_EMPTY(&sites[i].up) || !STAILQ_EMPTY(&sites[i].down);
			say(&sites[i]);
			hear(&sites[i]);
		}
		if (!more && !broker_is_open()) {
			broker_wait(2000);
			more = true;
		}
	}
}

/* Once the graces are over nobody is left but who has a subscription. */
static void compare_with_subscriptions(void)
{
	struct buf members;

	buf_init(&members, 4096);
	for (unsigned k = 0; k < CHANNELS; k++) {
		bool stands[USERS] = {false};

		for (unsigned i = 0; i < WORKERS; i++) {
			struct channel *ch = hub_find(sites[i].w.hub, app, channel_text(k));

			for (uint32_t j = 0; ch != NULL && j < channel_count(ch); j++)
				stands[user_of(sub_user_id(channel_sub(ch, j)))] = true;
		}
		buf_clear(&members);
		broker_members(channel_text(k), &members);
		for (unsigned u = 0; u < USERS; u++) {
			const char text[] = {'u', (char)('0' + u), '=', '\0'};

			assert_int_equal(strstr(buf_cstr(&members), text) != NULL, stands[u]);
		}
	}
	buf_done(&members);
}

static void test_random(void **state)
{
	(void)state;
	print_message("# seed %u\n", seed);
	for (unsigned i = 0; i < WORKERS; i++) {
		site_init(&sites[i]);
		sites[i].alive = true;
	}
	begin_broker();
	for (int n = 0; n < STEPS; n++) {
		step();
		if (below(60) == 0) {
			drain();
			compare();
		}
		if (below(1000) == 0) {
			drain();
			broker_wait(4000); /* graces are over */
			drain();
			compare();
			compare_with_subscriptions();
		}
	}
	broker_end();
	for (unsigned i = 0; i < WORKERS; i++) {
		site_kill(&sites[i]);
		hub_free(sites[i].w.hub);
		buf_done(&sites[i].w.out);
		buf_done(&sites[i].w.record);
	}
}

int main(void)
{
	const char *given = getenv("MODEL_SEED");
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};

	seed = given != NULL ? (uint32_t)strtoul(given, NULL, 10) : 20261125;
	return cmocka_run_group_tests_name("model_members", tests, NULL, NULL);
}
