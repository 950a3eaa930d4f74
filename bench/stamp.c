#include "bench/stamp.h"

#include <string.h>

#include "common/base/macros.h"

#define MARK "#b"
#define MARK_BYTES (sizeof(MARK) - 1)
#define SOURCE_DIGITS 4U
#define NUMBER_DIGITS 8U
#define TIME_DIGITS 12U
#define TIME_MASK ((1ULL << (4 * TIME_DIGITS)) - 1)

static char *put(char *at, uint64_t value, unsigned digits)
{
	for (unsigned i = digits; i-- > 0; value >>= 4)
		at[i] = "0123456789abcdef"[value & 15];
	return at + digits;
}

static bool take(const char **at, unsigned digits, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < digits; i++) {
		char c = (*at)[i];

		if (c >= '0' && c <= '9')
			value = value << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	*at += digits;
	*ret = value;
	return true;
}

void stamp_put(struct buf *out, const struct stamp *s, uint32_t size)
{
	uint32_t n = MAX(size, (uint32_t)STAMP_BYTES);
	char *at = buf_reserve(out, n);

	if (at == NULL)
		return; /* the buffer's mark says so */
	memcpy(at, MARK, MARK_BYTES);
	at = put(at + MARK_BYTES, s->source, SOURCE_DIGITS);
	at = put(at, s->number, NUMBER_DIGITS);
	at = put(at, s->at & TIME_MASK, TIME_DIGITS);
	memset(at, 'x', n - STAMP_BYTES);
	out->n += n;
}

bool stamp_find(struct slice message, size_t *hint, struct stamp *ret)
{
	const char *at = message.p + *hint;
	uint64_t source;
	uint64_t number;
	uint64_t time;

	if (*hint + STAMP_BYTES > message.n || memcmp(at, MARK, MARK_BYTES) != 0) {
		at = memmem(message.p, message.n, MARK, MARK_BYTES);
		if (at == NULL || (size_t)(message.p + message.n - at) < STAMP_BYTES)
			return false;
		*hint = (size_t)(at - message.p);
	}
	at += MARK_BYTES;
	if (!take(&at, SOURCE_DIGITS, &source) || !take(&at, NUMBER_DIGITS, &number) ||
	    !take(&at, TIME_DIGITS, &time))
		return false;
	*ret = (struct stamp){
		.source = (uint32_t)source,
		.number = (uint32_t)number,
		.at = time,
	};
	return true;
}
