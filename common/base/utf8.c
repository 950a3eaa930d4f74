#include "common/base/utf8.h"

#include <string.h>

/* The lead byte decides how many bytes follow and what the first of them may be. */
static bool lead_byte(struct utf8 *u, uint8_t c)
{
	*u = UTF8_INIT;
	if (c < 0x80)
		return true;
	if (c < 0xC2 || c > 0xF4)
		return false;
	if (c < 0xE0) {
		u->need = 1;
	} else if (c < 0xF0) {
		u->need = 2;
		if (c == 0xE0)
			u->low = 0xA0;
		if (c == 0xED)
			u->high = 0x9F;
	} else {
		u->need = 3;
		if (c == 0xF0)
			u->low = 0x90;
		if (c == 0xF4)
			u->high = 0x8F;
	}
	return true;
}

bool utf8_feed(struct utf8 *u, struct slice bytes)
{
	const uint8_t *p = (const uint8_t *)bytes.p;
	const uint8_t *end = p + bytes.n;

	while (p < end) {
		if (u->need == 0) {
			uint64_t eight;

			while (end - p >= 8) {
				memcpy(&eight, p, 8);
				if (eight & 0x8080808080808080ULL)
					break;
				p += 8;
			}
			if (p == end)
				break;
			if (!lead_byte(u, *p++))
				return false;
			continue;
		}
		if (*p < u->low || *p > u->high)
			return false;
		u->need--;
		u->low = 0x80;
		u->high = 0xBF;
		p++;
	}
	return true;
}

bool utf8_valid(struct slice text)
{
	struct utf8 u = UTF8_INIT;

	return utf8_feed(&u, text) && utf8_complete(&u);
}

size_t utf8_length(struct slice text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.n; i++)
		count += ((unsigned char)text.p[i] & 0xC0) != 0x80;
	return count;
}
