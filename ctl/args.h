/*
 * The command line of chatctl after its command: one set of options for all commands, each of which
 * names those that it takes. Values point into argv.
 */
#ifndef CTL_ARGS_H
#define CTL_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/macros.h"

#define ARGS_FILES_MAX 16
#define ARGS_USERS_MAX 64
#define ARGS_LIMIT_DEFAULT 1000

struct args {
	const char *files[ARGS_FILES_MAX]; /* --config, in order */
	size_t nfiles;
	const char *users[ARGS_USERS_MAX]; /* --user, in order */
	size_t nusers;
	const char *conninfo;
	const char *expires;
	const char *host;
	const char *id;
	const char *info;
	const char *name;
	const char *output;
	const char *owner;
	const char *port;
	const char *socket;
	const char *sql_dir;
	const char *workers;
	uint32_t limit;
	bool debug;
	bool direct;
	bool dry_run;
	bool json;
	bool offline;
	bool status;
	char *const *operands;
	size_t noperands;
};

/*
 * Reads argv[1] ... as options; argv[0] is the command. `takes` holds the letters of the options
 * that the command knows (see the table in args.c), whose operands follow `takes` unless
 * `most_operands` is 0. False: what is wrong was written to standard error.
 */
MUST_CHECK bool args_parse(struct args *args, int argc, char **argv, const char *takes,
			   size_t most_operands);

#endif
