/*
 * The journal's own protocol: one datagram a line, with fields that journalctl(1) selects by:
 *
 *	journalctl CHAT_EVENT=client.closed CHAT_SOCKET_ID=1234.5678
 *
 * MESSAGE, PRIORITY and SYSLOG_IDENTIFIER are as they would be from standard error; CHAT_EVENT is
 * the name of the event, CHAT_APP and CHAT_SOCKET_ID what the line says of them. No library is
 * needed for this.
 */
#ifndef COMMON_LOG_JOURNAL_H
#define COMMON_LOG_JOURNAL_H

#include <stdbool.h>

#include "common/base/macros.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

/* Whether standard error leads to the journal, as $JOURNAL_STREAM says. */
bool journal_has_stderr(void);

/* A socket to it, closed by exec; or -errno. */
MUST_CHECK int journal_open(const char *path);

/*
 * `line` begins with the event and has no control bytes. False: it was not taken, and may be
 * written elsewhere. Never waits.
 */
MUST_CHECK bool journal_send(int fd, int level, const char *program, const char *event,
			     const char *line);

#endif
