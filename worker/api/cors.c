#include "worker/api/cors.h"

#include "worker/api/api_internal.h"

/* How long a browser may remember a preflight; Chromium takes no more. */
#define MAX_AGE SLICE("7200")
/* What stock clients send, for a preflight that names nothing. */
#define HEADERS SLICE("Authorization, Content-Type, X-Requested-With, X-Socket-ID")

static bool allowed(const struct app *app, const struct http_request *r, struct slice *ret_origin)
{
	*ret_origin = http_header(r, SLICE("Origin"));
	return app != NULL && ret_origin->n > 0 && app_cors_ok(app, *ret_origin);
}

size_t cors_lines(const struct app *app, const struct http_request *r,
		  struct http_line lines[CORS_LINES])
{
	struct slice origin;
	size_t n = 0;

	lines[n++] = (struct http_line){SLICE_INIT("Vary"), SLICE_INIT("Origin")};
	if (!allowed(app, r, &origin))
		return n;
	lines[n++] = (struct http_line){SLICE_INIT("Access-Control-Allow-Origin"), origin};
	lines[n++] = (struct http_line){SLICE_INIT("Access-Control-Expose-Headers"),
					SLICE_INIT("Retry-After")};
	return n;
}

void cors_preflight(const struct api_call *c, const char *allow)
{
	struct slice asked = http_header(c->r, SLICE("Access-Control-Request-Headers"));
	struct http_line lines[6] = {
		{SLICE_INIT("Allow"), slice_str(allow)},
		{SLICE_INIT("Vary"), SLICE_INIT("Origin, Access-Control-Request-Headers")},
	};
	struct http_response r = {
		.status = 204, .lines = lines, .line_count = 2, .keep_alive = true};
	struct slice origin;

	if (allowed(c->app, c->r, &origin)) {
		lines[2] = (struct http_line){SLICE_INIT("Access-Control-Allow-Origin"), origin};
		lines[3] = (struct http_line){SLICE_INIT("Access-Control-Allow-Methods"),
					      slice_str(allow)};
		lines[4] = (struct http_line){SLICE_INIT("Access-Control-Allow-Headers"),
					      asked.n > 0 ? asked : HEADERS};
		lines[5] = (struct http_line){SLICE_INIT("Access-Control-Max-Age"), MAX_AGE};
		r.line_count = 6;
	}
	session_respond(c->w, session_id(c->s), &r);
}
