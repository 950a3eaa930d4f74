/* chat-worker: options, configuration, rights; then the supervisor forks the workers. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/conf/conf_file.h"
#include "common/log/log.h"
#include "common/proc/notify.h"
#include "common/proc/privs.h"
#include "common/proc/rlimit.h"
#include "worker/supervisor.h"
#include "worker/worker.h"

#define FILES_MAX 16
#define ADDRESSES_MAX 32

struct role {
	const char *files[FILES_MAX]; /* in the order of the command line */
	size_t file_count;
	const char *host;
	const char *port;
	const char *workers;
	bool debug;
	bool check;
	bool dump;
	char **argv;
	struct conf *conf; /* in force */
};

static const struct option options[] = {
	{"config", required_argument, NULL, 'c'}, {"host", required_argument, NULL, 'H'},
	{"port", required_argument, NULL, 'p'},	  {"workers", required_argument, NULL, 'w'},
	{"check", no_argument, NULL, 'C'},	  {"dump-config", no_argument, NULL, 'D'},
	{"debug", no_argument, NULL, 'd'},	  {"version", no_argument, NULL, 'V'},
	{"help", no_argument, NULL, 'h'},	  {NULL, 0, NULL, 0},
};

static void usage(FILE *to)
{
	(void)fputs("usage: chat-worker [options]\n"
		    "  --config FILE   read FILE (default /etc/chat/chat.conf); more are read "
		    "after it\n"
		    "  --host ADDRESS  listen on this address instead of the configured ones\n"
		    "  --port PORT     and on this port\n"
		    "  --workers N     number of worker processes\n"
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
		case 'H':
			role->host = optarg;
			break;
		case 'p':
			role->port = optarg;
			break;
		case 'w':
			role->workers = optarg;
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
			(void)puts("chat-worker " CHAT_VERSION);
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

/* --host and --port take the place of the addresses of the file. */
static bool set_listen(const struct role *role, struct conf *conf, struct conf_fault *err_fault)
{
	const char *host = role->host != NULL ? role->host : "0.0.0.0";
	const char *port = role->port != NULL ? role->port : "8080";
	bool v6 = strchr(host, ':') != NULL && host[0] != '[';
	char text[256];
	int n;

	if (role->host == NULL && role->port == NULL)
		return true;
	n = snprintf(text, sizeof(text), v6 ? "[%s]:%s" : "%s:%s", host, port);
	if (n < 0 || (size_t)n >= sizeof(text))
		n = 0; /* an empty address is refused */
	return conf_set(conf, "worker", "listen", slice_of(text, (size_t)n), "--host, --port",
			err_fault);
}

/* NULL: the fault says why. */
static struct conf *load(const struct role *role, struct conf_fault *err_fault)
{
	struct conf_source source = {
		.file = role->file_count > 0 ? role->files[0] : CONF_FILE,
		.optional = role->file_count == 0,
		.more = role->files + 1,
		.nmore = role->file_count > 1 ? role->file_count - 1 : 0,
		.env = environ,
	};
	struct conf *conf;

	if (!conf_load(&source, &conf, err_fault))
		return NULL;
	if (set_listen(role, conf, err_fault) &&
	    (role->workers == NULL || conf_set(conf, "worker", "workers", slice_str(role->workers),
					       "--workers", err_fault)) &&
	    conf_check(conf, err_fault))
		return conf;
	conf_free(conf);
	return NULL;
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

static void set_log_level(const struct role *role)
{
	static const enum log_level levels[] = {
		[CONF_LOG_ERR] = LOG_LEVEL_ERR,	      [CONF_LOG_WARNING] = LOG_LEVEL_WARNING,
		[CONF_LOG_NOTICE] = LOG_LEVEL_NOTICE, [CONF_LOG_INFO] = LOG_LEVEL_INFO,
		[CONF_LOG_DEBUG] = LOG_LEVEL_DEBUG,
	};

	log_set_level(role->debug ? LOG_LEVEL_DEBUG : levels[role->conf->log.level]);
}

/* ---- callbacks of the supervisor ---- */

static int run(const struct worker_start *start)
{
	const struct role *role = start->ctx;

	return worker_run(start, role->conf);
}

static bool reload(void *ctx)
{
	struct role *role = ctx;
	struct conf_fault fault;
	struct conf *conf;
	struct buf changed;

	notify_reloading();
	conf = load(role, &fault);
	if (conf == NULL) {
		log_err("config.refused", "%s", fault.text);
		return false;
	}
	buf_init(&changed, 4096);
	if (conf_needs_restart(role->conf, conf, &changed))
		log_warning("config.needs_restart", "keys=%.*s", SLICE_ARG(buf_slice(&changed)));
	buf_done(&changed);
	conf_free(role->conf);
	role->conf = conf;
	set_log_level(role);
	log_notice("config.reloaded", "files=%zu", role->file_count);
	return true;
}

/* ---- start ---- */

static bool add_addresses(const struct conf_list *list, struct address *out, unsigned *count)
{
	for (size_t i = 0; i < list->n; i++) {
		if (*count == ADDRESSES_MAX ||
		    !address_parse(slice_str(list->v[i]), &out[*count])) {
			log_err("config.bad_address", "address=%s", list->v[i]);
			return false;
		}
		++*count;
	}
	return true;
}

static unsigned worker_count(const struct conf *conf)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (conf->worker.workers != 0)
		return conf->worker.workers;
	return processors > 0 ? (unsigned)processors : 1;
}

/* Rights are only needed to open the listeners; no byte of a client is read with them. */
static bool drop_rights(const struct conf *conf)
{
	uint64_t files = 0;
	int r = rlimit_raise_files(&files);

	if (r < 0)
		log_warning("worker.file_limit", "error=%d", -r);
	r = privs_drop(conf->worker.user);
	if (r == -EPERM)
		log_err("worker.is_root", "set [worker] user");
	else if (r < 0)
		log_err("worker.user", "user=%s error=%d", conf->worker.user, -r);
	privs_no_dump();
	return r == 0;
}

static int serve(struct role *role)
{
	const struct conf *conf = role->conf;
	struct address addresses[ADDRESSES_MAX];
	struct supervisor_options so = {
		.addresses = addresses,
		.workers = worker_count(conf),
		.backlog = (int)conf->worker.backlog,
		/* The last clients get the time to close, too. */
		.drain = conf->worker.drain_timeout + conf->worker.close_timeout,
		.argv = role->argv,
		.run = run,
		.reload = reload,
		.ctx = role,
	};
	struct supervisor *sv;
	unsigned bad = 0;
	int status = EX_CONFIG;
	int r;

	if (!add_addresses(&conf->worker.listen, addresses, &so.address_count))
		return EX_CONFIG;
	sv = supervisor_new(&so);
	r = supervisor_listen(sv, &bad);
	if (r < 0) {
		char text[ADDRESS_TEXT];

		address_text(&addresses[bad], text);
		log_err("worker.listen",
			"address=%s error=\"%s\" do=\"stop what has it (ss -ltnp) or change "
			"[worker] "
			"listen\"",
			text, strerror(-r));
		status = EX_UNAVAILABLE;
	} else if (drop_rights(conf)) {
		log_notice("worker.start", "version=%s workers=%u", CHAT_VERSION, so.workers);
		status = supervisor_run(sv);
	}
	supervisor_free(sv);
	return status;
}

int main(int argc, char **argv)
{
	struct role role = {.argv = argv};
	struct conf_fault fault;
	int status;

	mem_setup();
	if (!parse_options(&role, argc, argv, &status))
		return status;
	log_init("chat-worker", role.debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_NOTICE);
	role.conf = load(&role, &fault);
	if (role.conf == NULL) {
		(void)fprintf(stderr, "chat-worker: %s\n", fault.text);
		return EX_CONFIG;
	}
	set_log_level(&role);
	if (role.dump)
		status = dump(role.conf);
	else if (role.check)
		status = EX_OK;
	else
		status = serve(&role);
	conf_free(role.conf);
	return status;
}
