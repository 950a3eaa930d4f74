#include "worker/ws/handshake.h"

#include "common/base/buf.h"
#include "common/base/encode.h"
#include "common/base/macros.h"
#include "common/base/mem.h"
#include "common/crypto/hmac.h"
#include "worker/http/response.h"

#define KEY_BYTES 16
#define KEY_TEXT 24

static bool bad(struct fault *err, uint16_t status, const char *text)
{
	*err = (struct fault){.http_status = status, .text = text};
	return false;
}

bool ws_is_upgrade(const struct http_request *r)
{
	return http_header_has(r, SLICE("Upgrade"), SLICE("websocket"));
}

bool ws_handshake_check(const struct http_request *r, struct fault *err)
{
	struct slice version = http_header(r, SLICE("Sec-WebSocket-Version"));
	struct slice key = http_header(r, SLICE("Sec-WebSocket-Key"));
	uint8_t bytes[KEY_BYTES];
	size_t n = 0;

	if (r->method != HTTP_GET || !r->http_1_1)
		return bad(err, 426, "A WebSocket is opened by GET and HTTP/1.1");
	if (!ws_is_upgrade(r) || !http_header_has(r, SLICE("Connection"), SLICE("upgrade")))
		return bad(err, 426, "This path speaks WebSocket only");
	if (!slice_eq(version, SLICE("13")))
		return bad(err, 426, "Sec-WebSocket-Version must be 13");
	if (r->body.n > 0)
		return bad(err, 400, "An upgrade has no body");
	if (key.n != KEY_TEXT || !base64_decode(key, bytes, sizeof(bytes), &n) || n != KEY_BYTES)
		return bad(err, 400, "Sec-WebSocket-Key must be 16 bytes in base64");
	return true;
}

void ws_accept_key(struct slice key, char ret_accept[29])
{
	uint8_t digest[SHA1_SIZE];
	struct buf text;

	buf_init(&text, 128);
	(void)buf_add(&text, key); /* checked with the next line */
	if (!buf_add(&text, SLICE("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")))
		die("WebSocket key of %zu bytes", key.n);
	digest_sha1(buf_slice(&text), digest);
	buf_clear(&text);
	if (!base64_encode(&text, digest, sizeof(digest)) || text.n != 28)
		die("accept key of %zu characters", text.n);
	memcpy(ret_accept, text.p, text.n);
	ret_accept[28] = '\0';
	buf_done(&text);
}

struct frame *ws_accept_frame(const struct http_request *r)
{
	char accept[29];

	ws_accept_key(http_header(r, SLICE("Sec-WebSocket-Key")), accept);

	struct http_line lines[] = {
		{SLICE_INIT("Upgrade"), SLICE_INIT("websocket")},
		{SLICE_INIT("Connection"), SLICE_INIT("Upgrade")},
		{SLICE_INIT("Sec-WebSocket-Accept"), slice_str(accept)},
	};
	struct http_response answer = {
		.status = 101,
		.lines = lines,
		.line_count = ARRAY_LEN(lines),
		.keep_alive = true,
	};

	return http_response_frame(&answer);
}

struct frame *ws_refusal_frame(const struct fault *f)
{
	static const struct http_line version[] = {
		{SLICE_INIT("Sec-WebSocket-Version"), SLICE_INIT("13")},
		{SLICE_INIT("Upgrade"), SLICE_INIT("websocket")},
		{SLICE_INIT("Connection"), SLICE_INIT("Upgrade")}, /* beside "close" */
	};
	struct http_response answer = {
		.status = f->http_status,
		.content_type = SLICE_INIT("text/plain; charset=utf-8"),
		.lines = version,
		.line_count = f->http_status == 426 ? ARRAY_LEN(version) : 0,
		.body = slice_str(f->text),
	};

	return http_response_frame(&answer);
}
