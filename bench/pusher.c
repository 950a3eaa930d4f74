#include "bench/pusher.h"

#include <string.h>

#include "common/base/encode.h"
#include "common/base/macros.h"
#include "common/crypto/hmac.h"

/* ---- WebSocket ---- */

/* The example of RFC 6455: a fixed key has a fixed answer. */
#define WS_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define WS_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

enum opcode { OP_TEXT = 1, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

void pusher_put_upgrade(struct buf *out, struct slice host, struct slice key)
{
	(void)buf_printf(out,
			 "GET /app/%.*s?protocol=7&client=chat-bench&version=" CHAT_VERSION
			 " HTTP/1.1\r\nHost: %.*s\r\nUpgrade: websocket\r\n"
			 "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
			 "Sec-WebSocket-Key: " WS_KEY "\r\n\r\n",
			 SLICE_ARG(key), SLICE_ARG(host));
}

enum pusher_upgrade pusher_take_upgrade(struct slice bytes, size_t *ret_n)
{
	const char *end = memmem(bytes.p, bytes.n, "\r\n\r\n", 4);
	struct slice head;

	if (end == NULL)
		return PUSHER_UPGRADE_MORE;
	head = slice_first(bytes, (size_t)(end - bytes.p) + 4);
	*ret_n = head.n;
	if (!slice_starts(head, SLICE("HTTP/1.1 101 ")) ||
	    memmem(head.p, head.n, WS_ACCEPT, sizeof(WS_ACCEPT) - 1) == NULL)
		return PUSHER_UPGRADE_REFUSED;
	return PUSHER_UPGRADE_DONE;
}

/* The mask is fixed: nobody between us and the server is to be confused. */
static void put_frame(struct buf *out, enum opcode op, struct slice payload)
{
	static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
	uint8_t *at = (uint8_t *)buf_reserve(out, 14 + payload.n);
	size_t n = 0;

	if (at == NULL)
		return; /* the buffer's mark says so */
	at[n++] = (uint8_t)(0x80 | op);
	if (payload.n < 126) {
		at[n++] = (uint8_t)(0x80 | payload.n);
	} else {
		unsigned bytes = payload.n <= UINT16_MAX ? 2 : 8;

		at[n++] = (uint8_t)(0x80 | (bytes == 2 ? 126 : 127));
		for (unsigned i = bytes; i-- > 0;)
			at[n++] = (uint8_t)((uint64_t)payload.n >> (8 * i));
	}
	memcpy(at + n, mask, sizeof(mask));
	n += sizeof(mask);
	for (size_t i = 0; i < payload.n; i++)
		at[n + i] = (uint8_t)payload.p[i] ^ mask[i & 3];
	out->n += n + payload.n;
}

void pusher_put_text(struct buf *out, struct slice text)
{
	put_frame(out, OP_TEXT, text);
}

void pusher_put_pong(struct buf *out, struct slice payload)
{
	put_frame(out, OP_PONG, payload);
}

enum pusher_frame pusher_take_frame(struct slice bytes, size_t *ret_n, struct slice *ret_payload)
{
	const uint8_t *p = (const uint8_t *)bytes.p;
	size_t head = 2;
	uint64_t n;

	if (bytes.n < head)
		return PUSHER_MORE;
	n = p[1] & 0x7FU;
	if (n >= 126) {
		head = n == 126 ? 4 : 10;
		if (bytes.n < head)
			return PUSHER_MORE;
		n = 0;
		for (size_t i = 2; i < head; i++)
			n = n << 8 | p[i];
	}
	if (bytes.n - head < n)
		return PUSHER_MORE;
	*ret_n = head + (size_t)n;
	*ret_payload = slice_of(bytes.p + head, (size_t)n);
	if (p[0] == (0x80 | OP_TEXT) && (p[1] & 0x80) == 0)
		return PUSHER_TEXT;
	if (p[0] == (0x80 | OP_PING))
		return PUSHER_PING;
	return p[0] == (0x80 | OP_CLOSE) ? PUSHER_CLOSE : PUSHER_OTHER;
}

unsigned pusher_close_code(struct slice payload)
{
	const uint8_t *p = (const uint8_t *)payload.p;

	return payload.n >= 2 ? (unsigned)p[0] << 8 | p[1] : 1005U;
}

/* ---- messages ---- */

struct slice pusher_event_name(struct slice text)
{
	static const struct slice begin = SLICE_INIT("{\"event\":\"");
	const char *at = text.p + begin.n;
	const char *end;

	if (!slice_starts(text, begin)) {
		/* Other servers may have another order. */
		at = memmem(text.p, text.n, "\"event\":\"", 9);
		if (at == NULL)
			return SLICE_NONE;
		at += 9;
	}
	end = memchr(at, '"', text.n - (size_t)(at - text.p));
	return end != NULL ? slice_of(at, (size_t)(end - at)) : SLICE_NONE;
}

enum pusher_message pusher_message_kind(struct slice text)
{
	static const struct {
		struct slice name;
		enum pusher_message kind;
	} names[] = {
		{SLICE_INIT("_internal:member_added"), PUSHER_MSG_MEMBER_ADDED},
		{SLICE_INIT("_internal:member_removed"), PUSHER_MSG_MEMBER_REMOVED},
		{SLICE_INIT("_internal:subscription_succeeded"), PUSHER_MSG_SUBSCRIBED},
		{SLICE_INIT(":connection_established"), PUSHER_MSG_ESTABLISHED},
		{SLICE_INIT(":ping"), PUSHER_MSG_PING},
		{SLICE_INIT(":error"), PUSHER_MSG_ERROR},
		{SLICE_INIT(":subscription_error"), PUSHER_MSG_ERROR},
	};
	static const struct slice own = SLICE_INIT("pusher");
	struct slice name = pusher_event_name(text);

	if (!slice_starts(name, own))
		return name.n > 0 ? PUSHER_MSG_EVENT : PUSHER_MSG_NOTHING;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (slice_eq(slice_skip(name, own.n), names[i].name))
			return names[i].kind;
	}
	return PUSHER_MSG_NOTHING;
}

/* Behind a field's name, whose quotes are escaped: it stands in a string. */
static struct slice behind(struct slice text, struct slice field)
{
	const char *at = memmem(text.p, text.n, field.p, field.n);

	return at != NULL ? slice_skip(text, (size_t)(at - text.p) + field.n) : SLICE_NONE;
}

bool pusher_socket_id(struct slice established, char ret[PUSHER_SOCKET_ID])
{
	struct slice at = behind(established, SLICE("socket_id\\\":\\\""));
	size_t n = 0;

	while (n < at.n && n < PUSHER_SOCKET_ID - 1 && at.p[n] != '\\')
		n++;
	if (n == 0)
		return false;
	memcpy(ret, at.p, n);
	ret[n] = '\0';
	return true;
}

uint32_t pusher_member_count(struct slice subscribed)
{
	struct slice at = behind(subscribed, SLICE("\\\"count\\\":"));
	uint32_t count = 0;

	for (size_t i = 0; i < at.n && at.p[i] >= '0' && at.p[i] <= '9'; i++)
		count = count * 10 + (uint32_t)(at.p[i] - '0');
	return count;
}

/* ---- what clients say ---- */

static void put_auth(struct buf *out, const struct pusher_subscribe *s)
{
	struct slice parts[] = {slice_str(s->socket_id), SLICE(":"), s->channel, SLICE(":"),
				s->channel_data};
	uint8_t mac[HMAC_SIZE];
	char hex[2 * HMAC_SIZE + 1];

	hmac_sha256(s->secret, parts, s->channel_data.n > 0 ? 5 : 3, mac);
	hex_encode(mac, sizeof(mac), hex);
	(void)buf_printf(out, ",\"auth\":\"%.*s:%s\"", SLICE_ARG(s->key), hex);
	if (s->channel_data.n == 0)
		return;
	(void)buf_add(out, SLICE(",\"channel_data\":"));
	(void)buf_json_str(out, s->channel_data);
}

void pusher_put_subscribe(struct buf *out, const struct pusher_subscribe *s)
{
	(void)buf_add(out, SLICE("{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":"));
	(void)buf_json_str(out, s->channel);
	if (s->secret != NULL)
		put_auth(out, s);
	(void)buf_add(out, SLICE("}}"));
}

void pusher_put_unsubscribe(struct buf *out, struct slice channel)
{
	(void)buf_add(out, SLICE("{\"event\":\"pusher:unsubscribe\",\"data\":{\"channel\":"));
	(void)buf_json_str(out, channel);
	(void)buf_add(out, SLICE("}}"));
}
