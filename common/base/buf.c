#include "common/base/buf.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/encode.h"
#include "common/base/mem.h"
#include "common/base/plain.h"

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void buf_done(struct buf *b)
{
	free(b->p);
	*b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
	b->n = 0;
	b->full = false;
}

char *buf_reserve(struct buf *b, size_t n)
{
	size_t need;

	if (b->full)
		return NULL;
	if (__builtin_add_overflow(b->n, n, &need) || need > b->max) {
		b->full = true;
		return NULL;
	}
	if (need > b->cap || b->p == NULL) {
		size_t cap = b->cap < 64 ? 64 : b->cap;

		while (cap < need)
			cap += cap / 2;
		if (cap > b->max)
			cap = b->max;
		b->p = mem_realloc(b->p, cap);
		b->cap = cap;
	}
	return b->p + b->n;
}

bool buf_add(struct buf *b, struct slice s)
{
	char *at = buf_reserve(b, s.n);

	if (at == NULL)
		return false;
	if (s.n > 0)
		memcpy(at, s.p, s.n);
	b->n += s.n;
	return true;
}

bool buf_addc(struct buf *b, char c)
{
	return buf_add(b, slice_of(&c, 1));
}

bool buf_printf(struct buf *b, const char *fmt, ...)
{
	char small[256];
	va_list args;

	va_start(args, fmt);
	int n = vsnprintf(small, sizeof(small), fmt, args);
	va_end(args);
	if (n < 0)
		die("bad format \"%s\"", fmt);
	if ((size_t)n < sizeof(small))
		return buf_add(b, slice_of(small, (size_t)n));

	char *large = mem_alloc((size_t)n + 1);

	va_start(args, fmt);
	(void)vsnprintf(large, (size_t)n + 1, fmt, args); /* the length is known from above */
	va_end(args);
	bool ok = buf_add(b, slice_of(large, (size_t)n));
	free(large);
	return ok;
}

bool buf_u64(struct buf *b, uint64_t value)
{
	char digits[DECIMAL_MAX];

	return buf_add(b, slice_of(digits, decimal_encode(value, digits)));
}

bool buf_i64(struct buf *b, int64_t value)
{
	if (value >= 0)
		return buf_u64(b, (uint64_t)value);
	return buf_addc(b, '-') && buf_u64(b, (uint64_t)0 - (uint64_t)value);
}

/* Bytes that the escape of a character takes beside the one of the character itself. */
static size_t escape_cost(unsigned char c)
{
	if (c >= 0x20)
		return c == '"' || c == '\\';
	return c == '\n' || c == '\r' || c == '\t' ? 1 : 5;
}

static char *put_escape(char *at, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";

	*at++ = '\\';
	switch (c) {
	case '\n':
		*at++ = 'n';
		break;
	case '\r':
		*at++ = 'r';
		break;
	case '\t':
		*at++ = 't';
		break;
	case '"':
	case '\\':
		*at++ = (char)c;
		break;
	default:
		memcpy(at, "u00", 3);
		at[3] = hex[c >> 4];
		at[4] = hex[c & 15];
		at += 5;
		break;
	}
	return at;
}

static size_t escapes_cost(struct slice text)
{
	size_t sum = 0;

	for (size_t i = plain_run(text, 0); i < text.n; i += plain_run(text, i))
		sum += escape_cost((unsigned char)text.p[i++]);
	return sum;
}

/* Words are written whole: what is left of the text is no longer than the room that is left. */
static void put_escaped(char *at, struct slice text)
{
	size_t i = 0;

	while (i + sizeof(uint64_t) <= text.n) {
		uint64_t word = plain_word(text.p + i);
		size_t run = plain_before(plain_not(word));

		memcpy(at, &word, sizeof(word));
		at += run;
		i += run;
		if (run < sizeof(word))
			at = put_escape(at, (unsigned char)text.p[i++]);
	}
	for (; i < text.n; i++) {
		if (plain_byte(text.p[i]))
			*at++ = text.p[i];
		else
			at = put_escape(at, (unsigned char)text.p[i]);
	}
}

/* All room at once: texts of JSON within JSON have an escape every few bytes. */
static bool add_escaped(struct buf *b, struct slice text, size_t quotes)
{
	size_t n = text.n + escapes_cost(text);
	char *at = buf_reserve(b, n + 2 * quotes);

	if (at == NULL)
		return false;
	memset(at, '"', quotes);
	if (n > text.n)
		put_escaped(at + quotes, text);
	else if (n > 0)
		memcpy(at + quotes, text.p, n);
	memset(at + quotes + n, '"', quotes);
	b->n += n + 2 * quotes;
	return true;
}

bool buf_json_str(struct buf *b, struct slice text)
{
	return add_escaped(b, text, 1);
}

bool buf_json_part(struct buf *b, struct slice text)
{
	return add_escaped(b, text, 0);
}

void buf_consume(struct buf *b, size_t n)
{
	if (n >= b->n) {
		b->n = 0;
		return;
	}
	memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
}

const char *buf_cstr(struct buf *b)
{
	char *at = buf_reserve(b, 1);

	if (at == NULL)
		return NULL;
	*at = '\0';
	return b->p;
}
