/*
 * Outcomes and rows of the chat's operations on the database; chat_store.h has the operations. NULL
 * of SQL is a slice whose p is NULL, the number 0, the time 0.
 */
#ifndef BROKER_CHAT_CHAT_ROWS_H
#define BROKER_CHAT_CHAT_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/slice.h"

enum chat_store_code {
	CHAT_STORE_OK,
	CHAT_STORE_FORBIDDEN,	/* not there, or no part in it, or not allowed: 403 */
	CHAT_STORE_INVALID,	/* `field` says what: 422 */
	CHAT_STORE_UNAVAILABLE, /* the database is away or too slow, or too much waits: 503 */
	CHAT_STORE_FAULT,	/* statement or schema are wrong, it has been logged: 500 */
};

/* All strings live during the callback and are never NULL. */
struct chat_result {
	enum chat_store_code code;
	const char *field; /* INVALID: reply_to, participant_ids, user_id, body ...; else "" */
	const char *why;   /* INVALID: bad_reply, unknown_users, not_two, unknown_user, bad_text */
};

struct chat_token_row {
	int64_t token_id;
	struct slice user_id;
	struct slice user_name;
	struct slice user_info; /* JSON object or NULL */
	struct slice abilities; /* JSON array of names or NULL */
	struct slice hash;	/* 64 lower-case hex digits: compare in constant time */
	wall_us_t expires_at;	/* 0 = never */
	wall_us_t created_at;
	wall_us_t last_used_at;
};

enum chat_policy {
	CHAT_POLICY_EVERYONE,
	CHAT_POLICY_CONTACTS,
	CHAT_POLICY_NOBODY,
};

struct chat_user_row {
	struct slice id;
	struct slice name;
	struct slice info;	 /* JSON object or NULL */
	wall_us_t last_seen;	 /* when the last connection went; 0 = never seen */
	enum chat_policy policy; /* who may know last_seen */
	wall_us_t hidden_since;	 /* appears offline since then; 0 = shown as is */
};

struct chat_message_row {
	uint64_t id;
	uint64_t chat;
	uint64_t seq;
	uint64_t prev_seq;
	struct slice sender_id;
	struct slice sender_name; /* NULL: the user is no more */
	struct slice body;
	uint64_t reply_to;	/* id of a message; 0 = none */
	struct slice meta;	/* JSON object or NULL */
	struct slice client_id; /* canonical text of the uuid, or NULL */
	wall_us_t created_at;
	wall_us_t edited_at;
	wall_us_t deleted_at;
};

/* A chat as one of its participants sees it. */
struct chat_row {
	uint64_t chat;
	struct slice user_id; /* who looks */
	struct slice name;
	bool direct;
	struct slice owner_id;
	wall_us_t created_at;
	wall_us_t updated_at; /* newest message or creation: the order of active_chats() */
	uint64_t last_seq;
	uint64_t participant_count;
	uint64_t joined_seq;
	uint64_t delivered_seq;
	wall_us_t delivered_at;
	uint64_t read_seq;
	wall_us_t read_at;
	uint64_t unread;
	bool has_last; /* there is a newest message that the user may see */
	struct chat_message_row last;
};

/* A participant and what the rules must know of the chat. */
struct chat_participant_row {
	uint64_t chat;
	struct slice user_id;
	struct slice user_name;
	uint64_t joined_seq; /* sees messages above it, or all where new_members_see = all */
	uint64_t delivered_seq;
	wall_us_t delivered_at;
	uint64_t read_seq;
	wall_us_t read_at;
	bool is_owner;
	struct slice owner_id; /* of the chat */
	bool direct;
	uint64_t last_seq;
	uint64_t unread;	    /* messages of others above read_seq */
	uint64_t participant_count; /* of the whole chat, however many rows are given */
};

/* Where a message stands and where the cursors of the user in its chat do. */
struct chat_place_row {
	uint64_t message;
	uint64_t chat;
	uint64_t seq;
	struct slice sender_id;
	uint64_t joined_seq;
	uint64_t delivered_seq;
	wall_us_t delivered_at;
	uint64_t read_seq;
	wall_us_t read_at;
	uint64_t last_seq;
};

/* Both cursors of a participant after a move, and the messages under them (0 = none). */
struct chat_cursor_row {
	uint64_t chat;
	struct slice user_id;
	bool delivered_moved;
	bool read_moved;
	uint64_t delivered_seq;
	wall_us_t delivered_at;
	uint64_t delivered_id;
	uint64_t read_seq;
	wall_us_t read_at;
	uint64_t read_id;
	uint64_t last_seq;
	uint64_t unread;
};

struct chat_receipt_row {
	struct slice user_id;
	struct slice user_name;
	uint64_t delivered_seq;
	wall_us_t delivered_at;
	uint64_t read_seq;
	wall_us_t read_at;
};

/* After add or remove. */
struct chat_member_row {
	struct slice user_name; /* NULL: no such user (remove only) */
	struct slice owner_id;	/* of the chat, afterwards */
	uint64_t joined_seq;	/* add only */
};

struct chat_pair {
	uint64_t chat;
	struct slice user_id;
};

struct chat_post {
	uint64_t chat;
	struct slice sender_id;
	struct slice client_id; /* a uuid in text; empty = none */
	struct slice body;
	uint64_t reply_to; /* 0 = none */
	struct slice meta; /* JSON object; empty = none */
};

#endif
