/* What the files of the dispatcher share. Nobody else includes this. */
#ifndef BROKER_DISPATCH_INTERNAL_H
#define BROKER_DISPATCH_INTERNAL_H

#include "broker/apps.h"
#include "broker/dispatch.h"
#include "broker/early.h"
#include "broker/hold.h"
#include "broker/origins.h"
#include "broker/stable.h"
#include "common/base/buf.h"
#include "common/base/map.h"
#include "common/wire/wire.h"

/* Of events that SQL published: an origin that is no worker. Their numbers are outbox ids. */
#define ORIGIN_OUTBOX UINT64_MAX

/* A worker, from its welcome until its end has been told to the registry. */
struct peer {
	UT_hash_handle hh;
	uint32_t number;
	struct lane *lane; /* NULL: gone, but its last records still wait in the hold */
	struct stable_queue acks;
	uint64_t newest; /* connection that it has told of */
	bool synced;	 /* has told its state; until then it is told no lists of members */
	struct wire_worker_state state; /* as it told last */
};

/* The subscription that is being made, for the op that answers it. */
struct joining {
	bool cache; /* replay the last event, or say that there is none */
	uint32_t app;
};

struct dispatch {
	struct dispatch_options options;
	struct dispatch_parts parts;
	struct moment now; /* of the call from outside that is being handled */
	bool open;
	bool stopped;
	usec_t open_at; /* at the latest */
	struct hold hold;
	struct early early;
	struct peer *peers;
	struct origins *origins;
	struct stable *stable;
	struct watchlist *watchlist;
	struct joining joining;
	struct buf record; /* being encoded */
	struct buf body;   /* JSON of an answer */
	struct dispatch_counts counts;
};

/* ---- dispatch.c ---- */

/* Every call from outside begins with it: the time, and a look at the deadlines afterwards. */
void dispatch_enter(struct dispatch *d);

/* NULL: no such worker. */
struct peer *dispatch_peer(const struct dispatch *d, uint32_t number);

/*
 * Sends d->record and clears it. `encoded` is what the encoder said; what did not fit is logged and
 * lost, which only a fault of ours can cause. A peer that is NULL or gone takes nothing.
 */
void dispatch_send(struct dispatch *d, struct peer *peer, uint8_t kind, bool encoded);

/* The worker that holds a connection; NULL: none. */
struct peer *dispatch_peer_of(const struct dispatch *d, uint64_t conn);

/* Empties d->body; a large one is given back. */
void dispatch_body_done(struct dispatch *d);

static inline bool dispatch_is_chat_app(const struct dispatch *d, uint32_t app)
{
	return app == apps_chat(d->options.apps);
}

/* The configuration of an application; NULL: unknown or gone. */
static inline const struct conf_app *dispatch_app(const struct dispatch *d, uint32_t index)
{
	const struct app *app = apps_at(d->options.apps, index);

	return app != NULL ? app->conf : NULL;
}

/* pusher:error for one connection. */
void dispatch_error(struct dispatch *d, struct peer *p, uint64_t conn, int64_t code,
		    struct slice message);

/* ---- dispatch_event.c ---- */

/* No event of this is awaited. */
#define UNTRACKED UINT32_MAX

/*
 * Sends an event to each worker that has subscribers of its channel; `track`: of stable_begin(),
 * or UNTRACKED.
 */
void dispatch_event(struct dispatch *d, const struct wire_event *e, uint32_t track);

/* The connection that a socket id ("123.456") speaks of, known or not; 0 = it is none. */
uint64_t dispatch_conn_of(struct slice socket_id);
/* The same if it is one of an application, and all of the socket id is right; 0 = none. */
uint64_t dispatch_find_conn(const struct dispatch *d, uint32_t app, struct slice socket_id);

void dispatch_on_stable(void *ctx, uint64_t origin, uint64_t number);

/* ---- handlers of records, by file ---- */

/* dispatch_conn.c */
void dispatch_conn_open(struct dispatch *d, struct peer *p, const struct wire_conn_open *m);
void dispatch_conn_close(struct dispatch *d, struct peer *p, const struct wire_conn_close *m);
void dispatch_conn_gone(struct dispatch *d, struct peer *p, const struct wire_conn_gone *m);
void dispatch_note_again(struct dispatch *d, struct peer *p, const struct wire_note_again *m);
void dispatch_subscribe(struct dispatch *d, struct peer *p, const struct wire_subscribe *m);
void dispatch_unsubscribe(struct dispatch *d, struct peer *p, const struct wire_unsubscribe *m);
void dispatch_worker_gone(struct dispatch *d, struct peer *p);

/* Leaves a note with the worker of a connection. */
void dispatch_note(struct dispatch *d, uint64_t conn, struct slice key, struct slice value);
/* The same of whom it was identified as, unless it `was` identified before. */
void dispatch_note_user(struct dispatch *d, uint64_t conn, bool was);

/* dispatch_presence.c */
void dispatch_members_again(struct dispatch *d, struct peer *p, const struct wire_members_again *m);
/* Ops of the registry. */
void dispatch_members(void *ctx, uint32_t worker, uint32_t app, struct slice channel);
void dispatch_member(void *ctx, const struct registry_change *change);
/* Tells a worker the members of all channels in which it has subscriptions; NULL = each of them. */
void dispatch_all_members(struct dispatch *d, const struct peer *p);

/* dispatch_event.c */
void dispatch_client_event(struct dispatch *d, struct peer *p, const struct wire_client_event *m);
void dispatch_publish(struct dispatch *d, struct peer *p, const struct wire_publish *m);

/* dispatch_user.c */
void dispatch_signin(struct dispatch *d, struct peer *p, const struct wire_signin *m);
extern const struct watchlist_ops dispatch_watchlist_ops;

/* dispatch_query.c */
void dispatch_query(struct dispatch *d, struct peer *p, const struct wire_query *m);
void dispatch_terminate(struct dispatch *d, struct peer *p, const struct wire_terminate *m);
/* The answer to a publish in d->body: "{}", or what was asked of each channel. */
void dispatch_publish_body(struct dispatch *d, uint32_t app, struct slice channels, uint8_t info);

/* dispatch_chat.c */
void dispatch_authorize(struct dispatch *d, struct peer *p, const struct wire_authorize *m);
/* A connection has come, or will not come any more, of which requests have spoken. */
void dispatch_early(struct dispatch *d, uint64_t conn);
void dispatch_early_turn(struct dispatch *d);
void dispatch_chat_call(struct dispatch *d, struct peer *p, const struct wire_chat_call *m);

#endif
