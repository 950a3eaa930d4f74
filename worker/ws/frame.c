#include "worker/ws/frame.h"

#include <string.h>

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"

static enum parse bad(struct fault *err, uint16_t code, const char *text)
{
	*err = (struct fault){.close_code = code, .text = text};
	return PARSE_BAD;
}

static bool is_control(uint8_t opcode)
{
	return (opcode & 0x8) != 0;
}

/* What the first byte alone proves wrong; NULL if nothing. */
static const char *judge_first(uint8_t byte)
{
	uint8_t opcode = byte & 0x0F;

	if (byte & 0x70)
		return "Reserved bits must be 0";
	if ((opcode > WS_OP_BINARY && opcode < WS_OP_CLOSE) || opcode > WS_OP_PONG)
		return "Reserved opcode";
	if (is_control(opcode) && !(byte & 0x80))
		return "Fragmented control frame";
	return NULL;
}

static const char *judge_second(uint8_t first, uint8_t byte)
{
	if (!(byte & 0x80))
		return "Frame is not masked";
	if (is_control(first & 0x0F) && (byte & 0x7F) > WS_CONTROL_MAX)
		return "Control frame too long";
	return NULL;
}

/*
 * The length in its 16 or 64 bit form, as far as it is there: false once it is longer than needed,
 * or has its highest bit set, whatever bytes follow.
 */
static bool judge_length(const uint8_t *p, size_t have, size_t size)
{
	if (size == 2)
		return have < 2 || p[0] != 0 || p[1] > WS_CONTROL_MAX;
	if (have > 0 && (p[0] & 0x80))
		return false;
	if (have < 6)
		return true;
	for (size_t i = 0; i < 6; i++) {
		if (p[i] != 0)
			return true;
	}
	return false;
}

static uint64_t big_endian(const uint8_t *p, size_t n)
{
	uint64_t value = 0;

	while (n-- > 0)
		value = value << 8 | *p++;
	return value;
}

enum parse ws_header_decode(struct slice in, uint64_t max_len, struct ws_header *ret,
			    struct fault *err)
{
	const uint8_t *p = (const uint8_t *)in.p;
	const char *wrong;

	if (in.n < 1)
		return PARSE_MORE;
	if ((wrong = judge_first(p[0])) != NULL)
		return bad(err, WS_CLOSE_PROTOCOL, wrong);
	if (in.n < 2)
		return PARSE_MORE;
	if ((wrong = judge_second(p[0], p[1])) != NULL)
		return bad(err, WS_CLOSE_PROTOCOL, wrong);

	uint8_t form = p[1] & 0x7F;
	size_t size = form == 127 ? 8 : form == 126 ? 2 : 0;
	size_t have = MIN(in.n - 2, size);
	uint64_t len = form;

	if (size > 0) {
		if (!judge_length(p + 2, have, size))
			return bad(err, WS_CLOSE_PROTOCOL, "Length is not in its shortest form");
		if (have < size)
			return PARSE_MORE;
		len = big_endian(p + 2, size);
	}
	if (!is_control(p[0] & 0x0F) && len > max_len)
		return bad(err, WS_CLOSE_TOO_BIG, "Message too big");
	if (in.n < 2 + size + 4)
		return PARSE_MORE;
	ret->fin = (p[0] & 0x80) != 0;
	ret->opcode = p[0] & 0x0F;
	ret->head_n = (uint8_t)(2 + size + 4);
	memcpy(ret->mask, p + 2 + size, 4);
	ret->len = len;
	return PARSE_DONE;
}

void ws_unmask(char *bytes, size_t n, const uint8_t mask[4], size_t phase)
{
	uint8_t eight[8];
	uint64_t word;
	uint64_t key;
	size_t i = 0;

	for (size_t k = 0; k < sizeof(eight); k++)
		eight[k] = mask[(phase + k) & 3];
	memcpy(&key, eight, sizeof(key));
	for (; n - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, bytes + i, sizeof(word));
		word ^= key;
		memcpy(bytes + i, &word, sizeof(word));
	}
	for (size_t k = 0; i < n; i++, k++)
		bytes[i] = (char)((uint8_t)bytes[i] ^ eight[k]);
}

size_t ws_header_encode(uint8_t out[WS_SERVER_HEADER_MAX], enum ws_opcode opcode, size_t len)
{
	uint64_t n = len;

	out[0] = (uint8_t)(0x80 | opcode);
	if (n <= WS_CONTROL_MAX) {
		out[1] = (uint8_t)n;
		return 2;
	}
	if (n <= UINT16_MAX) {
		out[1] = 126;
		out[2] = (uint8_t)(n >> 8);
		out[3] = (uint8_t)n;
		return 4;
	}
	out[1] = 127;
	for (size_t i = 0; i < 8; i++)
		out[2 + i] = (uint8_t)(n >> (8 * (7 - i)));
	return 10;
}

static struct frame *frame_of(enum ws_opcode opcode, const struct slice *parts, size_t n)
{
	uint8_t header[WS_SERVER_HEADER_MAX];
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len += parts[i].n;
	if (len > (is_control((uint8_t)opcode) ? WS_CONTROL_MAX : LIMIT_FRAME))
		die("WebSocket frame of opcode %u with %zu bytes", (unsigned)opcode, len);

	size_t at = ws_header_encode(header, opcode, len);
	struct frame *f = frame_new((uint32_t)(at + len));

	memcpy(f->data, header, at);
	for (size_t i = 0; i < n; i++) {
		if (parts[i].n > 0)
			memcpy(f->data + at, parts[i].p, parts[i].n);
		at += parts[i].n;
	}
	return f;
}

struct frame *ws_frame_new(enum ws_opcode opcode, struct slice payload)
{
	return frame_of(opcode, &payload, 1);
}

struct frame *ws_text_frame_of(const struct slice *parts, size_t n)
{
	return frame_of(WS_OP_TEXT, parts, n);
}

/* The longest beginning of a UTF-8 text within max bytes that ends between two characters. */
static struct slice cut_text(struct slice text, size_t max)
{
	if (text.n <= max)
		return text;
	while (max > 0 && ((uint8_t)text.p[max] & 0xC0) == 0x80)
		max--;
	return slice_first(text, max);
}

struct frame *ws_close_frame(uint16_t code, struct slice reason)
{
	char payload[WS_CONTROL_MAX] = {(char)(code >> 8), (char)code};

	if (code == WS_CLOSE_NONE)
		return ws_frame_new(WS_OP_CLOSE, SLICE_NONE);
	reason = cut_text(reason, LIMIT_CLOSE_REASON);
	if (!ws_close_code_valid(code) || !utf8_valid(reason))
		die("close frame with code %u and a bad reason or code", code);
	if (reason.n > 0)
		memcpy(payload + 2, reason.p, reason.n);
	return ws_frame_new(WS_OP_CLOSE, slice_of(payload, 2 + reason.n));
}

struct frame *ws_close_echo(uint16_t code)
{
	return ws_close_frame(code, SLICE_NONE);
}

bool ws_close_code_valid(uint16_t code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
	       (code >= 3000 && code <= 4999);
}
