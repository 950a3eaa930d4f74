/* What the files of the stream share. Nobody else includes this. */
#ifndef WORKER_EDGE_STREAM_INTERNAL_H
#define WORKER_EDGE_STREAM_INTERNAL_H

#include "worker/edge/stream.h"
#include "worker/edge/uring.h"

#define STREAM_BATCH URING_SENDS

/* OPEN → CLOSING → LINGERING → DEAD; any may go to DEAD at once. */
enum state {
	OPEN = 1,
	CLOSING,   /* by us: output is still being written, input thrown away */
	LINGERING, /* our side is shut; waits for the peer's */
	DEAD,	   /* on_closed() comes at the end of the turn */
};

enum flag {
	ON_TURN = 1,	   /* on the list of this turn */
	PAUSED = 2,	   /* by stream_pause() */
	CHOKED = 4,	   /* not read from because too much output waits */
	WANT_WRITE = 8,	   /* the socket is full */
	WANT_DRAINED = 16, /* on_drained() is asked for */
	OFFER_AGAIN = 32,  /* offer the kept bytes at the end of the turn */
	PEER_ENDED = 64,   /* while CLOSING */
	PROGRESS = 128,	   /* output went out since the deadline was set */
};

struct stream_left {
	uint32_t n;
	uint32_t cap;
	char bytes[];
};

/* Most of a stream's life is before its end: what only that needs stands apart. */
struct stream_closing {
	TAILQ_ENTRY(stream_closing) link; /* by deadline */
	struct stream *stream;
	usec_t deadline;
	unsigned renewals;
};

TAILQ_HEAD(closing_list, stream_closing);
STAILQ_HEAD(turn_list, stream);

/* Streams whose turn ends together, each once. */
struct stream_batch {
	unsigned n;
	struct {
		struct stream *stream;
		bool written; /* in this turn, or would have been if there were output */
	} row[STREAM_BATCH];
};

struct streams {
	struct loop *loop;
	struct stream_limits limits;
	struct stream_counts counts;
	struct turn_list turn;
	struct uring *uring; /* NULL: each write is a system call of its own */
	struct stream_batch batch;
	struct closing_list closing;
	struct event turn_ev;
	struct event closing_ev;
	bool turn_set;
	bool behind;
	void (*on_behind)(void *ctx, bool behind);
	void *behind_ctx;
	char buffer[STREAM_READ_BUFFER];
};

static inline bool has(const struct stream *s, enum flag f)
{
	return (s->flags & f) != 0;
}

static inline void set(struct stream *s, enum flag f)
{
	s->flags |= (uint8_t)f;
}

static inline void clear(struct stream *s, enum flag f)
{
	s->flags &= (uint8_t)~f;
}

/* Puts the stream on the list of this turn. */
void stream_mark(struct stream *s);

/* The first cause of the end wins; on_closed() follows at the end of the turn. */
void stream_die(struct stream *s, enum stream_end end, int err);

/* Shows the kept bytes to the owner again. */
void stream_offer_left(struct stream *s);

/* One read, and what came to the owner. */
void stream_read(struct stream *s);

/* One write, if there is output; calls nobody. */
void stream_write(struct stream *s);

/*
 * What became of a write: n as ops->write() returns it, 0 if there was nothing to write. What is
 * left waits until the socket is ready. Calls nobody.
 */
void stream_wrote(struct stream *s, ssize_t n);

/* The owner's part, after either of them. */
void stream_settle(struct stream *s);

/* Watches the socket for what the state asks for. */
void stream_watch(struct stream *s);

/* Closes the fd and tells the owner, who may free the stream: nothing touches it afterwards. */
void stream_bury(struct stream *s);

/* Callbacks of the events in struct streams. */
void stream_on_turn(evutil_socket_t fd, short what, void *arg);
void stream_on_closing_time(evutil_socket_t fd, short what, void *arg);

#endif
