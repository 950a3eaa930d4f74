#include "worker/http/param.h"

#include <stdint.h>

#include "common/base/encode.h"

bool http_param_next(struct slice *rest, struct slice *ret_name, struct slice *ret_value)
{
	while (rest->n > 0) {
		struct slice item = *rest;

		if (slice_cut(*rest, '&', &item, rest)) {
			if (item.n == 0)
				continue;
		} else {
			*rest = slice_skip(*rest, rest->n);
		}
		if (!slice_cut(item, '=', ret_name, ret_value)) {
			*ret_name = item;
			*ret_value = slice_skip(item, item.n);
		}
		return true;
	}
	return false;
}

bool http_param_is(struct slice raw, struct slice text)
{
	size_t at = 0;

	for (size_t i = 0; i < raw.n; i++, at++) {
		char c = raw.p[i];

		if (c == '+') {
			c = ' ';
		} else if (c == '%') {
			uint8_t byte;

			if (raw.n - i < 3 || !hex_decode(slice_of(raw.p + i + 1, 2), &byte, 1))
				return false;
			c = (char)byte;
			i += 2;
		}
		if (at >= text.n || text.p[at] != c)
			return false;
	}
	return at == text.n;
}

unsigned http_param_find(struct slice params, struct slice name, struct slice *ret_value)
{
	struct slice item_name;
	struct slice item_value;
	unsigned found = 0;

	*ret_value = SLICE_NONE;
	while (http_param_next(&params, &item_name, &item_value)) {
		if (!http_param_is(item_name, name))
			continue;
		if (found++ == 0)
			*ret_value = item_value;
	}
	return found;
}
