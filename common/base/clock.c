#include "common/base/clock.h"

#include <time.h>

#include "common/base/mem.h"

static int64_t wall_offset_us;

static struct timespec read_clock(clockid_t id)
{
	struct timespec ts;

	if (clock_gettime(id, &ts) != 0)
		die("clock_gettime failed");
	return ts;
}

usec_t clock_mono(void)
{
	struct timespec ts = read_clock(CLOCK_MONOTONIC);

	return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

wall_us_t clock_wall(void)
{
	struct timespec ts = read_clock(CLOCK_REALTIME);

	return (wall_us_t)ts.tv_sec * (wall_us_t)USEC_PER_SEC + ts.tv_nsec / 1000 + wall_offset_us;
}

void clock_wall_step(int64_t by_us)
{
	wall_offset_us += by_us;
}

bool clock_rfc3339(struct buf *out, wall_us_t at)
{
	wall_us_t sec = at / (wall_us_t)USEC_PER_SEC;
	wall_us_t us = at % (wall_us_t)USEC_PER_SEC;
	struct tm tm;

	if (us < 0) {
		us += (wall_us_t)USEC_PER_SEC;
		sec--;
	}
	time_t t = (time_t)sec;
	if (gmtime_r(&t, &tm) == NULL)
		return false;
	return buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
			  tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
			  (int)(us / 1000));
}
