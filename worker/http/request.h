/*
 * One HTTP/1.1 request as parser.h delivers it, and look-ups in it. Pure. All slices point into the
 * parser and stay valid until it is reset or freed. Parameters are read with param.h.
 */
#ifndef WORKER_HTTP_REQUEST_H
#define WORKER_HTTP_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

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

#endif
