#include "worker/http/route.h"

#include "common/base/macros.h"
#include "common/base/mem.h"

/* Takes the first segment off, without its slash; the rest begins with the next slash or is empty.
 */
static struct slice take_segment(struct slice *path)
{
	const char *slash = path->n > 1 ? memchr(path->p + 1, '/', path->n - 1) : NULL;
	size_t end = slash != NULL ? (size_t)(slash - path->p) : path->n;
	struct slice segment = slice_of(path->p + 1, end - 1);

	*path = slice_skip(*path, end);
	return segment;
}

static bool fits(struct slice pattern, struct slice path, struct http_match *m)
{
	m->count = 0;
	while (pattern.n > 0 && path.n > 0) {
		struct slice rest = slice_skip(path, 1);
		struct slice wanted = take_segment(&pattern);
		struct slice got = take_segment(&path);
		bool all = slice_eq(wanted, SLICE("{*}"));

		if (!all && !slice_eq(wanted, SLICE("{}"))) {
			if (!slice_eq(wanted, got))
				return false;
			continue;
		}
		if (m->count == HTTP_ROUTE_SEGMENTS)
			die("a route captures more than %d segments", HTTP_ROUTE_SEGMENTS);
		if (!all && got.n == 0)
			return false;
		m->segments[m->count++] = all ? rest : got;
		if (all)
			return true;
	}
	return pattern.n == 0 && path.n == 0;
}

static bool serves(enum http_method row, enum http_method asked)
{
	return row == asked || (row == HTTP_GET && asked == HTTP_HEAD);
}

static void write_allow(char *out, size_t size, const bool *allowed)
{
	size_t at = 0;

	for (unsigned m = 0; m < HTTP_OTHER; m++) {
		struct slice name = http_method_text((enum http_method)m);

		if (!allowed[m])
			continue;
		if (at + name.n + 3 > size)
			die("the Allow line is too small for all methods");
		if (at > 0) {
			out[at++] = ',';
			out[at++] = ' ';
		}
		memcpy(out + at, name.p, name.n);
		at += name.n;
	}
	out[at] = '\0';
}

enum http_route_result http_route_find(const struct http_route *table, size_t n,
				       enum http_method method, struct slice path,
				       struct http_match *ret)
{
	bool allowed[HTTP_METHODS] = {false};
	bool known = false;

	for (size_t i = 0; i < n; i++) {
		if (!fits(table[i].pattern, path, ret))
			continue;
		if (serves(table[i].method, method)) {
			ret->id = table[i].id;
			return HTTP_ROUTE_FOUND;
		}
		known = true;
		allowed[table[i].method] = true;
		if (table[i].method == HTTP_GET)
			allowed[HTTP_HEAD] = true;
	}
	ret->count = 0;
	if (!known)
		return HTTP_ROUTE_NO_PATH;
	write_allow(ret->allow, sizeof(ret->allow), allowed);
	return HTTP_ROUTE_NO_METHOD;
}
