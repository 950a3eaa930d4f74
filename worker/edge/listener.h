/* Listening sockets: the supervisor opens them before it forks, a worker accepts. */
#ifndef WORKER_EDGE_LISTENER_H
#define WORKER_EDGE_LISTENER_H

#include <stdbool.h>

#include "common/base/macros.h"
#include "worker/edge/address.h"

struct loop;

/*
 * Opens a non-blocking, close-on-exec listening socket. Sockets of several workers on one TCP
 * address form a SO_REUSEPORT group: call once per worker. A unix socket cannot be shared like
 * that: open it once and let all workers accept from it; a dead socket file in the way is replaced.
 * 0 and *ret_fd, or -errno.
 */
MUST_CHECK int listener_open(const struct address *a, int backlog, int *ret_fd);

/* The address a socket is bound to (which port, after port 0). 0 or -errno. */
MUST_CHECK int listener_address(int fd, struct address *ret);

struct listener;

struct listener_ops {
	/*
	 * A new connection: the callee owns the fd from here on. It is non-blocking, close-on-exec
	 * and, on TCP, has TCP_NODELAY. May call listener_stop() and listener_free().
	 */
	void (*on_accept)(void *ctx, int fd, const struct address *peer);
	/* accept() failed for lack of `err` (EMFILE, ENFILE, ENOBUFS, ENOMEM); for a log line. May
	 * be NULL. */
	void (*on_starved)(void *ctx, int err);
};

/*
 * Accepts from fd on the loop, at most LISTENER_BATCH connections a turn. Without free descriptors
 * it gives up its reserve to refuse the waiting ones at once, and rests for 100 ms instead of
 * spinning. Takes the fd over. ctx and ops must outlive it.
 */
#define LISTENER_BATCH 64
MALLOC_LIKE struct listener *listener_new(struct loop *loop, int fd, const struct listener_ops *ops,
					  void *ctx);

/* Stops accepting and closes our copy of the fd: other holders keep the queue. Idempotent. */
void listener_stop(struct listener *l);

/* Stops if need be. NULL is allowed. */
void listener_free(struct listener *l);

/* For overload: connections wait in the kernel's queue meanwhile. */
void listener_pause(struct listener *l);
void listener_resume(struct listener *l);

#endif
