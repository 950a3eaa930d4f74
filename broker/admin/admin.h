/*
 * The operators' port: HTTP on loopback and on a unix socket, no names of channels or users.
 *
 *	GET /live	200 while the loop turns
 *	GET /ready	200, or 503 with what is waited for
 *	GET /metrics	for Prometheus
 *	GET /status	for chatctl status: JSON
 *	POST /reload	for chatctl reload: the configuration is read anew, workers are replaced
 *	POST /drain	for chatctl drain: ?worker=NUMBER, or all of them, are replaced
 *
 * What changes anything is taken by the unix socket alone, from root and from the broker's user.
 *
 * Not meant for browsers: no CORS headers, and requests that carry an Origin are refused.
 */
#ifndef BROKER_ADMIN_ADMIN_H
#define BROKER_ADMIN_ADMIN_H

#include <stdint.h>

#include "broker/admin/facts.h"
#include "common/base/macros.h"

struct admin;
struct loop;

struct admin_options {
	const char *host; /* NULL: no TCP port */
	uint16_t port;
	const char *socket; /* path of the unix socket; NULL: none */
};

/* Fills in everything; called for each request that needs it. */
typedef void admin_facts_fn(void *ctx, struct admin_facts *ret);

struct admin_ops {
	admin_facts_fn *facts;
	/* Both answer how many workers were told. */
	unsigned (*reload)(void *ctx);
	unsigned (*drain)(void *ctx, uint32_t worker); /* 0 = all */
};

/*
 * Binds both; ops and ctx must outlive it; an old socket file is replaced, the new one has mode
 * 0660. 0 and *ret_admin, or -errno, with the log saying for which address.
 */
MUST_CHECK int admin_new(struct loop *loop, const struct admin_options *options,
			 const struct admin_ops *ops, void *ctx, struct admin **ret_admin);
/* Removes the socket file. NULL is allowed. */
void admin_free(struct admin *a);

#endif
