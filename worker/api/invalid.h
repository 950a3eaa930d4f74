/*
 * Wrong input in Laravel's form: 422 {"message":"The body field is required. (and 1 more error)",
 * "errors":{"body":["The body field is required."],...}}. Each field is named once, with its first
 * fault.
 */
#ifndef WORKER_API_INVALID_H
#define WORKER_API_INVALID_H

#include "worker/worker.h"

#define INVALID_FIELDS 16

struct invalid {
	struct slice fields[INVALID_FIELDS]; /* of the caller's, which must live as long */
	const char *rules[INVALID_FIELDS];
	size_t n;
	struct buf body;
	struct buf texts; /* of rules that hold numbers */
};

void invalid_init(struct invalid *v);
void invalid_done(struct invalid *v);

/* "The reply to field must be an integer.": rule is what follows "The reply to field ". */
void invalid_add(struct invalid *v, struct slice field, const char *rule);
void invalid_required(struct invalid *v, struct slice field);
/* "must not be greater than 255 bytes." */
void invalid_too_long(struct invalid *v, struct slice field, uint64_t bytes);

/* The body of the answer; lives until invalid_done(). */
struct slice invalid_body(struct invalid *v);

void invalid_answer(struct invalid *v, struct worker *w, uint64_t session);

#endif
