/*
 * The rules of the chat: who may do what, who is told, and what answers look like. Pure: no socket,
 * no clock, no SQL. It asks the database through a chat_store, reads who is online from the
 * registry, and acts by its ops; time comes with every call.
 *
 *	chat = chat_new(&options, store_chat(store), registry, &ops, ctx);
 *	chat_authorize(chat, now, &request, on_authorized, mine);	// POST /broadcasting/auth
 *	chat_call(chat, now, &call, on_reply, mine);			// /api/websocket/...
 *	...
 *	chat_turn(chat, now);		// at chat_deadline() or later
 *
 * A done() comes exactly once for each question, perhaps before the call returns; its slices live
 * during the callback. Nothing of the chat may be freed from inside a callback. Answers of the
 * store, too, move chat_deadline(): read it again after each turn of the loop.
 *
 * Order: an event that a call causes is published before the call is answered; chat.activity, which
 * has to ask who takes part, follows it.
 *
 * The chat belongs to one application; calls about connections of other applications never come
 * here. User ids are text; `integer_ids` only says how they stand in JSON of the API.
 */
#ifndef BROKER_CHAT_CHAT_H
#define BROKER_CHAT_CHAT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/macros.h"
#include "common/base/slice.h"

struct chat;
struct chat_store;
struct registry;

enum chat_event_names { CHAT_EVENTS_PLAIN, CHAT_EVENTS_ECHO, CHAT_EVENTS_BOTH };

/* A row of the table of channels: "private-chat.{chat}"; the first that matches decides. */
struct chat_rule {
	const char *pattern;
	const char *rule; /* owner, participant, authenticated, deny; else a statement's name */
	bool presence;	  /* must be what the name says anyway: presence-... */
};

struct chat_rate {
	uint32_t per_second; /* 0 = no limit */
	uint32_t burst;
};

/* Copied, apart from `rules`, which must live until the next chat_reload() or chat_free(). */
struct chat_options {
	uint32_t app; /* index of the application in the registry */
	bool integer_ids;
	bool members_may_add;
	bool see_all; /* new members see older messages */
	enum chat_event_names event_names;
	usec_t typing_timeout;
	usec_t typing_repeat;
	usec_t offline_grace; /* the registry's: who was away for longer is shown again */
	usec_t auth_cache;
	usec_t auth_cache_grace; /* the same while the database is away */
	uint32_t auth_cache_size;
	uint32_t max_message_body;
	uint32_t max_chat_name;
	uint32_t max_participants;
	struct chat_rate messages;
	struct chat_rate typing;
	struct chat_rate receipts;
	struct chat_rate authorizations;
	struct chat_rate failed_tokens; /* by address */
	const struct chat_rule *rules;
	uint32_t nrules;
};

/* An event for the subscribers of a channel. */
struct chat_event {
	struct slice channel;
	struct slice event;
	struct slice data;     /* JSON text */
	uint64_t exclude;      /* conn that does not get it; 0 = none */
	bool droppable;	       /* typing */
	bool only_if_occupied; /* aliases: nobody there, nothing sent */
};

struct chat_ops {
	/* Gives the event its place in the channel's order and sends it. */
	void (*publish)(void *ctx, const struct chat_event *e);
	/* One frame for one connection. */
	void (*to_conn)(void *ctx, uint64_t conn, struct slice channel, struct slice event,
			struct slice data);
	/* Ends a subscription that is no longer allowed: 403 on the channel, 4009, silence. */
	void (*expel)(void *ctx, uint64_t conn, struct slice channel);
	/* Ends a connection whose token was revoked. */
	void (*close)(void *ctx, uint64_t conn, uint16_t code, struct slice reason);
	/*
	 * To be kept for as long as the connection, outside of this process: chat_recalled() of the
	 * next broker gets it. An empty value takes back what stood under the key.
	 */
	void (*note)(void *ctx, uint64_t conn, struct slice key, struct slice value);
	/* Written durably, only moved forward. */
	void (*last_seen)(void *ctx, struct slice user_id, wall_us_t at);
	/* The connection behind a socket id ("123.456") of the chat's application; 0 = none. */
	uint64_t (*find_conn)(void *ctx, struct slice socket_id);
	/* The wall clock, for times in answers. */
	wall_us_t (*wall)(void *ctx);
};

/* store and registry must outlive it. */
MALLOC_LIKE struct chat *chat_new(const struct chat_options *options,
				  const struct chat_store *store, struct registry *registry,
				  const struct chat_ops *ops, void *ctx);
/*
 * Questions under way are answered with 503. NULL is allowed. The store must not call back any
 * more: stop it before, or free it right after.
 */
void chat_free(struct chat *c);
void chat_reload(struct chat *c, const struct chat_options *options);

/* ---- questions of HTTP ---- */

/* Who asks: the bearer token as the worker sent it (wire.def: AUTHORIZE, CHAT_CALL). */
struct chat_caller {
	struct slice token_id;	 /* before the '|'; may be empty */
	struct slice token_hash; /* 64 hex digits; empty = there was no token */
	struct slice address;
	struct slice socket_id; /* X-Socket-ID, or the socket that asks; may be empty or wrong */
};

struct chat_answer {
	unsigned status;
	unsigned retry_after; /* seconds; 0 = none */
	struct slice body;    /* JSON; of a granted authorisation empty */
	/* of a granted authorisation (status 200) */
	struct slice user_id;
	struct slice user_info; /* JSON object */
	bool presence;		/* channel_data belongs to it */
};

typedef void chat_answer_fn(void *ctx, const struct chat_answer *a);

/*
 * May the caller's user subscribe the channel (empty: sign in)? A grant is remembered for that
 * socket, bounded, until it closes: see chat_subscribing().
 */
void chat_authorize(struct chat *c, usec_t now, const struct chat_caller *caller,
		    struct slice channel, chat_answer_fn *done, void *ctx);

/* The fields of a wire_chat_call; those that its route does not have are empty. */
struct chat_call {
	uint8_t route; /* enum wire_chat of common/wire/wire.h */
	struct chat_caller caller;
	uint64_t chat;
	uint64_t message;
	struct slice user;
	struct slice text;
	struct slice client_id;
	uint64_t reply_to; /* 0 = none */
	struct slice meta; /* JSON object; empty = none */
	struct slice name;
	struct slice ids; /* LIST of the lane */
	uint8_t flag;
	uint64_t before_seq; /* UINT64_MAX = not given */
	uint64_t after_seq;
	uint32_t limit;
	struct slice cursor;
	struct slice invalid; /* a ready 422 body, for when the token is good */
};

/* A route of /api/websocket. The answers are those of the API, Laravel-shaped errors included. */
void chat_call(struct chat *c, usec_t now, const struct chat_call *call, chat_answer_fn *done,
	       void *ctx);

/* ---- what connections do; told by the dispatcher ---- */

struct chat_admission {
	bool allowed;
	/* The user whom the presented authorisation identifies; empty = it says nothing. */
	struct slice user_id;
};

/*
 * A connection asks for a channel. `authorised`: with a good signature. Refused is what was
 * withdrawn from this socket (a participant removed) and, where the rule is `deny`, what comes
 * without a signature: public channels, and names that the application's backend did not sign. The
 * user id lives until the next call; of a presence channel it is empty, its member says who it is.
 */
void chat_subscribing(struct chat *c, usec_t now, uint64_t conn, struct slice channel,
		      bool authorised, struct chat_admission *ret);

/*
 * The subscription stands and its success frame has been sent: on a chat's channel chat.sync
 * follows. user_id: of the connection; empty = nobody.
 */
void chat_subscribed(struct chat *c, usec_t now, uint64_t conn, struct slice user_id,
		     struct slice channel);

/* The last subscription of a user to a presence channel ended, grace or not: typing ends there. */
void chat_left(struct chat *c, usec_t now, struct slice user_id, struct slice channel);

/* A connection presented a good pusher:signin. What follows is the registry's; token by grant. */
void chat_signed_in(struct chat *c, usec_t now, uint64_t conn, struct slice user_id);

/* A connection has gone: what was remembered of it goes too. */
void chat_conn_closed(struct chat *c, usec_t now, uint64_t conn);

/*
 * Of a connection that is older than this broker: what the one before it had noted. Comes before
 * its subscriptions. chat_all_recalled(): so far that was all, and events may be sent; tokens and
 * participants are asked for again.
 */
void chat_recalled(struct chat *c, usec_t now, uint64_t conn, struct slice key, struct slice value);
void chat_all_recalled(struct chat *c, usec_t now);

/* The last connection of a user went, before any grace: typing ends everywhere. */
void chat_user_unconnected(struct chat *c, usec_t now, struct slice user_id, wall_us_t at);

/*
 * The registry says that a user became online or, after offline_grace, offline: once a change, told
 * to presence-users as user.status.changed unless the user appears offline.
 */
void chat_user_online(struct chat *c, usec_t now, struct slice user_id);
void chat_user_offline(struct chat *c, usec_t now, struct slice user_id, wall_us_t last_seen);

/* ---- what the database says ---- */

/*
 * Tokens ("*" = all), or a participant, changed or went: both are asked for again. What is revoked
 * closes its connections with 4009; who takes no part any more loses the chat's channels.
 */
void chat_token_changed(struct chat *c, usec_t now, struct slice token_id);
void chat_participant_removed(struct chat *c, usec_t now, uint64_t chat, struct slice user_id);
void chat_store_changed(struct chat *c, usec_t now, bool up);

/* ---- time ---- */

/* When chat_turn() has something to do next; USEC_NEVER = nothing. */
usec_t chat_deadline(const struct chat *c);
void chat_turn(struct chat *c, usec_t now);

struct chat_stats {
	uint64_t calls;
	uint64_t messages;
	uint64_t tokens_cached;
	uint64_t grants;
	uint64_t typing;
};

void chat_stats(const struct chat *c, struct chat_stats *ret);

#endif
