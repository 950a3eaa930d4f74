/*
 * Files named .env, as Laravel reads them (phpdotenv 5): what a line means here it means there.
 * Pure: text in, variables out.
 *
 *	NAME=plain text is one word	# a comment begins with #, anywhere outside of quotes
 *	export NAME='taken as it is, over lines if need be'
 *	NAME="with ${OTHER}, \" \\ \$ \n \r \t \f \v"
 *
 * ${OTHER} is a variable that stands above, also in plain text; one that does not exist stays as it
 * is written, and is named in the variable that wanted it. Of two equal names the last one counts.
 */
#ifndef CTL_DOTENV_H
#define CTL_DOTENV_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/macros.h"
#include "common/base/slice.h"

#define DOTENV_TEXT_MAX (1 << 20)
#define DOTENV_VARS_MAX 4096
#define DOTENV_VALUE_MAX 65536

struct dotenv_var {
	char *name;
	char *value;   /* NULL: the name stands alone */
	char *missing; /* of the first ${...} that is not set; NULL = none */
	unsigned line; /* where the name stands */
};

struct dotenv {
	struct dotenv_var *v; /* in the order of their first lines */
	size_t n;
};

struct dotenv_fault {
	unsigned line; /* 0: the whole text */
	const char *text;
};

/* False: *err_fault says what is wrong. *ret is to be freed in both cases. */
MUST_CHECK bool dotenv_parse(struct slice text, struct dotenv *ret, struct dotenv_fault *err_fault);

/* Erases the values and frees. */
void dotenv_done(struct dotenv *env);

/* NULL when there is none of that name. */
const struct dotenv_var *dotenv_find(const struct dotenv *env, const char *name);

#endif
