#include "common/base/encode.h"

static const char HEX[] = "0123456789abcdef";
static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void hex_encode(const void *bytes, size_t n, char *out)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < n; i++) {
		*out++ = HEX[p[i] >> 4];
		*out++ = HEX[p[i] & 15];
	}
	*out = '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool hex_decode(struct slice hex, void *out, size_t n)
{
	uint8_t *p = out;

	if (hex.n != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		int high = hex_digit(hex.p[2 * i]);
		int low = hex_digit(hex.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		p[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

size_t decimal_encode(uint64_t value, char out[DECIMAL_MAX])
{
	char digits[DECIMAL_MAX];
	size_t at = sizeof(digits);
	size_t n;

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	n = sizeof(digits) - at;
	memcpy(out, digits + at, n);
	return n;
}

bool base64_encode(struct buf *out, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16;
		char four[4];

		if (i + 1 < n)
			v |= (uint32_t)p[i + 1] << 8;
		if (i + 2 < n)
			v |= p[i + 2];
		four[0] = BASE64[v >> 18];
		four[1] = BASE64[v >> 12 & 63];
		four[2] = i + 1 < n ? BASE64[v >> 6 & 63] : '=';
		four[3] = i + 2 < n ? BASE64[v & 63] : '=';
		(void)buf_add(out, slice_of(four, 4)); /* `full` is sticky */
	}
	return buf_ok(out);
}

static int base64_digit(char c)
{
	const char *at = c != '\0' ? strchr(BASE64, c) : NULL;

	return at != NULL ? (int)(at - BASE64) : -1;
}

/* Four digits, of which the last `pad` are missing, as 24 bits; false if that is no such group. */
static bool base64_group(const char *four, size_t pad, uint32_t *ret_bits)
{
	uint32_t v = 0;

	for (size_t k = 0; k < 4; k++) {
		int digit = k >= 4 - pad ? 0 : base64_digit(four[k]);

		if (digit < 0)
			return false;
		v = v << 6 | (uint32_t)digit;
	}
	*ret_bits = v;
	return (v & ((1U << (8 * pad)) - 1)) == 0; /* no bits behind the end */
}

bool base64_decode(struct slice text, void *out, size_t cap, size_t *ret_n)
{
	uint8_t *p = out;
	size_t n = 0;

	if (text.n % 4 != 0)
		return false;
	for (size_t i = 0; i < text.n; i += 4) {
		bool last = i + 4 == text.n;
		size_t pad = 0;
		uint32_t v;

		if (last && text.p[i + 3] == '=')
			pad = text.p[i + 2] == '=' ? 2 : 1;
		if (!base64_group(text.p + i, pad, &v))
			return false;
		for (size_t k = 0; k < 3 - pad; k++) {
			if (n == cap)
				return false;
			p[n++] = (uint8_t)(v >> (16 - 8 * k));
		}
	}
	*ret_n = n;
	return true;
}

static bool is_plain(char c, bool plus_is_space)
{
	return c != '%' && (c != '+' || !plus_is_space);
}

bool percent_decode(struct buf *out, struct slice text, bool plus_is_space)
{
	size_t i = 0;

	/* What fails to be added leaves a mark: looked at once, at the end. */
	while (i < text.n) {
		size_t from = i;
		uint8_t byte = ' ';

		while (i < text.n && is_plain(text.p[i], plus_is_space))
			i++;
		(void)buf_add(out, slice_of(text.p + from, i - from));
		if (i == text.n)
			break;
		if (text.p[i] == '+') {
			i++;
		} else {
			if (i + 2 >= text.n || !hex_decode(slice_of(text.p + i + 1, 2), &byte, 1))
				return false;
			i += 3;
		}
		(void)buf_addc(out, (char)byte);
	}
	return buf_ok(out);
}
