#include "tests/model/sim_worker.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "tests/model/sim.h"
#include "worker/link/seen.h"
#include "worker/questions.h"

#define TICK (100 * USEC_PER_MSEC)
#define DATA_MAX 2000 /* bytes of an event */

struct ledger ledger;

struct slice sim_channel(uint32_t n)
{
	static const char *const names[CHANNELS] = {"a", "b", "c", "d", "e", "f"};

	return slice_str(names[n]);
}

usec_t worker_now(const struct worker *w)
{
	return loop_now(w->loop);
}

/* ---- clients, told to the broker ---- */

/* False: the lane is full. */
static bool tell_open(struct sim_worker *sw, struct client *c)
{
	struct worker *w = &sw->w;
	char id[32];
	struct wire_conn_open m = {.conn = c->conn};

	(void)snprintf(id, sizeof(id), "%" PRIu64 ".1", c->conn);
	m.socket_id = slice_str(id);
	c->told = worker_send_encoded(w, wire_encode_conn_open(&w->record, &m), WIRE_CONN_OPEN);
	return c->told;
}

static bool subscribe(struct sim_worker *sw, const struct client *c, uint32_t channel,
		      uint8_t flags)
{
	struct worker *w = &sw->w;
	struct wire_subscribe m = {
		.conn = c->conn, .channel = sim_channel(channel), .flags = flags};

	return worker_send_encoded(w, wire_encode_subscribe(&w->record, &m), WIRE_SUBSCRIBE);
}

/* In a resync only what stands; all of a client or nothing. */
static bool tell(struct sim_worker *sw, struct client *c)
{
	if (!tell_open(sw, c))
		return false;
	for (uint32_t i = 0; i < CHANNELS; i++) {
		if (c->sub[i] == WANT_ACTIVE && !subscribe(sw, c, i, WIRE_SUB_RESYNC)) {
			c->told = false;
			return false;
		}
	}
	return true;
}

static void ask(struct sim_worker *sw, struct client *c)
{
	if (c->conn == 0 || (!c->told && !tell_open(sw, c)))
		return;
	for (uint32_t i = 0; i < CHANNELS; i++) {
		if (c->sub[i] == WANT_UNSENT && subscribe(sw, c, i, 0))
			c->sub[i] = WANT_ASKED;
	}
}

/* ---- a new broker ---- */

static bool tell_count(struct worker *w, uint8_t kind)
{
	struct wire_sync_begin begin = {0};
	struct wire_sync_end end = {0};
	bool fits = kind == WIRE_SYNC_BEGIN ? wire_encode_sync_begin(&w->record, &begin)
					    : wire_encode_sync_end(&w->record, &end);

	return worker_send_encoded(w, fits, kind);
}

static void finish(struct sim_worker *sw)
{
	sw->w.sync = SYNC_NONE;
	sw->w.broker = BROKER_UP;
	questions_again(&sw->w);
	for (size_t i = 0; i < CLIENTS; i++) {
		for (size_t k = 0; k < CHANNELS; k++) {
			if (sw->clients[i].sub[k] == WANT_ASKED)
				sw->clients[i].sub[k] = WANT_UNSENT;
		}
	}
}

static void resync(struct sim_worker *sw)
{
	struct worker *w = &sw->w;

	if (w->sync == SYNC_BEGINS) {
		if (!tell_count(w, WIRE_SYNC_BEGIN))
			return;
		w->sync = SYNC_RUNS;
	}
	for (; sw->retell < CLIENTS; sw->retell++) {
		struct client *c = &sw->clients[sw->retell];

		if (c->conn != 0 && !tell(sw, c))
			return;
		if (sim_chance(20)) {
			event_active(&sw->go_on, 0, 0); /* the rest in another turn */
			sw->retell++;
			return;
		}
	}
	if (tell_count(w, WIRE_SYNC_END))
		finish(sw);
}

static void go_on(struct sim_worker *sw)
{
	struct worker *w = &sw->w;

	if (w->broker == BROKER_AWAY || !outbox_flush(w))
		return;
	if (w->sync != SYNC_NONE)
		resync(sw);
	for (size_t i = 0; i < CLIENTS && w->broker == BROKER_UP; i++)
		ask(sw, &sw->clients[i]);
}

static void on_go_on(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	go_on(ctx);
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
	struct sim_worker *sw = ctx;

	(void)fd;
	(void)what;
	questions_turn(&sw->w, sim_now);
	go_on(sw);
}

/* ---- records ---- */

static struct client *find(struct sim_worker *sw, uint64_t conn)
{
	for (size_t i = 0; i < CLIENTS && conn != 0; i++) {
		if (sw->clients[i].conn == conn)
			return &sw->clients[i];
	}
	return NULL;
}

static uint32_t channel_of(struct slice name)
{
	return (uint32_t)(name.p[0] - 'a');
}

static void on_subscribed(struct sim_worker *sw, const struct wire_subscribed *m)
{
	struct client *c = find(sw, m->conn);
	uint32_t channel = channel_of(m->channel);
	size_t i;

	if (c == NULL || c->sub[channel] < WANT_ASKED)
		return; /* it has gone meanwhile, and may be back */
	c->sub[channel] = WANT_ACTIVE;
	i = (size_t)(c - sw->clients);
	if (i < WITNESSES && sw->witness[i]->joined == UINT32_MAX)
		sw->witness[i]->joined = ledger.n;
}

/* What a witness gets is new to it, and comes in the order of its origin. */
static void note(struct sim_worker *sw, struct witness *t, uint32_t at)
{
	uint32_t life = ledger.v[at].life;

	if (t->had[at])
		fail_msg("publish %u twice at worker %u", at, sw->life);
	if (t->last[life] > at)
		fail_msg("publish %u after %u of the same origin", at, t->last[life] - 1);
	t->had[at] = true;
	t->last[life] = at + 1;
	t->came[t->n] = at;
	t->broker[t->n++] = sw->broker;
	ledger.delivered++;
}

static void on_event(struct sim_worker *sw, const struct wire_event *m)
{
	struct slice round;
	struct slice rest;
	unsigned long long value[2];
	uint32_t channel = channel_of(m->channel);

	if (!seen_add(sw->w.seen, m->origin, m->number, m->channel))
		return;
	assert_true(slice_cut(m->data, ' ', &round, &rest));
	(void)slice_cut(rest, ' ', &rest, &(struct slice){0}); /* the padding behind it */
	assert_true(slice_to_u64(round, &value[0]) && slice_to_u64(rest, &value[1]));
	if (value[0] != ledger.round)
		fail_msg("a publish of an earlier round");
	for (size_t i = 0; i < WITNESSES; i++) {
		if (sw->clients[i].sub[channel] == WANT_ACTIVE)
			note(sw, sw->witness[i], (uint32_t)value[1]);
	}
}

static void on_info(struct sim_worker *sw, const struct wire_worker_info *m)
{
	unsigned long long life;

	sw->w.number = m->number;
	sw->apps = m->apps;
	assert_true(slice_to_u64(slice_skip(m->chat_app, 1), &life));
	sw->broker = (uint32_t)life;
}

static void on_app(struct sim_worker *sw)
{
	if (--sw->apps > 0)
		return;
	sw->w.welcomed = true;
	sw->w.broker = BROKER_SYNCING;
	sw->w.sync = SYNC_BEGINS;
	sw->retell = 0;
}

#define CASE(NAME, name, call) \
	case WIRE_##NAME: { \
		struct wire_##name m; \
		assert_true(wire_decode_##name(body, &m)); \
		call; \
		break; \
	}

static void on_record(void *ctx, uint8_t kind, struct slice body)
{
	struct sim_worker *sw = ctx;

	switch (kind) {
		CASE(WORKER_INFO, worker_info, on_info(sw, &m))
		CASE(APP, app, on_app(sw))
		CASE(EVENT, event, on_event(sw, &m))
		CASE(SUBSCRIBED, subscribed, on_subscribed(sw, &m))
		CASE(PUBLISHED, published, questions_published(&sw->w, &m))
		CASE(STABLE, stable, questions_stable(&sw->w, m.number))
	default:
		fail_msg("record %u is not expected", kind);
	}
	event_active(&sw->go_on, 0, 0);
}

/* As worker.c does it. */
static void on_up(void *ctx, bool new_broker)
{
	struct sim_worker *sw = ctx;
	struct worker *w = &sw->w;

	if (new_broker) {
		buf_clear(&w->late);
		for (size_t i = 0; i < CLIENTS; i++)
			sw->clients[i].told = false;
		w->sync = SYNC_NONE;
		w->welcomed = false;
	} else if (w->welcomed) {
		w->broker = w->sync == SYNC_NONE ? BROKER_UP : BROKER_SYNCING;
		questions_go_on(w);
	}
	event_active(&sw->go_on, 0, 0);
}

static void on_down(void *ctx)
{
	((struct sim_worker *)ctx)->w.broker = BROKER_AWAY;
}

static void on_retired(void *ctx)
{
	struct sim_worker *sw = ctx;

	sw->w.broker = BROKER_AWAY;
	sw->retired = true;
}

static const struct link_ops callbacks = {
	.on_record = on_record,
	.on_up = on_up,
	.on_down = on_down,
	.on_retired = on_retired,
};

/* ---- publishes ---- */

static void on_done(struct worker *w, uint64_t at, void *ctx, const struct worker_answer *a)
{
	uint32_t round = (uint32_t)(uintptr_t)ctx;

	(void)w;
	assert_int_equal(round, ledger.round);
	assert_false(ledger.v[at].accepted);
	ledger.v[at].accepted = a->status == 200;
	if (a->status == 200)
		ledger.accepted++;
	else
		ledger.refused++;
}

void sim_worker_publish(struct sim_worker *sw)
{
	uint32_t at = ledger.n;
	uint32_t channel = sim_below(CHANNELS);
	char data[DATA_MAX + 64];
	struct wire_publish m = {.event = SLICE_INIT("e")};
	struct buf channels;
	int n;

	if (at == PUBLISHES)
		return;
	ledger.v[at] =
		(struct publish){.life = sw->life, .broker = ledger.broker, .channel = channel};
	ledger.n++;
	n = snprintf(data, sizeof(data), "%u %u ", ledger.round, at);
	memset(data + n, 'x', DATA_MAX);
	m.data = slice_of(data, (size_t)n + sim_below(DATA_MAX));
	buf_init(&channels, 64);
	assert_true(wire_list_add(&channels, sim_channel(channel)));
	m.channels = buf_slice(&channels);
	if (!worker_publish(&sw->w, &m, at, on_done, (void *)(uintptr_t)ledger.round))
		ledger.refused++;
	buf_done(&channels);
}

/* ---- churn ---- */

static void open_client(struct sim_worker *sw, struct client *c)
{
	if (sw->w.number == 0)
		return; /* it has not been welcomed */
	*c = (struct client){.conn = ((uint64_t)sw->w.number << 28) + ++sw->w.conn_counter};
}

static void close_client(struct sim_worker *sw, struct client *c)
{
	struct wire_conn_close m = {.conn = c->conn, .code = 1000};

	if (c->told && wire_encode_conn_close(&sw->w.record, &m))
		worker_send_surely(&sw->w, WIRE_CONN_CLOSE);
	*c = (struct client){0};
}

static void leave(struct sim_worker *sw, struct client *c, uint32_t channel)
{
	struct wire_unsubscribe m = {.conn = c->conn, .channel = sim_channel(channel)};

	if (c->told && c->sub[channel] >= WANT_ASKED && wire_encode_unsubscribe(&sw->w.record, &m))
		worker_send_surely(&sw->w, WIRE_UNSUBSCRIBE);
	c->sub[channel] = WANT_NOT;
}

void sim_worker_churn(struct sim_worker *sw)
{
	uint32_t i = sim_below(CLIENTS);
	struct client *c = &sw->clients[i];
	bool witness = i < WITNESSES;
	uint32_t channel = witness ? i * CHANNELS / WITNESSES : sim_below(CHANNELS);

	if (c->conn == 0)
		open_client(sw, c);
	else if (!witness && sim_chance(20))
		close_client(sw, c);
	else if (!witness && c->sub[channel] != WANT_NOT)
		leave(sw, c, channel);
	else if (c->sub[channel] == WANT_NOT)
		c->sub[channel] = WANT_UNSENT;
	event_active(&sw->go_on, 0, 0);
}

/* ---- the life ---- */

struct sim_worker *sim_worker_new(uint32_t life, uint32_t slot, uint64_t generation,
				  uint64_t window)
{
	struct sim_worker *sw = NEW(struct sim_worker);
	char name[] = "sim";
	char *endpoint = name;
	struct link_options options = {
		.endpoints = &endpoint,
		.endpoint_count = 1,
		.slot = slot,
		.slots = 2,
		.generation = generation,
		.heartbeat = USEC_PER_SEC,
		.window = window,
	};
	struct timeval tick = loop_timeval(TICK);

	assert_true(life < LIVES);
	sw->life = life;
	sw->slot = slot;
	sw->window = window;
	sw->conf = conf_new();
	sw->w.conf = sw->conf;
	sw->w.seen = seen_new();
	sw->w.questions = questions_new();
	sw->loop = sw->w.loop = sim_process(life + 1000, NULL, NULL);
	TAILQ_INIT(&sw->w.open);
	TAILQ_INIT(&sw->w.held);
	buf_init(&sw->w.record, LIMIT_WIRE_RECORD);
	buf_init(&sw->w.late, 1 << 20);
	for (size_t i = 0; i < WITNESSES; i++) {
		sw->witness[i] = NEW(struct witness);
		sw->witness[i]->joined = UINT32_MAX;
	}
	assert_int_equal(link_new(sw->loop, &options, &callbacks, sw, &sw->w.link), 0);
	assert_int_equal(event_assign(&sw->go_on, loop_base(sw->loop), -1, 0, on_go_on, sw), 0);
	assert_int_equal(event_assign(&sw->tick, loop_base(sw->loop), -1, EV_PERSIST, on_tick, sw),
			 0);
	assert_int_equal(event_add(&sw->tick, &tick), 0);
	return sw;
}

void sim_worker_end(struct sim_worker *sw, bool goodbye)
{
	ledger.dead[sw->life] = true;
	if (!goodbye)
		sim_kill(sw->loop);
	link_free(sw->w.link);
	sim_kill(sw->loop);
	questions_free(sw->w.questions, &sw->w);
	seen_free(sw->w.seen);
	buf_done(&sw->w.record);
	buf_done(&sw->w.late);
	conf_free(sw->conf);
	for (size_t i = 0; i < WITNESSES; i++)
		free(sw->witness[i]);
	sim_bury(sw->loop);
	free(sw);
}

bool sim_worker_is_quiet(const struct sim_worker *sw)
{
	struct questions_stats q;

	questions_stats(sw->w.questions, &q);
	if (!worker_up(&sw->w) || sw->w.late.n > 0 || q.waiting > 0 || q.unstable > 0 ||
	    link_counts(sw->w.link).held > 0)
		return false;
	for (size_t i = 0; i < CLIENTS; i++) {
		const struct client *c = &sw->clients[i];

		for (size_t k = 0; k < CHANNELS && c->conn != 0; k++) {
			if (!c->told || c->sub[k] == WANT_UNSENT || c->sub[k] == WANT_ASKED)
				return false;
		}
	}
	return true;
}
