/*
 * Bearer tokens in the form of Laravel Sanctum: "Authorization: Bearer ID|PLAIN" or "Bearer PLAIN".
 * Of the plain part only its SHA-256 leaves this module. Pure.
 */
#ifndef WORKER_API_TOKEN_H
#define WORKER_API_TOKEN_H

#include "common/crypto/hmac.h"
#include "worker/http/request.h"

/* Longest part before the '|': a number, or a UUID where the table has those. */
#define TOKEN_ID_MAX 64

struct token {
	struct slice id; /* into the request; empty where none was given */
	char hash[2 * SHA256_SIZE + 1];
};

/* False: there is no such header, or it can be no token. */
MUST_CHECK bool token_read(const struct http_request *r, struct token *ret);

#endif
