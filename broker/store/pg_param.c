#include "broker/store/pg_param.h"

#include <limits.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"

static char *room(struct pg_params *p, size_t n)
{
	char *at = buf_reserve(&p->data, n);

	if (at == NULL)
		die("pg_param: more than %zu bytes of parameters", PG_PARAMS_BYTES);
	p->data.n += n;
	return at;
}

static void put_bytes(struct pg_params *p, const void *bytes, size_t n)
{
	if (n > 0)
		memcpy(room(p, n), bytes, n);
}

static void put_u32(struct pg_params *p, uint32_t v)
{
	uint8_t b[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};

	put_bytes(p, b, sizeof(b));
}

static void put_u64(struct pg_params *p, uint64_t v)
{
	put_u32(p, (uint32_t)(v >> 32));
	put_u32(p, (uint32_t)v);
}

void pg_params_init(struct pg_params *p)
{
	memset(p, 0, sizeof(*p));
	buf_init(&p->data, PG_PARAMS_BYTES);
}

void pg_params_done(struct pg_params *p)
{
	buf_done(&p->data);
}

void pg_params_clear(struct pg_params *p)
{
	buf_clear(&p->data);
	p->n = 0;
	p->missing = 0;
}

void pg_params_ready(struct pg_params *p)
{
	for (int i = 0; i < p->n; i++) {
		p->formats[i] = 1;
		if (p->lengths[i] < 0)
			p->values[i] = NULL;
		else
			p->values[i] = p->lengths[i] > 0 ? p->data.p + p->at[i] : "";
	}
}

/* Opens the next parameter; close_param() gives it its length. */
static void open_param(struct pg_params *p)
{
	if (p->n == PG_PARAMS_MAX || p->missing > 0)
		die("pg_param: parameter %d does not fit", p->n + 1);
	p->at[p->n] = p->data.n;
}

static void close_param(struct pg_params *p)
{
	size_t n = p->data.n - p->at[p->n];

	p->lengths[p->n] = (int)n; /* below PG_PARAMS_BYTES */
	p->n++;
}

void pg_param_null(struct pg_params *p)
{
	open_param(p);
	p->lengths[p->n++] = -1;
}

void pg_param_bool(struct pg_params *p, bool v)
{
	open_param(p);
	*room(p, 1) = v ? 1 : 0;
	close_param(p);
}

void pg_param_i32(struct pg_params *p, int32_t v)
{
	open_param(p);
	put_u32(p, (uint32_t)v);
	close_param(p);
}

void pg_param_i64(struct pg_params *p, int64_t v)
{
	open_param(p);
	put_u64(p, (uint64_t)v);
	close_param(p);
}

void pg_param_text(struct pg_params *p, struct slice v)
{
	open_param(p);
	put_bytes(p, v.p, v.n);
	close_param(p);
}

void pg_param_text_or_null(struct pg_params *p, struct slice v)
{
	if (v.n == 0)
		pg_param_null(p);
	else
		pg_param_text(p, v);
}

void pg_param_time(struct pg_params *p, wall_us_t at)
{
	pg_param_i64(p, at - PG_EPOCH_US);
}

void pg_array_begin(struct pg_params *p, enum pg_type element, uint32_t n)
{
	open_param(p);
	put_u32(p, n > 0 ? 1 : 0); /* dimensions */
	put_u32(p, 1);		   /* may hold NULL */
	put_u32(p, (uint32_t)element);
	if (n > 0) {
		put_u32(p, n);
		put_u32(p, 1); /* lower bound */
	}
	p->missing = n;
	p->element = element;
}

void pg_array_end(struct pg_params *p)
{
	if (p->missing > 0)
		die("pg_param: array %d lacks %u elements", p->n + 1, p->missing);
	close_param(p);
}

static void open_element(struct pg_params *p, size_t n)
{
	if (p->missing == 0)
		die("pg_param: array %d has too many elements", p->n + 1);
	if (n > INT_MAX)
		die("pg_param: element of %zu bytes", n);
	p->missing--;
	put_u32(p, (uint32_t)n);
}

void pg_array_null(struct pg_params *p)
{
	open_element(p, 0);
	p->data.n -= 4;
	put_u32(p, UINT32_MAX);
}

void pg_array_i32(struct pg_params *p, int32_t v)
{
	open_element(p, 4);
	put_u32(p, (uint32_t)v);
}

void pg_array_i64(struct pg_params *p, int64_t v)
{
	open_element(p, 8);
	put_u64(p, (uint64_t)v);
}

void pg_array_text(struct pg_params *p, struct slice v)
{
	bool jsonb = p->element == PG_JSONB;

	open_element(p, v.n + (jsonb ? 1 : 0));
	if (jsonb)
		*room(p, 1) = 1; /* version of the binary form */
	put_bytes(p, v.p, v.n);
}

void pg_array_text_or_null(struct pg_params *p, struct slice v)
{
	if (v.n == 0)
		pg_array_null(p);
	else
		pg_array_text(p, v);
}

void pg_array_time(struct pg_params *p, wall_us_t at)
{
	pg_array_i64(p, at - PG_EPOCH_US);
}

void pg_array_uuid(struct pg_params *p, const uint8_t uuid[16])
{
	open_element(p, 16);
	put_bytes(p, uuid, 16);
}

bool pg_text_ok(struct slice text)
{
	return (text.n == 0 || memchr(text.p, 0, text.n) == NULL) && utf8_valid(text);
}

/* The four hex digits of an escape that begins at the backslash; -1 when it is no \uXXXX. */
static int unicode_escape(struct slice s, size_t at)
{
	uint8_t b[2];

	if (at + 6 > s.n || s.p[at] != '\\' || s.p[at + 1] != 'u' ||
	    !hex_decode(slice_of(s.p + at + 2, 4), b, 2))
		return -1;
	return b[0] << 8 | b[1];
}

/* Length of the escape at `at`, 0 when jsonb refuses it. */
static size_t escape_length(struct slice s, size_t at)
{
	int unit = unicode_escape(s, at);
	int second;

	if (unit < 0)
		return 2; /* \n, \" and the like */
	if (unit == 0)
		return 0;
	if (unit < 0xD800 || unit > 0xDFFF)
		return 6;
	second = unicode_escape(s, at + 6);
	return unit < 0xDC00 && second >= 0xDC00 && second <= 0xDFFF ? 12 : 0;
}

bool pg_jsonb_ok(struct slice json)
{
	/* numeric takes exponents up to 131071; whoever needs four digits of one is not serious */
	const unsigned int exponent_digits = 3;
	bool text = false;

	if (!pg_text_ok(json))
		return false;
	for (size_t i = 0; i < json.n; i++) {
		char c = json.p[i];

		if (c == '"') {
			text = !text;
		} else if (text && c == '\\') {
			size_t n = escape_length(json, i);

			if (n == 0)
				return false;
			i += n - 1;
		} else if (!text && (c == 'e' || c == 'E') && i > 0 && json.p[i - 1] >= '0' &&
			   json.p[i - 1] <= '9') {
			size_t end = i + 1;

			while (end < json.n && json.p[end] != '\0' &&
			       strchr("+-0123456789", json.p[end]) != NULL)
				end++;
			if (end - i - 1 > exponent_digits + 1)
				return false;
		}
	}
	return true;
}

bool pg_uuid_parse(struct slice text, uint8_t ret_uuid[16])
{
	char digits[32];
	size_t n = 0;

	if (text.n != 36)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash != (text.p[i] == '-'))
			return false;
		if (!dash)
			digits[n++] = text.p[i];
	}
	return hex_decode(slice_of(digits, n), ret_uuid, 16);
}

void pg_uuid_format(const uint8_t uuid[16], char ret_text[PG_UUID_TEXT])
{
	char hex[33];
	const char *from = hex;

	hex_encode(uuid, 16, hex);
	for (size_t i = 0; i < PG_UUID_TEXT - 1; i++)
		ret_text[i] = i == 8 || i == 13 || i == 18 || i == 23 ? '-' : *from++;
	ret_text[PG_UUID_TEXT - 1] = '\0';
}
