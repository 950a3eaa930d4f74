/*
 * What is asked, the same whoever asks: lines of CHAT USER TOKEN BEFORE_SEQ, of which one after the
 * other is taken, from the first again after the last. BEFORE_SEQ 0 is the newest page.
 */
#ifndef TESTS_BENCH_BARE_REQUESTS_H
#define TESTS_BENCH_BARE_REQUESTS_H

#include <stdint.h>

#include "common/base/macros.h"

struct bare_request {
	uint64_t chat;
	char user[32];
	char token[96];
	uint64_t before;
};

struct bare_requests {
	struct bare_request *v;
	uint32_t n;
	uint32_t next;
};

/* Ends the process when there are none. */
void bare_requests_load(struct bare_requests *r, const char *path);
void bare_requests_done(struct bare_requests *r);
MUST_CHECK const struct bare_request *bare_requests_next(struct bare_requests *r);

#endif
