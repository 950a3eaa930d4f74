/* A participant has gone: what they were allowed is taken back, at once and for later. */
#include <stdlib.h>

#include "broker/chat/chat_internal.h"

#define CLOSE_CODE 4200 /* connect again: too much has to be remembered of this socket */

struct withdrawal {
	struct chat *c;
	struct slice user_id;
	struct slice channel; /* in turn */
	uint64_t *conns;      /* that lose it */
	size_t n;
	size_t cap;
};

/*
 * A socket loses the channel when it is the user's: as the member of a presence channel, or as whom
 * it was identified. One that is nobody's yet loses it when only this user asked for it.
 */
static bool loses(const struct withdrawal *w, uint64_t conn, bool alone)
{
	const struct registry *reg = w->c->registry;
	struct slice member = registry_member(reg, conn, w->channel);
	struct registry_conn row;

	if (!registry_conn(reg, conn, &row))
		return false;
	if (member.n > 0)
		return slice_eq(member, w->user_id);
	if (row.user_id.n > 0)
		return slice_eq(row.user_id, w->user_id);
	return alone;
}

static void consider(struct withdrawal *w, uint64_t conn, bool alone)
{
	if (!loses(w, conn, alone))
		return;
	if (w->n == w->cap) {
		w->cap = w->cap == 0 ? 8 : 2 * w->cap;
		w->conns = mem_grow(w->conns, w->cap, sizeof(*w->conns));
	}
	w->conns[w->n++] = conn;
}

static void on_conn(void *ctx, uint64_t conn, uint32_t worker)
{
	(void)worker;
	consider(ctx, conn, false);
}

static void on_grant(void *ctx, uint64_t conn, bool alone)
{
	consider(ctx, conn, alone);
}

static void take_back(struct chat *c, uint64_t conn, struct slice channel, struct slice user_id)
{
	bool remembered = grants_withdraw(c->grants, conn, channel, user_id);

	if (registry_is_subscribed(c->registry, conn, channel))
		c->ops->expel(c->ctx, conn, channel);
	if (!remembered)
		c->ops->close(c->ctx, conn, CLOSE_CODE, SLICE("Too many channels were refused"));
}

/* First all are found, then they change: expelling is told back to the rules. */
static void on_channel(void *ctx, struct slice channel)
{
	struct withdrawal *w = ctx;
	struct chat *c = w->c;

	w->channel = channel;
	w->n = 0;
	registry_user_conns(c->registry, c->options.app, w->user_id, true, on_conn, w);
	grants_each(c->grants, channel, w->user_id, on_grant, w);
	for (size_t i = 0; i < w->n; i++)
		take_back(c, w->conns[i], channel, w->user_id);
}

void withdraw(struct chat *c, uint64_t chat, struct slice user_id)
{
	struct withdrawal w = {.c = c, .user_id = user_id};

	participant_changed(c, chat, user_id);
	typings_stop(c->typings, chat, user_id, 0);
	rule_channels(c->options.rules, c->options.nrules, chat, on_channel, &w);
	free(w.conns);
}

static void on_restored(void *ctx, struct slice channel)
{
	const struct withdrawal *w = ctx;

	grants_restore(w->c->grants, channel, w->user_id);
}

void withdraw_undo(struct chat *c, uint64_t chat, struct slice user_id)
{
	struct withdrawal w = {.c = c, .user_id = user_id};

	participant_changed(c, chat, user_id);
	rule_channels(c->options.rules, c->options.nrules, chat, on_restored, &w);
}
