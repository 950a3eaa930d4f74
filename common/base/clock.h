/*
 * The one module that reads clocks. Pure modules get the time as a parameter.
 * usec_t counts microseconds of CLOCK_MONOTONIC; wall_us_t microseconds of the Unix epoch, UTC.
 */
#ifndef COMMON_BASE_CLOCK_H
#define COMMON_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"

typedef uint64_t usec_t;
typedef int64_t wall_us_t;

#define USEC_PER_SEC 1000000ULL
#define USEC_PER_MSEC 1000ULL
#define USEC_NEVER UINT64_MAX

usec_t clock_mono(void);
wall_us_t clock_wall(void);

/* Moves what clock_wall() says from now on; for tests of clock steps. */
void clock_wall_step(int64_t by_us);

/* RFC 3339 in UTC with milliseconds: 2026-11-24T08:30:00.123Z */
bool clock_rfc3339(struct buf *out, wall_us_t at);

#endif
