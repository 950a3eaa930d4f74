#include "ctl/dotenv.h"

#include <stdlib.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "common/crypto/hmac.h"

struct reader {
	struct slice rest;
	unsigned line; /* of the first byte of rest */
	struct dotenv *env;
	struct dotenv_fault *fault;
	struct buf value;
	struct slice missing;
};

static bool fails(const struct reader *r, const char *text)
{
	*r->fault = (struct dotenv_fault){r->line, text};
	return false;
}

/* ---- bytes ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '.';
}

static bool at_end(const struct reader *r)
{
	return r->rest.n == 0 || r->rest.p[0] == '\n';
}

static char take(struct reader *r)
{
	char c = r->rest.p[0];

	r->rest = slice_skip(r->rest, 1);
	r->line += c == '\n';
	return c;
}

static void skip_blanks(struct reader *r)
{
	while (!at_end(r) && is_blank(r->rest.p[0]))
		(void)take(r);
}

static void skip_line(struct reader *r)
{
	while (!at_end(r))
		(void)take(r);
}

static struct slice take_name(struct reader *r)
{
	size_t n = 0;

	while (n < r->rest.n && is_name(r->rest.p[n]))
		n++;

	struct slice name = slice_first(r->rest, n);

	r->rest = slice_skip(r->rest, n);
	return name;
}

/* ---- variables ---- */

static struct dotenv_var *find(const struct dotenv *env, struct slice name)
{
	for (size_t i = 0; i < env->n; i++) {
		if (slice_eq(slice_str(env->v[i].name), name))
			return &env->v[i];
	}
	return NULL;
}

static void forget(struct dotenv_var *v)
{
	if (v->value != NULL)
		crypto_erase(v->value, strlen(v->value));
	free(v->value);
	free(v->missing);
	v->value = v->missing = NULL;
}

static bool store(struct reader *r, struct slice name, unsigned line, bool valued)
{
	struct dotenv *env = r->env;
	struct dotenv_var *v = find(env, name);

	if (v == NULL) {
		if (env->n == DOTENV_VARS_MAX)
			return fails(r, "too many variables");
		env->v = mem_grow(env->v, env->n + 1, sizeof(*env->v));
		v = &env->v[env->n++];
		*v = (struct dotenv_var){.name = slice_dup(name)};
	}
	forget(v);
	v->line = line;
	v->value = valued ? slice_dup(buf_slice(&r->value)) : NULL;
	v->missing = r->missing.p != NULL ? slice_dup(r->missing) : NULL;
	return true;
}

/* ---- values ---- */

static bool add(struct reader *r, struct slice text)
{
	return buf_add(&r->value, text) || fails(r, "the value is too long");
}

static bool add_char(struct reader *r, char c)
{
	return add(r, slice_of(&c, 1));
}

/* Behind a dollar sign: the value of ${NAME}, or the sign itself. */
static bool add_variable(struct reader *r)
{
	struct reader ahead = *r;
	const struct dotenv_var *v;
	struct slice name;

	if (ahead.rest.n == 0 || ahead.rest.p[0] != '{')
		return add_char(r, '$');
	(void)take(&ahead);
	name = take_name(&ahead);
	if (name.n == 0 || ahead.rest.n == 0 || ahead.rest.p[0] != '}')
		return add_char(r, '$');
	v = find(r->env, name);
	if (v == NULL || v->value == NULL) {
		if (r->missing.p == NULL)
			r->missing = name;
		return add_char(r, '$');
	}
	r->rest = slice_skip(ahead.rest, 1);
	return add(r, slice_str(v->value));
}

static bool add_escape(struct reader *r)
{
	static const char letters[] = "\"\\$nrtfv";
	static const char bytes[] = "\"\\$\n\r\t\f\v";
	const char *at;

	if (r->rest.n == 0)
		return fails(r, "the closing quote is missing");
	at = memchr(letters, r->rest.p[0], sizeof(letters) - 1);
	if (at == NULL)
		return fails(r, "unknown escape in double quotes");
	(void)take(r);
	return add_char(r, bytes[at - letters]);
}

static bool quoted_value(struct reader *r, char quote)
{
	unsigned begun = r->line;
	char c;

	(void)take(r);
	for (;;) {
		if (r->rest.n == 0) {
			r->line = begun;
			return fails(r, "the closing quote is missing");
		}
		c = take(r);
		if (c == quote)
			break;
		if (quote == '"' && c == '\\') {
			if (!add_escape(r))
				return false;
		} else if (quote == '"' && c == '$') {
			if (!add_variable(r))
				return false;
		} else if (!add_char(r, c)) {
			return false;
		}
	}
	return true;
}

static bool plain_value(struct reader *r)
{
	while (!at_end(r) && !is_blank(r->rest.p[0]) && r->rest.p[0] != '#') {
		char c = take(r);

		if (!(c == '$' ? add_variable(r) : add_char(r, c)))
			return false;
	}
	return true;
}

/* What stands behind "=": a value, then nothing but a comment. */
static bool read_value(struct reader *r)
{
	bool ok;

	skip_blanks(r);
	if (!at_end(r) && (r->rest.p[0] == '\'' || r->rest.p[0] == '"'))
		ok = quoted_value(r, r->rest.p[0]);
	else
		ok = plain_value(r);
	if (!ok)
		return false;
	skip_blanks(r);
	if (!at_end(r) && r->rest.p[0] != '#')
		return fails(r, "a value with blanks must stand in quotes");
	skip_line(r);
	return true;
}

/* ---- lines ---- */

static bool read_entry(struct reader *r)
{
	unsigned line = r->line;
	struct slice name = take_name(r);
	bool valued;

	if (slice_eq(name, SLICE("export")) && !at_end(r) && is_blank(r->rest.p[0])) {
		skip_blanks(r);
		name = take_name(r);
	}
	if (name.n == 0)
		return fails(r, "NAME=value is wanted");
	skip_blanks(r);
	buf_clear(&r->value);
	r->missing = SLICE_NONE;
	valued = !at_end(r) && r->rest.p[0] == '=';
	if (valued) {
		(void)take(r);
		if (!read_value(r))
			return false;
	} else if (!at_end(r) && r->rest.p[0] != '#') {
		return fails(r, "NAME=value is wanted");
	}
	skip_line(r);
	return store(r, name, line, valued);
}

static bool read_all(struct reader *r)
{
	while (r->rest.n > 0) {
		skip_blanks(r);
		if (!at_end(r) && r->rest.p[0] == '#')
			skip_line(r);
		if (!at_end(r) && !read_entry(r))
			return false;
		if (r->rest.n > 0)
			(void)take(r);
	}
	return true;
}

bool dotenv_parse(struct slice text, struct dotenv *ret, struct dotenv_fault *err_fault)
{
	struct reader r = {.rest = text, .line = 1, .env = ret, .fault = err_fault};
	bool ok;

	*ret = (struct dotenv){0};
	*err_fault = (struct dotenv_fault){0};
	if (text.n > DOTENV_TEXT_MAX)
		err_fault->text = "larger than 1 MiB";
	else if (!utf8_valid(text) || memchr(text.p, '\0', text.n) != NULL)
		err_fault->text = "not UTF-8 text";
	if (err_fault->text != NULL)
		return false;
	if (slice_starts(text, SLICE("\xEF\xBB\xBF")))
		r.rest = slice_skip(text, 3);
	buf_init(&r.value, DOTENV_VALUE_MAX);
	ok = read_all(&r);
	if (r.value.p != NULL)
		crypto_erase(r.value.p, r.value.cap);
	buf_done(&r.value);
	return ok;
}

void dotenv_done(struct dotenv *env)
{
	for (size_t i = 0; i < env->n; i++) {
		free(env->v[i].name);
		forget(&env->v[i]);
	}
	free(env->v);
	*env = (struct dotenv){0};
}

const struct dotenv_var *dotenv_find(const struct dotenv *env, const char *name)
{
	return find(env, slice_str(name));
}
