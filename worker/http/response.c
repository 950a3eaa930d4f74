#include "worker/http/response.h"

#include "common/base/buf.h"
#include "common/base/limits.h"
#include "common/base/mem.h"

#define HEAD_MAX 32768 /* our own lines, and what of a request's head is echoed in them */
#define HEAD_USUAL 256

struct slice http_status_text(unsigned status)
{
	static const struct {
		unsigned status;
		struct slice text;
	} rows[] = {
		{100, SLICE_INIT("Continue")},
		{101, SLICE_INIT("Switching Protocols")},
		{200, SLICE_INIT("OK")},
		{201, SLICE_INIT("Created")},
		{202, SLICE_INIT("Accepted")},
		{204, SLICE_INIT("No Content")},
		{301, SLICE_INIT("Moved Permanently")},
		{302, SLICE_INIT("Found")},
		{304, SLICE_INIT("Not Modified")},
		{400, SLICE_INIT("Bad Request")},
		{401, SLICE_INIT("Unauthorized")},
		{403, SLICE_INIT("Forbidden")},
		{404, SLICE_INIT("Not Found")},
		{405, SLICE_INIT("Method Not Allowed")},
		{408, SLICE_INIT("Request Timeout")},
		{409, SLICE_INIT("Conflict")},
		{410, SLICE_INIT("Gone")},
		{413, SLICE_INIT("Content Too Large")},
		{414, SLICE_INIT("URI Too Long")},
		{415, SLICE_INIT("Unsupported Media Type")},
		{417, SLICE_INIT("Expectation Failed")},
		{422, SLICE_INIT("Unprocessable Content")},
		{426, SLICE_INIT("Upgrade Required")},
		{429, SLICE_INIT("Too Many Requests")},
		{431, SLICE_INIT("Request Header Fields Too Large")},
		{500, SLICE_INIT("Internal Server Error")},
		{503, SLICE_INIT("Service Unavailable")},
		{505, SLICE_INIT("HTTP Version Not Supported")},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].status == status)
			return rows[i].text;
	}
	return SLICE("Unknown");
}

static void add_line(struct buf *b, struct slice name, struct slice value)
{
	(void)buf_add(b, name); /* the whole head is checked once, by its end */
	(void)buf_add(b, SLICE(": "));

	size_t from = b->n;

	(void)buf_add(b, value);
	for (size_t i = from; i < b->n; i++) {
		if ((unsigned char)b->p[i] < ' ' || b->p[i] == 0x7f)
			b->p[i] = ' ';
	}
	(void)buf_add(b, SLICE("\r\n"));
}

static bool has_no_body(unsigned status)
{
	return status < 200 || status == 204 || status == 304;
}

static void add_head(struct buf *b, const struct http_response *r)
{
	(void)buf_add(b, SLICE("HTTP/1.1 "));
	(void)buf_u64(b, r->status);
	(void)buf_addc(b, ' ');
	(void)buf_add(b, http_status_text(r->status));
	(void)buf_add(b, SLICE("\r\n"));
	if (r->content_type.n > 0)
		add_line(b, SLICE("Content-Type"), r->content_type);
	for (size_t i = 0; i < r->line_count; i++)
		add_line(b, r->lines[i].name, r->lines[i].value);
	if (r->chunked) {
		add_line(b, SLICE("Transfer-Encoding"), SLICE("chunked"));
	} else if (!has_no_body(r->status)) {
		(void)buf_add(b, SLICE("Content-Length: "));
		(void)buf_u64(b, r->body.n);
		(void)buf_add(b, SLICE("\r\n"));
	}
	if (r->status != 101)
		add_line(b, SLICE("Connection"),
			 r->keep_alive ? SLICE("keep-alive") : SLICE("close"));
	(void)buf_add(b, SLICE("\r\n"));
}

struct frame *http_response_frame(const struct http_response *r)
{
	bool bodiless = has_no_body(r->status) || r->head_only;
	struct slice body = bodiless ? SLICE_NONE : r->body;
	struct buf head;

	buf_init(&head, HEAD_MAX);
	(void)buf_reserve(&head, HEAD_USUAL); /* at once, not by and by */
	add_head(&head, r);
	if (!buf_ok(&head) || body.n > LIMIT_FRAME || (r->chunked && r->body.n > 0))
		die("HTTP answer out of bounds: status %u, body %zu", r->status, body.n);

	struct frame *f = frame_new((uint32_t)(head.n + body.n));

	memcpy(f->data, head.p, head.n);
	if (body.n > 0)
		memcpy(f->data + head.n, body.p, body.n);
	buf_done(&head);
	return f;
}

struct frame *http_text_frame(unsigned status, struct slice text, bool keep_alive)
{
	struct http_response r = {
		.status = status,
		.content_type = SLICE_INIT("text/plain; charset=utf-8"),
		.body = text,
		.keep_alive = keep_alive,
	};

	return http_response_frame(&r);
}

struct frame *http_chunk_frame(struct slice bytes)
{
	struct buf size;

	if (bytes.n > LIMIT_FRAME)
		die("chunk of %zu bytes", bytes.n);
	buf_init(&size, 32);
	if (!buf_printf(&size, "%zx\r\n", bytes.n))
		die("chunk size of %zu", bytes.n);

	struct frame *f = frame_new((uint32_t)(size.n + bytes.n + 2));

	memcpy(f->data, size.p, size.n);
	if (bytes.n > 0)
		memcpy(f->data + size.n, bytes.p, bytes.n);
	memcpy(f->data + size.n + bytes.n, "\r\n", 2);
	buf_done(&size);
	return f;
}
