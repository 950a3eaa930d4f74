/* The children of the supervisor: how they start, are heard, and end. */
#include "worker/supervisor_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/proc/child.h"
#include "worker/control_bytes.h"

#define KILL_AFTER (2 * USEC_PER_SEC)  /* between the request to end and SIGKILL */
#define LIVED_WELL (10 * USEC_PER_SEC) /* a child that lived longer is started again at once */

/* Pauses before the next start of a slot whose children die young. */
static const usec_t PAUSES[] = {0, 100000, 500000, 2000000, 5000000};

/* What only the parent has a use for. */
static void become_child(struct supervisor *sv, const struct slot *slot)
{
	struct child *c;

	/* As long as a sibling held the parent's end, nobody would see the parent die. */
	LIST_FOREACH (c, &sv->children, link)
		supervisor_close_fd(&c->control);
	supervisor_close_listeners(sv, slot);
	supervisor_close_fd(&sv->signals);
	child_reset_signals();
}

static NORETURN void live(struct supervisor *sv, struct slot *slot, uint64_t generation,
			  int control)
{
	struct worker_start start = {
		.slot = (unsigned)(slot - sv->slots),
		.slots = sv->options.workers,
		.generation = generation,
		.control = control,
		.listeners = slot->listeners,
		.listener_count = sv->options.address_count,
		.ctx = sv->options.ctx,
	};

	become_child(sv, slot);
	exit(sv->options.run(&start));
}

static void pause_slot(struct slot *slot, usec_t now, usec_t lived)
{
	if (lived >= LIVED_WELL)
		slot->failures = 0;
	slot->start_at = now + PAUSES[MIN(slot->failures, ARRAY_LEN(PAUSES) - 1)];
	slot->failures++;
}

/* NULL: the system refused; the slot pauses. */
static struct child *start_child(struct supervisor *sv, struct slot *slot, usec_t now)
{
	uint64_t generation = ++sv->generation;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
		log_err("worker.start_failed", "call=socketpair error=%d", errno);
		pause_slot(slot, now, 0);
		return NULL;
	}

	pid_t pid = fork();

	if (pid == 0) {
		(void)close(pair[0]); /* the parent's end */
		live(sv, slot, generation, pair[1]);
	}
	(void)close(pair[1]); /* the child's end */
	if (pid < 0) {
		log_err("worker.start_failed", "call=fork error=%d", errno);
		(void)close(pair[0]); /* never used */
		pause_slot(slot, now, 0);
		return NULL;
	}

	struct child *c = NEW(struct child);

	*c = (struct child){.slot = slot,
			    .pid = pid,
			    .control = pair[0],
			    .state = STARTING,
			    .generation = generation,
			    .started = now,
			    .heard = now,
			    .deadline = USEC_NEVER};
	LIST_INSERT_HEAD(&sv->children, c, link);
	slot->start_at = USEC_NEVER;
	log_info("worker.started", "slot=%u pid=%d generation=%llu", (unsigned)(slot - sv->slots),
		 (int)pid, (unsigned long long)generation);
	return c;
}

static void tell(const struct child *c, enum control_byte byte)
{
	char b = (char)byte;

	if (c->control >= 0)
		(void)send(c->control, &b, 1,
			   MSG_NOSIGNAL | MSG_DONTWAIT); /* a dead one is reaped */
}

void supervisor_end_child(struct supervisor *sv, struct child *c, bool at_once)
{
	usec_t now = clock_mono();

	tell(c, at_once ? CONTROL_STOP : CONTROL_DRAIN);
	if (c->state == ABORTED)
		return;
	c->state = DRAINING;
	c->deadline = now + KILL_AFTER + (at_once ? 0 : sv->options.drain);
}

static void child_is_ready(struct supervisor *sv, struct child *c)
{
	struct slot *slot = c->slot;

	if (c->state != STARTING)
		return;
	c->state = SERVING;
	if (c != slot->next)
		return;
	if (slot->now != NULL)
		supervisor_end_child(sv, slot->now, false);
	slot->now = c;
	slot->next = NULL;
	slot->reload = false;
}

static void heed(struct supervisor *sv, struct child *c, char byte)
{
	if (byte == CONTROL_READY)
		child_is_ready(sv, c);
	else if (byte == CONTROL_RELOAD)
		supervisor_wish_reload(sv);
	else if (byte == CONTROL_REPLACE && c == c->slot->now && !sv->stopping) {
		c->slot->reload = true;
		c->slot->start_at = 0;
	}
}

void supervisor_hear(struct supervisor *sv, struct child *c)
{
	char bytes[64];
	ssize_t n = recv(c->control, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n > 0)
		c->heard = clock_mono();
	for (ssize_t i = 0; i < n; i++)
		heed(sv, c, bytes[i]);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		supervisor_close_fd(&c->control);
}

static void log_end(const struct supervisor *sv, const struct child *c, int status, usec_t lived)
{
	bool expected = c->state == DRAINING && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	const char *how = WIFSIGNALED(status) ? "signal" : "status";
	int number = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);

	LOG_AT(expected ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "worker.ended",
	       "slot=%u pid=%d generation=%llu %s=%d silent=%s lived_ms=%llu",
	       (unsigned)(c->slot - sv->slots), (int)c->pid, (unsigned long long)c->generation, how,
	       number, c->state == ABORTED ? "yes" : "no",
	       (unsigned long long)(lived / USEC_PER_MSEC));
}

static void child_ended(struct supervisor *sv, struct child *c, int status)
{
	struct slot *slot = c->slot;
	usec_t now = clock_mono();

	log_end(sv, c, status, now - c->started);
	if (c == slot->next) {
		slot->next = NULL;
		pause_slot(slot, now, now - c->started);
	} else if (c == slot->now) {
		slot->now = slot->next;
		slot->next = NULL;
		if (slot->now != NULL)
			slot->reload = false;
		else
			pause_slot(slot, now, now - c->started);
	}
	LIST_REMOVE(c, link);
	supervisor_close_fd(&c->control);
	free(c);
}

void supervisor_reap(struct supervisor *sv)
{
	struct child *c;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		LIST_FOREACH (c, &sv->children, link) {
			if (c->pid == pid)
				break;
		}
		if (c != NULL)
			child_ended(sv, c, status);
		else if (pid == sv->checking)
			supervisor_successor_answered(sv, WIFEXITED(status) &&
								  WEXITSTATUS(status) == 0);
	}
}

void supervisor_judge_child(struct supervisor *sv, struct child *c, usec_t now)
{
	if (c->state != ABORTED && now - c->heard >= sv->options.silent) {
		log_err("worker.silent", "slot=%u pid=%d", (unsigned)(c->slot - sv->slots),
			(int)c->pid);
		c->state = ABORTED;
		c->deadline = now + KILL_AFTER;
		(void)kill(c->pid, SIGABRT); /* not reaped, so the id is still its own */
	}
	if (c->deadline <= now) {
		c->deadline = USEC_NEVER;
		(void)kill(c->pid, SIGKILL); /* the same */
	}
}

void supervisor_judge_slot(struct supervisor *sv, struct slot *slot, bool reloading, usec_t now)
{
	if (slot->start_at > now)
		return;
	if (slot->now == NULL) {
		slot->now = start_child(sv, slot, now);
		slot->reload = false;
	} else if (slot->reload && slot->next == NULL && !reloading) {
		slot->next = start_child(sv, slot, now);
	}
}
