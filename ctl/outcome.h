/*
 * What a command did to each of the things that it was given, or found out about them: for people a
 * line each, with --json one array of {"what":"7","result":"removed"} on standard output, complete
 * whatever happened. What went wrong is also said on standard error, there and here.
 *
 *	struct outcome o;
 *
 *	outcome_begin(&o, args->json, true);
 *	outcome_add(&o, "002_indexes.sql", "applied");
 *	outcome_end(&o);
 */
#ifndef CTL_OUTCOME_H
#define CTL_OUTCOME_H

#include <stdbool.h>

#include "common/base/macros.h"

struct outcome {
	bool json;
	bool told; /* people are told what went well, too */
	bool any;
};

enum finding {
	FINDING_RIGHT,
	FINDING_WARNING, /* it works, but not as it is meant to */
	FINDING_WRONG,
};

void outcome_begin(struct outcome *o, bool json, bool told);
void outcome_end(struct outcome *o);

/* Texts are UTF-8. "007_mapped.sql applied" for people. */
void outcome_add(struct outcome *o, const char *what, const char *result);

/* Of a check: for people the text alone, on standard error unless it is FINDING_RIGHT. */
void outcome_find(struct outcome *o, const char *what, enum finding finding, const char *fmt, ...)
	PRINTF(4, 5);

#endif
