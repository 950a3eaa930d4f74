#include "ctl/args.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "common/base/slice.h"

/* The letters are the names by which commands list their options; none is typed by people. */
static const struct option options[] = {
	{"config", required_argument, NULL, 'c'},  {"conninfo", required_argument, NULL, 'd'},
	{"debug", no_argument, NULL, 'g'},	   {"direct", no_argument, NULL, 't'},
	{"dry-run", no_argument, NULL, 'N'},	   {"expires", required_argument, NULL, 'e'},
	{"host", required_argument, NULL, 'H'},	   {"id", required_argument, NULL, 'i'},
	{"info", required_argument, NULL, 'I'},	   {"json", no_argument, NULL, 'j'},
	{"limit", required_argument, NULL, 'l'},   {"name", required_argument, NULL, 'n'},
	{"offline", no_argument, NULL, 'O'},	   {"output", required_argument, NULL, 'W'},
	{"owner", required_argument, NULL, 'o'},   {"port", required_argument, NULL, 'p'},
	{"socket", required_argument, NULL, 's'},  {"sql-dir", required_argument, NULL, 'D'},
	{"status", no_argument, NULL, 'S'},	   {"user", required_argument, NULL, 'u'},
	{"workers", required_argument, NULL, 'w'}, {NULL, 0, NULL, 0},
};

static bool push(const char **list, size_t *n, size_t most, const char *value, const char *what)
{
	if (*n == most) {
		(void)fprintf(stderr, "chatctl: more than %zu times --%s\n", most, what);
		return false;
	}
	list[(*n)++] = value;
	return true;
}

static bool set_limit(struct args *args, const char *text)
{
	unsigned long long value;

	if (!slice_to_u64(slice_str(text), &value) || value < 1 || value > INT32_MAX) {
		(void)fprintf(stderr, "chatctl: --limit %s: a number from 1 is wanted\n", text);
		return false;
	}
	args->limit = (uint32_t)value;
	return true;
}

static const char **text_of(struct args *args, int letter)
{
	switch (letter) {
	case 'd':
		return &args->conninfo;
	case 'e':
		return &args->expires;
	case 'H':
		return &args->host;
	case 'i':
		return &args->id;
	case 'I':
		return &args->info;
	case 'n':
		return &args->name;
	case 'o':
		return &args->owner;
	case 'p':
		return &args->port;
	case 's':
		return &args->socket;
	case 'W':
		return &args->output;
	case 'D':
		return &args->sql_dir;
	case 'w':
		return &args->workers;
	default:
		return NULL;
	}
}

static bool set(struct args *args, int letter, const char *value)
{
	const char **text = text_of(args, letter);

	if (text != NULL)
		*text = value;
	else if (letter == 'c')
		return push(args->files, &args->nfiles, ARGS_FILES_MAX, value, "config");
	else if (letter == 'u')
		return push(args->users, &args->nusers, ARGS_USERS_MAX, value, "user");
	else if (letter == 'l')
		return set_limit(args, value);
	else if (letter == 'g')
		args->debug = true;
	else if (letter == 'j')
		args->json = true;
	else if (letter == 'O')
		args->offline = true;
	else if (letter == 'N')
		args->dry_run = true;
	else if (letter == 'S')
		args->status = true;
	else if (letter == 't')
		args->direct = true;
	return true;
}

bool args_parse(struct args *args, int argc, char **argv, const char *takes, size_t most_operands)
{
	int index = 0;
	int c;

	*args = (struct args){.limit = ARGS_LIMIT_DEFAULT};
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", options, &index)) != -1) {
		if (c == '?' || c == ':') {
			(void)fprintf(stderr, "chatctl: %s: %s\n", argv[optind - 1],
				      c == ':' ? "a value is missing" : "unknown option");
			return false;
		}
		if (strchr(takes, c) == NULL) {
			(void)fprintf(stderr, "chatctl: --%s does not belong to this command\n",
				      options[index].name);
			return false;
		}
		if (!set(args, c, optarg))
			return false;
	}
	args->operands = argv + optind;
	args->noperands = (size_t)(argc - optind);
	if (args->noperands > most_operands) {
		(void)fprintf(stderr, "chatctl: %s: too much on the command line\n",
			      args->operands[most_operands]);
		return false;
	}
	return true;
}
