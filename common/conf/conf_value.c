/* Values of each type: from text, to text, default, end. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "common/conf/conf_internal.h"

struct unit {
	const char *name;
	uint64_t size;
};

/* Largest first, so that a value is written in the largest unit that fits. */
static const struct unit time_units[] = {
	{"d", 86400 * USEC_PER_SEC}, {"h", 3600 * USEC_PER_SEC}, {"m", 60 * USEC_PER_SEC},
	{"s", USEC_PER_SEC},	     {"ms", USEC_PER_MSEC},	 {"us", 1},
};
static const struct unit byte_units[] = {
	{"G", 1ULL << 30}, {"M", 1ULL << 20}, {"K", 1ULL << 10}, {"", 1}};

static void *field(const struct conf_row *row, void *base)
{
	return (char *)base + row->offset;
}

static const void *const_field(const struct conf_row *row, const void *base)
{
	return (const char *)base + row->offset;
}

void conf_str_free(char *s)
{
	if (s == NULL)
		return;
	explicit_bzero(s, strlen(s)); /* any of them may be a secret */
	free(s);
}

void conf_list_add(struct conf_list *list, struct slice item)
{
	list->v = mem_grow(list->v, list->n + 1, sizeof(list->v[0]));
	list->v[list->n++] = slice_dup(item);
}

void conf_list_done(struct conf_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		conf_str_free(list->v[i]);
	free(list->v);
	*list = (struct conf_list){NULL, 0};
}

/* A number with a unit; `bare` is what a number without one counts. */
static bool parse_units(struct slice text, const struct unit *units, size_t n, uint64_t bare,
			uint64_t *ret_value)
{
	unsigned long long number;
	size_t digits = 0;
	uint64_t size = 0;

	while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9')
		digits++;
	struct slice name = slice_trim(slice_skip(text, digits));
	if (!slice_to_u64(slice_first(text, digits), &number))
		return false;
	if (name.n == 0)
		size = bare;
	for (size_t i = 0; size == 0 && i < n; i++) {
		if (units[i].name[0] != '\0' && slice_eq_nocase(name, slice_str(units[i].name)))
			size = units[i].size;
	}
	return size > 0 && !__builtin_mul_overflow((uint64_t)number, size, ret_value);
}

static bool parse_bool(struct slice text, uint64_t *ret_value)
{
	static const char *const yes[] = {"yes", "true", "on", "1"};
	static const char *const no[] = {"no", "false", "off", "0"};

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (slice_eq_nocase(text, slice_str(yes[i]))) {
			*ret_value = 1;
			return true;
		}
		if (slice_eq_nocase(text, slice_str(no[i]))) {
			*ret_value = 0;
			return true;
		}
	}
	return false;
}

/* The n-th word of "a|b|c"; false behind the last. */
static bool word_at(const char *words, uint64_t n, struct slice *ret_word)
{
	struct slice rest = slice_str(words);
	struct slice word;

	while (slice_cut(rest, '|', &word, &rest)) {
		if (n-- == 0) {
			*ret_word = word;
			return true;
		}
	}
	if (n != 0)
		return false;
	*ret_word = rest;
	return true;
}

static bool parse_word(const char *words, struct slice text, uint64_t *ret_value)
{
	struct slice word;

	for (uint64_t i = 0; word_at(words, i, &word); i++) {
		if (slice_eq(text, word)) {
			*ret_value = i;
			return true;
		}
	}
	return false;
}

static bool parse_number(const struct conf_row *row, struct slice text, uint64_t *ret_value)
{
	switch (row->type) {
	case CONF_TYPE_BOOL:
		return parse_bool(text, ret_value);
	case CONF_TYPE_ENUM:
		return parse_word(row->words, text, ret_value);
	case CONF_TYPE_TIME:
		if (!parse_units(text, time_units, ARRAY_LEN(time_units), USEC_PER_SEC, ret_value))
			return false;
		break;
	case CONF_TYPE_BYTES:
		if (!parse_units(text, byte_units, ARRAY_LEN(byte_units), 1, ret_value))
			return false;
		break;
	case CONF_TYPE_INT:
	case CONF_TYPE_STR:
	case CONF_TYPE_LIST:
	case CONF_TYPE_SECRETS:
		if (!parse_units(text, NULL, 0, 1, ret_value))
			return false;
		break;
	}
	return *ret_value >= row->min && *ret_value <= row->max;
}

static void store_number(const struct conf_row *row, void *base, uint64_t value)
{
	void *at = field(row, base);

	switch (row->type) {
	case CONF_TYPE_BOOL:
		*(bool *)at = value != 0;
		return;
	case CONF_TYPE_INT:
	case CONF_TYPE_ENUM:
		*(uint32_t *)at = (uint32_t)value;
		return;
	case CONF_TYPE_BYTES:
	case CONF_TYPE_TIME:
		*(uint64_t *)at = value;
		return;
	case CONF_TYPE_STR:
	case CONF_TYPE_LIST:
	case CONF_TYPE_SECRETS:
		break;
	}
	die("%s is no number", row->key);
}

static uint64_t load_number(const struct conf_row *row, const void *base)
{
	const void *at = const_field(row, base);

	switch (row->type) {
	case CONF_TYPE_BOOL:
		return *(const bool *)at;
	case CONF_TYPE_INT:
	case CONF_TYPE_ENUM:
		return *(const uint32_t *)at;
	case CONF_TYPE_BYTES:
	case CONF_TYPE_TIME:
		return *(const uint64_t *)at;
	case CONF_TYPE_STR:
	case CONF_TYPE_LIST:
	case CONF_TYPE_SECRETS:
		break;
	}
	die("%s is no number", row->key);
}

static bool is_separator(const struct conf_row *row, char c)
{
	if (row->type == CONF_TYPE_SECRETS)
		return c == '\n';
	return c == '\n' || c == ' ' || c == '\t' || c == ',';
}

static bool set_list(const struct conf_row *row, struct conf_list *list, struct slice text,
		     bool append)
{
	size_t at = 0;

	if (!append || text.n == 0)
		conf_list_done(list);
	while (at < text.n) {
		size_t from = at;

		while (at < text.n && !is_separator(row, text.p[at]))
			at++;
		if (at > from) {
			if (list->n == row->max)
				return false;
			conf_list_add(list, slice_of(text.p + from, at - from));
		}
		at++;
	}
	return true;
}

bool conf_value_set(const struct conf_row *row, void *base, struct slice text, bool append,
		    struct buf *err)
{
	uint64_t value;

	if (row->type == CONF_TYPE_STR) {
		char **at = field(row, base);

		conf_str_free(*at);
		*at = slice_dup(text);
		return true;
	}
	if (row->type == CONF_TYPE_LIST || row->type == CONF_TYPE_SECRETS) {
		if (set_list(row, field(row, base), text, append))
			return true;
		(void)buf_printf(err, "at most %llu values", (unsigned long long)row->max);
		return false;
	}
	if (!parse_number(row, text, &value)) {
		(void)buf_add(err, SLICE("must be "));
		conf_value_range(row, err);
		return false;
	}
	store_number(row, base, value);
	return true;
}

static void put_units(struct buf *out, uint64_t value, const struct unit *units, size_t n,
		      const char *zero)
{
	if (value == 0) {
		(void)buf_add(out, slice_str(zero));
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (value % units[i].size == 0) {
			(void)buf_u64(out, value / units[i].size);
			(void)buf_add(out, slice_str(units[i].name));
			return;
		}
	}
}

static void put_number(const struct conf_row *row, uint64_t value, struct buf *out)
{
	struct slice word;

	if (row->type == CONF_TYPE_BOOL)
		(void)buf_add(out, value != 0 ? SLICE("yes") : SLICE("no"));
	else if (row->type == CONF_TYPE_ENUM && word_at(row->words, value, &word))
		(void)buf_add(out, word);
	else if (row->type == CONF_TYPE_TIME)
		put_units(out, value, time_units, ARRAY_LEN(time_units), "0s");
	else if (row->type == CONF_TYPE_BYTES)
		put_units(out, value, byte_units, ARRAY_LEN(byte_units), "0");
	else
		(void)buf_u64(out, value);
}

static void put_list(const struct conf_row *row, const struct conf_list *list, bool reveal,
		     struct buf *out)
{
	bool hide = row->type == CONF_TYPE_SECRETS && !reveal;

	for (size_t i = 0; i < list->n; i++) {
		if (i > 0)
			(void)buf_addc(out, '\n');
		(void)buf_add(out, hide ? SLICE("(hidden)") : slice_str(list->v[i]));
	}
}

void conf_value_get(const struct conf_row *row, const void *base, bool reveal, struct buf *out)
{
	if (row->type == CONF_TYPE_STR)
		(void)buf_add(out, slice_str(*(char *const *)const_field(row, base)));
	else if (row->type == CONF_TYPE_LIST || row->type == CONF_TYPE_SECRETS)
		put_list(row, const_field(row, base), reveal, out);
	else
		put_number(row, load_number(row, base), out);
}

void conf_value_default(const struct conf_row *row, void *base)
{
	if (row->type == CONF_TYPE_STR)
		*(char **)field(row, base) = mem_strdup(row->text);
	else if (row->type == CONF_TYPE_LIST || row->type == CONF_TYPE_SECRETS)
		(void)set_list(row, field(row, base), slice_str(row->text), false);
	else
		store_number(row, base, row->def);
}

void conf_value_default_text(const struct conf_row *row, struct buf *out)
{
	if (row->text != NULL)
		(void)buf_add(out, slice_str(row->text));
	else
		put_number(row, row->def, out);
}

void conf_value_done(const struct conf_row *row, void *base)
{
	if (row->type == CONF_TYPE_STR)
		conf_str_free(*(char **)field(row, base));
	else if (row->type == CONF_TYPE_LIST || row->type == CONF_TYPE_SECRETS)
		conf_list_done(field(row, base));
}

static void put_words(const char *words, struct buf *out)
{
	struct slice word;
	struct slice next;

	for (uint64_t i = 0; word_at(words, i, &word); i++) {
		if (i > 0)
			(void)buf_add(out,
				      word_at(words, i + 1, &next) ? SLICE(", ") : SLICE(" or "));
		(void)buf_add(out, word);
	}
}

void conf_value_range(const struct conf_row *row, struct buf *out)
{
	switch (row->type) {
	case CONF_TYPE_BOOL:
		(void)buf_add(out, SLICE("yes or no"));
		return;
	case CONF_TYPE_ENUM:
		put_words(row->words, out);
		return;
	case CONF_TYPE_INT:
	case CONF_TYPE_BYTES:
	case CONF_TYPE_TIME:
		put_number(row, row->min, out);
		(void)buf_add(out, SLICE(" to "));
		put_number(row, row->max, out);
		return;
	case CONF_TYPE_LIST:
	case CONF_TYPE_SECRETS:
		(void)buf_printf(out, "at most %llu values", (unsigned long long)row->max);
		return;
	case CONF_TYPE_STR:
		(void)buf_add(out, SLICE("text"));
		return;
	}
}
