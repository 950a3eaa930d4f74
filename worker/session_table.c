#include "worker/session_table.h"

#include <stdlib.h>

#include "common/base/mem.h"

#define FIRST_CAP 64

static size_t home(const struct session_table *t, uint64_t id)
{
	/* Fibonacci hashing: the upper bits of the product are mixed best. */
	return (size_t)((id * 0x9E3779B97F4A7C15U) >> 20) & (t->cap - 1);
}

void session_table_done(struct session_table *t)
{
	free(t->rows);
	*t = (struct session_table){0};
}

static void put_row(struct session_table *t, uint64_t *id)
{
	size_t i = home(t, *id);

	while (t->rows[i] != NULL)
		i = (i + 1) & (t->cap - 1);
	t->rows[i] = id;
	t->count++;
}

static void resize(struct session_table *t, size_t cap)
{
	struct session_table bigger = {mem_calloc(cap, sizeof(*t->rows)), cap, 0};

	for (size_t i = 0; i < t->cap; i++) {
		if (t->rows[i] != NULL)
			put_row(&bigger, t->rows[i]);
	}
	free(t->rows);
	*t = bigger;
}

void session_table_put(struct session_table *t, uint64_t *id)
{
	if (t->cap == 0 || 4 * (t->count + 1) > 3 * t->cap)
		resize(t, t->cap == 0 ? FIRST_CAP : 2 * t->cap);
	put_row(t, id);
}

uint64_t *session_table_get(const struct session_table *t, uint64_t id)
{
	if (t->cap == 0)
		return NULL;
	for (size_t i = home(t, id); t->rows[i] != NULL; i = (i + 1) & (t->cap - 1)) {
		if (*t->rows[i] == id)
			return t->rows[i];
	}
	return NULL;
}

/* Moves rows of the same run back into the gap, so that every look-up still finds its way. */
static void close_gap(struct session_table *t, size_t gap)
{
	size_t mask = t->cap - 1;

	for (size_t i = (gap + 1) & mask; t->rows[i] != NULL; i = (i + 1) & mask) {
		size_t want = home(t, *t->rows[i]);

		if (((i - want) & mask) < ((i - gap) & mask))
			continue;
		t->rows[gap] = t->rows[i];
		gap = i;
	}
	t->rows[gap] = NULL;
}

void session_table_remove(struct session_table *t, uint64_t id)
{
	if (t->cap == 0)
		return;
	for (size_t i = home(t, id); t->rows[i] != NULL; i = (i + 1) & (t->cap - 1)) {
		if (*t->rows[i] != id)
			continue;
		close_gap(t, i);
		t->count--;
		if (t->cap > FIRST_CAP && 8 * t->count < t->cap)
			resize(t, t->cap / 2);
		return;
	}
}

uint64_t *session_table_next(const struct session_table *t, size_t *at)
{
	while (*at < t->cap) {
		uint64_t *id = t->rows[(*at)++];

		if (id != NULL)
			return id;
	}
	return NULL;
}
