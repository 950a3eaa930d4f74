/*
 * Connections by number: an open hash table of pointers, small because there is a row for each
 * client. Numbers are given by workers of ours, so the hash needs no key.
 */
#ifndef BROKER_REGISTRY_CONN_TABLE_H
#define BROKER_REGISTRY_CONN_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct conn;

/* Zeroed = empty. */
struct conn_table {
	struct conn **rows; /* NULL = free */
	size_t cap;	    /* a power of two, or 0 */
	size_t count;
};

/* Frees the rows, not the connections. */
void conn_table_done(struct conn_table *t);

/* Its number must not be in the table. */
void conn_table_put(struct conn_table *t, struct conn *c);
/* NULL if there is none. */
struct conn *conn_table_get(const struct conn_table *t, uint64_t number);
/* It must be in the table. */
void conn_table_remove(struct conn_table *t, const struct conn *c);

#endif
