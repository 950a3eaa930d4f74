/* The answer to GET /status for people, on one screen. Pure. */
#ifndef CTL_SCREEN_H
#define CTL_SCREEN_H

#include "common/base/buf.h"
#include "common/base/macros.h"
#include "common/json/scan.h"

/*
 * Appends lines about the broker, its database, its rates, its workers and applications. What an
 * older or newer broker does not say is shown as "-". False: this is no JSON object.
 */
MUST_CHECK bool screen_put(struct buf *out, const struct json_value *status);

#endif
