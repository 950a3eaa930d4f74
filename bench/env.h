/* A file of KEY=VALUE lines, values as a shell would quote them. */
#ifndef BENCH_ENV_H
#define BENCH_ENV_H

#include "common/base/macros.h"

struct env;

/* 0 or -errno. Stays until the process ends. */
MUST_CHECK int env_read(const char *path, struct env **ret);

/* NULL: it is not there, or empty. */
const char *env_get(const struct env *e, const char *key);

#endif
