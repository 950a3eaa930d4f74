#include "worker/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/proc/notify.h"
#include "worker/supervisor_internal.h"

#define DRAIN_DEFAULT (30 * USEC_PER_SEC)
#define SILENT_DEFAULT (10 * USEC_PER_SEC)
#define WISH_PAUSE (1 * USEC_PER_SEC)
#define TURN_MAX_MS 500 /* also what the watchdog of systemd is fed by */

struct supervisor *supervisor_new(const struct supervisor_options *options)
{
	struct supervisor *sv = NEW(struct supervisor);

	sv->options = *options;
	if (sv->options.drain == 0)
		sv->options.drain = DRAIN_DEFAULT;
	if (sv->options.silent == 0)
		sv->options.silent = SILENT_DEFAULT;
	if (sv->options.backlog <= 0)
		sv->options.backlog = SOMAXCONN;
	sv->signals = -1;
	/* The clock makes it larger than any of an earlier life. */
	sv->generation = (uint64_t)clock_wall();
	sv->slots = mem_calloc(options->workers, sizeof(*sv->slots));
	for (unsigned i = 0; i < options->workers; i++) {
		sv->slots[i].listeners = mem_calloc(options->address_count, sizeof(int));
		for (unsigned k = 0; k < options->address_count; k++)
			sv->slots[i].listeners[k] = -1;
	}
	LIST_INIT(&sv->children);
	sv->kept_count = inherit_take(sv->kept);
	supervisor_find_program(sv);
	supervisor_adopt(sv);
	return sv;
}

/* ---- signals ---- */

static void stop(struct supervisor *sv)
{
	struct child *c;

	log_notice("supervisor.stopping", "at_once=%s", sv->stopping ? "yes" : "no");
	notify_stopping();
	supervisor_close_listeners(sv, NULL);
	LIST_FOREACH (c, &sv->children, link)
		supervisor_end_child(sv, c, sv->stopping);
	sv->stopping = true;
}

static void reload(struct supervisor *sv)
{
	notify_reloading();
	sv->reloaded = clock_mono();
	sv->announced = false;
	if (supervisor_has_successor(sv)) {
		if (sv->checking == 0)
			supervisor_ask_successor(sv);
		return;
	}
	if (sv->options.reload != NULL && !sv->options.reload(sv->options.ctx))
		return;
	log_notice("supervisor.reloading", "workers=%u", sv->options.workers);
	for (unsigned i = 0; i < sv->options.workers; i++) {
		struct slot *slot = &sv->slots[i];

		slot->reload = true;
		slot->failures = 0;
		if (slot->now != NULL)
			slot->start_at = 0;
		if (slot->next != NULL) /* it is of the configuration before this one */
			supervisor_end_child(sv, slot->next, true);
		slot->next = NULL;
	}
}

void supervisor_wish_reload(struct supervisor *sv)
{
	usec_t now = clock_mono();

	if (sv->stopping || (sv->reloaded != 0 && now - sv->reloaded < WISH_PAUSE))
		return;
	reload(sv);
}

static void on_signal(struct supervisor *sv)
{
	struct signalfd_siginfo info;

	while (read(sv->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			supervisor_reap(sv);
		else if (info.ssi_signo == SIGHUP && !sv->stopping)
			reload(sv);
		else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
			stop(sv);
	}
}

/* SIGPIPE needs no care: every send() here has MSG_NOSIGNAL. */
static void take_signals(struct supervisor *sv)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 ||
	    (sv->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)) < 0)
		die("no signals: error %d", errno);
}

/* ---- the loop ---- */

static void announce(struct supervisor *sv)
{
	if (sv->announced || sv->checking != 0)
		return;
	for (unsigned i = 0; i < sv->options.workers; i++) {
		const struct slot *slot = &sv->slots[i];

		if (slot->now == NULL || slot->now->state != SERVING || slot->reload)
			return;
	}
	sv->announced = true;
	log_notice("supervisor.ready", "workers=%u", sv->options.workers);
	notify_ready(NULL);
}

/* Milliseconds until the next start or deadline. */
static int wait_time(const struct supervisor *sv, usec_t now)
{
	usec_t next = now + TURN_MAX_MS * USEC_PER_MSEC;
	const struct child *c;

	LIST_FOREACH (c, &sv->children, link)
		next = MIN(next, c->deadline);
	for (unsigned i = 0; !sv->stopping && i < sv->options.workers; i++) {
		const struct slot *slot = &sv->slots[i];

		/* A slot that is overdue beside a living child waits its turn in the reload. */
		if (slot->now == NULL || slot->start_at > now)
			next = MIN(next, slot->start_at);
	}
	return next > now ? (int)((next - now + USEC_PER_MSEC - 1) / USEC_PER_MSEC) : 0;
}

/* Sleeps until a signal, a byte of a child or the time. */
static void wait_turn(struct supervisor *sv)
{
	struct pollfd *fds;
	struct child *c;
	nfds_t n = 1;

	LIST_FOREACH (c, &sv->children, link)
		n++;
	fds = mem_calloc(n, sizeof(*fds));
	fds[0] = (struct pollfd){.fd = sv->signals, .events = POLLIN};
	n = 1;
	LIST_FOREACH (c, &sv->children, link)
		fds[n++] = (struct pollfd){.fd = c->control, .events = POLLIN};
	if (poll(fds, n, wait_time(sv, clock_mono())) > 0) {
		/* The children first: a signal may take some of them off the list. */
		n = 1;
		LIST_FOREACH (c, &sv->children, link) {
			if (fds[n++].revents != 0)
				supervisor_hear(sv, c);
		}
		if (fds[0].revents != 0)
			on_signal(sv);
	}
	free(fds);
}

static void judge_all(struct supervisor *sv)
{
	usec_t now = clock_mono();
	bool reloading = false;
	struct child *c;

	LIST_FOREACH (c, &sv->children, link)
		supervisor_judge_child(sv, c, now);
	supervisor_judge_successor(sv, now);
	if (sv->stopping)
		return;
	for (unsigned i = 0; i < sv->options.workers; i++)
		reloading = reloading || sv->slots[i].next != NULL;
	for (unsigned i = 0; i < sv->options.workers; i++) {
		supervisor_judge_slot(sv, &sv->slots[i], reloading, now);
		reloading = reloading || sv->slots[i].next != NULL;
	}
	announce(sv);
}

int supervisor_run(struct supervisor *sv)
{
	take_signals(sv);
	while (!sv->stopping || !LIST_EMPTY(&sv->children)) {
		judge_all(sv);
		wait_turn(sv);
		notify_watchdog();
	}
	log_notice("supervisor.stopped", "workers=%u", sv->options.workers);
	return 0;
}

void supervisor_free(struct supervisor *sv)
{
	if (sv == NULL)
		return;
	supervisor_close_listeners(sv, NULL);
	supervisor_close_fd(&sv->signals);
	for (unsigned i = 0; i < sv->options.workers; i++)
		free(sv->slots[i].listeners);
	free(sv->slots);
	free(sv->program);
	free(sv);
}
