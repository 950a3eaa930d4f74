#include <stdlib.h>

#include "broker/store/pg_chat_internal.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"

static struct pg_call *call_of(struct pg_item *item)
{
	return CONTAINER_OF(item, struct pg_call, item);
}

static void refuse(struct pg_item *item, const struct chat_result *r)
{
	struct pg_call *call = call_of(item);

	call->answer(call, r, NULL);
}

static void discard(struct pg_item *item)
{
	struct pg_call *call = call_of(item);

	item->chat->nitems--;
	pg_params_done(&call->params);
	free(call);
}

void pg_calls_init(struct pg_calls *q, struct pg_conn *conn)
{
	q->conn = conn;
	TAILQ_INIT(&q->waiting);
	TAILQ_INIT(&q->flight);
	TAILQ_INIT(&q->back);
}

struct pg_call *pg_call_new(struct pg_chat *p, struct pg_calls *q, enum pg_stmt_id stmt)
{
	static const struct pg_item_ops ops = {.refuse = refuse, .discard = discard};
	struct pg_call *call = NEW(struct pg_call);

	pg_item_init(p, &call->item, &ops);
	call->calls = q;
	call->stmt = stmt;
	call->field = "";
	pg_params_init(&call->params);
	p->nitems++;
	return call;
}

/* Whether the same statement may succeed when it is sent once more. */
static bool try_again(struct pg_call *call, const struct pg_error *error)
{
	bool in_time = call->item.deadline > loop_now(call->item.chat->loop);

	if (error->class == PG_AGAIN)
		return in_time && ++call->tries < PG_TRIES;
	return error->class == PG_LOST && in_time && !call->once && !call->item.chat->stopped;
}

static void on_done(void *ctx, const struct pg_error *error, PGresult *const *results, int n)
{
	struct pg_call *call = ctx;
	struct pg_calls *q = call->calls;
	struct chat_result r = pg_refusal(CHAT_STORE_OK, "", "");

	TAILQ_REMOVE(&q->flight, &call->item, entry);
	q->nflight--;
	if (error == NULL && n == 1) {
		call->answer(call, &r, results[0]);
		discard(&call->item);
	} else if (error != NULL && try_again(call, error)) {
		TAILQ_INSERT_TAIL(&q->back, &call->item, entry);
		pg_chat_tick(call->item.chat);
	} else {
		if (error != NULL)
			r = pg_refusal_of(error, call->field);
		else
			r.code = CHAT_STORE_FAULT;
		pg_item_refuse(&call->item, &r);
	}
	/* of a lost connection all come back first, or their order would turn round */
	if (error == NULL || error->class != PG_LOST)
		pg_calls_go(q);
}

static void submit(struct pg_calls *q, struct pg_call *call)
{
	TAILQ_INSERT_TAIL(&q->flight, &call->item, entry);
	q->nflight++;
	pg_conn_query(q->conn, call->stmt, &call->params);
	pg_conn_sync(q->conn, on_done, call);
}

void pg_calls_go(struct pg_calls *q)
{
	struct pg_item *item;

	if (!TAILQ_EMPTY(&q->back))
		pg_items_prepend(&q->waiting, &q->back);
	while (q->conn != NULL && q->nflight < PG_CALLS_FLIGHT && pg_conn_ready(q->conn) &&
	       (item = TAILQ_FIRST(&q->waiting)) != NULL) {
		TAILQ_REMOVE(&q->waiting, item, entry);
		submit(q, call_of(item));
	}
}

void pg_calls_expire(struct pg_calls *q, usec_t now)
{
	pg_items_expire(&q->back, now);
	pg_items_expire(&q->waiting, now);
}

void pg_call_start(struct pg_call *call, bool ok)
{
	struct pg_chat *p = call->item.chat;
	uint32_t most = p->options->max_waiting != 0 ? p->options->max_waiting : 10000;

	if (!ok) {
		pg_defer(&call->item, CHAT_STORE_INVALID, call->field, "bad_text");
		return;
	}
	if (!p->database || p->stopped || p->nitems > most) {
		pg_defer(&call->item, CHAT_STORE_UNAVAILABLE, "", "");
		return;
	}
	TAILQ_INSERT_TAIL(&call->calls->waiting, &call->item, entry);
	pg_calls_go(call->calls);
	if (!TAILQ_EMPTY(&call->calls->waiting))
		pg_chat_tick(p);
}
