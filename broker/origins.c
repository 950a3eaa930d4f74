#include "broker/origins.h"

#include <stdlib.h>

#include "common/base/list.h"
#include "common/base/map.h"

/* Worker processes of a day on a large node. */
#define ORIGINS_MAX 4096

struct origin {
	UT_hash_handle hh;
	TAILQ_ENTRY(origin) used; /* the one that published last stands at the end */
	uint64_t id;
	uint64_t number;
};

TAILQ_HEAD(origin_list, origin);

struct origins {
	struct origin *table;
	struct origin_list used;
};

struct origins *origins_new(void)
{
	struct origins *o = NEW(struct origins);

	TAILQ_INIT(&o->used);
	return o;
}

static void forget(struct origins *o, struct origin *it)
{
	HASH_DELETE(hh, o->table, it);
	TAILQ_REMOVE(&o->used, it, used);
	free(it);
}

void origins_free(struct origins *o)
{
	struct origin *it;

	if (o == NULL)
		return;
	while ((it = TAILQ_FIRST(&o->used)) != NULL)
		forget(o, it);
	free(o);
}

static struct origin *find(const struct origins *o, uint64_t id)
{
	struct origin *it;

	HASH_FIND(hh, o->table, &id, sizeof(id), it);
	return it;
}

static struct origin *add(struct origins *o, uint64_t id)
{
	struct origin *it = NEW(struct origin);

	if (HASH_COUNT(o->table) >= ORIGINS_MAX)
		forget(o, TAILQ_FIRST(&o->used));
	it->id = id;
	HASH_ADD(hh, o->table, id, sizeof(it->id), it);
	TAILQ_INSERT_TAIL(&o->used, it, used);
	return it;
}

bool origins_add(struct origins *o, uint64_t origin, uint64_t number)
{
	struct origin *it = find(o, origin);

	if (it == NULL)
		it = add(o, origin);
	else if (number <= it->number)
		return false;
	it->number = number;
	TAILQ_REMOVE(&o->used, it, used);
	TAILQ_INSERT_TAIL(&o->used, it, used);
	return true;
}
