/* The same requests to the house: one keep-alive connection for each that is under way. */
#ifndef TESTS_BENCH_BARE_HTTP_H
#define TESTS_BENCH_BARE_HTTP_H

#include <stdbool.h>

#include "tests/bench/bare.h"

int bare_http(const struct bare_options *o, const char *kind, bool history);

#endif
