/*
 * GET /up: {"health":"OK"} while this worker serves, 503 {"health":"draining"} when it is about to
 * end. It asks nobody, so it says nothing about the broker; that has its own admin port.
 */
#ifndef WORKER_API_HEALTH_H
#define WORKER_API_HEALTH_H

struct api_call;

void health_serve(const struct api_call *c);

#endif
