/* Requests to the HTTP API and their answers, as far as load needs them. Pure. */
#ifndef BENCH_HTTP_H
#define BENCH_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/slice.h"

struct hmac_key;

struct http_app {
	struct slice host;
	struct slice id;
	struct slice key;
	struct hmac_key *secret;
};

/* Appends a signed POST /apps/ID/events; `seconds` is the Unix time. */
void http_put_event(struct buf *out, const struct http_app *app, int64_t seconds,
		    struct slice body);

/* Appends POST /api/websocket/chats/CHAT/messages with a bearer token. */
void http_put_message(struct buf *out, struct slice host, struct slice chat, struct slice token,
		      struct slice body);

struct http_answer {
	unsigned status;
	struct slice body;
};

/* False: not whole yet. *ret_n is its length; status 0 = no answer of HTTP. */
bool http_take_answer(struct slice bytes, size_t *ret_n, struct http_answer *ret);

#endif
