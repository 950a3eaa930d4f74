/* Channels, who is subscribed, and which workers must hear of them. */
#include <stdlib.h>

#include "broker/registry/registry_internal.h"

/* With more subscriptions than this their count is told at most every COUNT_PAUSE. */
#define COUNT_LARGE 100
#define COUNT_PAUSE (5 * USEC_PER_SEC)

struct channel *registry_find_channel(const struct registry *reg, uint32_t app, struct slice name)
{
	struct channel *c = NULL;

	if (app < reg->napps && name.n > 0)
		HASH_FIND(hh, reg->apps[app].channels, name.p, name.n, c);
	return c;
}

struct channel *registry_make_channel(struct registry *reg, uint32_t app, struct slice name,
				      bool presence)
{
	struct app_state *a = registry_app_state(reg, app);
	struct channel *c = registry_find_channel(reg, app, name);

	if (c != NULL)
		return c;
	c = mem_zalloc(sizeof(*c) + name.n);
	TAILQ_INIT(&c->in_order);
	c->app = app;
	c->presence = presence;
	c->name_n = (uint32_t)name.n;
	memcpy(c->name, name.p, name.n);
	HASH_ADD(hh, a->channels, name, c->name_n, c);
	reg->stats.channels++;
	return c;
}

void channel_release(struct registry *reg, struct channel *c)
{
	if (c->subscriptions > 0 || c->member_count > 0)
		return;
	if (c->count_due)
		TAILQ_REMOVE(&reg->counts, c, counts);
	HASH_DELETE(hh, reg->apps[c->app].channels, c);
	reg->stats.channels--;
	free(c->interest);
	free(c);
}

/* ---- interest ---- */

/* There are few workers: a row each, found by looking. */
static struct interest *interest_of(struct channel *c, uint32_t worker)
{
	struct interest *it;

	for (uint32_t i = 0; i < c->interest_n; i++)
		if (c->interest[i].worker == worker)
			return &c->interest[i];
	if (c->interest_n == c->interest_cap) {
		c->interest_cap = c->interest_cap == 0 ? 2 : c->interest_cap * 2;
		c->interest = mem_grow(c->interest, c->interest_cap, sizeof(*c->interest));
	}
	it = &c->interest[c->interest_n++];
	it->worker = worker;
	it->subscriptions = 0;
	return it;
}

/* True: the worker had none before. */
static bool interest_add(struct channel *c, uint32_t worker)
{
	return interest_of(c, worker)->subscriptions++ == 0;
}

static void interest_drop(struct channel *c, uint32_t worker)
{
	struct interest *it = interest_of(c, worker);

	if (--it->subscriptions == 0)
		*it = c->interest[--c->interest_n];
}

const struct interest *registry_interest(const struct registry *reg, uint32_t app,
					 struct slice channel, uint32_t *ret_n)
{
	const struct channel *c = registry_find_channel(reg, app, channel);

	*ret_n = c != NULL ? c->interest_n : 0;
	return c != NULL ? c->interest : NULL;
}

/* ---- subscription_count ---- */

static void tell_count(struct registry *reg, usec_t now, struct channel *c)
{
	struct buf *b = &reg->text;

	c->count_at = now + COUNT_PAUSE;
	buf_clear(b);
	(void)buf_printf(b, "{\"subscription_count\":%u}", c->subscriptions);
	reg->ops->event(reg->ctx, c->app, channel_text(c),
			SLICE("pusher_internal:subscription_count"), buf_slice(b));
}

/*
 * After each change: at once in small channels, in large ones when the pause is over. Presence
 * channels have their members instead.
 */
static void count_changed(struct registry *reg, usec_t now, struct channel *c)
{
	if (c->presence || !reg->apps[c->app].subscription_count || c->count_due)
		return;
	if (c->subscriptions <= COUNT_LARGE || now >= c->count_at) {
		tell_count(reg, now, c);
		return;
	}
	c->count_due = true;
	TAILQ_INSERT_TAIL(&reg->counts, c, counts);
}

void subscription_turn(struct registry *reg, usec_t now)
{
	struct channel *c;

	while ((c = TAILQ_FIRST(&reg->counts)) != NULL && c->count_at <= now) {
		TAILQ_REMOVE(&reg->counts, c, counts);
		c->count_due = false;
		tell_count(reg, now, c);
	}
}

/* ---- beginning ---- */

/* A connection has few subscriptions, a limit bounds them: looking is cheaper than a table. */
static struct sub *find_sub(const struct conn *conn, const struct channel *c)
{
	struct sub *s;

	if (conn == NULL || c == NULL)
		return NULL;
	TAILQ_FOREACH (s, &conn->subs, of_conn)
		if (s->channel == c)
			return s;
	return NULL;
}

static struct sub *lookup(const struct registry *reg, uint64_t conn, struct slice channel)
{
	const struct conn *c = registry_find_conn(reg, conn);

	return c != NULL ? find_sub(c, registry_find_channel(reg, c->app, channel)) : NULL;
}

static struct sub *sub_new(struct registry *reg, struct moment now, struct conn *conn,
			   struct channel *c, const struct registry_subscribe *r)
{
	struct slice info = r->user_info;
	struct presence_sub *p;
	struct sub *s;

	if (c->presence) {
		p = mem_zalloc(sizeof(*p) + info.n);
		p->info_n = (uint32_t)info.n;
		memcpy(p->info, info.p != NULL ? info.p : "", info.n);
		s = &p->sub;
	} else {
		s = NEW(struct sub);
	}
	s->conn = conn;
	s->channel = c;
	s->joined_at = r->joined_at != 0 ? r->joined_at : now.wall;
	TAILQ_INSERT_TAIL(&conn->subs, s, of_conn);
	c->subscriptions++;
	reg->stats.subscriptions++;
	return s;
}

static void tell_subscribed(struct registry *reg, const struct conn *conn, const struct channel *c)
{
	reg->ops->subscribed(reg->ctx, conn->number, conn->worker->number, channel_text(c));
}

/* Who is interested already hears of the new member; who becomes so, of all of them. */
static void join(struct registry *reg, struct moment now, struct conn *conn, struct channel *c,
		 const struct registry_subscribe *r)
{
	struct sub *s = sub_new(reg, now, conn, c, r);
	uint32_t worker = conn->worker->number;
	struct registry_sub row;
	bool is_first;

	if (c->presence)
		presence_join(reg, CONTAINER_OF(s, struct presence_sub, sub), r->user_id);
	is_first = interest_add(c, worker);
	registry_sub_row_of(s, &row);
	reg->ops->sub_row(reg->ctx, &row);
	if (r->resync)
		return;
	if (c->presence && is_first)
		reg->ops->members(reg->ctx, worker, c->app, channel_text(c));
	tell_subscribed(reg, conn, c);
	count_changed(reg, now.mono, c);
}

static bool is_full(const struct registry *reg, const struct channel *c,
		    const struct registry_subscribe *r)
{
	uint32_t most = reg->options.max_members;

	return presence_find(c, r->user_id) == NULL &&
	       ((most > 0 && c->member_count >= most) ||
		!presence_has_room(c, r->user_id, r->user_info));
}

enum registry_result registry_subscribe(struct registry *reg, struct moment now,
					const struct registry_subscribe *r)
{
	struct conn *conn = registry_find_conn(reg, r->conn);
	struct channel *c;

	if (conn == NULL)
		return REGISTRY_UNKNOWN;
	c = registry_find_channel(reg, conn->app, r->channel);
	if (find_sub(conn, c) != NULL) {
		if (!r->resync)
			tell_subscribed(reg, conn, c);
		return REGISTRY_OK;
	}
	if (r->presence && !r->resync && c != NULL && is_full(reg, c, r))
		return REGISTRY_FULL;
	join(reg, now, conn, registry_make_channel(reg, conn->app, r->channel, r->presence), r);
	return REGISTRY_OK;
}

/* ---- ending ---- */

void subscription_end(struct registry *reg, struct moment now, struct sub *s, bool grace)
{
	struct channel *c = s->channel;
	struct conn *conn = s->conn;

	TAILQ_REMOVE(&conn->subs, s, of_conn);
	interest_drop(c, conn->worker->number);
	c->subscriptions--;
	reg->stats.subscriptions--;
	if (c->presence)
		presence_leave(reg, now, CONTAINER_OF(s, struct presence_sub, sub), grace);
	if (!reg->silent)
		reg->ops->sub_gone(reg->ctx, conn->worker->number, conn->number, channel_text(c));
	count_changed(reg, now.mono, c);
	free(s);
	channel_release(reg, c);
}

void registry_unsubscribe(struct registry *reg, struct moment now, uint64_t conn,
			  struct slice channel)
{
	struct sub *s = lookup(reg, conn, channel);

	if (s != NULL)
		subscription_end(reg, now, s, false);
}

/* ---- reading ---- */

bool registry_is_subscribed(const struct registry *reg, uint64_t conn, struct slice channel)
{
	return lookup(reg, conn, channel) != NULL;
}

struct slice registry_member(const struct registry *reg, uint64_t conn, struct slice channel)
{
	const struct sub *s = lookup(reg, conn, channel);
	const struct presence_sub *p = s != NULL ? sub_presence(s) : NULL;

	return p != NULL ? slice_of(p->member->id, p->member->id_n) : SLICE_NONE;
}

static void channel_row(const struct channel *c, struct registry_channel *ret)
{
	ret->name = channel_text(c);
	ret->subscriptions = c->subscriptions;
	ret->members = c->member_count;
	ret->presence = c->presence;
}

bool registry_channel(const struct registry *reg, uint32_t app, struct slice name,
		      struct registry_channel *ret)
{
	const struct channel *c = registry_find_channel(reg, app, name);

	memset(ret, 0, sizeof(*ret));
	if (c == NULL || c->subscriptions == 0)
		return false;
	channel_row(c, ret);
	return true;
}

void registry_channels(const struct registry *reg, uint32_t app, struct slice prefix,
		       registry_channel_fn *fn, void *ctx)
{
	struct registry_channel row;

	if (app >= reg->napps)
		return;
	for (const struct channel *c = reg->apps[app].channels; c != NULL; c = c->hh.next) {
		channel_row(c, &row);
		if (c->subscriptions > 0 && slice_starts(row.name, prefix))
			fn(ctx, &row);
	}
}
