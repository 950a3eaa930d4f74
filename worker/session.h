/*
 * One client socket from accept to its end: HTTP requests, or after an upgrade the Pusher protocol.
 * The joint of edge, http, ws, pusher, hub and link; README.md draws its states.
 *
 * Everybody else knows a session by its id, a number that is never used again in this process: an
 * answer that comes late finds no session and is dropped.
 *
 * HTTP: api_handle() is called with one request. The session reads no further until it is answered
 * with session_respond(), in the call or later, exactly once; so requests on one connection are
 * served in order. The request's slices are valid until then.
 */
#ifndef WORKER_SESSION_H
#define WORKER_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/slice.h"
#include "worker/http/request.h"
#include "worker/http/response.h"

struct session;
struct worker;

uint64_t session_id(const struct session *s);

/* NULL when it has ended (or is ending). */
struct session *session_find(struct worker *w, uint64_t id);

/*
 * Answers the request that is being served. r->keep_alive = false closes the connection after it;
 * true leaves it to what the client asked for. r->head_only is set here. Nothing happens when the
 * session is gone or was answered.
 */
void session_respond(struct worker *w, uint64_t id, const struct http_response *r);

/* The client: address without port ("192.0.2.7", behind a trusted proxy the forwarded one). */
struct slice session_address(const struct session *s);

/* The request being served; NULL if there is none. */
const struct http_request *session_request(const struct session *s);

/* Its path without the configured prefix ([worker] path_prefix): what routes and signatures see. */
struct slice session_path(const struct session *s);

/* Whether the client came by TLS, by a listener of ours or a trusted proxy's word. */
bool session_is_secure(const struct session *s);

#endif
