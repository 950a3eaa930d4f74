/*
 * The database as the rules of the chat call it: one operation for each function of
 * sql/004_functions.sql, and nothing of SQL. The broker gets it from store_chat(); tests fill in a
 * table of their own.
 *
 *	cs->post(cs->self, &message, on_posted, call);
 *	...
 *	static void on_posted(void *ctx, const struct chat_result *r, bool stored,
 *			      const struct chat_message_row *row)
 *	{
 *		if (r->code != CHAT_STORE_OK) ...
 *
 * All operations are alike:
 * - They return at once. What they are given is copied.
 * - `done` is called once, from the loop, never from inside the operation itself; it gets the `ctx`
 *   of the call, which must live until then. When the store is freed, no more are called; before
 *   that, store_stop() answers all that wait as CHAT_STORE_UNAVAILABLE.
 * - `done` may call any other operation.
 * - Rows (chat_rows.h) and every slice in them live during `done`. Without CHAT_STORE_OK there are
 *   none (n = 0, row = NULL).
 * - While the database is away they wait for at most `database_wait`, then the answer is
 *   CHAT_STORE_UNAVAILABLE. Of a write that had been sent its fate is then not known: it may be
 *   done later or have been done. A message that had a client_id can safely be posted again.
 * - Text that PostgreSQL cannot hold (NUL, broken UTF-8) is answered as CHAT_STORE_INVALID.
 *
 * Who may see what is settled in the database: a chat or message that the user has no part in is
 * CHAT_STORE_FORBIDDEN, the same as one that does not exist.
 */
#ifndef BROKER_CHAT_CHAT_STORE_H
#define BROKER_CHAT_CHAT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/chat/chat_rows.h"
#include "common/base/clock.h"
#include "common/base/slice.h"

typedef void (*chat_done_fn)(void *ctx, const struct chat_result *r);
/* OK with row = NULL: no such token. */
typedef void (*chat_token_fn)(void *ctx, const struct chat_result *r,
			      const struct chat_token_row *row);
typedef void (*chat_users_fn)(void *ctx, const struct chat_result *r,
			      const struct chat_user_row *rows, size_t n);
typedef void (*chat_ids_fn)(void *ctx, const struct chat_result *r, const struct slice *ids,
			    size_t n);
/* `stored`: new; false with OK: repeats a message that was stored before, `row` is that one. */
typedef void (*chat_posted_fn)(void *ctx, const struct chat_result *r, bool stored,
			       const struct chat_message_row *row);
/* `changed`: false, a deleted message stays as it is. `is_last`: the newest of its chat. */
typedef void (*chat_changed_fn)(void *ctx, const struct chat_result *r, bool changed, bool is_last,
				const struct chat_message_row *row);
typedef void (*chat_messages_fn)(void *ctx, const struct chat_result *r,
				 const struct chat_message_row *rows, size_t n);
typedef void (*chat_place_fn)(void *ctx, const struct chat_result *r,
			      const struct chat_place_row *row);
typedef void (*chat_cursor_fn)(void *ctx, const struct chat_result *r,
			       const struct chat_cursor_row *row);
typedef void (*chat_receipts_fn)(void *ctx, const struct chat_result *r,
				 const struct chat_receipt_row *rows, size_t n);
typedef void (*chat_chats_fn)(void *ctx, const struct chat_result *r, const struct chat_row *rows,
			      size_t n);
/* `created`: false with OK, the direct chat of these two stood already. */
typedef void (*chat_created_fn)(void *ctx, const struct chat_result *r, bool created,
				uint64_t chat);
/* `changed`: false with OK, the user was there (add) or was not (remove) already. */
typedef void (*chat_member_fn)(void *ctx, const struct chat_result *r, bool changed,
			       const struct chat_member_row *row);
typedef void (*chat_participants_fn)(void *ctx, const struct chat_result *r,
				     const struct chat_participant_row *rows, size_t n);
typedef void (*chat_hidden_fn)(void *ctx, const struct chat_result *r, wall_us_t hidden_since);

struct chat_store {
	void *self; /* first argument of every operation */

	/* ---- tokens and users ---- */

	/*
	 * The unexpired token with that id, or, id empty, the one with that hash (64 lower-case hex
	 * digits). The caller compares the hash. No such token is OK without a row.
	 */
	void (*find_token)(void *self, struct slice id, struct slice hash, chat_token_fn done,
			   void *ctx);
	/* Notes that a token was used. Gathered, written now and then, never answered. */
	void (*touch_token)(void *self, int64_t token_id);

	/* Those of the users that exist, in any order. n at most CHAT_STORE_IDS. */
	void (*users)(void *self, const struct slice *ids, size_t n, chat_users_fn done, void *ctx);
	/* The same for those who share a chat with `user`; ids NULL: all of them, at most `limit`.
	 */
	void (*contacts)(void *self, struct slice user, const struct slice *ids, size_t n,
			 uint32_t limit, chat_users_fn done, void *ctx);
	/* Which of the others (ids NULL: of all) share a chat with the user. */
	void (*shares_chat)(void *self, struct slice user, const struct slice *ids, size_t n,
			    chat_ids_fn done, void *ctx);
	void (*set_policy)(void *self, struct slice user, enum chat_policy policy,
			   chat_done_fn done, void *ctx);
	/* since 0: shown again. Who is hidden already keeps the earlier moment, which is told. */
	void (*set_hidden)(void *self, struct slice user, wall_us_t since, chat_hidden_fn done,
			   void *ctx);

	/* ---- messages ---- */

	/*
	 * Stores one message. Answered after COMMIT; calls for one chat are stored and answered in
	 * the order in which they were made, so `done` sees the messages of a chat by ascending
	 * seq. Messages of many calls share a transaction, but no call's fault touches another.
	 */
	void (*post)(void *self, const struct chat_post *post, chat_posted_fn done, void *ctx);
	void (*edit)(void *self, uint64_t message, struct slice user, struct slice body,
		     chat_changed_fn done, void *ctx);
	void (*delete_message)(void *self, uint64_t message, struct slice user,
			       chat_changed_fn done, void *ctx);
	void (*find_message)(void *self, uint64_t message, struct slice user, chat_place_fn done,
			     void *ctx);
	/*
	 * At most `limit` messages before before_seq (0: the newest), newest first. Not a
	 * participant: FORBIDDEN. Ask for one more than needed to know whether there are more.
	 */
	void (*history)(void *self, uint64_t chat, struct slice user, uint64_t before_seq,
			uint32_t limit, chat_messages_fn done, void *ctx);
	/* The same after after_seq, oldest first. */
	void (*catch_up)(void *self, uint64_t chat, struct slice user, uint64_t after_seq,
			 uint32_t limit, chat_messages_fn done, void *ctx);

	/* ---- receipts ---- */

	/*
	 * Moves cursors forward, never back and never past the newest message; 0 leaves one alone,
	 * reading implies delivered. Answered after COMMIT; calls for one participant that are made
	 * while a batch is under way become one move, of which the first call is told that it
	 * moved. Not a participant: FORBIDDEN.
	 */
	void (*move_cursors)(void *self, uint64_t chat, struct slice user, uint64_t delivered,
			     uint64_t read, chat_cursor_fn done, void *ctx);
	/* All participants, longest-standing first. Caller not among them: FORBIDDEN. */
	void (*receipts)(void *self, uint64_t chat, struct slice user, chat_receipts_fn done,
			 void *ctx);

	/* ---- chats ---- */

	/*
	 * `users` need not name the creator. INVALID participant_ids: unknown_users, or not_two for
	 * a direct chat that is not of two different ones. name NULL: none.
	 */
	void (*create_chat)(void *self, struct slice creator, struct slice name,
			    const struct slice *users, size_t n, bool direct, chat_created_fn done,
			    void *ctx);
	/* INVALID user_id: unknown_user. FORBIDDEN: no part in the chat, no right, direct. */
	void (*add_participant)(void *self, uint64_t chat, struct slice user, struct slice by,
				chat_member_fn done, void *ctx);
	/* by = user: leave. */
	void (*remove_participant)(void *self, uint64_t chat, struct slice user, struct slice by,
				   chat_member_fn done, void *ctx);
	/*
	 * The user's chats, newest activity first. The next page begins after (updated_at, chat) of
	 * the last row; before 0 begins the first one.
	 */
	void (*active_chats)(void *self, struct slice user, wall_us_t before, uint64_t before_chat,
			     uint32_t limit, chat_chats_fn done, void *ctx);
	/* Chats, each as the user beside it sees it; pairs without a part in it give no row. */
	void (*chat_view)(void *self, const struct chat_pair *pairs, size_t n, chat_chats_fn done,
			  void *ctx);
	/* One row, or FORBIDDEN. */
	void (*participant)(void *self, uint64_t chat, struct slice user, chat_participants_fn done,
			    void *ctx);
	/*
	 * Participants of chats by chat and, within it, longest-standing first, at most `limit` of
	 * each (0: all). This is what chat.activity goes out by: unread is last_seq - read_seq.
	 */
	void (*participants)(void *self, const uint64_t *chats, size_t n, uint32_t limit,
			     chat_participants_fn done, void *ctx);

	/*
	 * A channel whose rule is a statement of the configuration: OK when it gives a row for user
	 * and channel, else FORBIDDEN; FAULT when there is no such statement. A NULL operation:
	 * there are none, and everybody is forbidden.
	 */
	void (*may_subscribe)(void *self, struct slice statement, struct slice user,
			      struct slice channel, chat_done_fn done, void *ctx);
};

/* Most ids, pairs or chats of one call; more is a fault of the caller. */
#define CHAT_STORE_IDS 100000

#endif
