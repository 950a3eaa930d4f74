/*
 * Incremental UTF-8 check (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF) that
 * fails at the first byte that cannot be right, also in the middle of a fragmented message.
 */
#ifndef COMMON_BASE_UTF8_H
#define COMMON_BASE_UTF8_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/slice.h"

struct utf8 {
	uint8_t need; /* continuation bytes still to come */
	uint8_t low;  /* bounds of the next one */
	uint8_t high;
};

#define UTF8_INIT ((struct utf8){0, 0x80, 0xBF})

/* False as soon as the bytes so far can begin no valid text. */
bool utf8_feed(struct utf8 *u, struct slice bytes);

/* Whether the text may end here, that is, not inside a character. */
static inline bool utf8_complete(const struct utf8 *u)
{
	return u->need == 0;
}

/* A whole text at once. */
bool utf8_valid(struct slice text);

/* Number of characters of a valid text. */
size_t utf8_length(struct slice text);

#endif
