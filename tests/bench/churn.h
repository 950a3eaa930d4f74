/*
 * People who come and go, each with a connection and a subscription to a presence channel: what
 * the mirror has to write. A life changes every row that belongs to it: connection, member, user,
 * and, when it ends, when the user was last seen. Between two changes of one life all others come.
 */
#ifndef TESTS_BENCH_CHURN_H
#define TESTS_BENCH_CHURN_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/store/mirror.h"

#define CHURN_LIVES 50000
#define CHURN_TEXT 32
#define CHURN_WORKER 1

/* One who came or went, with the rows as they are to be. */
struct churn_life {
	bool there;
	struct mirror_conn conn;
	struct mirror_member member;
	struct mirror_user user;
	char socket_id[CHURN_TEXT];
	char user_id[CHURN_TEXT];
	char channel[CHURN_TEXT];
};

struct churn {
	bool there[CHURN_LIVES];
	uint32_t at;
};

/* Every second one is there. */
void churn_init(struct churn *c);
/* The life of that number as it stands; slices point into it. */
void churn_life(const struct churn *c, uint32_t number, struct churn_life *ret);
/* The next one that comes or goes. */
void churn_next(struct churn *c, struct churn_life *ret);
/* How many rows that changes. */
static inline uint32_t churn_rows(const struct churn_life *l)
{
	return l->there ? 3 : 4;
}

#endif
