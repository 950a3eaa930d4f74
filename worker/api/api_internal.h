/* What the handlers share. Nobody outside of api/ includes this. */
#ifndef WORKER_API_API_INTERNAL_H
#define WORKER_API_API_INTERNAL_H

#include "worker/http/route.h"
#include "worker/session.h"
#include "worker/worker.h"

/* Numbers of the rows of the route table; those of the chat are API_CHAT + enum wire_chat. */
enum api_endpoint {
	API_HEALTH,
	API_EVENTS,
	API_BATCH_EVENTS,
	API_CHANNELS,
	API_CHANNEL,
	API_CHANNEL_USERS,
	API_CONNECTIONS,
	API_TERMINATE,
	API_CHANNEL_AUTH,
	API_USER_AUTH,
	API_CHAT = 64,
};

/* One request on its way through the handlers; lives during the call. */
struct api_call {
	struct worker *w;
	struct session *s;
	const struct http_request *r;
	struct slice path; /* raw, without the prefix */
	struct http_match match;
	/* /apps: named by the path, and its signature is good. Chat: its application. */
	struct app *app;
};

/* Whether the path belongs to the chat: JSON errors, CORS. */
bool api_is_chat(struct slice path);

/* A question for the broker. */
struct api_question {
	uint8_t kind; /* enum wire_kind */
	bool encoded; /* what wire_encode_x() said */
	uint64_t req;
	struct buf body; /* freed by api_ask() */
	worker_done_fn *done;
	void *ctx;
};

/* Asks it. False: the request has been answered with 503, and ctx is still the caller's. */
bool api_ask(const struct api_call *c, struct api_question *q);

#endif
