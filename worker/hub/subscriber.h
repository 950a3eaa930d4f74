/*
 * What the hub needs of a client connection: embedded in the session. The hub never looks outside.
 */
#ifndef WORKER_HUB_SUBSCRIBER_H
#define WORKER_HUB_SUBSCRIBER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/slice.h"

struct channel;
struct subscriber;

enum sub_state {
	SUB_PENDING,   /* asked for, not answered: gets no events */
	SUB_ACTIVE,    /* stands: in the channel's list, gets every event */
	SUB_ABANDONED, /* the client was told that it failed while the answer was out */
};

/* Who a presence subscription is; for the sender of client events and for a new broker. */
struct sub_member {
	uint32_t info_n;
	uint16_t id_n;
	char bytes[]; /* user_id, then user_info */
};

/* One subscription: one connection in one channel. */
struct sub {
	struct channel *channel;
	struct subscriber *who;
	struct sub_member *member; /* presence channels only; owned */
	int64_t joined_at;	   /* microseconds of the Unix epoch */
	uint32_t at;		   /* place in the channel's list while ACTIVE */
	uint8_t state;		   /* enum sub_state */
	uint8_t flags;		   /* the session's own */
	uint16_t waiting;	   /* answers of the broker still to come */
};

/* Zeroed: no subscription. Most clients have one, which needs no memory of its own for the list. */
struct subscriber {
	uint64_t conn; /* first number of the socket id, once it has one */
	union {
		struct sub *one;   /* while sub_cap is 0 */
		struct sub **many; /* sorted by channel, so that a look-up is short */
	} subs;
	uint32_t sub_count;
	uint32_t sub_cap;
};

/* i-th of sub_count; in the order of the channels' addresses. */
static inline struct sub *subscriber_sub(const struct subscriber *who, uint32_t i)
{
	return who->sub_cap == 0 ? who->subs.one : who->subs.many[i];
}

#endif
