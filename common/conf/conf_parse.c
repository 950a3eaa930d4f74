/* The grammar of chat.conf(5): lines to sections, keys and values. Pure. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "common/conf/conf_internal.h"

struct seen {
	const struct conf_group *group;
	size_t index;
	struct slice key;
};

struct parse {
	struct conf *c;
	const char *file;
	struct conf_fault *fault;
	unsigned int line;

	const struct conf_group *group; /* NULL before the first section */
	size_t index;

	struct slice key; /* of the value being gathered; empty = none */
	unsigned int key_line;
	struct buf value;

	struct seen *seen; /* lists of this text, which further lines append to */
	size_t nseen;
};

static bool bad_line(const struct parse *p, const char *why)
{
	return conf_fail(p->fault, "%s:%u: %s", p->file, p->line, why);
}

/* Whether this key has stood in this text before; remembers it. */
static bool seen_before(struct parse *p)
{
	for (size_t i = 0; i < p->nseen; i++) {
		if (p->seen[i].group == p->group && p->seen[i].index == p->index &&
		    slice_eq(p->seen[i].key, p->key))
			return true;
	}
	p->seen = mem_grow(p->seen, p->nseen + 1, sizeof(p->seen[0]));
	p->seen[p->nseen++] = (struct seen){p->group, p->index, p->key};
	return false;
}

static bool is_list(const struct parse *p)
{
	const struct conf_row *row = conf_row_find(p->group, p->key);

	return row != NULL && (row->type == CONF_TYPE_LIST || row->type == CONF_TYPE_SECRETS);
}

/* The value that was being gathered is whole. */
static bool flush(struct parse *p)
{
	struct conf_where where = {.file = p->file, .line = p->key_line, .fresh = true};
	struct slice value = slice_trim(buf_slice(&p->value));
	bool ok;

	if (p->key.n == 0)
		return true;
	if (slice_eq(p->key, SLICE("include"))) {
		ok = p->c->includes.n < 16 && value.n > 0;
		if (ok)
			conf_list_add(&p->c->includes, value);
		else
			(void)conf_fail(p->fault,
					"%s:%u: include: must be one of at most 16 directories",
					p->file, p->key_line);
	} else if (p->group == NULL) {
		ok = conf_fail(p->fault, "%s:%u: \"%.*s\" stands before the first [section]",
			       p->file, p->key_line, (int)MIN(p->key.n, 60), p->key.p);
	} else {
		if (is_list(p))
			where.fresh = !seen_before(p);
		ok = conf_assign(p->c, p->group, p->index, p->key, value, &where, p->fault);
	}
	p->key = SLICE_NONE;
	buf_clear(&p->value);
	return ok;
}

/* "PATTERN" or PATTERN, \" and \\ inside quotes. */
static bool section_name(struct slice text, struct buf *out)
{
	if (text.n == 0 || text.p[0] != '"')
		return memchr(text.n > 0 ? text.p : "", '"', text.n) == NULL && buf_add(out, text);
	for (size_t i = 1; i < text.n; i++) {
		char c = text.p[i];

		if (c == '"')
			return i + 1 == text.n;
		if (c == '\\' && ++i == text.n)
			return false;
		if (!buf_addc(out, text.p[i]))
			return false;
	}
	return false;
}

static bool open_section(struct parse *p, struct slice kind, struct slice rest)
{
	struct buf name;

	p->group = conf_group_find(kind);
	if (p->group == NULL)
		return conf_fail(p->fault, "%s:%u: there is no section [%.*s]", p->file, p->line,
				 (int)MIN(kind.n, 60), kind.p);
	buf_init(&name, CONF_NAME_MAX);
	bool ok = section_name(rest, &name);

	if (!ok)
		(void)bad_line(p, "the name of the section is malformed or too long");
	else if (p->group->most == 0 && name.n > 0)
		ok = conf_fail(p->fault, "%s:%u: section [%s] has no name", p->file, p->line,
			       p->group->name);
	else if (p->group->most > 0 && name.n == 0)
		ok = conf_fail(p->fault, "%s:%u: section [%s] needs a name: [%s \"NAME\"]", p->file,
			       p->line, p->group->name, p->group->name);
	if (ok) {
		p->index = conf_group_open(p->c, p->group, buf_slice(&name));
		if (p->group->most > 0 && p->index == p->group->most)
			ok = conf_fail(p->fault, "%s:%u: at most %zu sections [%s]", p->file,
				       p->line, p->group->most, p->group->name);
	}
	buf_done(&name);
	return ok;
}

static bool section_line(struct parse *p, struct slice line)
{
	size_t n = 0;

	if (line.p[line.n - 1] != ']')
		return bad_line(p, "a section must end in ]");
	struct slice inside = slice_trim(slice_of(line.p + 1, line.n - 2));

	while (n < inside.n && inside.p[n] != ' ' && inside.p[n] != '\t' && inside.p[n] != '"')
		n++;
	return open_section(p, slice_first(inside, n), slice_trim(slice_skip(inside, n)));
}

static bool key_line(struct parse *p, struct slice line)
{
	struct slice key;
	struct slice value;

	if (!slice_cut(line, '=', &key, &value))
		return bad_line(p,
				"expected [section], key = value, a comment, or an indented line");
	key = slice_trim(key);
	if (key.n == 0)
		return bad_line(p, "a key must stand before =");
	p->key = key;
	p->key_line = p->line;
	if (!buf_add(&p->value, slice_trim(value)))
		return bad_line(p, "the value is longer than 64 KiB");
	return true;
}

static bool continuation(struct parse *p, struct slice line)
{
	if (p->key.n == 0)
		return bad_line(p, "an indented line continues a value, and there is none");
	if ((p->value.n > 0 && !buf_addc(&p->value, '\n')) || !buf_add(&p->value, line))
		return bad_line(p, "the value is longer than 64 KiB");
	return true;
}

static bool one_line(struct parse *p, struct slice raw)
{
	struct slice line = slice_trim(raw);

	if (line.n == 0 || raw.p[0] == '#' || raw.p[0] == ';')
		return true;
	if (raw.p[0] == ' ' || raw.p[0] == '\t')
		return continuation(p, line);
	if (!flush(p))
		return false;
	return raw.p[0] == '[' ? section_line(p, line) : key_line(p, line);
}

static bool is_text(struct slice text)
{
	return utf8_valid(text) && (text.n == 0 || memchr(text.p, '\0', text.n) == NULL);
}

bool conf_parse(struct conf *c, struct slice text, const char *file, struct conf_fault *err_fault)
{
	struct parse p = {.c = c, .file = file, .fault = err_fault};
	bool ok = true;

	if (text.n > CONF_TEXT_MAX)
		return conf_fail(err_fault, "%s: larger than 1 MiB", file);
	if (!is_text(text))
		return conf_fail(err_fault, "%s: not UTF-8 text", file);
	buf_init(&p.value, CONF_VALUE_MAX);
	while (ok && text.n > 0) {
		struct slice line;

		if (!slice_cut(text, '\n', &line, &text)) {
			line = text;
			text = SLICE_NONE;
		}
		p.line++;
		ok = one_line(&p, line);
	}
	ok = ok && flush(&p);
	buf_done(&p.value);
	free(p.seen);
	return ok;
}
