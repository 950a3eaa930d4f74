/* Hexadecimal, decimal, base64 and percent-encoding. Pure. */
#ifndef COMMON_BASE_ENCODE_H
#define COMMON_BASE_ENCODE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"

/* Lower-case hex of n bytes into out, which has room for 2n + 1 bytes; NUL-terminated. */
void hex_encode(const void *bytes, size_t n, char *out);

/* Exactly 2n hex digits of either case into n bytes; false for anything else. */
bool hex_decode(struct slice hex, void *out, size_t n);

/* Decimal digits, without NUL; returns how many. */
#define DECIMAL_MAX 20
size_t decimal_encode(uint64_t value, char out[DECIMAL_MAX]);

bool base64_encode(struct buf *out, const void *bytes, size_t n);
/* Standard alphabet with padding, strict; *ret_n is the number of bytes written. */
bool base64_decode(struct slice text, void *out, size_t cap, size_t *ret_n);

/*
 * Undoes %XX; with plus_is_space also '+' (forms and query strings). False for a bad escape; a
 * decoded NUL is left to the caller to judge.
 */
bool percent_decode(struct buf *out, struct slice text, bool plus_is_space);

#endif
