#include "ctl/outcome.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/base/buf.h"
#include "common/base/mem.h"

#define OBJECT_MAX (1 << 16)
#define TEXT_MAX 2048

void outcome_begin(struct outcome *o, bool json, bool told)
{
	*o = (struct outcome){.json = json, .told = told};
	if (json)
		(void)putchar('[');
}

void outcome_end(struct outcome *o)
{
	if (o->json)
		(void)fputs("\n]\n", stdout);
}

static void put_member(struct buf *out, const char *name, const char *text)
{
	(void)buf_printf(out, "%c\"%s\":", out->n == 0 ? '{' : ',', name);
	(void)buf_json_str(out, slice_str(text));
}

static void put_object(struct outcome *o, const char *what, const char *result, const char *text)
{
	struct buf out;

	buf_init(&out, OBJECT_MAX);
	put_member(&out, "what", what);
	put_member(&out, "result", result);
	if (text != NULL)
		put_member(&out, "text", text);
	(void)buf_addc(&out, '}');
	if (!buf_ok(&out))
		die("an object of more than %d bytes", OBJECT_MAX);
	(void)printf("%s%.*s", o->any ? ",\n" : "\n", SLICE_ARG(buf_slice(&out)));
	buf_done(&out);
	o->any = true;
}

void outcome_add(struct outcome *o, const char *what, const char *result)
{
	if (o->json)
		put_object(o, what, result, NULL);
	else if (o->told)
		(void)printf("%s %s\n", what, result);
	(void)fflush(stdout); /* what follows may take long */
}

void outcome_find(struct outcome *o, const char *what, enum finding finding, const char *fmt, ...)
{
	static const char *const names[] = {
		[FINDING_RIGHT] = "right",
		[FINDING_WARNING] = "warning",
		[FINDING_WRONG] = "wrong",
	};
	char text[TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (o->json)
		put_object(o, what, names[finding], text);
	else if (finding == FINDING_RIGHT)
		(void)printf("%s\n", text);
	(void)fflush(stdout); /* in the order of the checks, beside standard error */
	if (finding != FINDING_RIGHT)
		(void)fprintf(stderr, "chatctl: %s%s\n",
			      finding == FINDING_WARNING ? "warning: " : "", text);
}
