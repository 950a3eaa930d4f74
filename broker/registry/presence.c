/*
 * Members of presence channels: one for each user, first and last connection only.
 *
 * The snapshot is kept as two pieces of JSON, ids and hash. A join appends to both, so n joins cost
 * n encodings; a leave or a changed user_info makes them stale, and the next snapshot writes them
 * anew.
 */
#include <stdlib.h>

#include "broker/registry/registry_internal.h"

/*
 * The snapshot must fit into the record that carries it: each member's part is set aside when it
 * joins, an id at its worst (twice, every byte an escape of six) and the user_info.
 */
#define SNAPSHOT_MAX ((size_t)LIMIT_WIRE_RECORD - 4096)

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

struct member *presence_new(struct registry *reg, struct channel *c, struct slice id)
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
	c->stale = true;
	reg->stats.members--;
	free(m->kept);
	free(m);
}

static struct slice member_id(const struct member *m)
{
	return slice_of(m->id, m->id_n);
}

/* The user_info of the first subscription that still stands. */
struct slice presence_info(const struct member *m)
{
	const struct presence_sub *s = TAILQ_FIRST(&m->subs);

	return s != NULL ? slice_of(s->info, s->info_n) : slice_of(m->kept, m->kept_n);
}

static void add_info(struct buf *b, const struct member *m)
{
	struct slice info = presence_info(m);

	(void)buf_add(b, info.n > 0 && info.n <= m->room ? info : SLICE("null"));
}

/* ---- the snapshot ---- */

bool presence_has_room(const struct channel *c, struct slice id, struct slice info)
{
	return c->reserved + id_cost(id.n) + info.n <= SNAPSHOT_MAX;
}

/* Sets the present user_info's part aside; where there is no room for a longer one it is null. */
static void reserve_info(struct member *m)
{
	struct channel *c = m->channel;
	size_t n = presence_info(m).n;

	c->reserved -= m->room;
	m->room = c->reserved + n <= SNAPSHOT_MAX ? n : 0;
	c->reserved += m->room;
}

static void append(struct channel *c, const struct member *m)
{
	if (c->ids.max == 0) {
		buf_init(&c->ids, SNAPSHOT_MAX);
		buf_init(&c->hash, SNAPSHOT_MAX);
	}
	if (c->ids.n > 0) {
		(void)buf_addc(&c->ids, ',');
		(void)buf_addc(&c->hash, ',');
	}
	(void)buf_json_str(&c->ids, member_id(m));
	(void)buf_json_str(&c->hash, member_id(m));
	(void)buf_addc(&c->hash, ':');
	add_info(&c->hash, m);
}

static void write_anew(struct channel *c)
{
	const struct member *m;

	buf_clear(&c->ids);
	buf_clear(&c->hash);
	TAILQ_FOREACH (m, &c->in_order, order)
		append(c, m);
	c->stale = false;
}

struct slice presence_snapshot(struct registry *reg, struct channel *c)
{
	struct buf *b = &reg->text;

	if (c->stale)
		write_anew(c);
	buf_clear(b);
	(void)buf_add(b, SLICE("{\"presence\":{\"ids\":["));
	(void)buf_add(b, buf_slice(&c->ids));
	(void)buf_add(b, SLICE("],\"hash\":{"));
	(void)buf_add(b, buf_slice(&c->hash));
	(void)buf_add(b, SLICE("},\"count\":"));
	(void)buf_u64(b, c->member_count);
	(void)buf_add(b, SLICE("}}"));
	return buf_slice(b);
}

/* ---- events ---- */

static bool is_silent(const struct registry *reg, const struct channel *c)
{
	return reg->options.member_events_max > 0 &&
	       c->member_count > reg->options.member_events_max;
}

void presence_announce(struct registry *reg, const struct member *m, uint64_t exclude)
{
	struct channel *c = m->channel;
	struct buf *b = &reg->text;

	if (is_silent(reg, c))
		return;
	buf_clear(b);
	(void)buf_add(b, SLICE("{\"user_id\":"));
	(void)buf_json_str(b, member_id(m));
	(void)buf_add(b, SLICE(",\"user_info\":"));
	add_info(b, m);
	(void)buf_addc(b, '}');
	reg->ops->event(reg->ctx, c->app, channel_text(c), SLICE("pusher_internal:member_added"),
			buf_slice(b), exclude);
}

static void announce_removal(struct registry *reg, const struct member *m)
{
	struct channel *c = m->channel;
	struct buf *b = &reg->text;

	if (is_silent(reg, c))
		return;
	buf_clear(b);
	(void)buf_add(b, SLICE("{\"user_id\":"));
	(void)buf_json_str(b, member_id(m));
	(void)buf_addc(b, '}');
	reg->ops->event(reg->ctx, c->app, channel_text(c), SLICE("pusher_internal:member_removed"),
			buf_slice(b), 0);
}

/* ---- joining and leaving ---- */

void presence_join(struct registry *reg, struct member *m, struct presence_sub *s)
{
	struct channel *c = m->channel;
	bool first = TAILQ_EMPTY(&m->subs);
	bool returns = first && m->deadline != 0;

	if (returns) {
		TAILQ_REMOVE(&reg->graces, m, grace);
		m->deadline = 0;
		if (!slice_eq(slice_of(m->kept, m->kept_n), slice_of(s->info, s->info_n)))
			c->stale = true;
		free(m->kept);
		m->kept = NULL;
		m->kept_n = 0;
	}
	s->member = m;
	TAILQ_INSERT_TAIL(&m->subs, s, of_member);
	if (first)
		reserve_info(m);
	if (first && !returns && !c->stale)
		append(c, m);
}

static void begin_grace(struct registry *reg, struct moment now, struct member *m,
			const struct presence_sub *s)
{
	const struct member *last = TAILQ_LAST(&reg->graces, members);

	m->kept = mem_alloc(s->info_n + 1U);
	m->kept_n = s->info_n;
	memcpy(m->kept, s->info, s->info_n);
	/* After a reload that shortened the grace the order of the list still holds. */
	m->deadline = now.mono + reg->options.presence_grace;
	if (last != NULL && last->deadline > m->deadline)
		m->deadline = last->deadline;
	TAILQ_INSERT_TAIL(&reg->graces, m, grace);
}

static void remove_member(struct registry *reg, struct member *m)
{
	announce_removal(reg, m);
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
		if (was_first && !slice_eq(slice_of(s->info, s->info_n), presence_info(m))) {
			reserve_info(m);
			c->stale = true;
		}
		return;
	}
	m->last = s->sub.conn->number;
	reg->ops->left(reg->ctx, c->app, member_id(m), channel_text(c));
	if (grace && reg->options.presence_grace > 0)
		begin_grace(reg, now, m, s);
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
