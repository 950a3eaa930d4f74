/*
 * POST /apps/{id}/events and /batch_events: what backends publish. Everything is validated before
 * anything is published. The answer comes when the broker has given each event its place in the
 * order: what was sent after it comes after it everywhere.
 */
#ifndef WORKER_API_EVENTS_H
#define WORKER_API_EVENTS_H

struct api_call;

void events_serve(const struct api_call *c);
void events_serve_batch(const struct api_call *c);

#endif
