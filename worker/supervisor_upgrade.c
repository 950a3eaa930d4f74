/*
 * A new program takes the place of this one, in the same process: the children stay its children,
 * the listeners stay open, and then it does what it does in a reload.
 *
 * First the new program is asked whether it likes the configuration; if it does not, or does not
 * even run, nothing happens. What it has to know goes by a variable of the environment:
 *
 *	CHAT_HANDOVER=1 GENERATION;L FD;...;C PID CONTROL SLOT GENERATION DEADLINE;...
 */
#include "worker/supervisor_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/proc/child.h"

#define VARIABLE "CHAT_HANDOVER"
#define CHECK_WITHIN (10 * USEC_PER_SEC)
#define SELF "/proc/self/exe"
#define MAPS "/proc/self/maps"

/* ---- whether there is another program ---- */

void supervisor_find_program(struct supervisor *sv)
{
	char path[PATH_MAX];
	ssize_t n = readlink(SELF, path, sizeof(path));

	/* Without its path there is no upgrade. */
	sv->program = n > 0 && n < PATH_MAX ? slice_dup(slice_of(path, (size_t)n)) : NULL;
}

/* "7f0c… r-xp … /usr/lib/x86_64-linux-gnu/libzmq.so.5.2.4 (deleted)": code whose file is gone. */
static bool is_gone(const char *line)
{
	const char *rights = strchr(line, ' ');
	const char *path = strchr(line, '/');

	return rights != NULL && path != NULL && rights[1] != '\0' && rights[2] != '\0' &&
	       rights[3] == 'x' && strstr(path, " (deleted)") != NULL;
}

/* A library was replaced: an upgrade of another package, as needrestart(1) finds it too. */
static bool has_old_libraries(void)
{
	FILE *maps = fopen(MAPS, "re");
	char *line = NULL;
	size_t room = 0;
	bool found = false;

	if (maps == NULL)
		return false;
	while (!found && getline(&line, &room, maps) > 0)
		found = is_gone(line);
	free(line);
	(void)fclose(maps); /* it was only read */
	return found;
}

bool supervisor_has_successor(const struct supervisor *sv)
{
	struct stat there;
	struct stat self;

	if (sv->program == NULL || sv->options.argv == NULL || stat(SELF, &self) != 0 ||
	    stat(sv->program, &there) != 0)
		return false;
	return there.st_dev != self.st_dev || there.st_ino != self.st_ino || has_old_libraries();
}

/* The command line with one more word. */
static char **command_line(const struct supervisor *sv, const char *word)
{
	size_t n = 0;
	char **argv;

	while (sv->options.argv[n] != NULL)
		n++;
	argv = mem_calloc(n + 2, sizeof(*argv));
	memcpy(argv, sv->options.argv, n * sizeof(*argv));
	if (word != NULL)
		argv[n] = (char *)(uintptr_t)word; /* exec takes no const, and changes nothing */
	return argv;
}

/* ---- the question ---- */

void supervisor_ask_successor(struct supervisor *sv)
{
	char **argv = command_line(sv, "--check");
	pid_t pid = fork();

	if (pid == 0) {
		child_reset_signals();
		(void)execv(sv->program, argv);
		_exit(127);
	}
	free(argv);
	if (pid < 0) {
		log_err("upgrade.refused", "call=fork error=%d", errno);
		return;
	}
	log_notice("upgrade.checking", "program=%s", sv->program);
	sv->checking = pid;
	sv->check_until = clock_mono() + CHECK_WITHIN;
}

void supervisor_judge_successor(struct supervisor *sv, usec_t now)
{
	if (sv->checking == 0 || now < sv->check_until)
		return;
	log_err("upgrade.refused", "why=silent program=%s", sv->program);
	(void)kill(sv->checking, SIGKILL); /* not reaped, so the id is still its own */
	sv->check_until = USEC_NEVER;
}

/* ---- handing over ---- */

static void set_inherited(const struct supervisor *sv, bool inherited)
{
	int flags = inherited ? 0 : FD_CLOEXEC;
	const struct child *c;

	for (unsigned i = 0; i < sv->options.workers; i++) {
		for (unsigned k = 0; k < sv->options.address_count; k++)
			(void)fcntl(sv->slots[i].listeners[k], F_SETFD, flags); /* open ones */
	}
	LIST_FOREACH (c, &sv->children, link) {
		if (c->control >= 0)
			(void)fcntl(c->control, F_SETFD, flags);
	}
}

static void describe(const struct supervisor *sv, struct buf *out)
{
	const struct child *c;

	(void)buf_printf(out, "1 %llu", (unsigned long long)sv->generation);
	for (unsigned i = 0; i < sv->options.workers; i++) {
		for (unsigned k = 0; k < sv->options.address_count; k++)
			(void)buf_printf(out, ";L %d", sv->slots[i].listeners[k]);
	}
	LIST_FOREACH (c, &sv->children, link)
		(void)buf_printf(out, ";C %d %d %u %llu %llu", (int)c->pid, MAX(c->control, 0),
				 (unsigned)(c->slot - sv->slots), (unsigned long long)c->generation,
				 (unsigned long long)c->deadline);
}

/* Returns only when it failed. */
static void become_successor(struct supervisor *sv)
{
	char **argv = command_line(sv, NULL);
	struct buf text;

	/* Successors that are not ready yet are of the configuration before. */
	for (unsigned i = 0; i < sv->options.workers; i++) {
		if (sv->slots[i].next != NULL)
			supervisor_end_child(sv, sv->slots[i].next, true);
		sv->slots[i].next = NULL;
	}
	buf_init(&text, 1 << 20);
	describe(sv, &text);
	if (buf_ok(&text) && setenv(VARIABLE, buf_cstr(&text), 1) == 0) {
		log_notice("upgrade.exec", "program=%s", sv->program);
		set_inherited(sv, true);
		(void)execv(sv->program, argv);
	}
	log_err("upgrade.refused", "call=exec error=%d", errno);
	set_inherited(sv, false);
	(void)unsetenv(VARIABLE);
	buf_done(&text);
	free(argv);
}

void supervisor_successor_answered(struct supervisor *sv, bool good)
{
	bool late = sv->check_until == USEC_NEVER;

	sv->checking = 0;
	if (sv->stopping)
		return;
	if (good && !late)
		become_successor(sv);
	else if (!late)
		log_err("upgrade.refused", "why=check program=%s", sv->program);
}

/* ---- taking over ---- */

static bool take(struct slice *line, unsigned long long most, unsigned long long *ret)
{
	struct slice word = *line;
	struct slice rest = SLICE_NONE;

	(void)slice_cut(*line, ' ', &word, &rest); /* the last one has nothing behind it */
	*line = rest;
	return slice_to_u64(word, ret) && *ret <= most;
}

static void adopt_listener(struct supervisor *sv, struct slice line)
{
	unsigned long long fd;

	if (take(&line, INT_MAX, &fd) && sv->kept_count < INHERIT_MAX &&
	    fcntl((int)fd, F_SETFD, FD_CLOEXEC) == 0)
		sv->kept[sv->kept_count++] = (int)fd;
}

static void adopt_child(struct supervisor *sv, struct slice line, usec_t now)
{
	unsigned long long pid;
	unsigned long long control;
	unsigned long long slot;
	unsigned long long generation;
	unsigned long long deadline;
	struct child *c;

	if (!take(&line, INT_MAX, &pid) || !take(&line, INT_MAX, &control) ||
	    !take(&line, UINT32_MAX, &slot) || !take(&line, UINT64_MAX, &generation) ||
	    !take(&line, UINT64_MAX, &deadline))
		return;
	c = NEW(struct child);
	*c = (struct child){
		.slot = &sv->slots[slot % sv->options.workers],
		.pid = (pid_t)pid,
		.control = control > 0 && fcntl((int)control, F_SETFD, FD_CLOEXEC) == 0
				   ? (int)control
				   : -1,
		.state = deadline == USEC_NEVER ? SERVING : DRAINING,
		.generation = generation,
		.started = now,
		.heard = now,
		.deadline = deadline,
	};
	LIST_INSERT_HEAD(&sv->children, c, link);
	if (c->state != SERVING)
		return;
	if (slot < sv->options.workers && c->slot->now == NULL) {
		c->slot->now = c; /* until its successor serves */
		c->slot->reload = true;
	} else {
		supervisor_end_child(sv, c, false);
	}
}

void supervisor_adopt(struct supervisor *sv)
{
	struct slice text = slice_str(getenv(VARIABLE));
	usec_t now = clock_mono();
	struct slice line = SLICE_NONE;
	unsigned long long version;
	unsigned long long generation;

	if (text.n == 0)
		return;
	if (!slice_cut(text, ';', &line, &text))
		text = SLICE_NONE;
	if (!take(&line, 1, &version) || !take(&line, UINT64_MAX, &generation))
		return;
	sv->generation = MAX(sv->generation, (uint64_t)generation);
	while (text.n > 0) {
		if (!slice_cut(text, ';', &line, &text)) {
			line = text;
			text = SLICE_NONE;
		}
		if (slice_starts(line, SLICE("L ")))
			adopt_listener(sv, slice_skip(line, 2));
		else if (slice_starts(line, SLICE("C ")))
			adopt_child(sv, slice_skip(line, 2), now);
	}
	log_notice("upgrade.taken_over", "listeners=%zu", sv->kept_count);
	(void)unsetenv(VARIABLE);
}
