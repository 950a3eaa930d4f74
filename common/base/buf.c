#include "common/base/buf.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"

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
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	return buf_add(b, slice_of(digits + at, sizeof(digits) - at));
}

bool buf_i64(struct buf *b, int64_t value)
{
	if (value >= 0)
		return buf_u64(b, (uint64_t)value);
	return buf_addc(b, '-') && buf_u64(b, (uint64_t)0 - (uint64_t)value);
}

static bool json_escape(struct buf *b, unsigned char c)
{
	switch (c) {
	case '"':
		return buf_add(b, SLICE("\\\""));
	case '\\':
		return buf_add(b, SLICE("\\\\"));
	case '\n':
		return buf_add(b, SLICE("\\n"));
	case '\r':
		return buf_add(b, SLICE("\\r"));
	case '\t':
		return buf_add(b, SLICE("\\t"));
	default:
		return buf_printf(b, "\\u%04x", c);
	}
}

bool buf_json_str(struct buf *b, struct slice text)
{
	size_t from = 0;

	(void)buf_addc(b, '"'); /* `full` is sticky: checked at the end */
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		(void)buf_add(b, slice_of(text.p + from, i - from));
		(void)json_escape(b, c);
		from = i + 1;
	}
	(void)buf_add(b, slice_skip(text, from));
	(void)buf_addc(b, '"');
	return buf_ok(b);
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
