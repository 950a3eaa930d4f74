/* Origins of pages against the lists of an application. */
#include "worker/hub/app.h"

#define SCHEME_END SLICE("://")

/* Splits "https://example.org:8443"; scheme and port may be missing. */
struct parts {
	struct slice scheme;
	struct slice host;
	struct slice port;
};

static struct parts split(struct slice text)
{
	struct parts p = {SLICE_NONE, text, SLICE_NONE};
	size_t from = 0;

	for (size_t i = 0; i + SCHEME_END.n <= text.n; i++) {
		if (slice_starts(slice_skip(text, i), SCHEME_END)) {
			p.scheme = slice_first(text, i);
			p.host = slice_skip(text, i + SCHEME_END.n);
			break;
		}
	}
	/* The colons inside "[::1]" are not the one of the port. */
	if (p.host.n > 0 && p.host.p[0] == '[') {
		while (from < p.host.n && p.host.p[from] != ']')
			from++;
	}
	for (size_t i = from; i < p.host.n; i++) {
		if (p.host.p[i] == ':') {
			p.port = slice_skip(p.host, i + 1);
			p.host = slice_first(p.host, i);
			break;
		}
	}
	return p;
}

/* "*.example.org" stands for hosts below example.org, not for itself and not for evilexample.org.
 */
static bool host_ok(struct slice pattern, struct slice host)
{
	struct slice tail;

	if (!slice_starts(pattern, SLICE("*.")))
		return slice_eq_nocase(pattern, host);
	tail = slice_skip(pattern, 1);
	return host.n > tail.n && slice_eq_nocase(slice_skip(host, host.n - tail.n), tail);
}

static bool matches(struct slice pattern, struct slice origin)
{
	struct parts want;
	struct parts have;

	if (slice_eq(pattern, SLICE("*")))
		return true;
	if (origin.n == 0)
		return false;
	want = split(pattern);
	have = split(origin);
	if (!host_ok(want.host, have.host))
		return false;
	/* A pattern that is a whole origin means its port, too: none is the scheme's own. */
	if (want.scheme.n > 0)
		return slice_eq_nocase(want.scheme, have.scheme) && slice_eq(want.port, have.port);
	return want.port.n == 0 || slice_eq(want.port, have.port);
}

static bool any(const struct app_texts *list, struct slice origin)
{
	for (size_t i = 0; i < list->n; i++) {
		if (matches(list->v[i], origin))
			return true;
	}
	return false;
}

bool app_origin_ok(const struct app *a, struct slice origin)
{
	return any(&a->origins, origin);
}

bool app_cors_ok(const struct app *a, struct slice origin)
{
	return any(&a->cors_origins, origin);
}
