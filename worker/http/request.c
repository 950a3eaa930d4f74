#include "worker/http/request.h"

struct slice http_method_text(enum http_method m)
{
	static const struct slice names[HTTP_METHODS] = {
		[HTTP_GET] = SLICE_INIT("GET"),		[HTTP_HEAD] = SLICE_INIT("HEAD"),
		[HTTP_POST] = SLICE_INIT("POST"),	[HTTP_PUT] = SLICE_INIT("PUT"),
		[HTTP_DELETE] = SLICE_INIT("DELETE"),	[HTTP_PATCH] = SLICE_INIT("PATCH"),
		[HTTP_OPTIONS] = SLICE_INIT("OPTIONS"), [HTTP_OTHER] = SLICE_INIT(""),
	};

	return names[m];
}

bool http_header_next(const struct http_request *r, struct slice name, unsigned *at,
		      struct slice *ret_value)
{
	while (*at < r->field_count) {
		const struct http_field *f = &r->fields[(*at)++];

		if (!slice_eq_nocase(slice_of(r->head + f->name, f->name_n), name))
			continue;
		*ret_value = slice_of(r->head + f->value, f->value_n);
		return true;
	}
	return false;
}

struct slice http_header(const struct http_request *r, struct slice name)
{
	struct slice value = SLICE_NONE;
	unsigned at = 0;

	(void)http_header_next(r, name, &at, &value); /* stays SLICE_NONE without such a line */
	return value;
}

bool http_header_has(const struct http_request *r, struct slice name, struct slice token)
{
	struct slice rest;
	unsigned at = 0;

	while (http_header_next(r, name, &at, &rest)) {
		struct slice item = rest;

		while (slice_cut(rest, ',', &item, &rest)) {
			if (slice_eq_nocase(slice_trim(item), token))
				return true;
		}
		if (slice_eq_nocase(slice_trim(rest), token))
			return true;
	}
	return false;
}
