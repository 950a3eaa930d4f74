#include "broker/store/pg_chat.h"

#include <stdlib.h>

#include <event2/event.h>

#include "broker/store/pg_chat_internal.h"
#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/loop/loop.h"

#define TICK (USEC_PER_SEC / 20)
#define SLOW_WAIT (3 * USEC_PER_SEC)

/* ---- items ----------------------------------------------------------------------------------- */

struct chat_result pg_refusal(enum chat_store_code code, const char *field, const char *why)
{
	return (struct chat_result){code, field, why};
}

struct chat_result pg_refusal_of(const struct pg_error *error, const char *field)
{
	static struct log_limit limit;

	switch (error->class) {
	case PG_DATA:
		return pg_refusal(CHAT_STORE_INVALID, field, "bad_text");
	case PG_CONFIG:
		if (log_allowed(&limit, 1, clock_mono(), "database.statement_failed"))
			log_err("database.statement_failed", "sqlstate=%s error=\"%s\"",
				error->sqlstate, error->text);
		return pg_refusal(CHAT_STORE_FAULT, "", "");
	case PG_FINE:
	case PG_LOST:
	case PG_AGAIN:
		break;
	}
	return pg_refusal(CHAT_STORE_UNAVAILABLE, "", "");
}

void pg_item_init(struct pg_chat *p, struct pg_item *item, const struct pg_item_ops *ops)
{
	item->chat = p;
	item->since = loop_now(p->loop);
	item->deadline = item->since + p->options->database_wait;
	item->ops = ops;
}

void pg_defer(struct pg_item *item, enum chat_store_code code, const char *field, const char *why)
{
	item->refusal = pg_refusal(code, field, why);
	TAILQ_INSERT_TAIL(&item->chat->deferred, item, entry);
	event_active(&item->chat->later, 0, 0);
}

void pg_item_refuse(struct pg_item *item, const struct chat_result *r)
{
	if (r->code == CHAT_STORE_UNAVAILABLE)
		item->chat->unavailable++;
	item->ops->refuse(item, r);
	item->ops->discard(item);
}

void pg_items_expire(struct pg_items *items, usec_t now)
{
	const struct chat_result r = pg_refusal(CHAT_STORE_UNAVAILABLE, "", "");
	struct pg_item *item;

	while ((item = TAILQ_FIRST(items)) != NULL && item->deadline <= now) {
		TAILQ_REMOVE(items, item, entry);
		pg_item_refuse(item, &r);
	}
}

void pg_items_clear(struct pg_items *items, bool tell)
{
	const struct chat_result r = pg_refusal(CHAT_STORE_UNAVAILABLE, "", "");
	struct pg_item *item;

	while ((item = TAILQ_FIRST(items)) != NULL) {
		TAILQ_REMOVE(items, item, entry);
		if (tell)
			pg_item_refuse(item, &r);
		else
			item->ops->discard(item);
	}
}

void pg_items_prepend(struct pg_items *items, struct pg_items *before)
{
	TAILQ_CONCAT(before, items, entry);
	TAILQ_CONCAT(items, before, entry);
}

static void on_later(evutil_socket_t fd, short what, void *arg)
{
	struct pg_chat *p = arg;
	struct pg_items items = TAILQ_HEAD_INITIALIZER(items);
	struct pg_item *item;

	(void)fd;
	(void)what;
	TAILQ_CONCAT(&items, &p->deferred, entry);
	while ((item = TAILQ_FIRST(&items)) != NULL) {
		struct chat_result r = item->refusal;

		TAILQ_REMOVE(&items, item, entry);
		pg_item_refuse(item, &r);
	}
}

/* ---- deadlines ------------------------------------------------------------------------------- */

static void arm(struct pg_chat *p)
{
	struct timeval tv = loop_timeval(TICK);

	if (event_add(&p->tick, &tv) != 0)
		die("pg_chat: event_add");
	p->ticking = true;
}

void pg_chat_tick(struct pg_chat *p)
{
	if (!p->ticking)
		arm(p);
}

static void go(struct pg_chat *p)
{
	for (size_t i = 0; i < PG_LANES; i++) {
		pg_posts_go(&p->lanes[i]);
		pg_moves_go(&p->lanes[i]);
		pg_calls_go(&p->lanes[i].calls);
	}
	pg_calls_go(&p->lookups);
}

/* `database_wait` is for a database that is away; one that is there but slow gets some more. */
static usec_t time_over(const struct pg_conn *conn, usec_t now)
{
	return conn != NULL && pg_conn_ready(conn) ? now - MIN(now, SLOW_WAIT) : now;
}

static void expire(struct pg_chat *p, usec_t now)
{
	for (size_t i = 0; i < PG_LANES; i++) {
		struct pg_lane *l = &p->lanes[i];
		usec_t over = time_over(l->conn, now);

		pg_posts_expire(l, over);
		pg_items_expire(&l->moves, over);
		pg_calls_expire(&l->calls, over);
	}
	pg_calls_expire(&p->lookups, time_over(p->lookups_conn, now));
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct pg_chat *p = arg;
	usec_t now = loop_now(p->loop);

	(void)fd;
	(void)what;
	p->ticking = false;
	go(p); /* first: what can be sent now need not expire */
	expire(p, now);
	pg_touch_flush(p, now);
	if (p->nitems > 0 || p->nposts > 0 || p->ntouched > 0)
		pg_chat_tick(p);
}

/* ---- connections ----------------------------------------------------------------------------- */

static void on_lane_ready(void *ctx)
{
	struct pg_lane *l = ctx;

	pg_posts_go(l);
	pg_moves_go(l);
	pg_calls_go(&l->calls);
}

static void on_lookups_ready(void *ctx)
{
	struct pg_chat *p = ctx;

	pg_calls_go(&p->lookups);
}

static void on_lost(void *ctx, const struct pg_error *error)
{
	/* what waits is looked after by the tick, what was under way has been put back */
	(void)ctx;
	(void)error;
}

static struct pg_conn *connect_as(struct pg_chat *p, const struct pg_stmts *stmts,
				  enum pg_role role, const char *settings,
				  const struct pg_conn_ops *ops, void *ctx)
{
	const struct pg_conn_options options = {
		.conninfo = p->options->conninfo,
		.password_file = p->options->password_file,
		.node = p->options->node,
		.settings = settings,
		.stmts = stmts,
		.role = role,
	};

	return pg_conn_new(p->loop, &options, ops, ctx);
}

static void lane_init(struct pg_chat *p, size_t i, const struct pg_stmts *stmts)
{
	static const struct pg_conn_ops ops = {.on_ready = on_lane_ready, .on_lost = on_lost};
	struct pg_lane *l = &p->lanes[i];

	l->chat = p;
	l->post_limit = PG_POST_ROWS;
	l->move_limit = PG_MOVE_ROWS;
	TAILQ_INIT(&l->posts);
	TAILQ_INIT(&l->aside);
	TAILQ_INIT(&l->posts_flight);
	TAILQ_INIT(&l->moves);
	TAILQ_INIT(&l->moves_flight);
	pg_params_init(&l->params);
	if (stmts != NULL)
		l->conn = connect_as(p, stmts, (enum pg_role)(PG_ROLE_MESSAGES0 + (int)i),
				     "-c statement_timeout=5s -c lock_timeout=500ms", &ops, l);
	pg_calls_init(&l->calls, l->conn);
}

struct pg_chat *pg_chat_new(struct loop *loop, const struct store_options *options,
			    const struct pg_stmts *stmts)
{
	static const struct pg_conn_ops ops = {.on_ready = on_lookups_ready, .on_lost = on_lost};
	struct pg_chat *p = NEW(struct pg_chat);

	p->loop = loop;
	p->options = options;
	p->database = stmts != NULL;
	p->stmts = stmts;
	TAILQ_INIT(&p->deferred);
	if (event_assign(&p->later, loop_base(loop), -1, 0, on_later, p) != 0 ||
	    event_assign(&p->tick, loop_base(loop), -1, 0, on_tick, p) != 0)
		die("pg_chat: event_assign");
	for (size_t i = 0; i < PG_LANES; i++)
		lane_init(p, i, stmts);
	if (stmts != NULL)
		p->lookups_conn = connect_as(p, stmts, PG_ROLE_LOOKUPS,
					     "-c statement_timeout=2s -c lock_timeout=1s", &ops, p);
	pg_calls_init(&p->lookups, p->lookups_conn);
	pg_ops_init(&p->ops, p);
	return p;
}

static void clear_waiting(struct pg_chat *p, bool tell)
{
	for (size_t i = 0; i < PG_LANES; i++) {
		struct pg_lane *l = &p->lanes[i];

		pg_items_clear(&l->posts, tell);
		pg_items_clear(&l->aside, tell);
		pg_items_clear(&l->moves, tell);
		pg_items_clear(&l->calls.back, tell);
		pg_items_clear(&l->calls.waiting, tell);
	}
	pg_items_clear(&p->lookups.back, tell);
	pg_items_clear(&p->lookups.waiting, tell);
}

void pg_chat_free(struct pg_chat *p)
{
	if (p == NULL)
		return;
	event_del(&p->later);
	event_del(&p->tick);
	clear_waiting(p, false);
	pg_items_clear(&p->deferred, false);
	for (size_t i = 0; i < PG_LANES; i++) {
		struct pg_lane *l = &p->lanes[i];

		pg_conn_free(l->conn);
		pg_items_clear(&l->posts_flight, false);
		pg_items_clear(&l->moves_flight, false);
		pg_items_clear(&l->calls.flight, false);
		pg_params_done(&l->params);
	}
	pg_conn_free(p->lookups_conn);
	pg_items_clear(&p->lookups.flight, false);
	free(p);
}

const struct chat_store *pg_chat_ops(const struct pg_chat *p)
{
	return &p->ops;
}

void pg_chat_open(struct pg_chat *p)
{
	if (!p->database)
		return;
	for (size_t i = 0; i < PG_LANES; i++)
		pg_conn_open(p->lanes[i].conn);
	pg_conn_open(p->lookups_conn);
}

void pg_chat_stop(struct pg_chat *p)
{
	pg_touch_flush(p, USEC_NEVER);
	p->stopped = true;
	clear_waiting(p, true);
}

bool pg_chat_idle(const struct pg_chat *p)
{
	return p->nitems == 0 && p->nposts == 0;
}

void pg_chat_close(struct pg_chat *p)
{
	if (!p->database)
		return;
	for (size_t i = 0; i < PG_LANES; i++)
		pg_conn_close(p->lanes[i].conn);
	pg_conn_close(p->lookups_conn);
	clear_waiting(p, true); /* what came back */
}

struct pg_lane *pg_lane_of(struct pg_chat *p, uint64_t chat)
{
	return &p->lanes[chat % PG_LANES];
}

/* ---- numbers --------------------------------------------------------------------------------- */

struct pg_conn *pg_chat_conn(const struct pg_chat *p, enum pg_role role)
{
	if (role == PG_ROLE_LOOKUPS)
		return p->lookups_conn;
	return p->lanes[role - PG_ROLE_MESSAGES0].conn;
}

static uint32_t count(const struct pg_items *items)
{
	const struct pg_item *item;
	uint32_t n = 0;

	TAILQ_FOREACH (item, items, entry)
		n++;
	return n;
}

static uint32_t count_calls(const struct pg_calls *q)
{
	return count(&q->waiting) + count(&q->back) + q->nflight;
}

uint32_t pg_chat_queued(const struct pg_chat *p, enum pg_role role)
{
	const struct pg_lane *l;

	if (role == PG_ROLE_LOOKUPS)
		return count_calls(&p->lookups);
	l = &p->lanes[role - PG_ROLE_MESSAGES0];
	return count(&l->posts) + count(&l->aside) + count(&l->posts_flight) + count(&l->moves) +
	       count(&l->moves_flight) + count_calls(&l->calls);
}

static usec_t oldest(const struct pg_items *items, usec_t than)
{
	const struct pg_item *item = TAILQ_FIRST(items);

	return item != NULL && item->since < than ? item->since : than;
}

void pg_chat_stats(const struct pg_chat *p, struct store_stats *ret_stats)
{
	usec_t now = loop_now(p->loop);
	usec_t since = now;

	for (size_t i = 0; i < PG_LANES; i++) {
		since = oldest(&p->lanes[i].posts, since);
		since = oldest(&p->lanes[i].aside, since);
		since = oldest(&p->lanes[i].posts_flight, since);
	}
	ret_stats->messages_queued = p->nposts;
	ret_stats->messages_bytes = p->posts_bytes;
	ret_stats->messages_oldest = now - since;
	ret_stats->messages_stored = p->stored;
	ret_stats->message_batches = p->batches;
	ret_stats->receipts = p->receipts;
	ret_stats->unavailable = p->unavailable;
}
