#include "worker/hub/channel.h"

#include <stdlib.h>

#include "common/base/map.h"

/* What fan-out walks over: the receiver stands here, so that the subscription is not touched. */
struct entry {
	struct subscriber *who;
	struct sub *sub;
};

struct channel {
	struct app *app;
	struct entry *active;
	struct roster *roster; /* presence channels only */
	uint32_t count;	       /* in `active` */
	uint32_t cap;
	uint32_t subs; /* in any state, and who else holds it */
	uint32_t visit;
	uint8_t kind;
	uint8_t name_n;
	UT_hash_handle hh;
	char key[]; /* the app's pointer, then the name: one key for the table */
};

struct hub {
	const struct hub_ops *ops;
	void *ctx;
	struct channel *channels;
	uint64_t subs;
};

#define KEY_MAX (sizeof(struct app *) + UINT8_MAX)

/* Names are longer than that nowhere: LIMIT_CHANNEL_NAME, or #server-to-user- and a user id. */
static size_t make_key(char key[KEY_MAX], const struct app *app, struct slice name)
{
	if (name.n > UINT8_MAX)
		die("channel name of %zu bytes", name.n);
	memcpy(key, &app, sizeof(struct app *));
	memcpy(key + sizeof(struct app *), name.p, name.n);
	return sizeof(struct app *) + name.n;
}

struct hub *hub_new(const struct hub_ops *ops, void *ctx)
{
	struct hub *h = NEW(struct hub);

	h->ops = ops;
	h->ctx = ctx;
	return h;
}

void hub_free(struct hub *h)
{
	if (h == NULL)
		return;
	if (h->channels != NULL)
		die("hub_free: %u channels left", HASH_COUNT(h->channels));
	free(h);
}

struct channel *hub_find(const struct hub *h, const struct app *app, struct slice name)
{
	char key[KEY_MAX];
	struct channel *c;

	if (name.n > UINT8_MAX)
		return NULL;
	size_t n = make_key(key, app, name);

	HASH_FIND(hh, h->channels, key, n, c);
	return c;
}

struct slice channel_name(const struct channel *c)
{
	return slice_of(c->key + sizeof(struct app *), c->name_n);
}

enum channel_kind channel_kind(const struct channel *c)
{
	return (enum channel_kind)c->kind;
}

struct app *channel_app(const struct channel *c)
{
	return c->app;
}

struct roster *channel_roster(const struct channel *c)
{
	return c->roster;
}

uint32_t channel_visit(const struct channel *c)
{
	return c->visit;
}

void channel_set_visit(struct channel *c, uint32_t number)
{
	c->visit = number;
}

const struct sub *channel_sub(const struct channel *c, uint32_t i)
{
	return c->active[i].sub;
}

struct channel *hub_next(const struct hub *h, const struct channel *c)
{
	return c != NULL ? c->hh.next : h->channels;
}

uint32_t channel_count(const struct channel *c)
{
	return c->count;
}

uint32_t hub_channels(const struct hub *h)
{
	return HASH_COUNT(h->channels);
}

uint64_t hub_subscriptions(const struct hub *h)
{
	return h->subs;
}

static struct channel *channel_open(struct hub *h, struct app *app, struct slice name)
{
	char key[KEY_MAX];
	size_t n = make_key(key, app, name);
	struct channel *c = mem_zalloc(sizeof(*c) + n);

	c->app = app;
	c->kind = (uint8_t)channel_name_kind(name);
	c->name_n = (uint8_t)name.n;
	memcpy(c->key, key, n);
	if (channel_kind_is_presence(channel_kind(c)))
		c->roster = roster_new();
	HASH_ADD(hh, h->channels, key, n, c);
	return c;
}

static void channel_close(struct hub *h, struct channel *c)
{
	HASH_DELETE(hh, h->channels, c);
	roster_free(c->roster);
	free(c->active);
	free(c);
}

void hub_hold(struct channel *c)
{
	c->subs++;
}

void hub_release(struct hub *h, struct channel *c)
{
	if (--c->subs == 0)
		channel_close(h, c);
}

/* Where the subscription to c stands in the sorted array of a connection, or would stand. */
static uint32_t place(const struct subscriber *who, const struct channel *c)
{
	uint32_t low = 0;
	uint32_t high = who->sub_count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if ((uintptr_t)subscriber_sub(who, mid)->channel < (uintptr_t)c)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct sub *hub_sub(const struct subscriber *who, const struct channel *c)
{
	uint32_t at = place(who, c);

	struct sub *s = at < who->sub_count ? subscriber_sub(who, at) : NULL;

	return s != NULL && s->channel == c ? s : NULL;
}

#define MANY_FIRST 4

static void make_room(struct subscriber *who)
{
	struct sub *one = who->subs.one;

	if (who->sub_cap == 0) {
		who->sub_cap = MANY_FIRST;
		who->subs.many = mem_calloc(MANY_FIRST, sizeof(struct sub *));
		who->subs.many[0] = one;
	} else if (who->sub_count == who->sub_cap) {
		who->sub_cap *= 2;
		who->subs.many = mem_grow(who->subs.many, who->sub_cap, sizeof(struct sub *));
	}
}

static void forget_subs(struct subscriber *who)
{
	if (who->sub_cap > 0)
		free(who->subs.many);
	who->subs.one = NULL;
	who->sub_count = 0;
	who->sub_cap = 0;
}

static void insert(struct subscriber *who, struct sub *s)
{
	uint32_t at = place(who, s->channel);
	struct sub **v;

	if (who->sub_count == 0) {
		who->subs.one = s;
	} else {
		make_room(who);
		v = who->subs.many;
		memmove(v + at + 1, v + at, (who->sub_count - at) * sizeof(struct sub *));
		v[at] = s;
	}
	who->sub_count++;
}

static void take_out(struct subscriber *who, const struct channel *c)
{
	uint32_t at = place(who, c);
	struct sub **v = who->subs.many;

	if (who->sub_count == 1) {
		forget_subs(who);
		return;
	}
	who->sub_count--;
	memmove(v + at, v + at + 1, (who->sub_count - at) * sizeof(struct sub *));
}

struct sub *hub_subscribe(struct hub *h, struct app *app, struct slice name, struct subscriber *who)
{
	struct channel *c = hub_find(h, app, name);
	struct sub *s = NEW(struct sub);

	if (c == NULL)
		c = channel_open(h, app, name);
	c->subs++;
	h->subs++;
	s->channel = c;
	s->who = who;
	s->state = SUB_PENDING;
	insert(who, s);
	return s;
}

void hub_set_member(struct sub *s, struct slice user_id, struct slice user_info)
{
	struct sub_member *m = mem_alloc(sizeof(*m) + user_id.n + user_info.n);

	m->id_n = (uint16_t)user_id.n;
	m->info_n = (uint32_t)user_info.n;
	if (user_id.n > 0)
		memcpy(m->bytes, user_id.p, user_id.n);
	if (user_info.n > 0)
		memcpy(m->bytes + user_id.n, user_info.p, user_info.n);
	free(s->member);
	s->member = m;
}

struct slice sub_user_id(const struct sub *s)
{
	return s->member != NULL ? slice_of(s->member->bytes, s->member->id_n) : SLICE_NONE;
}

struct slice sub_user_info(const struct sub *s)
{
	return s->member != NULL ? slice_of(s->member->bytes + s->member->id_n, s->member->info_n)
				 : SLICE_NONE;
}

void hub_activate(struct hub *h, struct sub *s)
{
	struct channel *c = s->channel;

	(void)h;
	if (s->state == SUB_ACTIVE)
		return;
	if (c->count == c->cap) {
		c->cap = c->cap == 0 ? 1 : 2 * c->cap;
		c->active = mem_grow(c->active, c->cap, sizeof(struct entry));
	}
	s->state = SUB_ACTIVE;
	s->at = c->count;
	c->active[c->count++] = (struct entry){s->who, s};
}

static void deactivate(struct sub *s)
{
	struct channel *c = s->channel;

	if (s->state != SUB_ACTIVE)
		return;
	/* The last one takes the free place. */
	c->active[s->at] = c->active[--c->count];
	c->active[s->at].sub->at = s->at;
	if (c->cap > 8 && c->count < c->cap / 4) {
		c->cap /= 2;
		c->active = mem_grow(c->active, c->cap, sizeof(struct entry));
	}
}

void hub_suspend(struct hub *h, struct sub *s, enum sub_state to)
{
	(void)h;
	deactivate(s);
	s->state = (uint8_t)to;
}

/* All but the place in the connection's array. */
static void end(struct hub *h, struct sub *s)
{
	struct channel *c = s->channel;

	deactivate(s);
	h->subs--;
	hub_release(h, c);
	free(s->member);
	free(s);
}

void hub_unsubscribe(struct hub *h, struct sub *s)
{
	take_out(s->who, s->channel);
	end(h, s);
}

void hub_unsubscribe_all(struct hub *h, struct subscriber *who)
{
	if (who->sub_cap == 0 && who->sub_count > 0)
		end(h, who->subs.one);
	for (uint32_t i = 0; who->sub_cap > 0 && i < who->sub_count; i++)
		end(h, who->subs.many[i]);
	forget_subs(who);
}

uint32_t hub_deliver(struct hub *h, struct channel *c, struct frame *f, uint64_t exclude,
		     bool droppable)
{
	uint32_t sent = 0;

	/* From the end: a receiver that leaves now moves only what has had its turn. The channel
	 * must outlive its last receiver leaving. */
	hub_hold(c);
	for (uint32_t i = c->count; i-- > 0;) {
		struct subscriber *who = c->active[i].who;

		if (who->conn == exclude && exclude != 0)
			continue;
		h->ops->deliver(h->ctx, who, f, droppable);
		sent++;
	}
	hub_release(h, c);
	return sent;
}
