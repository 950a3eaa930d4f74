/* The list of chats, and making one. */
#include <stdlib.h>

#include "broker/chat/chat_internal.h"
#include "broker/chat/view.h"

/* ---- active-chats ---- */

/* A cursor is the last row's updated_at and id: "1764059400123456-7". Clients do not look inside.
 */
struct place {
	wall_us_t before;
	uint64_t chat;
};

static bool read_cursor(struct slice text, struct place *ret)
{
	unsigned long long before;
	unsigned long long chat;
	struct slice first;
	struct slice second;

	*ret = (struct place){0};
	if (text.n == 0)
		return true;
	if (!slice_cut(text, '-', &first, &second) || !slice_to_u64(first, &before) ||
	    !slice_to_u64(second, &chat) || before == 0 || before > INT64_MAX ||
	    chat > RULE_CHAT_MAX)
		return false;
	*ret = (struct place){(wall_us_t)before, chat};
	return true;
}

static uint32_t limit_of(const struct call *call)
{
	return call->q.limit == 0 ? CHAT_PAGE_DEFAULT : MIN(call->q.limit, (uint32_t)CHAT_PAGE_MAX);
}

static void on_listed(struct call *call, const struct chat_result *r)
{
	struct chat *c = call->chat;
	struct buf *out = &c->body;

	if (r->code != CHAT_STORE_OK) {
		call_refuse(call, r);
		return;
	}
	buf_clear(out);
	(void)buf_add(out, SLICE("{\"data\":[")); /* call_reply() checks */
	for (size_t i = 0; i < view_count(call->view); i++) {
		if (i > 0)
			(void)buf_addc(out, ',');
		view_encode(call, i, VIEWER_CONTACT, out);
	}
	(void)buf_add(out, SLICE("],\"next_cursor\":"));
	encode_text(out, view_cursor(call->view));
	(void)buf_addc(out, '}');
	call_reply(call, 200);
}

static void on_chats(void *ctx, const struct chat_result *r, const struct chat_row *rows, size_t n)
{
	struct call *call = ctx;

	if (r->code != CHAT_STORE_OK)
		call_refuse(call, r);
	else
		view_start(call, rows, n, limit_of(call), on_listed);
}

/* One row more than is shown says whether there are more. */
void active_chats_handle(struct call *call)
{
	const struct chat_store *store = call->chat->store;
	struct place place;

	if (!read_cursor(call->q.cursor, &place))
		call_invalid(call, SLICE("cursor"), "is invalid.");
	else
		store->active_chats(store->self, call->who->user_id, place.before, place.chat,
				    limit_of(call) + 1, on_chats, call);
}

/* ---- creating ---- */

/* To each participant once, the caller included: a new chat looks the same to all of them. */
static void tell_created(struct call *call)
{
	struct slice *ids;
	size_t n;

	ids = call_ids(call, &n); /* has room for one more */
	ids[n++] = call->who->user_id;
	n = call_unique(ids, n);
	event_chat_created(call, 0);
	for (size_t i = 0; i < n; i++)
		event_to_user(call->chat, ids[i], SLICE("chat.created"));
	free(ids);
}

static void on_made(struct call *call, const struct chat_result *r)
{
	struct chat *c = call->chat;

	if (r->code != CHAT_STORE_OK || view_count(call->view) == 0) {
		call_refuse(call, r);
		return;
	}
	if (call->number == 201)
		tell_created(call);
	buf_clear(&c->body);
	(void)buf_add(&c->body, SLICE("{\"chat\":")); /* call_reply() checks */
	view_encode(call, 0, VIEWER_CONTACT, &c->body);
	(void)buf_addc(&c->body, '}');
	call_reply(call, (unsigned)call->number);
}

static void on_view(void *ctx, const struct chat_result *r, const struct chat_row *rows, size_t n)
{
	struct call *call = ctx;

	if (r->code != CHAT_STORE_OK)
		call_refuse(call, r);
	else if (n == 0)
		call_fail(call, 403, 0); /* the caller was removed at once */
	else
		view_start(call, rows, 1, 1, on_made);
}

static void on_created(void *ctx, const struct chat_result *r, bool created, uint64_t chat)
{
	struct call *call = ctx;
	const struct chat_store *store = call->chat->store;
	struct chat_pair pair = {chat, call->who->user_id};

	if (r->code != CHAT_STORE_OK) {
		call_refuse(call, r);
		return;
	}
	call->number = created ? 201 : 200;
	store->chat_view(store->self, &pair, 1, on_view, call);
}

void create_handle(struct call *call)
{
	const struct chat_store *store = call->chat->store;
	struct slice *ids;
	size_t n;

	ids = call_ids(call, &n);
	if (n > call->chat->options.max_participants)
		call_invalid(call, SLICE("participant_ids"), "has too many items.");
	else
		store->create_chat(store->self, call->who->user_id,
				   call->q.name.n > 0 ? call->q.name : SLICE_NONE, ids, n,
				   call->q.flag != 0, on_created, call);
	free(ids);
}
