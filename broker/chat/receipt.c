/* Receipts: cursors that only move forward. */
#include "broker/chat/chat_internal.h"

/* ---- events ---- */

static void publish(struct call *call, const struct chat_cursor_row *row, bool read)
{
	struct chat *c = call->chat;
	struct buf *out = &c->data;

	buf_clear(out);
	(void)buf_add(out, SLICE("{\"chat_id\":")); /* event_to_chat() checks */
	(void)buf_u64(out, row->chat);
	(void)buf_add(out, SLICE(",\"user\":"));
	encode_user(out, c->options.integer_ids, call->who->user_id, call->who->user_name);
	(void)buf_add(out, SLICE(",\"seq\":"));
	(void)buf_u64(out, read ? row->read_seq : row->delivered_seq);
	(void)buf_add(out, SLICE(",\"message_id\":"));
	encode_number(out, read ? row->read_id : row->delivered_id);
	(void)buf_add(out, read ? SLICE(",\"read_at\":") : SLICE(",\"delivered_at\":"));
	encode_time(out, read ? row->read_at : row->delivered_at);
	(void)buf_addc(out, '}');
	event_to_chat(c, row->chat, read ? SLICE("message.read") : SLICE("message.delivered"),
		      call_exclude(call));
}

/*
 * Reading implies delivered: one event where both cursors stand at the same place. Calls that
 * became one move are told by the first of them, whichever kind it was.
 */
static void publish_moves(struct call *call, const struct chat_cursor_row *row)
{
	if (row->delivered_moved && !(row->read_moved && row->read_seq == row->delivered_seq))
		publish(call, row, false);
	if (row->read_moved) {
		publish(call, row, true);
		activity_reader(call->chat, row->chat, call->who->user_id);
	}
}

/* ---- read and delivered ---- */

static void reply(struct call *call, const struct chat_cursor_row *row)
{
	bool read = call->q.route == WIRE_CHAT_READ;
	struct buf *out = &call->chat->body;

	buf_clear(out);
	(void)buf_add(out, SLICE("{\"chat_id\":")); /* call_reply() checks */
	(void)buf_u64(out, row->chat);
	(void)buf_add(out, SLICE(",\"message_id\":"));
	encode_number(out, read ? row->read_id : row->delivered_id);
	(void)buf_add(out, SLICE(",\"seq\":"));
	(void)buf_u64(out, read ? row->read_seq : row->delivered_seq);
	(void)buf_add(out, read ? SLICE(",\"read_at\":") : SLICE(",\"delivered_at\":"));
	encode_time(out, read ? row->read_at : row->delivered_at);
	(void)buf_add(out, SLICE(",\"unread_count\":"));
	(void)buf_u64(out, row->unread);
	(void)buf_addc(out, '}');
	call_reply(call, 200);
}

static void on_moved(void *ctx, const struct chat_result *r, const struct chat_cursor_row *row)
{
	struct call *call = ctx;

	if (r->code != CHAT_STORE_OK) {
		call_refuse(call, r);
		return;
	}
	publish_moves(call, row);
	reply(call, row);
}

static void on_place(void *ctx, const struct chat_result *r, const struct chat_place_row *row)
{
	struct call *call = ctx;
	const struct chat_store *store = call->chat->store;
	bool read = call->q.route == WIRE_CHAT_READ;

	if (r->code != CHAT_STORE_OK)
		call_refuse(call, r);
	else
		store->move_cursors(store->self, row->chat, call->who->user_id, read ? 0 : row->seq,
				    read ? row->seq : 0, on_moved, call);
}

static void move(struct call *call)
{
	struct chat *c = call->chat;

	if (call_within(call, c->receipt_rates, &c->options.receipts))
		c->store->find_message(c->store->self, call->q.message, call->who->user_id,
				       on_place, call);
}

void read_handle(struct call *call)
{
	move(call);
}

void delivered_handle(struct call *call)
{
	move(call);
}

/* ---- the cursors of all ---- */

static void on_receipts(void *ctx, const struct chat_result *r, const struct chat_receipt_row *rows,
			size_t n)
{
	struct call *call = ctx;
	struct chat *c = call->chat;
	struct buf *out = &c->body;

	if (r->code != CHAT_STORE_OK) {
		call_refuse(call, r);
		return;
	}
	buf_clear(out);
	(void)buf_add(out, SLICE("{\"data\":[")); /* call_reply() checks */
	for (size_t i = 0; i < n; i++) {
		(void)buf_add(out, i > 0 ? SLICE(",{\"user_id\":") : SLICE("{\"user_id\":"));
		encode_user_id(out, c->options.integer_ids, rows[i].user_id);
		(void)buf_add(out, SLICE(",\"delivered_seq\":"));
		(void)buf_u64(out, rows[i].delivered_seq);
		(void)buf_add(out, SLICE(",\"delivered_at\":"));
		encode_time(out, rows[i].delivered_at);
		(void)buf_add(out, SLICE(",\"read_seq\":"));
		(void)buf_u64(out, rows[i].read_seq);
		(void)buf_add(out, SLICE(",\"read_at\":"));
		encode_time(out, rows[i].read_at);
		(void)buf_addc(out, '}');
	}
	(void)buf_add(out, SLICE("]}"));
	call_reply(call, 200);
}

void receipts_handle(struct call *call)
{
	const struct chat_store *store = call->chat->store;

	store->receipts(store->self, call->q.chat, call->who->user_id, on_receipts, call);
}
