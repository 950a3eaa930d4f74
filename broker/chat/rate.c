#include "broker/chat/rate.h"

#include <stdlib.h>

#include "broker/chat/chat.h"
#include "common/base/list.h"
#include "common/base/map.h"

struct bucket {
	UT_hash_handle hh;
	TAILQ_ENTRY(bucket) use; /* least recently used first */
	usec_t full_at;		 /* when it would be full again */
	uint32_t name_n;
	char name[];
};

struct rates {
	struct bucket *buckets;
	TAILQ_HEAD(, bucket) uses;
	uint32_t most;
};

struct rates *rates_new(uint32_t most)
{
	struct rates *r = NEW(struct rates);

	TAILQ_INIT(&r->uses);
	r->most = most;
	return r;
}

static void drop(struct rates *r, struct bucket *b)
{
	HASH_DELETE(hh, r->buckets, b);
	TAILQ_REMOVE(&r->uses, b, use);
	free(b);
}

void rates_free(struct rates *r)
{
	struct bucket *b;

	if (r == NULL)
		return;
	while ((b = TAILQ_FIRST(&r->uses)) != NULL)
		drop(r, b);
	free(r);
}

static struct bucket *find(const struct rates *r, struct slice name)
{
	struct bucket *b = NULL;

	HASH_FIND(hh, r->buckets, name.p, name.n, b);
	return b;
}

/* Each new bucket takes away two that are full again, so that they never pile up. */
static void make_room(struct rates *r, usec_t now)
{
	struct bucket *b;

	for (int i = 0; i < 2; i++) {
		b = TAILQ_FIRST(&r->uses);
		if (b == NULL || b->full_at > now)
			break;
		drop(r, b);
	}
	while (HASH_COUNT(r->buckets) >= r->most && (b = TAILQ_FIRST(&r->uses)) != NULL)
		drop(r, b);
}

static struct bucket *add(struct rates *r, usec_t now, struct slice name)
{
	struct bucket *b;

	make_room(r, now);
	b = mem_zalloc(sizeof(*b) + name.n);
	b->name_n = (uint32_t)name.n;
	memcpy(b->name, name.p, name.n);
	HASH_ADD(hh, r->buckets, name, b->name_n, b);
	TAILQ_INSERT_TAIL(&r->uses, b, use);
	return b;
}

bool rates_take(struct rates *r, usec_t now, const struct chat_rate *rate, struct slice name,
		unsigned *ret_wait)
{
	struct bucket *b;
	usec_t full_at;
	usec_t each;
	usec_t last;

	*ret_wait = 0;
	if (rate->per_second == 0 || name.n == 0)
		return true;
	b = find(r, name);
	if (b == NULL)
		b = add(r, now, name);
	TAILQ_REMOVE(&r->uses, b, use);
	TAILQ_INSERT_TAIL(&r->uses, b, use);

	/* Every token that is missing puts the moment off by the time that it takes to regain. */
	each = USEC_PER_SEC / rate->per_second;
	full_at = MAX(b->full_at, now) + each;
	last = now + each * MAX(rate->burst, 1U);
	if (full_at > last) {
		*ret_wait = (unsigned)((full_at - last + USEC_PER_SEC - 1) / USEC_PER_SEC);
		return false;
	}
	b->full_at = full_at;
	return true;
}
