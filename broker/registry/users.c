/* Who is online: users with identified connections. */
#include <stdlib.h>

#include "broker/registry/registry_internal.h"

static struct user *find(const struct registry *reg, uint32_t app, struct slice id)
{
	struct user *u = NULL;

	if (app < reg->napps && id.n > 0)
		HASH_FIND(hh, reg->apps[app].users, id.p, id.n, u);
	return u;
}

static struct user *find_or_new(struct registry *reg, uint32_t app, struct slice id)
{
	struct app_state *a = registry_app_state(reg, app);
	struct user *u = find(reg, app, id);

	if (u != NULL)
		return u;
	u = mem_zalloc(sizeof(*u) + id.n);
	TAILQ_INIT(&u->conns);
	TAILQ_INIT(&u->signed_in);
	u->app = app;
	u->id_n = (uint32_t)id.n;
	memcpy(u->id, id.p, id.n);
	HASH_ADD(hh, a->users, id, u->id_n, u);
	TAILQ_INSERT_TAIL(&reg->all_users, u, all);
	reg->stats.users++;
	return u;
}

void users_free(struct registry *reg, struct user *u)
{
	if (reg->walk_user == u)
		reg->walk_user = TAILQ_NEXT(u, all);
	if (u->in_grace)
		TAILQ_REMOVE(&reg->leaving, u, grace);
	HASH_DELETE(hh, reg->apps[u->app].users, u);
	TAILQ_REMOVE(&reg->all_users, u, all);
	reg->stats.users--;
	free(u);
}

static void release(struct registry *reg, struct user *u)
{
	if (!u->online && TAILQ_EMPTY(&u->conns) && TAILQ_EMPTY(&u->signed_in))
		users_free(reg, u);
}

static void row_of(const struct user *u, struct registry_user *ret)
{
	*ret = (struct registry_user){
		.app = u->app,
		.user_id = user_id(u),
		.connections = u->count,
		.online_since = u->online_since,
		.changed_at = u->changed_at,
		.last_seen = u->last_seen,
	};
}

static void tell_row(struct registry *reg, struct moment now, struct user *u)
{
	struct registry_user row;

	u->changed_at = now.wall;
	row_of(u, &row);
	reg->ops->user_row(reg->ctx, &row);
}

/* ---- coming ---- */

static struct identity *identity_of(struct conn *c)
{
	if (c->identity == NULL) {
		c->identity = NEW(struct identity);
		c->identity->conn = c;
	}
	return c->identity;
}

static void come(struct registry *reg, struct moment now, struct user *u, struct conn *c)
{
	struct registry_conn row;
	bool was_online = u->online;

	identity_of(c)->user = u;
	TAILQ_INSERT_TAIL(&u->conns, c->identity, of_user);
	u->count++;
	u->last_seen = 0;
	if (u->in_grace) {
		TAILQ_REMOVE(&reg->leaving, u, grace);
		u->in_grace = false;
	}
	if (!was_online) {
		u->online = true;
		u->online_since = now.wall;
	}
	registry_conn_row_of(c, &row);
	reg->ops->conn_row(reg->ctx, &row);
	tell_row(reg, now, u);
	if (!was_online)
		reg->ops->user_online(reg->ctx, u->app, user_id(u));
}

bool registry_identify(struct registry *reg, struct moment now, uint64_t conn, struct slice id)
{
	struct conn *c = registry_find_conn(reg, conn);

	if (c == NULL || id.n == 0)
		return false;
	if (conn_user(c) != NULL)
		return slice_eq(user_id(conn_user(c)), id);
	come(reg, now, find_or_new(reg, c->app, id), c);
	return true;
}

bool registry_sign_in(struct registry *reg, struct moment now, uint64_t conn, struct slice id)
{
	struct conn *c = registry_find_conn(reg, conn);
	struct identity *who;

	if (c == NULL || id.n == 0)
		return false;
	who = identity_of(c);
	if (who->signin != NULL)
		return slice_eq(user_id(who->signin), id);
	who->signin = find_or_new(reg, c->app, id);
	TAILQ_INSERT_TAIL(&who->signin->signed_in, who, of_signin);
	(void)registry_identify(reg, now, conn, id); /* keeps whom it was before, if anybody */
	return true;
}

bool registry_is_signed_in(const struct registry *reg, uint64_t conn, struct slice id)
{
	const struct conn *c = registry_find_conn(reg, conn);

	return c != NULL && c->identity != NULL && c->identity->signin != NULL &&
	       slice_eq(user_id(c->identity->signin), id);
}

/* ---- going ---- */

static void go_offline(struct registry *reg, struct user *u)
{
	if (u->in_grace) {
		TAILQ_REMOVE(&reg->leaving, u, grace);
		u->in_grace = false;
	}
	u->online = false;
	reg->ops->user_gone(reg->ctx, u->app, user_id(u));
	reg->ops->user_offline(reg->ctx, u->app, user_id(u), u->last_seen);
	release(reg, u);
}

static void begin_grace(struct registry *reg, struct moment now, struct user *u)
{
	const struct user *last = TAILQ_LAST(&reg->leaving, users);

	/* After a reload that shortened the grace the order of the list still holds. */
	u->deadline = now.mono + reg->options.offline_grace;
	if (last != NULL && last->deadline > u->deadline)
		u->deadline = last->deadline;
	u->in_grace = true;
	TAILQ_INSERT_TAIL(&reg->leaving, u, grace);
}

void users_leave(struct registry *reg, struct moment now, struct conn *c)
{
	struct identity *who = c->identity;
	struct user *signin = who != NULL ? who->signin : NULL;
	struct user *u = conn_user(c);

	if (signin != NULL) {
		who->signin = NULL;
		TAILQ_REMOVE(&signin->signed_in, who, of_signin);
		if (signin != u)
			release(reg, signin);
	}
	if (u == NULL)
		return;
	who->user = NULL;
	TAILQ_REMOVE(&u->conns, who, of_user);
	if (--u->count == 0)
		u->last_seen = now.wall;
	tell_row(reg, now, u);
	if (u->count > 0)
		return;
	reg->ops->user_unconnected(reg->ctx, u->app, user_id(u), u->last_seen);
	if (reg->options.offline_grace > 0)
		begin_grace(reg, now, u);
	else
		go_offline(reg, u);
}

void users_turn(struct registry *reg, struct moment now)
{
	struct user *u;

	while ((u = TAILQ_FIRST(&reg->leaving)) != NULL && u->deadline <= now.mono)
		go_offline(reg, u);
}

/* ---- reading ---- */

bool registry_user(const struct registry *reg, uint32_t app, struct slice id,
		   struct registry_user *ret)
{
	const struct user *u = find(reg, app, id);

	if (u == NULL || !u->online)
		return false;
	row_of(u, ret);
	return true;
}

struct walk {
	struct registry *reg;
	registry_conn_fn *fn;
	void *ctx;
};

static void visit(const struct walk *w, struct conn *c)
{
	if (c->mark == w->reg->mark)
		return;
	c->mark = w->reg->mark;
	w->fn(w->ctx, c->number, c->worker->number);
}

void registry_user_conns(struct registry *reg, uint32_t app, struct slice id, bool members,
			 registry_conn_fn *fn, void *ctx)
{
	struct walk w = {.reg = reg, .fn = fn, .ctx = ctx};
	struct user *u = find(reg, app, id);
	struct identity *who;
	struct channel *c;
	struct presence_sub *s;

	reg->mark++;
	if (u != NULL) {
		TAILQ_FOREACH (who, &u->conns, of_user)
			visit(&w, who->conn);
		TAILQ_FOREACH (who, &u->signed_in, of_signin)
			visit(&w, who->conn);
	}
	if (!members || app >= reg->napps)
		return;
	for (c = reg->apps[app].channels; c != NULL; c = c->hh.next) {
		struct member *m = c->presence ? presence_find(c, id) : NULL;

		if (m == NULL)
			continue;
		TAILQ_FOREACH (s, &m->subs, of_member)
			visit(&w, s->sub.conn);
	}
}

/* Phases of the cursor. */
enum { WALK_START, WALK_CONNS, WALK_USERS };

bool registry_walk(struct registry *reg, uint64_t *cursor, uint32_t most)
{
	if (*cursor == WALK_START) {
		reg->walk_conn = registry_next_conn(reg, NULL);
		reg->walk_user = TAILQ_FIRST(&reg->all_users);
		*cursor = WALK_CONNS;
	}
	for (uint32_t n = 0; n < most && reg->walk_conn != NULL; n++) {
		struct conn *c = reg->walk_conn;
		struct registry_conn conn;
		struct registry_sub sub;
		struct sub *s;

		registry_conn_row_of(c, &conn);
		reg->ops->conn_row(reg->ctx, &conn);
		TAILQ_FOREACH (s, &c->subs, of_conn) {
			registry_sub_row_of(s, &sub);
			reg->ops->sub_row(reg->ctx, &sub);
			n++;
		}
		reg->walk_conn = registry_next_conn(reg, c);
	}
	if (reg->walk_conn != NULL)
		return true;
	*cursor = WALK_USERS;
	for (uint32_t n = 0; n < most && reg->walk_user != NULL; n++) {
		struct user *u = reg->walk_user;
		struct registry_user row;

		row_of(u, &row);
		if (u->online)
			reg->ops->user_row(reg->ctx, &row);
		reg->walk_user = TAILQ_NEXT(u, all);
	}
	return reg->walk_user != NULL;
}
