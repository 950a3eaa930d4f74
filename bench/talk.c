/* Who says what when. */
#include <stdlib.h>

#include "bench/load_internal.h"
#include "bench/pusher.h"
#include "bench/stamp.h"
#include "common/base/mem.h"

#define BURST 32	 /* events of one talker in one write */
#define WAIT_BLOCKED 200 /* until somebody else's deliveries are looked at */
#define WAIT_MOST 10000
#define EVENT_NAME "client-bench"

/* ---- one event ---- */

static struct shared_group *group_of(const struct load *l, const struct talker *t)
{
	return &l->shared->group[t->part->first_group + t->channel];
}

/* Whether the channel has room for one more. */
static bool window_open(const struct load *l, const struct talker *t)
{
	const struct shared_group *g = group_of(l, t);
	uint64_t receivers = plan_receivers(t->part);

	return t->part->window == 0 ||
	       group_sent(g) * receivers - MIN(group_delivered(g), group_sent(g) * receivers) <
		       t->part->window * receivers;
}

static bool may(const struct load *l, const struct talker *t)
{
	if (t->line != NULL && !line_may(t->line))
		return false;
	if (t->part->talk == TALK_CHURN)
		return t->client->state == CLIENT_READY || t->client->state == CLIENT_STANDING;
	if (t->client != NULL &&
	    (t->client->state != CLIENT_READY || conn_waiting(&t->client->conn) > 0))
		return false;
	return window_open(l, t);
}

static void put_stamp(struct load *l, struct talker *t, usec_t at)
{
	struct stamp stamp = {.source = t->source, .number = t->number++, .at = at};

	stamp_put(&l->text, &stamp, t->part->size);
	l->counts[COUNT_SENT]++;
	group_add(&group_of(l, t)->sent, 1);
}

static void put_client_event(struct load *l, struct talker *t, usec_t at)
{
	char name[LOAD_CHANNEL_NAME];
	struct slice channel = load_channel(l, t->part, t->channel, name);

	(void)buf_printf(&l->text, "{\"event\":\"" EVENT_NAME "\",\"channel\":\"%.*s\",\"data\":\"",
			 SLICE_ARG(channel));
	put_stamp(l, t, at);
	(void)buf_add(&l->text, SLICE("\"}"));
	pusher_put_text(&l->out, buf_slice(&l->text));
	buf_clear(&l->text);
}

static void put_publish(struct load *l, struct talker *t, usec_t at)
{
	char name[LOAD_CHANNEL_NAME];
	struct slice channel = load_channel(l, t->part, t->channel, name);

	(void)buf_printf(&l->text, "{\"name\":\"bench\",\"channel\":\"%.*s\",\"data\":\"",
			 SLICE_ARG(channel));
	put_stamp(l, t, at);
	(void)buf_add(&l->text, SLICE("\"}"));
	http_put_event(&l->out, &l->app, clock_wall() / (wall_us_t)USEC_PER_SEC,
		       buf_slice(&l->text));
	buf_clear(&l->text);
}

static void put_message(struct load *l, struct talker *t, usec_t at)
{
	const struct plan *p = l->plan;

	(void)buf_add(&l->text, SLICE("{\"body\":\""));
	put_stamp(l, t, at);
	(void)buf_add(&l->text, SLICE("\"}"));
	http_put_message(&l->out, l->app.host, slice_str(p->chats[t->channel % p->chat_count]),
			 slice_str(p->tokens[t->source % p->token_count]), buf_slice(&l->text));
	buf_clear(&l->text);
}

static void say(struct load *l, struct talker *t, usec_t at)
{
	switch (t->part->talk) {
	case TALK_CLIENT:
	case TALK_GUEST:
		put_client_event(l, t, at);
		client_flush(t->client);
		break;
	case TALK_HTTP:
		put_publish(l, t, at);
		line_send(t->line, t, at);
		break;
	case TALK_CHAT:
		put_message(l, t, at);
		line_send(t->line, t, at);
		break;
	case TALK_CHURN:
		if (t->client == NULL)
			break;
		if (t->client->state == CLIENT_READY)
			client_unsubscribe(t->client);
		else
			client_subscribe(t->client);
		break;
	case TALK_NONE:
		break;
	}
}

/* ---- whose turn it is ---- */

/* Several client events in one write. */
static unsigned say_many(struct load *l, struct talker *t)
{
	unsigned n = 0;

	if (t->client == NULL || t->part->talk == TALK_CHURN) {
		for (; n < BURST && may(l, t); n++)
			say(l, t, l->now);
		return n;
	}
	for (; n < BURST && may(l, t); n++)
		put_client_event(l, t, l->now);
	if (n > 0)
		client_flush(t->client);
	return n;
}

/* As much as the windows let. */
static usec_t flood(struct load *l, struct pace *p)
{
	unsigned said = 0;

	for (uint32_t i = 0; i < p->n; i++) {
		said += say_many(l, &p->talkers[p->next]);
		p->next = (p->next + 1) % p->n;
	}
	return said > 0 ? 0 : WAIT_BLOCKED;
}

/*
 * What is due by the clock. An event that has to wait keeps the time at which it was due: its
 * latency counts from there.
 */
static usec_t keep_pace(struct load *l, struct pace *p)
{
	while (p->due <= (double)l->now) {
		struct talker *t = &p->talkers[p->next];

		if (!may(l, t))
			return WAIT_BLOCKED;
		say(l, t, (usec_t)p->due);
		p->next = (p->next + 1) % p->n;
		p->due += p->period;
	}
	return (usec_t)(p->due - (double)l->now);
}

usec_t talk_turn(struct load *l)
{
	usec_t wait = WAIT_MOST;

	for (uint32_t i = 0; i < l->plan->part_count; i++) {
		struct pace *p = &l->paces[i];

		if (p->n > 0)
			wait = MIN(wait, p->period > 0 ? keep_pace(l, p) : flood(l, p));
	}
	return wait;
}

void talk_once(struct load *l)
{
	for (uint32_t i = 0; i < l->plan->part_count; i++) {
		struct pace *p = &l->paces[i];

		for (; p->once < p->n && may(l, &p->talkers[p->once]); p->once++)
			say(l, &p->talkers[p->once], l->now);
	}
}

void talk_begin(struct load *l)
{
	for (uint32_t i = 0; i < l->plan->part_count; i++) {
		struct pace *p = &l->paces[i];

		/* Processes begin at different times of one period. */
		p->due = (double)l->now + p->period * (l->number + 1) / (l->plan->processes + 1);
		p->once = 0;
	}
}

/* ---- making them ---- */

/* Talker k of a part is source k / channels of channel k % channels. */
static void add(struct pace *p, uint32_t k, struct client *client, struct line *line)
{
	p->talkers[p->n++] = (struct talker){
		.client = client,
		.line = line,
		.part = p->part,
		.channel = k % p->part->channels,
		.source = k / p->part->channels,
	};
}

/* Client k is talker k. */
static void add_clients(struct load *l, struct pace *p, uint32_t all)
{
	bool guests = p->part->talk == TALK_GUEST;

	for (uint32_t i = 0; i < l->client_count; i++) {
		struct client *c = &l->clients[i];

		if (c->part == p->part && c->guest == guests && c->index < all)
			add(p, c->index, c, NULL);
	}
}

/* The lines of a part take them in turn. */
static void add_lines(struct load *l, struct pace *p, uint32_t all)
{
	struct line *lines = l->lines;
	uint32_t used = 0;

	while (lines->part != p->part)
		lines++;
	for (uint32_t k = 0; k < all; k++) {
		if (plan_talker_process(l->plan, k % p->part->channels) == l->number)
			add(p, k, NULL, &lines[used++ % p->part->lines]);
	}
}

static void make_pace(struct load *l, struct pace *p, const struct part *part)
{
	uint32_t all = part->channels * part->talkers;

	p->part = part;
	if (part->talk == TALK_NONE || all == 0)
		return;
	p->talkers = mem_calloc(all, sizeof(*p->talkers));
	if (part->talk == TALK_HTTP || part->talk == TALK_CHAT)
		add_lines(l, p, all);
	else
		add_clients(l, p, all);
	if (part->rate > 0 && p->n > 0)
		p->period = (double)USEC_PER_SEC * all / (part->rate * p->n);
}

void talk_init(struct load *l)
{
	for (uint32_t i = 0; i < l->plan->part_count; i++)
		make_pace(l, &l->paces[i], &l->plan->parts[i]);
}

void talk_done(struct load *l)
{
	for (uint32_t i = 0; i < l->plan->part_count; i++)
		free(l->paces[i].talkers);
}
