/*
 * The HTTP side of the worker: everything that is no WebSocket. One table (api.c) says which
 * method and path belong to which handler:
 *
 *	/up                  health
 *	/apps/...            HTTP API of the Pusher protocol: signed, errors in plain text
 *	/broadcasting/...    authorisation of channels and users: bearer token, errors as Laravel's
 *	/api/websocket/...   the chat: the same
 *	anything else        static files of [worker] web_root
 *
 * A handler answers in its call, or asks the broker (worker_ask(), worker_publish()) and answers
 * when that has answered. Requests that need the applications wait while these are not known.
 */
#ifndef WORKER_API_API_H
#define WORKER_API_API_H

#include "common/base/clock.h"
#include "common/base/macros.h"
#include "worker/http/request.h"

struct api;
struct conf;
struct session;
struct worker;

/* Reads the static files. Never fails: what cannot be read is logged and not served. */
MALLOC_LIKE struct api *api_new(const struct conf *conf);
/* NULL is allowed. */
void api_free(struct api *a);

/* Takes a request that is no upgrade; it is answered exactly once, now or later. */
void api_handle(struct worker *w, struct session *s, const struct http_request *r);

/* The applications are known now: requests that waited for them are served. */
void api_release(struct worker *w);
/* Those that have waited for broker_wait get 503; for every tick. */
void api_turn(struct worker *w, usec_t now);

#endif
