/*
 * A private PostgreSQL cluster for a test, with the schema and some users; see
 * tests/sql/cluster.sh. It goes when the process ends, however that happens.
 *
 *	struct cluster *c = cluster_new();
 *	cluster_exec(c, "INSERT INTO chat.app_user VALUES ('%s', 'Ada')", "1");
 *	assert_int_equal(cluster_int(c, "SELECT count(*) FROM chat.message"), 3);
 *	cluster_stop(c, "immediate");
 *	cluster_start(c);
 *	cluster_free(c);
 *
 * Everything here waits, and ends the process when it fails.
 */
#ifndef TESTS_UNIT_PG_CLUSTER_H
#define TESTS_UNIT_PG_CLUSTER_H

#include <stdint.h>

#include "common/base/macros.h"

struct cluster;

struct cluster *cluster_new(void);
void cluster_free(struct cluster *c);

/* mode: fast or immediate. */
void cluster_stop(struct cluster *c, const char *mode);
void cluster_start(struct cluster *c);

/* For the store: a role that may do what a broker may. */
const char *cluster_conninfo(const struct cluster *c);

/* As the superuser. */
void cluster_exec(struct cluster *c, const char *fmt, ...) PRINTF(2, 3);
/* The number in the first column of the first row; -1 when that is NULL or no row. */
int64_t cluster_int(struct cluster *c, const char *fmt, ...) PRINTF(2, 3);
/* The same as text; the caller frees it. */
char *cluster_text(struct cluster *c, const char *fmt, ...) PRINTF(2, 3);

#endif
