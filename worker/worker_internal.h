/* What the files of the worker and its sessions share. Nobody else includes this. */
#ifndef WORKER_WORKER_INTERNAL_H
#define WORKER_WORKER_INTERNAL_H

#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/log/log.h"
#include "worker/edge/listener.h"
#include "worker/edge/stream.h"
#include "worker/hub/channel.h"
#include "worker/proxy.h"
#include "worker/session_table.h"
#include "worker/texts.h"
#include "worker/wheel.h"
#include "worker/worker.h"
#include "worker/ws/message.h"

struct event;
struct link;
struct loop;
struct control;
struct departed;
struct http_request;
struct session;
struct session_socket;

TAILQ_HEAD(session_sockets, session_socket);

enum worker_broker {
	BROKER_AWAY,	/* never welcomed, or the lane is down */
	BROKER_SYNCING, /* there, and being told our state */
	BROKER_UP,
};

/* How far a new broker has been told. */
enum worker_sync { SYNC_NONE, SYNC_BEGINS, SYNC_RUNS };

/* Counters of the worker; only ever grow. */
struct worker_counts {
	uint64_t accepted;
	uint64_t slow;	   /* closed with 4100 for their queue */
	uint64_t silent;   /* closed with 4201 */
	uint64_t refused;  /* at connect */
	uint64_t dropped;  /* droppable events not queued */
	uint64_t events;   /* EVENT records */
	uint64_t repeated; /* of them dropped as had before */
};

struct worker {
	const struct conf *conf;
	struct loop *loop;
	struct link *link;
	struct streams *streams;
	/* api_handle(): takes a request that is no upgrade */
	void (*serve)(struct worker *w, struct session *s, const struct http_request *r);
	struct control *control;
	struct api *api;
	struct apps *apps;
	struct app *chat_app;
	char *chat_app_id;
	struct hub *hub;
	struct wheel *wheel;
	struct questions *questions; /* of the HTTP handlers, with their publishes */
	struct seen *seen;	     /* publishes that have been delivered */
	struct departed *departed;   /* whose end not all may have been told of */
	struct proxies *proxies;
	struct addresses *addresses;
	struct texts texts; /* names of client libraries */
	struct listener **listeners;
	unsigned listener_count;
	struct event *tick;
	struct event *again; /* more to tell the broker in the next turn */
	struct event *signals[2];
	struct buf late; /* records that the lane had no room for: see worker_send_surely() */

	struct session_table sessions;
	struct session_sockets open;	/* established, oldest first */
	struct session_sockets held;	/* wait for the apps */
	struct session_socket *sync_at; /* the next one to tell a new broker about */

	enum worker_broker broker;
	enum worker_sync sync;
	bool welcomed;
	bool draining;
	uint32_t brokers;     /* that have been there */
	uint32_t reported_to; /* which of them was told what stands in `reported` */
	struct buf reported;
	usec_t report_at;
	uint32_t number;      /* of this worker; 0 before the first welcome */
	uint32_t apps_wanted; /* still to come after WORKER_INFO */
	uint64_t conn_counter;
	uint64_t id_counter;
	uint32_t sockets;
	uint32_t websockets;
	uint32_t sockets_max;
	size_t waiting_bytes; /* commands of clients that wait */
	uint64_t drained;     /* connections that may have been sent away so far */
	usec_t drain_from;
	usec_t drain_end;

	struct buf out;	    /* the message being encoded */
	struct buf record;  /* the record being encoded */
	struct buf scratch; /* strings of the message being decoded */
	struct buf member;  /* strings of its channel_data */
	struct ws_limits ws_limits;
	struct log_limit log_connected;
	struct log_limit log_closed;
	struct log_limit log_full;
	struct worker_counts counts;
};

/* Whether records may be sent; during a resync only about what has been told already. */
static inline bool worker_up(const struct worker *w)
{
	return w->broker == BROKER_UP;
}

/* ---- outbox.c ---- */

/* Sends what had no room before, in its order; false when there still is none. */
bool outbox_flush(struct worker *w);

/*
 * Sends w->record on the lane and clears it. False: the broker is away or the lane is full; the
 * caller tries again later or gives up.
 */
bool worker_send(struct worker *w, uint8_t kind);
/* The same for what wire_encode_x() has just said; false also when that did not fit. */
static inline bool worker_send_encoded(struct worker *w, bool encoded, uint8_t kind)
{
	if (encoded)
		return worker_send(w, kind);
	buf_clear(&w->record);
	return false;
}
/* For what must arrive if the broker of today is to know the truth: closes, unsubscribes. */
void worker_send_surely(struct worker *w, uint8_t kind);

/* Whether a line that clients cause is to be written now; each event has a limit of its own. */
bool worker_may_log(struct worker *w, struct log_limit *limit, const char *event);

/* Empties w->out; a large one is given back. */
void worker_out_done(struct worker *w);

/* All sessions that wait for the broker may go on. */
void worker_release(struct worker *w);
/* The applications are known: handshakes that were held are judged. */
void worker_release_held(struct worker *w);

/* An operator's wish (WIRE_ORDER), which is the supervisor's to fulfil. */
void worker_order(struct worker *w, uint8_t what);

/* Which application the chat belongs to, by id; it may be told later than its name. */
void worker_set_chat_app(struct worker *w, struct slice id);
void worker_find_chat_app(struct worker *w);

/* ---- drain.c ---- */

/* Stops accepting and sends the clients away, drain_rate of them a second; then the loop ends. */
void drain_begin(struct worker *w, bool orphan);
/* The same, all at once: the broker has given this worker up, or the supervisor wants the end. */
void drain_now(struct worker *w);
/* One step; for every tick. */
void drain_step(struct worker *w);

#endif
