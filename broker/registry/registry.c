#include "broker/registry/registry.h"

#include <stdlib.h>

#include "broker/registry/registry_internal.h"

struct registry *registry_new(const struct registry_options *options,
			      const struct registry_ops *ops, void *ctx)
{
	struct registry *reg = NEW(struct registry);

	reg->options = *options;
	reg->ops = ops;
	reg->ctx = ctx;
	TAILQ_INIT(&reg->all_users);
	TAILQ_INIT(&reg->graces);
	TAILQ_INIT(&reg->leaving);
	TAILQ_INIT(&reg->counts);
	buf_init(&reg->text, LIMIT_WIRE_RECORD);
	return reg;
}

void registry_reload(struct registry *reg, const struct registry_options *options)
{
	reg->options = *options;
}

struct app_state *registry_app_state(struct registry *reg, uint32_t app)
{
	if (app >= reg->napps) {
		reg->apps = mem_grow(reg->apps, (size_t)app + 1, sizeof(*reg->apps));
		memset(reg->apps + reg->napps, 0, (app + 1 - reg->napps) * sizeof(*reg->apps));
		reg->napps = app + 1;
	}
	return &reg->apps[app];
}

void registry_app(struct registry *reg, uint32_t app, bool subscription_count)
{
	registry_app_state(reg, app)->subscription_count = subscription_count;
}

/* ---- rows ---- */

void registry_conn_row_of(const struct conn *c, struct registry_conn *ret)
{
	*ret = (struct registry_conn){
		.conn = c->number,
		.worker = c->worker->number,
		.app = c->app,
		.socket_id = slice_of(c->text, c->socket_id_n),
		.user_id = user_id(conn_user(c)),
		.address = slice_of(c->text + c->socket_id_n, c->address_n),
		.agent = slice_of(c->text + c->socket_id_n + c->address_n, c->agent_n),
		.opened_at = c->opened_at,
	};
}

void registry_sub_row_of(const struct sub *s, struct registry_sub *ret)
{
	const struct presence_sub *p = sub_presence(s);

	*ret = (struct registry_sub){
		.conn = s->conn->number,
		.worker = s->conn->worker->number,
		.app = s->conn->app,
		.channel = channel_text(s->channel),
		.user_id = p != NULL ? slice_of(p->member->id, p->member->id_n)
				     : user_id(conn_user(s->conn)),
		.user_info = p != NULL ? slice_of(p->info, p->info_n) : SLICE_NONE,
		.joined_at = s->joined_at,
	};
}

/* ---- connections ---- */

struct conn *registry_find_conn(const struct registry *reg, uint64_t number)
{
	return conn_table_get(&reg->conns, number);
}

struct conn *registry_next_conn(const struct registry *reg, const struct conn *c)
{
	const struct worker_state *w = c != NULL ? c->worker : NULL;
	struct conn *next = c != NULL ? TAILQ_NEXT(c, of_worker) : NULL;

	while (next == NULL) {
		w = w != NULL ? w->hh.next : reg->workers;
		if (w == NULL)
			return NULL;
		next = TAILQ_FIRST(&w->conns);
	}
	return next;
}

static struct worker_state *worker_of(struct registry *reg, uint32_t number)
{
	struct worker_state *w;

	HASH_FIND(hh, reg->workers, &number, sizeof(number), w);
	if (w == NULL) {
		w = NEW(struct worker_state);
		w->number = number;
		TAILQ_INIT(&w->conns);
		HASH_ADD(hh, reg->workers, number, sizeof(w->number), w);
	}
	return w;
}

void registry_open(struct registry *reg, struct moment now, const struct registry_conn *row)
{
	struct slice id = slice_first(row->socket_id, UINT16_MAX);
	struct slice address = slice_first(row->address, UINT16_MAX);
	struct slice agent = slice_first(row->agent, UINT16_MAX);
	struct registry_conn told;
	struct conn *c;

	if (registry_find_conn(reg, row->conn) != NULL)
		return;
	c = mem_zalloc(sizeof(*c) + id.n + address.n + agent.n);
	c->number = row->conn;
	c->worker = worker_of(reg, row->worker);
	c->app = row->app;
	c->opened_at = row->opened_at != 0 ? row->opened_at : now.wall;
	c->socket_id_n = (uint16_t)id.n;
	c->address_n = (uint16_t)address.n;
	c->agent_n = (uint16_t)agent.n;
	memcpy(c->text, id.p != NULL ? id.p : "", id.n);
	memcpy(c->text + id.n, address.p != NULL ? address.p : "", address.n);
	memcpy(c->text + id.n + address.n, agent.p != NULL ? agent.p : "", agent.n);
	TAILQ_INIT(&c->subs);
	conn_table_put(&reg->conns, c);
	TAILQ_INSERT_TAIL(&c->worker->conns, c, of_worker);
	registry_app_state(reg, c->app)->connections++;
	reg->stats.connections++;
	registry_conn_row_of(c, &told);
	reg->ops->conn_row(reg->ctx, &told);
}

static void conn_free(struct registry *reg, struct conn *c)
{
	if (reg->walk_conn == c)
		reg->walk_conn = registry_next_conn(reg, c);
	conn_table_remove(&reg->conns, c);
	TAILQ_REMOVE(&c->worker->conns, c, of_worker);
	reg->apps[c->app].connections--;
	reg->stats.connections--;
	free(c->identity);
	free(c);
}

static void conn_end(struct registry *reg, struct moment now, struct conn *c)
{
	struct sub *s;

	while ((s = TAILQ_FIRST(&c->subs)) != NULL)
		subscription_end(reg, now, s, true);
	users_leave(reg, now, c);
	if (!reg->silent)
		reg->ops->conn_gone(reg->ctx, c->worker->number, c->number);
	conn_free(reg, c);
}

void registry_close(struct registry *reg, struct moment now, uint64_t number)
{
	struct conn *c = registry_find_conn(reg, number);

	if (c != NULL)
		conn_end(reg, now, c);
}

void registry_worker_gone(struct registry *reg, struct moment now, uint32_t number)
{
	struct worker_state *w;
	struct conn *c;

	HASH_FIND(hh, reg->workers, &number, sizeof(number), w);
	if (w == NULL)
		return;
	reg->ops->worker_gone(reg->ctx, number);
	reg->silent = true;
	while ((c = TAILQ_FIRST(&w->conns)) != NULL)
		conn_end(reg, now, c);
	reg->silent = false;
	HASH_DELETE(hh, reg->workers, w);
	free(w);
}

void registry_worker_conns(const struct registry *reg, uint32_t number, registry_conn_fn *fn,
			   void *ctx)
{
	const struct worker_state *w;
	const struct conn *c;

	HASH_FIND(hh, reg->workers, &number, sizeof(number), w);
	if (w == NULL)
		return;
	TAILQ_FOREACH (c, &w->conns, of_worker)
		fn(ctx, c->number, number);
}

bool registry_conn(const struct registry *reg, uint64_t number, struct registry_conn *ret)
{
	const struct conn *c = registry_find_conn(reg, number);

	if (c == NULL)
		return false;
	registry_conn_row_of(c, ret);
	return true;
}

uint32_t registry_connections(const struct registry *reg, uint32_t app)
{
	if (app == UINT32_MAX)
		return reg->stats.connections;
	return app < reg->napps ? reg->apps[app].connections : 0;
}

/* ---- time ---- */

usec_t registry_deadline(const struct registry *reg)
{
	const struct member *m = TAILQ_FIRST(&reg->graces);
	const struct user *u = TAILQ_FIRST(&reg->leaving);
	const struct channel *c = TAILQ_FIRST(&reg->counts);
	usec_t at = USEC_NEVER;

	if (m != NULL)
		at = MIN(at, m->deadline);
	if (u != NULL)
		at = MIN(at, u->deadline);
	if (c != NULL)
		at = MIN(at, c->count_at);
	return at;
}

void registry_turn(struct registry *reg, struct moment now)
{
	presence_turn(reg, now);
	users_turn(reg, now);
	subscription_turn(reg, now.mono);
}

void registry_stats(const struct registry *reg, struct registry_stats *ret)
{
	*ret = reg->stats;
}

/* ---- end ---- */

static void free_channels(struct registry *reg, struct app_state *a)
{
	struct channel *c;
	struct channel *next;
	struct member *m;

	HASH_ITER(hh, a->channels, c, next)
	{
		while ((m = TAILQ_FIRST(&c->in_order)) != NULL)
			presence_free(reg, m);
		channel_release(reg, c);
	}
}

void registry_free(struct registry *reg)
{
	struct worker_state *w;
	struct worker_state *next;
	struct conn *c;
	struct sub *s;
	struct user *u;

	if (reg == NULL)
		return;
	while ((c = registry_next_conn(reg, NULL)) != NULL) {
		while ((s = TAILQ_FIRST(&c->subs)) != NULL) {
			TAILQ_REMOVE(&c->subs, s, of_conn);
			s->channel->subscriptions--;
			free(s);
		}
		conn_free(reg, c);
	}
	for (uint32_t i = 0; i < reg->napps; i++)
		free_channels(reg, &reg->apps[i]);
	while ((u = TAILQ_FIRST(&reg->all_users)) != NULL)
		users_free(reg, u);
	HASH_ITER(hh, reg->workers, w, next)
	{
		HASH_DELETE(hh, reg->workers, w);
		free(w);
	}
	conn_table_done(&reg->conns);
	free(reg->apps);
	buf_done(&reg->text);
	free(reg);
}
