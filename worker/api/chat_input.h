/*
 * Input of the chat's API → the fields of a CHAT_CALL. A table says which fields each route has in
 * its path, its query and its JSON body, and what is right for them. Pure.
 *
 *	struct chat_input in;
 *	chat_input_init(&in);
 *	if (!chat_input_read(&in, &request, conf)) ...	// 400: the body is no JSON object
 *	else if (in.invalid.n > 0) ...			// 422
 *	else ... in.call
 *	chat_input_done(&in);
 */
#ifndef WORKER_API_CHAT_INPUT_H
#define WORKER_API_CHAT_INPUT_H

#include "common/conf/conf.h"
#include "common/wire/wire.h"
#include "worker/api/invalid.h"

/* Ids of chats and messages are below 2^53: what JavaScript counts exactly. */
#define CHAT_ID_MAX ((1ULL << 53) - 1)
/* Rows of one page. */
#define CHAT_PAGE 50
#define CHAT_PAGE_MAX 200

struct chat_request {
	enum wire_chat route;
	const struct slice *segments; /* what the path captured, raw */
	struct slice query;
	struct slice body;
};

struct chat_input {
	struct wire_chat_call call; /* what the route has, the rest empty */
	struct invalid invalid;
	struct buf texts;
	struct buf ids;
};

void chat_input_init(struct chat_input *in);
void chat_input_done(struct chat_input *in);

/* False: the body is no JSON object. Slices live until chat_input_done(), and the request's. */
MUST_CHECK bool chat_input_read(struct chat_input *in, const struct chat_request *from,
				const struct conf *conf);

#endif
