#include "broker/registry/conn_table.h"

#include <stdlib.h>

#include "broker/registry/registry_internal.h"

#define FIRST_CAP 64

static size_t home(const struct conn_table *t, uint64_t number)
{
	/* Fibonacci hashing: the upper bits of the product are mixed best. */
	return (size_t)((number * 0x9E3779B97F4A7C15U) >> 20) & (t->cap - 1);
}

static size_t behind(const struct conn_table *t, size_t i)
{
	return (i + 1) & (t->cap - 1);
}

void conn_table_done(struct conn_table *t)
{
	free(t->rows);
	*t = (struct conn_table){0};
}

static void put_row(struct conn_table *t, struct conn *c)
{
	size_t i = home(t, c->number);

	while (t->rows[i] != NULL)
		i = behind(t, i);
	t->rows[i] = c;
	t->count++;
}

static void resize(struct conn_table *t, size_t cap)
{
	struct conn_table other = {mem_calloc(cap, sizeof(struct conn *)), cap, 0};

	for (size_t i = 0; i < t->cap; i++) {
		if (t->rows[i] != NULL)
			put_row(&other, t->rows[i]);
	}
	free(t->rows);
	*t = other;
}

void conn_table_put(struct conn_table *t, struct conn *c)
{
	if (t->cap == 0 || 4 * (t->count + 1) > 3 * t->cap)
		resize(t, t->cap == 0 ? FIRST_CAP : 2 * t->cap);
	put_row(t, c);
}

struct conn *conn_table_get(const struct conn_table *t, uint64_t number)
{
	if (t->cap == 0)
		return NULL;
	for (size_t i = home(t, number); t->rows[i] != NULL; i = behind(t, i)) {
		if (t->rows[i]->number == number)
			return t->rows[i];
	}
	return NULL;
}

/* Moves rows of the same run back into the gap, so that every look-up still finds its way. */
static void close_gap(struct conn_table *t, size_t gap)
{
	size_t mask = t->cap - 1;

	for (size_t i = behind(t, gap); t->rows[i] != NULL; i = behind(t, i)) {
		size_t want = home(t, t->rows[i]->number);

		if (((i - want) & mask) < ((i - gap) & mask))
			continue;
		t->rows[gap] = t->rows[i];
		gap = i;
	}
	t->rows[gap] = NULL;
}

void conn_table_remove(struct conn_table *t, const struct conn *c)
{
	size_t i = home(t, c->number);

	while (t->rows[i] != c)
		i = behind(t, i);
	close_gap(t, i);
	t->count--;
	if (t->cap > FIRST_CAP && 8 * t->count < t->cap)
		resize(t, t->cap / 2);
}
