#include "ctl/conf_rows.h"

#include <string.h>

/* The row that is being read; value and name are without quotes and tabs. */
struct row {
	struct slice section;
	struct buf name;
	bool named;
	struct slice key;
	struct buf value;
	bool any; /* there was one before */
};

static void put_row(struct row *row, struct buf *out)
{
	if (row->key.n == 0)
		return;
	(void)buf_add(out, row->any ? SLICE(",\n{\"section\":") : SLICE("\n{\"section\":"));
	(void)buf_json_str(out, row->section);
	(void)buf_add(out, SLICE(",\"name\":"));
	if (row->named)
		(void)buf_json_str(out, buf_slice(&row->name));
	else
		(void)buf_add(out, SLICE("null"));
	(void)buf_add(out, SLICE(",\"key\":"));
	(void)buf_json_str(out, row->key);
	(void)buf_add(out, SLICE(",\"value\":"));
	(void)buf_json_str(out, buf_slice(&row->value));
	(void)buf_addc(out, '}');
	row->any = true;
	row->key = SLICE_NONE;
}

/* [app "a\"b"] */
static void read_section(struct row *row, struct slice line)
{
	struct slice rest = SLICE_NONE;

	line = slice_first(slice_skip(line, 1), line.n - 2);
	row->named = slice_cut(line, ' ', &row->section, &rest);
	if (!row->named)
		row->section = line;
	buf_clear(&row->name);
	for (size_t i = 1; i + 1 < rest.n; i++) {
		if (rest.p[i] == '\\')
			i++;
		(void)buf_addc(&row->name, rest.p[i]);
	}
}

static void read_key(struct row *row, struct slice line)
{
	struct slice value = SLICE_NONE;

	buf_clear(&row->value);
	if (!slice_cut(line, '=', &row->key, &value))
		row->key = line;
	row->key = slice_trim(row->key);
	(void)buf_add(&row->value, slice_trim(value));
}

static void read_line(struct row *row, struct slice line, struct buf *out)
{
	if (line.n == 0 || line.p[0] == '#')
		return;
	if (line.p[0] == '\t') {
		(void)buf_addc(&row->value, '\n');
		(void)buf_add(&row->value, slice_skip(line, 1));
		return;
	}
	put_row(row, out);
	if (line.p[0] == '[')
		read_section(row, line);
	else
		read_key(row, line);
}

bool conf_rows_put(struct slice text, struct buf *out)
{
	struct row row = {0};
	struct slice line;
	bool ok;

	buf_init(&row.name, text.n + 1);
	buf_init(&row.value, text.n + 1);
	(void)buf_addc(out, '[');
	while (slice_cut(text, '\n', &line, &text))
		read_line(&row, line, out);
	put_row(&row, out);
	(void)buf_add(out, SLICE("\n]\n"));
	if (row.value.n > 0)
		explicit_bzero(row.value.p, row.value.cap);
	ok = buf_ok(out);
	buf_done(&row.name);
	buf_done(&row.value);
	return ok;
}
