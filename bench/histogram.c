#include "bench/histogram.h"

#include "common/base/macros.h"

/* Below 64 each value has its bucket; above, each power of two has 32 of them. */
#define EXACT 64U
#define EXACT_BITS 6U
#define PARTS 32U
#define PART_BITS 5U

static uint32_t bucket_of(uint64_t usec)
{
	uint32_t bits;
	uint32_t at;

	if (usec < EXACT)
		return (uint32_t)usec;
	bits = 63U - (uint32_t)__builtin_clzll(usec);
	at = EXACT + (bits - EXACT_BITS) * PARTS +
	     (uint32_t)(usec >> (bits - PART_BITS) & (PARTS - 1));
	return MIN(at, (uint32_t)HISTOGRAM_BUCKETS - 1);
}

/* The middle of a bucket. */
static uint64_t value_of(uint32_t bucket)
{
	uint32_t bits;
	uint64_t width;

	if (bucket < EXACT)
		return bucket;
	bits = (bucket - EXACT) / PARTS + EXACT_BITS;
	width = 1ULL << (bits - PART_BITS);
	return (1ULL << bits) + (bucket - EXACT) % PARTS * width + width / 2;
}

void histogram_add(struct histogram *h, uint64_t usec)
{
	h->counts[bucket_of(usec)]++;
	h->n++;
	h->max = MAX(h->max, usec);
}

void histogram_merge(struct histogram *h, const struct histogram *other)
{
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		h->counts[i] += other->counts[i];
	h->n += other->n;
	h->max = MAX(h->max, other->max);
}

uint64_t histogram_at(const struct histogram *h, double part)
{
	uint64_t rank = (uint64_t)(part * (double)h->n);
	uint64_t below = 0;

	if (h->n == 0)
		return 0;
	rank = MIN(rank, h->n - 1);
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		below += h->counts[i];
		if (below > rank)
			return MIN(value_of(i), h->max);
	}
	return h->max;
}
