/*
 * Which handler a request belongs to: a table of methods and path patterns. Pure.
 *
 *	static const struct http_route routes[] = {
 *		{HTTP_POST, API_EVENTS, SLICE_INIT("/apps/{}/events")},
 *		{HTTP_GET, API_CHANNEL, SLICE_INIT("/apps/{}/channels/{}")},
 *		{HTTP_GET, API_STATIC, SLICE_INIT("/static/{*}")},
 *	};
 *
 * "{}" stands for one segment that is not empty, "{*}" at the end for the rest of the path, slashes
 * included, also empty. Segments are compared raw, so an escaped letter in a fixed segment does not
 * match; captured ones are raw too. The first row that fits wins. A GET row answers HEAD as well.
 */
#ifndef WORKER_HTTP_ROUTE_H
#define WORKER_HTTP_ROUTE_H

#include "worker/http/request.h"

#define HTTP_ROUTE_SEGMENTS 4

struct http_route {
	enum http_method method;
	int id;
	struct slice pattern;
};

enum http_route_result {
	HTTP_ROUTE_FOUND,
	HTTP_ROUTE_NO_PATH,   /* 404 */
	HTTP_ROUTE_NO_METHOD, /* 405 with the Allow line */
};

struct http_match {
	int id; /* of the row */
	unsigned count;
	struct slice segments[HTTP_ROUTE_SEGMENTS]; /* what the patterns captured, raw, in order */
	char allow[64]; /* NO_METHOD: the value of Allow: "GET, HEAD"; NUL-terminated */
};

enum http_route_result http_route_find(const struct http_route *table, size_t n,
				       enum http_method method, struct slice path,
				       struct http_match *ret);

#endif
