/*
 * Which connections of this worker are in which channel, and the fan-out of one shared frame to
 * them. Pure: delivery is a call of the owner's.
 *
 * A channel exists while it has a subscription. Subscriptions begin PENDING, outside the list that
 * receives events; hub_activate() puts them in. Adding and removing take constant time.
 *
 * While hub_deliver() runs, the callback may end subscriptions of the subscriber it was called for,
 * and of no other.
 */
#ifndef WORKER_HUB_CHANNEL_H
#define WORKER_HUB_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/frame.h"
#include "common/base/macros.h"
#include "common/base/slice.h"
#include "worker/hub/app.h"
#include "worker/hub/roster.h"
#include "worker/hub/subscriber.h"
#include "worker/pusher/channel_name.h"

struct hub;

struct hub_ops {
	/* Queue the frame for a connection. Droppable ones may be left out for a slow one. */
	void (*deliver)(void *ctx, struct subscriber *who, struct frame *f, bool droppable);
};

/* ops and ctx must outlive the hub. */
MALLOC_LIKE struct hub *hub_new(const struct hub_ops *ops, void *ctx);
/* Only when nothing is subscribed any more. NULL is allowed. */
void hub_free(struct hub *h);

/* NULL when no connection of this worker is in it. */
struct channel *hub_find(const struct hub *h, const struct app *app, struct slice name);

struct slice channel_name(const struct channel *c);
enum channel_kind channel_kind(const struct channel *c);
struct app *channel_app(const struct channel *c);
/* Active subscriptions. */
uint32_t channel_count(const struct channel *c);
/* One of them, i < channel_count(); in no order. */
const struct sub *channel_sub(const struct channel *c, uint32_t i);
/* The members of a presence channel, empty at first; NULL for other kinds. Lives as the channel. */
struct roster *channel_roster(const struct channel *c);

/*
 * A number that belongs to the channel, 0 at first: for walks that are cut and begin again.
 */
uint32_t channel_visit(const struct channel *c);
void channel_set_visit(struct channel *c, uint32_t number);

/* The channel behind it in a walk over all; NULL = the first, or none is left. */
struct channel *hub_next(const struct hub *h, const struct channel *c);

/* It stays, whatever subscriptions end, until as many times released. */
void hub_hold(struct channel *c);
void hub_release(struct hub *h, struct channel *c);

/* The subscription of a connection, in whatever state; NULL if it has none. */
struct sub *hub_sub(const struct subscriber *who, const struct channel *c);

/* A new subscription, PENDING. The connection must not have one to this channel. */
struct sub *hub_subscribe(struct hub *h, struct app *app, struct slice name,
			  struct subscriber *who);
/* Sets (a copy of) the member of a presence subscription. */
void hub_set_member(struct sub *s, struct slice user_id, struct slice user_info);
struct slice sub_user_id(const struct sub *s);
struct slice sub_user_info(const struct sub *s);

/* From here on events reach it. Nothing happens if it is ACTIVE already. */
void hub_activate(struct hub *h, struct sub *s);
/* No events reach it any more; it stays, in state `to`. */
void hub_suspend(struct hub *h, struct sub *s, enum sub_state to);
/* Ends it and frees it; the channel goes with its last one. */
void hub_unsubscribe(struct hub *h, struct sub *s);
/* Ends all of a connection. */
void hub_unsubscribe_all(struct hub *h, struct subscriber *who);

/* To all active subscriptions but that of `exclude` (0: all). Returns how many. */
uint32_t hub_deliver(struct hub *h, struct channel *c, struct frame *f, uint64_t exclude,
		     bool droppable);

/* Channels, and subscriptions in any state, of the whole worker. */
uint32_t hub_channels(const struct hub *h);
uint64_t hub_subscriptions(const struct hub *h);

#endif
