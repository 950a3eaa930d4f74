/*
 * Listening sockets that somebody else holds open: a service manager that stores them over a
 * restart, or has opened them itself (sd_listen_fds(3), sd_pid_notify_with_fds(3), without the
 * library).
 */
#ifndef COMMON_PROC_INHERIT_H
#define COMMON_PROC_INHERIT_H

#include <stddef.h>

/* As many as systemd passes at the most, and more than anybody has listeners. */
#define INHERIT_MAX 512

/*
 * The descriptors that were handed to this process ($LISTEN_FDS, for $LISTEN_PID), now
 * close-on-exec; theirs from now on is the caller. Forgets the variables, so that no child takes
 * them for its own. Returns how many.
 */
size_t inherit_take(int fds[INHERIT_MAX]);

#endif
