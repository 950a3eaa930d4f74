/*
 * What HTTP handlers ask the broker and publish through it, until it is answered: see worker.h for
 * the promises. The broker may be away meanwhile, or be another one when it comes back.
 */
#ifndef WORKER_QUESTIONS_H
#define WORKER_QUESTIONS_H

#include "worker/worker.h"

struct questions;

/* A new broker has been told our state: unconfirmed publishes go out again, then what waits. */
void questions_again(struct worker *w);

#endif
