/* What the files of the registry share. Nobody else includes this. */
#ifndef BROKER_REGISTRY_REGISTRY_INTERNAL_H
#define BROKER_REGISTRY_REGISTRY_INTERNAL_H

#include "broker/registry/conn_table.h"
#include "broker/registry/registry.h"
#include "common/base/limits.h"
#include "common/base/list.h"
#include "common/base/map.h"

struct conn;
struct channel;
struct member;

/* One subscription: of a connection to a channel. */
struct sub {
	TAILQ_ENTRY(sub) of_conn;
	struct conn *conn;
	struct channel *channel;
	wall_us_t joined_at;
};
TAILQ_HEAD(subs, sub);

/* The same in a presence channel: all of those are such. */
struct presence_sub {
	struct sub sub;			     /* first */
	TAILQ_ENTRY(presence_sub) of_member; /* those of one user, oldest first */
	struct member *member;
	uint32_t info_n;
	char info[]; /* user_info, JSON text */
};
TAILQ_HEAD(presence_subs, presence_sub);

/* A user in a presence channel. */
struct member {
	UT_hash_handle hh; /* channel.members, by user id */
	TAILQ_ENTRY(member) order;
	TAILQ_ENTRY(member) grace; /* registry.graces, while it has no subscription */
	struct channel *channel;
	struct presence_subs subs;
	usec_t deadline; /* end of the grace */
	uint64_t last;	 /* the connection that was the last to leave; 0 = unknown */
	size_t room;	 /* what is set aside in the list for user_info */
	uint32_t kept_n; /* user_info of the last subscription, kept for the grace */
	char *kept;
	uint32_t id_n;
	char id[];
};
TAILQ_HEAD(members, member);

struct channel {
	UT_hash_handle hh; /* app_state.channels, by name */
	uint32_t app;
	uint32_t subscriptions;
	struct interest *interest; /* workers with subscribers; grows, never shrinks */
	uint32_t interest_n;
	uint32_t interest_cap;
	bool presence;
	struct member *members;	 /* by user id */
	struct members in_order; /* of joining */
	uint32_t member_count;
	size_t reserved; /* the most that a list of them may take */
	/* subscription_count: not before this time, and something changed meanwhile */
	usec_t count_at;
	bool count_due;
	TAILQ_ENTRY(channel) counts;
	uint32_t name_n;
	char name[];
};
TAILQ_HEAD(channels, channel);

/* Who a connection is, once it is somebody. */
struct identity {
	TAILQ_ENTRY(identity) of_user;
	TAILQ_ENTRY(identity) of_signin;
	struct conn *conn;
	struct user *user;   /* identified as */
	struct user *signin; /* signed in as */
};
TAILQ_HEAD(identities, identity);

struct user {
	UT_hash_handle hh; /* app_state.users, by id */
	TAILQ_ENTRY(user) all;
	TAILQ_ENTRY(user) grace;     /* registry.leaving, while it has no connection */
	struct identities conns;     /* identified as this user */
	struct identities signed_in; /* by pusher:signin */
	uint32_t app;
	uint32_t count; /* of conns */
	bool online;
	bool in_grace;
	usec_t deadline;
	wall_us_t online_since;
	wall_us_t changed_at;
	wall_us_t last_seen;
	uint32_t id_n;
	char id[];
};
TAILQ_HEAD(users, user);

/* There are many of them, and most are nobody: what few need stands elsewhere. */
struct conn {
	TAILQ_ENTRY(conn) of_worker;
	uint64_t number;
	struct worker_state *worker;
	struct identity *identity; /* NULL = nobody */
	struct subs subs;
	uint64_t mark; /* of the walk that visited it last */
	wall_us_t opened_at;
	uint32_t app;
	uint16_t socket_id_n;
	uint16_t address_n;
	uint16_t agent_n;
	char text[]; /* socket_id, address, agent */
};
TAILQ_HEAD(conns, conn);

struct worker_state {
	UT_hash_handle hh;
	uint32_t number;
	struct conns conns;
};

struct app_state {
	struct channel *channels;
	struct user *users;
	uint32_t connections;
	bool subscription_count;
};

struct registry {
	struct registry_options options;
	const struct registry_ops *ops;
	void *ctx;
	struct app_state *apps; /* by index */
	uint32_t napps;
	struct conn_table conns;
	struct users all_users;
	struct worker_state *workers;
	struct members graces;	/* members without subscription, by deadline */
	struct users leaving;	/* users without connection, by deadline */
	struct channels counts; /* subscription_count to be told, by time */
	struct conn *walk_conn; /* where registry_walk() goes on */
	struct user *walk_user;
	uint64_t mark;
	bool silent; /* a worker goes as a whole: rows are not told one by one */
	struct buf text;
	struct registry_stats stats;
};

static inline struct slice user_id(const struct user *u)
{
	return u != NULL ? slice_of(u->id, u->id_n) : SLICE_NONE;
}

/* Whom it was first identified as; NULL = nobody. */
static inline struct user *conn_user(const struct conn *c)
{
	return c->identity != NULL ? c->identity->user : NULL;
}

/* NULL: it is not one of a presence channel. */
static inline const struct presence_sub *sub_presence(const struct sub *s)
{
	return s->channel->presence ? (const struct presence_sub *)(const void *)s : NULL;
}

static inline struct slice channel_text(const struct channel *c)
{
	return slice_of(c->name, c->name_n);
}

/* ---- registry.c ---- */

struct app_state *registry_app_state(struct registry *reg, uint32_t app);
struct conn *registry_find_conn(const struct registry *reg, uint64_t number);
/* The one behind it in a walk over all; NULL = the first, or none is left. */
struct conn *registry_next_conn(const struct registry *reg, const struct conn *c);
void registry_conn_row_of(const struct conn *c, struct registry_conn *ret);
void registry_sub_row_of(const struct sub *s, struct registry_sub *ret);

/* ---- subscription.c ---- */

struct channel *registry_find_channel(const struct registry *reg, uint32_t app, struct slice name);
/* The same; made if it is not there. */
struct channel *registry_make_channel(struct registry *reg, uint32_t app, struct slice name,
				      bool presence);
/* Ends one; with `grace` its member stays for a while. */
void subscription_end(struct registry *reg, struct moment now, struct sub *s, bool grace);
/* Frees a channel that nobody needs any more. */
void channel_release(struct registry *reg, struct channel *c);
/* subscription_count frames that are due. */
void subscription_turn(struct registry *reg, usec_t now);

/* ---- presence.c ---- */

/* NULL: it is nobody yet. */
struct member *presence_find(const struct channel *c, struct slice id);
/* Whether the list has room for one more. */
bool presence_has_room(const struct channel *c, struct slice id, struct slice info);
/* Makes the member if need be; what has changed is told to the workers that are in the channel. */
void presence_join(struct registry *reg, struct presence_sub *s, struct slice id);
void presence_leave(struct registry *reg, struct moment now, struct presence_sub *s, bool grace);
bool presence_announces(const struct registry *reg, const struct channel *c);
/* user_info as it is told: empty where there was no room for it. */
struct slice presence_info(const struct member *m);
void presence_turn(struct registry *reg, struct moment now);
/* Without telling anybody. */
void presence_free(struct registry *reg, struct member *m);

/* ---- users.c ---- */

void users_leave(struct registry *reg, struct moment now, struct conn *c);
void users_turn(struct registry *reg, struct moment now);
void users_free(struct registry *reg, struct user *u);

#endif
