#include "tests/bench/bare_requests.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/slice.h"

#define LINE 256

static bool take_number(struct slice *line, uint64_t *ret)
{
	struct slice word = SLICE_NONE;
	unsigned long long n;

	if (!slice_cut(*line, ' ', &word, line) || !slice_to_u64(word, &n))
		return false;
	*ret = n;
	return true;
}

static bool take_text(struct slice *line, char *ret, size_t size)
{
	struct slice word = SLICE_NONE;

	if (!slice_cut(*line, ' ', &word, line) || word.n >= size)
		return false;
	memcpy(ret, word.p, word.n);
	ret[word.n] = '\0';
	return true;
}

static bool parse(struct slice line, struct bare_request *ret)
{
	unsigned long long before;

	if (!take_number(&line, &ret->chat) || !take_text(&line, ret->user, sizeof(ret->user)) ||
	    !take_text(&line, ret->token, sizeof(ret->token)) ||
	    !slice_to_u64(slice_trim(line), &before))
		return false;
	ret->before = before;
	return true;
}

void bare_requests_load(struct bare_requests *r, const char *path)
{
	FILE *f = path != NULL ? fopen(path, "re") : NULL;
	char line[LINE];

	if (f == NULL)
		die("-f: %s", path == NULL ? "missing" : strerror(errno));
	*r = (struct bare_requests){NULL, 0, 0};
	while (fgets(line, sizeof(line), f) != NULL) {
		if ((r->n & (r->n - 1)) == 0)
			r->v = mem_grow(r->v, r->n == 0 ? 1 : 2 * (size_t)r->n, sizeof(*r->v));
		if (!parse(slice_str(line), &r->v[r->n++]))
			die("%s: line %" PRIu32, path, r->n);
	}
	(void)fclose(f); /* was only read */
	if (r->n == 0)
		die("%s is empty", path);
}

void bare_requests_done(struct bare_requests *r)
{
	free(r->v);
}

const struct bare_request *bare_requests_next(struct bare_requests *r)
{
	const struct bare_request *one = &r->v[r->next];

	r->next = (r->next + 1) % r->n;
	return one;
}
