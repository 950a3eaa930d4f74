#include <stdlib.h>
#include <string.h>

#include "broker/store/pg_chat_internal.h"
#include "common/base/mem.h"
#include "common/base/siphash.h"
#include "common/log/log.h"
#include "common/loop/loop.h"

/* How long the messages of a locked chat stand aside before they are tried again. */
#define LOCKED_PAUSE (USEC_PER_SEC / 5)

struct post {
	struct pg_item item;
	uint64_t chat;
	uint64_t reply_to;
	bool keyed;
	bool doubt; /* it was under way when a connection went, now or when it was sent before */
	bool answered;
	uint8_t key[16];
	chat_posted_fn done;
	void *ctx;
	uint32_t sender;
	uint32_t body;
	uint32_t meta;
	char text[]; /* sender, body, meta */
};

static struct post *post_of(struct pg_item *item)
{
	return CONTAINER_OF(item, struct post, item);
}

static size_t bytes(const struct post *m)
{
	return sizeof(*m) + m->sender + m->body + m->meta;
}

static struct slice sender(const struct post *m)
{
	return slice_of(m->text, m->sender);
}

static struct slice body(const struct post *m)
{
	return slice_of(m->text + m->sender, m->body);
}

static struct slice meta(const struct post *m)
{
	return slice_of(m->text + m->sender + m->body, m->meta);
}

static struct pg_doubt doubt_of(const struct post *m)
{
	struct pg_doubt d = {.chat = m->chat, .sender = hash_bytes(m->text, m->sender)};

	memcpy(d.key, m->key, sizeof(d.key));
	return d;
}

static void refuse(struct pg_item *item, const struct chat_result *r)
{
	struct post *m = post_of(item);
	struct pg_doubt doubt = doubt_of(m);

	if (m->doubt && r->code == CHAT_STORE_UNAVAILABLE)
		pg_doubt_add(&pg_lane_of(item->chat, m->chat)->doubts, &doubt);
	m->done(m->ctx, r, false, NULL);
}

static void discard(struct pg_item *item)
{
	struct post *m = post_of(item);

	item->chat->nposts--;
	item->chat->posts_bytes -= bytes(m);
	free(m);
}

/* ---- locked chats ---------------------------------------------------------------------------- */

static struct pg_locked *locked(struct pg_lane *l, uint64_t chat)
{
	for (size_t i = 0; i < l->nlocked; i++)
		if (l->locked[i].chat == chat)
			return &l->locked[i];
	return NULL;
}

static void lock_chat(struct pg_lane *l, uint64_t chat)
{
	struct pg_locked *x = locked(l, chat);

	if (x == NULL && l->nlocked < PG_LOCKED_MAX)
		x = &l->locked[l->nlocked++];
	if (x != NULL)
		*x = (struct pg_locked){chat, loop_now(l->chat->loop) + LOCKED_PAUSE};
}

static bool has_aside(const struct pg_lane *l, uint64_t chat)
{
	struct pg_item *item;

	TAILQ_FOREACH (item, &l->aside, entry)
		if (post_of(item)->chat == chat)
			return true;
	return false;
}

/* Chats of which nothing stands aside any more are like all others again. */
static void unlock_empty(struct pg_lane *l)
{
	for (size_t i = l->nlocked; i-- > 0;)
		if (!has_aside(l, l->locked[i].chat))
			l->locked[i] = l->locked[--l->nlocked];
}

/* ---- batches --------------------------------------------------------------------------------- */

static void fly(struct pg_lane *l, struct pg_items *from, struct pg_item *item)
{
	TAILQ_REMOVE(from, item, entry);
	TAILQ_INSERT_TAIL(&l->posts_flight, item, entry);
}

/* Messages of one locked chat whose pause is over, alone, so that nobody else waits for its lock.
 */
static uint32_t take_aside(struct pg_lane *l)
{
	usec_t now = loop_now(l->chat->loop);
	struct pg_item *item, *next;
	uint32_t n = 0;

	for (size_t i = 0; i < l->nlocked && n == 0; i++) {
		if (l->locked[i].until > now)
			continue;
		TAILQ_FOREACH_SAFE (item, &l->aside, entry, next) {
			if (post_of(item)->chat != l->locked[i].chat || n == l->post_limit)
				continue;
			fly(l, &l->aside, item);
			n++;
		}
		l->solo = i + 1;
	}
	return n;
}

static uint32_t take_posts(struct pg_lane *l)
{
	struct pg_item *item;
	uint32_t n = 0;
	size_t total = 0;

	while (n < l->post_limit && total < PG_POST_BYTES &&
	       (item = TAILQ_FIRST(&l->posts)) != NULL) {
		struct post *m = post_of(item);

		if (locked(l, m->chat) != NULL) {
			TAILQ_REMOVE(&l->posts, item, entry);
			TAILQ_INSERT_TAIL(&l->aside, item, entry);
			continue;
		}
		fly(l, &l->posts, item);
		total += bytes(m);
		n++;
	}
	return n;
}

#define FOREACH_SENT(m, item, l) \
	TAILQ_FOREACH (item, &(l)->posts_flight, entry) \
		if (((m) = post_of(item)) != NULL)

/* $1 of both statements. */
static void fill_chats(struct pg_lane *l, uint32_t n)
{
	struct pg_params *p = &l->params;
	struct pg_item *item;
	const struct post *m;

	pg_params_clear(p);
	pg_array_begin(p, PG_INT8, n);
	FOREACH_SENT(m, item, l)
	pg_array_i64(p, (int64_t)m->chat);
	pg_array_end(p);
}

static void fill(struct pg_lane *l, uint32_t n)
{
	struct pg_params *p = &l->params;
	struct pg_item *item;
	const struct post *m;

	fill_chats(l, n);
	pg_array_begin(p, PG_TEXT, n);
	FOREACH_SENT(m, item, l)
	pg_array_text(p, sender(m));
	pg_array_end(p);
	pg_array_begin(p, PG_UUID, n);
	FOREACH_SENT(m, item, l)
	{
		if (m->keyed)
			pg_array_uuid(p, m->key);
		else
			pg_array_null(p);
	}
	pg_array_end(p);
	pg_array_begin(p, PG_TEXT, n);
	FOREACH_SENT(m, item, l)
	pg_array_text(p, body(m));
	pg_array_end(p);
	pg_array_begin(p, PG_INT8, n);
	FOREACH_SENT(m, item, l)
	{
		if (m->reply_to != 0)
			pg_array_i64(p, m->reply_to <= INT64_MAX ? (int64_t)m->reply_to : -1);
		else
			pg_array_null(p);
	}
	pg_array_end(p);
	pg_array_begin(p, PG_JSON, n);
	FOREACH_SENT(m, item, l)
	pg_array_text_or_null(p, meta(m));
	pg_array_end(p);
	pg_param_bool(p, l->chat->options->see_all);
}

/* ---- results --------------------------------------------------------------------------------- */

static void answer(struct pg_chat *p, struct post *m, const struct pg_posted *x)
{
	struct chat_result r = pg_refusal(CHAT_STORE_OK, "", "");
	bool stored = slice_eq(x->status, SLICE("stored"));

	m->answered = true;
	if (slice_eq(x->status, SLICE("forbidden"))) {
		r.code = CHAT_STORE_FORBIDDEN;
	} else if (slice_eq(x->status, SLICE("bad_reply"))) {
		r = pg_refusal(CHAT_STORE_INVALID, "reply_to", "bad_reply");
	} else {
		/* the first answer was lost with a connection, nobody has been told of it */
		stored = stored || m->doubt;
		p->stored += stored ? 1 : 0;
		if (stored)
			pg_doubt_forget(&pg_lane_of(p, m->chat)->doubts, m->chat);
	}
	m->done(m->ctx, &r, stored, r.code == CHAT_STORE_OK ? &x->row : NULL);
}

/* Rows come by `ord`; a row that is missing or cannot be read is a fault of the statement. */
static void answer_all(struct pg_chat *p, struct pg_items *sent, const PGresult *result)
{
	const struct chat_result fault = pg_refusal(CHAT_STORE_FAULT, "", "");
	struct pg_item *item = TAILQ_FIRST(sent);
	struct pg_rows rows;
	uint64_t ord = 1;

	pg_posted_rows(&rows, result);
	for (int i = 0; i < rows.n && item != NULL; i++) {
		struct pg_posted x;

		if (!pg_rows_read(&rows, i, &x) || x.ord < ord)
			continue;
		for (; item != NULL && ord < x.ord; ord++)
			item = TAILQ_NEXT(item, entry);
		if (item != NULL)
			answer(p, post_of(item), &x);
	}
	while ((item = TAILQ_FIRST(sent)) != NULL) {
		TAILQ_REMOVE(sent, item, entry);
		if (post_of(item)->answered)
			discard(item);
		else
			pg_item_refuse(item, &fault);
	}
	pg_rows_done(&rows);
}

/* The connection went: what has a client id is sent again, under which it is stored once. */
static void take_back_lost(struct pg_lane *l, struct pg_items *sent)
{
	const struct chat_result away = pg_refusal(CHAT_STORE_UNAVAILABLE, "", "");
	struct pg_items keyed = TAILQ_HEAD_INITIALIZER(keyed);
	struct pg_items *to = l->solo != 0 ? &l->aside : &l->posts;
	struct pg_item *item;

	while ((item = TAILQ_FIRST(sent)) != NULL) {
		TAILQ_REMOVE(sent, item, entry);
		if (!post_of(item)->keyed || l->chat->stopped) {
			pg_item_refuse(item, &away);
			continue;
		}
		post_of(item)->doubt = true;
		TAILQ_INSERT_TAIL(&keyed, item, entry);
	}
	pg_items_prepend(to, &keyed);
}

/*
 * Nothing of the batch was stored. Where one message can be to blame, half as many go next time,
 * until it stands alone.
 */
static void take_back(struct pg_lane *l, struct pg_items *sent, const struct pg_error *error)
{
	struct pg_item *first = TAILQ_FIRST(sent);
	bool alone = TAILQ_NEXT(first, entry) == NULL;
	uint32_t n = 0;
	struct pg_item *item;
	struct chat_result r;

	if (error->class == PG_AGAIN && (alone || l->solo != 0)) {
		lock_chat(l, post_of(first)->chat);
		pg_items_prepend(&l->aside, sent);
		return;
	}
	if (!alone && error->class != PG_CONFIG) {
		TAILQ_FOREACH (item, sent, entry)
			n++;
		l->post_limit = MAX(n / 2, 1);
		pg_items_prepend(l->solo != 0 ? &l->aside : &l->posts, sent);
		return;
	}
	r = pg_refusal_of(error, "body");
	while ((item = TAILQ_FIRST(sent)) != NULL) {
		TAILQ_REMOVE(sent, item, entry);
		pg_item_refuse(item, &r);
	}
}

static void on_posted(void *ctx, const struct pg_error *error, PGresult *const *results, int n)
{
	struct pg_lane *l = ctx;
	struct pg_items sent = TAILQ_HEAD_INITIALIZER(sent);

	TAILQ_CONCAT(&sent, &l->posts_flight, entry);
	l->posting = false;
	if (error == NULL) {
		l->chat->batches++;
		l->post_limit = MIN(l->post_limit * 2, PG_POST_ROWS);
		answer_all(l->chat, &sent, results[n - 1]);
	} else if (error->class == PG_LOST) {
		take_back_lost(l, &sent);
	} else {
		take_back(l, &sent, error);
	}
	pg_chat_tick(l->chat);
	if (error == NULL || error->class != PG_LOST)
		pg_posts_go(l);
}

void pg_posts_go(struct pg_lane *l)
{
	uint32_t n;

	if (l->posting || l->conn == NULL || !pg_conn_ready(l->conn))
		return;
	l->solo = 0;
	unlock_empty(l);
	n = take_aside(l);
	if (n == 0)
		n = take_posts(l);
	if (n == 0)
		return;
	l->posting = true;
	if (pg_stmt_used(&l->chat->stmts->v[PG_LOCK_CHATS])) {
		fill_chats(l, n);
		pg_conn_query(l->conn, PG_LOCK_CHATS, &l->params);
	}
	fill(l, n);
	pg_conn_query(l->conn, PG_POST_MESSAGES, &l->params);
	pg_conn_sync(l->conn, on_posted, l);
}

void pg_posts_expire(struct pg_lane *l, usec_t now)
{
	const struct chat_result away = pg_refusal(CHAT_STORE_UNAVAILABLE, "", "");
	struct pg_item *item;

	pg_items_expire(&l->posts, now);
	/* these are in order within each chat only; a callback may change the list */
	do {
		TAILQ_FOREACH (item, &l->aside, entry)
			if (item->deadline <= now)
				break;
		if (item != NULL) {
			TAILQ_REMOVE(&l->aside, item, entry);
			pg_item_refuse(item, &away);
		}
	} while (item != NULL);
}

static void queue(struct pg_lane *l, struct post *m)
{
	struct pg_doubt doubt = doubt_of(m);

	m->doubt = m->keyed && pg_doubt_take(&l->doubts, &doubt);
	TAILQ_INSERT_TAIL(&l->posts, &m->item, entry);
}

void pg_post(void *self, const struct chat_post *post, chat_posted_fn done, void *ctx)
{
	static const struct pg_item_ops ops = {.refuse = refuse, .discard = discard};
	struct pg_chat *p = self;
	struct pg_lane *l = pg_lane_of(p, post->chat);
	size_t n = post->sender_id.n + post->body.n + post->meta.n;
	struct post *m = mem_zalloc(sizeof(*m) + n);

	pg_item_init(p, &m->item, &ops);
	m->chat = post->chat;
	m->reply_to = post->reply_to;
	m->done = done;
	m->ctx = ctx;
	m->sender = (uint32_t)post->sender_id.n;
	m->body = (uint32_t)post->body.n;
	m->meta = (uint32_t)post->meta.n;
	memcpy(m->text, post->sender_id.p, m->sender);
	memcpy(m->text + m->sender, post->body.p, m->body);
	if (m->meta > 0)
		memcpy(m->text + m->sender + m->body, post->meta.p, m->meta);
	p->nposts++;
	p->posts_bytes += bytes(m);

	m->keyed = post->client_id.n > 0;
	if (m->keyed && !pg_uuid_parse(post->client_id, m->key))
		pg_defer(&m->item, CHAT_STORE_INVALID, "client_id", "bad_text");
	else if (!pg_text_ok(post->body) || !pg_text_ok(post->sender_id))
		pg_defer(&m->item, CHAT_STORE_INVALID, "body", "bad_text");
	else if (!pg_text_ok(post->meta))
		pg_defer(&m->item, CHAT_STORE_INVALID, "meta", "bad_text");
	else if (post->chat > INT64_MAX)
		pg_defer(&m->item, CHAT_STORE_FORBIDDEN, "", "");
	else if (!p->database || p->stopped || p->nposts > PG_POSTS_MAX ||
		 p->posts_bytes > PG_POSTS_BYTES)
		pg_defer(&m->item, CHAT_STORE_UNAVAILABLE, "", "");
	else
		queue(l, m);
	pg_posts_go(l);
	pg_chat_tick(p);
}
