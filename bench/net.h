/*
 * Sockets of a load process: many connections to one server, on one epoll, plain or TLS. Bytes in
 * by callback, bytes out by copy; an idle connection owns no memory here.
 *
 * on_bytes() gets what was left from before together with the new bytes, in one piece that it may
 * change, and returns how many it has used up; the pointer is invalid afterwards. on_end() comes
 * once, whatever the cause, and never from within conn_send() or conn_close(); after it the
 * connection may be opened again.
 */
#ifndef BENCH_NET_H
#define BENCH_NET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/macros.h"
#include "common/base/slice.h"

struct conn;
struct net;

struct conn_handler {
	void (*on_open)(struct conn *c);
	size_t (*on_bytes)(struct conn *c, char *bytes, size_t n);
	/* err: 0 = the server closed, else an errno */
	void (*on_end)(struct conn *c, int err);
};

/* Treat as private; the struct is here to be embedded. Zeroed = closed. */
struct conn {
	struct net *net;
	const struct conn_handler *handler;
	void *secure;
	char *left; /* bytes that on_bytes() did not use */
	uint32_t left_n;
	int fd;
	struct buf out; /* what the kernel did not take */
	uint8_t state;
	bool watches_write;
	bool broken; /* on_end() follows */
};

struct net_target {
	struct sockaddr_storage address;
	socklen_t address_n;
	bool tls;
	const char *host; /* for TLS' server name */
};

/*
 * Connects from the addresses first, first + 1, ... of `sources` many, in turn; none = from any.
 * Only for IPv4, where one address has room for some 28,000 connections.
 */
struct net_sources {
	uint32_t first; /* host order */
	uint32_t count;
};

/* target must outlive it. */
MALLOC_LIKE struct net *net_new(const struct net_target *target, struct net_sources sources);
/* All connections must be closed. NULL is allowed. */
void net_free(struct net *net);

/* 0 or -errno: then nothing is open and on_end() does not come. */
MUST_CHECK int conn_open(struct net *net, struct conn *c, const struct conn_handler *handler);
/* Sends now, keeps what the kernel does not take. Nothing happens on a closed connection. */
void conn_send(struct conn *c, struct slice bytes);
/* Bytes that wait. */
size_t conn_waiting(const struct conn *c);
/* At once; on_end() does not come. */
void conn_close(struct conn *c);
bool conn_is_open(const struct conn *c);

/*
 * Waits for at most `wait` microseconds and handles what is ready; *now is the time before each
 * connection's bytes are looked at.
 */
void net_turn(struct net *net, usec_t wait, usec_t *now);

#endif
