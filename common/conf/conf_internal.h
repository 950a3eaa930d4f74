/* The table of keys as data, for the files of this folder only. */
#ifndef COMMON_CONF_CONF_INTERNAL_H
#define COMMON_CONF_CONF_INTERNAL_H

#include "common/conf/conf.h"

/* Longest value, its continuation lines joined. */
#define CONF_VALUE_MAX (64 << 10)
/* Longest text of one file. */
#define CONF_TEXT_MAX (1 << 20)
/* Longest name of a section, as [channel "PATTERN"]. */
#define CONF_NAME_MAX 200

enum conf_type {
	CONF_TYPE_STR,
	CONF_TYPE_LIST,
	CONF_TYPE_SECRETS,
	CONF_TYPE_BOOL,
	CONF_TYPE_INT,
	CONF_TYPE_BYTES,
	CONF_TYPE_TIME,
	CONF_TYPE_ENUM,
};

enum conf_apply { CONF_APPLY_RELOAD, CONF_APPLY_RESTART };
enum conf_who { CONF_WHO_BROKER, CONF_WHO_WORKER, CONF_WHO_BOTH };

struct conf_row {
	const char *key;
	enum conf_type type;
	size_t offset;	   /* in the section's struct */
	const char *text;  /* default of strings and lists */
	uint64_t def;	   /* default of all others */
	uint64_t min, max; /* of numbers; of a list, max is its most items */
	const char *words; /* "a|b" */
	enum conf_apply apply;
	enum conf_who who;
	const char *help;
};

struct conf_group {
	const char *name;
	const char *help;
	const struct conf_row *rows;
	size_t nrows;
	size_t size;   /* of the section's struct */
	size_t offset; /* in struct conf: of the struct, or of the array */
	size_t count;  /* in struct conf: of the array's length */
	size_t most;   /* 0 = stands once, else most sections of this kind */
};

extern const struct conf_group conf_groups[];
extern const size_t conf_ngroups;

/* Where a value came from. */
struct conf_where {
	const char *file;
	unsigned int line; /* 0 = no lines: the environment, an option */
	bool fresh;	   /* a list begins anew */
};

/* NULL when there is none. */
const struct conf_group *conf_group_find(struct slice name);
const struct conf_row *conf_row_find(const struct conf_group *g, struct slice key);

size_t conf_group_count(const struct conf *c, const struct conf_group *g);
/* The struct of the i-th section of a group. */
void *conf_group_at(struct conf *c, const struct conf_group *g, size_t i);
const void *conf_group_get(const struct conf *c, const struct conf_group *g, size_t i);
/* Index of the section with this name, made with its defaults if there is none; `most` when full.
 */
size_t conf_group_open(struct conf *c, const struct conf_group *g, struct slice name);
/* Name of the i-th section, "" where a group has none. */
const char *conf_group_name(const struct conf *c, const struct conf_group *g, size_t i);

/* Sets a value of the section struct `base`; false: *err says why, without file and key. */
MUST_CHECK bool conf_value_set(const struct conf_row *row, void *base, struct slice text,
			       bool append, struct buf *err);
/* Writes it as conf_value_set() reads it; lines of a long value are separated by '\n'. */
void conf_value_get(const struct conf_row *row, const void *base, bool reveal, struct buf *out);
void conf_value_default(const struct conf_row *row, void *base);
void conf_value_done(const struct conf_row *row, void *base);
/* "0s to 10m", "yes or no", "all, presence or off" */
void conf_value_range(const struct conf_row *row, struct buf *out);
void conf_value_default_text(const struct conf_row *row, struct buf *out);

/* Fills in a fault, control bytes replaced; always false. */
bool conf_fail(struct conf_fault *err_fault, const char *fmt, ...) PRINTF(2, 3);

/* One assignment; used by the parser, the environment and options alike. */
MUST_CHECK bool conf_assign(struct conf *c, const struct conf_group *g, size_t index,
			    struct slice key, struct slice value, const struct conf_where *where,
			    struct conf_fault *err_fault);

/* Erases and frees; NULL is allowed. */
void conf_str_free(char *s);

/* Appends a copy. */
void conf_list_add(struct conf_list *list, struct slice item);
void conf_list_done(struct conf_list *list);

#endif
