/* Strings of JSON: undoing their escapes. */
#include "common/base/mem.h"
#include "common/json/scan.h"

/* Bytes of one character, escapes undone. */
struct piece {
	char bytes[4];
	size_t n;
};

static uint32_t hex4(const char *p)
{
	uint32_t value = 0;

	for (size_t i = 0; i < 4; i++) {
		char c = p[i];
		uint32_t digit = c <= '9' ? (uint32_t)(c - '0') : (uint32_t)((c | 0x20) - 'a' + 10);

		value = value << 4 | digit;
	}
	return value;
}

static struct piece utf8_piece(uint32_t c)
{
	struct piece p = {.n = 0};

	if (c < 0x80) {
		p.bytes[p.n++] = (char)c;
	} else if (c < 0x800) {
		p.bytes[p.n++] = (char)(0xC0 | c >> 6);
		p.bytes[p.n++] = (char)(0x80 | (c & 0x3F));
	} else if (c < 0x10000) {
		p.bytes[p.n++] = (char)(0xE0 | c >> 12);
		p.bytes[p.n++] = (char)(0x80 | (c >> 6 & 0x3F));
		p.bytes[p.n++] = (char)(0x80 | (c & 0x3F));
	} else {
		p.bytes[p.n++] = (char)(0xF0 | c >> 18);
		p.bytes[p.n++] = (char)(0x80 | (c >> 12 & 0x3F));
		p.bytes[p.n++] = (char)(0x80 | (c >> 6 & 0x3F));
		p.bytes[p.n++] = (char)(0x80 | (c & 0x3F));
	}
	return p;
}

/* \uXXXX at the front of s, with its second half where there is one; moves s past it. */
static struct piece unicode_escape(struct slice *s)
{
	uint32_t c = hex4(s->p + 2);

	*s = slice_skip(*s, 6);
	if (c >= 0xD800 && c < 0xDC00 && s->n >= 6 && s->p[0] == '\\' && s->p[1] == 'u') {
		uint32_t low = hex4(s->p + 2);

		if (low >= 0xDC00 && low < 0xE000) {
			*s = slice_skip(*s, 6);
			return utf8_piece(0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00));
		}
	}
	if (c >= 0xD800 && c < 0xE000)
		c = 0xFFFD; /* half a pair has no UTF-8 form */
	return utf8_piece(c);
}

/* The escape at the front of s; moves s past it. */
static struct piece next_escape(struct slice *s)
{
	static const char names[] = "bfnrt";
	static const char values[] = "\b\f\n\r\t";

	if (s->p[1] == 'u')
		return unicode_escape(s);
	const char *at = strchr(names, s->p[1]);
	struct piece p = {.bytes = {at != NULL ? values[at - names] : s->p[1]}, .n = 1};

	*s = slice_skip(*s, 2);
	return p;
}

static struct slice inside(const struct json_value *string)
{
	if (string->type != JSON_STRING || string->raw.n < 2)
		die("not a JSON string");
	return slice_of(string->raw.p + 1, string->raw.n - 2);
}

/* Bytes before the next backslash. */
static struct slice plain_part(struct slice s)
{
	const char *at = s.n > 0 ? memchr(s.p, '\\', s.n) : NULL;

	return slice_of(s.p, at != NULL ? (size_t)(at - s.p) : s.n);
}

bool json_append_text(const struct json_value *string, struct buf *out)
{
	struct slice rest = inside(string);

	while (rest.n > 0) {
		struct slice plain = plain_part(rest);

		(void)buf_add(out, plain); /* `full` is sticky */
		rest = slice_skip(rest, plain.n);
		if (rest.n > 0) {
			struct piece p = next_escape(&rest);

			(void)buf_add(out, slice_of(p.bytes, p.n));
		}
	}
	return buf_ok(out);
}

void json_scratch(struct buf *scratch, size_t n)
{
	buf_clear(scratch);
	if (buf_reserve(scratch, n) == NULL)
		die("a text of %zu bytes is too large for its scratch buffer", n);
}

struct slice json_text(const struct json_value *string, struct buf *scratch)
{
	struct slice text = inside(string);
	size_t from = scratch->n;

	if (plain_part(text).n == text.n)
		return text;
	/* No escape is shorter than what it stands for. */
	if (scratch->cap - scratch->n < text.n)
		die("json_text() without json_scratch()");
	if (!json_append_text(string, scratch))
		die("a JSON string grew");
	return slice_of(scratch->p + from, scratch->n - from);
}

bool json_string_is(const struct json_value *string, struct slice text)
{
	struct slice rest = inside(string);

	while (rest.n > 0) {
		struct slice plain = plain_part(rest);

		if (plain.n > 0) {
			if (!slice_starts(text, plain))
				return false;
			text = slice_skip(text, plain.n);
			rest = slice_skip(rest, plain.n);
			continue;
		}
		struct piece p = next_escape(&rest);

		if (!slice_starts(text, slice_of(p.bytes, p.n)))
			return false;
		text = slice_skip(text, p.n);
	}
	return text.n == 0;
}
