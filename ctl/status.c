/* chatctl status, reload, drain: HTTP on the broker's admin socket. */
#include "ctl/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/json/scan.h"
#include "ctl/commands.h"
#include "ctl/db.h"
#include "ctl/screen.h"

#define ANSWER_MAX (1 << 20)
#define SCREEN_MAX (1 << 22)
#define WAIT_SECONDS 5

/* `path`, else what is configured; one of them may be NULL. False: it is too long. */
static bool make_address(const char *path, const struct conf *conf, struct sockaddr_un *ret)
{
	int n;

	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (path == NULL && conf->admin.socket[0] != '\0')
		path = conf->admin.socket;
	if (path != NULL)
		n = snprintf(ret->sun_path, sizeof(ret->sun_path), "%s", path);
	else
		n = snprintf(ret->sun_path, sizeof(ret->sun_path), "%s/admin.sock",
			     conf->broker.run_dir);
	return n >= 0 && (size_t)n < sizeof(ret->sun_path);
}

/* The configured path of the socket. CTL_OK or CTL_CONFIG. */
static int socket_path(const struct args *args, struct sockaddr_un *ret_address)
{
	struct conf *conf = NULL;
	int status = CTL_OK;

	if (args->socket == NULL)
		status = db_config(args, false, &conf);
	if (status == CTL_OK && !make_address(args->socket, conf, ret_address)) {
		(void)fputs("chatctl: the path of the admin socket is too long\n", stderr);
		status = CTL_CONFIG;
	}
	conf_free(conf);
	return status;
}

/* A connected descriptor or -errno. */
static int dial(const struct sockaddr_un *address)
{
	const struct timeval wait = {.tv_sec = WAIT_SECONDS};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) != 0 ||
	    connect(fd, (const struct sockaddr *)(const void *)address, sizeof(*address)) != 0)
		r = -errno;
	if (r == 0)
		return fd;
	(void)close(fd);
	return r;
}

bool status_answers(const struct conf *conf)
{
	struct sockaddr_un address;
	int fd = make_address(NULL, conf, &address) ? dial(&address) : -1;

	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

/* HTTP/1.0, so that the answer ends with the connection. 0 or -errno. */
static int ask(int fd, const char *what, struct buf *answer)
{
	char question[256];
	int size = snprintf(question, sizeof(question),
			    "%s HTTP/1.0\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", what);
	ssize_t n = send(fd, question, (size_t)size, MSG_NOSIGNAL); /* what we say is short */

	if (n != (ssize_t)size)
		return n < 0 ? -errno : -EPIPE;
	for (;;) {
		char *at = buf_reserve(answer, 4096);

		if (at == NULL)
			return -EFBIG;
		n = recv(fd, at, 4096, 0);
		if (n == 0)
			return 0;
		if (n > 0)
			answer->n += (size_t)n;
		else if (errno != EINTR)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
	}
}

/* The body of an answer with status 200 or 503 (running, not ready). */
static bool split(struct slice answer, struct slice *ret_body)
{
	const char *end = answer.p != NULL ? memmem(answer.p, answer.n, "\r\n\r\n", 4) : NULL;
	struct slice version;
	struct slice rest;

	if (end == NULL || !slice_starts(answer, SLICE("HTTP/1.")) ||
	    !slice_cut(answer, ' ', &version, &rest) ||
	    !(slice_starts(rest, SLICE("200")) || slice_starts(rest, SLICE("503"))))
		return false;
	*ret_body = slice_trim(slice_skip(answer, (size_t)(end - answer.p) + 4));
	return true;
}

/* False: no JSON object. */
static bool print_screen(struct slice body)
{
	struct json_value root;
	struct buf out;
	bool ok;

	buf_init(&out, SCREEN_MAX);
	ok = json_scan(body, &root) && screen_put(&out, &root);
	if (ok)
		(void)printf("%.*s", SLICE_ARG(buf_slice(&out)));
	buf_done(&out);
	return ok;
}

static int show(struct slice answer, bool json)
{
	struct slice body;

	if (split(answer, &body) && body.n > 0) {
		if (json) {
			(void)printf("%.*s\n", SLICE_ARG(body));
			return CTL_OK;
		}
		if (print_screen(body))
			return CTL_OK;
	}
	(void)fputs("chatctl: what answers on the admin socket is no broker\n", stderr);
	return CTL_UNAVAILABLE;
}

/* "GET /status": asks, and lets show() write what came. */
static int talk(const struct args *args, const char *what,
		int (*show_it)(struct slice answer, bool json))
{
	struct sockaddr_un address;
	struct buf answer;
	int status = socket_path(args, &address);

	if (status != CTL_OK)
		return status;
	int fd = dial(&address);
	int r = fd;

	buf_init(&answer, ANSWER_MAX);
	if (fd >= 0)
		r = ask(fd, what, &answer);
	if (r < 0) {
		(void)fprintf(stderr, "chatctl: no broker answers on %s: %s\n", address.sun_path,
			      strerror(-r));
		status = CTL_UNAVAILABLE;
	} else {
		status = show_it(buf_slice(&answer), args->json);
	}
	buf_done(&answer);
	if (fd >= 0)
		(void)close(fd);
	return status;
}

int command_status(const struct args *args)
{
	return talk(args, "GET /status", show);
}

/* ---- wishes ---- */

/* {"workers":2} */
static int show_told(struct slice answer, bool json)
{
	struct json_field workers = {.name = SLICE_INIT("workers")};
	struct json_value root;
	struct slice body;
	uint64_t n = 0;

	if (answer.p != NULL && memmem(answer.p, answer.n, " 403 ", 5) != NULL) {
		(void)fputs("chatctl: only root and the broker's user may do that\n", stderr);
		return CTL_REFUSED;
	}
	if (!split(answer, &body) || !json_scan(body, &root) ||
	    !json_fields(&root, &workers, 1, JSON_LAST_WINS) || !json_u64(&workers.value, &n)) {
		(void)fputs("chatctl: what answers on the admin socket is no broker\n", stderr);
		return CTL_UNAVAILABLE;
	}
	if (json)
		(void)printf("%.*s\n", SLICE_ARG(body));
	else
		(void)printf("%llu workers were told; chatctl status shows how far they are\n",
			     (unsigned long long)n);
	return n > 0 ? CTL_OK : CTL_REFUSED;
}

int command_reload(const struct args *args)
{
	return talk(args, "POST /reload", show_told);
}

int command_drain(const struct args *args)
{
	unsigned long long worker;
	char what[64];

	if (args->noperands == 0)
		return talk(args, "POST /drain", show_told);
	if (!slice_to_u64(slice_str(args->operands[0]), &worker) || worker == 0 ||
	    worker > UINT32_MAX) {
		(void)fputs("chatctl: a worker is named by its number, see chatctl status\n",
			    stderr);
		return CTL_USAGE;
	}
	(void)snprintf(what, sizeof(what), "POST /drain?worker=%llu", worker);
	return talk(args, what, show_told);
}
