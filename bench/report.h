/* What a run has shown: a page for people, or one JSON object for programs. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdio.h>

#include "bench/run.h"

void report_text(const struct plan *plan, const struct servers *servers, const struct outcome *o);
void report_json(FILE *to, const struct plan *plan, const struct servers *servers,
		 const struct outcome *o);

/* Whether all that was sent came, once and in its order, and all was told. */
bool report_is_good(const struct outcome *o);

#endif
