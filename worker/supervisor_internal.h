/* What the files of the supervisor share. Nobody else includes this. */
#ifndef WORKER_SUPERVISOR_INTERNAL_H
#define WORKER_SUPERVISOR_INTERNAL_H

#include <sys/types.h>

#include "common/base/list.h"
#include "common/proc/inherit.h"
#include "worker/supervisor.h"

enum child_state {
	STARTING, /* forked, not ready yet */
	SERVING,
	DRAINING, /* told to, or being stopped; SIGKILL at `deadline` */
	ABORTED,  /* was silent: had SIGABRT; SIGKILL at `deadline` */
};

struct child {
	LIST_ENTRY(child) link;
	struct slot *slot;
	pid_t pid;
	int control;
	enum child_state state;
	uint64_t generation;
	usec_t started;
	usec_t heard;	 /* the last byte from it */
	usec_t deadline; /* of DRAINING and ABORTED; else never */
};

struct slot {
	struct child *now;  /* serves, or will; NULL while it pauses */
	struct child *next; /* successor that is not ready yet, in a reload */
	usec_t start_at;    /* when the next one is due; USEC_NEVER = none is missing */
	unsigned failures;  /* children in a row that died young */
	bool reload;	    /* the child is of the old configuration */
	int *listeners;	    /* one for each address */
};

LIST_HEAD(child_list, child);

struct supervisor {
	struct supervisor_options options;
	struct slot *slots;
	struct child_list children;
	uint64_t generation;
	int signals;
	int kept[INHERIT_MAX]; /* listeners of a supervisor before us, not used yet */
	size_t kept_count;
	char *program;	    /* path of what runs; NULL = not known */
	pid_t checking;	    /* a new program is asked whether it could; 0 = not */
	usec_t check_until; /* USEC_NEVER: it took too long */
	usec_t reloaded;    /* the last time; 0 = never */
	bool stopping;
	bool announced; /* READY=1 was sent */
};

/* ---- supervisor_listen.c ---- */

/* Closes what is open and forgets it. */
void supervisor_close_fd(int *fd);

/* All but those of one slot, which may be NULL. */
void supervisor_close_listeners(struct supervisor *sv, const struct slot *except);

/* ---- supervisor_upgrade.c ---- */

/* Which program this is. */
void supervisor_find_program(struct supervisor *sv);
/* Another one stands in its place, or one of its libraries was replaced. */
bool supervisor_has_successor(const struct supervisor *sv);
/* Asks it whether it could take over; then exec follows. */
void supervisor_ask_successor(struct supervisor *sv);
void supervisor_successor_answered(struct supervisor *sv, bool good);
/* Silence of one that was asked. */
void supervisor_judge_successor(struct supervisor *sv, usec_t now);
/* Takes over from a program before this one, if there was any. */
void supervisor_adopt(struct supervisor *sv);

/* ---- supervisor_child.c ---- */

/* Asks a child to drain, or to end at once. */
void supervisor_end_child(struct supervisor *sv, struct child *c, bool at_once);

/* As SIGHUP does; wishes that come together, one by way of each child, are one. */
void supervisor_wish_reload(struct supervisor *sv);

/* Takes in what a child has sent. */
void supervisor_hear(struct supervisor *sv, struct child *c);

/* Takes in who has died. */
void supervisor_reap(struct supervisor *sv);

/* Silence and deadlines of a child. */
void supervisor_judge_child(struct supervisor *sv, struct child *c, usec_t now);

/*
 * Whether a slot gets a child now: one is missing, or the reload has come to it. `reloading`: some
 * other slot is at it.
 */
void supervisor_judge_slot(struct supervisor *sv, struct slot *slot, bool reloading, usec_t now);

#endif
