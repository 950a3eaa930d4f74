/* The command line of the bare statements, and what they measure. */
#include "tests/bench/bare.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/macros.h"
#include "common/base/mem.h"

static const struct {
	const char *name;
	int (*run)(const struct bare_options *o);
} kinds[] = {
	{"post", bare_post}, {"history", bare_history}, {"chats", bare_chats},
	{"list", bare_list}, {"mirror", bare_mirror},	{"drive", bare_drive},
};

/* ---- the meter ---- */

static double own_cpu(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) != 0)
		die("clock_gettime(): %s", strerror(errno));
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void bare_meter_init(struct bare_meter *m, const struct bare_options *o)
{
	char text[32];

	memset(m, 0, sizeof(*m));
	m->options = o;
	(void)snprintf(text, sizeof(text), "postgres=%d", (int)o->postmaster);
	if (!servers_add(&m->postgres, slice_str(text), true))
		die("no postmaster %d", (int)o->postmaster);
	m->begin = clock_mono() + (usec_t)(o->warmup * (double)USEC_PER_SEC);
	m->end = m->begin + (usec_t)(o->seconds * (double)USEC_PER_SEC);
}

bool bare_meter_over(struct bare_meter *m, usec_t now)
{
	if (m->from.at == 0 && now >= m->begin) {
		servers_sample(&m->postgres, false, &m->from);
		m->own = own_cpu();
	}
	return now >= m->end;
}

void bare_meter_add(struct bare_meter *m, usec_t now, usec_t since, uint64_t n, uint64_t units)
{
	if (m->from.at == 0 || now >= m->end)
		return;
	histogram_add(&m->times, now - since);
	m->done += n;
	m->units += units;
}

void bare_meter_print(struct bare_meter *m, const char *kind)
{
	struct server_sample to;
	double cpu;
	double seconds;

	servers_sample(&m->postgres, false, &to);
	cpu = (double)(to.cpu[0] - m->from.cpu[0]) / (double)USEC_PER_SEC;
	seconds = (double)(to.at - m->from.at) / (double)USEC_PER_SEC;
	(void)printf("{\"kind\":\"%s\",\"done\":%" PRIu64 ",\"units\":%" PRIu64
		     ",\"answers\":%" PRIu64 ",\"seconds\":%.4f,\"per_second\":%.1f"
		     ",\"postgres_cpu\":%.4f,\"own_cpu\":%.4f,\"p50_us\":%" PRIu64
		     ",\"p99_us\":%" PRIu64 "}\n",
		     kind, m->done, m->units, m->times.n, seconds, (double)m->done / seconds, cpu,
		     own_cpu() - m->own, histogram_at(&m->times, 0.5),
		     histogram_at(&m->times, 0.99));
}

/* ---- the command line ---- */

static int usage(void)
{
	(void)fputs("usage: bare post|history|chats|list|mirror|drive -D CONNINFO -P POSTMASTER\n"
		    "            [-f REQUESTS] [-t HOST:PORT] [-c CONNECTIONS] [-o OUTSTANDING]\n"
		    "            [-b ROWS] [-r ROWS_A_SECOND] [-w SECONDS] [-d SECONDS]\n",
		    stderr);
	return 64;
}

static uint32_t number(const char *text)
{
	return (uint32_t)MAX(strtoul(text, NULL, 10), 1UL);
}

static bool take(struct bare_options *o, int c)
{
	switch (c) {
	case 'D':
		o->conninfo = optarg;
		return true;
	case 'P':
		o->postmaster = (pid_t)strtol(optarg, NULL, 10);
		return true;
	case 'f':
		o->requests = optarg;
		return true;
	case 't':
		o->target = optarg;
		return true;
	case 'c':
		o->connections = number(optarg);
		return true;
	case 'o':
		o->outstanding = number(optarg);
		return true;
	case 'b':
		o->rows = number(optarg);
		return true;
	case 'r':
		o->rate = strtod(optarg, NULL);
		return true;
	case 'w':
		o->warmup = strtod(optarg, NULL);
		return true;
	case 'd':
		o->seconds = strtod(optarg, NULL);
		return true;
	default:
		return false;
	}
}

int main(int argc, char **argv)
{
	struct bare_options o = {
		.conninfo = "",
		.connections = 1,
		.outstanding = 1,
		.rows = 200,
		.rate = 20000,
		.warmup = 1,
		.seconds = 3,
	};
	int c;

	while ((c = getopt(argc, argv, "D:P:f:t:c:o:b:r:w:d:")) != -1)
		if (!take(&o, c))
			return usage();
	for (size_t i = 0; i < ARRAY_LEN(kinds) && optind + 1 == argc; i++)
		if (strcmp(argv[optind], kinds[i].name) == 0)
			return kinds[i].run(&o);
	return usage();
}
