/* The command line of the floors. */
#include "tests/bench/floor.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/macros.h"

static const struct {
	const char *name;
	int (*run)(const struct floor_options *o);
} floors[] = {
	{"send", floor_send},	{"writev", floor_writev}, {"members", floor_members},
	{"serve", floor_serve}, {"relay", floor_relay},
};

static int usage(void)
{
	(void)fputs("usage: floor send|writev|members|serve|relay [-c CONNECTIONS] [-j RECEIVERS]\n"
		    "             [-s FRAME_BYTES] [-o BURST] [-r BURSTS_A_SECOND] [-d SECONDS]\n"
		    "             [-m MEMBER_BYTES] [-w WORKERS] [-f READY_FILE]\n",
		    stderr);
	return 64;
}

int main(int argc, char **argv)
{
	struct floor_options o = {
		.connections = 1000,
		.receivers = 2,
		.size = 280,
		.burst = 32,
		.seconds = 3,
		.member = 48,
		.workers = 2,
		.ready = "/dev/stdout",
	};
	int c;

	while ((c = getopt(argc, argv, "c:j:s:o:r:d:m:w:f:")) != -1) {
		switch (c) {
		case 'c':
			o.connections = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'j':
			o.receivers = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 's':
			o.size = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'o':
			o.burst = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'r':
			o.rate = strtod(optarg, NULL);
			break;
		case 'd':
			o.seconds = strtod(optarg, NULL);
			break;
		case 'm':
			o.member = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'w':
			o.workers = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'f':
			o.ready = optarg;
			break;
		default:
			return usage();
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(floors) && optind + 1 == argc; i++) {
		if (strcmp(argv[optind], floors[i].name) == 0)
			return floors[i].run(&o);
	}
	return usage();
}
