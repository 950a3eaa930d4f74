/*
 * Requests of a connection, whole and in pieces: both must be judged alike. The first byte of the
 * input is the seed of the pieces.
 */
#include "common/base/mem.h"
#include "worker/http/param.h"
#include "worker/http/parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever was accepted obeys the promises of the headers; returns a digest of it. */
static size_t check(const struct http_request *r)
{
	struct slice rest = r->query;
	struct slice name;
	struct slice value;
	size_t digest = r->body.n * 31 + r->field_count + (r->keep_alive ? 7 : 0);

	if (r->path.n == 0 || r->path.p[0] != '/' || r->path.n + r->query.n > r->target.n)
		die("a target in wrong parts");
	while (http_param_next(&rest, &name, &value))
		digest = digest * 31 + name.n + value.n;
	for (unsigned i = 0; i < r->field_count; i++) {
		name = slice_of(r->head + r->fields[i].name, r->fields[i].name_n);
		if (name.n == 0 || http_header(r, name).p == NULL)
			die("a header that is not found");
	}
	return digest * 31 + r->target.n;
}

/* All requests of the input, whole or in pieces; a digest of them and of the end. */
static size_t read_all(struct slice in, bool whole, uint32_t seed)
{
	struct http_parser *p = http_parser_new(256);
	struct fault err = {0};
	enum parse result = PARSE_MORE;
	size_t digest = 0;

	while (in.n > 0 && result != PARSE_BAD) {
		size_t n = whole ? in.n : 1 + (seed >> 8) % 7;
		size_t used = 0;

		seed = seed * 1664525 + 1013904223;
		result = http_parse(p, slice_first(in, n), &used, &err);
		in = slice_skip(in, used);
		if (result == PARSE_MORE && used == 0)
			die("the parser does not go on");
		if (result != PARSE_DONE)
			continue;
		digest = digest * 31 + check(http_parser_request(p));
		http_parser_reset(p);
	}
	http_parser_free(p);
	return digest * 31 + (result == PARSE_BAD ? err.http_status : 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size);
	uint32_t seed = size > 0 ? data[0] : 0;

	in = slice_skip(in, 1);
	if (read_all(in, true, 0) != read_all(in, false, seed))
		die("pieces make a difference");
	return 0;
}
