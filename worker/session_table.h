/*
 * Sessions by id: an open hash table, small because there is a row for each client. It points to
 * the ids, which stand in the sessions and must not change meanwhile. Pure. Ids are ours, so the
 * hash needs no key.
 */
#ifndef WORKER_SESSION_TABLE_H
#define WORKER_SESSION_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed = empty. */
struct session_table {
	uint64_t **rows; /* NULL = free */
	size_t cap;	 /* a power of two, or 0 */
	size_t count;
};

/* Frees the rows, not the sessions. */
void session_table_done(struct session_table *t);

/* The id must not be in the table. */
void session_table_put(struct session_table *t, uint64_t *id);
/* Where it stands; NULL if there is none. */
uint64_t *session_table_get(const struct session_table *t, uint64_t id);
/* Nothing happens if there is none. */
void session_table_remove(struct session_table *t, uint64_t id);

/*
 * Walks over all rows: start with *at = 0; NULL at the end. Sessions that are added or removed
 * meanwhile may be missed or come twice.
 */
uint64_t *session_table_next(const struct session_table *t, size_t *at);

#endif
