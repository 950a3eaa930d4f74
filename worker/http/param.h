/*
 * Parameters of a query string or of a form body (application/x-www-form-urlencoded). Pure.
 * Names and values are raw: undo the escapes with percent_decode(…, true), and judge a decoded NUL
 * there.
 *
 *	struct slice rest = r->query, name, value;
 *	while (http_param_next(&rest, &name, &value)) ...
 */
#ifndef WORKER_HTTP_PARAM_H
#define WORKER_HTTP_PARAM_H

#include <stdbool.h>

#include "common/base/slice.h"

/*
 * The next parameter; false at the end. Empty ones ("a=1&&b=2") are passed over; one without '='
 * has an empty value.
 */
bool http_param_next(struct slice *rest, struct slice *ret_name, struct slice *ret_value);

/* Whether a raw name or value decodes to this text. A bad escape equals nothing. */
bool http_param_is(struct slice raw, struct slice text);

/* How many parameters have this (decoded) name; *ret_value is the raw value of the first, .p NULL
 * if there is none. */
unsigned http_param_find(struct slice params, struct slice name, struct slice *ret_value);

#endif
