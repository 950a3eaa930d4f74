#include "broker/chat/token.h"

#include <stdlib.h>

#include "broker/chat/chat_store.h"
#include "broker/chat/identity.h"
#include "common/base/limits.h"
#include "common/base/list.h"
#include "common/base/map.h"
#include "common/crypto/hmac.h"

#define HASH_TEXT ((size_t)2 * SHA256_SIZE)
#define ID_MAX 18 /* digits that surely fit a bigint */
#define KEY_MAX (ID_MAX + 1 + HASH_TEXT)
#define BAD_TIME (5 * USEC_PER_SEC)
#define BAD_MAX 10000

/* What is remembered of a token. */
struct entry {
	UT_hash_handle hh;
	UT_hash_handle by_id; /* good ones; two forms of one token share the id */
	TAILQ_ENTRY(entry) use;
	struct identity *who; /* NULL: it is none */
	usec_t checked_at;
	uint8_t key_n;
	char key[KEY_MAX];
};

TAILQ_HEAD(entries, entry);

struct waiter {
	TAILQ_ENTRY(waiter) entry;
	token_fn *done;
	void *ctx;
};

/* The database is being asked. */
struct lookup {
	UT_hash_handle hh;
	struct tokens *tokens;
	TAILQ_HEAD(, waiter) waiters;
	usec_t asked_at;
	bool stale; /* the token changed meanwhile: ask again */
	uint8_t id_n;
	uint8_t key_n;
	char key[KEY_MAX];
};

struct tokens {
	const struct chat_store *store;
	struct tokens_options options;
	struct entry *table;
	struct entry *ids;
	struct entries good; /* longest unused first */
	struct entries bad;
	uint32_t good_count;
	uint32_t bad_count;
	struct lookup *lookups;
	usec_t now;
	wall_us_t wall;
	bool up;
};

struct tokens *tokens_new(const struct tokens_options *options, const struct chat_store *store)
{
	struct tokens *t = NEW(struct tokens);

	t->store = store;
	t->options = *options;
	t->up = true;
	TAILQ_INIT(&t->good);
	TAILQ_INIT(&t->bad);
	return t;
}

/* ---- entries ---- */

static size_t make_key(char key[KEY_MAX], struct slice id, struct slice hash)
{
	if (id.n > 0)
		memcpy(key, id.p, id.n);
	key[id.n] = '|';
	memcpy(key + id.n + 1, hash.p, hash.n);
	return id.n + 1 + hash.n;
}

static struct entry *find(const struct tokens *t, const char *key, size_t n)
{
	struct entry *e = NULL;

	HASH_FIND(hh, t->table, key, n, e);
	return e;
}

static struct entry *find_id(const struct tokens *t, int64_t id)
{
	struct entry *e = NULL;

	HASH_FIND(by_id, t->ids, &id, sizeof(id), e);
	return e;
}

static void drop(struct tokens *t, struct entry *e)
{
	HASH_DELETE(hh, t->table, e);
	if (e->who != NULL) {
		HASH_DELETE(by_id, t->ids, e);
		TAILQ_REMOVE(&t->good, e, use);
		t->good_count--;
	} else {
		TAILQ_REMOVE(&t->bad, e, use);
		t->bad_count--;
	}
	identity_unref(e->who);
	free(e);
}

static void drop_all(struct tokens *t)
{
	struct entry *e;

	while ((e = TAILQ_FIRST(&t->good)) != NULL)
		drop(t, e);
	while ((e = TAILQ_FIRST(&t->bad)) != NULL)
		drop(t, e);
}

static void make_room(struct tokens *t)
{
	while (t->good_count > t->options.size)
		drop(t, TAILQ_FIRST(&t->good));
	while (t->bad_count > BAD_MAX)
		drop(t, TAILQ_FIRST(&t->bad));
}

/* Takes the caller's reference. */
static void put(struct tokens *t, const struct lookup *l, struct identity *who)
{
	struct entry *e = find(t, l->key, l->key_n);

	if (e != NULL)
		drop(t, e);
	e = NEW(struct entry);
	e->who = who;
	e->checked_at = l->asked_at;
	e->key_n = l->key_n;
	memcpy(e->key, l->key, l->key_n);
	HASH_ADD(hh, t->table, key, e->key_n, e);
	if (who != NULL) {
		HASH_ADD_KEYPTR(by_id, t->ids, &who->token_id, sizeof(who->token_id), e);
		TAILQ_INSERT_TAIL(&t->good, e, use);
		t->good_count++;
	} else {
		TAILQ_INSERT_TAIL(&t->bad, e, use);
		t->bad_count++;
	}
	make_room(t);
}

static struct identity *remembered(struct tokens *t, const char *key, size_t n, bool away)
{
	struct entry *e = find(t, key, n);
	usec_t life = away ? MAX(t->options.grace, t->options.cache) : t->options.cache;

	if (e == NULL || e->who == NULL || t->now - e->checked_at >= life ||
	    (e->who->expires_at != 0 && e->who->expires_at <= t->wall))
		return NULL;
	TAILQ_REMOVE(&t->good, e, use);
	TAILQ_INSERT_TAIL(&t->good, e, use);
	return e->who;
}

static bool known_bad(const struct tokens *t, const char *key, size_t n)
{
	const struct entry *e = find(t, key, n);

	return e != NULL && e->who == NULL && t->now - e->checked_at < BAD_TIME;
}

/* ---- asking ---- */

static void drop_lookup(struct tokens *t, struct lookup *l)
{
	struct waiter *w;

	HASH_DELETE(hh, t->lookups, l);
	while ((w = TAILQ_FIRST(&l->waiters)) != NULL) {
		TAILQ_REMOVE(&l->waiters, w, entry);
		free(w);
	}
	free(l);
}

/* Out of the table first: whoever is told may ask anew. */
static void answer(struct tokens *t, struct lookup *l, enum token_verdict verdict,
		   struct identity *who)
{
	struct waiter *w;

	HASH_DELETE(hh, t->lookups, l);
	if (who != NULL)
		(void)identity_ref(who);
	while ((w = TAILQ_FIRST(&l->waiters)) != NULL) {
		TAILQ_REMOVE(&l->waiters, w, entry);
		w->done(w->ctx, verdict, who);
		free(w);
	}
	identity_unref(who);
	free(l);
}

static void on_token(void *ctx, const struct chat_result *r, const struct chat_token_row *row);

static void ask(struct tokens *t, struct lookup *l)
{
	struct slice id = slice_of(l->key, l->id_n);
	struct slice hash = slice_of(l->key + l->id_n + 1, HASH_TEXT);

	l->stale = false;
	l->asked_at = t->now;
	t->store->find_token(t->store->self, id, hash, on_token, l);
}

/* Looking up by id shows whose row it is; only the hash shows that the caller has the token. */
static bool row_is_good(const struct lookup *l, const struct chat_token_row *row)
{
	struct slice hash = slice_of(l->key + l->id_n + 1, HASH_TEXT);

	return row != NULL && crypto_equal(row->hash, hash) && row->user_id.n > 0 &&
	       row->user_id.n <= LIMIT_USER_ID;
}

static void on_token(void *ctx, const struct chat_result *r, const struct chat_token_row *row)
{
	struct lookup *l = ctx;
	struct tokens *t = l->tokens;
	struct identity *who;

	if (l->stale && (r->code == CHAT_STORE_OK || r->code == CHAT_STORE_INVALID)) {
		ask(t, l);
		return;
	}
	switch (r->code) {
	case CHAT_STORE_OK:
	case CHAT_STORE_FORBIDDEN:
	case CHAT_STORE_INVALID:
		who = r->code == CHAT_STORE_OK && row_is_good(l, row) ? identity_new(row) : NULL;
		put(t, l, who != NULL ? identity_ref(who) : NULL);
		answer(t, l, who != NULL ? TOKEN_GOOD : TOKEN_BAD, who);
		identity_unref(who);
		return;
	case CHAT_STORE_UNAVAILABLE:
		who = remembered(t, l->key, l->key_n, true);
		answer(t, l, who != NULL ? TOKEN_GOOD : TOKEN_UNAVAILABLE, who);
		return;
	case CHAT_STORE_FAULT:
		break;
	}
	answer(t, l, TOKEN_FAULT, NULL);
}

static struct lookup *lookup_of(struct tokens *t, const char *key, size_t n, size_t id_n,
				bool *ret_new)
{
	struct lookup *l = NULL;

	HASH_FIND(hh, t->lookups, key, n, l);
	*ret_new = l == NULL;
	if (l != NULL)
		return l;
	l = NEW(struct lookup);
	l->tokens = t;
	TAILQ_INIT(&l->waiters);
	l->id_n = (uint8_t)id_n;
	l->key_n = (uint8_t)n;
	memcpy(l->key, key, n);
	HASH_ADD(hh, t->lookups, key, l->key_n, l);
	return l;
}

static void wait_for(struct tokens *t, const char *key, size_t n, size_t id_n, token_fn *done,
		     void *ctx)
{
	struct waiter *w = NEW(struct waiter);
	struct lookup *l;
	bool is_new;

	l = lookup_of(t, key, n, id_n, &is_new);
	w->done = done;
	w->ctx = ctx;
	TAILQ_INSERT_TAIL(&l->waiters, w, entry);
	if (is_new)
		ask(t, l);
}

/* Sanctum: the id is digits, or there is none. */
static bool well_formed(struct slice id, struct slice hash)
{
	unsigned long long n;

	return hash.n == HASH_TEXT && id.n <= ID_MAX && (id.n == 0 || slice_to_u64(id, &n));
}

void tokens_check(struct tokens *t, usec_t now, wall_us_t wall, struct slice id, struct slice hash,
		  token_fn *done, void *ctx)
{
	char key[KEY_MAX];
	struct identity *who;
	size_t n;

	t->now = MAX(t->now, now);
	t->wall = wall;
	if (!well_formed(id, hash)) {
		done(ctx, TOKEN_BAD, NULL);
		return;
	}
	n = make_key(key, id, hash);
	who = remembered(t, key, n, !t->up);
	if (who != NULL) {
		(void)identity_ref(who);
		done(ctx, TOKEN_GOOD, who);
		identity_unref(who);
	} else if (known_bad(t, key, n)) {
		done(ctx, TOKEN_BAD, NULL);
	} else {
		wait_for(t, key, n, id.n, done, ctx);
	}
}

/* ---- changes ---- */

static void make_stale(struct tokens *t, struct slice id)
{
	struct lookup *l;
	struct lookup *next;
	unsigned long long changed;
	unsigned long long asked;
	bool one = slice_to_u64(id, &changed);

	HASH_ITER(hh, t->lookups, l, next)
	{
		/* Which token a look-up by hash alone will find is not known yet. */
		if (!one || !slice_to_u64(slice_of(l->key, l->id_n), &asked) || asked == changed)
			l->stale = true;
	}
}

void tokens_changed(struct tokens *t, struct slice id)
{
	unsigned long long n;
	struct entry *e;

	make_stale(t, id);
	if (slice_eq(id, SLICE("*")))
		drop_all(t);
	if (!slice_to_u64(id, &n) || n > INT64_MAX)
		return;
	while ((e = find_id(t, (int64_t)n)) != NULL)
		drop(t, e);
	/* It may be one that was taken for none until now. */
	while ((e = TAILQ_FIRST(&t->bad)) != NULL)
		drop(t, e);
}

void tokens_store_changed(struct tokens *t, bool up)
{
	t->up = up;
}

void tokens_reload(struct tokens *t, const struct tokens_options *options)
{
	t->options = *options;
	make_room(t);
}

void tokens_free(struct tokens *t)
{
	struct lookup *l;
	struct lookup *next;

	if (t == NULL)
		return;
	HASH_ITER(hh, t->lookups, l, next)
	drop_lookup(t, l);
	drop_all(t);
	free(t);
}

uint32_t tokens_count(const struct tokens *t)
{
	return t->good_count;
}
