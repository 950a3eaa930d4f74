/*
 * Requests that speak of a connection before its worker has: a client hears its socket id and may
 * present it to another worker at once, whose record can overtake the CONN_OPEN. They wait here for
 * it, EARLY_WAIT at most. Pure.
 */
#ifndef BROKER_EARLY_H
#define BROKER_EARLY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/list.h"
#include "common/base/macros.h"
#include "common/base/slice.h"

#define EARLY_WAIT 100000 /* microseconds: many times what a lane takes */
#define EARLY_MOST 256	  /* rows; each no longer than a request may be */

struct early_row;

struct early {
	TAILQ_HEAD(early_rows, early_row) rows; /* the oldest first */
	unsigned n;
};

/* One of them, while early_take() has it. */
struct early_row {
	TAILQ_ENTRY(early_row) link;
	uint64_t conn;
	usec_t until;
	uint32_t worker; /* that has sent it */
	uint32_t n;
	char body[];
};

void early_init(struct early *e);
void early_done(struct early *e);

/* Copies the body. False: no room, it has to be handled as it is. */
MUST_CHECK bool early_add(struct early *e, usec_t now, uint64_t conn, uint32_t worker,
			  struct slice body);

/* The next one that spoke of conn; to be given to free(). NULL: there is none. */
MUST_CHECK struct early_row *early_take(struct early *e, uint64_t conn);

/* The same of one that has waited in vain. */
MUST_CHECK struct early_row *early_give_up(struct early *e, usec_t now);

usec_t early_deadline(const struct early *e);

#endif
