/* Median and spread of the rounds of a run. Pure. */
#ifndef BENCH_SUMMARY_H
#define BENCH_SUMMARY_H

#include "bench/run.h"

struct summary {
	double median;
	double min;
	double max;
};

typedef double summary_fn(const struct span *s);

struct summary summary_of(const struct outcome *o, summary_fn *fn);

/* a / b, 0 where there is no b. */
double summary_ratio(double a, double b);

/* For summary_of(). */
double summary_sent_rate(const struct span *s);
double summary_sent_per_cpu(const struct span *s);
double summary_delivered_rate(const struct span *s);
double summary_delivered_per_cpu(const struct span *s);
double summary_server_cores(const struct span *s);

#endif
