#include "broker/stable.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/base/mem.h"

#define RING_MIN 64U

struct stable_entry {
	uint64_t mark;
	uint32_t id;
};

/* An event that is not complete; a free one is a link of the list of free ones. */
struct waiting {
	uint64_t origin;
	uint64_t number;
	uint32_t outstanding; /* acknowledgements, and one more until stable_end() */
	uint32_t next_free;
};

struct stable {
	stable_fn *fn;
	void *ctx;
	struct waiting *v;
	uint32_t cap;
	uint32_t free; /* the first free one; cap = none */
	uint32_t n;
};

struct stable *stable_new(stable_fn *fn, void *ctx)
{
	struct stable *s = NEW(struct stable);

	s->fn = fn;
	s->ctx = ctx;
	return s;
}

void stable_free(struct stable *s)
{
	if (s == NULL)
		return;
	free(s->v);
	free(s);
}

uint32_t stable_waiting(const struct stable *s)
{
	return s->n;
}

static void grow(struct stable *s)
{
	uint32_t cap = s->cap == 0 ? RING_MIN : 2 * s->cap;

	s->v = mem_grow(s->v, cap, sizeof(*s->v));
	for (uint32_t i = s->cap; i < cap; i++)
		s->v[i].next_free = i + 1;
	s->cap = cap; /* the last one's link says: none */
}

uint32_t stable_begin(struct stable *s, uint64_t origin, uint64_t number)
{
	uint32_t id;

	if (s->free == s->cap)
		grow(s);
	id = s->free;
	s->free = s->v[id].next_free;
	s->v[id] = (struct waiting){.origin = origin, .number = number, .outstanding = 1};
	s->n++;
	return id;
}

static void one_less(struct stable *s, uint32_t id)
{
	struct waiting done = s->v[id];

	if (--s->v[id].outstanding > 0)
		return;
	s->v[id].next_free = s->free;
	s->free = id;
	s->n--;
	s->fn(s->ctx, done.origin, done.number);
}

void stable_end(struct stable *s, uint32_t id)
{
	one_less(s, id);
}

/* ---- queues ---- */

static struct stable_entry *at(const struct stable_queue *q, uint32_t i)
{
	return &q->ring[(q->first + i) & (q->cap - 1)];
}

static void grow_ring(struct stable_queue *q)
{
	uint32_t cap = q->cap == 0 ? RING_MIN : 2 * q->cap;
	struct stable_entry *ring = mem_calloc(cap, sizeof(*ring));

	for (uint32_t i = 0; i < q->n; i++)
		ring[i] = *at(q, i);
	free(q->ring);
	q->ring = ring;
	q->cap = cap;
	q->first = 0;
}

void stable_await(struct stable *s, struct stable_queue *q, uint32_t id, uint64_t mark)
{
	/* Several channels of one event: the last mark covers the ones before. */
	if (q->n > 0 && at(q, q->n - 1)->id == id) {
		at(q, q->n - 1)->mark = mark;
		return;
	}
	if (q->n == q->cap)
		grow_ring(q);
	q->n++;
	*at(q, q->n - 1) = (struct stable_entry){.mark = mark, .id = id};
	s->v[id].outstanding++;
}

static void take_first(struct stable *s, struct stable_queue *q)
{
	uint32_t id = at(q, 0)->id;

	q->first = (q->first + 1) & (q->cap - 1);
	q->n--;
	one_less(s, id);
}

void stable_acked(struct stable *s, struct stable_queue *q, uint64_t mark)
{
	while (q->n > 0 && at(q, 0)->mark <= mark)
		take_first(s, q);
}

void stable_gone(struct stable *s, struct stable_queue *q)
{
	while (q->n > 0)
		take_first(s, q);
	free(q->ring);
	*q = (struct stable_queue){0};
}
