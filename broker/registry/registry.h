/*
 * The truth about connections, channels, members and users, in memory. Pure: no socket, no clock,
 * no SQL; time is a parameter and everything that follows from a change leaves through the ops, in
 * the order in which the world must hear of it.
 *
 *	reg = registry_new(&options, &ops, ctx);
 *	registry_open(reg, now, &conn);
 *	registry_subscribe(reg, now, &request);		// ops: member (added), then subscribed
 *... registry_close(reg, now, conn);			// members stay for the grace
 *	registry_turn(reg, now);			// at registry_deadline() or later
 *
 * A channel exists while somebody is subscribed, or while a member's grace lasts. It is occupied
 * only by real subscriptions. A member is a user, however many of their connections subscribe.
 *
 * User of a connection: whom it was first identified as, for the rest of its life. A user with an
 * identified connection is online, and stays so for offline_grace after the last one has gone.
 *
 * Ops are called from inside the calls below and must not call back into a function that changes
 * the registry. Slices given to them live during the call.
 */
#ifndef BROKER_REGISTRY_REGISTRY_H
#define BROKER_REGISTRY_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/macros.h"
#include "common/base/slice.h"

struct registry;

/* One moment on both clocks. */
struct moment {
	usec_t mono;
	wall_us_t wall;
};

struct registry_options {
	usec_t presence_grace;	    /* a member whose last connection vanished stays that long */
	usec_t offline_grace;	    /* the same for who is online */
	uint32_t max_members;	    /* of one presence channel; 0 = no limit */
	uint32_t member_events_max; /* with more members joins and leaves are silent; 0 = never */
};

/* ---- rows, for ops and queries ---- */

struct registry_conn {
	uint64_t conn; /* first number of the socket id */
	uint32_t worker;
	uint32_t app;
	struct slice socket_id;
	struct slice user_id; /* identified as; empty = nobody */
	struct slice address;
	struct slice agent;
	wall_us_t opened_at;
};

struct registry_sub {
	uint64_t conn;
	uint32_t worker;
	uint32_t app;
	struct slice channel;
	struct slice user_id;	/* presence: the member; else who the connection is, or empty */
	struct slice user_info; /* presence: JSON text; empty = none */
	wall_us_t joined_at;
};

struct registry_user {
	uint32_t app;
	struct slice user_id;
	uint32_t connections; /* 0 during the grace */
	wall_us_t online_since;
	wall_us_t changed_at;
	wall_us_t last_seen; /* when the last connection went; 0 while there is one */
};

struct registry_change; /* presence.h */

struct registry_ops {
	/*
	 * The subscription stands: the success frame goes out now, before any event, with the
	 * members that the worker has been told. Not told for a resync.
	 */
	void (*subscribed)(void *ctx, uint64_t conn, uint32_t worker, struct slice channel);
	/* It is the worker's first of this presence channel: registry_members(). Not for a resync.
	 */
	void (*members)(void *ctx, uint32_t worker, uint32_t app, struct slice channel);
	/* For each worker that has subscriptions of the channel already. */
	void (*member)(void *ctx, const struct registry_change *change);
	/* subscription_count, for all subscribers. */
	void (*event)(void *ctx, uint32_t app, struct slice channel, struct slice event,
		      struct slice data);
	/*
	 * The member is out and its removal told: nobody need remember any more that this
	 * connection, which was the last one of that member, had been there. Not of those that
	 * were recalled.
	 */
	void (*settled)(void *ctx, uint64_t conn, struct slice channel);
	/* The last subscription of a user to a presence channel ended, before any grace. */
	void (*left)(void *ctx, uint32_t app, struct slice user_id, struct slice channel);
	/* First identified connection; after offline_grace; the last connection, before any grace
	 */
	void (*user_online)(void *ctx, uint32_t app, struct slice user_id);
	void (*user_offline)(void *ctx, uint32_t app, struct slice user_id, wall_us_t last_seen);
	void (*user_unconnected)(void *ctx, uint32_t app, struct slice user_id, wall_us_t at);
	/* Rows came, changed or went, for readers of tables. */
	void (*conn_row)(void *ctx, const struct registry_conn *row);
	void (*conn_gone)(void *ctx, uint32_t worker, uint64_t conn);
	void (*sub_row)(void *ctx, const struct registry_sub *row);
	void (*sub_gone)(void *ctx, uint32_t worker, uint64_t conn, struct slice channel);
	void (*user_row)(void *ctx, const struct registry_user *row);
	void (*user_gone)(void *ctx, uint32_t app, struct slice user_id);
	/* In place of conn_gone and sub_gone for each connection of a worker. */
	void (*worker_gone)(void *ctx, uint32_t worker);
};

/* ops (all of them set) and ctx must outlive it. */
MALLOC_LIKE struct registry *registry_new(const struct registry_options *options,
					  const struct registry_ops *ops, void *ctx);
/* NULL is allowed; tells nobody. */
void registry_free(struct registry *reg);
void registry_reload(struct registry *reg, const struct registry_options *options);

/* What the registry has to know of an application; absent ones have everything off. */
void registry_app(struct registry *reg, uint32_t app, bool subscription_count);

/* ---- connections ---- */

/* Told again for a known connection (a resync), nothing changes. Copies what it keeps. */
void registry_open(struct registry *reg, struct moment now, const struct registry_conn *row);

/* All its subscriptions end; as members its user stays for the grace. Unknown: nothing. */
void registry_close(struct registry *reg, struct moment now, uint64_t number);

/* A worker is lost with all it held, in one call. */
void registry_worker_gone(struct registry *reg, struct moment now, uint32_t number);

/* False: no such connection. The row's slices live until it closes or is identified. */
bool registry_conn(const struct registry *reg, uint64_t conn, struct registry_conn *ret);

/*
 * The connection belongs to that user from now on, if to nobody before. True: it is that user's
 * (also when it was already).
 */
bool registry_identify(struct registry *reg, struct moment now, uint64_t conn,
		       struct slice user_id);

/* Signed in (pusher:signin): identifies as well. False: it is signed in as somebody else. */
bool registry_sign_in(struct registry *reg, struct moment now, uint64_t conn, struct slice user_id);
bool registry_is_signed_in(const struct registry *reg, uint64_t conn, struct slice user_id);

/* ---- subscriptions ---- */

enum registry_result {
	REGISTRY_OK,
	REGISTRY_UNKNOWN, /* no such connection */
	REGISTRY_FULL,	  /* the presence channel has max_members, or its list no room */
};

struct registry_subscribe {
	uint64_t conn;
	struct slice channel;
	bool presence;
	bool resync;		/* it has long stood: no success frame, no count */
	struct slice user_id;	/* presence only */
	struct slice user_info; /* JSON text as sent; empty = none */
	wall_us_t joined_at;	/* 0 = now */
};

/* A second subscribe of a standing subscription answers again with the present state. */
MUST_CHECK enum registry_result registry_subscribe(struct registry *reg, struct moment now,
						   const struct registry_subscribe *s);

/* At once, without grace. Unknown: nothing. */
void registry_unsubscribe(struct registry *reg, struct moment now, uint64_t conn,
			  struct slice channel);

bool registry_is_subscribed(const struct registry *reg, uint64_t conn, struct slice channel);
/* The member that a connection is in a presence channel; empty = none. */
struct slice registry_member(const struct registry *reg, uint64_t conn, struct slice channel);

/* ---- reading ---- */

/* Workers that hold subscribers of a channel; valid until the next change. */
struct interest {
	uint32_t worker;
	uint32_t subscriptions;
};
const struct interest *registry_interest(const struct registry *reg, uint32_t app,
					 struct slice channel, uint32_t *ret_n);

struct registry_channel {
	struct slice name;
	uint32_t subscriptions;
	uint32_t members; /* users of a presence channel, those in their grace included */
	bool presence;
};
/* False: nobody is subscribed (*ret is all zero). */
bool registry_channel(const struct registry *reg, uint32_t app, struct slice channel,
		      struct registry_channel *ret);

/* Each occupied channel of an application whose name starts with the prefix; in no order. */
typedef void registry_channel_fn(void *ctx, const struct registry_channel *c);
void registry_channels(const struct registry *reg, uint32_t app, struct slice prefix,
		       registry_channel_fn *fn, void *ctx);

/* False: not online. */
bool registry_user(const struct registry *reg, uint32_t app, struct slice user_id,
		   struct registry_user *ret);

/*
 * The connections of a user: identified as, and with `members` also those that are this user in a
 * presence channel. fn may close them only after the walk.
 */
typedef void registry_conn_fn(void *ctx, uint64_t conn, uint32_t worker);
void registry_user_conns(struct registry *reg, uint32_t app, struct slice user_id, bool members,
			 registry_conn_fn *fn, void *ctx);

/* The connections of a worker. fn must not change the registry. */
void registry_worker_conns(const struct registry *reg, uint32_t number, registry_conn_fn *fn,
			   void *ctx);

/* Connections of one application; of all with UINT32_MAX. */
uint32_t registry_connections(const struct registry *reg, uint32_t app);

/*
 * Walks all rows in chunks, for a mirror that lost its tables: calls conn_row, sub_row and
 * user_row. *cursor is 0 at first. True: there is more. What changes between two calls may be
 * missed or told twice.
 */
bool registry_walk(struct registry *reg, uint64_t *cursor, uint32_t most);

/* ---- time ---- */

usec_t registry_deadline(const struct registry *reg);
void registry_turn(struct registry *reg, struct moment now);

struct registry_stats {
	uint32_t connections;
	uint32_t channels;
	uint64_t subscriptions;
	uint64_t members;
	uint32_t users;
};

void registry_stats(const struct registry *reg, struct registry_stats *ret);

#endif
