#include "broker/admin/admin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/loop/loop.h"

/* Largest answer: /status with the most applications and workers. */
#define ANSWER_MAX (4U << 20)
#define REQUEST_SECONDS 10
#define BACKLOG 64

struct admin {
	struct evhttp *http;
	char *socket;
	const struct admin_ops *ops;
	void *ctx;
};

/* ---- answers ---- */

static void answer(struct evhttp_request *req, int status, const char *type, struct slice body)
{
	struct evkeyvalq *out = evhttp_request_get_output_headers(req);
	struct evbuffer *bytes = evbuffer_new();

	if (bytes == NULL || evbuffer_add(bytes, body.p, body.n) != 0)
		die("no memory for an answer");
	(void)evhttp_add_header(out, "Content-Type", type); /* fails for bad text only */
	(void)evhttp_add_header(out, "Cache-Control", "no-store");
	(void)evhttp_add_header(out, "X-Content-Type-Options", "nosniff");
	evhttp_send_reply(req, status, status == 200 ? "OK" : "Service Unavailable", bytes);
	evbuffer_free(bytes);
}

static const char json_type[] = "application/json";
static const char text_type[] = "text/plain; version=0.0.4; charset=utf-8";

static void on_live(struct evhttp_request *req, void *ctx)
{
	(void)ctx;
	answer(req, 200, json_type, SLICE("{\"live\":true}"));
}

/* Asks the broker and writes the answer with one of the functions of facts.h. */
static void tell(struct admin *a, struct evhttp_request *req, const char *type,
		 void (*write)(struct buf *out, const struct admin_facts *f))
{
	struct admin_facts facts = {0};
	struct buf out;

	a->ops->facts(a->ctx, &facts);
	buf_init(&out, ANSWER_MAX);
	write(&out, &facts);
	answer(req, buf_ok(&out) ? 200 : 503, type, buf_slice(&out));
	buf_done(&out);
}

static void on_ready(struct evhttp_request *req, void *ctx)
{
	struct admin *a = ctx;
	struct admin_facts facts = {0};
	struct buf out;
	bool ready;

	a->ops->facts(a->ctx, &facts);
	buf_init(&out, ANSWER_MAX);
	ready = admin_ready(&out, &facts);
	answer(req, ready ? 200 : 503, json_type, buf_slice(&out));
	buf_done(&out);
}

static void on_metrics(struct evhttp_request *req, void *ctx)
{
	tell(ctx, req, text_type, admin_metrics);
}

static void on_status(struct evhttp_request *req, void *ctx)
{
	tell(ctx, req, json_type, admin_status);
}

/* A page of some site that a browser on this machine shows must not read what operators see. */
static void guarded(struct evhttp_request *req, void *ctx,
		    void (*handler)(struct evhttp_request *req, void *ctx))
{
	if (evhttp_find_header(evhttp_request_get_input_headers(req), "Origin") != NULL)
		evhttp_send_error(req, 403, "Forbidden");
	else
		handler(req, ctx);
}

/* ---- wishes ---- */

/* Root and who runs the broker; the group may only look. */
static bool may_change(struct evhttp_request *req)
{
	struct evhttp_connection *c = evhttp_request_get_connection(req);
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(c));
	struct ucred peer;
	socklen_t n = sizeof(peer);
	int family = 0;
	socklen_t m = sizeof(family);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &m) == 0 && family == AF_UNIX &&
	       getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

static void answer_told(struct evhttp_request *req, unsigned workers)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "{\"workers\":%u}", workers);
	answer(req, 200, json_type, slice_str(text));
}

static void on_reload(struct evhttp_request *req, void *ctx)
{
	struct admin *a = ctx;

	answer_told(req, a->ops->reload(a->ctx));
}

/* False: what stands there is no number of a worker. */
static bool worker_of(struct evhttp_request *req, uint32_t *ret_worker)
{
	const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req));
	struct evkeyvalq params;
	const char *text;
	unsigned long long n = 0;
	bool good;

	*ret_worker = 0;
	if (query == NULL)
		return true;
	if (evhttp_parse_query_str(query, &params) != 0)
		return false;
	text = evhttp_find_header(&params, "worker");
	good = text == NULL || (slice_to_u64(slice_str(text), &n) && n > 0 && n <= UINT32_MAX);
	evhttp_clear_headers(&params);
	*ret_worker = (uint32_t)n;
	return good;
}

static void on_drain(struct evhttp_request *req, void *ctx)
{
	struct admin *a = ctx;
	uint32_t worker;

	if (worker_of(req, &worker))
		answer_told(req, a->ops->drain(a->ctx, worker));
	else
		evhttp_send_error(req, 400, "Bad Request");
}

/* ---- the table ---- */

static void look(struct evhttp_request *req, void *ctx,
		 void (*handler)(struct evhttp_request *req, void *ctx))
{
	if (evhttp_request_get_command(req) == EVHTTP_REQ_POST)
		evhttp_send_error(req, 405, "Method Not Allowed");
	else
		guarded(req, ctx, handler);
}

static void change(struct evhttp_request *req, void *ctx,
		   void (*handler)(struct evhttp_request *req, void *ctx))
{
	if (evhttp_request_get_command(req) != EVHTTP_REQ_POST)
		evhttp_send_error(req, 405, "Method Not Allowed");
	else if (!may_change(req))
		evhttp_send_error(req, 403, "Forbidden");
	else
		guarded(req, ctx, handler);
}

#define ROUTE(guard, name) \
	static void take_##name(struct evhttp_request *req, void *ctx) \
	{ \
		guard(req, ctx, on_##name); \
	}

ROUTE(look, live)
ROUTE(look, ready)
ROUTE(look, metrics)
ROUTE(look, status)
ROUTE(change, reload)
ROUTE(change, drain)

static const struct {
	const char *path;
	void (*take)(struct evhttp_request *req, void *ctx);
} routes[] = {
	{"/live", take_live},	  {"/ready", take_ready},   {"/metrics", take_metrics},
	{"/status", take_status}, {"/reload", take_reload}, {"/drain", take_drain},
};

/* ---- addresses ---- */

static int bind_port(struct admin *a, const char *host, uint16_t port)
{
	int r;

	errno = 0;
	if (evhttp_bind_socket_with_handle(a->http, host, port) != NULL)
		return 0;
	r = errno != 0 ? -errno : -EINVAL;
	log_err("admin.listen",
		"address=%s:%u error=\"%s\" do=\"stop what has it (ss -ltnp) or change [admin] "
		"listen\"",
		host, port, strerror(-r));
	return r;
}

/* A listening descriptor or -errno. */
static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mode_t mask;
	int fd;
	int r = 0;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (unlink(path) != 0 && errno != ENOENT)
		r = -errno;
	mask = umask(0117); /* 0660 from its first moment */
	if (r == 0 &&
	    (bind(fd, (const struct sockaddr *)(const void *)&address, sizeof(address)) != 0 ||
	     listen(fd, BACKLOG) != 0))
		r = -errno;
	(void)umask(mask);
	if (r == 0)
		return fd;
	(void)close(fd);
	return r;
}

static int bind_socket(struct admin *a, const char *path)
{
	int fd = listen_at(path);

	if (fd < 0) {
		log_err("admin.listen",
			"socket=%s error=\"%s\" do=\"see [broker] run_dir and [admin] socket\"",
			path, strerror(-fd));
		return fd;
	}
	if (evhttp_accept_socket_with_handle(a->http, fd) == NULL)
		die("evhttp_accept_socket");
	a->socket = mem_strdup(path);
	return 0;
}

/* ---- life ---- */

int admin_new(struct loop *loop, const struct admin_options *options, const struct admin_ops *ops,
	      void *ctx, struct admin **ret_admin)
{
	struct admin *a = NEW(struct admin);
	int r = 0;

	a->ops = ops;
	a->ctx = ctx;
	a->http = evhttp_new(loop_base(loop));
	if (a->http == NULL)
		die("evhttp_new");
	evhttp_set_allowed_methods(a->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST);
	evhttp_set_max_headers_size(a->http, 8192);
	evhttp_set_max_body_size(a->http, 4096);
	evhttp_set_timeout(a->http, REQUEST_SECONDS);
	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		(void)evhttp_set_cb(a->http, routes[i].path, routes[i].take, a); /* fails twice */
	if (options->host != NULL)
		r = bind_port(a, options->host, options->port);
	if (r == 0 && options->socket != NULL)
		r = bind_socket(a, options->socket);
	if (r < 0) {
		admin_free(a);
		return r;
	}
	*ret_admin = a;
	return 0;
}

void admin_free(struct admin *a)
{
	if (a == NULL)
		return;
	evhttp_free(a->http);
	if (a->socket != NULL)
		(void)unlink(a->socket); /* the next broker replaces it anyway */
	free(a->socket);
	free(a);
}
