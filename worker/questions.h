/*
 * What HTTP handlers ask the broker and publish through it, until it is answered: see worker.h for
 * the promises. The broker may be away meanwhile, or be another one when it comes back.
 */
#ifndef WORKER_QUESTIONS_H
#define WORKER_QUESTIONS_H

#include "worker/worker.h"

struct questions;
struct wire_published;

MALLOC_LIKE struct questions *questions_new(void);
/* Answers all that wait with 503. NULL is allowed. */
void questions_free(struct questions *q, struct worker *w);

/* A new broker has been told our state: unconfirmed publishes go out again, then what waits. */
void questions_again(struct worker *w);
/* The same broker is back: what waits is sent. */
void questions_go_on(struct worker *w);
/* Those that have waited too long are answered with 503; for every tick. */
void questions_turn(struct worker *w, usec_t now);

struct questions_stats {
	uint32_t waiting;     /* for an answer */
	uint32_t unstable;    /* publishes that were answered, and not yet called stable */
	size_t bytes;	      /* of both */
	uint64_t unavailable; /* answered with 503, for want of room too; only ever grows */
};

void questions_stats(const struct questions *q, struct questions_stats *ret);

/* From the broker. */
void questions_answered(struct worker *w, uint64_t req, const struct worker_answer *a);
void questions_published(struct worker *w, const struct wire_published *m);
void questions_stable(struct worker *w, uint64_t number);

#endif
