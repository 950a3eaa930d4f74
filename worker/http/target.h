/* What of a request target can be judged without knowing our routes. Pure; for head.c. */
#ifndef WORKER_HTTP_TARGET_H
#define WORKER_HTTP_TARGET_H

#include <stdbool.h>

#include "common/base/slice.h"

/*
 * Whether a raw path is sound: begins with '/', every escape is %XX, no escaped NUL, UTF-8 after
 * decoding, and no segment that decodes to "." or "..".
 */
bool http_path_is_sound(struct slice path);

/* Whether the value of a Host line can be a host and port (RFC 3986 characters, not empty). */
bool http_host_is_sound(struct slice host);

#endif
