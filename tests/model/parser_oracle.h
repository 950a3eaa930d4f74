/*
 * http-parser, for comparison. Apart from the test because its header has names that ours has, too.
 */
#ifndef TESTS_MODEL_PARSER_ORACLE_H
#define TESTS_MODEL_PARSER_ORACLE_H

#include <stdbool.h>

#include "common/base/buf.h"

/* What it read in the first request of a text. */
struct oracle {
	bool complete;
	size_t used; /* bytes up to the end of the request */
	const char *method;
	struct buf target;
	struct buf lines; /* "name:value\n" of all headers */
	struct buf body;
	bool http_1_1;
	bool keep_alive;
	const char *error; /* if not complete */
	bool in_value;	   /* its own */
};

void oracle_parse(struct oracle *o, struct slice text);
void oracle_done(struct oracle *o);

#endif
