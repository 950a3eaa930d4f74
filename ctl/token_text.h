/*
 * Bearer tokens as Laravel Sanctum makes them: "{id}|{40 letters and digits}{their CRC-32 in hex}".
 * What stands behind the bar is the secret; the database keeps only its SHA-256. Pure but for the
 * random letters.
 */
#ifndef CTL_TOKEN_TEXT_H
#define CTL_TOKEN_TEXT_H

#include <stdint.h>

#include "common/base/slice.h"

#define TOKEN_RANDOM 40
#define TOKEN_TEXT (TOKEN_RANDOM + 8)
#define TOKEN_DIGEST 64

/* CRC-32 of ISO 3309, as PHP's "crc32b" and zlib have it. */
uint32_t token_crc32(struct slice text);

/* The secret to TOKEN_RANDOM given characters. NUL-terminated. */
void token_finish(struct slice random, char out[TOKEN_TEXT + 1]);

/* A new secret. The caller erases it. */
void token_make(char out[TOKEN_TEXT + 1]);

/* SHA-256 in lower-case hex, NUL-terminated. */
void token_digest(struct slice secret, char out[TOKEN_DIGEST + 1]);

#endif
