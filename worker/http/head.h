/*
 * The rules for a head as a whole, once its lines are cut: which lines may stand only once, how the
 * body is delimited, whether the connection stays. Pure; for parser.c.
 */
#ifndef WORKER_HTTP_HEAD_H
#define WORKER_HTTP_HEAD_H

#include "common/base/fault.h"
#include "worker/http/request.h"

/* How the body is delimited (RFC 9112 section 6). */
struct http_framing {
	uint64_t length; /* of Content-Length; 0 if there is none */
	bool chunked;
	bool expects; /* Expect: 100-continue */
};

/*
 * Judges the head; sets r->path, r->query and r->keep_alive. method_name, target, http_1_1 and the
 * fields must be set. False: the fault has the status.
 */
bool http_head_judge(struct http_request *r, size_t body_max, struct http_framing *ret,
		     struct fault *err);

#endif
