#include "worker/http/parser.h"

#include <stdlib.h>

#include "common/base/buf.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "worker/http/head.h"

#define CHUNK_DIGITS 8 /* hex digits of a chunk size, leading zeros included */
#define BODY_KEEP 4096 /* a larger body buffer is given back between two requests */

_Static_assert(LIMIT_HTTP_HEAD <= UINT16_MAX, "struct http_field holds 16-bit offsets");

/* In the order of the bytes. */
enum state {
	AT_START, /* before the first byte; one CRLF is passed over (RFC 9112 section 2.2) */
	AT_START_LF,
	AT_START_AGAIN, /* after that CRLF */
	IN_METHOD,
	IN_TARGET,
	IN_VERSION,
	AT_LINE_LF,
	AT_FIELD, /* first byte of a header line, or the CR that ends the head */
	IN_NAME,
	BEFORE_VALUE,
	IN_VALUE,
	AT_FIELD_LF,
	AT_HEAD_LF,
	AT_BODY, /* the head is complete from here on */
	IN_BODY,
	IN_CHUNK_SIZE,
	AT_CHUNK_LF,
	IN_CHUNK,
	AT_CHUNK_END_CR,
	AT_CHUNK_END_LF,
	AT_LAST_CR,
	AT_LAST_LF,
	AT_END,
	BROKEN,
};

struct http_parser {
	struct http_request request;
	struct http_field fields[LIMIT_HTTP_HEADERS];
	struct buf head;
	struct buf body;
	struct fault fault; /* of BROKEN */
	uint64_t left;	    /* bytes of body or chunk still to come; the size while it is read */
	uint16_t at;	    /* where the current element began in the head */
	uint16_t method_n;
	uint16_t target_at;
	uint16_t target_n;
	uint8_t state;
	uint8_t digits; /* of the chunk size */
	bool expects;	/* wants 100 Continue */
};

struct http_parser *http_parser_new(size_t body_max)
{
	struct http_parser *p = NEW(struct http_parser);

	buf_init(&p->head, LIMIT_HTTP_HEAD);
	buf_init(&p->body, body_max);
	return p;
}

void http_parser_free(struct http_parser *p)
{
	if (p == NULL)
		return;
	buf_done(&p->head);
	buf_done(&p->body);
	free(p);
}

void http_parser_reset(struct http_parser *p)
{
	p->request = (struct http_request){0};
	buf_clear(&p->head);
	buf_clear(&p->body);
	if (p->body.cap > BODY_KEEP)
		buf_done(&p->body);
	p->left = 0;
	p->state = AT_START;
	p->digits = 0;
	p->expects = false;
}

const struct http_request *http_parser_request(const struct http_parser *p)
{
	return &p->request;
}

bool http_has_begun(const struct http_parser *p)
{
	return p->state != AT_START;
}

bool http_has_head(const struct http_parser *p)
{
	return p->state >= AT_BODY && p->state != BROKEN;
}

bool http_take_continue(struct http_parser *p)
{
	bool wants = p->expects && http_has_head(p) && p->state != AT_END;

	if (http_has_head(p))
		p->expects = false;
	return wants;
}

size_t http_parser_held(const struct http_parser *p)
{
	return sizeof(*p) + p->head.cap + p->body.cap;
}

/* Always false, so that a check can return it. */
static bool bad(struct http_parser *p, uint16_t status, const char *text)
{
	p->state = BROKEN;
	p->fault = (struct fault){.http_status = status, .text = text};
	return false;
}

/* tchar of RFC 9110 section 5.6.2 */
static bool is_token(char c)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";

	if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
		return true;
	return c != '\0' && memchr(marks, c, sizeof(marks) - 1) != NULL;
}

static bool is_value(char c)
{
	return c == '\t' || ((unsigned char)c >= ' ' && c != 0x7f);
}

static bool is_target(char c)
{
	return c > ' ' && c < 0x7f && c != '#';
}

/* ---- request line ---- */

static bool version_byte(struct http_parser *p, size_t i, char c)
{
	static const char form[] = "HTTP/0.0";
	size_t k = i - p->at;

	if (c == '\r' && k == sizeof(form) - 1) {
		const char *digits = p->head.p + p->at + 5;

		if (digits[0] != '1' || digits[2] > '1')
			return bad(p, 505, "Only HTTP/1.1 and HTTP/1.0 are spoken here");
		p->request.http_1_1 = digits[2] == '1';
		p->state = AT_LINE_LF;
		return true;
	}
	if (k >= sizeof(form) - 1)
		return bad(p, 400, "Malformed HTTP version");
	if (form[k] == '0' ? c < '0' || c > '9' : c != form[k])
		return bad(p, 400, "Malformed HTTP version");
	return true;
}

static bool line_byte(struct http_parser *p, size_t i, char c)
{
	if (i > LIMIT_HTTP_LINE || (i == LIMIT_HTTP_LINE && c != '\r'))
		return bad(p, 414, "Request line too long");
	switch (p->state) {
	case IN_METHOD:
		if (is_token(c))
			return true;
		if (c != ' ' || i == 0)
			return bad(p, 400, "Malformed method");
		p->method_n = (uint16_t)i;
		p->target_at = (uint16_t)(i + 1);
		p->state = IN_TARGET;
		return true;
	case IN_TARGET:
		if (i == p->target_at && c != '/')
			return bad(p, 400, "The request target must be a path");
		if (is_target(c))
			return true;
		if (c != ' ')
			return bad(p, 400, "Malformed request target");
		p->target_n = (uint16_t)(i - p->target_at);
		p->at = (uint16_t)(i + 1);
		p->state = IN_VERSION;
		return true;
	default:
		return version_byte(p, i, c);
	}
}

/* ---- header lines ---- */

static bool value_ends(struct http_parser *p, size_t i)
{
	struct http_field *f = &p->fields[p->request.field_count++];

	while (i > p->at && (p->head.p[i - 1] == ' ' || p->head.p[i - 1] == '\t'))
		i--;
	f->value = p->at;
	f->value_n = (uint16_t)(i - p->at);
	p->state = AT_FIELD_LF;
	return true;
}

static bool field_begins(struct http_parser *p, size_t i, char c)
{
	if (c == '\r') {
		p->state = AT_HEAD_LF;
		return true;
	}
	if (c == ' ' || c == '\t')
		return bad(p, 400, "Folded header lines are not accepted");
	if (!is_token(c))
		return bad(p, 400, "Malformed header name");
	if (p->request.field_count == LIMIT_HTTP_HEADERS)
		return bad(p, 431, "Too many header lines");
	p->at = (uint16_t)i;
	p->state = IN_NAME;
	return true;
}

static bool field_byte(struct http_parser *p, size_t i, char c)
{
	struct http_field *f = &p->fields[p->request.field_count % LIMIT_HTTP_HEADERS];

	switch (p->state) {
	case AT_FIELD:
		return field_begins(p, i, c);
	case IN_NAME:
		if (is_token(c))
			return true;
		if (c != ':')
			return bad(p, 400, "Malformed header name");
		f->name = p->at;
		f->name_n = (uint16_t)(i - p->at);
		p->state = BEFORE_VALUE;
		return true;
	case BEFORE_VALUE:
		if (c == ' ' || c == '\t')
			return true;
		p->at = (uint16_t)i;
		p->state = IN_VALUE;
		FALLTHROUGH;
	default:
		if (c == '\r')
			return value_ends(p, i);
		if (!is_value(c))
			return bad(p, 400, "Malformed header value");
		return true;
	}
}

/* The byte at place i of the head; false if it cannot stand there. */
static bool head_byte(struct http_parser *p, size_t i, char c)
{
	if (p->state < AT_LINE_LF)
		return line_byte(p, i, c);
	if (p->state != AT_LINE_LF && p->state != AT_FIELD_LF && p->state != AT_HEAD_LF)
		return field_byte(p, i, c);
	if (c != '\n')
		return bad(p, 400, "CR without LF");
	p->state = p->state == AT_HEAD_LF ? AT_BODY : AT_FIELD;
	return true;
}

/* The head lies in one piece and does not move any more: slices may point into it. */
static bool head_ends(struct http_parser *p)
{
	struct http_request *r = &p->request;
	struct http_framing framing;

	r->head = p->head.p;
	r->fields = p->fields;
	r->method_name = slice_of(p->head.p, p->method_n);
	r->target = slice_of(p->head.p + p->target_at, p->target_n);
	if (!http_head_judge(r, p->body.max, &framing, &p->fault)) {
		p->state = BROKEN;
		return false;
	}
	p->expects = framing.expects;
	p->left = framing.chunked ? 0 : framing.length;
	if (framing.chunked)
		p->state = IN_CHUNK_SIZE;
	else
		p->state = framing.length > 0 ? IN_BODY : AT_END;
	return true;
}

/*
 * The place of the next byte from i on that has to be looked at: those before it are more of the
 * name, value or target that has begun.
 */
static size_t next_place(const struct http_parser *p, size_t i)
{
	const char *at = p->head.p;
	size_t n = p->head.n;

	switch (p->state) {
	case IN_TARGET:
		n = MIN(n, (size_t)LIMIT_HTTP_LINE);
		while (i > p->target_at && i < n && is_target(at[i]))
			i++;
		break;
	case IN_NAME:
		while (i < n && is_token(at[i]))
			i++;
		break;
	case IN_VALUE:
		while (i < n && is_value(at[i]))
			i++;
		break;
	default:
		break;
	}
	return i;
}

/* Takes bytes of the head; sets how many. */
static bool parse_head(struct http_parser *p, struct slice in, size_t *ret_used)
{
	size_t from = p->head.n;
	size_t take = MIN(in.n, LIMIT_HTTP_HEAD - from);

	if (!buf_add(&p->head, slice_first(in, take)))
		die("the head has outgrown its limit");
	for (size_t i = from; i < p->head.n; i = next_place(p, i + 1)) {
		*ret_used = i + 1 - from;
		if (!head_byte(p, i, p->head.p[i]))
			return false;
		if (p->state == AT_BODY) {
			p->head.n = i + 1;
			return head_ends(p);
		}
	}
	*ret_used = take;
	if (p->head.n == LIMIT_HTTP_HEAD)
		return bad(p, 431, "Header lines too long");
	return true;
}

/* One CRLF before the request line is passed over. */
static bool start_byte(struct http_parser *p, char c, size_t *ret_used)
{
	*ret_used = 1;
	if (p->state == AT_START_LF) {
		p->state = AT_START_AGAIN;
		return c == '\n' || bad(p, 400, "CR without LF");
	}
	if (p->state == AT_START && c == '\r') {
		p->state = AT_START_LF;
		return true;
	}
	*ret_used = 0;
	p->state = IN_METHOD;
	return true;
}

/* ---- body ---- */

static bool size_byte(struct http_parser *p, char c)
{
	unsigned digit;

	if (c >= '0' && c <= '9')
		digit = (unsigned)(c - '0');
	else if (c >= 'a' && c <= 'f')
		digit = (unsigned)(c - 'a' + 10);
	else if (c >= 'A' && c <= 'F')
		digit = (unsigned)(c - 'A' + 10);
	else if (c == '\r' && p->digits > 0) {
		p->state = AT_CHUNK_LF;
		return true;
	} else {
		return bad(p, 400, "Malformed chunk size");
	}
	if (p->digits == CHUNK_DIGITS)
		return bad(p, 400, "Malformed chunk size");
	p->digits++;
	p->left = p->left << 4 | digit;
	if (p->left > p->body.max - p->body.n)
		return bad(p, 413, "Body too large");
	return true;
}

static bool expect_byte(struct http_parser *p, char c, char wanted, enum state next)
{
	if (c != wanted)
		return bad(p, 400, "Malformed chunk");
	p->state = (uint8_t)next;
	return true;
}

/* The bytes between the pieces of a chunked body (RFC 9112 section 7.1). */
static bool chunk_byte(struct http_parser *p, char c)
{
	switch (p->state) {
	case IN_CHUNK_SIZE:
		return size_byte(p, c);
	case AT_CHUNK_LF:
		return expect_byte(p, c, '\n', p->left > 0 ? IN_CHUNK : AT_LAST_CR);
	case AT_CHUNK_END_CR:
		return expect_byte(p, c, '\r', AT_CHUNK_END_LF);
	case AT_CHUNK_END_LF:
		p->digits = 0;
		return expect_byte(p, c, '\n', IN_CHUNK_SIZE);
	case AT_LAST_CR:
		if (c != '\r')
			return bad(p, 400, "Trailers are not accepted");
		p->state = AT_LAST_LF;
		return true;
	default:
		return expect_byte(p, c, '\n', AT_END);
	}
}

static void body_bytes(struct http_parser *p, struct slice in, size_t *ret_used)
{
	size_t take = in.n < p->left ? in.n : (size_t)p->left;

	if (!buf_add(&p->body, slice_first(in, take)))
		die("the body has outgrown its limit");
	p->left -= take;
	*ret_used = take;
	if (p->left == 0)
		p->state = p->state == IN_BODY ? AT_END : AT_CHUNK_END_CR;
}

/* Makes one step; false once BROKEN. */
static bool step(struct http_parser *p, struct slice in, size_t *ret_used)
{
	if (p->state < IN_METHOD)
		return start_byte(p, in.p[0], ret_used);
	if (p->state < AT_BODY)
		return parse_head(p, in, ret_used);
	p->expects = false;
	if (p->state == IN_BODY || p->state == IN_CHUNK) {
		body_bytes(p, in, ret_used);
		return true;
	}
	*ret_used = 1;
	return chunk_byte(p, in.p[0]);
}

enum parse http_parse(struct http_parser *p, struct slice in, size_t *ret_used, struct fault *err)
{
	if (p->state == AT_END)
		die("http_parse() after the end of a request");
	*ret_used = 0;
	while (p->state != AT_END && p->state != BROKEN && *ret_used < in.n) {
		size_t took = 0;

		(void)step(p, slice_skip(in, *ret_used), &took); /* the state tells */
		*ret_used += took;
	}
	if (p->state == BROKEN) {
		*err = p->fault;
		return PARSE_BAD;
	}
	if (p->state != AT_END)
		return PARSE_MORE;
	p->request.body = buf_slice(&p->body);
	return PARSE_DONE;
}
