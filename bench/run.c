#include "bench/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/load.h"
#include "common/base/mem.h"

#define LOOK (10 * USEC_PER_MSEC)    /* between two looks at the counters */
#define SHOW (500 * USEC_PER_MSEC)   /* between two lines of progress */
#define SETTLE (300 * USEC_PER_MSEC) /* what is in memory for good when all is still */

struct runner {
	const struct plan *plan;
	struct servers *servers;
	struct shared *shared;
	struct outcome *out;
	run_progress_fn *progress;
	pid_t *children;
	usec_t shown;
	uint64_t shown_value;
};

/* What a wait looks at: the value grows up to the goal. */
typedef uint64_t value_fn(const struct runner *r);

static void rest(usec_t t)
{
	struct timespec ts = {
		.tv_sec = (time_t)(t / USEC_PER_SEC),
		.tv_nsec = (long)(t % USEC_PER_SEC * 1000),
	};

	(void)nanosleep(&ts, NULL); /* a shorter one does no harm */
}

static void fail(struct runner *r, const char *what)
{
	if (r->out->failed)
		return;
	r->out->failed = true;
	(void)snprintf(r->out->fault, sizeof(r->out->fault), "%s", what);
}

/* A load process has ended before its time. */
static bool child_ended(struct runner *r)
{
	int status;
	pid_t pid = waitpid(-1, &status, WNOHANG);

	if (pid <= 0)
		return false;
	for (uint32_t i = 0; i < r->plan->processes; i++) {
		if (r->children[i] == pid)
			r->children[i] = 0;
	}
	return true;
}

static void show(struct runner *r, const char *step, uint64_t value, uint64_t goal)
{
	usec_t now = clock_mono();
	double seconds = (double)(now - r->shown) / USEC_PER_SEC;

	if (r->progress == NULL || now - r->shown < SHOW)
		return;
	r->progress(step, (double)value, (double)goal, (double)(value - r->shown_value) / seconds);
	r->shown = now;
	r->shown_value = value;
}

/* False: nothing has moved for `patience`. */
static bool wait_for(struct runner *r, const char *step, value_fn *value, uint64_t goal,
		     usec_t patience)
{
	uint64_t last = value(r);
	usec_t moved = clock_mono();

	r->shown = moved;
	r->shown_value = last;
	while (last < goal) {
		uint64_t v;

		rest(LOOK);
		if (child_ended(r)) {
			fail(r, "a load process ended before its time");
			return false;
		}
		v = value(r);
		if (v != last)
			moved = clock_mono();
		else if (clock_mono() - moved > patience)
			return false;
		last = v;
		show(r, step, v, goal);
	}
	return true;
}

static void step(struct runner *r, enum step s)
{
	shared_set(&r->shared->step, s);
}

/* ---- spans ---- */

struct mark {
	struct server_sample sample;
	uint64_t counts[COUNTS];
	uint64_t load_cpu;
};

static void mark(struct runner *r, struct mark *m)
{
	m->load_cpu = 0;
	for (uint32_t i = 0; i < r->plan->processes; i++)
		m->load_cpu += r->shared->process[i].cpu_us;
	for (unsigned i = 0; i < COUNTS; i++)
		m->counts[i] = shared_count(r->shared, i);
	servers_sample(r->servers, false, &m->sample);
}

static void span(struct runner *r, const struct mark *from, struct span *ret)
{
	struct mark to;

	mark(r, &to);
	ret->seconds = (double)(to.sample.at - from->sample.at) / USEC_PER_SEC;
	for (unsigned i = 0; i < SERVERS_ROLES; i++)
		ret->cpu[i] = (double)(to.sample.cpu[i] - from->sample.cpu[i]) / USEC_PER_SEC;
	ret->server_cpu = (double)servers_cpu(r->servers, &from->sample, &to.sample) / USEC_PER_SEC;
	ret->load_cpu = (double)(to.load_cpu - from->load_cpu) / USEC_PER_SEC;
	for (unsigned i = 0; i < COUNTS; i++)
		ret->counts[i] = to.counts[i] - from->counts[i];
}

/* ---- values that are waited for ---- */

static uint64_t stood(const struct runner *r)
{
	bool later = r->plan->shape == SHAPE_JOIN;

	return shared_count(r->shared, later ? COUNT_OPEN : COUNT_READY) +
	       shared_count(r->shared, COUNT_LOST_CONN);
}

static uint64_t joined(const struct runner *r)
{
	return shared_count(r->shared, COUNT_JOINED);
}

static uint64_t left(const struct runner *r)
{
	return shared_count(r->shared, COUNT_LEFT);
}

static uint64_t told(const struct runner *r)
{
	return shared_count(r->shared, COUNT_MEMBERS);
}

static uint64_t witnessed(const struct runner *r)
{
	return shared_count(r->shared, COUNT_WITNESSED);
}

static uint64_t judged(const struct runner *r)
{
	return shared_count(r->shared, COUNT_JUDGED);
}

static uint64_t delivered(const struct runner *r)
{
	return shared_count(r->shared, COUNT_DELIVERED);
}

static uint64_t sent(const struct runner *r)
{
	return shared_count(r->shared, COUNT_SENT) + shared_count(r->shared, COUNT_REFUSED);
}

/* Deliveries that all that was sent must lead to. */
static uint64_t owed(const struct runner *r)
{
	uint64_t sum = 0;

	for (uint32_t p = 0; p < r->plan->part_count; p++) {
		const struct part *part = &r->plan->parts[p];

		for (uint32_t g = 0; g < part->channels && part->talk != TALK_CHURN; g++)
			sum += group_sent(&r->shared->group[part->first_group + g]) *
			       plan_receivers(part);
	}
	return sum;
}

/* Refused requests change what is owed: so it is asked again. */
static void settle(struct runner *r)
{
	while (delivered(r) < owed(r) &&
	       wait_for(r, "arriving", delivered, owed(r), r->plan->patience))
		continue;
}

/* ---- steps ---- */

static void open_all(struct runner *r)
{
	uint64_t clients = load_clients(r->plan);
	struct mark m;

	servers_sample(r->servers, true, &r->out->empty);
	mark(r, &m);
	step(r, STEP_OPEN);
	if (!wait_for(r, "connecting", stood, clients, r->plan->patience))
		fail(r, "not all connections could be opened");
	span(r, &m, &r->out->connect);
	if (shared_count(r->shared, COUNT_LOST_CONN) > 0)
		fail(r, "connections were refused or lost");
	step(r, STEP_REST);
	rest(SETTLE);
	servers_sample(r->servers, true, &r->out->full);
}

/* Looks on for so long. */
static void pass(struct runner *r, const char *name, usec_t time)
{
	usec_t begun = clock_mono();

	r->shown = begun;
	r->shown_value = delivered(r);
	while (clock_mono() - begun < time && !r->out->failed) {
		rest(MIN(LOOK, time));
		if (child_ended(r))
			fail(r, "a load process ended before its time");
		show(r, name, delivered(r), 0);
	}
}

static void one_round(struct runner *r, struct span *ret)
{
	struct mark m;

	step(r, STEP_TALK);
	pass(r, "warming up", r->plan->warmup);
	shared_set(&r->shared->measured, 1);
	mark(r, &m);
	pass(r, "talking", r->plan->duration);
	span(r, &m, ret);
	shared_set(&r->shared->measured, 0);
	step(r, STEP_REST);
	settle(r);
}

static void talk(struct runner *r)
{
	shared_set(&r->shared->round, 1); /* all rounds go into one histogram */
	for (uint32_t i = 0; i < r->plan->rounds && !r->out->failed; i++) {
		one_round(r, &r->out->rounds[i]);
		r->out->round_count++;
	}
}

/* Connections rest, then one event goes to each channel. */
static void hold(struct runner *r)
{
	struct mark m;

	pass(r, "holding", r->plan->duration);
	if (r->plan->parts[0].talk == TALK_NONE || r->out->failed)
		return;
	shared_set(&r->shared->round, 1);
	shared_set(&r->shared->measured, 1);
	mark(r, &m);
	step(r, STEP_ONCE);
	(void)wait_for(r, "telling", sent, r->plan->groups, r->plan->patience);
	settle(r);
	span(r, &m, &r->out->rounds[0]);
	r->out->round_count = 1;
}

/* The channel fills, is asked whether all were told of all, and empties but for the witnesses. */
static void join(struct runner *r)
{
	uint64_t n = (uint64_t)r->plan->parts[0].channels * r->plan->parts[0].members;
	uint64_t witnesses = (n + LOAD_WITNESS - 1) / LOAD_WITNESS;
	struct mark m;

	mark(r, &m);
	step(r, STEP_JOIN);
	if (!wait_for(r, "joining", joined, n, r->plan->patience) ||
	    !wait_for(r, "being told", told, n * (n - 1) / 2, r->plan->patience))
		fail(r, "not all joined and were told");
	span(r, &m, &r->out->join);
	step(r, STEP_JUDGE);
	(void)wait_for(r, "judging", judged, r->plan->processes, r->plan->patience);
	mark(r, &m);
	step(r, STEP_LEAVE);
	if (!wait_for(r, "leaving", left, n - witnesses, r->plan->patience))
		fail(r, "not all could leave");
	/* Those that leave may hear of some that left before them; who stays hears of all. */
	if (!wait_for(r, "being told", witnessed, witnesses * (n - witnesses), r->plan->patience))
		fail(r, "not all were told who left");
	span(r, &m, &r->out->leave);
	step(r, STEP_JUDGE);
	(void)wait_for(r, "judging", judged, 2ULL * r->plan->processes, r->plan->patience);
}

/* ---- the whole ---- */

static void start(struct runner *r)
{
	r->children = mem_calloc(r->plan->processes, sizeof(*r->children));
	for (uint32_t i = 0; i < r->plan->processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork(): %s", strerror(errno));
		if (pid == 0) {
			load_run(r->plan, r->shared, i);
			_exit(0);
		}
		r->children[i] = pid;
	}
}

static void gather(struct runner *r)
{
	uint64_t due = owed(r);

	for (unsigned i = 0; i < COUNTS; i++)
		r->out->counts[i] = shared_count(r->shared, i);
	r->out->lost = due > delivered(r) ? due - delivered(r) : 0;
	for (uint32_t i = 0; i < r->plan->processes; i++) {
		const struct shared_process *p = &r->shared->process[i];

		histogram_merge(&r->out->delivery, &p->delivery);
		histogram_merge(&r->out->answer, &p->answer);
		/* What a process has met says more than what we have missed. */
		if (p->fault[0] != '\0')
			memcpy(r->out->fault, p->fault, sizeof(r->out->fault));
	}
}

void run(const struct plan *plan, struct servers *servers, run_progress_fn *progress,
	 struct outcome *ret)
{
	struct runner r = {.plan = plan, .servers = servers, .out = ret, .progress = progress};

	r.shared = shared_new(plan->processes, plan->groups);
	step(&r, STEP_REST);
	start(&r);
	open_all(&r);
	if (!ret->failed && plan->shape == SHAPE_TALK)
		talk(&r);
	else if (!ret->failed && plan->shape == SHAPE_HOLD)
		hold(&r);
	else if (!ret->failed)
		join(&r);
	gather(&r);
	step(&r, STEP_END);
	for (uint32_t i = 0; i < plan->processes; i++) {
		if (r.children[i] > 0)
			(void)waitpid(r.children[i], NULL, 0);
	}
	free(r.children);
}
