/*
 * A ZeroMQ socket on the loop: the one file that knows zmq.h.
 *
 * ZeroMQ signals readiness through a descriptor that is edge-triggered in meaning: any call on the
 * socket may swallow the signal. So messages are taken until none is left or the bound of the turn
 * is reached, and after each send and receive of a turn the state is looked at once more; a timer
 * of a second looks, too, and counts when it finds anything.
 *
 * No high-water marks: whoever sends bounds what is on its way by acknowledgements. Messages to a
 * peer that is not there are refused, not lost in silence. Each socket has a context, with an I/O
 * thread, of its own: make it after fork, free it before exit.
 *
 * ipc sockets are made with mode 0660, so that the group decides who may speak.
 */
#ifndef COMMON_LOOP_ZSOCK_H
#define COMMON_LOOP_ZSOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/macros.h"
#include "common/base/slice.h"

struct loop;
struct zsock;

/* Most messages that are taken in one turn of the loop. */
#define ZSOCK_BATCH 64

/* Longest name of a peer. */
#define ZSOCK_PEER 32

enum zsock_type {
	ZSOCK_ROUTER, /* speaks with many, each has a name */
	ZSOCK_DEALER, /* speaks with one; the other end gives each connection a fresh name */
};

/* None of them may call zsock_free(). */
struct zsock_ops {
	/* A whole message; slices are valid during the call. `peer` is empty at a dealer. */
	void (*on_message)(void *ctx, struct slice peer, struct slice message);
	/* A dealer's connection stands, or is lost; it is tried again by itself. NULL at a router.
	 */
	void (*on_connection)(void *ctx, bool up);
};

/* Messages of more than `most` bytes end the connection they come from. Never NULL. */
MALLOC_LIKE struct zsock *zsock_new(struct loop *loop, enum zsock_type type, size_t most,
				    const struct zsock_ops *ops, void *ctx);

/* What has not gone out within `linger` is thrown away. NULL is allowed. */
void zsock_free(struct zsock *z, usec_t linger);

/* ipc:///PATH or tcp://HOST:PORT. 0 or -errno. */
MUST_CHECK int zsock_bind(struct zsock *z, const char *endpoint);
/* Starts to connect, and goes on until it succeeds. 0 or -errno. */
MUST_CHECK int zsock_connect(struct zsock *z, const char *endpoint);

/* Ends what zsock_connect() has begun; what has not gone out yet may be lost. */
void zsock_disconnect(struct zsock *z, const char *endpoint);

/* While it is held nothing is received; sending goes on. */
void zsock_hold(struct zsock *z, bool hold);

/*
 * Sends `head` and `body` as one message; copies them. 0; -EHOSTUNREACH: a router has no such peer;
 * -EAGAIN: a dealer has no connection. A dealer's `peer` is empty.
 */
MUST_CHECK int zsock_send(struct zsock *z, struct slice peer, struct slice head, struct slice body);

/*
 * During on_message(): the process at the other end, as this one sees it; 0 = it is on another host
 * (tcp), or cannot be seen from here.
 */
uint32_t zsock_peer_pid(const struct zsock *z);

/* How often the safety timer found messages: stays 0 as long as the pattern holds. */
uint64_t zsock_missed(const struct zsock *z);

#endif
