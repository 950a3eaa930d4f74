/*
 * Answers in the two shapes of this server: plain text for the HTTP API of the Pusher protocol
 * (its libraries show the body to people), JSON as Laravel's for the chat. Which one an error has
 * follows from the path of the request; answers of the chat also get their CORS lines here.
 *
 * All functions do nothing when the session is gone or was answered.
 */
#ifndef WORKER_API_ANSWER_H
#define WORKER_API_ANSWER_H

#include "worker/worker.h"

struct answer {
	unsigned status;
	unsigned retry_after; /* seconds; 0 = no such line */
	bool text;	      /* the body is plain text, else JSON */
	struct slice body;
	const char *allow; /* of a 405; NULL = no such line */
};

void answer_send(struct worker *w, uint64_t session, const struct answer *a);

/* 200 with a JSON body. */
void answer_json(struct worker *w, uint64_t session, struct slice body);

/* One sentence of ours, in the shape that the path asks for. An empty one: the status' usual. */
void answer_error(struct worker *w, uint64_t session, unsigned status, struct slice text);
void answer_unavailable(struct worker *w, uint64_t session);

/* What the broker said: a JSON body as it is, a sentence in the shape that the path asks for. */
void answer_broker(struct worker *w, uint64_t session, const struct worker_answer *from);

/* The same as a worker_done_fn; the context is not used. */
void answer_on_reply(struct worker *w, uint64_t session, void *ctx, const struct worker_answer *a);

#endif
