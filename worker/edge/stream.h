/*
 * One client socket: bytes in by callback, frames out by queue. Non-blocking, on the loop.
 *
 * `struct streams` is what all sockets of a worker share: the 64 KiB read buffer, the list of
 * sockets with something to write, the list of dead ones, the closing ones. `struct stream` is
 * embedded in the session and small: an idle connection owns no other memory here.
 *
 * Reading: one read() per readiness, into the shared buffer. on_bytes() gets what was left from
 * before together with the new bytes, in one piece that it may change in place (unmasking), and
 * returns how many it has used up. Only the rest is kept for the connection. The pointer is invalid
 * after on_bytes() returns.
 *
 * Writing: stream_send() only queues. At the end of the loop's turn each socket with output gets
 * one write with all of it; the rest waits for the socket. Sockets are written to in batches, so
 * others may have been when an owner learns of its own. While more than `pause_above` bytes wait,
 * nothing is read from that client: it cannot make us answer more than it takes.
 *
 * Ending: whatever the cause, on_closed() comes exactly once, at the end of a turn, never from
 * within a call of yours. After it the stream is dead, its fd closed, and the memory around it may
 * be freed (in the callback itself). Before it, never free the memory.
 *
 * What may be called from where: from on_bytes() and on_drained() every function below. From
 * on_closed() only functions of *other* streams, and stream_send() to them is fine. stream_send(),
 * stream_close() and stream_abort() are safe at any time between stream_open() and on_closed(),
 * also after the end has begun: then they do nothing.
 */
#ifndef WORKER_EDGE_STREAM_H
#define WORKER_EDGE_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/base/clock.h"
#include "common/base/frame.h"
#include "common/base/list.h"
#include "common/base/macros.h"
#include "worker/edge/outq.h"

struct loop;
struct stream;
struct streams;

#define STREAM_READ_BUFFER 65536

enum stream_end {
	STREAM_END_PEER,    /* the peer closed its side */
	STREAM_END_ERROR,   /* the socket failed: err is the errno */
	STREAM_END_CLOSED,  /* stream_close() ran its course */
	STREAM_END_TIMEOUT, /* stream_close() gave up waiting for the peer */
	STREAM_END_ABORTED, /* stream_abort() */
	STREAM_END_FULL,    /* on_bytes() used nothing of a full read buffer: a fault of ours */
};

struct stream_handler {
	/*
	 * n > 0 bytes, in place; returns how many of the first were used (the rest comes again with
	 * more behind it, or after stream_resume()). Not called while reading is paused, nor after
	 * stream_close() or stream_abort().
	 */
	size_t (*on_bytes)(struct stream *s, char *bytes, size_t n);

	/* The end, see above. err is 0 except for STREAM_END_ERROR. */
	void (*on_closed)(struct stream *s, enum stream_end end, int err);

	/* All output has been handed to the kernel; once for each stream_want_drained(). May be
	 * NULL. */
	void (*on_drained)(struct stream *s);
};

struct stream_limits {
	size_t high;	    /* output queue: see outq.h; 0 = OUTQ_HIGH_DEFAULT */
	size_t pause_above; /* stop reading while more output waits; 0 = 64 KiB */
	usec_t linger;	    /* how long a close waits for the peer; 0 = 5 s */
	usec_t turn;	    /* most time of the end of a turn; 0 = 50 ms */
};

/* Counters of all streams of the worker, for the metrics; only ever grow, but the first two. */
struct stream_counts {
	uint64_t open;
	uint64_t waiting; /* bytes of output; a frame that waits at many is counted at each */
	uint64_t bytes_in;
	uint64_t bytes_out;
	uint64_t reads;
	uint64_t writes;
	uint64_t refused_frames; /* pushes above the high mark */
};

/* How bytes get in and out of the fd: plain sockets here, TLS elsewhere. */
struct stream_ops {
	/* write() is sendmsg() of the output queue as it is; others may make that call. */
	bool bare;
	/* Bytes read; 0 at the end of the stream; -errno, -EAGAIN for "not now". */
	ssize_t (*read)(struct stream *s, void *to, size_t n);
	/* Bytes written of the output queue, or -errno. Must not call outq_written(). */
	ssize_t (*write)(struct stream *s);
	/* Says to the peer that we send no more. */
	void (*shutdown)(struct stream *s);
	/* Frees s->secure. */
	void (*done)(struct stream *s);
	/* Whether decrypted bytes are ready although the socket is not readable. */
	bool (*pending)(const struct stream *s);
};

extern const struct stream_ops stream_plain;

/* Treat as private; the struct is here to be embedded. */
struct stream {
	struct event ev;
	struct streams *all;
	const struct stream_ops *ops;
	const struct stream_handler *handler;
	void *secure;		     /* of the TLS ops */
	struct stream_left *left;    /* bytes that on_bytes() did not use; NULL if none */
	struct stream_closing *last; /* while CLOSING or LINGERING */
	struct outq out;
	STAILQ_ENTRY(stream) turn; /* while something is to be done at the end of the turn */
	uint8_t state;
	uint8_t flags;
	uint8_t end; /* enum stream_end */
	int err;
};

/*
 * The shared part; one per worker. The loop must outlive it. Free it only when no stream is open.
 */
MALLOC_LIKE struct streams *streams_new(struct loop *loop, const struct stream_limits *limits);
void streams_free(struct streams *all);
/*
 * From now on writes for several sockets are one system call, with the same outcome. -errno, and
 * all stays as it is, where there is no io_uring: see uring_new(). Should it fail later, a line of
 * the log says so, and each socket has its own system call again.
 */
MUST_CHECK int streams_use_uring(struct streams *all);
/*
 * on_behind() is called when the end of a turn was not finished in its time, and when it is after
 * all: whoever brings new output should bring none meanwhile, or it gathers without bound.
 */
void streams_watch_behind(struct streams *all, void (*on_behind)(void *ctx, bool behind),
			  void *ctx);
/* All that is left for the ends of turns, at once: before the loop is left for ever. */
void streams_finish(struct streams *all);
/* New limits from now on (reload). */
void streams_set_limits(struct streams *all, const struct stream_limits *limits);
const struct stream_counts *streams_counts(const struct streams *all);

/*
 * Takes over a connected, non-blocking fd and begins to read. ops is &stream_plain or a TLS one
 * with its state in `secure`. The stream's memory must be zeroed. Cannot fail.
 */
void stream_open(struct stream *s, struct streams *all, int fd, const struct stream_ops *ops,
		 void *secure, const struct stream_handler *handler);

/*
 * Queues a frame (taking a reference of its own) for the end of this turn. False: it would exceed
 * the high mark; nothing was queued, and the caller decides (a slow reader: stream_cut(), a close
 * frame, stream_close()). True without doing anything once the stream is ending.
 */
MUST_CHECK bool stream_send(struct stream *s, struct frame *f);

/* The same, ahead of everything that has not begun to go out: pongs. */
MUST_CHECK bool stream_send_urgent(struct stream *s, struct frame *f);

/* Drops the output of which no byte has gone out. */
void stream_cut(struct stream *s);

/* Bytes that wait to be written. */
size_t stream_waiting(const struct stream *s);

/* Bytes of memory held beside the struct itself, for the accounts of the connection. */
size_t stream_held(const struct stream *s);

/*
 * Ask for on_drained() when the queue is empty: at the end of this turn at the earliest, also if it
 * is empty already.
 */
void stream_want_drained(struct stream *s);

/*
 * No more on_bytes() until resumed; what was not used is kept, what the client sends waits in the
 * kernel. After a resume the kept bytes are offered again at the end of the turn, without waiting
 * for new ones; also if it was not paused, so that on_bytes() can spread its work over turns:
 * return what is done so far and resume. Both are idempotent.
 */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);

/*
 * Orderly end: writes what is queued, says that no more comes (half close), then reads and discards
 * until the peer closes too, so that it gets our last bytes although it has sent what nobody read.
 * Gives up after `linger` without progress.
 */
void stream_close(struct stream *s);

/* The end at once; unsent output is dropped. */
void stream_abort(struct stream *s);

/* Whether the end has begun, by either side. */
bool stream_is_ending(const struct stream *s);

int stream_fd(const struct stream *s);

#endif
