/* Messages: history, sending, editing, deleting. */
#include "broker/chat/chat_internal.h"

/* ---- answers and events ---- */

static void reply_message(struct call *call, unsigned status, const struct chat_message_row *row)
{
	struct chat *c = call->chat;

	buf_clear(&c->body);
	(void)buf_add(&c->body, SLICE("{\"message\":")); /* call_reply() checks */
	encode_message(&c->body, c->options.integer_ids, row);
	(void)buf_addc(&c->body, '}');
	call_reply(call, status);
}

static void publish(struct call *call, struct slice event, const struct chat_message_row *row)
{
	struct chat *c = call->chat;

	buf_clear(&c->data);
	(void)buf_add(&c->data, SLICE("{\"message\":")); /* event_to_chat() checks */
	encode_message(&c->data, c->options.integer_ids, row);
	(void)buf_addc(&c->data, '}');
	event_to_chat(c, row->chat, event, call_exclude(call));
}

/* ---- sending ---- */

/* The store answers the posts of a chat by ascending seq: so the events leave. */
static void on_posted(void *ctx, const struct chat_result *r, bool stored,
		      const struct chat_message_row *row)
{
	struct call *call = ctx;
	struct chat *c = call->chat;

	if (r->code != CHAT_STORE_OK) {
		call_refuse(call, r);
		return;
	}
	if (stored) {
		c->stats.messages++;
		typings_stop(c->typings, row->chat, call->who->user_id, call_exclude(call));
		publish(call, SLICE("message.sent"), row);
		activity_message(c, row, true);
	}
	reply_message(call, stored ? 201 : 200, row);
}

void send_handle(struct call *call)
{
	struct chat *c = call->chat;
	struct chat_post post = {
		.chat = call->q.chat,
		.sender_id = call->who->user_id,
		.client_id = call->q.client_id,
		.body = call->q.text,
		.reply_to = call->q.reply_to,
		.meta = call->q.meta,
	};

	if (call_within(call, c->message_rates, &c->options.messages))
		c->store->post(c->store->self, &post, on_posted, call);
}

/* ---- editing and deleting ---- */

static void changed(struct call *call, const struct chat_result *r, bool changed, bool is_last,
		    const struct chat_message_row *row, struct slice event)
{
	if (r->code != CHAT_STORE_OK) {
		call_refuse(call, r);
		return;
	}
	if (changed) {
		publish(call, event, row);
		if (is_last)
			activity_message(call->chat, row, false);
	}
	reply_message(call, 200, row);
}

static void on_edited(void *ctx, const struct chat_result *r, bool edited, bool is_last,
		      const struct chat_message_row *row)
{
	struct call *call = ctx;

	if (r->code == CHAT_STORE_OK && !edited)
		call_invalid(call, SLICE("body"),
			     "cannot be changed because the message was deleted.");
	else
		changed(call, r, edited, is_last, row, SLICE("message.updated"));
}

void edit_handle(struct call *call)
{
	struct chat *c = call->chat;

	if (call_within(call, c->message_rates, &c->options.messages))
		c->store->edit(c->store->self, call->q.message, call->who->user_id, call->q.text,
			       on_edited, call);
}

static void on_deleted(void *ctx, const struct chat_result *r, bool deleted, bool is_last,
		       const struct chat_message_row *row)
{
	changed(ctx, r, deleted, is_last, row, SLICE("message.deleted"));
}

void delete_handle(struct call *call)
{
	struct chat *c = call->chat;

	if (call_within(call, c->message_rates, &c->options.messages))
		c->store->delete_message(c->store->self, call->q.message, call->who->user_id,
					 on_deleted, call);
}

/* ---- history ---- */

static uint32_t limit_of(const struct call *call)
{
	return call->q.limit == 0 ? CHAT_PAGE_DEFAULT : MIN(call->q.limit, (uint32_t)CHAT_PAGE_MAX);
}

/* What a row takes at most: every byte of its texts as \u0000. */
static size_t bytes_of(const struct chat_message_row *row)
{
	return 1024 + 6 * (row->body.n + row->sender_name.n + row->sender_id.n) + row->meta.n;
}

/* Rows that go into one answer. */
static size_t count_fitting(const struct chat_message_row *rows, size_t n)
{
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++) {
		bytes += bytes_of(&rows[i]);
		if (i > 0 && bytes > CHAT_PAGE_BYTES)
			return i;
	}
	return n;
}

static void reply_page(struct call *call, const struct chat_message_row *rows, size_t n,
		       bool newest_first)
{
	struct chat *c = call->chat;
	size_t shown = count_fitting(rows, MIN(n, (size_t)limit_of(call)));
	struct buf *out = &c->body;

	buf_clear(out);
	(void)buf_add(out, SLICE("{\"data\":[")); /* call_reply() checks */
	for (size_t i = 0; i < shown; i++) {
		if (i > 0)
			(void)buf_addc(out, ',');
		encode_message(out, c->options.integer_ids,
			       &rows[newest_first ? shown - 1 - i : i]);
	}
	(void)buf_add(out,
		      n > shown ? SLICE("],\"has_more\":true}") : SLICE("],\"has_more\":false}"));
	call_reply(call, 200);
}

static void on_history(void *ctx, const struct chat_result *r, const struct chat_message_row *rows,
		       size_t n)
{
	if (r->code == CHAT_STORE_OK)
		reply_page(ctx, rows, n, true);
	else
		call_refuse(ctx, r);
}

static void on_catch_up(void *ctx, const struct chat_result *r, const struct chat_message_row *rows,
			size_t n)
{
	if (r->code == CHAT_STORE_OK)
		reply_page(ctx, rows, n, false);
	else
		call_refuse(ctx, r);
}

/* One row more than is shown says whether there are more. */
void history_handle(struct call *call)
{
	const struct chat_store *store = call->chat->store;
	const struct chat_call *q = &call->q;
	uint32_t limit = limit_of(call) + 1;
	uint64_t before = q->before_seq == UINT64_MAX ? 0 : MAX(q->before_seq, 1U);

	if (q->after_seq != UINT64_MAX)
		store->catch_up(store->self, q->chat, call->who->user_id, q->after_seq, limit,
				on_catch_up, call);
	else
		store->history(store->self, q->chat, call->who->user_id, before, limit, on_history,
			       call);
}
