/* The incremental check, cut anywhere, beside a decoder of whole texts. */
#include "common/base/mem.h"
#include "common/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bytes of the character at p, 0 if there is none: Unicode's table 3-7 by arithmetic. */
static size_t character(const uint8_t *p, size_t n)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : 4;
	uint32_t c = length == 1 ? p[0] : p[0] & (0xFFU >> (length + 1));

	if (length > n || (length == 4 && p[0] >> 3 != 30))
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3F);
	}
	return c < least[length] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF) ? 0 : length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of(data, size);
	struct utf8 u = UTF8_INIT;
	size_t count = 0;
	size_t at = 0;

	for (size_t n = 1; at < size && (n = character(data + at, size - at)) > 0; at += n)
		count++;

	bool valid = at == size;
	size_t cut = size > 0 ? data[0] % size : 0;
	bool fed = utf8_feed(&u, slice_first(text, cut)) && utf8_feed(&u, slice_skip(text, cut));

	if (utf8_valid(text) != valid || (fed && utf8_complete(&u)) != valid)
		die("two opinions");
	if (valid && utf8_length(text) != count)
		die("%zu characters", count);
	return 0;
}
