#include <string.h>

#include "broker/store/pg_chat_internal.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"

#define TOUCH_EVERY (5 * USEC_PER_SEC)
#define TOUCH_PAUSE (60 * USEC_PER_SEC)

static struct pg_call *begin(struct pg_chat *p, struct pg_calls *q, enum pg_stmt_id stmt,
			     pg_answer_fn *answer, void (*done)(void), void *ctx)
{
	struct pg_call *call = pg_call_new(p, q, stmt);

	call->answer = answer;
	call->done = done;
	call->ctx = ctx;
	return call;
}

static struct pg_call *begin_read(struct pg_chat *p, enum pg_stmt_id stmt, pg_answer_fn *answer,
				  void (*done)(void), void *ctx)
{
	return begin(p, &p->lookups, stmt, answer, done, ctx);
}

static struct pg_call *begin_write(struct pg_chat *p, uint64_t lane, enum pg_stmt_id stmt,
				   pg_answer_fn *answer, void (*done)(void), void *ctx)
{
	return begin(p, &pg_lane_of(p, lane)->calls, stmt, answer, done, ctx);
}

/* Numbers of clients may be larger than a bigint: then they are nobody's. */
static void param_id(struct pg_params *params, uint64_t id)
{
	pg_param_i64(params, id <= INT64_MAX ? (int64_t)id : -1);
}

/* NULL when `ids` is. False: one of them is no text of PostgreSQL. */
static bool param_ids(struct pg_params *params, const struct slice *ids, size_t n)
{
	if (n > CHAT_STORE_IDS)
		die("pg_ops: %zu ids", n);
	if (ids == NULL) {
		pg_param_null(params);
		return true;
	}
	for (size_t i = 0; i < n; i++)
		if (!pg_text_ok(ids[i]))
			return false;
	pg_array_begin(params, PG_TEXT, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		pg_array_text(params, ids[i]);
	pg_array_end(params);
	return true;
}

/* ---- tokens and users ------------------------------------------------------------------------ */

static void find_token(void *self, struct slice id, struct slice hash, chat_token_fn done,
		       void *ctx)
{
	struct pg_call *call =
		begin_read(self, PG_FIND_TOKEN, pg_answer_token, (void (*)(void))done, ctx);

	call->field = "token";
	pg_param_text(&call->params, id);
	pg_param_text(&call->params, hash);
	pg_call_start(call, pg_text_ok(id) && pg_text_ok(hash));
}

static void touch_token(void *self, int64_t token_id)
{
	struct pg_chat *p = self;
	size_t at = (uint64_t)token_id % PG_TOUCH_RECENT;
	usec_t now = loop_now(p->loop);

	if (!p->database || p->stopped || p->ntouched == PG_TOUCH_MAX ||
	    (p->recent[at].id == token_id && p->recent[at].at != 0 &&
	     now - p->recent[at].at < TOUCH_PAUSE))
		return;
	p->recent[at].id = token_id;
	p->recent[at].at = now;
	p->touched[p->ntouched++] = token_id;
	pg_chat_tick(p);
}

void pg_touch_flush(struct pg_chat *p, usec_t now)
{
	struct pg_call *call;

	if (p->ntouched == 0 || (now != USEC_NEVER && now - p->touched_at < TOUCH_EVERY))
		return;
	p->touched_at = loop_now(p->loop);
	call = begin_read(p, PG_TOUCH_TOKEN, pg_answer_none, NULL, NULL);
	pg_array_begin(&call->params, PG_INT8, (uint32_t)p->ntouched);
	for (size_t i = 0; i < p->ntouched; i++)
		pg_array_i64(&call->params, p->touched[i]);
	pg_array_end(&call->params);
	p->ntouched = 0;
	pg_call_start(call, true);
}

static void users(void *self, const struct slice *ids, size_t n, chat_users_fn done, void *ctx)
{
	struct pg_chat *p = self;
	struct pg_call *call = begin_read(p, PG_USERS, pg_answer_users, (void (*)(void))done, ctx);
	static const struct slice nobody[1];

	call->field = "ids";
	pg_param_text(&call->params, slice_str(p->options->app_id));
	pg_call_start(call, param_ids(&call->params, n > 0 ? ids : nobody, n));
}

static void contacts(void *self, struct slice user, const struct slice *ids, size_t n,
		     uint32_t limit, chat_users_fn done, void *ctx)
{
	struct pg_chat *p = self;
	struct pg_call *call =
		begin_read(p, PG_CONTACTS, pg_answer_users, (void (*)(void))done, ctx);
	bool ok;

	call->field = "ids";
	pg_param_text(&call->params, slice_str(p->options->app_id));
	pg_param_text(&call->params, user);
	ok = param_ids(&call->params, ids, n) && pg_text_ok(user);
	if (ok)
		pg_param_i32(&call->params, (int32_t)MIN(limit, INT32_MAX));
	pg_call_start(call, ok);
}

static void shares_chat(void *self, struct slice user, const struct slice *ids, size_t n,
			chat_ids_fn done, void *ctx)
{
	struct pg_call *call =
		begin_read(self, PG_SHARES_CHAT, pg_answer_ids, (void (*)(void))done, ctx);

	call->field = "ids";
	pg_param_text(&call->params, user);
	pg_call_start(call, param_ids(&call->params, ids, n) && pg_text_ok(user));
}

/* Settings of one user must keep their order: all of them go the same way. */
#define SETTINGS_LANE 0

static void set_policy(void *self, struct slice user, enum chat_policy policy, chat_done_fn done,
		       void *ctx)
{
	static const char *const names[] = {
		[CHAT_POLICY_EVERYONE] = "everyone",
		[CHAT_POLICY_CONTACTS] = "contacts",
		[CHAT_POLICY_NOBODY] = "nobody",
	};
	struct pg_call *call = begin_write(self, SETTINGS_LANE, PG_SET_POLICY, pg_answer_done,
					   (void (*)(void))done, ctx);

	call->field = "last_seen";
	pg_param_text(&call->params, user);
	pg_param_text(&call->params, slice_str(names[policy]));
	pg_call_start(call, pg_text_ok(user));
}

static void set_hidden(void *self, struct slice user, wall_us_t since, chat_hidden_fn done,
		       void *ctx)
{
	struct pg_call *call = begin_write(self, SETTINGS_LANE, PG_SET_HIDDEN, pg_answer_hidden,
					   (void (*)(void))done, ctx);

	call->field = "is_online";
	pg_param_text(&call->params, user);
	if (since != 0)
		pg_param_time(&call->params, since);
	else
		pg_param_null(&call->params);
	pg_call_start(call, pg_text_ok(user));
}

/* ---- messages -------------------------------------------------------------------------------- */

static void edit(void *self, uint64_t message, struct slice user, struct slice body,
		 chat_changed_fn done, void *ctx)
{
	struct pg_chat *p = self;
	struct pg_call *call = begin_write(p, message, PG_EDIT_MESSAGE, pg_answer_changed,
					   (void (*)(void))done, ctx);

	call->field = "body";
	param_id(&call->params, message);
	pg_param_text(&call->params, user);
	pg_param_text(&call->params, body);
	pg_param_bool(&call->params, p->options->see_all);
	pg_call_start(call, pg_text_ok(user) && pg_text_ok(body));
}

static void delete_message(void *self, uint64_t message, struct slice user, chat_changed_fn done,
			   void *ctx)
{
	struct pg_chat *p = self;
	struct pg_call *call = begin_write(p, message, PG_DELETE_MESSAGE, pg_answer_changed,
					   (void (*)(void))done, ctx);

	call->field = "message";
	param_id(&call->params, message);
	pg_param_text(&call->params, user);
	pg_param_bool(&call->params, p->options->see_all);
	pg_call_start(call, pg_text_ok(user));
}

static void find_message(void *self, uint64_t message, struct slice user, chat_place_fn done,
			 void *ctx)
{
	struct pg_chat *p = self;
	struct pg_call *call =
		begin_read(p, PG_FIND_MESSAGE, pg_answer_place, (void (*)(void))done, ctx);

	call->field = "message";
	param_id(&call->params, message);
	pg_param_text(&call->params, user);
	pg_param_bool(&call->params, p->options->see_all);
	pg_call_start(call, pg_text_ok(user));
}

static void page(struct pg_chat *p, enum pg_stmt_id stmt, uint64_t chat, struct slice user,
		 const int64_t *seq, uint32_t limit, chat_messages_fn done, void *ctx)
{
	struct pg_call *call = begin_read(p, stmt, pg_answer_messages, (void (*)(void))done, ctx);

	call->field = "chat";
	param_id(&call->params, chat);
	pg_param_text(&call->params, user);
	if (seq != NULL)
		pg_param_i64(&call->params, *seq);
	else
		pg_param_null(&call->params);
	pg_param_i32(&call->params, (int32_t)MIN(limit, INT32_MAX));
	pg_param_bool(&call->params, p->options->see_all);
	pg_call_start(call, pg_text_ok(user));
}

static void history(void *self, uint64_t chat, struct slice user, uint64_t before_seq,
		    uint32_t limit, chat_messages_fn done, void *ctx)
{
	int64_t seq = (int64_t)MIN(before_seq, INT64_MAX);

	page(self, PG_HISTORY, chat, user, before_seq != 0 ? &seq : NULL, limit, done, ctx);
}

static void catch_up(void *self, uint64_t chat, struct slice user, uint64_t after_seq,
		     uint32_t limit, chat_messages_fn done, void *ctx)
{
	int64_t seq = (int64_t)MIN(after_seq, INT64_MAX);

	page(self, PG_CATCH_UP, chat, user, &seq, limit, done, ctx);
}

static void receipts(void *self, uint64_t chat, struct slice user, chat_receipts_fn done, void *ctx)
{
	struct pg_call *call =
		begin_read(self, PG_RECEIPTS, pg_answer_receipts, (void (*)(void))done, ctx);

	call->field = "chat";
	param_id(&call->params, chat);
	pg_param_text(&call->params, user);
	pg_call_start(call, pg_text_ok(user));
}

/* ---- chats ----------------------------------------------------------------------------------- */

static void create_chat(void *self, struct slice creator, struct slice name,
			const struct slice *ids, size_t n, bool direct, chat_created_fn done,
			void *ctx)
{
	static const struct slice nobody[1];
	struct pg_call *call = begin_write(self, SETTINGS_LANE, PG_CREATE_CHAT, pg_answer_created,
					   (void (*)(void))done, ctx);
	bool ok;

	call->field = "name";
	call->once = !direct;
	if (name.p != NULL)
		pg_param_text(&call->params, name);
	else
		pg_param_null(&call->params);
	pg_param_text(&call->params, creator);
	ok = param_ids(&call->params, n > 0 ? ids : nobody, n);
	if (!ok)
		call->field = "participant_ids";
	else
		pg_param_bool(&call->params, direct);
	pg_call_start(call, ok && pg_text_ok(name) && pg_text_ok(creator));
}

static void add_participant(void *self, uint64_t chat, struct slice user, struct slice by,
			    chat_member_fn done, void *ctx)
{
	struct pg_chat *p = self;
	struct pg_call *call = begin_write(p, chat, PG_ADD_PARTICIPANT, pg_answer_added,
					   (void (*)(void))done, ctx);

	call->field = "user_id";
	param_id(&call->params, chat);
	pg_param_text(&call->params, user);
	pg_param_text(&call->params, by);
	pg_param_bool(&call->params, p->options->members_may_add);
	pg_call_start(call, pg_text_ok(user) && pg_text_ok(by));
}

static void remove_participant(void *self, uint64_t chat, struct slice user, struct slice by,
			       chat_member_fn done, void *ctx)
{
	struct pg_call *call = begin_write(self, chat, PG_REMOVE_PARTICIPANT, pg_answer_removed,
					   (void (*)(void))done, ctx);

	call->field = "user_id";
	param_id(&call->params, chat);
	pg_param_text(&call->params, user);
	pg_param_text(&call->params, by);
	pg_call_start(call, pg_text_ok(user) && pg_text_ok(by));
}

static void active_chats(void *self, struct slice user, wall_us_t before, uint64_t before_chat,
			 uint32_t limit, chat_chats_fn done, void *ctx)
{
	struct pg_chat *p = self;
	struct pg_call *call =
		begin_read(p, PG_ACTIVE_CHATS, pg_answer_chats, (void (*)(void))done, ctx);

	call->field = "cursor";
	pg_param_text(&call->params, user);
	if (before != 0) {
		pg_param_time(&call->params, before);
		param_id(&call->params, before_chat);
	} else {
		pg_param_null(&call->params);
		pg_param_null(&call->params);
	}
	pg_param_i32(&call->params, (int32_t)MIN(limit, INT32_MAX));
	pg_param_bool(&call->params, p->options->see_all);
	pg_call_start(call, pg_text_ok(user));
}

static void param_chats(struct pg_params *params, const uint64_t *chats, size_t n, size_t step)
{
	const char *at = (const char *)chats;

	if (n > CHAT_STORE_IDS)
		die("pg_ops: %zu chats", n);
	pg_array_begin(params, PG_INT8, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		uint64_t chat;

		memcpy(&chat, at + i * step, sizeof(chat));
		pg_array_i64(params, chat <= INT64_MAX ? (int64_t)chat : -1);
	}
	pg_array_end(params);
}

static void chat_view(void *self, const struct chat_pair *pairs, size_t n, chat_chats_fn done,
		      void *ctx)
{
	struct pg_chat *p = self;
	struct pg_call *call =
		begin_read(p, PG_CHAT_VIEW, pg_answer_chats, (void (*)(void))done, ctx);

	call->field = "chat";
	for (size_t i = 0; i < n; i++) {
		if (!pg_text_ok(pairs[i].user_id)) {
			pg_call_start(call, false);
			return;
		}
	}
	param_chats(&call->params, n > 0 ? &pairs->chat : NULL, n, sizeof(*pairs));
	pg_array_begin(&call->params, PG_TEXT, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		pg_array_text(&call->params, pairs[i].user_id);
	pg_array_end(&call->params);
	pg_param_bool(&call->params, p->options->see_all);
	pg_call_start(call, true);
}

static void participant(void *self, uint64_t chat, struct slice user, chat_participants_fn done,
			void *ctx)
{
	struct pg_call *call =
		begin_read(self, PG_PARTICIPANT, pg_answer_participant, (void (*)(void))done, ctx);

	call->field = "user_id";
	param_id(&call->params, chat);
	pg_param_text(&call->params, user);
	pg_call_start(call, pg_text_ok(user));
}

static void participants(void *self, const uint64_t *chats, size_t n, uint32_t limit,
			 chat_participants_fn done, void *ctx)
{
	struct pg_call *call = begin_read(self, PG_PARTICIPANTS, pg_answer_participants,
					  (void (*)(void))done, ctx);

	call->field = "chat";
	param_chats(&call->params, chats, n, sizeof(*chats));
	if (limit != 0)
		pg_param_i32(&call->params, (int32_t)MIN(limit, INT32_MAX));
	else
		pg_param_null(&call->params);
	pg_call_start(call, true);
}

static void may_subscribe(void *self, struct slice statement, struct slice user,
			  struct slice channel, chat_done_fn done, void *ctx)
{
	struct pg_chat *p = self;
	enum pg_stmt_id stmt = p->stmts != NULL ? pg_stmts_rule(p->stmts, statement) : PG_NO_STMT;
	struct pg_call *call = begin_read(p, stmt, pg_answer_any, (void (*)(void))done, ctx);

	call->field = "channel_name";
	if (p->stmts != NULL && stmt == PG_NO_STMT) {
		pg_defer(&call->item, CHAT_STORE_FAULT, "", "");
		return;
	}
	pg_param_text(&call->params, user);
	pg_param_text(&call->params, channel);
	pg_call_start(call, pg_text_ok(user) && pg_text_ok(channel));
}

void pg_ops_init(struct chat_store *ops, struct pg_chat *p)
{
	*ops = (struct chat_store){
		.self = p,
		.find_token = find_token,
		.touch_token = touch_token,
		.users = users,
		.contacts = contacts,
		.shares_chat = shares_chat,
		.set_policy = set_policy,
		.set_hidden = set_hidden,
		.post = pg_post,
		.edit = edit,
		.delete_message = delete_message,
		.find_message = find_message,
		.history = history,
		.catch_up = catch_up,
		.move_cursors = pg_move,
		.receipts = receipts,
		.create_chat = create_chat,
		.add_participant = add_participant,
		.remove_participant = remove_participant,
		.active_chats = active_chats,
		.chat_view = chat_view,
		.participant = participant,
		.participants = participants,
		.may_subscribe = may_subscribe,
	};
}
