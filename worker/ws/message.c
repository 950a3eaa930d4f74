#include "worker/ws/message.h"

#include <stdlib.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"

/* A message that is not complete in one piece of input. */
struct ws_gather {
	struct buf data;	/* unmasked payload of all frames so far */
	uint64_t left;		/* bytes of the current frame still to come */
	size_t phase;		/* bytes of the current frame so far, for the mask */
	struct utf8 utf8;	/* state of the check, if text */
	uint32_t fragments;	/* frames so far */
	struct ws_header frame; /* the current one, or the last */
	bool text;
	bool given; /* the message has been handed out: free at the next call */
};

/* One call of ws_read(). */
struct reading {
	struct ws_reader *r;
	const struct ws_limits *limits;
	char *in;
	size_t n;
	size_t used;
	struct ws_message *ret;
	struct fault *err;
};

static enum ws_event fail(struct reading *x, uint16_t code, const char *text)
{
	*x->err = (struct fault){.close_code = code, .text = text};
	x->r->over = true;
	ws_reader_done(x->r);
	return WS_FAULT;
}

static enum ws_event bad_text(struct reading *x)
{
	return fail(x, WS_CLOSE_NOT_UTF8, "Text is not UTF-8");
}

/* The whole message is in r->gather. */
static enum ws_event give_gathered(struct reading *x)
{
	struct ws_gather *g = x->r->gather;

	if (g->text && !utf8_complete(&g->utf8))
		return bad_text(x);
	g->given = true;
	x->ret->payload = buf_slice(&g->data);
	return g->text ? WS_TEXT : WS_BINARY;
}

/* Takes what the input has of the current frame's payload. */
static enum ws_event gather_payload(struct reading *x)
{
	struct ws_gather *g = x->r->gather;
	size_t take = x->n - x->used < g->left ? x->n - x->used : (size_t)g->left;
	struct slice bytes = slice_of(x->in + x->used, take);

	if (take > 0) {
		ws_unmask(x->in + x->used, take, g->frame.mask, g->phase);
		if (g->text && !utf8_feed(&g->utf8, bytes))
			return bad_text(x);
		if (!buf_add(&g->data, bytes))
			die("a message has outgrown its limit");
		x->used += take;
		g->phase += take;
		g->left -= take;
	}
	if (g->left > 0)
		return WS_MORE;
	return g->frame.fin ? give_gathered(x) : WS_MORE;
}

/* A close frame's payload (RFC 6455 section 5.5.1). */
static enum ws_event judge_close(struct reading *x)
{
	struct slice body = x->ret->payload;

	x->r->over = true;
	x->ret->code = WS_CLOSE_NONE;
	if (body.n == 0)
		return WS_CLOSE;
	if (body.n == 1)
		return fail(x, WS_CLOSE_PROTOCOL, "Close frame of one byte");
	x->ret->code = (uint16_t)((uint8_t)body.p[0] << 8 | (uint8_t)body.p[1]);
	x->ret->payload = slice_skip(body, 2);
	if (!ws_close_code_valid(x->ret->code))
		return fail(x, WS_CLOSE_PROTOCOL, "Bad close code");
	if (!utf8_valid(x->ret->payload))
		return fail(x, WS_CLOSE_NOT_UTF8, "Close reason is not UTF-8");
	return WS_CLOSE;
}

/* Control frames are small: they wait in the input until they are whole. */
static enum ws_event control_frame(struct reading *x, const struct ws_header *h)
{
	char *payload = x->in + x->used + h->head_n;

	if (x->n - x->used < h->head_n + h->len)
		return WS_MORE;
	ws_unmask(payload, (size_t)h->len, h->mask, 0);
	x->used += h->head_n + (size_t)h->len;
	x->ret->payload = slice_of(payload, (size_t)h->len);
	if (h->opcode == WS_OP_CLOSE)
		return judge_close(x);
	return h->opcode == WS_OP_PING ? WS_PING : WS_PONG;
}

/* A message of one frame that lies whole in the input. */
static enum ws_event whole_frame(struct reading *x, const struct ws_header *h)
{
	char *payload = x->in + x->used + h->head_n;

	x->used += h->head_n + (size_t)h->len;
	ws_unmask(payload, (size_t)h->len, h->mask, 0);
	x->ret->payload = slice_of(payload, (size_t)h->len);
	if (h->opcode == WS_OP_BINARY)
		return WS_BINARY;
	if (!utf8_valid(x->ret->payload))
		return bad_text(x);
	return WS_TEXT;
}

static enum ws_event data_frame(struct reading *x, const struct ws_header *h)
{
	struct ws_gather *g = x->r->gather;

	if ((h->opcode == WS_OP_CONTINUATION) != (g != NULL))
		return fail(x, WS_CLOSE_PROTOCOL,
			    g != NULL ? "New message inside a fragmented one"
				      : "Continuation of nothing");
	if (g == NULL && h->fin && h->len <= x->n - x->used - h->head_n)
		return whole_frame(x, h);
	if (g == NULL) {
		g = NEW(struct ws_gather);
		buf_init(&g->data, x->limits->max_message);
		g->utf8 = UTF8_INIT;
		g->text = h->opcode == WS_OP_TEXT;
		x->r->gather = g;
	}
	if (g->fragments >= x->limits->max_fragments)
		return fail(x, WS_CLOSE_POLICY, "Too many fragments");
	g->fragments++;
	g->frame = *h;
	g->left = h->len;
	g->phase = 0;
	x->used += h->head_n;
	return gather_payload(x);
}

static enum ws_event next_frame(struct reading *x)
{
	struct ws_gather *g = x->r->gather;
	size_t room = x->limits->max_message;
	struct ws_header h;

	if (g != NULL) /* the limit that was in force when the message began */
		room = g->data.max - g->data.n;
	switch (ws_header_decode(slice_of(x->in + x->used, x->n - x->used), room, &h, x->err)) {
	case PARSE_BAD:
		return fail(x, x->err->close_code, x->err->text);
	case PARSE_MORE:
		return WS_MORE;
	case PARSE_DONE:
		break;
	}
	if (h.opcode >= WS_OP_CLOSE)
		return control_frame(x, &h);
	return data_frame(x, &h);
}

enum ws_event ws_read(struct ws_reader *r, const struct ws_limits *limits, char *in, size_t n,
		      size_t *ret_used, struct ws_message *ret, struct fault *err)
{
	struct reading x = {.r = r, .limits = limits, .in = in, .n = n, .ret = ret, .err = err};
	enum ws_event event = WS_MORE;
	size_t before;

	if (r->over)
		die("ws_read() after the end of the connection");
	if (r->gather != NULL && r->gather->given)
		ws_reader_done(r);
	*ret = (struct ws_message){0};
	do {
		before = x.used;
		if (r->gather != NULL && r->gather->left > 0)
			event = gather_payload(&x);
		else if (x.used < n)
			event = next_frame(&x);
	} while (event == WS_MORE && x.used != before);
	*ret_used = x.used;
	return event;
}

void ws_reader_done(struct ws_reader *r)
{
	if (r->gather == NULL)
		return;
	buf_done(&r->gather->data);
	free(r->gather);
	r->gather = NULL;
}

size_t ws_reader_held(const struct ws_reader *r)
{
	return r->gather != NULL ? sizeof(*r->gather) + r->gather->data.cap : 0;
}

bool ws_reader_inside(const struct ws_reader *r)
{
	return r->gather != NULL && !r->gather->given;
}
