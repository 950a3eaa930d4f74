#include "worker/http/target.h"

#include <stdint.h>

#include "common/base/encode.h"
#include "common/base/utf8.h"

/* What the current segment consists of: one or two dots alone climb. */
struct dots {
	size_t count;
	bool other;
};

static bool segment_ends(struct dots *d)
{
	bool climbs = !d->other && (d->count == 1 || d->count == 2);

	*d = (struct dots){0};
	return !climbs;
}

bool http_path_is_sound(struct slice path)
{
	struct utf8 utf8 = UTF8_INIT;
	struct dots dots = {0};

	if (path.n == 0 || path.p[0] != '/')
		return false;
	for (size_t i = 0; i < path.n; i++) {
		char c = path.p[i];

		if (c == '%') {
			uint8_t byte;

			if (path.n - i < 3 || !hex_decode(slice_of(path.p + i + 1, 2), &byte, 1) ||
			    byte == 0)
				return false;
			c = (char)byte;
			i += 2;
		}
		if (!utf8_feed(&utf8, slice_of(&c, 1)))
			return false;
		/* An escaped slash counts here as well: whoever decodes must not climb either. */
		if (c == '/' && !segment_ends(&dots))
			return false;
		if (c == '.')
			dots.count++;
		else if (c != '/')
			dots.other = true;
	}
	return utf8_complete(&utf8) && segment_ends(&dots);
}

bool http_host_is_sound(struct slice host)
{
	static const char others[] = "-._~:[]%!$&'()*+;=";

	if (host.n == 0)
		return false;
	for (size_t i = 0; i < host.n; i++) {
		char c = host.p[i];

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
			continue;
		if (c == '\0' || memchr(others, c, sizeof(others) - 1) == NULL)
			return false;
	}
	return true;
}
