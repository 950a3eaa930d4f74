#include "common/conf/conf.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/conf/conf_internal.h"

/* The shipped rules for channels; the last two are the names that Echo.join('presence-...') makes.
 */
static const struct {
	const char *pattern;
	const char *rule;
	bool presence;
} shipped_channels[] = {
	{"private-user.{user}", "owner", false},
	{"private-chat.{chat}", "participant", false},
	{"presence-chat.{chat}", "participant", true},
	{"presence-users", "authenticated", true},
	{"presence-presence-chat.{chat}", "participant", true},
	{"presence-presence-users", "authenticated", true},
};

struct conf *conf_new(void)
{
	struct conf *c = NEW(struct conf);

	for (size_t i = 0; i < conf_ngroups; i++) {
		const struct conf_group *g = &conf_groups[i];

		for (size_t k = 0; g->most == 0 && k < g->nrows; k++)
			conf_value_default(&g->rows[k], conf_group_at(c, g, 0));
	}
	const struct conf_group *channels = conf_group_find(SLICE("channel"));

	for (size_t i = 0; i < ARRAY_LEN(shipped_channels); i++) {
		size_t at = conf_group_open(c, channels, slice_str(shipped_channels[i].pattern));

		conf_str_free(c->channels[at].rule);
		c->channels[at].rule = mem_strdup(shipped_channels[i].rule);
		c->channels[at].presence = shipped_channels[i].presence;
	}
	return c;
}

void conf_free(struct conf *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < conf_ngroups; i++) {
		const struct conf_group *g = &conf_groups[i];

		for (size_t n = 0; n < conf_group_count(c, g); n++) {
			void *base = conf_group_at(c, g, n);

			for (size_t k = 0; k < g->nrows; k++)
				conf_value_done(&g->rows[k], base);
			if (g->most > 0)
				free(*(char **)base);
		}
	}
	free(c->apps);
	free(c->channels);
	free(c->sqls);
	conf_list_done(&c->includes);
	free(c);
}

bool conf_fail(struct conf_fault *err_fault, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	if (vsnprintf(err_fault->text, sizeof(err_fault->text), fmt, args) < 0)
		err_fault->text[0] = '\0';
	va_end(args);
	for (char *p = err_fault->text; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7F)
			*p = ' ';
	}
	return false;
}

/* Number of insertions, deletions and replacements between two short names. */
static size_t distance(struct slice a, struct slice b)
{
	size_t row[32];

	if (a.n >= ARRAY_LEN(row) || b.n >= ARRAY_LEN(row))
		return SIZE_MAX;
	for (size_t j = 0; j <= b.n; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			size_t replaced = diagonal + (a.p[i - 1] != b.p[j - 1]);

			diagonal = row[j];
			row[j] = MIN(replaced, MIN(row[j], row[j - 1]) + 1);
		}
	}
	return row[b.n];
}

static const char *similar_key(const struct conf_group *g, struct slice key)
{
	const char *best = NULL;
	size_t least = 3; /* farther away it is another word */

	for (size_t i = 0; i < g->nrows; i++) {
		size_t d = distance(key, slice_str(g->rows[i].key));

		if (d < least) {
			least = d;
			best = g->rows[i].key;
		}
	}
	return best;
}

/* "chat.conf:12: [channel "a"]" */
static void put_where(struct buf *out, const struct conf *c, const struct conf_group *g,
		      size_t index, const struct conf_where *where)
{
	(void)buf_add(out, slice_str(where->file));
	if (where->line > 0)
		(void)buf_printf(out, ":%u", where->line);
	(void)buf_printf(out, ": [%s", g->name);
	if (g->most > 0)
		(void)buf_printf(out, " \"%.60s\"", conf_group_name(c, g, index));
	(void)buf_addc(out, ']');
}

bool conf_assign(struct conf *c, const struct conf_group *g, size_t index, struct slice key,
		 struct slice value, const struct conf_where *where, struct conf_fault *err_fault)
{
	const struct conf_row *row = conf_row_find(g, key);
	struct buf place;
	struct buf why;
	bool ok = false;

	buf_init(&place, sizeof(err_fault->text));
	buf_init(&why, sizeof(err_fault->text));
	put_where(&place, c, g, index, where);
	if (row == NULL) {
		const char *similar = similar_key(g, key);

		(void)conf_fail(err_fault, "%.*s has no key \"%.*s\"%s%s%s", (int)place.n, place.p,
				(int)MIN(key.n, 60), key.p,
				similar != NULL ? "; did you mean \"" : "",
				similar != NULL ? similar : "", similar != NULL ? "\"?" : "");
	} else if (conf_value_set(row, conf_group_at(c, g, index), value, !where->fresh, &why)) {
		ok = true;
	} else if (row->type == CONF_TYPE_SECRETS) {
		(void)conf_fail(err_fault, "%.*s %s: %.*s", (int)place.n, place.p, row->key,
				(int)why.n, why.p);
	} else {
		(void)conf_fail(err_fault, "%.*s %s = %.*s: %.*s", (int)place.n, place.p, row->key,
				(int)MIN(value.n, 80), value.n > 0 ? value.p : "", (int)why.n,
				why.p);
	}
	buf_done(&place);
	buf_done(&why);
	return ok;
}

bool conf_set(struct conf *c, const char *section, const char *key, struct slice value,
	      const char *origin, struct conf_fault *err_fault)
{
	const struct conf_group *g = conf_group_find(slice_str(section));
	struct conf_where where = {.file = origin, .fresh = true};

	if (g == NULL || g->most > 0)
		die("conf_set of [%s]", section);
	return conf_assign(c, g, 0, slice_str(key), value, &where, err_fault);
}

/* "WORKER_LISTEN" begins with the name of the group and an underscore. */
static bool env_names(struct slice name, const char *group, struct slice *ret_key)
{
	struct slice want = slice_str(group);

	if (name.n <= want.n || name.p[want.n] != '_' ||
	    !slice_eq_nocase(slice_first(name, want.n), want))
		return false;
	*ret_key = slice_skip(name, want.n + 1);
	return true;
}

bool conf_env(struct conf *c, const char *assignment, struct conf_fault *err_fault)
{
	struct slice name;
	struct slice value;
	struct slice key;
	char lower[32];
	char origin[80];

	if (!slice_cut(slice_str(assignment), '=', &name, &value) ||
	    !slice_starts(name, SLICE("CHAT_")) || name.n >= sizeof(origin))
		return true;
	for (size_t i = 0; i < conf_ngroups; i++) {
		const struct conf_group *g = &conf_groups[i];
		bool app = g->size == sizeof(struct conf_app) && strcmp(g->name, "app") == 0;

		if ((g->most > 0 && !app) || !env_names(slice_skip(name, 5), g->name, &key) ||
		    key.n >= sizeof(lower))
			continue;
		for (size_t k = 0; k < key.n; k++)
			lower[k] = (char)tolower((unsigned char)key.p[k]);
		if (conf_row_find(g, slice_of(lower, key.n)) == NULL)
			continue; /* platforms set names like CHAT_WORKER_PORT_8080_TCP */
		(void)snprintf(origin, sizeof(origin), "%.*s", SLICE_ARG(name));
		if (app && c->napps > 1)
			return conf_fail(err_fault, "%s: there are %zu applications; use the file",
					 origin, c->napps);
		size_t at = app && c->napps == 0 ? conf_group_open(c, g, SLICE("default")) : 0;
		struct conf_where where = {.file = origin, .fresh = true};

		return conf_assign(c, g, at, slice_of(lower, key.n), slice_trim(value), &where,
				   err_fault);
	}
	return true;
}

const struct conf_app *conf_chat_app(const struct conf *c)
{
	for (size_t i = 0; i < c->napps; i++) {
		if (c->chat.app[0] == '\0' || strcmp(c->apps[i].name, c->chat.app) == 0)
			return &c->apps[i];
	}
	return NULL;
}

const char *conf_sql(const struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->nsqls; i++) {
		if (strcmp(c->sqls[i].name, name) == 0)
			return c->sqls[i].query;
	}
	return NULL;
}

bool conf_sql_is_rule(const struct conf *c, const char *name)
{
	static const char *const words[] = {"owner", "participant", "authenticated", "deny"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(name, words[i]) == 0)
			return false;
	}
	for (size_t i = 0; i < c->nchannels; i++) {
		if (strcmp(c->channels[i].rule, name) == 0)
			return true;
	}
	return false;
}
