/* The command line of chat-bench, the environment file, and the plan that follows from both. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>

#include "bench/plan.h"
#include "bench/servers.h"
#include "common/base/macros.h"

/* Exit statuses, as sysexits.h. */
enum { BENCH_OK = 0, BENCH_FAILED = 1, BENCH_USAGE = 64, BENCH_UNAVAILABLE = 69 };

struct options {
	struct plan plan;
	struct servers servers;
	const char *save; /* file for the JSON, beside the page; NULL = none */
	bool json;
	bool quiet;
	bool help;
	bool version;
};

/*
 * Reads argv and what it names. Texts live as long as the process. False: what is wrong was written
 * to standard error.
 */
MUST_CHECK bool options_read(struct options *o, int argc, char **argv);

void options_usage(void);

#endif
