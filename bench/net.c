#include "bench/net.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "common/base/mem.h"

#define BUFFER (512U << 10)
#define OUT_MAX (64U << 20)
#define EVENTS 256

enum state {
	CLOSED,
	CONNECTING,
	SECURING, /* TLS handshake */
	OPEN,
};

struct net {
	const struct net_target *target;
	struct net_sources sources;
	uint32_t source; /* the next one */
	int epoll;
	SSL_CTX *tls;
	char buffer[BUFFER];
};

/* ---- the end ---- */

static void drop(struct conn *c)
{
	SSL_free(c->secure); /* NULL is allowed */
	(void)close(c->fd);  /* the kernel takes it off the epoll, too */
	free(c->left);
	buf_done(&c->out);
	c->secure = NULL;
	c->left = NULL;
	c->left_n = 0;
	c->state = CLOSED;
}

static void end(struct conn *c, int err)
{
	const struct conn_handler *handler = c->handler;

	drop(c);
	handler->on_end(c, err);
}

void conn_close(struct conn *c)
{
	if (c->state != CLOSED)
		drop(c);
}

bool conn_is_open(const struct conn *c)
{
	return c->state == OPEN;
}

/* ---- bytes ---- */

/* What the last call of OpenSSL wants: 0 = to be called again later, else an errno. */
static int tls_error(struct conn *c, int r)
{
	int e = SSL_get_error(c->secure, r);

	ERR_clear_error();
	if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
		return EAGAIN;
	return e == SSL_ERROR_ZERO_RETURN ? 0 : ECONNRESET;
}

/* Bytes, 0 at the end, or -errno. */
static ssize_t get(struct conn *c, char *to, size_t n)
{
	ssize_t r;

	if (c->secure != NULL) {
		r = SSL_read(c->secure, to, (int)n);
		return r > 0 ? r : -tls_error(c, (int)r);
	}
	r = recv(c->fd, to, n, 0);
	return r >= 0 ? r : -errno;
}

static ssize_t put(struct conn *c, struct slice bytes)
{
	ssize_t r;

	if (c->secure != NULL) {
		r = SSL_write(c->secure, bytes.p, (int)MIN(bytes.n, (size_t)INT32_MAX));
		return r > 0 ? r : -tls_error(c, (int)r);
	}
	r = send(c->fd, bytes.p, bytes.n, MSG_NOSIGNAL);
	return r >= 0 ? r : -errno;
}

static void watch(struct conn *c)
{
	bool writes = c->state != OPEN || c->out.n > 0;
	struct epoll_event ev = {.events = EPOLLIN | (writes ? EPOLLOUT : 0U), .data.ptr = c};

	if (writes == c->watches_write)
		return;
	c->watches_write = writes;
	if (epoll_ctl(c->net->epoll, EPOLL_CTL_MOD, c->fd, &ev) != 0)
		die("epoll_ctl(): %s", strerror(errno));
}

/* What went out of `bytes`. */
static size_t send_some(struct conn *c, struct slice bytes)
{
	size_t sent = 0;

	while (sent < bytes.n) {
		ssize_t r = put(c, slice_skip(bytes, sent));

		if (r == -EINTR)
			continue;
		if (r <= 0) {
			c->broken = c->broken || (r != -EAGAIN && r != 0);
			break;
		}
		sent += (size_t)r;
	}
	return sent;
}

void conn_send(struct conn *c, struct slice bytes)
{
	size_t sent = 0;

	if (c->state == CLOSED || c->broken)
		return;
	if (c->state == OPEN && c->out.n == 0)
		sent = send_some(c, bytes);
	if (sent < bytes.n && !buf_add(&c->out, slice_skip(bytes, sent)))
		c->broken = true;
	/* The server must see the end of a broken one, or we do: it is readable then. */
	if (c->broken)
		(void)shutdown(c->fd, SHUT_RDWR);
	watch(c);
}

size_t conn_waiting(const struct conn *c)
{
	return c->out.n;
}

static void send_rest(struct conn *c)
{
	buf_consume(&c->out, send_some(c, buf_slice(&c->out)));
	if (c->out.n == 0) {
		size_t max = c->out.max;

		buf_done(&c->out);
		buf_init(&c->out, max);
	}
}

static void keep(struct conn *c, const char *bytes, size_t n)
{
	if (n != c->left_n) {
		free(c->left);
		c->left = n > 0 ? mem_alloc(n) : NULL;
		c->left_n = (uint32_t)n;
	}
	if (n > 0)
		memcpy(c->left, bytes, n);
}

/* False: it has ended. */
static bool receive(struct conn *c)
{
	struct net *net = c->net;
	size_t left = c->left_n;
	ssize_t r;
	size_t used;

	if (left > 0)
		memcpy(net->buffer, c->left, left);
	r = left < BUFFER ? get(c, net->buffer + left, BUFFER - left) : -EMSGSIZE;
	if (r == -EAGAIN || r == -EINTR)
		return false;
	if (r <= 0) {
		end(c, (int)-r);
		return false;
	}
	used = c->handler->on_bytes(c, net->buffer, left + (size_t)r);
	if (c->state == CLOSED)
		return false;
	keep(c, net->buffer + used, left + (size_t)r - used);
	return true;
}

/* ---- opening ---- */

static int bind_source(struct net *net, int fd)
{
	static const int on = 1;
	struct sockaddr_in from = {.sin_family = AF_INET};

	if (net->sources.count == 0)
		return 0;
	from.sin_addr.s_addr = htonl(net->sources.first + net->source);
	net->source = (net->source + 1) % net->sources.count;
	/* The port is chosen by connect(), which knows that it need only be free for this target */
	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) != 0 ||
	    bind(fd, (const struct sockaddr *)&from, sizeof(from)) != 0)
		return -errno;
	return 0;
}

static int connect_once(struct net *net, int *ret_fd)
{
	static const int on = 1;
	const struct net_target *to = net->target;
	int fd = socket(to->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = bind_source(net, fd);
	if (r == 0 && connect(fd, (const struct sockaddr *)&to->address, to->address_n) != 0 &&
	    errno != EINPROGRESS)
		r = -errno;
	if (r < 0) {
		(void)close(fd); /* the first error is the one to tell */
		return r;
	}
	/* Only costs latency when it fails. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	*ret_fd = fd;
	return 0;
}

int conn_open(struct net *net, struct conn *c, const struct conn_handler *handler)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
	uint32_t tries = MAX(net->sources.count, 1U);
	int r;

	*c = (struct conn){.net = net, .handler = handler, .watches_write = true};
	do
		r = connect_once(net, &c->fd);
	while (r == -EADDRNOTAVAIL && --tries > 0);
	if (r < 0)
		return r;
	c->state = CONNECTING;
	buf_init(&c->out, OUT_MAX);
	if (epoll_ctl(net->epoll, EPOLL_CTL_ADD, c->fd, &ev) != 0)
		die("epoll_ctl(): %s", strerror(errno));
	return 0;
}

static void opened(struct conn *c)
{
	c->state = OPEN;
	c->handler->on_open(c);
	if (c->state == OPEN)
		watch(c);
}

static void secure(struct conn *c)
{
	int r = SSL_connect(c->secure);
	int e = r == 1 ? 0 : tls_error(c, r);

	if (r == 1)
		opened(c);
	else if (e != EAGAIN)
		end(c, EPROTO);
}

static void connected(struct conn *c)
{
	struct net *net = c->net;
	int err = 0;
	socklen_t n = sizeof(err);

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &n) != 0)
		err = errno;
	if (err != 0) {
		end(c, err);
		return;
	}
	if (net->tls == NULL) {
		opened(c);
		return;
	}
	c->secure = SSL_new(net->tls);
	if (c->secure == NULL || SSL_set_fd(c->secure, c->fd) != 1)
		die("SSL_new()");
	(void)SSL_set_tlsext_host_name(c->secure, net->target->host); /* only asked for politely */
	c->state = SECURING;
	secure(c);
}

static void on_ready(struct conn *c, uint32_t events)
{
	if (c->state == CONNECTING) {
		connected(c);
		return;
	}
	if (c->state == SECURING) {
		secure(c);
		return;
	}
	if (c->state == OPEN && (events & EPOLLOUT) != 0 && c->out.n > 0) {
		send_rest(c);
		watch(c);
	}
	if (c->state != OPEN || (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0)
		return;
	/* TLS may hold more than the socket shows. */
	while (receive(c) && c->secure != NULL && SSL_pending(c->secure) > 0)
		continue;
}

void net_turn(struct net *net, usec_t wait, usec_t *now)
{
	struct epoll_event events[EVENTS];
	struct timespec ts = {
		.tv_sec = (time_t)(wait / USEC_PER_SEC),
		.tv_nsec = (long)(wait % USEC_PER_SEC * 1000),
	};
	int n = epoll_pwait2(net->epoll, events, EVENTS, &ts, NULL);

	/* An event of this list may close other connections: they are CLOSED then. */
	for (int i = 0; i < n; i++) {
		*now = clock_mono();
		on_ready(events[i].data.ptr, events[i].events);
	}
}

/* ---- the shared part ---- */

static SSL_CTX *tls_new(void)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

	if (tls == NULL)
		die("SSL_CTX_new()");
	/* Who the server is, is not what is measured. */
	SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
	(void)SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return tls;
}

struct net *net_new(const struct net_target *target, struct net_sources sources)
{
	struct net *net = NEW(struct net);

	net->target = target;
	if (target->address.ss_family == AF_INET)
		net->sources = sources;
	net->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (net->epoll < 0)
		die("epoll_create1(): %s", strerror(errno));
	if (target->tls)
		net->tls = tls_new();
	return net;
}

void net_free(struct net *net)
{
	if (net == NULL)
		return;
	(void)close(net->epoll);
	SSL_CTX_free(net->tls);
	free(net);
}
