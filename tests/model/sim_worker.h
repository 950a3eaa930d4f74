/*
 * A worker of the simulation: the real lane, questions, publishes and memory of what was had;
 * clients that are a row of a table. Some of them are witnesses: they stay, and what they are sent
 * is compared with what was accepted.
 */
#ifndef TESTS_MODEL_SIM_WORKER_H
#define TESTS_MODEL_SIM_WORKER_H

#include <event2/event_struct.h>

#include "worker/link/link.h"
#include "worker/worker_internal.h"

enum { CHANNELS = 6, CLIENTS = 12, WITNESSES = 3, LIVES = 2048, PUBLISHES = 4096 };

/* A subscription, as its worker sees it. */
enum want { WANT_NOT, WANT_UNSENT, WANT_ASKED, WANT_ACTIVE };

struct client {
	uint64_t conn; /* 0: free */
	bool told;     /* the broker of today knows it */
	enum want sub[CHANNELS];
};

/* What came to a witness: each publish of the ledger at most once, each origin's in their order. */
struct witness {
	uint32_t joined; /* publishes from this one on are promised to it; UINT32_MAX: none yet */
	uint32_t n;
	uint32_t came[PUBLISHES];   /* the publish */
	uint32_t broker[PUBLISHES]; /* the life that ordered it */
	bool had[PUBLISHES];
	uint32_t last[LIVES]; /* of each origin: publish + 1 */
};

struct sim_worker {
	struct worker w; /* of which the parts in use are set */
	struct conf *conf;
	struct loop *loop;
	struct event tick;
	struct event go_on;
	struct client clients[CLIENTS];
	struct witness *witness[WITNESSES]; /* clients[0] ... */
	uint32_t life;			    /* counts workers */
	uint32_t slot;
	uint32_t broker; /* the life of the one that is known */
	uint32_t apps;	 /* still to be told */
	uint32_t retell; /* the next client in a resync */
	uint64_t window;
	bool retired;
	bool stalled; /* or cut off for long: it may be given up */
};

/* A publish of a test. */
struct publish {
	uint32_t life;	 /* of the origin */
	uint32_t broker; /* the life when it was made */
	uint32_t channel;
	bool accepted;
};

struct ledger {
	uint32_t round; /* what comes of another one is a repeat */
	uint32_t n;
	struct publish v[PUBLISHES];
	bool dead[LIVES]; /* workers */
	uint32_t broker;  /* its life now */
	uint64_t accepted;
	uint64_t refused;
	uint64_t delivered;
};

extern struct ledger ledger;

struct sim_worker *sim_worker_new(uint32_t life, uint32_t slot, uint64_t generation,
				  uint64_t window);
/* kill -9, unless it says goodbye. */
void sim_worker_end(struct sim_worker *sw, bool goodbye);

void sim_worker_publish(struct sim_worker *sw);
/* A client comes, goes, subscribes or unsubscribes. */
void sim_worker_churn(struct sim_worker *sw);
/* Nothing waits for anything, and the broker has been told all. */
bool sim_worker_is_quiet(const struct sim_worker *sw);

struct slice sim_channel(uint32_t n);

#endif
