/*
 * What a daemon tells systemd, by datagram to $NOTIFY_SOCKET (sd_notify(3), without its library).
 * Where the variable is not set all of these do nothing and succeed. No error matters to the
 * caller, so there is none to check.
 */
#ifndef COMMON_PROC_NOTIFY_H
#define COMMON_PROC_NOTIFY_H

#include <stdint.h>

#include "common/base/clock.h"

/* Service is up; `status` is one line for systemctl status, or NULL. Also ends a reload. */
void notify_ready(const char *status);
/* A reload begins; notify_ready() must follow. */
void notify_reloading(void);
void notify_stopping(void);
void notify_status(const char *status);
/*
 * Keeps a copy of a descriptor for us, to be handed to our successor (inherit.h); and forgets all
 * that were kept under that name.
 */
void notify_store(const char *name, int fd);
void notify_unstore(const char *name);
/* Still alive; call at least twice in every notify_watchdog_interval(). */
void notify_watchdog(void);
/* Interval that systemd wants, 0 = none. */
usec_t notify_watchdog_interval(void);

#endif
