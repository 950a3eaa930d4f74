#include "worker/api/answer.h"

#include <stdio.h>

#include "common/base/limits.h"
#include "worker/api/api_internal.h"
#include "worker/api/cors.h"

#define LINES_MAX (5 + CORS_LINES)
#define ERROR_MAX 32768 /* a sentence that quotes the request's head */

/* Laravel's sentences, so that front ends written for it need no others. */
static struct slice usual_text(unsigned status)
{
	switch (status) {
	case 401:
		return SLICE("Unauthenticated.");
	case 403:
		return SLICE("This action is unauthorized.");
	case 404:
		return SLICE("Not Found.");
	case 405:
		return SLICE("The method is not supported for this route.");
	case 413:
		return SLICE("The request is too large.");
	case 429:
		return SLICE("Too Many Attempts.");
	case 503:
		return SLICE("Service Unavailable");
	default:
		return http_status_text(status);
	}
}

static size_t add_line(struct http_line *lines, size_t n, struct slice name, struct slice value)
{
	lines[n] = (struct http_line){name, value};
	return n + 1;
}

void answer_send(struct worker *w, uint64_t session, const struct answer *a)
{
	struct session *s = session_find(w, session);
	struct http_line lines[LINES_MAX];
	char seconds[16];
	size_t n = 0;
	bool chat;

	if (s == NULL || session_request(s) == NULL)
		return;
	chat = api_is_chat(session_path(s));
	n = add_line(lines, n, SLICE("Cache-Control"), SLICE("no-store"));
	n = add_line(lines, n, SLICE("X-Content-Type-Options"), SLICE("nosniff"));
	if (a->retry_after > 0) {
		(void)snprintf(seconds, sizeof(seconds), "%u", a->retry_after);
		n = add_line(lines, n, SLICE("Retry-After"), slice_str(seconds));
	}
	if (a->allow != NULL)
		n = add_line(lines, n, SLICE("Allow"), slice_str(a->allow));
	if (a->status == 401 && chat)
		n = add_line(lines, n, SLICE("WWW-Authenticate"), SLICE("Bearer"));
	if (chat)
		n += cors_lines(worker_chat_app(w), session_request(s), lines + n);

	struct http_response r = {
		.status = a->status,
		.content_type =
			a->text ? SLICE("text/plain; charset=utf-8") : SLICE("application/json"),
		.lines = lines,
		.line_count = n,
		.body = a->body,
		.keep_alive = true,
	};

	if (a->body.n == 0)
		r.content_type = SLICE_NONE;
	session_respond(w, session, &r);
}

void answer_json(struct worker *w, uint64_t session, struct slice body)
{
	struct answer a = {.status = 200, .body = body};

	answer_send(w, session, &a);
}

/* a->body is a sentence. */
static void send_error(struct worker *w, uint64_t session, struct answer *a)
{
	const struct session *s = session_find(w, session);
	struct buf json;

	if (s == NULL)
		return;
	if (a->body.n == 0)
		a->body = usual_text(a->status);
	a->text = !api_is_chat(session_path(s));
	if (a->text) {
		answer_send(w, session, a);
		return;
	}
	buf_init(&json, ERROR_MAX);
	(void)buf_add(&json, SLICE("{\"message\":"));
	(void)buf_json_str(&json, a->body);
	(void)buf_addc(&json, '}'); /* our own sentences fit */
	a->body = buf_slice(&json);
	answer_send(w, session, a);
	buf_done(&json);
}

void answer_error(struct worker *w, uint64_t session, unsigned status, struct slice text)
{
	struct answer a = {.status = status, .body = text};

	send_error(w, session, &a);
}

void answer_unavailable(struct worker *w, uint64_t session)
{
	struct answer a = {.status = 503, .retry_after = 1};

	send_error(w, session, &a);
}

void answer_broker(struct worker *w, uint64_t session, const struct worker_answer *from)
{
	struct answer a = {
		.status = from->status,
		.retry_after = from->retry_after,
		.body = from->body,
	};

	if (from->status < 400 || (from->body.n > 0 && from->body.p[0] == '{'))
		answer_send(w, session, &a);
	else
		send_error(w, session, &a);
}

void answer_on_reply(struct worker *w, uint64_t session, void *ctx, const struct worker_answer *a)
{
	(void)ctx;
	answer_broker(w, session, a);
}
