/* The modes: how each one's plan looks before options change it. */
#ifndef BENCH_MODES_H
#define BENCH_MODES_H

#include "bench/plan.h"

struct mode {
	const char *name;
	const char *help;
	enum plan_shape shape;
	struct part parts[PLAN_PARTS];
};

/* NULL: there is none. */
const struct mode *mode_find(const char *name);
/* The i-th, NULL behind the last. */
const struct mode *mode_at(size_t i);

#endif
