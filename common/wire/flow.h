/*
 * What is the same at both ends of a lane: messages of numbered records, acknowledgements, the
 * window of what may have to be sent again. Pure; the whole protocol is told in README.md.
 *
 * A message is FLOW_HEAD bytes and, in FLOW_DATA, `count` records: kind u8, length u32, body. What
 * was collected for one message (a batch) is kept as it is until the peer has acknowledged all of
 * it, and is what is sent again.
 */
#ifndef COMMON_WIRE_FLOW_H
#define COMMON_WIRE_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/limits.h"
#include "common/base/list.h"
#include "common/base/macros.h"
#include "common/base/slice.h"

/* ---- heads ---- */

#define FLOW_HEAD 32
#define FLOW_RECORD_HEAD 5

/* A batch takes no further record beyond this; one record may be larger. */
#define FLOW_BATCH (64U << 10)

/* What may wait for company waits so long: acknowledgements, and what worker/link/pace.h names. */
#define FLOW_DELAY 4000 /* microseconds */

/* Messages that may be handled without telling. */
#define FLOW_UNTOLD 64

/* No message is longer. */
#define FLOW_MESSAGE_MAX (FLOW_HEAD + FLOW_RECORD_HEAD + LIMIT_WIRE_RECORD + FLOW_BATCH)

enum flow_type {
	FLOW_HELLO = 1, /* worker: who I am (struct flow_hello follows), whom I know */
	FLOW_WELCOME,	/* broker: my epoch, your number (in a flow_hello); go on behind `ack` */
	FLOW_DATA,	/* records */
	FLOW_ALIVE,	/* heartbeat, and acknowledgement when there is no data to carry it */
	FLOW_AGAIN,	/* records were missed: send again behind `ack` */
	FLOW_WHO,	/* broker: I do not know you, say hello */
	FLOW_RETIRED,	/* broker: I have given you up, end */
	FLOW_REFUSED,	/* broker: your version is not mine (see `version`) */
	FLOW_BYE,	/* worker: I end */
};

/* Bytes: "CL", version u16, type u8, 0, count u16, epoch u64, seq u64, ack u64; little endian. */
struct flow_head {
	uint16_t version;
	uint8_t type; /* flow_type */
	uint16_t count;
	uint64_t epoch; /* of the broker's life; 0 = the worker knows none */
	uint64_t seq;	/* of the first record; without records, of the next one */
	uint64_t ack;	/* all below have been handled */
};

void flow_head_put(char out[FLOW_HEAD], const struct flow_head *head);
/* False: too short or no message of a lane. Of another version only the version is valid. */
bool flow_head_take(struct slice message, struct flow_head *ret_head);

/* Follows the head of a hello, and of the welcome, which fills in the number. */
struct flow_hello {
	uint64_t life; /* random; of the worker's process */
	uint64_t generation;
	uint32_t slot;
	uint32_t slots;
	uint32_t number; /* in socket ids, of an earlier welcome; 0 = none */
};

#define FLOW_HELLO_BYTES 28

void flow_hello_put(char out[FLOW_HELLO_BYTES], const struct flow_hello *hello);
bool flow_hello_take(struct slice message, struct flow_hello *ret_hello);

/* ---- one end ---- */

/* Records of one message, without its head: that is made when it goes out. */
struct flow_batch {
	TAILQ_ENTRY(flow_batch) link;
	uint64_t seq; /* of its first record */
	uint16_t count;
	bool sent; /* at least once */
	uint32_t n;
	uint32_t cap;
	char *bytes;
};

TAILQ_HEAD(flow_batches, flow_batch);

struct flow {
	struct flow_batches batches; /* not acknowledged, in their order */
	struct flow_batch *unsent;   /* the first that is to be sent; NULL = none */
	uint64_t next;		     /* number of the next record out; the first is 1 */
	uint64_t acked;		     /* all below have been handled by the peer */
	uint64_t want;		     /* number of the next record in */
	uint64_t asked;		     /* AGAIN was sent for this `want`; 0 = not */
	size_t held;		     /* bytes of memory of all batches */
	uint32_t untold;	     /* messages handled since the peer was told */
	uint64_t resent;
	uint64_t repeated;
	uint64_t gaps;
};

void flow_init(struct flow *f);
/* Frees the batches. */
void flow_done(struct flow *f);

/* Appends a record to what goes out next. The body is at most LIMIT_WIRE_RECORD bytes. */
void flow_push(struct flow *f, uint8_t kind, struct slice body);

/* The head of the next message: its records are the next batch's, if it is FLOW_DATA. */
struct flow_head flow_head(const struct flow *f, enum flow_type type, uint64_t epoch);

/* The next batch to send, or NULL; and that it was sent. */
struct flow_batch *flow_out(const struct flow *f);
void flow_sent(struct flow *f);

/* A message with an acknowledgement has gone out. */
void flow_told(struct flow *f);

/* The peer has handled all below `ack`. False: that is more than was sent; nothing is done. */
MUST_CHECK bool flow_ack(struct flow *f, uint64_t ack);

/* All that is not acknowledged is sent once more. */
void flow_rewind(struct flow *f);

/* What is to be done after a message. */
enum flow_in {
	FLOW_IN_DONE,
	FLOW_IN_GAP,	/* records before these are missing, the peer must be asked: FLOW_AGAIN */
	FLOW_IN_BROKEN, /* the peer does not keep to the format */
	FLOW_IN_STOP,	/* on_record() said so */
};

/*
 * The records of a FLOW_DATA behind its head; each new one is given to on_record() in its order,
 * which returns false to stop behind it: then `head` and `records` are what is left, to be taken
 * later. A gap is reported once: flow_behind() repeats the question.
 */
enum flow_in flow_take(struct flow *f, struct flow_head *head, struct slice *records,
		       bool (*on_record)(void *ctx, uint8_t kind, struct slice body), void *ctx);

/* A head without records says which record comes next. True: some have been lost, ask again. */
bool flow_behind(struct flow *f, uint64_t seq);

/* Messages were handled that the peer has not been told of; so many that it must hear now. */
static inline bool flow_owes(const struct flow *f)
{
	return f->untold > 0;
}

static inline bool flow_owes_much(const struct flow *f)
{
	return f->untold >= FLOW_UNTOLD;
}

#endif
