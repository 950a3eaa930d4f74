/*
 * HTTP/1.1 requests (RFC 9110, 9112), parsed strictly and resumably: bytes may come in any pieces.
 * Pure: no socket, no clock, no log.
 *
 * The parser copies what it needs, so all slices of a request point into the parser and stay valid
 * until http_parser_reset() or http_parser_free(), whatever happens to the input buffer.
 *
 *	p = http_parser_new(body_max);
 *	switch (http_parse(p, bytes, &used, &fault)) {	// used bytes are done with in every case
 *	case PARSE_DONE: serve(http_request(p)); http_parser_reset(p); ...	// the rest is the
 *next one case PARSE_MORE: if (http_take_continue(p)) send HTTP_CONTINUE; ... case PARSE_BAD:
 *answer fault.http_status with "Connection: close", then close
 *	}
 *
 * Refused, because proxies and servers disagree about it (request smuggling) or because nobody
 *needs it: Content-Length together with Transfer-Encoding, or twice; any Transfer-Encoding but the
 *one word "chunked"; chunk extensions and trailers; folded lines; bare CR or LF; NUL and other
 *control bytes; blanks before the colon; a missing or second Host; targets other than /path; in the
 *path bad %-escapes, %00, text that is not UTF-8, and the segments "." and "..".
 */
#ifndef WORKER_HTTP_REQUEST_H
#define WORKER_HTTP_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/fault.h"
#include "common/base/macros.h"
#include "common/base/slice.h"

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_DELETE,
	HTTP_PATCH,
	HTTP_OPTIONS,
	HTTP_OTHER, /* any other token; no route knows it */
	HTTP_METHODS,
};

/* Where one header line stands in the head. */
struct http_field {
	uint16_t name;
	uint16_t name_n;
	uint16_t value;
	uint16_t value_n;
};

struct http_request {
	enum http_method method;
	struct slice method_name; /* as it was sent */
	struct slice target; /* path and query, as sent (signatures are made over these bytes) */
	struct slice path;   /* raw, begins with '/'; checked as the top comment says */
	struct slice query;  /* raw, without the '?'; empty if there is none */
	struct slice body;   /* complete and unchunked */
	bool http_1_1;	     /* false: HTTP/1.0 */
	bool keep_alive;     /* the client lets the connection stay */
	/* for the functions below */
	const char *head;
	const struct http_field *fields;
	unsigned field_count;
};

/* "GET", …; for HTTP_OTHER "". */
struct slice http_method_text(enum http_method m);

/*
 * The value of a header, blanks trimmed; .p is NULL when there is no such line. Names are compared
 * without regard to case. Lines that must stand alone (Host, Content-Length, Transfer-Encoding,
 * Content-Type, Authorization, Origin, Expect, Sec-WebSocket-Key, Sec-WebSocket-Version) are unique
 * in every request that was parsed; of others this gives the first line.
 */
struct slice http_header(const struct http_request *r, struct slice name);

/* All lines of a name, in order: start with *at = 0; false after the last one. */
bool http_header_next(const struct http_request *r, struct slice name, unsigned *at,
		      struct slice *ret_value);

/* Whether a comma-separated list header (all its lines together) contains a token, any case. */
bool http_header_has(const struct http_request *r, struct slice name, struct slice token);

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

/*
 * Parameters of a query string or of a form body. Names and values are raw: undo the escapes with
 * percent_decode(…, true), and judge a decoded NUL there.
 *
 *	struct slice rest = r->query, name, value;
 *	while (http_param_next(&rest, &name, &value)) ...
 */
bool http_param_next(struct slice *rest, struct slice *ret_name, struct slice *ret_value);

/* Whether a raw name or value decodes to this text. A bad escape equals nothing. */
bool http_param_is(struct slice raw, struct slice text);

/* How many parameters have this (decoded) name; the raw value of the first, .p NULL if none. */
unsigned http_param_find(struct slice params, struct slice name, struct slice *ret_value);

#endif
