/* chat-broker: options, configuration, rights; then the broker runs. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "broker/broker.h"
#include "common/base/mem.h"
#include "common/conf/conf_file.h"
#include "common/log/log.h"
#include "common/proc/privs.h"
#include "common/proc/rlimit.h"

#define FILES_MAX 16

struct role {
	const char *files[FILES_MAX]; /* in the order of the command line */
	size_t file_count;
	bool debug;
	bool check;
	bool dump;
};

static const struct option options[] = {
	{"config", required_argument, NULL, 'c'},
	{"check", no_argument, NULL, 'C'},
	{"dump-config", no_argument, NULL, 'D'},
	{"debug", no_argument, NULL, 'd'},
	{"version", no_argument, NULL, 'V'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static void usage(FILE *to)
{
	(void)fputs("usage: chat-broker [options]\n"
		    "  --config FILE   read FILE (default /etc/chat/chat.conf); more are read "
		    "after it\n"
		    "  --check         check the configuration and exit\n"
		    "  --dump-config   print the whole configuration and exit\n"
		    "  --debug         log everything\n"
		    "  --version       print the version and exit\n",
		    to);
}

/* False: *ret_status is the exit status. */
static bool parse_options(struct role *role, int argc, char **argv, int *ret_status)
{
	int c;

	*ret_status = EX_USAGE;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			if (role->file_count == FILES_MAX)
				return false;
			role->files[role->file_count++] = optarg;
			break;
		case 'C':
			role->check = true;
			break;
		case 'D':
			role->dump = true;
			break;
		case 'd':
			role->debug = true;
			break;
		case 'V':
			(void)puts("chat-broker " CHAT_VERSION);
			*ret_status = EX_OK;
			return false;
		case 'h':
			usage(stdout);
			*ret_status = EX_OK;
			return false;
		default:
			usage(stderr);
			return false;
		}
	}
	if (optind < argc)
		usage(stderr);
	return optind == argc;
}

/* ---- configuration ---- */

static bool load(const struct role *role, struct conf **ret_conf, struct conf_fault *err_fault)
{
	bool named = role->file_count > 0;
	struct conf_source source = {
		.file = named ? role->files[0] : CONF_FILE,
		.optional = !named,
		.more = role->files + 1,
		.nmore = named ? role->file_count - 1 : 0,
		.env = environ,
		.secrets = true,
	};
	struct conf *conf;

	if (!conf_load(&source, &conf, err_fault))
		return false;
	if (!conf_check(conf, err_fault)) {
		conf_free(conf);
		return false;
	}
	*ret_conf = conf;
	return true;
}

static int dump(const struct conf *conf)
{
	struct buf text;
	bool ok;

	buf_init(&text, 1 << 20);
	ok = conf_dump(conf, &text) && fwrite(text.p, 1, text.n, stdout) == text.n;
	buf_done(&text);
	return ok ? EX_OK : EX_IOERR;
}

static void set_log_level(const struct role *role, const struct conf *conf)
{
	static const enum log_level levels[] = {
		[CONF_LOG_ERR] = LOG_LEVEL_ERR,	      [CONF_LOG_WARNING] = LOG_LEVEL_WARNING,
		[CONF_LOG_NOTICE] = LOG_LEVEL_NOTICE, [CONF_LOG_INFO] = LOG_LEVEL_INFO,
		[CONF_LOG_DEBUG] = LOG_LEVEL_DEBUG,
	};

	log_set_level(role->debug ? LOG_LEVEL_DEBUG : levels[conf->log.level]);
}

/* For SIGHUP. */
static struct conf *reload(void *ctx)
{
	const struct role *role = ctx;
	struct conf_fault fault;
	struct conf *conf;

	if (!load(role, &conf, &fault)) {
		log_err("config.refused", "%s", fault.text);
		return NULL;
	}
	set_log_level(role, conf);
	return conf;
}

/* ---- start ---- */

/* Rights are never needed: what the broker opens belongs to its user. */
static bool drop_rights(const struct conf *conf)
{
	uint64_t files = 0;
	int r = rlimit_raise_files(&files);

	if (r < 0)
		log_warning("broker.file_limit", "error=%d", -r);
	r = privs_drop(conf->broker.user);
	if (r == -EPERM)
		log_err("broker.is_root", "set [broker] user");
	else if (r < 0)
		log_err("broker.user", "user=%s error=%d", conf->broker.user, -r);
	privs_no_dump();
	return r == 0;
}

int main(int argc, char **argv)
{
	struct role role = {0};
	struct conf_fault fault;
	struct conf *conf;
	int status;

	mem_setup();
	if (!parse_options(&role, argc, argv, &status))
		return status;
	log_init("chat-broker", role.debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_NOTICE);
	if (!load(&role, &conf, &fault)) {
		(void)fprintf(stderr, "chat-broker: %s\n", fault.text);
		return EX_CONFIG;
	}
	set_log_level(&role, conf);
	if (role.dump)
		status = dump(conf);
	else if (role.check)
		status = EX_OK;
	else if (drop_rights(conf))
		return broker_run(conf, reload, &role); /* it is the broker's now */
	else
		status = EX_CONFIG;
	conf_free(conf);
	return status;
}
