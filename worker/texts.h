/*
 * Texts that many connections have in common, such as the name of their client library: each is
 * stored once, for as long as somebody holds it. Pure.
 */
#ifndef WORKER_TEXTS_H
#define WORKER_TEXTS_H

#include "common/base/slice.h"

struct text;

/* Zeroed = empty; needs no end once all texts have been dropped. */
struct texts {
	struct text *table;
};

/* The holder drops it once. */
struct text *texts_take(struct texts *t, struct slice s);
/* NULL is allowed. */
void texts_drop(struct texts *t, struct text *text);

struct slice text_slice(const struct text *text);

#endif
