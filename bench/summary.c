#include "bench/summary.h"

#include <stdlib.h>

double summary_ratio(double a, double b)
{
	return b > 0 ? a / b : 0;
}

static double count(const struct span *s, enum count which)
{
	return (double)s->counts[which];
}

double summary_sent_rate(const struct span *s)
{
	return summary_ratio(count(s, COUNT_SENT) - count(s, COUNT_REFUSED), s->seconds);
}

double summary_sent_per_cpu(const struct span *s)
{
	return summary_ratio(count(s, COUNT_SENT) - count(s, COUNT_REFUSED), s->server_cpu);
}

double summary_delivered_rate(const struct span *s)
{
	return summary_ratio(count(s, COUNT_DELIVERED), s->seconds);
}

double summary_delivered_per_cpu(const struct span *s)
{
	return summary_ratio(count(s, COUNT_DELIVERED), s->server_cpu);
}

double summary_server_cores(const struct span *s)
{
	return summary_ratio(s->server_cpu, s->seconds);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return x < y ? -1 : x > y;
}

struct summary summary_of(const struct outcome *o, summary_fn *fn)
{
	double v[PLAN_ROUNDS];
	uint32_t n = o->round_count;

	if (n == 0)
		return (struct summary){0};
	for (uint32_t i = 0; i < n; i++)
		v[i] = fn(&o->rounds[i]);
	qsort(v, n, sizeof(v[0]), compare);
	return (struct summary){
		.median = (v[(n - 1) / 2] + v[n / 2]) / 2,
		.min = v[0],
		.max = v[n - 1],
	};
}
