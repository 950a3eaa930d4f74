/*
 * A house for tests of the chat: a database in memory behind struct chat_store, the real registry,
 * and everything that the chat does, written down line by line.
 *
 * Every operation of the store takes effect when it is called; its answer waits in the queue of its
 * connection until the test lets it through, so that answers can overtake each other.
 */
#ifndef TESTS_UNIT_CHAT_FAKES_H
#define TESTS_UNIT_CHAT_FAKES_H

#include "broker/chat/chat.h"
#include "broker/chat/chat_store.h"
#include "broker/registry/registry.h"
#include "common/base/buf.h"
#include "common/base/limits.h"
#include "common/wire/wire.h"

#define APP 0

extern struct chat *fake_chat;
extern struct registry *fake_registry;
extern struct chat_options fake_options; /* in force with fake_begin() or chat_reload() */
extern usec_t fake_now;
extern wall_us_t fake_wall;
extern struct buf fake_told; /* what the chat did since fake_forget() */

/* Users 1 Ada, 2 Bob, 3 Cyd, 4 Dan with tokens 1..4; chat 1 of 1 (owner), 2; direct chat 2 of 1, 3.
 */
void fake_begin(void);
void fake_end(void);
void fake_forget(void);

/* ---- the database ---- */

enum fake_queue { QUEUE_LOOKUPS, QUEUE_MESSAGES, QUEUES };

extern bool fake_away;	     /* operations answer CHAT_STORE_UNAVAILABLE */
extern bool fake_broken;     /* or CHAT_STORE_FAULT */
extern unsigned fake_calls;  /* operations so far */
extern unsigned fake_tokens; /* of them find_token */

/* Lets answers through: one of a queue, or all until nothing waits. */
bool fake_answer(enum fake_queue queue);
void fake_settle(void);
size_t fake_waiting(void);

void fake_revoke(int64_t token);
void fake_expire(int64_t token, wall_us_t at);
void fake_add_user(const char *id, const char *name);
/* Changes of a house that does not tell the broker. */
void fake_leave(uint64_t chat, const char *user);
uint64_t fake_read_seq(uint64_t chat, const char *user);
uint64_t fake_last_seq(uint64_t chat);
wall_us_t fake_last_seen(const char *user);

/* ---- calls ---- */

struct fake_reply {
	unsigned count; /* times that done() came */
	unsigned status;
	unsigned retry_after;
	bool presence;
	char body[65536];
	char user_info[256];
	char user_id[64];
};

/* The token of a user as the worker sends it. */
struct chat_caller fake_caller(const char *user);
/* Asks with the token of `user`; the answer may come later. */
void fake_call(const char *user, struct chat_call call, struct fake_reply *ret);
/* The same, answered at once. */
struct fake_reply *fake_ask(const char *user, struct chat_call call);
struct fake_reply *fake_authorize(const char *user, uint64_t conn, const char *channel);

/* Shorthands for the calls of most tests. */
struct fake_reply *fake_send(const char *user, uint64_t chat, const char *text);
struct fake_reply *fake_typing(const char *user, uint64_t chat, bool is_typing);
struct fake_reply *fake_read(const char *user, uint64_t message);

/* ---- connections ---- */

void fake_open(uint64_t conn);
void fake_close(uint64_t conn);
/* As the dispatcher does it; `member`: of a presence channel. False: refused. */
bool fake_subscribe(uint64_t conn, const char *channel, bool authorised, const char *member);
void fake_unsubscribe(uint64_t conn, const char *channel);
bool fake_sign_in(uint64_t conn, const char *user);
/* Authorised by the chat, then subscribed; all is let through. */
bool fake_join(const char *user, uint64_t conn, const char *channel);
/* Lets time go by. */
void fake_pass(usec_t time);

/* ---- another broker ---- */

/* The broker is gone, and with it all it knew; a new one begins. Tokens, chats and notes stay. */
void fake_crash(void);
/* The worker tells the new one of a connection, long open, and what was noted of it. */
void fake_recall(uint64_t conn);
void fake_all_recalled(void);
/* How many notes a worker keeps for a connection. */
size_t fake_notes(uint64_t conn);

/* ---- what was told ---- */

bool fake_was_told(const char *part);
unsigned fake_count(const char *part);
/* Whether `first` stands before `second`. */
bool fake_in_order(const char *first, const char *second);

#define expect_told(part) \
	do { \
		if (!fake_was_told(part)) \
			fail_msg("not told: %s\n%.*s", part, (int)fake_told.n, fake_told.p); \
	} while (0)
#define expect_untold(part) \
	do { \
		if (fake_was_told(part)) \
			fail_msg("told: %s\n%.*s", part, (int)fake_told.n, fake_told.p); \
	} while (0)

#endif
