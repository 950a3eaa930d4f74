#include "worker/edge/outq.h"

#include <stdlib.h>

#include "common/base/mem.h"

#define RING_FIRST 8 /* slots of the first ring that is not inline */

void outq_init(struct outq *q)
{
	*q = (struct outq){0};
}

static struct frame **slot(struct outq *q, uint32_t i)
{
	if (q->cap == 0)
		return &q->few[(q->head + i) % OUTQ_INLINE];
	return &q->ring[(q->head + i) & (q->cap - 1)];
}

static struct frame *frame_at(const struct outq *q, uint32_t i)
{
	if (q->cap == 0)
		return q->few[(q->head + i) % OUTQ_INLINE];
	return q->ring[(q->head + i) & (q->cap - 1)];
}

static void drop_ring(struct outq *q)
{
	if (q->cap > 0) {
		free(q->ring);
		q->ring = NULL;
		q->cap = 0;
	}
	q->head = 0;
}

void outq_done(struct outq *q)
{
	for (uint32_t i = 0; i < q->count; i++)
		frame_unref(*slot(q, i));
	drop_ring(q);
	outq_init(q);
}

size_t outq_cost(const struct outq *q)
{
	return q->bytes + (size_t)q->count * OUTQ_FRAME_COST;
}

static void grow(struct outq *q)
{
	if (q->cap > UINT32_MAX / 4)
		die("output queue of %u frames", q->count);

	uint32_t cap = q->cap == 0 ? RING_FIRST : q->cap * 4;
	struct frame **ring = mem_calloc(cap, sizeof(struct frame *));

	for (uint32_t i = 0; i < q->count; i++)
		ring[i] = *slot(q, i);
	if (q->cap > 0)
		free(q->ring);
	q->ring = ring;
	q->cap = cap;
	q->head = 0;
}

/* What counts against the high mark: all but the one frame that is larger than it. */
static size_t counted(const struct outq *q)
{
	size_t begun = q->count > 0 && frame_at(q, 0)->len == q->big ? q->begun : 0;

	return outq_cost(q) - (q->big > 0 ? q->big - begun + OUTQ_FRAME_COST : 0);
}

static bool admit(struct outq *q, const struct frame *f, size_t high)
{
	size_t cost = (size_t)f->len + OUTQ_FRAME_COST;

	if (f->len == 0)
		die("empty frame queued");
	if (cost > high) {
		if (q->big > 0)
			return false;
		q->big = f->len;
	} else if (counted(q) + cost > high) {
		return false;
	}
	if (q->count == (q->cap == 0 ? OUTQ_INLINE : q->cap))
		grow(q);
	q->bytes += f->len;
	return true;
}

bool outq_push(struct outq *q, struct frame *f, size_t high)
{
	if (!admit(q, f, high))
		return false;
	*slot(q, q->count++) = frame_ref(f);
	return true;
}

bool outq_push_urgent(struct outq *q, struct frame *f, size_t high)
{
	uint32_t at = MAX(q->urgent, q->begun > 0 ? 1U : 0U);

	if (!admit(q, f, high))
		return false;
	for (uint32_t i = q->count; i > at; i--)
		*slot(q, i) = *slot(q, i - 1);
	*slot(q, at) = frame_ref(f);
	q->count++;
	q->urgent = at + 1;
	return true;
}

void outq_cut(struct outq *q)
{
	uint32_t keep = q->begun > 0 ? 1 : 0;

	while (q->count > keep) {
		struct frame *f = *slot(q, --q->count);

		q->bytes -= f->len;
		if (f->len == q->big)
			q->big = 0;
		frame_unref(f);
	}
	q->urgent = MIN(q->urgent, keep);
	if (q->count == 0)
		drop_ring(q);
}

int outq_gather(const struct outq *q, struct iovec *vec, int max)
{
	int n = 0;

	for (uint32_t i = 0; i < q->count && n < max; i++, n++) {
		struct frame *f = frame_at(q, i);
		uint32_t begun = i == 0 ? q->begun : 0;

		vec[n] = (struct iovec){f->data + begun, f->len - begun};
	}
	return n;
}

void outq_written(struct outq *q, size_t n)
{
	if (n > q->bytes)
		die("%zu bytes written of %zu", n, q->bytes);
	q->bytes -= n;
	while (q->count > 0) {
		struct frame *f = *slot(q, 0);

		if (n < f->len - q->begun) {
			q->begun += (uint32_t)n;
			return;
		}
		n -= f->len - q->begun;
		q->begun = 0;
		q->head++;
		if (q->cap > 0)
			q->head &= q->cap - 1;
		q->count--;
		if (q->urgent > 0)
			q->urgent--;
		if (f->len == q->big)
			q->big = 0;
		frame_unref(f);
	}
	drop_ring(q);
}
