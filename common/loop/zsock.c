#include "common/loop/zsock.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <event2/event.h>
#include <event2/event_struct.h>
#include <zmq.h>

#include "common/base/mem.h"
#include "common/loop/loop.h"

#define SAFETY (1 * USEC_PER_SEC)
/* For the messages of one turn: far less than a heartbeat, long enough to join what they cause. */
#define PUMP_MOST (100 * USEC_PER_MSEC)
#define RECONNECT_MS 20 /* first pause before a connection is tried again */
#define RECONNECT_MAX_MS 500

/* Where a dealer's I/O thread tells of its connection. */
#define MONITOR "inproc://monitor"
#define MONITOR_EVENTS (ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED)

struct zsock {
	void *context;
	void *socket;
	void *monitor; /* NULL at a router */
	struct event ready_ev;
	struct event monitor_ev;
	struct event kick_ev; /* pump again: something is there, or may be */
	struct event safety_ev;
	const struct zsock_ops *ops;
	void *ctx;
	zmq_msg_t *handling; /* during on_message() */
	uint64_t missed;
	bool router;
	bool pumping;
	bool kicked;
	bool held;
};

static void set_int(void *socket, int option, int value)
{
	if (zmq_setsockopt(socket, option, &value, sizeof(value)) != 0)
		die("zmq_setsockopt(%d): %s", option, zmq_strerror(errno));
}

static int get_int(void *socket, int option)
{
	int value = 0;
	size_t n = sizeof(value);

	while (zmq_getsockopt(socket, option, &value, &n) != 0) {
		if (errno != EINTR)
			die("zmq_getsockopt(%d): %s", option, zmq_strerror(errno));
	}
	return value;
}

static struct slice message_slice(zmq_msg_t *m)
{
	return slice_of(zmq_msg_data(m), zmq_msg_size(m));
}

static void message_init(zmq_msg_t *m)
{
	if (zmq_msg_init(m) != 0)
		die("zmq_msg_init(): %s", zmq_strerror(errno));
}

static void message_done(zmq_msg_t *m)
{
	(void)zmq_msg_close(m); /* cannot fail for a message that was initialised */
}

/* ---- receiving ---- */

/* False: nothing there. */
static bool receive(void *socket, zmq_msg_t *m)
{
	while (zmq_msg_recv(m, socket, ZMQ_DONTWAIT) < 0) {
		if (errno == EAGAIN)
			return false;
		if (errno != EINTR)
			die("zmq_msg_recv(): %s", zmq_strerror(errno));
	}
	return true;
}

/* Frames that we do not send, but somebody might. */
static void skip_rest(void *socket, zmq_msg_t *last)
{
	while (zmq_msg_more(last) && receive(socket, last))
		continue;
}

static bool receive_one(struct zsock *z)
{
	struct slice name = SLICE_NONE;
	zmq_msg_t peer;
	zmq_msg_t m;
	bool whole;

	message_init(&peer);
	message_init(&m);
	whole = receive(z->socket, z->router ? &peer : &m);
	if (whole) {
		if (z->router) {
			name = message_slice(&peer);
			/* Frames of one message come together. */
			whole = zmq_msg_more(&peer) && receive(z->socket, &m);
		}
		z->handling = &m;
		if (whole && !zmq_msg_more(&m) && name.n <= ZSOCK_PEER)
			z->ops->on_message(z->ctx, name, message_slice(&m));
		else if (whole)
			skip_rest(z->socket, &m);
		z->handling = NULL;
		whole = true;
	}
	message_done(&m);
	message_done(&peer);
	return whole;
}

/*
 * ZeroMQ notes "localhost:UID:GID:PID", or without the name, of who has connected to a unix socket.
 * Other addresses are not of that form: an IPv6 one that begins with a colon begins with two.
 */
uint32_t zsock_peer_pid(const struct zsock *z)
{
	const char *text = z->handling != NULL ? zmq_msg_gets(z->handling, "Peer-Address") : NULL;
	struct slice rest = slice_str(text);
	unsigned long long number;
	struct slice word;

	if (!slice_cut(rest, ':', &word, &rest) ||
	    (word.n > 0 && !slice_eq(word, SLICE("localhost"))))
		return 0;
	for (int i = 0; i < 2; i++) {
		if (!slice_cut(rest, ':', &word, &rest) || !slice_to_u64(word, &number))
			return 0;
	}
	return slice_to_u64(rest, &number) && number <= UINT32_MAX ? (uint32_t)number : 0;
}

/* Looks once more, in this turn but after all that is ready now. */
static void kick(struct zsock *z)
{
	if (z->pumping || z->kicked)
		return;
	z->kicked = true;
	event_active(&z->kick_ev, 0, 0);
}

static unsigned pump(struct zsock *z)
{
	usec_t end = clock_mono() + PUMP_MOST;
	unsigned n = 0;
	bool more;

	if (z->held)
		return 0;
	z->pumping = true;
	while ((more = receive_one(z))) {
		n++;
		/* Timers, and what the messages have caused, wait until we return. */
		if (n == ZSOCK_BATCH || clock_mono() >= end)
			break;
	}
	z->pumping = false;
	/*
	 * A receive that finds nothing has taken all signals before it looked, so whatever comes
	 * from now on makes the descriptor readable again. Only where we stopped early is it not
	 * known what lies there; asking would cost as much as looking.
	 */
	if (more)
		kick(z);
	return n;
}

void zsock_hold(struct zsock *z, bool hold)
{
	z->held = hold;
	if (!hold)
		kick(z);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)pump(arg);
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
	struct zsock *z = arg;

	(void)fd;
	(void)what;
	z->kicked = false;
	(void)pump(z);
}

static void on_safety(evutil_socket_t fd, short what, void *arg)
{
	struct zsock *z = arg;
	struct pollfd ready = {.fd = event_get_fd(&z->ready_ev), .events = POLLIN};

	(void)fd;
	(void)what;
	/* A signal that is there has not been missed: the loop is about to see it. */
	if (!z->kicked && poll(&ready, 1, 0) == 0 && pump(z) > 0)
		z->missed++;
}

/* ---- the connection of a dealer ---- */

static bool monitor_one(struct zsock *z)
{
	uint16_t event = 0;
	zmq_msg_t m;
	bool there;

	message_init(&m);
	there = receive(z->monitor, &m);
	if (there) {
		if (zmq_msg_size(&m) >= sizeof(event))
			memcpy(&event, zmq_msg_data(&m), sizeof(event));
		skip_rest(z->monitor, &m); /* the endpoint */
	}
	message_done(&m);
	if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
		z->ops->on_connection(z->ctx, true);
	else if (event == ZMQ_EVENT_DISCONNECTED)
		z->ops->on_connection(z->ctx, false);
	return there;
}

static void on_monitor(evutil_socket_t fd, short what, void *arg)
{
	struct zsock *z = arg;

	(void)fd;
	(void)what;
	while ((get_int(z->monitor, ZMQ_EVENTS) & ZMQ_POLLIN) != 0 && monitor_one(z))
		continue;
}

static void open_monitor(struct zsock *z)
{
	if (zmq_socket_monitor(z->socket, MONITOR, MONITOR_EVENTS) != 0)
		die("zmq_socket_monitor(): %s", zmq_strerror(errno));
	z->monitor = zmq_socket(z->context, ZMQ_PAIR);
	if (z->monitor == NULL || zmq_connect(z->monitor, MONITOR) != 0)
		die("no monitor: %s", zmq_strerror(errno));
	set_int(z->monitor, ZMQ_LINGER, 0);
}

/* ---- sending ---- */

static int send_frame(struct zsock *z, struct slice a, struct slice b, int flags)
{
	zmq_msg_t m;
	char *at;

	if (zmq_msg_init_size(&m, a.n + b.n) != 0)
		die("zmq_msg_init_size(): %s", zmq_strerror(errno));
	at = zmq_msg_data(&m);
	if (a.n > 0)
		memcpy(at, a.p, a.n);
	if (b.n > 0)
		memcpy(at + a.n, b.p, b.n);
	while (zmq_msg_send(&m, z->socket, flags | ZMQ_DONTWAIT) < 0) {
		int err = errno;

		if (err == EINTR)
			continue;
		message_done(&m);
		if (err != EAGAIN && err != EHOSTUNREACH)
			die("zmq_msg_send(): %s", zmq_strerror(err));
		return -err;
	}
	return 0;
}

int zsock_send(struct zsock *z, struct slice peer, struct slice head, struct slice body)
{
	int r = 0;

	if (z->router)
		r = send_frame(z, peer, SLICE_NONE, ZMQ_SNDMORE);
	if (r == 0)
		r = send_frame(z, head, body, 0);
	kick(z); /* sending may have swallowed the signal of what has come in */
	return r;
}

/* ---- the life ---- */

static void watch(struct zsock *z, struct loop *loop)
{
	struct timeval safety = loop_timeval(SAFETY);
	struct event_base *base = loop_base(loop);

	if (event_assign(&z->ready_ev, base, get_int(z->socket, ZMQ_FD), EV_READ | EV_PERSIST,
			 on_ready, z) != 0 ||
	    event_assign(&z->kick_ev, base, -1, 0, on_kick, z) != 0 ||
	    event_assign(&z->safety_ev, base, -1, EV_PERSIST, on_safety, z) != 0 ||
	    event_add(&z->ready_ev, NULL) != 0 || event_add(&z->safety_ev, &safety) != 0)
		die("no events for a ZeroMQ socket");
	if (z->monitor == NULL)
		return;
	if (event_assign(&z->monitor_ev, base, get_int(z->monitor, ZMQ_FD), EV_READ | EV_PERSIST,
			 on_monitor, z) != 0 ||
	    event_add(&z->monitor_ev, NULL) != 0)
		die("no events for a ZeroMQ monitor");
	/* Only who has found nothing once is told when there is something. */
	event_active(&z->monitor_ev, EV_READ, 0);
}

static void set_options(struct zsock *z, size_t most)
{
	int64_t most_bytes = (int64_t)most;

	set_int(z->socket, ZMQ_SNDHWM, 0);
	set_int(z->socket, ZMQ_RCVHWM, 0);
	set_int(z->socket, ZMQ_LINGER, 0);
	if (zmq_setsockopt(z->socket, ZMQ_MAXMSGSIZE, &most_bytes, sizeof(most_bytes)) != 0)
		die("zmq_setsockopt(): %s", zmq_strerror(errno));
	if (z->router) {
		set_int(z->socket, ZMQ_ROUTER_MANDATORY, 1);
		return;
	}
	set_int(z->socket, ZMQ_IMMEDIATE, 1); /* nothing is queued for a broker to come */
	set_int(z->socket, ZMQ_RECONNECT_IVL, RECONNECT_MS);
	set_int(z->socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS);
}

struct zsock *zsock_new(struct loop *loop, enum zsock_type type, size_t most,
			const struct zsock_ops *ops, void *ctx)
{
	struct zsock *z = NEW(struct zsock);

	z->ops = ops;
	z->ctx = ctx;
	z->router = type == ZSOCK_ROUTER;
	z->context = zmq_ctx_new();
	if (z->context == NULL)
		die("zmq_ctx_new(): %s", zmq_strerror(errno));
	z->socket = zmq_socket(z->context, z->router ? ZMQ_ROUTER : ZMQ_DEALER);
	if (z->socket == NULL)
		die("zmq_socket(): %s", zmq_strerror(errno));
	set_options(z, most);
	if (!z->router)
		open_monitor(z);
	watch(z, loop);
	return z;
}

void zsock_free(struct zsock *z, usec_t linger)
{
	if (z == NULL)
		return;
	(void)event_del(&z->ready_ev); /* cannot fail: all were assigned */
	(void)event_del(&z->kick_ev);
	(void)event_del(&z->safety_ev);
	set_int(z->socket, ZMQ_LINGER, (int)(linger / USEC_PER_MSEC));
	if (z->monitor != NULL) {
		(void)event_del(&z->monitor_ev);
		(void)zmq_socket_monitor(z->socket, NULL, 0); /* ends it; cannot fail */
		(void)zmq_close(z->monitor);
	}
	(void)zmq_close(z->socket);
	while (zmq_ctx_term(z->context) != 0 && errno == EINTR)
		continue;
	free(z);
}

int zsock_bind(struct zsock *z, const char *endpoint)
{
	mode_t before = umask(0007);
	int r = zmq_bind(z->socket, endpoint) == 0 ? 0 : -errno;

	(void)umask(before);
	kick(z);
	return r;
}

int zsock_connect(struct zsock *z, const char *endpoint)
{
	int r = zmq_connect(z->socket, endpoint) == 0 ? 0 : -errno;

	kick(z);
	return r;
}

void zsock_disconnect(struct zsock *z, const char *endpoint)
{
	(void)zmq_disconnect(z->socket, endpoint); /* fails where nothing was begun */
	kick(z);
}

uint64_t zsock_missed(const struct zsock *z)
{
	return z->missed;
}
