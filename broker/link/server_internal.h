/* What the files of the server share. Nobody else includes this. */
#ifndef BROKER_LINK_SERVER_INTERNAL_H
#define BROKER_LINK_SERVER_INTERNAL_H

#include <event2/event_struct.h>

#include "broker/link/server.h"
#include "common/base/list.h"
#include "common/base/map.h"
#include "common/log/log.h"
#include "common/loop/zsock.h"
#include "common/wire/flow.h"

/* A message of a worker that is not handled before it has taken in more of ours. */
struct held {
	STAILQ_ENTRY(held) link;
	struct flow_head head;
	size_t n;
	char records[];
};

STAILQ_HEAD(held_list, held);
TAILQ_HEAD(lane_list, lane);

struct lane {
	UT_hash_handle hh;	/* by peer; not while ending */
	TAILQ_ENTRY(lane) link; /* server.lanes, in the order of coming */
	TAILQ_ENTRY(lane) turn; /* server.turn, while `on_turn` */
	struct server *server;
	void *data;
	struct flow flow;
	struct flow_hello hello;
	struct held_list held;
	uint64_t held_next; /* the record behind the last held one */
	usec_t heard;
	uint32_t number;
	enum lane_end end; /* once `ending` */
	uint32_t peer_n;
	char peer[ZSOCK_PEER];
	bool ending;
	bool on_turn;
	bool paused; /* too much waits for it: its messages are held */
	bool synced;
	bool owes_later;
};

struct server {
	struct loop *loop;
	struct zsock *z;
	struct roster *roster;
	const struct server_ops *ops;
	void *ctx;
	struct lane *peers; /* by name */
	struct lane_list lanes;
	struct lane_list turn; /* to be looked after at the end of the turn */
	struct event turn_ev;
	struct event ack_ev;
	struct event beat_ev;
	struct event probe_ev;
	struct server_counts counts; /* of lanes that are gone */
	struct log_limit log_strangers;
	uint64_t epoch;
	uint64_t window;
	usec_t heartbeat;
	usec_t beaten;	  /* the last turn of the heartbeat's timer */
	size_t count;	  /* of lanes */
	size_t unsynced;  /* of them */
	size_t settled;	  /* workers that have told their state or left, without a roster */
	size_t announced; /* workers there are, as the first hello says; 0 = none came */
	uint16_t refused; /* the other version that was logged last */
	unsigned probes;  /* still to come */
	bool turn_set;
};

/*
 * A message without records to somebody who has no lane, or will have none any more. The epoch is
 * ours, or of a retired worker the one that it knows.
 */
void server_answer(struct server *server, struct slice peer, enum flow_type type, uint64_t epoch);

/* ---- lane.c ---- */

MALLOC_LIKE struct lane *lane_new(struct server *server, struct slice peer,
				  const struct flow_hello *hello);
/* Unlinked from everywhere; its counts are kept. */
void lane_free(struct lane *lane);

/* The connection that it speaks through now. */
void lane_set_peer(struct lane *lane, struct slice peer);

/* A message without records, at once. */
void lane_say(struct lane *lane, enum flow_type type, struct slice body);

/* Answers a hello of it: the first one, or another one of the same life. */
void lane_welcome(struct lane *lane);

/* One message of it, of our epoch. */
void lane_take(struct lane *lane, const struct flow_head *head, struct slice message);

/* The end of the turn: what was held, what is to be sent, what is to be acknowledged. */
void lane_turn(struct lane *lane);

/* Looks after it at the end of the turn. */
void lane_schedule(struct lane *lane);

/* It is over: it hears so if it still can, on_worker_gone() follows. */
void lane_give_up(struct lane *lane, enum lane_end end);

#endif
