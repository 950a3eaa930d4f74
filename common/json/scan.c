#include "common/json/scan.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/plain.h"
#include "common/base/utf8.h"

/* One bit a level: set = inside an object. */
_Static_assert(LIMIT_JSON_DEPTH <= 64, "the levels of a scan are the bits of one number");

/* What the grammar allows next. */
enum expect {
	WANT_VALUE,
	WANT_VALUE_OR_END, /* right after '[' */
	WANT_NAME,	   /* after ',' in an object */
	WANT_NAME_OR_END,  /* right after '{' */
	WANT_COMMA_OR_END,
	WANT_NOTHING,
};

struct scan {
	struct slice text;
	size_t at;
	uint64_t objects;
	unsigned int depth;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t skip_blanks(struct slice text, size_t at)
{
	while (at < text.n && is_blank(text.p[at]))
		at++;
	return at;
}

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The escape behind the backslash at s->at; moves past it. */
static bool scan_escape(struct scan *s)
{
	if (s->at + 1 >= s->text.n)
		return false;
	char c = s->text.p[s->at + 1];
	if (c != 'u') {
		s->at += 2;
		return memchr("\"\\/bfnrt", c, 8) != NULL;
	}
	if (s->text.n - s->at < 6)
		return false;
	for (size_t i = 2; i < 6; i++) {
		if (hex_value(s->text.p[s->at + i]) < 0)
			return false;
	}
	s->at += 6;
	return true;
}

/* A string, from its opening quote; moves past the closing one. */
static bool scan_string(struct scan *s)
{
	s->at++;
	while (s->at < s->text.n) {
		s->at += plain_run(s->text, s->at);
		if (s->at == s->text.n)
			return false;
		char c = s->text.p[s->at];
		if (c == '"') {
			s->at++;
			return true;
		}
		if (c != '\\' || !scan_escape(s))
			return false;
	}
	return false;
}

static bool scan_digits(struct scan *s)
{
	size_t from = s->at;

	while (s->at < s->text.n && is_digit(s->text.p[s->at]))
		s->at++;
	return s->at > from;
}

static char peek(const struct scan *s)
{
	return s->at < s->text.n ? s->text.p[s->at] : '\0';
}

static bool scan_number(struct scan *s)
{
	if (peek(s) == '-')
		s->at++;
	if (peek(s) == '0')
		s->at++;
	else if (!scan_digits(s))
		return false;
	if (peek(s) == '.') {
		s->at++;
		if (!scan_digits(s))
			return false;
	}
	if (peek(s) == 'e' || peek(s) == 'E') {
		s->at++;
		if (peek(s) == '+' || peek(s) == '-')
			s->at++;
		if (!scan_digits(s))
			return false;
	}
	return true;
}

static bool scan_word(struct scan *s, struct slice word)
{
	if (!slice_starts(slice_skip(s->text, s->at), word))
		return false;
	s->at += word.n;
	return true;
}

static enum expect after_value(const struct scan *s)
{
	return s->depth > 0 ? WANT_COMMA_OR_END : WANT_NOTHING;
}

/* A value begins at s->at: a whole scalar, or the opening of a container. */
static bool scan_value(struct scan *s, enum expect *next)
{
	char c = s->text.p[s->at];

	*next = after_value(s);
	switch (c) {
	case '{':
	case '[':
		if (s->depth == LIMIT_JSON_DEPTH)
			return false;
		s->objects = s->objects << 1 | (c == '{');
		s->depth++;
		s->at++;
		*next = c == '{' ? WANT_NAME_OR_END : WANT_VALUE_OR_END;
		return true;
	case '"':
		return scan_string(s);
	case 't':
		return scan_word(s, SLICE("true"));
	case 'f':
		return scan_word(s, SLICE("false"));
	case 'n':
		return scan_word(s, SLICE("null"));
	default:
		return scan_number(s);
	}
}

static bool in_object(const struct scan *s)
{
	return s->objects & 1;
}

static void leave(struct scan *s, enum expect *next)
{
	s->at++;
	s->objects >>= 1;
	s->depth--;
	*next = after_value(s);
}

/* A name with its colon. */
static bool scan_name(struct scan *s, enum expect *next)
{
	if (s->text.p[s->at] != '"' || !scan_string(s))
		return false;
	s->at = skip_blanks(s->text, s->at);
	if (peek(s) != ':')
		return false;
	s->at++;
	*next = WANT_VALUE;
	return true;
}

static bool scan_step(struct scan *s, enum expect *next)
{
	char c = s->text.p[s->at];

	switch (*next) {
	case WANT_VALUE_OR_END:
		if (c == ']') {
			leave(s, next);
			return true;
		}
		FALLTHROUGH;
	case WANT_VALUE:
		return scan_value(s, next);
	case WANT_NAME_OR_END:
		if (c == '}') {
			leave(s, next);
			return true;
		}
		FALLTHROUGH;
	case WANT_NAME:
		return scan_name(s, next);
	case WANT_COMMA_OR_END:
		if (c == ',') {
			s->at++;
			*next = in_object(s) ? WANT_NAME : WANT_VALUE;
			return true;
		}
		if (c != (in_object(s) ? '}' : ']'))
			return false;
		leave(s, next);
		return true;
	case WANT_NOTHING:
		return false;
	}
	return false;
}

static enum json_kind type_of(char first)
{
	switch (first) {
	case '{':
		return JSON_OBJECT;
	case '[':
		return JSON_ARRAY;
	case '"':
		return JSON_STRING;
	case 't':
		return JSON_TRUE;
	case 'f':
		return JSON_FALSE;
	case 'n':
		return JSON_NULL;
	default:
		return JSON_NUMBER;
	}
}

bool json_scan(struct slice text, struct json_value *ret_root)
{
	struct scan s = {.text = text};
	enum expect next = WANT_VALUE;
	size_t end = 0;
	size_t begin = skip_blanks(text, 0);

	for (s.at = begin; s.at < text.n; s.at = skip_blanks(text, s.at)) {
		if (!scan_step(&s, &next))
			return false;
		end = s.at;
	}
	if (next != WANT_NOTHING || !utf8_valid(text))
		return false;
	*ret_root =
		(struct json_value){type_of(text.p[begin]), slice_of(text.p + begin, end - begin)};
	return true;
}

/* ---- walking a text that has been judged ----------------------------------------------------- */

static size_t string_end(struct slice text, size_t at)
{
	for (at++; at < text.n; at += 2) {
		at += plain_run(text, at);
		if (at == text.n || text.p[at] == '"')
			break;
	}
	return MIN(at + 1, text.n);
}

static size_t container_end(struct slice text, size_t at)
{
	size_t depth = 0;

	while (at < text.n) {
		char c = text.p[at];

		if (c == '"') {
			at = string_end(text, at);
			continue;
		}
		at++;
		if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && --depth == 0)
			break;
	}
	return at;
}

static struct json_value value_at(struct slice text, size_t at)
{
	enum json_kind type = type_of(text.p[at]);
	size_t end = at;

	if (type == JSON_STRING) {
		end = string_end(text, at);
	} else if (type == JSON_OBJECT || type == JSON_ARRAY) {
		end = container_end(text, at);
	} else {
		while (end < text.n && !is_blank(text.p[end]) &&
		       memchr(",]}", text.p[end], 3) == NULL)
			end++;
	}
	return (struct json_value){type, slice_of(text.p + at, end - at)};
}

/* Position of the next element or name behind '[', '{' or ','; 0 at the end. */
static size_t next_start(struct slice text, size_t at)
{
	at = skip_blanks(text, at == 0 ? 1 : at);
	if (at < text.n && text.p[at] == ',')
		at = skip_blanks(text, at + 1);
	if (at + 1 >= text.n || text.p[at] == ']' || text.p[at] == '}')
		return 0;
	return at;
}

bool json_next(const struct json_value *array, struct json_iter *it, struct json_value *ret_value)
{
	if (array->type != JSON_ARRAY)
		return false;
	size_t at = next_start(array->raw, it->at);
	if (at == 0)
		return false;
	*ret_value = value_at(array->raw, at);
	it->at = at + ret_value->raw.n;
	return true;
}

bool json_next_member(const struct json_value *object, struct json_iter *it,
		      struct json_value *ret_name, struct json_value *ret_value)
{
	if (object->type != JSON_OBJECT)
		return false;
	size_t at = next_start(object->raw, it->at);
	if (at == 0)
		return false;
	*ret_name = value_at(object->raw, at);
	at = skip_blanks(object->raw, at + ret_name->raw.n);
	at = skip_blanks(object->raw, at + 1); /* the colon */
	*ret_value = value_at(object->raw, at);
	it->at = at + ret_value->raw.n;
	return true;
}

size_t json_count(const struct json_value *v)
{
	struct json_iter it = {0};
	struct json_value name;
	struct json_value value;
	size_t n = 0;

	while (v->type == JSON_OBJECT ? json_next_member(v, &it, &name, &value)
				      : json_next(v, &it, &value))
		n++;
	return n;
}

bool json_fields(const struct json_value *object, struct json_field *fields, size_t n,
		 enum json_twice twice)
{
	struct json_iter it = {0};
	struct json_value name;
	struct json_value value;

	if (object->type != JSON_OBJECT)
		return false;
	for (size_t i = 0; i < n; i++)
		fields[i].value = (struct json_value){JSON_NONE, SLICE_NONE};
	while (json_next_member(object, &it, &name, &value)) {
		for (size_t i = 0; i < n; i++) {
			if (!json_string_is(&name, fields[i].name))
				continue;
			if (twice == JSON_REFUSE && fields[i].value.type != JSON_NONE)
				return false;
			fields[i].value = value;
		}
	}
	return true;
}

bool json_u64(const struct json_value *v, uint64_t *ret_value)
{
	unsigned long long value;

	if (v->type != JSON_NUMBER || !slice_to_u64(v->raw, &value))
		return false;
	*ret_value = value;
	return true;
}
