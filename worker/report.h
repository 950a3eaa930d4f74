/* What operators see of a worker: told to the broker once a second, when anything has changed. */
#ifndef WORKER_REPORT_H
#define WORKER_REPORT_H

struct worker;

/* For every tick. */
void report_turn(struct worker *w);

#endif
