/* Members of presence channels as a whole; their coming and going is in registry.h. Pure. */
#ifndef BROKER_REGISTRY_PRESENCE_H
#define BROKER_REGISTRY_PRESENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/registry/registry.h"
#include "common/base/slice.h"

enum registry_change_kind {
	REGISTRY_ADDED, /* the last in the order of joining */
	REGISTRY_REMOVED,
	REGISTRY_CHANGED, /* another user_info; never announced */
};

/* A change among the members of a presence channel. */
struct registry_change {
	uint32_t app;
	enum registry_change_kind kind;
	bool announce; /* to the subscribers */
	struct slice channel;
	struct slice user_id;
	struct slice user_info; /* JSON text; empty = none, or removed */
	uint64_t exclude;	/* the connection that is not told of it; 0 = none */
};

/* Each member of a presence channel, in the order of joining; without room its info is empty. */
typedef void registry_member_fn(void *ctx, struct slice user_id, struct slice user_info);
void registry_members(const struct registry *reg, uint32_t app, struct slice channel,
		      registry_member_fn *fn, void *ctx);

/*
 * Whether joins and leaves of this presence channel are told to subscribers, or there are too many
 * members for that.
 */
bool registry_announces(const struct registry *reg, uint32_t app, struct slice channel);

/* Each presence channel that has subscribers, of all applications; in no order. */
typedef void registry_presence_fn(void *ctx, uint32_t app, struct slice channel);
void registry_presence(const struct registry *reg, registry_presence_fn *fn, void *ctx);

/*
 * A member of a presence channel as lists of clients have it, without a subscription that is known.
 * It stays for the grace, which begins with registry_recalled(). One that is known already, or for
 * which there is no room, is left out. Only while nobody is told of members yet.
 */
void registry_recall(struct registry *reg, struct moment now, uint32_t app, struct slice channel,
		     struct slice user_id, struct slice user_info);
/* All that is known has been told again: the graces of members begin. */
void registry_recalled(struct registry *reg, struct moment now);

#endif
