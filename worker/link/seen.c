#include "worker/link/seen.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/list.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/base/siphash.h"

#define KEYS_FIRST 64 /* room of a new origin; grows by four up to SEEN_WINDOW */

/*
 * The deliveries of one origin: their keys in a ring, oldest first, and a table of open addressing
 * whose rows are positions in the ring plus one. 0 = free row.
 */
struct origin {
	UT_hash_handle hh;
	TAILQ_ENTRY(origin) used; /* the one that published last stands at the end */
	uint64_t id;
	uint64_t top; /* the highest number; keys are those of it alone, unless unordered */
	uint64_t *ring;
	uint32_t *rows; /* 2 * cap */
	uint32_t cap;	/* a power of two */
	uint32_t count;
	uint32_t head; /* the oldest, once the ring is full */
};

TAILQ_HEAD(origin_list, origin);

struct seen {
	struct origin *origins;
	struct origin_list used;
};

struct seen *seen_new(void)
{
	struct seen *seen = NEW(struct seen);

	TAILQ_INIT(&seen->used);
	return seen;
}

/* ---- origins ---- */

static void forget(struct seen *seen, struct origin *o)
{
	HASH_DELETE(hh, seen->origins, o);
	TAILQ_REMOVE(&seen->used, o, used);
	free(o->ring);
	free(o->rows);
	free(o);
}

void seen_free(struct seen *seen)
{
	struct origin *o;

	if (seen == NULL)
		return;
	while ((o = TAILQ_FIRST(&seen->used)) != NULL)
		forget(seen, o);
	free(seen);
}

static struct origin *origin_of(struct seen *seen, uint64_t id)
{
	struct origin *o;

	HASH_FIND(hh, seen->origins, &id, sizeof(id), o);
	if (o != NULL) {
		TAILQ_REMOVE(&seen->used, o, used);
		TAILQ_INSERT_TAIL(&seen->used, o, used);
		return o;
	}
	if (HASH_COUNT(seen->origins) >= SEEN_ORIGINS)
		forget(seen, TAILQ_FIRST(&seen->used));
	o = NEW(struct origin);
	o->id = id;
	HASH_ADD(hh, seen->origins, id, sizeof(o->id), o);
	TAILQ_INSERT_TAIL(&seen->used, o, used);
	return o;
}

/* ---- keys of one origin ---- */

static uint32_t next_row(const struct origin *o, uint32_t row)
{
	return (row + 1) & (2 * o->cap - 1);
}

/* The row of a key, or the free one where it would stand. */
static uint32_t row_of(const struct origin *o, uint64_t key)
{
	uint32_t row = (uint32_t)key & (2 * o->cap - 1);

	while (o->rows[row] != 0 && o->ring[o->rows[row] - 1] != key)
		row = next_row(o, row);
	return row;
}

static void grow(struct origin *o)
{
	o->cap = o->cap == 0 ? KEYS_FIRST : o->cap * 4;
	o->ring = mem_grow(o->ring, o->cap, sizeof(*o->ring));
	free(o->rows);
	o->rows = mem_calloc((size_t)2 * o->cap, sizeof(*o->rows));
	for (uint32_t i = 0; i < o->count; i++)
		o->rows[row_of(o, o->ring[i])] = i + 1;
}

/* Takes a key out; those behind it in the same run move up, so that no search stops short. */
static void remove_key(struct origin *o, uint64_t key)
{
	uint32_t hole = row_of(o, key);
	uint32_t mask = 2 * o->cap - 1;

	o->rows[hole] = 0;
	for (uint32_t row = next_row(o, hole); o->rows[row] != 0; row = next_row(o, row)) {
		uint32_t home = (uint32_t)o->ring[o->rows[row] - 1] & mask;

		if (((row - home) & mask) < ((row - hole) & mask))
			continue;
		o->rows[hole] = o->rows[row];
		o->rows[row] = 0;
		hole = row;
	}
}

static void add_key(struct origin *o, uint64_t key)
{
	uint32_t at;

	if (o->count == o->cap && o->cap < SEEN_WINDOW)
		grow(o);
	if (o->count < o->cap) {
		at = o->count++;
	} else {
		at = o->head;
		o->head = o->head + 1 < o->cap ? o->head + 1 : 0;
		remove_key(o, o->ring[at]);
	}
	o->ring[at] = key;
	o->rows[row_of(o, key)] = at + 1;
}

static void forget_keys(struct origin *o)
{
	if (o->count > 0)
		memset(o->rows, 0, (size_t)2 * o->cap * sizeof(*o->rows));
	o->count = 0;
	o->head = 0;
}

bool seen_add(struct seen *seen, uint64_t origin, uint64_t number, struct slice channel)
{
	struct origin *o = origin_of(seen, origin);
	uint64_t parts[2] = {number, hash_bytes(channel.p, channel.n)};
	uint64_t key = hash_bytes(parts, sizeof(parts));

	if (origin != SEEN_UNORDERED) {
		if (number < o->top)
			return false;
		if (number > o->top)
			forget_keys(o);
		o->top = number;
	}
	if (o->cap > 0 && o->rows[row_of(o, key)] != 0)
		return false;
	add_key(o, key);
	return true;
}
