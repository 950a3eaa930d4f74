/*
 * The signature of a request to the HTTP API of the Pusher protocol: auth_key, auth_timestamp,
 * auth_version, body_md5 and auth_signature among the query parameters. Pure.
 *
 * Signed is "METHOD\nPATH\nPARAMETERS": all parameters but the signature, names in lower case,
 * sorted by name (equal names in their order), values decoded. Libraries disagree about what
 * "decoded" means for '+' and whether the path is escaped, so each form is tried: every one of them
 * is a MAC under the secret of the application, none makes forging easier.
 */
#ifndef WORKER_API_SIGNATURE_H
#define WORKER_API_SIGNATURE_H

#include <stdint.h>

#include "worker/pusher/auth.h"

/* Seconds that the clock of a signer may be off. */
#define SIGNATURE_WINDOW 600

/* For err_text: the string to sign stands in it, with its escapes. */
#define SIGNATURE_TEXT_MAX 32768

struct signature_input {
	struct slice method;
	struct slice path; /* raw, without the deployment's prefix */
	struct slice query;
	struct slice body;
	int64_t now; /* seconds of the Unix epoch */
};

/* Whether it is good; if not, appends a sentence for the 401 answer, which reveals no secret. */
MUST_CHECK bool signature_ok(const struct pusher_signer *signer, struct slice key,
			     const struct signature_input *in, struct buf *err_text);

#endif
