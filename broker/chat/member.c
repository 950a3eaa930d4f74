/* Participants come and go. */
#include "broker/chat/chat_internal.h"
#include "broker/chat/view.h"

static void publish(struct call *call, struct slice event, const struct chat_member_row *row)
{
	struct chat *c = call->chat;
	struct buf *out = &c->data;

	buf_clear(out);
	(void)buf_add(out, SLICE("{\"chat_id\":")); /* event_to_chat() checks */
	(void)buf_u64(out, call->q.chat);
	(void)buf_add(out, SLICE(",\"user\":"));
	encode_user(out, c->options.integer_ids, call->q.user, row->user_name);
	(void)buf_add(out, SLICE(",\"owner_id\":"));
	encode_user_id(out, c->options.integer_ids, row->owner_id);
	(void)buf_addc(out, '}');
	event_to_chat(c, call->q.chat, event, call_exclude(call));
}

/* ---- adding ---- */

/* The last chat of the view is the caller's, one before it the new participant's. */
static void on_viewed(struct call *call, const struct chat_result *r)
{
	struct chat *c = call->chat;
	size_t n = view_count(call->view);

	if (r->code != CHAT_STORE_OK || n == 0) {
		call_refuse(call, r);
		return;
	}
	if (n > 1) {
		event_chat_created(call, 0);
		event_to_user(c, call->q.user, SLICE("chat.created"));
	}
	buf_clear(&c->body);
	(void)buf_add(&c->body, SLICE("{\"chat\":")); /* call_reply() checks */
	view_encode(call, n - 1, VIEWER_CONTACT, &c->body);
	(void)buf_addc(&c->body, '}');
	call_reply(call, 200);
}

static void on_views(void *ctx, const struct chat_result *r, const struct chat_row *rows, size_t n)
{
	struct call *call = ctx;

	if (r->code != CHAT_STORE_OK)
		call_refuse(call, r);
	else if (n == 0 || !slice_eq(rows[n - 1].user_id, call->who->user_id))
		call_fail(call, 403, 0); /* the caller was removed meanwhile */
	else
		view_start(call, rows, n, n, on_viewed);
}

static void on_added(void *ctx, const struct chat_result *r, bool changed,
		     const struct chat_member_row *row)
{
	struct call *call = ctx;
	struct chat *c = call->chat;
	const struct chat_pair pairs[] = {
		{call->q.chat, call->q.user},
		{call->q.chat, call->who->user_id},
	};

	if (r->code != CHAT_STORE_OK) {
		call_refuse(call, r);
		return;
	}
	if (changed) {
		withdraw_undo(c, call->q.chat, call->q.user);
		publish(call, SLICE("participant.added"), row);
	}
	c->store->chat_view(c->store->self, changed ? pairs : pairs + 1, changed ? 2 : 1, on_views,
			    call);
}

void add_participant_handle(struct call *call)
{
	const struct chat_store *store = call->chat->store;

	store->add_participant(store->self, call->q.chat, call->q.user, call->who->user_id,
			       on_added, call);
}

/* ---- removing and leaving ---- */

static void on_removed(void *ctx, const struct chat_result *r, bool changed,
		       const struct chat_member_row *row)
{
	struct call *call = ctx;
	struct chat *c = call->chat;

	if (r->code != CHAT_STORE_OK) {
		call_refuse(call, r);
		return;
	}
	if (changed) {
		withdraw(c, call->q.chat, call->q.user);
		publish(call, SLICE("participant.removed"), row);
		buf_clear(&c->data);
		(void)buf_add(&c->data, SLICE("{\"chat_id\":")); /* event_to_user() checks */
		(void)buf_u64(&c->data, call->q.chat);
		(void)buf_addc(&c->data, '}');
		event_to_user(c, call->q.user, SLICE("chat.removed"));
	}
	buf_clear(&c->body);
	(void)buf_add(&c->body, SLICE("{}"));
	call_reply(call, 200);
}

void remove_participant_handle(struct call *call)
{
	const struct chat_store *store = call->chat->store;

	store->remove_participant(store->self, call->q.chat, call->q.user, call->who->user_id,
				  on_removed, call);
}
