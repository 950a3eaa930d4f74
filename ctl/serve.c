/*
 * chatctl serve: both daemons in the foreground, for containers and for people at a terminal. The
 * workers end first, then the broker; when one of the two ends by itself, so does the other.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/proc/child.h"
#include "common/proc/privs.h"
#include "ctl/commands.h"
#include "ctl/db.h"

#define WORDS_MAX (2 * ARGS_FILES_MAX + 16)
#define SIGNAL_BASE 128 /* a shell's exit status of a process that a signal ended */

enum { BROKER, WORKER, DAEMONS };

static const char *const names[DAEMONS] = {"chat-broker", "chat-worker"};

struct serve {
	pid_t pids[DAEMONS]; /* 0 = has ended */
	int status;	     /* of the first that ended by itself, or badly */
	bool stopping;
};

/* ---- starting ---- */

/* Beside this program, as installed or as built; else where the package puts it. */
static void find_program(const char *name, char out[PATH_MAX])
{
	static const char *const places[] = {"../sbin", ".", "../broker", "../worker"};
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	for (size_t i = 0; slash != NULL && i < ARRAY_LEN(places); i++) {
		*slash = '\0';
		if (snprintf(out, PATH_MAX, "%s/%s/%s", self, places[i], name) < PATH_MAX &&
		    access(out, X_OK) == 0)
			return;
	}
	(void)snprintf(out, PATH_MAX, "/usr/sbin/%s", name);
}

/* The daemons write to none of their words. */
static char *word(const char *text)
{
	return (char *)(uintptr_t)text;
}

static void add_option(char **words, size_t *n, const char *name, const char *value)
{
	if (value == NULL)
		return;
	words[(*n)++] = word(name);
	words[(*n)++] = word(value);
}

static void words_of(const struct args *args, int which, char *program, char **words)
{
	size_t n = 0;

	words[n++] = program;
	for (size_t i = 0; i < args->nfiles; i++)
		add_option(words, &n, "--config", args->files[i]);
	if (args->debug)
		words[n++] = word("--debug");
	if (which == WORKER) {
		add_option(words, &n, "--host", args->host);
		add_option(words, &n, "--port", args->port);
		add_option(words, &n, "--workers", args->workers);
	}
	words[n] = NULL;
}

/* A group of its own, so that Ctrl-C is heard here alone and the order is kept. */
static NORETURN void become(pid_t parent, char *const *words)
{
	child_reset_signals();
	if (setpgid(0, 0) == 0 && child_follow(parent) == 0)
		(void)execv(words[0], words);
	(void)fprintf(stderr, "chatctl: %s: %s\n", words[0], strerror(errno));
	_exit(CTL_UNAVAILABLE);
}

static bool start(struct serve *s, const struct args *args, int which)
{
	char program[PATH_MAX];
	char *words[WORDS_MAX];
	pid_t parent = getpid();

	find_program(names[which], program);
	words_of(args, which, program, words);
	s->pids[which] = fork();
	if (s->pids[which] == 0)
		become(parent, words);
	if (s->pids[which] > 0)
		return true;
	(void)fprintf(stderr, "chatctl: fork: %s\n", strerror(errno));
	s->pids[which] = 0;
	return false;
}

/* Where no service manager makes it. */
static int make_run_dir(const struct conf *conf)
{
	const char *dir = conf->broker.run_dir;
	unsigned uid = 0;
	unsigned gid = 0;

	if (mkdir(dir, 0750) != 0) {
		if (errno == EEXIST)
			return CTL_OK;
		(void)fprintf(stderr, "chatctl: [broker] run_dir = %s: %s\n", dir, strerror(errno));
		return CTL_CONFIG;
	}
	if (privs_are_root() && privs_lookup(conf->broker.user, &uid, &gid) == 0 &&
	    chown(dir, uid, gid) != 0) {
		(void)fprintf(stderr, "chatctl: [broker] run_dir = %s: %s\n", dir, strerror(errno));
		return CTL_CONFIG;
	}
	return CTL_OK;
}

/* ---- living ---- */

static void tell(const struct serve *s, int which, int number)
{
	if (s->pids[which] > 0)
		(void)kill(s->pids[which], number); /* not reaped, so the id is its own */
}

static void stop(struct serve *s)
{
	if (s->stopping) { /* asked again: at once, as the daemons take it */
		tell(s, BROKER, SIGTERM);
		tell(s, WORKER, SIGTERM);
	} else if (s->pids[WORKER] > 0) {
		tell(s, WORKER, SIGTERM);
	} else {
		tell(s, BROKER, SIGTERM);
	}
	s->stopping = true;
}

static void ended(struct serve *s, int which, int how)
{
	int status = WIFSIGNALED(how) ? SIGNAL_BASE + WTERMSIG(how) : WEXITSTATUS(how);

	s->pids[which] = 0;
	if (!s->stopping)
		(void)fprintf(stderr, "chatctl: %s ended with status %d\n", names[which], status);
	if (s->status == CTL_OK)
		s->status = status == 0 && !s->stopping ? CTL_UNAVAILABLE : status;
	if (which == WORKER)
		tell(s, BROKER, SIGTERM); /* the last one */
	else
		tell(s, WORKER, SIGTERM);
	s->stopping = true;
}

static void reap(struct serve *s)
{
	pid_t pid;
	int how;

	while ((pid = waitpid(-1, &how, WNOHANG)) > 0) {
		for (int i = 0; i < DAEMONS; i++) {
			if (s->pids[i] == pid)
				ended(s, i, how);
		}
	}
}

static int live(struct serve *s, const sigset_t *set)
{
	while (s->pids[BROKER] > 0 || s->pids[WORKER] > 0) {
		int number = sigwaitinfo(set, NULL);

		if (number == SIGCHLD) {
			reap(s);
		} else if (number == SIGHUP) {
			tell(s, BROKER, SIGHUP);
			tell(s, WORKER, SIGHUP);
		} else if (number > 0) {
			stop(s);
		}
	}
	return s->status;
}

int command_serve(const struct args *args)
{
	struct serve s = {0};
	struct conf *conf;
	sigset_t set;
	int status = db_config(args, false, &conf);

	if (status != CTL_OK)
		return status;
	status = make_run_dir(conf);
	conf_free(conf);
	if (status != CTL_OK)
		return status;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		die("no signals: error %d", errno);
	if (!start(&s, args, BROKER))
		return CTL_UNAVAILABLE;
	if (!start(&s, args, WORKER)) {
		s.status = CTL_UNAVAILABLE;
		stop(&s);
	}
	return live(&s, &set);
}
