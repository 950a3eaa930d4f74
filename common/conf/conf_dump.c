/* The configuration as text, and the difference of two. Pure. */
#include <stdlib.h>

#include "common/conf/conf_internal.h"

static void put_value(struct buf *out, struct slice value)
{
	struct slice line;

	while (slice_cut(value, '\n', &line, &value)) {
		(void)buf_add(out, line);
		(void)buf_add(out, SLICE("\n\t"));
	}
	(void)buf_add(out, value);
	(void)buf_addc(out, '\n');
}

static void put_section(struct buf *out, const struct conf *c, const struct conf_group *g, size_t i)
{
	const char *name = conf_group_name(c, g, i);

	(void)buf_printf(out, "%s[%s", out->n > 0 ? "\n" : "", g->name);
	if (g->most > 0) {
		(void)buf_add(out, SLICE(" \""));
		for (; *name != '\0'; name++) {
			if (*name == '"' || *name == '\\')
				(void)buf_addc(out, '\\');
			(void)buf_addc(out, *name);
		}
		(void)buf_addc(out, '"');
	}
	(void)buf_add(out, SLICE("]\n"));
}

bool conf_dump(const struct conf *c, struct buf *out)
{
	struct buf value;

	buf_init(&value, CONF_VALUE_MAX);
	for (size_t i = 0; i < conf_ngroups; i++) {
		const struct conf_group *g = &conf_groups[i];

		for (size_t n = 0; n < conf_group_count(c, g); n++) {
			put_section(out, c, g, n);
			for (size_t k = 0; k < g->nrows; k++) {
				buf_clear(&value);
				conf_value_get(&g->rows[k], conf_group_get(c, g, n), false, &value);
				(void)buf_printf(out, "%s =%s", g->rows[k].key,
						 value.n > 0 ? " " : "");
				put_value(out, buf_slice(&value));
			}
		}
	}
	buf_done(&value);
	return buf_ok(out);
}

static bool differs(const struct conf_row *row, const void *a, const void *b)
{
	struct buf x;
	struct buf y;

	buf_init(&x, CONF_VALUE_MAX);
	buf_init(&y, CONF_VALUE_MAX);
	conf_value_get(row, a, true, &x);
	conf_value_get(row, b, true, &y);
	bool result = !slice_eq(buf_slice(&x), buf_slice(&y));

	if (x.n > 0)
		explicit_bzero(x.p, x.n);
	if (y.n > 0)
		explicit_bzero(y.p, y.n);
	buf_done(&x);
	buf_done(&y);
	return result;
}

static bool row_changed(const struct conf *old, const struct conf *new, const struct conf_group *g,
			const struct conf_row *row)
{
	size_t n = conf_group_count(old, g);

	if (n != conf_group_count(new, g))
		return true;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(conf_group_name(old, g, i), conf_group_name(new, g, i)) != 0 ||
		    differs(row, conf_group_get(old, g, i), conf_group_get(new, g, i)))
			return true;
	}
	return false;
}

bool conf_needs_restart(const struct conf *old, const struct conf *new, struct buf *out)
{
	bool any = false;

	for (size_t i = 0; i < conf_ngroups; i++) {
		const struct conf_group *g = &conf_groups[i];

		for (size_t k = 0; k < g->nrows; k++) {
			if (g->rows[k].apply != CONF_APPLY_RESTART ||
			    !row_changed(old, new, g, &g->rows[k]))
				continue;
			(void)buf_printf(out, "%s[%s] %s", any ? ", " : "", g->name,
					 g->rows[k].key);
			any = true;
		}
	}
	return any;
}
