/*
 * Sessions by id: an open hash table of 64-bit numbers, small because there is a row for each
 * client. Pure. Ids are ours, so the hash needs no key.
 */
#ifndef WORKER_SESSION_TABLE_H
#define WORKER_SESSION_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct session;

struct session_row {
	uint64_t id; /* 0 = free */
	struct session *s;
};

/* Zeroed = empty. */
struct session_table {
	struct session_row *rows;
	size_t cap; /* a power of two, or 0 */
	size_t count;
};

/* Frees the rows, not the sessions. */
void session_table_done(struct session_table *t);

/* id must not be 0 and not be in the table. */
void session_table_put(struct session_table *t, uint64_t id, struct session *s);
/* NULL if there is none. */
struct session *session_table_get(const struct session_table *t, uint64_t id);
/* Nothing happens if there is none. */
void session_table_remove(struct session_table *t, uint64_t id);

/*
 * Walks over all rows: start with *at = 0; NULL at the end. Sessions that are added or removed
 * meanwhile may be missed or come twice.
 */
struct session *session_table_next(const struct session_table *t, size_t *at);

#endif
