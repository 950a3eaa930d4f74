/*
 * Pages of other origins that call the chat (Fetch standard, "CORS protocol"). Which origins may is
 * the application's cors_origins; by default none, so only pages of the same origin. No answer
 * allows credentials: the chat knows bearer tokens only, nothing that a browser adds by itself.
 */
#ifndef WORKER_API_CORS_H
#define WORKER_API_CORS_H

#include "worker/http/request.h"
#include "worker/http/response.h"

struct api_call;
struct app;

/* What cors_lines() adds at the most. */
#define CORS_LINES 3

/* Lines of an answer to this request; returns their number. app: of the chat, NULL = none. */
size_t cors_lines(const struct app *app, const struct http_request *r,
		  struct http_line lines[CORS_LINES]);

/* Answers OPTIONS. allow: the methods of the path, as "GET, HEAD". */
void cors_preflight(const struct api_call *c, const char *allow);

#endif
