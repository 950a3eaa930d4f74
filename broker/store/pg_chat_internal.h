/* Inner header of pg_chat.c, pg_call.c, pg_post.c, pg_move.c and pg_answer.c. */
#ifndef BROKER_STORE_PG_CHAT_INTERNAL_H
#define BROKER_STORE_PG_CHAT_INTERNAL_H

#include <event2/event_struct.h>

#include "broker/store/pg_chat.h"
#include "broker/store/pg_row.h"
#include "common/base/list.h"

#define PG_CALLS_FLIGHT 64 /* look-ups under way */
#define PG_POST_ROWS 200   /* of one batch */
#define PG_MOVE_ROWS 500
#define PG_POST_BYTES ((size_t)4 << 20) /* of one batch */
#define PG_POSTS_MAX 50000
#define PG_POSTS_BYTES ((uint64_t)64 << 20)
#define PG_LOCKED_MAX 64
#define PG_TRIES 3 /* of a call that somebody was in the way of */
#define PG_LANES 2

struct pg_item;

struct pg_item_ops {
	/* Answers without rows. */
	void (*refuse)(struct pg_item *item, const struct chat_result *r);
	/* Frees it and takes it out of the counts; it is in no list. */
	void (*discard)(struct pg_item *item);
};

/* Head of everything that waits: a call, a message, a move of cursors. */
struct pg_item {
	TAILQ_ENTRY(pg_item) entry;
	struct pg_chat *chat;
	usec_t since;
	usec_t deadline;
	const struct pg_item_ops *ops;
	struct chat_result refusal; /* of those in `deferred` */
};
TAILQ_HEAD(pg_items, pg_item);

/* One statement of its own. */
struct pg_call {
	struct pg_item item;
	struct pg_calls *calls;
	enum pg_stmt_id stmt;
	bool once; /* done twice is not the same as once */
	unsigned tries;
	const char *field; /* named when PostgreSQL refuses a value */
	/* result NULL: without rows */
	void (*answer)(struct pg_call *call, const struct chat_result *r, const PGresult *result);
	void (*done)(void); /* of the type that `answer` knows */
	void *ctx;
	struct pg_params params;
};

/* Calls of one connection in their order. */
struct pg_calls {
	struct pg_conn *conn;
	struct pg_items waiting;
	struct pg_items flight;
	struct pg_items back; /* of a lost connection, to go before those that wait */
	uint32_t nflight;
};

/* A chat that somebody else holds a lock of. Its messages wait aside. */
struct pg_locked {
	uint64_t chat;
	usec_t until; /* next try */
};

/* What goes through one connection of messages. */
/*
 * A message that was refused although it may be stored: its answer was lost with a connection, and
 * none could be had in time. Sent again, it is told to the others as if it were new, unless a later
 * one of its chat has been.
 */
struct pg_doubt {
	uint64_t chat;
	uint64_t sender; /* hashed */
	uint8_t key[16];
};

#define PG_DOUBTS_MAX 64 /* the latest */

struct pg_doubts {
	struct pg_doubt v[PG_DOUBTS_MAX];
	size_t n;
};

struct pg_lane {
	struct pg_chat *chat;
	struct pg_conn *conn;
	struct pg_params params;

	struct pg_items posts;
	struct pg_items aside; /* messages of locked chats */
	struct pg_items posts_flight;
	bool posting;
	uint32_t post_limit;
	struct pg_locked locked[PG_LOCKED_MAX];
	size_t nlocked;
	struct pg_doubts doubts;
	size_t solo; /* 1 + index of the locked chat whose messages are under way; 0 = none */

	struct pg_items moves;
	struct pg_items moves_flight;
	bool moving;
	uint32_t move_limit;

	struct pg_calls calls;
};

#define PG_TOUCH_MAX 4096
#define PG_TOUCH_RECENT 1024

struct pg_chat {
	struct loop *loop;
	const struct store_options *options;
	bool database;
	const struct pg_stmts *stmts; /* NULL without a database */
	bool stopped;
	struct chat_store ops;
	struct pg_lane lanes[PG_LANES];
	struct pg_calls lookups;
	struct pg_conn *lookups_conn;
	struct pg_items deferred;
	struct event later; /* answers what is deferred */
	struct event tick;  /* deadlines and retries */
	bool ticking;
	uint32_t nitems; /* calls and moves that wait or are under way */
	uint32_t nposts;
	uint64_t posts_bytes;
	uint64_t stored;
	uint64_t batches;
	uint64_t receipts;
	uint64_t unavailable;
	int64_t touched[PG_TOUCH_MAX];
	size_t ntouched;
	usec_t touched_at; /* last written */
	struct {
		int64_t id;
		usec_t at;
	} recent[PG_TOUCH_RECENT];
};

/* ---- pg_chat.c ------------------------------------------------------------------------------- */

struct chat_result pg_refusal(enum chat_store_code code, const char *field, const char *why);
/* Refuses it from the loop. It must be in no list. */
void pg_defer(struct pg_item *item, enum chat_store_code code, const char *field, const char *why);
/* Fills in the head; the deadline is database_wait from now. */
void pg_item_init(struct pg_chat *p, struct pg_item *item, const struct pg_item_ops *ops);
/* Answers without rows and frees it. */
void pg_item_refuse(struct pg_item *item, const struct chat_result *r);
/* Refuses all of a list as unavailable, or, `tell` false, frees them silently. */
void pg_items_clear(struct pg_items *items, bool tell);
/* Puts what came back before what waits, in its order. */
void pg_items_prepend(struct pg_items *items, struct pg_items *before);
/* Refuses those of the front whose time is over. */
void pg_items_expire(struct pg_items *items, usec_t now);
/* The outcome for the caller of an error that is not worth another try. */
struct chat_result pg_refusal_of(const struct pg_error *error, const char *field);
/* Something waits: deadlines are looked after. */
void pg_chat_tick(struct pg_chat *p);
struct pg_lane *pg_lane_of(struct pg_chat *p, uint64_t chat);

/* ---- pg_call.c ------------------------------------------------------------------------------- */

void pg_calls_init(struct pg_calls *q, struct pg_conn *conn);
MUST_CHECK struct pg_call *pg_call_new(struct pg_chat *p, struct pg_calls *q, enum pg_stmt_id stmt);
/* Sends it now or when the connection allows. `ok` false: refused as bad text. */
void pg_call_start(struct pg_call *call, bool ok);
void pg_calls_go(struct pg_calls *q);
void pg_calls_expire(struct pg_calls *q, usec_t now);

/* ---- pg_ops.c -------------------------------------------------------------------------------- */

void pg_ops_init(struct chat_store *ops, struct pg_chat *p);
/* Writes the tokens that were used. */
void pg_touch_flush(struct pg_chat *p, usec_t now);

/* ---- pg_post.c ------------------------------------------------------------------------------- */

void pg_post(void *self, const struct chat_post *post, chat_posted_fn done, void *ctx);
void pg_posts_go(struct pg_lane *l);
void pg_posts_expire(struct pg_lane *l, usec_t now);

/* ---- pg_move.c ------------------------------------------------------------------------------- */

void pg_move(void *self, uint64_t chat, struct slice user, uint64_t delivered, uint64_t read,
	     chat_cursor_fn done, void *ctx);
void pg_moves_go(struct pg_lane *l);

/* ---- pg_answer.c: rows for each type of callback --------------------------------------------- */

typedef void pg_answer_fn(struct pg_call *call, const struct chat_result *r,
			  const PGresult *result);
pg_answer_fn pg_answer_none, pg_answer_done, pg_answer_any, pg_answer_token, pg_answer_users,
	pg_answer_ids, pg_answer_hidden, pg_answer_changed, pg_answer_place, pg_answer_messages,
	pg_answer_receipts, pg_answer_created, pg_answer_added, pg_answer_removed, pg_answer_chats,
	pg_answer_participant, pg_answer_participants;

/* A row of post_messages(). */
struct pg_posted {
	uint64_t ord;
	struct slice status;
	struct chat_message_row row;
};
void pg_posted_rows(struct pg_rows *rows, const PGresult *result);

/* ---- pg_doubt.c ------------------------------------------------------------------------------ */

void pg_doubt_add(struct pg_doubts *d, const struct pg_doubt *doubt);
/* True: it was there, and is no longer. */
bool pg_doubt_take(struct pg_doubts *d, const struct pg_doubt *doubt);
/* A later message of the chat has been told: those before it would come out of their order. */
void pg_doubt_forget(struct pg_doubts *d, uint64_t chat);

#endif
