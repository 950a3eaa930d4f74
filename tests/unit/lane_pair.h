/* A broker's and workers' ends of lanes on one loop, for tests; a raw socket speaks as it likes. */
#ifndef TESTS_UNIT_LANE_PAIR_H
#define TESTS_UNIT_LANE_PAIR_H

#include <event2/event.h>

#include "broker/link/server.h"
#include "common/base/buf.h"
#include "common/loop/loop.h"
#include "common/loop/zsock.h"
#include "common/wire/flow.h"
#include "worker/link/link.h"

/* Of the records that are sent here. */
#define PAIR_KIND 99

/* Counters of one worker's end. */
struct pair_worker {
	struct link *link;
	unsigned up_new;
	unsigned up_same;
	unsigned downs;
	unsigned retired;
	uint64_t records;
	uint64_t bytes;
	uint64_t last; /* number in the last record */
	uint64_t out_of_order;
};

/* Of the broker's end. */
struct pair_broker {
	struct server *server;
	struct lane *lane; /* that came last */
	unsigned came;
	unsigned back;
	unsigned gone;
	enum lane_end end; /* of the one that went last */
	size_t expected;   /* server_expected() when it went */
	uint64_t records;
	uint64_t last;
	uint64_t out_of_order;
	uint64_t acked;	 /* the last mark */
	size_t answer;	 /* bytes of an answer to each record; 0 = none */
	size_t held_max; /* most that ever waited for a worker */
};

extern struct loop *pair_loop;
extern usec_t pair_heartbeat; /* 1 s after each set-up */
extern struct pair_broker pair_broker;
extern char pair_dir[64];
extern char pair_endpoint[128];

/* For cmocka: a directory, a loop, a time-out. */
int pair_setup(void **state);
int pair_teardown(void **state);

void pair_open_broker(uint64_t window);
void pair_open_worker(struct pair_worker *w, unsigned slot, uint64_t generation, uint64_t window);

/* A record that carries `number`; from the worker, and to it. */
int pair_send(struct pair_worker *w, uint64_t number, size_t size);
void pair_send_to(struct lane *lane, uint64_t number, size_t size);

/* Runs the loop until the condition holds. */
#define PAIR_UNTIL(condition) \
	do { \
		while (!(condition)) \
			(void)event_base_loop(loop_base(pair_loop), EVLOOP_ONCE); \
	} while (0)

#endif
