#include "bench/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/load_internal.h"
#include "common/base/mem.h"
#include "common/crypto/hmac.h"

#define TEXT_MAX (1U << 20)
#define OUT_MAX (64U << 20)
#define REST_WAIT 10000		       /* microseconds between two looks at the step */
#define PARENT_LOOK (1 * USEC_PER_SEC) /* between two looks at the parent */

void load_fault(struct load *l, const char *what, struct slice detail)
{
	if (l->mine->fault[0] == '\0')
		(void)snprintf(l->mine->fault, sizeof(l->mine->fault), "%s: %.*s", what,
			       SLICE_ARG(slice_first(detail, SHARED_FAULT)));
}

struct slice load_channel(const struct load *l, const struct part *part, uint32_t channel,
			  char ret[LOAD_CHANNEL_NAME])
{
	int n;

	if (part->talk == TALK_CHAT)
		n = snprintf(ret, LOAD_CHANNEL_NAME, "%s%s", part->prefix,
			     l->plan->chats[channel % l->plan->chat_count]);
	else
		n = snprintf(ret, LOAD_CHANNEL_NAME, "%s%u-%u", part->prefix, l->plan->run,
			     channel);
	return slice_of(ret, MIN((size_t)n, (size_t)LOAD_CHANNEL_NAME - 1));
}

/* ---- what this process has ---- */

static uint32_t guests_of(const struct part *part)
{
	return part->talk == TALK_GUEST ? part->channels * part->talkers : 0;
}

static uint32_t listeners_of(const struct part *part)
{
	return part->channels * part->members;
}

uint32_t load_clients(const struct plan *plan)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < plan->part_count; i++)
		n += listeners_of(&plan->parts[i]) + guests_of(&plan->parts[i]);
	return n;
}

static void add_client(struct load *l, const struct part *part, uint32_t index, bool guest)
{
	struct client *c = &l->clients[l->client_count++];

	c->load = l;
	c->part = part;
	c->index = index;
	c->group = part->first_group + index % part->channels;
	c->guest = guest;
	if (!guest && part->talk != TALK_NONE && part->talk != TALK_CHURN)
		c->tracks = mem_calloc(part->talkers, sizeof(*c->tracks));
}

static bool is_mine(const struct load *l, const struct part *part, uint32_t i, bool guest)
{
	uint32_t process = guest ? plan_talker_process(l->plan, i % part->channels)
				 : plan_process(l->plan, part, i);

	return process == l->number;
}

static uint32_t count_mine(const struct load *l, const struct part *part)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < listeners_of(part); i++)
		n += is_mine(l, part, i, false);
	for (uint32_t i = 0; i < guests_of(part); i++)
		n += is_mine(l, part, i, true);
	return n;
}

static void add_clients(struct load *l, const struct part *part)
{
	for (uint32_t i = 0; i < listeners_of(part); i++) {
		if (is_mine(l, part, i, false))
			add_client(l, part, i, false);
	}
	for (uint32_t i = 0; i < guests_of(part); i++) {
		if (is_mine(l, part, i, true))
			add_client(l, part, i, true);
	}
}

static bool has_lines(const struct part *part)
{
	return part->talk == TALK_HTTP || part->talk == TALK_CHAT;
}

static void add_lines(struct load *l)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->plan->part_count; i++)
		n += has_lines(&l->plan->parts[i]) ? l->plan->parts[i].lines : 0;
	l->lines = mem_calloc(MAX(n, 1U), sizeof(*l->lines));
	for (uint32_t i = 0; i < l->plan->part_count; i++) {
		const struct part *part = &l->plan->parts[i];

		for (uint32_t k = 0; has_lines(part) && k < part->lines; k++) {
			struct line *line = &l->lines[l->line_count++];

			line->load = l;
			line->part = part;
			line_open(line);
		}
	}
}

/* ---- steps ---- */

static void reset_histograms(struct load *l)
{
	uint32_t round = shared_get(&l->shared->round);

	if (l->mine->round == round)
		return;
	memset(&l->mine->delivery, 0, sizeof(l->mine->delivery));
	memset(&l->mine->answer, 0, sizeof(l->mine->answer));
	l->mine->round = round;
}

static uint32_t leavers_of(const struct part *part)
{
	uint32_t n = listeners_of(part);

	return n - (n + LOAD_WITNESS - 1) / LOAD_WITNESS;
}

/* Witnesses have been told of all that left; where nobody has left, each of all that joined. */
static void judge(struct load *l)
{
	bool left = shared_count(l->shared, COUNT_LEFT) > 0;

	for (uint32_t i = 0; i < l->client_count; i++) {
		const struct client *c = &l->clients[i];

		if (!c->part->later || c->state != CLIENT_READY)
			continue;
		if (left ? c->removed != leavers_of(c->part)
			 : c->rank + c->added != listeners_of(c->part))
			l->counts[COUNT_WRONG]++;
	}
	l->counts[COUNT_JUDGED]++;
}

static void take_step(struct load *l)
{
	uint32_t step = shared_get(&l->shared->step);

	if (step == l->step)
		return;
	l->step = step;
	l->walked = 0;
	if (step == STEP_TALK || step == STEP_ONCE)
		talk_begin(l);
	else if (step == STEP_JUDGE)
		judge(l);
}

static void open_more(struct load *l)
{
	while (l->opened < l->client_count && l->under_way < l->plan->opening)
		client_open(&l->clients[l->opened++]);
}

static void join_more(struct load *l)
{
	for (; l->walked < l->client_count && l->under_way < l->plan->opening; l->walked++) {
		struct client *c = &l->clients[l->walked];

		if (c->part->later && c->state == CLIENT_STANDING)
			client_subscribe(c);
	}
}

static void leave_more(struct load *l)
{
	for (uint32_t n = 0; l->walked < l->client_count && n < l->plan->opening; l->walked++) {
		struct client *c = &l->clients[l->walked];

		if (!c->part->later || c->state != CLIENT_READY || client_is_witness(c))
			continue;
		client_unsubscribe(c);
		n++;
	}
}

/* Does a piece of the step; how long there is nothing more to do, at most. */
static usec_t do_step(struct load *l)
{
	switch ((enum step)l->step) {
	case STEP_OPEN:
		open_more(l);
		break;
	case STEP_TALK:
		return talk_turn(l);
	case STEP_ONCE:
		talk_once(l);
		break;
	case STEP_JOIN:
		join_more(l);
		break;
	case STEP_LEAVE:
		leave_more(l);
		return l->walked < l->client_count ? 0 : REST_WAIT;
	case STEP_REST:
	case STEP_JUDGE:
	case STEP_END:
		break;
	}
	return REST_WAIT;
}

/* ---- the turn ---- */

static void show_deliveries(struct load *l)
{
	for (uint32_t i = 0; i < l->touched_n; i++) {
		uint32_t group = l->touched[i];

		group_add(&l->shared->group[group].delivered, l->delivered[group]);
		l->delivered[group] = 0;
	}
	l->touched_n = 0;
}

static void show_cpu(struct load *l)
{
	struct rusage use;

	if (getrusage(RUSAGE_SELF, &use) == 0)
		l->mine->cpu_us =
			(uint64_t)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * USEC_PER_SEC +
			(uint64_t)(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
}

static void turn(struct load *l)
{
	usec_t wait;

	l->now = clock_mono();
	take_step(l);
	reset_histograms(l);
	l->measured = shared_get(&l->shared->measured) != 0;
	wait = do_step(l);
	net_turn(l->net, wait, &l->now);
	show_deliveries(l);
	show_cpu(l);
	shared_show(l->mine, l->counts);
}

static void init(struct load *l, const struct plan *plan, struct shared *shared, uint32_t number)
{
	uint32_t mine = 0;

	l->plan = plan;
	l->shared = shared;
	l->number = number;
	l->mine = &shared->process[number];
	l->net = net_new(&plan->target, plan->sources);
	l->secret = hmac_key_new(slice_str(plan->app_secret));
	l->app = (struct http_app){
		.host = slice_str(plan->host),
		.id = slice_str(plan->app_id),
		.key = slice_str(plan->app_key),
		.secret = l->secret,
	};
	l->delivered = mem_calloc(plan->groups + 1, sizeof(*l->delivered));
	l->touched = mem_calloc(plan->groups + 1, sizeof(*l->touched));
	buf_init(&l->out, OUT_MAX);
	buf_init(&l->text, TEXT_MAX);
	for (uint32_t i = 0; i < plan->part_count; i++)
		mine += count_mine(l, &plan->parts[i]);
	l->clients = mem_calloc(MAX(mine, 1U), sizeof(*l->clients));
	for (uint32_t i = 0; i < plan->part_count; i++)
		add_clients(l, &plan->parts[i]);
	add_lines(l);
	talk_init(l);
}

void load_run(const struct plan *plan, struct shared *shared, uint32_t number)
{
	static struct load load;
	pid_t parent = getppid();
	usec_t looked;

	init(&load, plan, shared, number);
	looked = clock_mono();
	while (shared_get(&shared->step) != STEP_END) {
		turn(&load);
		if (load.now - looked < PARENT_LOOK)
			continue;
		looked = load.now;
		if (getppid() != parent)
			break;
	}
	/* The kernel closes what is open: nobody waits for the memory of a process that ends. */
	talk_done(&load);
}
