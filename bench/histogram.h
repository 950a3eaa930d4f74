/*
 * How long things took: counts of microseconds in buckets of about 3 %, so that processes can be
 * added up and any percentile asked for. Pure, a fixed size, zeroed = empty.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS 1024

struct histogram {
	uint64_t counts[HISTOGRAM_BUCKETS];
	uint64_t n;
	uint64_t max;
};

void histogram_add(struct histogram *h, uint64_t usec);
void histogram_merge(struct histogram *h, const struct histogram *other);

/* The value that `part` of 1.0 of all do not exceed; 0 of an empty one. */
uint64_t histogram_at(const struct histogram *h, double part);

#endif
