/*
 * A broker and its workers over ways that lose, double, delay, reorder and break; processes that
 * sleep and are killed, in simulated time. The lane at both ends, the dispatcher with its registry,
 * the worker's publishes and its memory of what it has had are the real ones; time, sockets and
 * clients are those of sim.h and sim_worker.h.
 *
 * Every round ends with fair weather, and within a bounded time everything must be quiet. Then:
 *  - both ends agree on who is there and subscribed to what;
 *  - what was answered 200 came to each witness, once, in the order of its origin, and where one
 *    life of the broker ordered it for several, in the same order for all;
 *  - nothing waits, nobody is given up, and no window is exceeded at any time.
 *
 * MODEL_SEED is the first seed, MODEL_ROUNDS how many rounds each world has, MODEL_WORLDS how many
 * worlds there are. The seed of a world that fails is printed.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/limits.h"
#include "common/log/log.h"
#include "tests/model/sim.h"
#include "tests/model/sim_broker.h"
#include "tests/model/sim_worker.h"
#include "worker/questions.h"

enum { SLOTS = 3, WORKERS = 6 };

#define QUIET_AFTER (60 * USEC_PER_SEC) /* of fair weather: then nothing may wait */

/* What a world is like. */
struct climate {
	struct sim_weather weather;
	uint64_t window;	/* of the broker */
	uint64_t worker_window; /* of each worker */
	unsigned steps;		/* actions of a round */
	/* Of 1000 actions. */
	unsigned worker_kills;
	unsigned worker_reloads;
	unsigned broker_kills;
	unsigned stalls;
	unsigned cuts;
	unsigned hushes;
};

static const struct climate *climate;
static struct sim_broker *broker; /* NULL: it is dead */
static struct sim_worker *workers[WORKERS];
static usec_t broker_back;
static uint64_t generation;
static uint32_t lives;
static char dir[64];
static uint64_t kills;
static uint64_t retired;

/* ---- who is there ---- */

static void kill_broker(void)
{
	sim_broker_kill(broker);
	broker = NULL;
	kills++;
}

static void worker_start(uint32_t slot)
{
	for (size_t i = 0; i < WORKERS; i++) {
		if (workers[i] != NULL)
			continue;
		workers[i] = sim_worker_new(lives++, slot, ++generation, climate->worker_window);
		return;
	}
}

static void worker_end(size_t i, bool goodbye)
{
	sim_worker_end(workers[i], goodbye);
	workers[i] = NULL;
}

static bool slot_is_served(uint32_t slot)
{
	for (size_t i = 0; i < WORKERS; i++) {
		if (workers[i] != NULL && workers[i]->slot == slot)
			return true;
	}
	return false;
}

/* As the supervisor does it; and those that were given up have ended. */
static void supervise(void)
{
	for (size_t i = 0; i < WORKERS; i++) {
		struct sim_worker *sw = workers[i];

		if (sw == NULL)
			continue;
		assert_true(link_counts(sw->w.link).held <= sw->window + LIMIT_WIRE_RECORD);
		if (sw->retired) {
			retired++;
			worker_end(i, true);
		}
	}
	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		if (!slot_is_served(slot))
			worker_start(slot);
	}
	if (broker == NULL && sim_now >= broker_back)
		broker = sim_broker_start(dir, ++ledger.broker, climate->window);
}

static size_t any_worker(void)
{
	size_t i;

	do
		i = sim_below(WORKERS);
	while (workers[i] == NULL);
	return i;
}

/* ---- what happens ---- */

static void reload_one(void)
{
	size_t i = any_worker();
	uint32_t slot = workers[i]->slot;
	size_t n = 0;

	for (size_t k = 0; k < WORKERS; k++)
		n += workers[k] != NULL;
	if (n < WORKERS && sim_chance(50))
		worker_start(slot); /* its predecessor drains */
	else if (n > SLOTS)
		worker_end(i, true);
}

static bool happens(uint32_t *dice, unsigned of_1000)
{
	bool hit = *dice < of_1000;

	*dice -= of_1000;
	return hit;
}

static void stall(void)
{
	usec_t until = sim_now + sim_below(5 * USEC_PER_SEC);

	if (broker != NULL && sim_chance(40))
		sim_broker_sleep(broker, until);
	else
		sim_stop(workers[any_worker()]->loop, until);
}

static void hurt(void)
{
	uint32_t dice = sim_below(1000);

	if (happens(&dice, climate->worker_kills)) {
		worker_end(any_worker(), false);
	} else if (happens(&dice, climate->worker_reloads)) {
		reload_one();
	} else if (happens(&dice, climate->broker_kills)) {
		if (broker != NULL) {
			kill_broker();
			broker_back = sim_now + sim_below(3 * USEC_PER_SEC);
		}
	} else if (happens(&dice, climate->stalls)) {
		stall();
	} else if (happens(&dice, climate->cuts)) {
		sim_cut(workers[any_worker()]->loop);
	} else if (happens(&dice, climate->hushes)) {
		sim_hush(workers[any_worker()]->loop, sim_now + sim_below(5 * USEC_PER_SEC));
	}
}

static void act(void)
{
	struct sim_worker *sw;

	supervise();
	hurt();
	supervise();
	sw = workers[any_worker()];
	if (sim_chance(25))
		sim_worker_churn(sw);
	else
		sim_worker_publish(sw);
	/* Often at once, sometimes after a while. */
	sim_run(sim_now + (sim_chance(60) ? sim_below(2000) : sim_below(60000)));
}

/* ---- the end of a round ---- */

static bool is_quiet(void)
{
	size_t n = 0;

	for (size_t i = 0; i < WORKERS; i++) {
		if (workers[i] != NULL && !sim_worker_is_quiet(workers[i]))
			return false;
		n += workers[i] != NULL;
	}
	return broker != NULL && sim_broker_is_quiet(broker, n);
}

static void fail_waiting(void)
{
	for (size_t i = 0; i < WORKERS; i++) {
		struct sim_worker *sw = workers[i];
		struct questions_stats q;

		if (sw == NULL)
			continue;
		questions_stats(sw->w.questions, &q);
		print_error("worker %" PRIu32 " of slot %" PRIu32
			    ": broker=%d sync=%d late=%zu waiting=%" PRIu32 " unstable=%" PRIu32
			    " held=%" PRIu64 "\n",
			    sw->life, sw->slot, (int)sw->w.broker, (int)sw->w.sync, sw->w.late.n,
			    q.waiting, q.unstable, link_counts(sw->w.link).held);
	}
	fail_msg("something still waits");
}

static void settle(void)
{
	usec_t end;

	sim_weather = (struct sim_weather){.delay = USEC_PER_MSEC};
	if (broker != NULL)
		sim_broker_sleep(broker, sim_now);
	for (size_t i = 0; i < WORKERS; i++) {
		if (workers[i] == NULL)
			continue;
		sim_stop(workers[i]->loop, sim_now);
		sim_hush(workers[i]->loop, sim_now);
	}
	end = sim_now + QUIET_AFTER;
	do {
		supervise();
		sim_run(sim_now + 100 * USEC_PER_MSEC);
		if (sim_now > end)
			fail_waiting();
	} while (!is_quiet());
}

/* Where nothing happens nobody is given up, and nothing begins to wait. */
static void rest(void)
{
	uint64_t before = retired;

	sim_run(sim_now + 10 * USEC_PER_SEC);
	supervise();
	assert_int_equal(retired, before);
	assert_true(is_quiet());
}

static void check_state(void)
{
	uint32_t count = 0;

	for (size_t i = 0; i < WORKERS; i++) {
		for (size_t k = 0; workers[i] != NULL && k < CLIENTS; k++) {
			const struct client *c = &workers[i]->clients[k];

			if (c->conn == 0)
				continue;
			count++;
			assert_true(sim_broker_knows(broker, c->conn));
			for (uint32_t n = 0; n < CHANNELS; n++)
				assert_int_equal(
					sim_broker_subscribed(broker, c->conn, sim_channel(n)),
					c->sub[n] == WANT_ACTIVE);
		}
	}
	assert_int_equal(sim_broker_connections(broker), count);
}

/* A plain publish may be lost only when its worker and a broker have died since. */
static bool is_promised(const struct publish *p)
{
	return p->accepted && (!ledger.dead[p->life] || p->broker == ledger.broker);
}

static void check_witness(const struct witness *t, uint32_t channel)
{
	for (uint32_t i = t->joined; i < ledger.n; i++) {
		const struct publish *p = &ledger.v[i];

		if (p->channel == channel && !t->had[i] && is_promised(p))
			fail_msg("publish %" PRIu32 " of worker %" PRIu32 " is lost", i, p->life);
	}
}

/* What one life of the broker has ordered for both has the same order for both. */
static void check_same_order(const struct witness *a, const struct witness *b)
{
	static uint32_t place[PUBLISHES];
	uint32_t last = 0;
	uint32_t life = 0;

	memset(place, 0, sizeof(place));
	for (uint32_t i = 0; i < a->n; i++)
		place[a->came[i]] = i + 1;
	for (uint32_t i = 0; i < b->n; i++) {
		uint32_t at = place[b->came[i]];

		if (b->broker[i] != life)
			last = 0;
		life = b->broker[i];
		if (at == 0 || a->broker[at - 1] != life)
			continue;
		if (at < last)
			fail_msg("publish %" PRIu32 " out of order", b->came[i]);
		last = at;
	}
}

static void check_channel(uint32_t witness)
{
	const struct witness *first = NULL;

	for (size_t i = 0; i < WORKERS; i++) {
		const struct witness *t;

		if (workers[i] == NULL)
			continue;
		t = workers[i]->witness[witness];
		check_witness(t, witness * CHANNELS / WITNESSES);
		if (first != NULL)
			check_same_order(first, t);
		else
			first = t;
	}
}

static void next_round(void)
{
	for (size_t i = 0; i < WORKERS; i++) {
		for (size_t k = 0; workers[i] != NULL && k < WITNESSES; k++) {
			struct witness *t = workers[i]->witness[k];
			uint32_t joined = t->joined == UINT32_MAX ? UINT32_MAX : 0;

			memset(t, 0, sizeof(*t));
			t->joined = joined;
		}
	}
	ledger.round++;
	ledger.n = 0;
}

/* ---- worlds ---- */

static unsigned number_of(const char *name, unsigned otherwise)
{
	const char *given = getenv(name);

	return given != NULL ? (unsigned)strtoul(given, NULL, 10) : otherwise;
}

static void no_line(void *ctx, enum log_level level, const char *line)
{
	(void)ctx;
	(void)level;
	if (strstr(line, "broken") != NULL)
		fail_msg("%s", line);
	if (getenv("MODEL_LOG") != NULL)
		(void)fprintf(stderr, "%10.6f %s\n", (double)(sim_now - 1000 * USEC_PER_SEC) / 1e6,
			      line);
}

static void round_of(unsigned steps)
{
	for (unsigned n = 0; n < steps; n++) {
		sim_weather = climate->weather;
		act();
	}
	settle();
	rest();
	check_state();
	for (uint32_t i = 0; i < WITNESSES; i++)
		check_channel(i);
	next_round();
}

static void world(uint64_t seed)
{
	sim_begin(seed);
	(void)memset(&ledger, 0, sizeof(ledger));
	generation = lives = 0;
	broker_back = 0;
	for (unsigned n = number_of("MODEL_ROUNDS", 4); n > 0; n--)
		round_of(climate->steps);
	for (size_t i = 0; i < WORKERS; i++) {
		if (workers[i] != NULL)
			worker_end(i, true);
	}
	sim_run(sim_now + 10 * USEC_PER_SEC);
	kill_broker();
	sim_run(sim_now + USEC_PER_SEC);
	sim_broker_forget(dir);
}

static void worlds(const struct climate *c, const char *name)
{
	uint64_t seed = number_of("MODEL_SEED", 20261125);
	uint64_t steps = sim_steps;
	uint64_t accepted = 0;
	uint64_t delivered = 0;

	climate = c;
	kills = retired = 0;
	log_set_sink(no_line, NULL);
	for (unsigned n = number_of("MODEL_WORLDS", 3); n > 0; n--, seed++) {
		(void)printf("# %s MODEL_SEED=%" PRIu64 "\n", name, seed);
		(void)fflush(stdout);
		world(seed);
		accepted += ledger.accepted;
		delivered += ledger.delivered;
	}
	log_set_sink(NULL, NULL);
	(void)printf("# %s: %" PRIu64 " steps, %" PRIu64 " accepted, %" PRIu64
		     " delivered to witnesses, %" PRIu64 " brokers killed, %" PRIu64
		     " workers given up\n",
		     name, sim_steps - steps, accepted, delivered, kills, retired);
}

/* ---- tests ---- */

static void test_fair(void **state)
{
	static const struct climate c = {
		.weather = {.delay = USEC_PER_MSEC},
		.window = 1 << 20,
		.worker_window = 1 << 20,
		.steps = 2000,
	};

	(void)state;
	worlds(&c, "fair");
	assert_int_equal(retired, 0);
}

static void test_lossy(void **state)
{
	static const struct climate c = {
		.weather = {.loss = 5, .twice = 5, .reorder = 5, .delay = 20 * USEC_PER_MSEC},
		.window = 256 << 10,
		.worker_window = 64 << 10,
		.steps = 2000,
		.stalls = 2,
		.cuts = 10,
		.hushes = 2,
	};

	(void)state;
	worlds(&c, "lossy");
}

static void test_deaths(void **state)
{
	static const struct climate c = {
		.weather = {.delay = 5 * USEC_PER_MSEC},
		.window = 1 << 20,
		.worker_window = 1 << 20,
		.steps = 2000,
		.worker_kills = 5,
		.worker_reloads = 10,
		.broker_kills = 5,
	};

	(void)state;
	worlds(&c, "deaths");
}

static void test_everything(void **state)
{
	static const struct climate c = {
		.weather = {.loss = 2, .twice = 2, .reorder = 2, .delay = 50 * USEC_PER_MSEC},
		.window = 128 << 10,
		.worker_window = 16 << 10,
		.steps = 2000,
		.worker_kills = 3,
		.worker_reloads = 5,
		.broker_kills = 3,
		.stalls = 4,
		.cuts = 10,
		.hushes = 3,
	};

	(void)state;
	worlds(&c, "everything");
	assert_true(retired > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fair),
		cmocka_unit_test(test_lossy),
		cmocka_unit_test(test_deaths),
		cmocka_unit_test(test_everything),
	};
	int r;

	(void)snprintf(dir, sizeof(dir), "/tmp/resync.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return 1;
	r = cmocka_run_group_tests_name("model_resync", tests, NULL, NULL);
	(void)rmdir(dir);
	return r;
}
