/*
 * Whether those who were allowed the channels of a chat take part in it yet: a broker that was
 * restarted is told of authorisations that it has not given, and somebody may have been removed
 * while it was away. Few questions are under way at once: after a restart it is everybody.
 */
#include <stdlib.h>

#include "broker/chat/chat_internal.h"

#define UNDER_WAY_MAX 64

struct review {
	UT_hash_handle hh; /* by chat and user */
	TAILQ_ENTRY(review) entry;
	struct chat *c;
	bool asked;
	bool again; /* was told of once more while asked */
	size_t key_n;
	char key[]; /* the chat, then the user's id */
};

#define KEY_MAX (sizeof(uint64_t) + LIMIT_USER_ID)

static uint64_t chat_of(const struct review *r)
{
	uint64_t chat;

	memcpy(&chat, r->key, sizeof(chat));
	return chat;
}

static struct slice user_of(const struct review *r)
{
	return slice_of(r->key + sizeof(uint64_t), r->key_n - sizeof(uint64_t));
}

/* It must stand in neither list. */
static void drop(struct review *r)
{
	HASH_DELETE(hh, r->c->review_table, r);
	free(r);
}

void review_add(struct chat *c, uint64_t chat, struct slice user_id)
{
	size_t n = sizeof(chat) + user_id.n;
	struct review *r = NULL;
	char key[KEY_MAX];

	if (user_id.n == 0 || user_id.n > LIMIT_USER_ID)
		return;
	memcpy(key, &chat, sizeof(chat));
	memcpy(key + sizeof(chat), user_id.p, user_id.n);
	HASH_FIND(hh, c->review_table, key, n, r);
	if (r != NULL) {
		r->again = r->asked;
		return;
	}
	r = mem_zalloc(sizeof(*r) + n);
	r->c = c;
	r->key_n = n;
	memcpy(r->key, key, n);
	HASH_ADD(hh, c->review_table, key, r->key_n, r);
	TAILQ_INSERT_TAIL(&c->reviews, r, entry);
}

static void on_participant(void *ctx, enum chat_store_code code)
{
	struct review *r = ctx;
	struct chat *c = r->c;

	TAILQ_REMOVE(&c->reviews_asked, r, entry);
	c->reviews_under_way--;
	r->asked = false;
	if (code == CHAT_STORE_FORBIDDEN)
		withdraw(c, chat_of(r), user_of(r));
	if (code == CHAT_STORE_UNAVAILABLE)
		chat_retry_later(c);
	if (r->again || code == CHAT_STORE_UNAVAILABLE)
		TAILQ_INSERT_TAIL(&c->reviews, r, entry);
	else
		drop(r);
	review_pump(c);
}

void review_pump(struct chat *c)
{
	struct review *r;

	while (c->all_recalled && c->retry_at == USEC_NEVER &&
	       c->reviews_under_way < UNDER_WAY_MAX && (r = TAILQ_FIRST(&c->reviews)) != NULL) {
		TAILQ_REMOVE(&c->reviews, r, entry);
		r->asked = true;
		r->again = false;
		TAILQ_INSERT_TAIL(&c->reviews_asked, r, entry);
		c->reviews_under_way++;
		participant_ask(c, chat_of(r), user_of(r), on_participant, r);
	}
}

void review_free_all(struct chat *c)
{
	struct review *r;

	TAILQ_CONCAT(&c->reviews, &c->reviews_asked, entry);
	while ((r = TAILQ_FIRST(&c->reviews)) != NULL) {
		TAILQ_REMOVE(&c->reviews, r, entry);
		drop(r);
	}
}
