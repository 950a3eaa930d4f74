/*
 * HTTP/1.1 requests (RFC 9110, 9112), parsed strictly and resumably: bytes may come in any pieces.
 * Pure: no socket, no clock, no log.
 *
 * The parser copies what it needs, so all slices of a request point into the parser and stay valid
 * until http_parser_reset() or http_parser_free(), whatever happens to the input buffer.
 *
 *	p = http_parser_new(body_max);
 *	switch (http_parse(p, bytes, &used, &fault)) {	// used bytes are done with
 *	case PARSE_DONE: // serve http_parser_request(p), http_parser_reset(p), go on with the rest
 *	case PARSE_MORE: // if (http_take_continue(p)) send HTTP_CONTINUE
 *	case PARSE_BAD:  // answer fault.http_status with "Connection: close", then close
 *	}
 *
 * Refused, because proxies and servers disagree about it (request smuggling) or nobody needs it:
 * Content-Length together with Transfer-Encoding, or twice; any Transfer-Encoding but the one word
 * "chunked"; chunk extensions and trailers; folded lines; bare CR or LF; NUL and other control
 * bytes; blanks before the colon; a missing or second Host; targets other than /path; in the path
 * bad %-escapes, %00, text that is not UTF-8, and the segments "." and "..".
 */
#ifndef WORKER_HTTP_PARSER_H
#define WORKER_HTTP_PARSER_H

#include <stdbool.h>

#include "common/base/fault.h"
#include "common/base/macros.h"
#include "common/base/slice.h"
#include "worker/http/request.h"

struct http_parser;

/* body_max: larger bodies are refused with 413, at the head when their length is announced. */
MALLOC_LIKE struct http_parser *http_parser_new(size_t body_max);
/* NULL is allowed. */
void http_parser_free(struct http_parser *p);

/* Forgets the request, ready for the next one of the connection. Gives large memory back. */
void http_parser_reset(struct http_parser *p);

/*
 * Feeds bytes. *ret_used is always set: how many were consumed. After PARSE_DONE the rest belongs
 * to the next request (or to the WebSocket after an upgrade). PARSE_BAD is final: http_status is
 * 400, 413 (body), 414 (request line), 417 (Expect), 431 (headers) or 505 (version), and the
 * connection must be closed after the answer. After PARSE_DONE it must not be called again before
 * http_parser_reset().
 */
MUST_CHECK enum parse http_parse(struct http_parser *p, struct slice in, size_t *ret_used,
				 struct fault *err);

/* The request; complete after PARSE_DONE. After PARSE_MORE only if http_has_head(). */
const struct http_request *http_parser_request(const struct http_parser *p);

/* Whether a byte of a request has come: a connection without one is idle, not slow. */
bool http_has_begun(const struct http_parser *p);

/* Whether the head is complete (for deadlines: the head's is over, the body's runs). */
bool http_has_head(const struct http_parser *p);

/*
 * True once per request, after PARSE_MORE, when the client waits for "100 Continue" before it sends
 * the body (RFC 9110 section 10.1.1).
 */
bool http_take_continue(struct http_parser *p);

/* Bytes of memory held, for the accounts of the connection. */
size_t http_parser_held(const struct http_parser *p);

#endif
