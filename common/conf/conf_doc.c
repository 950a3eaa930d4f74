/*
 * Makes documents from the table of keys: `conf_doc sample` writes a commented sample file,
 * `conf_doc man` the key section of chat.conf(5), and `conf_doc check PAGE` fails when that section
 * of a page, between its two marks, is not what `conf_doc man` writes now.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/conf/conf_internal.h"

#define DOC_MAX (256 << 10)
#define MARK_BEGIN ".\\\" keys: begin, made by conf_doc\n"
#define MARK_END ".\\\" keys: end\n"

static const char *who_text(enum conf_who who)
{
	switch (who) {
	case CONF_WHO_BROKER:
		return "broker";
	case CONF_WHO_WORKER:
		return "workers";
	case CONF_WHO_BOTH:
		return "broker and workers";
	}
	return "";
}

static bool has_range(const struct conf_row *row)
{
	return row->type != CONF_TYPE_STR && row->type != CONF_TYPE_BOOL;
}

/* What is allowed, the default and when a change takes effect, in one line. */
static void put_facts(struct buf *out, const struct conf_row *row, const char *empty)
{
	struct buf def;

	buf_init(&def, 1024);
	conf_value_default_text(row, &def);
	if (has_range(row)) {
		conf_value_range(row, out);
		(void)buf_add(out, SLICE("; "));
	}
	(void)buf_printf(out, "default %.*s; read by the %s, %s",
			 def.n > 0 ? (int)def.n : (int)strlen(empty), def.n > 0 ? def.p : empty,
			 who_text(row->who),
			 row->apply == CONF_APPLY_RELOAD ? "on reload" : "at start");
	buf_done(&def);
}

/* Lines of at most 78 columns, each behind "# ". */
static void put_comment(struct buf *out, struct slice text)
{
	while (text.n > 0) {
		size_t n = MIN(text.n, 76);

		while (n < text.n && n > 0 && text.p[n] != ' ')
			n--;
		if (n == 0)
			n = text.n;
		(void)buf_printf(out, "# %.*s\n", (int)n, text.p);
		text = slice_trim(slice_skip(text, n));
	}
}

static void sample_row(struct buf *out, const struct conf_row *row)
{
	struct buf facts;
	struct buf def;

	buf_init(&facts, 1024);
	buf_init(&def, 1024);
	put_facts(&facts, row, "empty");
	conf_value_default_text(row, &def);
	(void)buf_addc(out, '\n');
	put_comment(out, slice_str(row->help));
	put_comment(out, buf_slice(&facts));
	(void)buf_printf(out, "#%s =%s%.*s\n", row->key, def.n > 0 ? " " : "", (int)def.n,
			 def.n > 0 ? def.p : "");
	buf_done(&facts);
	buf_done(&def);
}

static void put_sample(struct buf *out)
{
	(void)buf_add(out,
		      SLICE("# Configuration of chat-server; see chat.conf(5). Every key is "
			    "shown with its\n# default. Comments stand at the start of a line, "
			    "indented lines continue a value.\n\n"
			    "# The files *.conf of this directory are read next, in the order of "
			    "their names.\ninclude = /etc/chat/conf.d\n"));
	for (size_t i = 0; i < conf_ngroups; i++) {
		const struct conf_group *g = &conf_groups[i];

		(void)buf_addc(out, '\n');
		put_comment(out, slice_str(g->help));
		if (g->most > 0)
			(void)buf_printf(out, "#[%s \"NAME\"]\n", g->name);
		else
			(void)buf_printf(out, "[%s]\n", g->name);
		for (size_t k = 0; k < g->nrows; k++)
			sample_row(out, &g->rows[k]);
	}
}

/* roff gives meaning to a backslash, and to a dot or quote at the start of a line. */
static void put_roff(struct buf *out, struct slice text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\\')
			(void)buf_add(out, SLICE("\\e"));
		else if (i == 0 && (text.p[i] == '.' || text.p[i] == '\''))
			(void)buf_printf(out, "\\&%c", text.p[i]);
		else
			(void)buf_addc(out, text.p[i]);
	}
}

/* A capital at the front and a full stop behind. */
static void put_sentence(struct buf *out, struct slice text)
{
	struct buf plain;

	buf_init(&plain, 4096);
	(void)buf_add(&plain, text);
	if (plain.n > 0 && plain.p[0] >= 'a' && plain.p[0] <= 'z')
		plain.p[0] = (char)(plain.p[0] - 'a' + 'A');
	put_roff(out, buf_slice(&plain));
	(void)buf_add(out, SLICE(".\n"));
	buf_done(&plain);
}

static void man_row(struct buf *out, const struct conf_row *row)
{
	struct buf facts;

	buf_init(&facts, 1024);
	put_facts(&facts, row, "empty");
	(void)buf_printf(out, ".It Ic %s\n", row->key);
	put_roff(out, slice_str(row->help));
	(void)buf_addc(out, '\n');
	put_sentence(out, buf_slice(&facts));
	buf_done(&facts);
}

static void put_man(struct buf *out)
{
	for (size_t i = 0; i < conf_ngroups; i++) {
		const struct conf_group *g = &conf_groups[i];

		(void)buf_printf(out, ".Ss [%s%s]\n", g->name,
				 g->most > 0 ? " \\(dqNAME\\(dq" : "");
		put_roff(out, slice_str(g->help));
		(void)buf_add(out, SLICE(".\n.Bl -tag -width Ds\n"));
		for (size_t k = 0; k < g->nrows; k++)
			man_row(out, &g->rows[k]);
		(void)buf_add(out, SLICE(".El\n"));
	}
}

static bool read_page(const char *path, struct buf *page)
{
	FILE *f = fopen(path, "r");
	size_t n = 1;

	if (f == NULL)
		return false;
	while (n > 0) {
		char *at = buf_reserve(page, 4096);

		n = at != NULL ? fread(at, 1, 4096, f) : 0;
		page->n += n;
	}
	bool ok = ferror(f) == 0 && buf_ok(page);
	(void)fclose(f);
	return ok;
}

/* Whether the page holds exactly this text between its marks. */
static int check_page(const char *path, struct slice want)
{
	struct buf page;
	const char *begin = NULL;
	const char *end = NULL;

	buf_init(&page, DOC_MAX);
	if (read_page(path, &page) && buf_cstr(&page) != NULL) {
		begin = strstr(page.p, MARK_BEGIN);
		end = begin != NULL ? strstr(begin, MARK_END) : NULL;
	}
	bool fresh = false;

	if (end != NULL) {
		begin += strlen(MARK_BEGIN);
		fresh = slice_eq(slice_of(begin, (size_t)(end - begin)), want);
	}
	buf_done(&page);
	if (fresh)
		return 0;
	fprintf(stderr,
		"%s: the keys are not those of conf.def; put the output of \"conf_doc man\" "
		"between the marks\n",
		path);
	return 1;
}

int main(int argc, char **argv)
{
	struct buf out;
	int status = 0;

	buf_init(&out, DOC_MAX);
	if (argc == 2 && strcmp(argv[1], "sample") == 0) {
		put_sample(&out);
	} else if ((argc == 2 && strcmp(argv[1], "man") == 0) ||
		   (argc == 3 && strcmp(argv[1], "check") == 0)) {
		put_man(&out);
	} else {
		fputs("usage: conf_doc sample | man | check PAGE\n", stderr);
		status = 2;
	}
	if (!buf_ok(&out))
		die("a document of more than %d bytes", DOC_MAX);
	if (argc == 3 && status == 0)
		status = check_page(argv[2], buf_slice(&out));
	else if (status == 0 && fwrite(out.p, 1, out.n, stdout) != out.n)
		status = 1;
	buf_done(&out);
	return status;
}
