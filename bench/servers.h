/*
 * The processes of the server that is measured: their processor time and memory, read from outside.
 * Those of one role are added up; a role is counted as the server itself, or shown beside it.
 */
#ifndef BENCH_SERVERS_H
#define BENCH_SERVERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/slice.h"

#define SERVERS_MAX 512
#define SERVERS_ROLES 8
#define SERVERS_ROLE_NAME 16

struct server_process {
	pid_t pid;
	clockid_t clock;
	usec_t used; /* CPU time, as of the last look at it while it lived */
	uint8_t role;
};

struct servers {
	char roles[SERVERS_ROLES][SERVERS_ROLE_NAME];
	bool beside[SERVERS_ROLES];
	uint32_t role_count;
	struct server_process v[SERVERS_MAX];
	uint32_t n;
};

/*
 * "broker=123" or "worker=124,125"; with `beside` also all children of each, as PostgreSQL has
 * them. False: not like that, or no such process.
 */
bool servers_add(struct servers *s, struct slice text, bool beside);
/* A list of numbers, parted by blanks or commas. */
bool servers_add_pids(struct servers *s, struct slice role, struct slice pids, bool beside);

/* At one moment, by role. */
struct server_sample {
	usec_t cpu[SERVERS_ROLES];
	uint64_t memory[SERVERS_ROLES]; /* bytes: its share of what is mapped (PSS) */
	uint64_t kernel;		/* bytes of the whole machine: slab and socket buffers */
	usec_t at;
};

/* Reading the memory takes a while with many processes; without it, it is 0. */
void servers_sample(struct servers *s, bool memory, struct server_sample *ret);

/* Of the roles that are counted. */
usec_t servers_cpu(const struct servers *s, const struct server_sample *from,
		   const struct server_sample *to);
uint64_t servers_memory(const struct servers *s, const struct server_sample *at);
/* How many processes are counted. */
uint32_t servers_counted(const struct servers *s);

#endif
