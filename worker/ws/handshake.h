/*
 * The opening handshake of RFC 6455, server side (sections 4.2.1 and 4.2.2). Pure.
 * No subprotocol and no extension is ever chosen.
 */
#ifndef WORKER_WS_HANDSHAKE_H
#define WORKER_WS_HANDSHAKE_H

#include <stdbool.h>

#include "common/base/fault.h"
#include "common/base/frame.h"
#include "worker/http/request.h"

/* Whether the request asks for a WebSocket at all: Upgrade contains the token "websocket". */
bool ws_is_upgrade(const struct http_request *r);

/*
 * Judges the upgrade. False: *err has http_status 426 (not an upgrade, other method, HTTP/1.0,
 * other version: ws_refusal_frame() adds Sec-WebSocket-Version: 13) or 400 (bad key, a body), and a
 * text.
 */
bool ws_handshake_check(const struct http_request *r, struct fault *err);

/* The 101 answer to a request that ws_handshake_check() accepted. */
MALLOC_LIKE struct frame *ws_accept_frame(const struct http_request *r);

/* The refusal as an HTTP answer with "Connection: close". */
MALLOC_LIKE struct frame *ws_refusal_frame(const struct fault *f);

/* Sec-WebSocket-Accept: 28 characters and a NUL. */
void ws_accept_key(struct slice key, char ret_accept[29]);

#endif
