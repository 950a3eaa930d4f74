/*
 * GET /api/websocket/connection-info: what a front end gives to new Echo({...}). The broker says
 * who the bearer is; where to connect is known here: [chat] public_url, else what the request
 * itself was sent to.
 */
#ifndef WORKER_API_CONNECTION_INFO_H
#define WORKER_API_CONNECTION_INFO_H

#include "worker/worker.h"

/* Where clients connect. */
struct connection_place {
	struct slice host; /* with the brackets of an IPv6 address */
	uint16_t ws_port;
	uint16_t wss_port;
	bool tls;
	struct slice path; /* "" or "/ws" */
};

/*
 * From a URL (http, https, ws or wss) if that is not empty, else from a Host line. `path` is the
 * configured prefix, for a URL without one. False: the URL is none.
 */
MUST_CHECK bool connection_place_read(struct slice url, struct slice host, bool secure,
				      struct slice path, struct connection_place *ret);

/* A worker_done_fn: a 200 of the broker has the user object as its body. */
void connection_info_on_reply(struct worker *w, uint64_t session, void *ctx,
			      const struct worker_answer *a);

#endif
