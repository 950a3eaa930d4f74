/*
 * ws-echo: the worker's own HTTP and WebSocket code with nothing behind it but an echo, for suites
 * that judge an implementation of RFC 6455 from outside. Text and binary messages come back as they
 * were; pings get their pong in the order of everything else; any path and origin is let in.
 *
 *	ws-echo [--address IP] [--port N] [--max-message BYTES] [--max-fragments N]
 *
 * It writes one line, "listening on ADDRESS:PORT", and serves until SIGINT or SIGTERM.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <event2/event.h>

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "worker/edge/listener.h"
#include "worker/edge/stream.h"
#include "worker/http/parser.h"
#include "worker/http/response.h"
#include "worker/ws/handshake.h"
#include "worker/ws/message.h"

#define MAX_MESSAGE (16U << 20)
#define MAX_FRAGMENTS (MAX_MESSAGE + 1) /* of one byte each, and an empty last one */
#define BACKLOG 128

struct echo {
	struct loop *loop;
	struct streams *streams;
	struct ws_limits limits;
};

struct client {
	struct stream stream;
	struct echo *echo;
	struct http_parser *http; /* NULL: the upgrade has been answered */
	struct ws_reader reader;
};

/* ---- one client ---- */

static void answer(struct client *c, struct frame *f)
{
	/* Reading pauses while output waits, and the high mark leaves room for what was read. */
	if (!stream_send(&c->stream, f))
		stream_abort(&c->stream);
	frame_unref(f);
}

static void answer_last(struct client *c, struct frame *f)
{
	answer(c, f);
	stream_close(&c->stream);
}

static void echo_event(struct client *c, enum ws_event event, const struct ws_message *m,
		       const struct fault *fault)
{
	switch (event) {
	case WS_TEXT:
		answer(c, ws_text_frame(m->payload));
		break;
	case WS_BINARY:
		answer(c, ws_frame_new(WS_OP_BINARY, m->payload));
		break;
	case WS_PING:
		answer(c, ws_frame_new(WS_OP_PONG, m->payload));
		break;
	case WS_CLOSE:
		answer_last(c, ws_close_echo(m->code));
		break;
	case WS_FAULT:
		answer_last(c, ws_close_frame(fault->close_code, slice_str(fault->text)));
		break;
	case WS_PONG:
	case WS_MORE:
		break;
	}
}

static size_t read_messages(struct client *c, char *bytes, size_t n)
{
	size_t used = 0;

	while (!stream_is_ending(&c->stream)) {
		struct fault fault = {0};
		struct ws_message m;
		size_t took = 0;
		enum ws_event event = ws_read(&c->reader, &c->echo->limits, bytes + used, n - used,
					      &took, &m, &fault);

		used += took;
		if (event == WS_MORE)
			return used;
		echo_event(c, event, &m, &fault);
	}
	return n;
}

static void upgrade(struct client *c)
{
	const struct http_request *r = http_parser_request(c->http);
	struct fault fault = {0};

	if (!ws_handshake_check(r, &fault)) {
		answer_last(c, ws_refusal_frame(&fault));
		return;
	}
	answer(c, ws_accept_frame(r));
	http_parser_free(c->http);
	c->http = NULL;
}

static size_t read_request(struct client *c, struct slice bytes)
{
	struct fault fault = {0};
	size_t used = 0;

	switch (http_parse(c->http, bytes, &used, &fault)) {
	case PARSE_DONE:
		upgrade(c);
		break;
	case PARSE_BAD:
		answer_last(c, http_text_frame(fault.http_status, slice_str(fault.text), false));
		break;
	case PARSE_MORE:
		break;
	}
	return used;
}

static size_t on_bytes(struct stream *s, char *bytes, size_t n)
{
	struct client *c = CONTAINER_OF(s, struct client, stream);
	size_t used = 0;

	if (c->http != NULL)
		used = read_request(c, slice_of(bytes, n));
	/* What follows the upgrade in the same segment are frames already. */
	if (c->http == NULL && !stream_is_ending(&c->stream) && used < n)
		used += read_messages(c, bytes + used, n - used);
	return used;
}

static void on_closed(struct stream *s, enum stream_end end, int err)
{
	struct client *c = CONTAINER_OF(s, struct client, stream);

	(void)end;
	(void)err;
	http_parser_free(c->http);
	ws_reader_done(&c->reader);
	free(c);
}

static void on_accept(void *ctx, int fd, const struct address *peer)
{
	static const struct stream_handler handler = {.on_bytes = on_bytes, .on_closed = on_closed};
	struct client *c = NEW(struct client);

	(void)peer;
	c->echo = ctx;
	c->http = http_parser_new(0);
	stream_open(&c->stream, c->echo->streams, fd, &stream_plain, NULL, &handler);
}

/* ---- the process ---- */

static void usage(FILE *to)
{
	(void)fputs("usage: ws-echo [options]\n"
		    "  --address IP         listen there (default 127.0.0.1)\n"
		    "  --port N             and on this port (default 0: a free one)\n"
		    "  --max-message BYTES  largest message (default 16777216)\n"
		    "  --max-fragments N    most frames of one message (default 16777217)\n",
		    to);
}

static bool number(const char *text, unsigned long long most, unsigned long long *ret)
{
	return slice_to_u64(slice_str(text), ret) && *ret <= most;
}

/* False: it was used wrongly. */
static bool parse_options(int argc, char **argv, struct ws_limits *limits, struct address *ret)
{
	static const struct option options[] = {
		{"address", required_argument, NULL, 'a'},
		{"port", required_argument, NULL, 'p'},
		{"max-message", required_argument, NULL, 'm'},
		{"max-fragments", required_argument, NULL, 'f'},
		{NULL, 0, NULL, 0},
	};
	const char *address = "127.0.0.1";
	unsigned long long message = MAX_MESSAGE;
	unsigned long long fragments = MAX_FRAGMENTS;
	unsigned long long port = 0;
	char text[ADDRESS_TEXT];
	bool good = true;
	int c;
	int n;

	while (good && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'a')
			address = optarg;
		else if (c == 'p')
			good = number(optarg, UINT16_MAX, &port);
		else if (c == 'm')
			good = number(optarg, LIMIT_FRAME, &message);
		else if (c == 'f')
			good = number(optarg, UINT32_MAX, &fragments);
		else
			good = false;
	}
	limits->max_message = (size_t)message;
	limits->max_fragments = (uint32_t)fragments;
	n = snprintf(text, sizeof(text), strchr(address, ':') != NULL ? "[%s]:%llu" : "%s:%llu",
		     address, port);
	return good && optind == argc && n > 0 && (size_t)n < sizeof(text) &&
	       address_parse(slice_str(text), ret);
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	loop_stop(arg);
}

static void serve(struct echo *echo, int listening)
{
	static const struct listener_ops ops = {.on_accept = on_accept};
	struct stream_limits limits = {.high = 2 * echo->limits.max_message +
					       (size_t)STREAM_READ_BUFFER * 8};
	struct listener *listener;
	struct event *signals[2];

	echo->loop = loop_new();
	echo->streams = streams_new(echo->loop, &limits);
	listener = listener_new(echo->loop, listening, &ops, echo);
	signals[0] = evsignal_new(loop_base(echo->loop), SIGTERM, on_signal, echo->loop);
	signals[1] = evsignal_new(loop_base(echo->loop), SIGINT, on_signal, echo->loop);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		if (signals[i] == NULL || evsignal_add(signals[i], NULL) != 0)
			die("no events for signals");
	}
	loop_run(echo->loop);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		event_free(signals[i]);
	listener_free(listener);
}

int main(int argc, char **argv)
{
	static struct echo echo; /* what is open at the end stays reachable */
	struct address address;
	char text[ADDRESS_TEXT];
	int fd;
	int r;

	if (!parse_options(argc, argv, &echo.limits, &address)) {
		usage(stderr);
		return EX_USAGE;
	}
	(void)signal(SIGPIPE, SIG_IGN); /* cannot fail */
	r = listener_open(&address, BACKLOG, &fd);
	if (r == 0)
		r = listener_address(fd, &address);
	if (r < 0) {
		(void)fprintf(stderr, "ws-echo: cannot listen: %s\n", strerror(-r));
		return EX_UNAVAILABLE;
	}
	address_text(&address, text);
	(void)printf("listening on %s\n", text);
	(void)fflush(stdout); /* whoever waits for the line would see the loss */
	serve(&echo, fd);
	return EX_OK;
}
