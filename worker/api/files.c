#include "worker/api/files.h"

#include <stdio.h>

#include "common/base/encode.h"
#include "common/base/limits.h"
#include "worker/api/answer.h"
#include "worker/api/api_internal.h"
#include "worker/api/connection_info.h"
#include "worker/api/files_internal.h"

#define INDEX SLICE("index.html")
#define POLICY_MAX 2048

uint32_t files_count(const struct files *f)
{
	return f->count;
}

const struct file *files_find(const struct files *f, struct slice path)
{
	char name[FILES_NAME_MAX];
	struct file_row *row;

	if (path.n + INDEX.n > sizeof(name))
		return NULL;
	memcpy(name, path.p, path.n);
	if (slice_ends(path, SLICE("/"))) {
		memcpy(name + path.n, INDEX.p, INDEX.n);
		path.n += INDEX.n;
	}
	HASH_FIND(hh, f->rows, name, path.n, row);
	return row != NULL ? &row->file : NULL;
}

/* Whether If-None-Match names this version: "*", or a list of tags, weak ones too. */
static bool has_already(const struct http_request *r, const struct file *file)
{
	struct slice tag = slice_str(file->etag);
	struct slice line;
	unsigned at = 0;

	while (http_header_next(r, SLICE("If-None-Match"), &at, &line)) {
		while (line.n > 0) {
			struct slice one = line;
			struct slice rest = SLICE_NONE;

			(void)slice_cut(line, ',', &one, &rest); /* without it: the last one */
			line = rest;
			one = slice_trim(one);
			if (slice_starts(one, SLICE("W/")))
				one = slice_skip(one, 2);
			if (slice_eq(one, tag) || slice_eq(one, SLICE("*")))
				return true;
		}
	}
	return false;
}

/* A name of a host with its port: nothing that could end a directive of the policy. */
static bool is_plain_host(struct slice host)
{
	for (size_t i = 0; i < host.n; i++) {
		char c = host.p[i];

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
			continue;
		if (c == '\0' || memchr(".-_:[]", c, 6) == NULL)
			return false;
	}
	return host.n > 0;
}

static void allow_host(struct buf *policy, struct slice host)
{
	if (!is_plain_host(host))
		return;
	(void)buf_printf(policy, " ws://%.*s wss://%.*s", SLICE_ARG(host), SLICE_ARG(host));
}

/*
 * A page may load its own files and connect to its own host; the WebSocket must be named, since not
 * every browser counts it as 'self'.
 */
static void write_policy(const struct api_call *c, struct buf *out)
{
	struct slice url = slice_str(worker_conf(c->w)->chat.public_url);
	struct connection_place place;

	buf_init(out, POLICY_MAX);
	(void)buf_add(out, SLICE("default-src 'self'; style-src 'self' 'unsafe-inline'; "
				 "img-src 'self' data:; object-src 'none'; base-uri 'none'; "
				 "frame-ancestors 'none'; connect-src 'self'"));
	allow_host(out, http_header(c->r, SLICE("Host")));
	if (url.n > 0 && connection_place_read(url, SLICE_NONE, false, SLICE_NONE, &place)) {
		char text[300];
		int n = snprintf(text, sizeof(text), "%.*s:%u", SLICE_ARG(place.host),
				 (unsigned)(place.tls ? place.wss_port : place.ws_port));

		if (n > 0 && (size_t)n < sizeof(text))
			allow_host(out, slice_of(text, (size_t)n));
	}
}

static void send_file(const struct api_call *c, const struct file *file)
{
	bool page = slice_starts(file->type, SLICE("text/html"));
	struct buf policy;
	struct http_line lines[6] = {
		{SLICE_INIT("ETag"), slice_str(file->etag)},
		/* May be kept, but is asked about: one small answer instead of a stale page. */
		{SLICE_INIT("Cache-Control"), SLICE_INIT("no-cache")},
		{SLICE_INIT("X-Content-Type-Options"), SLICE_INIT("nosniff")},
		{SLICE_INIT("Referrer-Policy"), SLICE_INIT("no-referrer")},
	};
	struct http_response r = {
		.status = 200,
		.content_type = file->type,
		.lines = lines,
		.line_count = 4,
		.body = file->body,
		.keep_alive = true,
	};

	write_policy(c, &policy);
	if (page && buf_ok(&policy)) {
		lines[4] = (struct http_line){SLICE_INIT("Content-Security-Policy"),
					      buf_slice(&policy)};
		lines[5] = (struct http_line){SLICE_INIT("X-Frame-Options"), SLICE_INIT("DENY")};
		r.line_count = 6;
	}
	if (has_already(c->r, file)) {
		r.status = 304;
		r.content_type = SLICE_NONE;
		r.body = SLICE_NONE;
	}
	session_respond(c->w, session_id(c->s), &r);
	buf_done(&policy);
}

void files_serve(const struct files *f, const struct api_call *c)
{
	uint64_t id = session_id(c->s);
	const struct file *file = NULL;
	struct buf path;

	buf_init(&path, LIMIT_HTTP_LINE);
	if (percent_decode(&path, c->path, false))
		file = files_find(f, buf_slice(&path));
	buf_done(&path);
	if (file == NULL) {
		answer_error(c->w, id, 404, SLICE_NONE);
	} else if (c->r->method != HTTP_GET && c->r->method != HTTP_HEAD) {
		struct answer a = {.status = 405,
				   .text = true,
				   .body = SLICE_INIT("Method Not Allowed"),
				   .allow = "GET, HEAD"};

		answer_send(c->w, id, &a);
	} else {
		send_file(c, file);
	}
}
