#include "tests/model/parser_oracle.h"

#include <http_parser.h>

#define TEXT_MAX 8192

static int on_url(http_parser *p, const char *at, size_t n)
{
	struct oracle *o = p->data;

	return buf_add(&o->target, slice_of(at, n)) ? 0 : 1;
}

static int on_body(http_parser *p, const char *at, size_t n)
{
	struct oracle *o = p->data;

	return buf_add(&o->body, slice_of(at, n)) ? 0 : 1;
}

static void end_value(struct oracle *o)
{
	if (o->in_value)
		(void)buf_addc(&o->lines, '\n'); /* a failure shows in the comparison */
	o->in_value = false;
}

static int on_field(http_parser *p, const char *at, size_t n)
{
	struct oracle *o = p->data;

	end_value(o);
	return buf_add(&o->lines, slice_of(at, n)) ? 0 : 1;
}

static int on_value(http_parser *p, const char *at, size_t n)
{
	struct oracle *o = p->data;

	if (!o->in_value)
		(void)buf_addc(&o->lines, ':'); /* the same */
	o->in_value = true;
	return buf_add(&o->lines, slice_of(at, n)) ? 0 : 1;
}

static int on_complete(http_parser *p)
{
	struct oracle *o = p->data;

	end_value(o);
	o->complete = true;
	o->keep_alive = http_should_keep_alive(p) != 0;
	o->http_1_1 = p->http_major == 1 && p->http_minor == 1;
	o->method = http_method_str((enum http_method)p->method);
	http_parser_pause(p, 1); /* one request only */
	return 0;
}

void oracle_parse(struct oracle *o, struct slice text)
{
	static const http_parser_settings settings = {
		.on_url = on_url,
		.on_header_field = on_field,
		.on_header_value = on_value,
		.on_body = on_body,
		.on_message_complete = on_complete,
	};
	http_parser p;

	*o = (struct oracle){0};
	buf_init(&o->target, TEXT_MAX);
	buf_init(&o->lines, TEXT_MAX);
	buf_init(&o->body, TEXT_MAX);
	http_parser_init(&p, HTTP_REQUEST);
	p.data = o;
	o->used = http_parser_execute(&p, &settings, text.p, text.n);
	o->error = http_errno_name(HTTP_PARSER_ERRNO(&p));
}

void oracle_done(struct oracle *o)
{
	buf_done(&o->target);
	buf_done(&o->lines);
	buf_done(&o->body);
}
