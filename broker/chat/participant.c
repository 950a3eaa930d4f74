/*
 * Whether a user takes part in a chat. The database is asked each time, for houses where others
 * change its tables; only while it is away the answers it gave before count, so that typing and
 * authorising go on.
 */
#include <stdlib.h>

#include "broker/chat/chat_internal.h"

/* Positive answers that are remembered. */
#define MEMORY_MAX 65536

struct memory {
	UT_hash_handle hh;
	TAILQ_ENTRY(memory) use;
	size_t key_n;
	char key[]; /* the chat, then the user's id */
};

struct ask {
	TAILQ_ENTRY(ask) entry;
	struct chat *chat;
	participant_fn *done;
	void *ctx;
	bool stale; /* the user came or went meanwhile */
	size_t key_n;
	char key[];
};

#define KEY_MAX (sizeof(uint64_t) + LIMIT_USER_ID)

static size_t make_key(char key[KEY_MAX], uint64_t chat, struct slice user_id)
{
	size_t n = MIN(user_id.n, (size_t)LIMIT_USER_ID); /* longer there are none */

	memcpy(key, &chat, sizeof(chat));
	if (n > 0)
		memcpy(key + sizeof(chat), user_id.p, n);
	return sizeof(chat) + n;
}

/* ---- memory ---- */

static struct memory *find(const struct chat *c, const char *key, size_t n)
{
	struct memory *m = NULL;

	HASH_FIND(hh, c->memory, key, n, m);
	return m;
}

static void forget(struct chat *c, struct memory *m)
{
	HASH_DELETE(hh, c->memory, m);
	TAILQ_REMOVE(&c->memories, m, use);
	free(m);
}

static void remember(struct chat *c, const char *key, size_t n)
{
	struct memory *m = find(c, key, n);

	if (m != NULL) {
		TAILQ_REMOVE(&c->memories, m, use);
		TAILQ_INSERT_TAIL(&c->memories, m, use);
		return;
	}
	if (HASH_COUNT(c->memory) >= MEMORY_MAX)
		forget(c, TAILQ_FIRST(&c->memories));
	m = mem_zalloc(sizeof(*m) + n);
	m->key_n = n;
	memcpy(m->key, key, n);
	HASH_ADD(hh, c->memory, key, m->key_n, m);
	TAILQ_INSERT_TAIL(&c->memories, m, use);
}

/* ---- asking ---- */

static void ask_store(struct ask *a);

static enum chat_store_code judge(struct chat *c, const struct ask *a, enum chat_store_code code)
{
	struct memory *m = find(c, a->key, a->key_n);

	switch (code) {
	case CHAT_STORE_OK:
		remember(c, a->key, a->key_n);
		return CHAT_STORE_OK;
	case CHAT_STORE_UNAVAILABLE:
		return m != NULL ? CHAT_STORE_OK : CHAT_STORE_UNAVAILABLE;
	case CHAT_STORE_FORBIDDEN:
	case CHAT_STORE_INVALID:
		if (m != NULL)
			forget(c, m);
		return CHAT_STORE_FORBIDDEN;
	case CHAT_STORE_FAULT:
		break;
	}
	return CHAT_STORE_FAULT;
}

static void on_participant(void *ctx, const struct chat_result *r,
			   const struct chat_participant_row *rows, size_t n)
{
	struct ask *a = ctx;
	struct chat *c = a->chat;
	enum chat_store_code code = r->code;

	(void)rows;
	if (code == CHAT_STORE_OK && n == 0)
		code = CHAT_STORE_FORBIDDEN;
	if (a->stale && (code == CHAT_STORE_OK || code == CHAT_STORE_FORBIDDEN)) {
		ask_store(a);
		return;
	}
	code = judge(c, a, code);
	TAILQ_REMOVE(&c->asks, a, entry);
	a->done(a->ctx, code);
	free(a);
}

static void ask_store(struct ask *a)
{
	const struct chat_store *store = a->chat->store;
	uint64_t chat;

	a->stale = false;
	memcpy(&chat, a->key, sizeof(chat));
	store->participant(store->self, chat,
			   slice_of(a->key + sizeof(chat), a->key_n - sizeof(chat)), on_participant,
			   a);
}

void participant_ask(struct chat *c, uint64_t chat, struct slice user_id, participant_fn *done,
		     void *ctx)
{
	char key[KEY_MAX];
	size_t n = make_key(key, chat, user_id);
	struct ask *a;

	/* There is no need to wait for a database that is known to be away. */
	if (!c->up && find(c, key, n) != NULL) {
		done(ctx, CHAT_STORE_OK);
		return;
	}
	a = mem_zalloc(sizeof(*a) + n);
	a->chat = c;
	a->done = done;
	a->ctx = ctx;
	a->key_n = n;
	memcpy(a->key, key, n);
	TAILQ_INSERT_TAIL(&c->asks, a, entry);
	ask_store(a);
}

void participant_changed(struct chat *c, uint64_t chat, struct slice user_id)
{
	char key[KEY_MAX];
	size_t n = make_key(key, chat, user_id);
	struct memory *m = find(c, key, n);
	struct ask *a;

	if (m != NULL)
		forget(c, m);
	TAILQ_FOREACH (a, &c->asks, entry) {
		if (a->key_n == n && memcmp(a->key, key, n) == 0)
			a->stale = true;
	}
}

void participant_free_all(struct chat *c)
{
	struct ask *a;

	while ((a = TAILQ_FIRST(&c->asks)) != NULL) {
		TAILQ_REMOVE(&c->asks, a, entry);
		free(a);
	}
	while (!TAILQ_EMPTY(&c->memories))
		forget(c, TAILQ_FIRST(&c->memories));
}
