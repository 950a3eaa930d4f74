/* Life of a question: copied, its token checked, handled, answered once. */
#include <stdlib.h>

#include "broker/chat/chat_internal.h"
#include "broker/chat/view.h"

#define RETRY_SECONDS 1

/* ---- birth ---- */

/* All texts of a question, to be copied. */
enum { TEXTS = 13 };

static void texts_of(struct call *call, struct slice *ret[TEXTS])
{
	struct chat_call *q = &call->q;
	struct slice *all[TEXTS] = {
		&q->caller.token_id,
		&q->caller.token_hash,
		&q->caller.address,
		&q->caller.socket_id,
		&q->user,
		&q->text,
		&q->client_id,
		&q->meta,
		&q->name,
		&q->ids,
		&q->cursor,
		&q->invalid,
		&call->channel,
	};

	memcpy(ret, all, sizeof(all));
}

static struct call *call_new(struct chat *c, const struct chat_call *q, struct slice channel)
{
	struct call from = {.q = *q, .channel = channel};
	struct slice *texts[TEXTS];
	struct call *call;
	size_t n = 0;
	char *at;

	texts_of(&from, texts);
	for (size_t i = 0; i < TEXTS; i++)
		n += texts[i]->n;
	call = mem_zalloc(sizeof(*call) + n);
	call->chat = c;
	call->q = *q;
	call->channel = channel;
	at = call->text;
	texts_of(call, texts);
	for (size_t i = 0; i < TEXTS; i++) {
		if (texts[i]->p == NULL)
			continue;
		if (texts[i]->n > 0)
			memcpy(at, texts[i]->p, texts[i]->n);
		texts[i]->p = at;
		at += texts[i]->n;
	}
	TAILQ_INSERT_TAIL(&c->calls, call, all);
	return call;
}

static void call_free(struct call *call)
{
	TAILQ_REMOVE(&call->chat->calls, call, all);
	identity_unref(call->who);
	view_free(call->view);
	free(call);
}

/* ---- answers ---- */

static void answer(struct call *call, const struct chat_answer *a)
{
	call->done(call->ctx, a);
	call_free(call);
}

void call_grant(struct call *call, struct slice user_info, bool presence)
{
	struct chat_answer a = {
		.status = 200,
		.user_id = call->who->user_id,
		.user_info = user_info,
		.presence = presence,
	};

	answer(call, &a);
}

void call_reply(struct call *call, unsigned status)
{
	const struct buf *body = &call->chat->body;
	struct chat_answer a = {.status = status, .body = buf_slice(body)};

	if (buf_ok(body))
		answer(call, &a);
	else
		call_fail(call, 500, 0); /* larger than a record of the lane */
}

static struct slice error_body(unsigned status)
{
	switch (status) {
	case 401:
		return SLICE("{\"message\":\"Unauthenticated.\"}");
	case 403:
		return SLICE("{\"message\":\"This action is unauthorized.\"}");
	case 404:
		return SLICE("{\"message\":\"Not Found.\"}");
	case 429:
		return SLICE("{\"message\":\"Too Many Attempts.\"}");
	case 503:
		return SLICE("{\"message\":\"Service Unavailable\"}");
	default:
		return SLICE("{\"message\":\"Server Error\"}");
	}
}

void call_fail(struct call *call, unsigned status, unsigned retry_after)
{
	struct chat_answer a = {
		.status = status,
		.retry_after = retry_after,
		.body = error_body(status),
	};

	answer(call, &a);
}

/* {"message":"The reply to field is invalid.","errors":{"reply_to":["The reply to ..."]}} */
void call_invalid(struct call *call, struct slice field, const char *rule)
{
	struct buf *out = &call->chat->body;
	struct slice sentence;
	struct buf text;

	buf_init(&text, 1024);
	(void)buf_add(&text, SLICE("The ")); /* names and rules are short */
	for (size_t i = 0; i < field.n; i++)
		(void)buf_addc(&text, field.p[i] == '_' ? ' ' : field.p[i]);
	(void)buf_add(&text, SLICE(" field "));
	(void)buf_add(&text, slice_str(rule));
	sentence = buf_slice(&text);

	buf_clear(out);
	(void)buf_add(out, SLICE("{\"message\":"));
	(void)buf_json_str(out, sentence);
	(void)buf_add(out, SLICE(",\"errors\":{"));
	(void)buf_json_str(out, field);
	(void)buf_add(out, SLICE(":["));
	(void)buf_json_str(out, sentence);
	(void)buf_add(out, SLICE("]}}"));
	buf_done(&text);
	call_reply(call, 422);
}

static const char *rule_of(struct slice why)
{
	static const struct {
		struct slice why;
		const char *rule;
	} rules[] = {
		{SLICE_INIT("bad_reply"), "must name a message of this chat."},
		{SLICE_INIT("unknown_users"), "must name users that exist."},
		{SLICE_INIT("not_two"), "must name one other user for a direct chat."},
		{SLICE_INIT("unknown_user"), "must name a user that exists."},
		{SLICE_INIT("bad_text"), "must be valid text."},
	};

	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		if (slice_eq(why, rules[i].why))
			return rules[i].rule;
	}
	return "is invalid.";
}

void call_refuse(struct call *call, const struct chat_result *r)
{
	switch (r->code) {
	case CHAT_STORE_FORBIDDEN:
		call_fail(call, 403, 0);
		return;
	case CHAT_STORE_INVALID:
		call_invalid(call, slice_str(r->field), rule_of(slice_str(r->why)));
		return;
	case CHAT_STORE_UNAVAILABLE:
		call_fail(call, 503, RETRY_SECONDS);
		return;
	case CHAT_STORE_OK:
	case CHAT_STORE_FAULT:
		break;
	}
	call_fail(call, 500, 0);
}

/* ---- the token ---- */

/* Only failing ones count, and only they are turned away: a good token is served all the same. */
static void on_bad_token(struct call *call)
{
	struct chat *c = call->chat;
	unsigned wait;

	if (rates_take(c->failed_rates, c->now, &c->options.failed_tokens, call->q.caller.address,
		       &wait))
		call_fail(call, 401, 0);
	else
		call_fail(call, 429, wait);
}

static void on_good_token(struct call *call, struct identity *who)
{
	struct chat *c = call->chat;

	call->who = identity_ref(who);
	c->store->touch_token(c->store->self, who->token_id);
	profiles_put_name(c->profiles, who->user_id, who->user_name);
	if (call->q.invalid.n == 0) {
		call->next(call);
		return;
	}
	buf_clear(&c->body);
	(void)buf_add(&c->body, call->q.invalid); /* call_reply() sees if it did not fit */
	call_reply(call, 422);
}

static void on_token(void *ctx, enum token_verdict verdict, struct identity *who)
{
	struct call *call = ctx;

	switch (verdict) {
	case TOKEN_GOOD:
		on_good_token(call, who);
		return;
	case TOKEN_BAD:
		on_bad_token(call);
		return;
	case TOKEN_UNAVAILABLE:
		call_fail(call, 503, RETRY_SECONDS);
		return;
	case TOKEN_FAULT:
		break;
	}
	call_fail(call, 500, 0);
}

void call_start(struct chat *c, const struct chat_call *q, struct slice channel, call_fn *next,
		chat_answer_fn *done, void *ctx)
{
	struct call *call = call_new(c, q, channel);

	c->stats.calls++;
	call->next = next;
	call->done = done;
	call->ctx = ctx;
	if (q->caller.token_hash.n == 0)
		call_fail(call, 401, 0); /* no token is no failed token */
	else
		tokens_check(c->tokens, c->now, c->ops->wall(c->ctx), call->q.caller.token_id,
			     call->q.caller.token_hash, on_token, call);
}

void call_free_all(struct chat *c)
{
	struct call *call;

	while ((call = TAILQ_FIRST(&c->calls)) != NULL)
		call_fail(call, 503, RETRY_SECONDS);
}

/* ---- for handlers ---- */

bool call_within(struct call *call, struct rates *rates, const struct chat_rate *rate)
{
	unsigned wait;

	if (rates_take(rates, call->chat->now, rate, call->who->user_id, &wait))
		return true;
	call_fail(call, 429, wait);
	return false;
}

struct slice *call_ids(const struct call *call, size_t *ret_n)
{
	struct slice list = call->q.ids;
	struct slice *ids;
	struct slice id;
	size_t n = 0;

	while (wire_list_next(&list, &id))
		n++;
	ids = mem_calloc(n + 1, sizeof(*ids));
	list = call->q.ids;
	*ret_n = n;
	for (n = 0; n < *ret_n && wire_list_next(&list, &ids[n]);)
		n++;
	return ids;
}

static int by_text(const void *a, const void *b)
{
	const struct slice *x = a;
	const struct slice *y = b;
	size_t n = MIN(x->n, y->n);
	int order = n > 0 ? memcmp(x->p, y->p, n) : 0;

	return order != 0 ? order : (x->n > y->n) - (x->n < y->n);
}

size_t call_unique(struct slice *ids, size_t n)
{
	size_t kept = 0;

	qsort(ids, n, sizeof(*ids), by_text);
	for (size_t i = 0; i < n; i++) {
		if (kept == 0 || !slice_eq(ids[kept - 1], ids[i]))
			ids[kept++] = ids[i];
	}
	return kept;
}

uint64_t call_exclude(const struct call *call)
{
	const struct chat *c = call->chat;
	struct slice socket_id = call->q.caller.socket_id;

	if (socket_id.n == 0 || socket_id.n > LIMIT_SOCKET_ID)
		return 0;
	return c->ops->find_conn(c->ctx, socket_id);
}
