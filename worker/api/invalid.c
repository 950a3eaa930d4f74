#include "worker/api/invalid.h"

#include "worker/api/answer.h"

/* All fields with all their sentences. */
#define BODY_MAX 8192
#define TEXTS_MAX 1024

void invalid_init(struct invalid *v)
{
	*v = (struct invalid){0};
	buf_init(&v->body, BODY_MAX);
	buf_init(&v->texts, TEXTS_MAX);
	(void)buf_reserve(&v->texts, TEXTS_MAX); /* what points into it stays where it is */
}

void invalid_done(struct invalid *v)
{
	buf_done(&v->body);
	buf_done(&v->texts);
}

void invalid_add(struct invalid *v, struct slice field, const char *rule)
{
	for (size_t i = 0; i < v->n; i++) {
		if (slice_eq(v->fields[i], field))
			return;
	}
	if (v->n == INVALID_FIELDS)
		return;
	v->fields[v->n] = field;
	v->rules[v->n++] = rule;
}

void invalid_required(struct invalid *v, struct slice field)
{
	invalid_add(v, field, "is required.");
}

void invalid_too_long(struct invalid *v, struct slice field, uint64_t bytes)
{
	const char *rule = v->texts.p + v->texts.n;

	if (buf_printf(&v->texts, "must not be greater than %llu bytes.%c",
		       (unsigned long long)bytes, '\0'))
		invalid_add(v, field, rule);
	else
		invalid_add(v, field, "is too long.");
}

/* Without quotes; names of fields and rules need no escapes. */
static void add_sentence(struct buf *out, struct slice field, const char *rule)
{
	(void)buf_add(out, SLICE("The "));
	for (size_t i = 0; i < field.n; i++)
		(void)buf_addc(out, field.p[i] == '_' ? ' ' : field.p[i]);
	(void)buf_add(out, SLICE(" field "));
	(void)buf_add(out, slice_str(rule)); /* few and short: all of it fits */
}

struct slice invalid_body(struct invalid *v)
{
	struct buf *out = &v->body;

	buf_clear(out);
	if (v->n == 0)
		return SLICE_NONE;
	(void)buf_add(out, SLICE("{\"message\":\""));
	add_sentence(out, v->fields[0], v->rules[0]);
	if (v->n > 1)
		(void)buf_printf(out, " (and %zu more error%s)", v->n - 1, v->n > 2 ? "s" : "");
	(void)buf_add(out, SLICE("\",\"errors\":{"));
	for (size_t i = 0; i < v->n; i++) {
		(void)buf_add(out, i > 0 ? SLICE(",\"") : SLICE("\""));
		(void)buf_add(out, v->fields[i]);
		(void)buf_add(out, SLICE("\":[\""));
		add_sentence(out, v->fields[i], v->rules[i]);
		(void)buf_add(out, SLICE("\"]"));
	}
	(void)buf_add(out, SLICE("}}"));
	return buf_slice(out);
}

void invalid_answer(struct invalid *v, struct worker *w, uint64_t session)
{
	struct answer a = {.status = 422, .body = invalid_body(v)};

	answer_send(w, session, &a);
}
