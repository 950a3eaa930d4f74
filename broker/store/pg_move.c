#include <stdlib.h>
#include <string.h>

#include "broker/store/pg_chat_internal.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"

struct move {
	struct pg_item item;
	uint64_t chat;
	uint64_t delivered;
	uint64_t read;
	bool doubt; /* it was under way when a connection went: the cursors may have moved */
	bool answered;
	unsigned tries;
	chat_cursor_fn done;
	void *ctx;
	size_t n;
	char user[];
};

/* A row of move_cursors(). */
struct moved {
	uint64_t ord;
	bool member;
	struct chat_cursor_row row;
};

static struct move *move_of(struct pg_item *item)
{
	return CONTAINER_OF(item, struct move, item);
}

static void refuse(struct pg_item *item, const struct chat_result *r)
{
	struct move *v = move_of(item);

	v->done(v->ctx, r, NULL);
}

static void discard(struct pg_item *item)
{
	item->chat->nitems--;
	free(move_of(item));
}

/* ---- batches --------------------------------------------------------------------------------- */

#define FOREACH_SENT(v, item, l) \
	TAILQ_FOREACH (item, &(l)->moves_flight, entry) \
		if (((v) = move_of(item)) != NULL)

static void cursor(struct pg_params *p, uint64_t seq)
{
	if (seq != 0)
		pg_array_i64(p, (int64_t)MIN(seq, INT64_MAX));
	else
		pg_array_null(p);
}

static void fill(struct pg_lane *l, uint32_t n)
{
	struct pg_params *p = &l->params;
	struct pg_item *item;
	const struct move *v;

	pg_params_clear(p);
	pg_array_begin(p, PG_INT8, n);
	FOREACH_SENT(v, item, l)
	pg_array_i64(p, (int64_t)v->chat);
	pg_array_end(p);
	pg_array_begin(p, PG_TEXT, n);
	FOREACH_SENT(v, item, l)
	pg_array_text(p, slice_of(v->user, v->n));
	pg_array_end(p);
	pg_array_begin(p, PG_INT8, n);
	FOREACH_SENT(v, item, l)
	cursor(p, v->delivered);
	pg_array_end(p);
	pg_array_begin(p, PG_INT8, n);
	FOREACH_SENT(v, item, l)
	cursor(p, v->read);
	pg_array_end(p);
}

/* ---- results --------------------------------------------------------------------------------- */

static void answer(struct pg_chat *p, struct move *v, struct moved *x)
{
	struct chat_result r = pg_refusal(CHAT_STORE_OK, "", "");

	v->answered = true;
	if (!x->member)
		r.code = CHAT_STORE_FORBIDDEN;
	if (v->doubt) {
		/* moved before the answer was lost, as far as anybody can tell */
		x->row.delivered_moved =
			x->row.delivered_moved ||
			(v->delivered != 0 && v->delivered == x->row.delivered_seq);
		x->row.read_moved =
			x->row.read_moved || (v->read != 0 && v->read == x->row.read_seq);
	}
	p->receipts += x->row.delivered_moved || x->row.read_moved ? 1 : 0;
	v->done(v->ctx, &r, x->member ? &x->row : NULL);
}

static void answer_all(struct pg_chat *p, struct pg_items *sent, const PGresult *result)
{
	static const struct pg_field fields[] = {
		PG_FIELD("ord", PG_READ_U64, struct moved, ord),
		PG_FIELD("member", PG_READ_BOOL, struct moved, member),
		PG_FIELD("chat_id", PG_READ_U64, struct moved, row.chat),
		PG_FIELD("user_id", PG_READ_TEXT, struct moved, row.user_id),
		PG_FIELD("delivered_moved", PG_READ_BOOL, struct moved, row.delivered_moved),
		PG_FIELD("read_moved", PG_READ_BOOL, struct moved, row.read_moved),
		PG_FIELD("delivered_seq", PG_READ_U64, struct moved, row.delivered_seq),
		PG_FIELD("delivered_at", PG_READ_TIME, struct moved, row.delivered_at),
		PG_FIELD("delivered_id", PG_READ_U64, struct moved, row.delivered_id),
		PG_FIELD("read_seq", PG_READ_U64, struct moved, row.read_seq),
		PG_FIELD("read_at", PG_READ_TIME, struct moved, row.read_at),
		PG_FIELD("read_id", PG_READ_U64, struct moved, row.read_id),
		PG_FIELD("last_seq", PG_READ_U64, struct moved, row.last_seq),
		PG_FIELD("unread_count", PG_READ_U64, struct moved, row.unread),
	};
	const struct chat_result fault = pg_refusal(CHAT_STORE_FAULT, "", "");
	struct pg_item *item = TAILQ_FIRST(sent);
	struct pg_rows rows;
	uint64_t ord = 1;

	pg_rows_init(&rows, result, fields, ARRAY_LEN(fields));
	for (int i = 0; i < rows.n && item != NULL; i++) {
		struct moved x;

		if (!pg_rows_read(&rows, i, &x) || x.ord < ord)
			continue;
		for (; item != NULL && ord < x.ord; ord++)
			item = TAILQ_NEXT(item, entry);
		if (item != NULL)
			answer(p, move_of(item), &x);
	}
	while ((item = TAILQ_FIRST(sent)) != NULL) {
		TAILQ_REMOVE(sent, item, entry);
		if (move_of(item)->answered)
			discard(item);
		else
			pg_item_refuse(item, &fault);
	}
	pg_rows_done(&rows);
}

/* Cursors only ever move forward, so all may simply be sent again. */
static void take_back(struct pg_lane *l, struct pg_items *sent, const struct pg_error *error)
{
	bool lost = error->class == PG_LOST;
	bool alone = TAILQ_NEXT(TAILQ_FIRST(sent), entry) == NULL;
	struct chat_result r;
	struct pg_item *item;
	uint32_t n = 0;

	TAILQ_FOREACH (item, sent, entry) {
		move_of(item)->doubt = move_of(item)->doubt || lost;
		n++;
	}
	if ((lost && !l->chat->stopped) || (!lost && !alone && error->class != PG_CONFIG)) {
		l->move_limit = lost ? l->move_limit : MAX(n / 2, 1);
		pg_items_prepend(&l->moves, sent);
		return;
	}
	item = TAILQ_FIRST(sent);
	if (error->class == PG_AGAIN && ++move_of(item)->tries < PG_TRIES) {
		TAILQ_CONCAT(&l->moves, sent, entry); /* behind the others */
		return;
	}
	r = pg_refusal_of(error, "user_id");
	while ((item = TAILQ_FIRST(sent)) != NULL) {
		TAILQ_REMOVE(sent, item, entry);
		pg_item_refuse(item, &r);
	}
}

static void on_moved(void *ctx, const struct pg_error *error, PGresult *const *results, int n)
{
	struct pg_lane *l = ctx;
	struct pg_items sent = TAILQ_HEAD_INITIALIZER(sent);

	TAILQ_CONCAT(&sent, &l->moves_flight, entry);
	l->moving = false;
	if (error == NULL) {
		l->move_limit = MIN(l->move_limit * 2, PG_MOVE_ROWS);
		answer_all(l->chat, &sent, results[n - 1]);
	} else {
		take_back(l, &sent, error);
	}
	pg_chat_tick(l->chat);
	if (error == NULL || error->class != PG_LOST)
		pg_moves_go(l);
}

void pg_moves_go(struct pg_lane *l)
{
	struct pg_params none;
	struct pg_item *item;
	uint32_t n = 0;

	if (l->moving || l->conn == NULL || !pg_conn_ready(l->conn))
		return;
	while (n < l->move_limit && (item = TAILQ_FIRST(&l->moves)) != NULL) {
		TAILQ_REMOVE(&l->moves, item, entry);
		TAILQ_INSERT_TAIL(&l->moves_flight, item, entry);
		n++;
	}
	if (n == 0)
		return;
	l->moving = true;
	/* what a crash of PostgreSQL may take back is a cursor: it is not waited for the disk */
	pg_params_init(&none);
	pg_conn_query(l->conn, PG_ASYNC_COMMIT, &none);
	pg_params_done(&none);
	fill(l, n);
	pg_conn_query(l->conn, PG_MOVE_CURSORS, &l->params);
	pg_conn_sync(l->conn, on_moved, l);
}

void pg_move(void *self, uint64_t chat, struct slice user, uint64_t delivered, uint64_t read,
	     chat_cursor_fn done, void *ctx)
{
	static const struct pg_item_ops ops = {.refuse = refuse, .discard = discard};
	struct pg_chat *p = self;
	struct pg_lane *l = pg_lane_of(p, chat);
	uint32_t most = p->options->max_waiting != 0 ? p->options->max_waiting : 10000;
	struct move *v = mem_zalloc(sizeof(*v) + user.n);

	pg_item_init(p, &v->item, &ops);
	v->chat = chat;
	v->delivered = delivered;
	v->read = read;
	v->done = done;
	v->ctx = ctx;
	v->n = user.n;
	memcpy(v->user, user.p, user.n);
	p->nitems++;

	if (!pg_text_ok(user))
		pg_defer(&v->item, CHAT_STORE_INVALID, "user_id", "bad_text");
	else if (chat > INT64_MAX)
		pg_defer(&v->item, CHAT_STORE_FORBIDDEN, "", "");
	else if (!p->database || p->stopped || p->nitems > most)
		pg_defer(&v->item, CHAT_STORE_UNAVAILABLE, "", "");
	else
		TAILQ_INSERT_TAIL(&l->moves, &v->item, entry);
	pg_moves_go(l);
	pg_chat_tick(p);
}
