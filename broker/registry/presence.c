/*
 * Members of presence channels: one for each user, first and last connection only.
 *
 * Each worker with subscriptions keeps the same list and makes the snapshots of its clients from it
 * (worker/hub/roster.h): it is told the whole list once, when it becomes interested, and then each
 * change. So n joins cost n records a worker.
 */
#include "broker/registry/presence.h"

#include <stdlib.h>

#include "broker/registry/registry_internal.h"

/*
 * The list must fit into a record, and the snapshot made of it into a frame: each member's part is
 * set aside when it joins, an id at its worst (twice, every byte an escape of six) and the
 * user_info.
 */
#define LIST_MAX ((size_t)LIMIT_WIRE_RECORD - 4096)

static size_t id_cost(size_t id_n)
{
	return 12 * id_n + 12;
}

struct member *presence_find(const struct channel *c, struct slice id)
{
	struct member *m;

	HASH_FIND(hh, c->members, id.p, id.n, m);
	return m;
}

static struct member *member_new(struct registry *reg, struct channel *c, struct slice id)
{
	struct member *m = mem_zalloc(sizeof(*m) + id.n);

	TAILQ_INIT(&m->subs);
	m->channel = c;
	m->id_n = (uint32_t)id.n;
	memcpy(m->id, id.p, id.n);
	HASH_ADD(hh, c->members, id, m->id_n, m);
	TAILQ_INSERT_TAIL(&c->in_order, m, order);
	c->member_count++;
	c->reserved += id_cost(id.n);
	reg->stats.members++;
	return m;
}

void presence_free(struct registry *reg, struct member *m)
{
	struct channel *c = m->channel;

	if (m->deadline != 0)
		TAILQ_REMOVE(&reg->graces, m, grace);
	HASH_DELETE(hh, c->members, m);
	TAILQ_REMOVE(&c->in_order, m, order);
	c->member_count--;
	c->reserved -= id_cost(m->id_n) + m->room;
	reg->stats.members--;
	free(m->kept);
	free(m);
}

static struct slice member_id(const struct member *m)
{
	return slice_of(m->id, m->id_n);
}

/* The user_info of the first subscription that still stands. */
static struct slice own_info(const struct member *m)
{
	const struct presence_sub *s = TAILQ_FIRST(&m->subs);

	return s != NULL ? slice_of(s->info, s->info_n) : slice_of(m->kept, m->kept_n);
}

struct slice presence_info(const struct member *m)
{
	struct slice info = own_info(m);

	return info.n <= m->room ? info : SLICE_NONE;
}

bool presence_has_room(const struct channel *c, struct slice id, struct slice info)
{
	return c->reserved + id_cost(id.n) + info.n <= LIST_MAX;
}

/* Sets the present user_info's part aside, if there is room for a longer one. */
static void reserve_info(struct member *m)
{
	struct channel *c = m->channel;
	size_t n = own_info(m).n;

	c->reserved -= m->room;
	m->room = c->reserved + n <= LIST_MAX ? n : 0;
	c->reserved += m->room;
}

/* ---- what is told ---- */

bool presence_announces(const struct registry *reg, const struct channel *c)
{
	uint32_t most = reg->options.member_events_max;

	return most == 0 || c->member_count <= most;
}

static void tell(struct registry *reg, const struct member *m, enum registry_change_kind kind,
		 uint64_t exclude)
{
	const struct channel *c = m->channel;
	struct registry_change change = {
		.app = c->app,
		.kind = kind,
		.announce = kind != REGISTRY_CHANGED && presence_announces(reg, c),
		.channel = channel_text(c),
		.user_id = member_id(m),
		.user_info = kind != REGISTRY_REMOVED ? presence_info(m) : SLICE_NONE,
		.exclude = exclude,
	};

	reg->ops->member(reg->ctx, &change);
}

/* ---- joining and leaving ---- */

static void end_grace(struct registry *reg, struct member *m)
{
	TAILQ_REMOVE(&reg->graces, m, grace);
	m->deadline = 0;
	free(m->kept);
	m->kept = NULL;
	m->kept_n = 0;
}

void presence_join(struct registry *reg, struct presence_sub *s, struct slice id)
{
	struct channel *c = s->sub.channel;
	struct member *m = presence_find(c, id);
	bool is_new = m == NULL;
	bool is_changed = false;

	if (is_new)
		m = member_new(reg, c, id);
	if (m->deadline != 0) {
		is_changed = !slice_eq(own_info(m), slice_of(s->info, s->info_n));
		end_grace(reg, m);
	}
	s->member = m;
	TAILQ_INSERT_TAIL(&m->subs, s, of_member);
	if (is_new || is_changed)
		reserve_info(m);
	if (is_new)
		tell(reg, m, REGISTRY_ADDED, s->sub.conn->number);
	else if (is_changed)
		tell(reg, m, REGISTRY_CHANGED, 0);
}

static void begin_grace(struct registry *reg, struct moment now, struct member *m,
			struct slice info)
{
	const struct member *last = TAILQ_LAST(&reg->graces, members);

	m->kept = slice_dup(info);
	m->kept_n = (uint32_t)info.n;
	/* After a reload that shortened the grace the order of the list still holds. */
	m->deadline = now.mono + reg->options.presence_grace;
	if (last != NULL && last->deadline > m->deadline)
		m->deadline = last->deadline;
	TAILQ_INSERT_TAIL(&reg->graces, m, grace);
}

static void remove_member(struct registry *reg, struct member *m)
{
	tell(reg, m, REGISTRY_REMOVED, 0);
	if (m->last != 0)
		reg->ops->settled(reg->ctx, m->last, channel_text(m->channel));
	presence_free(reg, m);
}

void presence_leave(struct registry *reg, struct moment now, struct presence_sub *s, bool grace)
{
	struct member *m = s->member;
	struct channel *c = m->channel;
	bool was_first = TAILQ_FIRST(&m->subs) == s;

	TAILQ_REMOVE(&m->subs, s, of_member);
	s->member = NULL;
	if (!TAILQ_EMPTY(&m->subs)) {
		if (was_first && !slice_eq(slice_of(s->info, s->info_n), own_info(m))) {
			reserve_info(m);
			tell(reg, m, REGISTRY_CHANGED, 0);
		}
		return;
	}
	m->last = s->sub.conn->number;
	reg->ops->left(reg->ctx, c->app, member_id(m), channel_text(c));
	if (grace && reg->options.presence_grace > 0)
		begin_grace(reg, now, m, slice_of(s->info, s->info_n));
	else
		remove_member(reg, m);
}

void presence_turn(struct registry *reg, struct moment now)
{
	struct member *m;

	while ((m = TAILQ_FIRST(&reg->graces)) != NULL && m->deadline <= now.mono) {
		struct channel *c = m->channel;

		remove_member(reg, m);
		channel_release(reg, c);
	}
}

/* ---- reading ---- */

void registry_members(const struct registry *reg, uint32_t app, struct slice channel,
		      registry_member_fn *fn, void *ctx)
{
	const struct channel *c = registry_find_channel(reg, app, channel);
	const struct member *m;

	if (c == NULL)
		return;
	TAILQ_FOREACH (m, &c->in_order, order)
		fn(ctx, slice_of(m->id, m->id_n), presence_info(m));
}

bool registry_announces(const struct registry *reg, uint32_t app, struct slice channel)
{
	const struct channel *c = registry_find_channel(reg, app, channel);

	return c != NULL && presence_announces(reg, c);
}

void registry_presence(const struct registry *reg, registry_presence_fn *fn, void *ctx)
{
	for (uint32_t app = 0; app < reg->napps; app++) {
		for (const struct channel *c = reg->apps[app].channels; c != NULL; c = c->hh.next)
			if (c->presence && c->subscriptions > 0)
				fn(ctx, app, channel_text(c));
	}
}

/* ---- after a restart ---- */

void registry_recall(struct registry *reg, struct moment now, uint32_t app, struct slice channel,
		     struct slice user_id, struct slice user_info)
{
	struct channel *c = registry_make_channel(reg, app, channel, true);
	struct member *m;

	if (presence_find(c, user_id) == NULL && presence_has_room(c, user_id, user_info)) {
		m = member_new(reg, c, user_id);
		begin_grace(reg, now, m, user_info);
		reserve_info(m);
	}
	channel_release(reg, c);
}

void registry_recalled(struct registry *reg, struct moment now)
{
	struct member *m;

	TAILQ_FOREACH (m, &reg->graces, grace)
		m->deadline = now.mono + reg->options.presence_grace;
}
