/*
 * Which peers are proxies of ours, and how many connections each other address has. Pure.
 */
#ifndef WORKER_PROXY_H
#define WORKER_PROXY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/macros.h"
#include "common/base/slice.h"

/* ---- trusted proxies: addresses, networks, "unix" ---- */

struct proxies;

/* Texts that are no address and no network (10.0.0.0/8) are left out. */
MALLOC_LIKE struct proxies *proxies_new(char *const *texts, size_t n);
void proxies_free(struct proxies *p);
bool proxies_trust(const struct proxies *p, struct slice address);

/*
 * The client behind trusted proxies: of "client, proxy1, proxy2" (X-Forwarded-For) the last address
 * that is not a trusted one; empty if there is none.
 */
struct slice proxies_client(const struct proxies *p, struct slice forwarded_for);

/* ---- connections of each address ---- */

struct addresses;

MALLOC_LIKE struct addresses *addresses_new(void);
/* Only when all have been dropped. */
void addresses_free(struct addresses *a);
/* One more; false when it has `max` already (0 = no limit) or IPv6's /64 has. */
bool addresses_take(struct addresses *a, struct slice address, uint32_t max);
void addresses_drop(struct addresses *a, struct slice address);

#endif
