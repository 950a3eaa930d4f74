/*
 * What a run does: made by the parent from its options before the first fork, never changed after.
 *
 * A plan has parts, each with channels of its own and a way of talking into them; the simple modes
 * have one, the mixed one has several. Listener i of a part is in channel i % channels; all of one
 * channel stay in one load process when there are enough channels, else they spread.
 */
#ifndef BENCH_PLAN_H
#define BENCH_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/net.h"
#include "common/base/clock.h"
#include "common/base/slice.h"

#define PLAN_PARTS 5
#define PLAN_PIPELINE 64
#define PLAN_ROUNDS 32
#define PLAN_TOKENS 16
#define PLAN_CHATS 256
#define PLAN_TALKERS_MAX 4096 /* of one channel: what a stamp can name */

/* How a part's events come into the world. */
enum talk {
	TALK_NONE,
	TALK_CLIENT, /* client events of members */
	TALK_GUEST,  /* client events of one more connection, which is not counted as a listener */
	TALK_HTTP,   /* signed POST /apps/ID/events */
	TALK_CHAT,   /* POST of a chat message; bearer token */
	TALK_CHURN,  /* members leave and come back */
};

struct part {
	const char *name;
	const char *prefix; /* of channel names: a number follows, or the chat's id */
	enum talk talk;
	uint32_t channels;
	uint32_t members;  /* listeners of each channel */
	uint32_t talkers;  /* of each channel */
	uint32_t lines;	   /* HTTP connections of each process */
	uint32_t pipeline; /* requests under way on each of them */
	uint32_t window;   /* events under way in each channel; 0 = no limit */
	double rate;	   /* events a second of the whole part; 0 = as fast as the window lets */
	uint32_t size;	   /* bytes of data */
	uint32_t first_group;
	bool presence;
	bool later; /* listeners subscribe only when they are told to join */
};

enum plan_shape {
	SHAPE_HOLD, /* connections that stay, then one event for each of them */
	SHAPE_TALK, /* rounds of talking */
	SHAPE_JOIN, /* one presence channel fills and empties */
};

struct plan {
	const char *mode;
	enum plan_shape shape;
	struct part parts[PLAN_PARTS];
	uint32_t part_count;
	uint32_t groups; /* channels of all parts */
	uint32_t listeners;
	uint32_t processes;
	uint32_t opening; /* handshakes under way at once in each process */
	usec_t warmup;
	usec_t duration;
	usec_t patience; /* without progress: given up */
	uint32_t rounds;
	uint32_t run; /* in the names of channels: nothing is left there of another run */

	struct net_target target;
	struct net_sources sources;
	const char *host;
	const char *port;
	const char *app_id;
	const char *app_key;
	const char *app_secret;
	const char *tokens[PLAN_TOKENS];
	uint32_t token_count;
	const char *chats[PLAN_CHATS];
	uint32_t chat_count;
};

/* Which process has listener `i` of a part. */
static inline uint32_t plan_process(const struct plan *p, const struct part *part, uint32_t i)
{
	return (part->channels >= p->processes ? i % part->channels : i) % p->processes;
}

/* Which process has the talkers of channel `g` of a part. */
static inline uint32_t plan_talker_process(const struct plan *p, uint32_t g)
{
	return g % p->processes;
}

/* How many receive an event of this part. */
static inline uint32_t plan_receivers(const struct part *part)
{
	return part->talk == TALK_CLIENT ? part->members - 1 : part->members;
}

#endif
