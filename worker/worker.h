/*
 * One worker process: what its parts share, and the recipe of its life (worker_run()).
 *
 * For the HTTP handlers: the configuration, the applications, and two ways to the broker that
 * survive its absence.
 *
 *	struct wire_query q = {.req = worker_new_req(w), ...};
 *	struct buf body;			// wire_encode_query(&body, &q)
 *	struct worker_ask ask = {.req = q.req, .kind = WIRE_QUERY, .body = buf_slice(&body),
 *				 .session = session_id(s), .done = on_reply, .ctx = mine};
 *	if (!worker_ask(w, &ask)) ...		// 503
 *
 * The answer comes exactly once to each accepted question or publish, also when it is a refusal
 * after broker_wait: status 503 with retry_after. While the broker is away or being told our state,
 * questions wait, in order.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/macros.h"
#include "common/base/slice.h"
#include "common/conf/conf.h"
#include "common/wire/wire.h"
#include "worker/hub/app.h"

struct api;
struct worker;
struct worker_start;

/* The answer of the broker: REPLY, AUTHORIZED or PUBLISHED. */
struct worker_answer {
	unsigned status;
	unsigned retry_after; /* seconds; 0 = no such line */
	struct slice body;
	const struct wire_authorized *authorized; /* of an AUTHORIZE with status 200, else NULL */
};

/* `session` is what was given with the question; it may be gone. ctx is the handler's to free. */
typedef void worker_done_fn(struct worker *w, uint64_t session, void *ctx,
			    const struct worker_answer *a);

struct worker_ask {
	uint64_t req;
	uint8_t kind; /* enum wire_kind: a record with a `req` */
	struct slice body;
	uint64_t session;
	worker_done_fn *done;
	void *ctx;
};

/* A number for the `req` of a record. */
uint64_t worker_new_req(struct worker *w);

/*
 * Asks the broker; copies the body. False: too much waits already, done() is not called, and the
 * handler answers 503 with Retry-After.
 */
MUST_CHECK bool worker_ask(struct worker *w, const struct worker_ask *ask);

/*
 * Publishes an event; p->origin, number and resent are filled in here. Kept until the broker calls
 * it stable, and told again to a new broker. Returns and calls done() as worker_ask().
 */
MUST_CHECK bool worker_publish(struct worker *w, struct wire_publish *p, uint64_t session,
			       worker_done_fn *done, void *ctx);

const struct conf *worker_conf(const struct worker *w);
struct apps *worker_apps(const struct worker *w);
/* What the HTTP handlers keep between requests. */
struct api *worker_api(const struct worker *w);
/* The application of the chat; NULL before the first welcome or when there is none. */
struct app *worker_chat_app(const struct worker *w);

/* The time when this turn of the loop began. */
usec_t worker_now(const struct worker *w);

/* Welcomed once: apps are known. Before it every question about them waits or is a 503. */
bool worker_is_welcomed(const struct worker *w);
/* The broker is there and knows our state. */
bool worker_is_up(const struct worker *w);
/* Client sockets, WebSockets among them. */
uint32_t worker_sockets(const struct worker *w);
uint32_t worker_websockets(const struct worker *w);

/* The life of a child of the supervisor. Returns the exit status. conf must outlive it. */
MUST_CHECK int worker_run(const struct worker_start *start, const struct conf *conf);

#endif
