/* The text of a configuration as rows for programs. Pure. */
#ifndef CTL_CONF_ROWS_H
#define CTL_CONF_ROWS_H

#include "common/base/buf.h"
#include "common/base/macros.h"

/*
 * Appends one array of {"section":"app","name":"chat","key":"key","value":"…"}; the name is null in
 * sections that have none. `text` is what conf_dump() writes, or chatctl import-env: comments,
 * sections, keys, and values whose further lines begin with a tab. False: `out` is full.
 */
MUST_CHECK bool conf_rows_put(struct slice text, struct buf *out);

#endif
