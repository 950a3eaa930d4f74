#include "tests/bench/bare_http.h"

#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/http.h"
#include "common/base/buf.h"
#include "common/base/mem.h"
#include "tests/bench/bare_requests.h"

#define ANSWER_MAX (4U << 20)
#define READ_SIZE (64U << 10)
#define LOOK_MS 100
#define LINES_MAX 64

struct line {
	int fd;
	struct buf in;
	usec_t since;
};

struct asking {
	struct bare_meter meter;
	struct bare_requests requests;
	struct buf out;
	struct line lines[LINES_MAX];
	uint32_t n;
	bool history;
};

static void need(bool ok, const char *what)
{
	if (!ok)
		die("%s: %s", what, strerror(errno));
}

static int connect_to(const char *target)
{
	static const int on = 1;
	const char *colon = strrchr(target, ':');
	char host[64];
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
	struct addrinfo *found;
	int fd;

	if (colon == NULL)
		die("-t is HOST:PORT");
	(void)snprintf(host, sizeof(host), "%.*s", (int)(colon - target), target);
	if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
		die("-t %s: no numeric address", target);
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	need(fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) == 0 &&
		     setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0,
	     "connect()");
	freeaddrinfo(found);
	return fd;
}

static void ask(struct asking *a, struct line *line)
{
	const struct bare_request *q = bare_requests_next(&a->requests);

	buf_clear(&a->out);
	if (!a->history)
		(void)buf_add(&a->out, SLICE("GET /api/websocket/active-chats"));
	else
		(void)buf_printf(&a->out, "GET /api/websocket/chats/%" PRIu64 "/messages", q->chat);
	if (a->history && q->before != 0)
		(void)buf_printf(&a->out, "?before_seq=%" PRIu64, q->before);
	(void)buf_printf(&a->out, " HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n\r\n",
			 q->token);
	line->since = clock_mono();
	need(send(line->fd, a->out.p, a->out.n, MSG_NOSIGNAL) == (ssize_t)a->out.n, "send()");
}

static void on_readable(struct asking *a, struct line *line)
{
	char *to = buf_reserve(&line->in, READ_SIZE);
	struct http_answer answer;
	ssize_t got;
	size_t n;

	if (to == NULL)
		die("an answer of more than %u bytes", ANSWER_MAX);
	got = recv(line->fd, to, READ_SIZE, MSG_DONTWAIT);
	need(got > 0, "recv()");
	line->in.n += (size_t)got;
	if (!http_take_answer(buf_slice(&line->in), &n, &answer))
		return;
	if (answer.status != 200)
		die("HTTP %u %.*s", answer.status, SLICE_ARG(slice_first(answer.body, 200)));
	bare_meter_add(&a->meter, clock_mono(), line->since, 1, answer.body.n);
	buf_consume(&line->in, n);
	ask(a, line);
}

static void turn(struct asking *a)
{
	struct pollfd p[LINES_MAX];

	for (uint32_t i = 0; i < a->n; i++)
		p[i] = (struct pollfd){a->lines[i].fd, POLLIN, 0};
	need(poll(p, a->n, LOOK_MS) >= 0 || errno == EINTR, "poll()");
	for (uint32_t i = 0; i < a->n; i++)
		if (p[i].revents != 0)
			on_readable(a, &a->lines[i]);
}

int bare_http(const struct bare_options *o, const char *kind, bool history)
{
	struct asking a = {.history = history};

	bare_requests_load(&a.requests, o->requests);
	buf_init(&a.out, READ_SIZE);
	a.n = o->outstanding < LINES_MAX ? o->outstanding : LINES_MAX;
	for (uint32_t i = 0; i < a.n; i++) {
		a.lines[i].fd = connect_to(o->target);
		buf_init(&a.lines[i].in, ANSWER_MAX);
	}
	bare_meter_init(&a.meter, o);
	for (uint32_t i = 0; i < a.n; i++)
		ask(&a, &a.lines[i]);
	while (!bare_meter_over(&a.meter, clock_mono()))
		turn(&a);
	bare_meter_print(&a.meter, kind);
	for (uint32_t i = 0; i < a.n; i++) {
		(void)close(a.lines[i].fd);
		buf_done(&a.lines[i].in);
	}
	buf_done(&a.out);
	bare_requests_done(&a.requests);
	return 0;
}
