/*
 * The database of the tests of the chat: what stands there, and answers that wait. Tests use
 * chat_fakes.h; this is for chat_store_fake.c.
 */
#ifndef TESTS_UNIT_CHAT_HOUSE_H
#define TESTS_UNIT_CHAT_HOUSE_H

#include "broker/chat/chat_store.h"
#include "common/base/list.h"
#include "tests/unit/chat_fakes.h"

enum { USERS = 64, TOKENS = 64, CHATS = 32, PEOPLE = 64, MESSAGES = 4096, ROWS = 256 };

struct user {
	char id[16];
	char name[32];
	wall_us_t last_seen;
	wall_us_t hidden_since;
	enum chat_policy policy;
};

struct person {
	char id[16];
	uint64_t joined;
	uint64_t delivered;
	uint64_t read;
	wall_us_t delivered_at;
	wall_us_t read_at;
};

struct room {
	char name[64];
	bool direct;
	char owner[16];
	struct person people[PEOPLE];
	size_t n;
	uint64_t last;
	wall_us_t at;
};

struct message {
	uint64_t chat;
	uint64_t seq;
	char sender[16];
	char *body;
	char *meta;
	char client[40];
	uint64_t reply_to;
	wall_us_t at, edited, deleted;
};

struct token {
	int64_t id;
	char user[16];
	char hash[65];
	wall_us_t expires;
	bool gone;
};

struct house {
	struct user users[USERS];
	struct token tokens[TOKENS];
	struct room rooms[CHATS]; /* by id - 1 */
	struct message messages[MESSAGES];
	size_t nusers, ntokens, nrooms, nmessages;
};

extern struct house house;

/* ---- answers that wait ---- */

enum kind {
	DONE,
	TOKEN,
	USERS_,
	IDS,
	POSTED,
	CHANGED,
	ROWS_,
	PLACE,
	CURSOR,
	RECEIPTS,
	CHATS_,
	CREATED,
	MEMBER,
	PEOPLE_,
	HIDDEN
};

struct text {
	SLIST_ENTRY(text) entry;
	char *p;
};

struct pending {
	SLIST_HEAD(, text) texts;
	TAILQ_ENTRY(pending) entry;
	enum kind kind;
	struct chat_result r;
	void (*done)(void);
	void *ctx;
	bool flag, last;
	uint64_t number;
	size_t n;
	union {
		struct chat_token_row token;
		struct chat_user_row users[ROWS];
		struct chat_message_row messages[ROWS];
		struct chat_place_row place;
		struct chat_cursor_row cursor;
		struct chat_receipt_row receipts[ROWS];
		struct chat_row chats[ROWS];
		struct chat_member_row member;
		struct chat_participant_row people[ROWS];
	} u;
};

#define PEND(queue, kind, done, ctx) house_pend(queue, kind, (void (*)(void))(done), ctx)

struct slice house_keep(struct slice s);
struct slice house_keep_str(const char *s);
struct pending *house_pend(enum fake_queue queue, enum kind kind, void (*done)(void), void *ctx);
bool house_fine(const struct pending *p);
void house_refuse(struct pending *p, enum chat_store_code code, const char *field, const char *why);
struct user *house_find_user(struct slice id);
struct room *house_find_room(uint64_t chat);
struct person *house_find_person(uint64_t chat, struct slice id);
struct message *house_find_seq(uint64_t chat, uint64_t seq);
void house_copy(char *to, size_t size, struct slice from);
void house_add_person(struct room *room, struct slice id);
uint64_t house_add_room(struct slice name, struct slice owner, bool direct);
void house_drop_person(struct room *room, struct person *p);
struct chat_message_row house_message_row(const struct message *m);
struct chat_user_row house_user_row(const struct user *u);
struct chat_participant_row house_person_row(uint64_t chat, const struct person *p);
struct chat_row house_chat_row(uint64_t chat, const struct person *p);

void house_begin(void);
void house_end(void);
void house_last_seen(struct slice user, wall_us_t at);

#endif
