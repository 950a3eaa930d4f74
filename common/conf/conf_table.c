#include "common/conf/conf_internal.h"

#include <stdlib.h>

#include "common/base/mem.h"

#define MSEC(n) ((n)*USEC_PER_MSEC)
#define SEC(n) ((n)*USEC_PER_SEC)
#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

/* clang-format off */
#define CONF_SECTION(section, help)
#define CONF_MANY(section, most, help)
#define CONF_END(section)
#define CONF_STR(section, key, def, apply, who, help)
#define CONF_LIST(section, key, def, most, apply, who, help)
#define CONF_SECRETS(section, key, most, apply, who, help)
#define CONF_BOOL(section, key, def, apply, who, help)
#define CONF_RANGE(section, key, def, min, max) \
	_Static_assert((uint64_t)(def) >= (uint64_t)(min) && (uint64_t)(def) <= (uint64_t)(max), \
		       "default of " #section " " #key " is out of range");
#define CONF_INT(section, key, def, min, max, apply, who, help) CONF_RANGE(section, key, def, min, max)
#define CONF_BYTES(section, key, def, min, max, apply, who, help) CONF_RANGE(section, key, def, min, max)
#define CONF_TIME(section, key, def, min, max, apply, who, help) CONF_RANGE(section, key, def, min, max)
#define CONF_ENUM(section, key, words, def, apply, who, help)
#include "common/conf/conf.def"
#undef CONF_SECTION
#undef CONF_MANY
#undef CONF_END
#undef CONF_STR
#undef CONF_LIST
#undef CONF_SECRETS
#undef CONF_BOOL
#undef CONF_INT
#undef CONF_BYTES
#undef CONF_TIME
#undef CONF_ENUM

#define ROW(section, key_, ...) \
	{.key = #key_, .offset = offsetof(struct conf_##section, key_), __VA_ARGS__},
#define USE(apply_, who_, help_) \
	.apply = CONF_APPLY_##apply_, .who = CONF_WHO_##who_, .help = (help_)

#define CONF_SECTION(section, help) static const struct conf_row section##_rows[] = {
#define CONF_MANY(section, most, help) static const struct conf_row section##_rows[] = {
#define CONF_END(section) };
#define CONF_STR(section, key, def_, apply, who, help) \
	ROW(section, key, .type = CONF_TYPE_STR, .text = (def_), USE(apply, who, help))
#define CONF_LIST(section, key, def_, most, apply, who, help) \
	ROW(section, key, .type = CONF_TYPE_LIST, .text = (def_), .max = (most), USE(apply, who, help))
#define CONF_SECRETS(section, key, most, apply, who, help) \
	ROW(section, key, .type = CONF_TYPE_SECRETS, .text = "", .max = (most), USE(apply, who, help))
#define CONF_BOOL(section, key, def_, apply, who, help) \
	ROW(section, key, .type = CONF_TYPE_BOOL, .def = (def_), .max = 1, USE(apply, who, help))
#define CONF_INT(section, key, def_, min_, max_, apply, who, help) \
	ROW(section, key, .type = CONF_TYPE_INT, .def = (def_), .min = (min_), .max = (max_), USE(apply, who, help))
#define CONF_BYTES(section, key, def_, min_, max_, apply, who, help) \
	ROW(section, key, .type = CONF_TYPE_BYTES, .def = (def_), .min = (min_), .max = (max_), USE(apply, who, help))
#define CONF_TIME(section, key, def_, min_, max_, apply, who, help) \
	ROW(section, key, .type = CONF_TYPE_TIME, .def = (def_), .min = (min_), .max = (max_), USE(apply, who, help))
#define CONF_ENUM(section, key, words_, def_, apply, who, help) \
	ROW(section, key, .type = CONF_TYPE_ENUM, .words = (words_), .def = (def_), USE(apply, who, help))
#include "common/conf/conf.def"
#undef CONF_SECTION
#undef CONF_MANY
#undef CONF_END
#undef CONF_STR
#undef CONF_LIST
#undef CONF_SECRETS
#undef CONF_BOOL
#undef CONF_INT
#undef CONF_BYTES
#undef CONF_TIME
#undef CONF_ENUM

#define CONF_END(section)
#define CONF_STR(section, key, def, apply, who, help)
#define CONF_LIST(section, key, def, most, apply, who, help)
#define CONF_SECRETS(section, key, most, apply, who, help)
#define CONF_BOOL(section, key, def, apply, who, help)
#define CONF_INT(section, key, def, min, max, apply, who, help)
#define CONF_BYTES(section, key, def, min, max, apply, who, help)
#define CONF_TIME(section, key, def, min, max, apply, who, help)
#define CONF_ENUM(section, key, words, def, apply, who, help)
#define CONF_SECTION(section, help_) \
	{.name = #section, .help = (help_), .rows = section##_rows, \
	 .nrows = ARRAY_LEN(section##_rows), .size = sizeof(struct conf_##section), \
	 .offset = offsetof(struct conf, section)},
#define CONF_MANY(section, most_, help_) \
	{.name = #section, .help = (help_), .rows = section##_rows, \
	 .nrows = ARRAY_LEN(section##_rows), .size = sizeof(struct conf_##section), \
	 .offset = offsetof(struct conf, section##s), .count = offsetof(struct conf, n##section##s), \
	 .most = (most_)},
const struct conf_group conf_groups[] = {
#include "common/conf/conf.def"
};
/* clang-format on */

const size_t conf_ngroups = ARRAY_LEN(conf_groups);

const struct conf_group *conf_group_find(struct slice name)
{
	for (size_t i = 0; i < conf_ngroups; i++) {
		if (slice_eq(name, slice_str(conf_groups[i].name)))
			return &conf_groups[i];
	}
	return NULL;
}

const struct conf_row *conf_row_find(const struct conf_group *g, struct slice key)
{
	for (size_t i = 0; i < g->nrows; i++) {
		if (slice_eq(key, slice_str(g->rows[i].key)))
			return &g->rows[i];
	}
	return NULL;
}

static size_t *count_of(struct conf *c, const struct conf_group *g)
{
	return (size_t *)(void *)((char *)c + g->count);
}

static void **array_of(struct conf *c, const struct conf_group *g)
{
	return (void **)(void *)((char *)c + g->offset);
}

size_t conf_group_count(const struct conf *c, const struct conf_group *g)
{
	if (g->most == 0)
		return 1;
	return *(const size_t *)(const void *)((const char *)c + g->count);
}

void *conf_group_at(struct conf *c, const struct conf_group *g, size_t i)
{
	if (g->most == 0)
		return (char *)c + g->offset;
	return (char *)*array_of(c, g) + i * g->size;
}

const void *conf_group_get(const struct conf *c, const struct conf_group *g, size_t i)
{
	const char *at = (const char *)c + g->offset;

	if (g->most == 0)
		return at;
	return *(const char *const *)(const void *)at + i * g->size;
}

const char *conf_group_name(const struct conf *c, const struct conf_group *g, size_t i)
{
	/* The name is the first member of every section that has one. */
	return g->most == 0 ? "" : *(char *const *)conf_group_get(c, g, i);
}

size_t conf_group_open(struct conf *c, const struct conf_group *g, struct slice name)
{
	size_t n = conf_group_count(c, g);

	if (g->most == 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (slice_eq(name, slice_str(conf_group_name(c, g, i))))
			return i;
	}
	if (n == g->most)
		return g->most;
	*array_of(c, g) = mem_grow(*array_of(c, g), n + 1, g->size);
	*count_of(c, g) = n + 1;
	char *base = conf_group_at(c, g, n);

	memset(base, 0, g->size);
	*(char **)(void *)base = slice_dup(name);
	for (size_t i = 0; i < g->nrows; i++)
		conf_value_default(&g->rows[i], base);
	return n;
}
