#include "broker/chat/typing.h"

#include <stdlib.h>

#include "common/base/limits.h"
#include "common/base/list.h"
#include "common/base/map.h"

struct typing {
	UT_hash_handle hh;
	TAILQ_ENTRY(typing) age; /* by `until` */
	LIST_ENTRY(typing) of_user;
	struct typist *typist;
	usec_t until;
	usec_t told_at;
	uint64_t chat;
	uint32_t id_n;
	char key[]; /* the chat, then the user's id */
};

/* A user who is typing somewhere. */
struct typist {
	UT_hash_handle hh;
	LIST_HEAD(, typing) typings;
	char *name;
	size_t name_n;
	uint32_t id_n;
	char id[];
};

struct typings {
	typing_tell_fn *tell;
	void *ctx;
	struct typing *table;
	struct typist *typists;
	TAILQ_HEAD(typing_list, typing) ages;
};

#define KEY_MAX (sizeof(uint64_t) + LIMIT_USER_ID)

struct typings *typings_new(typing_tell_fn *tell, void *ctx)
{
	struct typings *t = NEW(struct typings);

	t->tell = tell;
	t->ctx = ctx;
	TAILQ_INIT(&t->ages);
	return t;
}

static struct slice id_of(const struct typing *y)
{
	return slice_of(y->key + sizeof(y->chat), y->id_n);
}

static struct slice name_of(const struct typing *y)
{
	return slice_of(y->typist->name, y->typist->name_n);
}

static size_t make_key(char key[KEY_MAX], uint64_t chat, struct slice user_id)
{
	memcpy(key, &chat, sizeof(chat));
	memcpy(key + sizeof(chat), user_id.p, user_id.n);
	return sizeof(chat) + user_id.n;
}

static struct typing *find(const struct typings *t, uint64_t chat, struct slice user_id)
{
	char key[KEY_MAX];
	struct typing *y = NULL;
	size_t n;

	if (user_id.n == 0 || user_id.n > LIMIT_USER_ID)
		return NULL;
	n = make_key(key, chat, user_id);
	HASH_FIND(hh, t->table, key, n, y);
	return y;
}

static struct typist *find_typist(const struct typings *t, struct slice user_id)
{
	struct typist *who = NULL;

	if (user_id.n > 0)
		HASH_FIND(hh, t->typists, user_id.p, user_id.n, who);
	return who;
}

static struct typist *typist_of(struct typings *t, struct slice user_id, struct slice name)
{
	struct typist *who = find_typist(t, user_id);

	if (who == NULL) {
		who = mem_zalloc(sizeof(*who) + user_id.n);
		who->id_n = (uint32_t)user_id.n;
		memcpy(who->id, user_id.p, user_id.n);
		LIST_INIT(&who->typings);
		HASH_ADD(hh, t->typists, id, who->id_n, who);
	}
	free(who->name);
	who->name = slice_dup(name);
	who->name_n = name.n;
	return who;
}

static void drop(struct typings *t, struct typing *y)
{
	struct typist *who = y->typist;

	HASH_DELETE(hh, t->table, y);
	TAILQ_REMOVE(&t->ages, y, age);
	LIST_REMOVE(y, of_user);
	free(y);
	if (!LIST_EMPTY(&who->typings))
		return;
	HASH_DELETE(hh, t->typists, who);
	free(who->name);
	free(who);
}

void typings_free(struct typings *t)
{
	struct typing *y;

	if (t == NULL)
		return;
	while ((y = TAILQ_FIRST(&t->ages)) != NULL)
		drop(t, y);
	free(t);
}

static struct typing *add(struct typings *t, uint64_t chat, struct slice user_id, struct slice name)
{
	struct typing *y = mem_zalloc(sizeof(*y) + sizeof(chat) + user_id.n);

	y->chat = chat;
	y->id_n = (uint32_t)user_id.n;
	(void)make_key(y->key, chat, user_id);
	y->typist = typist_of(t, user_id, name);
	LIST_INSERT_HEAD(&y->typist->typings, y, of_user);
	HASH_ADD(hh, t->table, key, sizeof(chat) + user_id.n, y);
	return y;
}

/* The list is by time. After a reload that shortened the time-out the older ones go first. */
static void put_in_order(struct typings *t, struct typing *y, usec_t until)
{
	const struct typing *last = TAILQ_LAST(&t->ages, typing_list);

	y->until = last != NULL ? MAX(until, last->until) : until;
	TAILQ_INSERT_TAIL(&t->ages, y, age);
}

void typings_start(struct typings *t, usec_t now, usec_t timeout, usec_t repeat, uint64_t chat,
		   struct slice user_id, struct slice name, uint64_t exclude)
{
	struct typing *y = find(t, chat, user_id);
	bool tell = y == NULL || now - y->told_at >= repeat;

	if (user_id.n == 0 || user_id.n > LIMIT_USER_ID)
		return;
	if (y == NULL)
		y = add(t, chat, user_id, name);
	else
		TAILQ_REMOVE(&t->ages, y, age);
	put_in_order(t, y, now + timeout);
	if (!tell)
		return;
	y->told_at = now;
	t->tell(t->ctx, chat, id_of(y), name_of(y), true, exclude);
}

/* Out of the table before it is told, so that a repeat finds nothing. */
static void end(struct typings *t, struct typing *y, uint64_t exclude)
{
	char id[LIMIT_USER_ID];
	struct slice user_id = id_of(y);
	char *name = slice_dup(name_of(y));
	size_t name_n = y->typist->name_n;
	uint64_t chat = y->chat;

	memcpy(id, user_id.p, user_id.n);
	user_id.p = id;
	drop(t, y);
	t->tell(t->ctx, chat, user_id, slice_of(name, name_n), false, exclude);
	free(name);
}

void typings_stop(struct typings *t, uint64_t chat, struct slice user_id, uint64_t exclude)
{
	struct typing *y = find(t, chat, user_id);

	if (y != NULL)
		end(t, y, exclude);
}

void typings_stop_all(struct typings *t, struct slice user_id)
{
	const struct typist *who;

	while ((who = find_typist(t, user_id)) != NULL)
		end(t, LIST_FIRST(&who->typings), 0);
}

uint32_t typings_count(const struct typings *t)
{
	return HASH_COUNT(t->table);
}

usec_t typings_deadline(const struct typings *t)
{
	const struct typing *y = TAILQ_FIRST(&t->ages);

	return y != NULL ? y->until : USEC_NEVER;
}

void typings_turn(struct typings *t, usec_t now)
{
	struct typing *y;

	while ((y = TAILQ_FIRST(&t->ages)) != NULL && y->until <= now)
		end(t, y, 0);
}
