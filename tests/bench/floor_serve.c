/* Floors of serving: a server that knows just enough of the protocol for chat-bench to load it. */
#include "tests/bench/floor.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <zmq.h>

#include "common/base/macros.h"
#include "common/base/mem.h"

#define CONNECTIONS_MAX 20000
#define BUFFER 65536
#define EVENTS 256
#define ENDPOINT_MAX 64

static const char welcome[] =
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
	"\x81\x7b{\"event\":\"pusher:connection_established\",\"data\":"
	"\"{\\\"socket_id\\\":\\\"11111111.1111111111\\\",\\\"activity_timeout\\\":30}\"}         ";
static const char subscribed[] =
	"\x81\x57{\"event\":\"pusher_internal:subscription_succeeded\",\"channel\":\"x\","
	"\"data\":\"{}\"}           ";

struct server {
	int listener;
	int epoll;
	void *zmq; /* NULL: no relay */
	int *clients;
	uint32_t n;
	uint32_t at[CONNECTIONS_MAX + 1024]; /* place in clients, by descriptor */
	char buffer[BUFFER];
};

static void need(bool ok, const char *what)
{
	if (!ok)
		die("%s: %s", what, strerror(errno));
}

static int listen_on(uint16_t *port)
{
	static const int on = 1;
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_addr = {htonl(INADDR_LOOPBACK)},
				.sin_port = htons(*port)};
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	need(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0 &&
		     bind(fd, (const struct sockaddr *)&a, n) == 0 && listen(fd, 4096) == 0 &&
		     getsockname(fd, (struct sockaddr *)&a, &n) == 0,
	     "listen()");
	*port = ntohs(a.sin_port);
	return fd;
}

static void watch(const struct server *s, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

	need(epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) == 0, "epoll_ctl()");
}

/* ---- clients ---- */

static void accept_some(struct server *s)
{
	static const int on = 1;
	int fd;

	while ((fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		if (fd >= (int)ARRAY_LEN(s->at)) {
			(void)close(fd);
			continue;
		}
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		s->at[fd] = s->n;
		s->clients[s->n++] = fd;
		watch(s, fd);
	}
}

static void drop(struct server *s, int fd)
{
	(void)close(fd);
	s->clients[s->at[fd]] = s->clients[--s->n];
	s->at[s->clients[s->at[fd]]] = s->at[fd];
}

static void put(int fd, const void *bytes, size_t n)
{
	(void)send(fd, bytes, n, MSG_NOSIGNAL); /* a full socket loses it: this is no server */
}

static void broadcast(const struct server *s, const void *frame, size_t n)
{
	for (uint32_t i = 0; i < s->n; i++)
		put(s->clients[i], frame, n);
}

/* A masked frame of less than 64 KiB, turned into one of ours in its place; 0: it is not whole. */
static size_t decode(char *bytes, size_t n, size_t *ret_n)
{
	uint8_t *p = (uint8_t *)bytes;
	size_t head = (p[1] & 0x7F) == 126 ? 4 : 2;
	size_t len = head == 4 ? (size_t)p[2] << 8 | p[3] : p[1] & 0x7FU;
	uint8_t mask[4];

	*ret_n = head + 4 + len;
	if (n < *ret_n)
		return 0;
	memcpy(mask, p + head, sizeof(mask));
	p[1] &= 0x7F;
	for (size_t i = 0; i < len; i++)
		p[head + i] = p[head + 4 + i] ^ mask[i & 3];
	return head + len;
}

static void on_frame(struct server *s, int fd, const char *frame, size_t n)
{
	if (memmem(frame, MIN(n, (size_t)40), "pusher:subscribe", 16) != NULL)
		put(fd, subscribed, sizeof(subscribed) - 1);
	else if (s->zmq == NULL)
		broadcast(s, frame, n);
	else
		(void)zmq_send(s->zmq, frame, n, 0); /* a lost one is no matter here */
}

static void on_client(struct server *s, int fd)
{
	ssize_t n = recv(fd, s->buffer, BUFFER, 0);
	size_t at = 0;
	size_t took;

	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			drop(s, fd);
		return;
	}
	if (s->buffer[0] == 'G') {
		put(fd, welcome, sizeof(welcome) - 1);
		return;
	}
	while (at + 6 <= (size_t)n) {
		size_t len = decode(s->buffer + at, (size_t)n - at, &took);

		if (len == 0)
			return;
		on_frame(s, fd, s->buffer + at, len);
		at += took;
	}
}

/* ---- a worker ---- */

static void from_broker(struct server *s)
{
	static char frame[BUFFER];
	int n;

	while ((n = zmq_recv(s->zmq, frame, sizeof(frame), ZMQ_DONTWAIT)) >= 0)
		broadcast(s, frame, (size_t)n);
}

static int lane_fd(void *socket)
{
	int fd = -1;
	size_t n = sizeof(fd);

	need(zmq_getsockopt(socket, ZMQ_FD, &fd, &n) == 0, "zmq_getsockopt()");
	return fd;
}

static void run_worker(struct server *s)
{
	struct epoll_event events[EVENTS];
	int lane = s->zmq != NULL ? lane_fd(s->zmq) : -1;

	s->epoll = epoll_create1(0);
	s->clients = mem_calloc(ARRAY_LEN(s->at), sizeof(*s->clients));
	watch(s, s->listener);
	if (lane >= 0)
		watch(s, lane);
	for (;;) {
		int n = epoll_wait(s->epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == s->listener)
				accept_some(s);
			else if (events[i].data.fd != lane)
				on_client(s, events[i].data.fd);
		}
		/* Its descriptor tells of changes only, and sending swallows them. */
		if (s->zmq != NULL)
			from_broker(s);
	}
}

static void end_with_parent(void)
{
	need(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0, "prctl()");
}

static pid_t start_worker(int listener, const char *endpoint)
{
	pid_t pid = fork();
	struct server *s;

	need(pid >= 0, "fork()");
	if (pid > 0)
		return pid;
	end_with_parent();
	s = NEW(struct server);
	s->listener = listener;
	if (endpoint != NULL) {
		s->zmq = zmq_socket(zmq_ctx_new(), ZMQ_DEALER);
		need(s->zmq != NULL && zmq_connect(s->zmq, endpoint) == 0 &&
			     zmq_send(s->zmq, "", 0, 0) == 0,
		     "zmq_connect()");
	}
	run_worker(s);
	return 0;
}

/* ---- the broker ---- */

#define WORKERS_MAX 64

struct peer {
	char name[256];
	size_t n;
};

static void to_all(void *router, const struct peer *peers, uint32_t count, const char *frame,
		   size_t n)
{
	for (uint32_t i = 0; i < count; i++) {
		(void)zmq_send(router, peers[i].name, peers[i].n, ZMQ_SNDMORE);
		(void)zmq_send(router, frame, n, 0);
	}
}

static pid_t start_broker(const char *endpoint)
{
	static struct peer peers[WORKERS_MAX];
	static char frame[BUFFER];
	uint32_t count = 0;
	pid_t pid = fork();
	void *router;

	need(pid >= 0, "fork()");
	if (pid > 0)
		return pid;
	end_with_parent();
	router = zmq_socket(zmq_ctx_new(), ZMQ_ROUTER);
	need(router != NULL && zmq_bind(router, endpoint) == 0, "zmq_bind()");
	for (;;) {
		struct peer from;
		int name = zmq_recv(router, from.name, sizeof(from.name), 0);
		int n = zmq_recv(router, frame, sizeof(frame), 0);

		if (name < 0 || n < 0)
			continue;
		from.n = (size_t)name;
		if (n == 0 && count < WORKERS_MAX)
			peers[count++] = from; /* says that it is there */
		else
			to_all(router, peers, count, frame, (size_t)n);
	}
}

/* ---- the whole ---- */

static void tell_ready(const struct floor_options *o, uint16_t port, pid_t broker,
		       const pid_t *workers)
{
	char path[4096];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s.new", o->ready);
	f = fopen(path, "w");
	need(f != NULL, path);
	(void)fprintf(f, "HOST=127.0.0.1\nPORT=%u\nAPP_KEY=x\nAPP_SECRET=x\n", port);
	if (broker != 0)
		(void)fprintf(f, "BROKER_PID=%d\n", broker);
	(void)fputs("WORKER_PIDS='", f);
	for (uint32_t i = 0; i < o->workers; i++)
		(void)fprintf(f, "%s%d", i > 0 ? " " : "", workers[i]);
	(void)fputs("'\n", f);
	need(fclose(f) == 0 && rename(path, o->ready) == 0, o->ready);
}

static int serve(const struct floor_options *o, bool relay)
{
	pid_t workers[WORKERS_MAX];
	char endpoint[ENDPOINT_MAX];
	pid_t broker = 0;
	uint16_t port = 0;

	need(o->workers >= 1 && o->workers <= WORKERS_MAX, "workers");
	(void)snprintf(endpoint, sizeof(endpoint), "ipc:///tmp/floor.%d", getpid());
	if (relay)
		broker = start_broker(endpoint);
	for (uint32_t i = 0; i < o->workers; i++)
		workers[i] = start_worker(listen_on(&port), relay ? endpoint : NULL);
	tell_ready(o, port, broker, workers);
	(void)pause(); /* a signal ends it, and its children with it */
	return 0;
}

int floor_serve(const struct floor_options *o)
{
	return serve(o, false);
}

int floor_relay(const struct floor_options *o)
{
	return serve(o, true);
}
