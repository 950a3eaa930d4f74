#include "tests/unit/pg_cluster.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "common/base/mem.h"

struct cluster {
	char script[512];
	char dir[64];
	char conninfo[160];
	int alive; /* write end of the pipe that the guard reads */
	PGconn *pg;
};

static void script(const struct cluster *c, const char *command, const char *mode)
{
	char *argv[] = {(char *)(uintptr_t)c->script, (char *)(uintptr_t)command,
			(char *)(uintptr_t)c->dir, (char *)(uintptr_t)mode, NULL};
	pid_t pid;
	int status = 0;

	if (posix_spawn(&pid, c->script, NULL, NULL, argv, environ) != 0 ||
	    waitpid(pid, &status, 0) != pid || status != 0)
		die("pg_cluster: %s %s failed", c->script, command);
}

/* A shell that waits for our end and then takes the cluster away. */
static void spawn_guard(struct cluster *c)
{
	static const char text[] = "cat >/dev/null; exec \"$0\" drop \"$1\" >/dev/null 2>&1";
	char *argv[] = {(char *)(uintptr_t) "sh",
			(char *)(uintptr_t) "-c",
			(char *)(uintptr_t)text,
			c->script,
			c->dir,
			NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) != 0)
		die("pg_cluster: pipe2");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[0], STDIN_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID);
	if (posix_spawn(&pid, "/bin/sh", &actions, &attr, argv, environ) != 0)
		die("pg_cluster: no guard");
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	close(fds[0]);
	c->alive = fds[1];
}

struct cluster *cluster_new(void)
{
	const char *root = getenv("SOURCE_ROOT");
	struct cluster *c = NEW(struct cluster);

	(void)snprintf(c->script, sizeof(c->script), "%s/tests/sql/cluster.sh",
		       root != NULL ? root : ".");
	(void)snprintf(c->dir, sizeof(c->dir), "/tmp/chat-pg.XXXXXX");
	if (mkdtemp(c->dir) == NULL || rmdir(c->dir) != 0)
		die("pg_cluster: mkdtemp");
	spawn_guard(c);
	script(c, "new", NULL);
	(void)snprintf(c->conninfo, sizeof(c->conninfo), "host=%s user=chat_test dbname=chat",
		       c->dir);
	return c;
}

void cluster_free(struct cluster *c)
{
	if (c == NULL)
		return;
	if (c->pg != NULL)
		PQfinish(c->pg);
	script(c, "drop", NULL);
	close(c->alive);
	free(c);
}

void cluster_stop(struct cluster *c, const char *mode)
{
	if (c->pg != NULL)
		PQfinish(c->pg);
	c->pg = NULL;
	script(c, "stop", mode);
}

void cluster_start(struct cluster *c)
{
	script(c, "start", NULL);
}

const char *cluster_conninfo(const struct cluster *c)
{
	return c->conninfo;
}

PRINTF(2, 0) static PGresult *run(struct cluster *c, const char *fmt, va_list args)
{
	char text[4096];
	char conninfo[160];
	PGresult *r;

	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): begun by the caller */
	if (vsnprintf(text, sizeof(text), fmt, args) >= (int)sizeof(text))
		die("pg_cluster: statement too long");
	if (c->pg == NULL) {
		(void)snprintf(conninfo, sizeof(conninfo), "host=%s user=postgres dbname=chat",
			       c->dir);
		c->pg = PQconnectdb(conninfo);
	}
	r = PQexec(c->pg, text);
	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
		die("pg_cluster: %s: %s", text, PQresultErrorMessage(r));
	return r;
}

void cluster_exec(struct cluster *c, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	PQclear(run(c, fmt, args));
	va_end(args);
}

int64_t cluster_int(struct cluster *c, const char *fmt, ...)
{
	va_list args;
	PGresult *r;
	int64_t v = -1;

	va_start(args, fmt);
	r = run(c, fmt, args);
	va_end(args);
	if (PQntuples(r) > 0 && PQgetisnull(r, 0, 0) == 0)
		v = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
	PQclear(r);
	return v;
}

char *cluster_text(struct cluster *c, const char *fmt, ...)
{
	va_list args;
	PGresult *r;
	char *text;

	va_start(args, fmt);
	r = run(c, fmt, args);
	va_end(args);
	text = mem_strdup(PQntuples(r) > 0 ? PQgetvalue(r, 0, 0) : "");
	PQclear(r);
	return text;
}
