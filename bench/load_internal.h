/* What the files of a load process share. Nobody else includes this. */
#ifndef BENCH_LOAD_INTERNAL_H
#define BENCH_LOAD_INTERNAL_H

#include "bench/http.h"
#include "bench/load.h"
#include "bench/track.h"

struct load;
struct talker;

enum client_state {
	CLIENT_NEW,
	CLIENT_OPENING,	    /* until connection_established */
	CLIENT_STANDING,    /* no subscription */
	CLIENT_SUBSCRIBING, /* asked for, not answered */
	CLIENT_READY,
	CLIENT_GONE,
};

/* A WebSocket connection with one subscription. */
struct client {
	struct conn conn;
	struct load *load;
	const struct part *part;
	struct track *tracks; /* one for each source of its channel */
	char *socket_id;      /* kept where it is needed again */
	uint32_t index;	      /* in its part */
	uint32_t group;	      /* of the plan */
	uint32_t rank;	      /* presence: members when it joined */
	uint32_t added;	      /* presence: told since */
	uint32_t removed;
	uint8_t state;
	bool guest; /* talks, is no listener */
};

struct request {
	struct talker *talker;
	usec_t at;
};

/* An HTTP connection. */
struct line {
	struct conn conn;
	struct load *load;
	const struct part *part;
	struct request ring[PLAN_PIPELINE];
	uint32_t first;
	uint32_t n; /* under way */
	bool open;
};

/* One source of events. */
struct talker {
	struct client *client; /* or */
	struct line *line;
	const struct part *part;
	uint32_t channel; /* of the part */
	uint32_t source;  /* of the channel */
	uint32_t number;  /* of the next event */
};

/* The talkers of one part in this process. */
struct pace {
	const struct part *part;
	struct talker *talkers;
	uint32_t n;
	uint32_t next; /* whose turn it is */
	uint32_t once; /* how many have said their one thing */
	double due;    /* microseconds */
	double period; /* between two events; 0 = as fast as may be */
};

struct load {
	const struct plan *plan;
	struct shared *shared;
	struct shared_process *mine;
	struct net *net;
	struct hmac_key *secret;
	struct http_app app;
	uint64_t counts[COUNTS];
	struct client *clients;
	uint32_t client_count;
	uint32_t opened;    /* of them have been begun */
	uint32_t under_way; /* handshakes and subscriptions that are not answered */
	uint32_t walked;    /* clients that the present step has come to */
	struct line *lines;
	uint32_t line_count;
	struct pace paces[PLAN_PARTS];
	uint32_t *delivered; /* in this turn, by group; added to the shared ones at its end */
	uint32_t *touched;
	uint32_t touched_n;
	size_t hint;	/* where the last stamp stood */
	struct buf out; /* what is being sent */
	struct buf text;
	usec_t now;
	uint32_t number;
	uint32_t step;
	bool measured;
};

/* ---- load.c ---- */

/* Remembers the first one. */
void load_fault(struct load *l, const char *what, struct slice detail);

/* The name of a channel, in `ret`. */
#define LOAD_CHANNEL_NAME 128
struct slice load_channel(const struct load *l, const struct part *part, uint32_t channel,
			  char ret[LOAD_CHANNEL_NAME]);

/* ---- client.c ---- */

static inline bool client_is_witness(const struct client *c)
{
	return c->index % LOAD_WITNESS == 0;
}

void client_open(struct client *c);
void client_subscribe(struct client *c);
void client_unsubscribe(struct client *c);
/* Sends what stands in l->out. */
void client_flush(struct client *c);

/* ---- line.c ---- */

void line_open(struct line *line);
/* Whether one more request may go out. */
bool line_may(const struct line *line);
/* Sends what stands in l->out, one request. */
void line_send(struct line *line, struct talker *talker, usec_t at);

/* ---- talk.c ---- */

/* Makes the talkers; the clients stand already. */
void talk_init(struct load *l);
void talk_done(struct load *l);
/* Talking begins now. */
void talk_begin(struct load *l);
/* Says all that is due; returns how long until there is more, at most. */
usec_t talk_turn(struct load *l);
/* Each talker says one thing; to be called until all could. */
void talk_once(struct load *l);

#endif
