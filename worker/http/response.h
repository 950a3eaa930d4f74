/*
 * HTTP answers, built whole into a frame. Pure. No Server header and no version of ours.
 *
 *	struct http_response r = {.status = 200, .content_type = SLICE_INIT("application/json"),
 *				  .body = body, .keep_alive = req->keep_alive};
 *	struct frame *f = http_response_frame(&r);
 *	stream_send(s, f);
 *	frame_unref(f);
 */
#ifndef WORKER_HTTP_RESPONSE_H
#define WORKER_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/frame.h"
#include "common/base/macros.h"
#include "common/base/slice.h"

/* The interim answer to Expect: 100-continue; has no headers. */
#define HTTP_CONTINUE SLICE("HTTP/1.1 100 Continue\r\n\r\n")

struct http_line {
	struct slice name;
	struct slice value;
};

struct http_response {
	unsigned status;	   /* 101 and 204 and 304 get no body and no Content-Length */
	struct slice content_type; /* no such line if empty */
	const struct http_line *lines;
	size_t line_count;
	struct slice body;
	bool keep_alive; /* false: "Connection: close", and the caller closes */
	bool head_only;	 /* the request was HEAD: Content-Length of the body, but no body */
	bool chunked;	 /* the body follows as http_chunk() frames; `body` must be empty */
};

/* The reason phrase; "Unknown" for a status that has none here. */
struct slice http_status_text(unsigned status);

/*
 * A frame with the whole answer; the caller owns one reference. Control bytes in header values
 * become blanks, so that no value can split the answer. Status 101 gets no Connection line of its
 * own (the handshake brings it).
 */
MALLOC_LIKE struct frame *http_response_frame(const struct http_response *r);

/* A short text/plain answer: an error for people. */
MALLOC_LIKE struct frame *http_text_frame(unsigned status, struct slice text, bool keep_alive);

/* One chunk of a chunked answer; an empty one ends it (RFC 9112 section 7.1). */
MALLOC_LIKE struct frame *http_chunk_frame(struct slice bytes);

#endif
