#include "common/proc/notify.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/macros.h"
#include "common/base/slice.h"

static void notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	if (path == NULL || (path[0] != '/' && path[0] != '@'))
		return;
	size_t n = strlen(path);
	if (n >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, n);
	if (path[0] == '@')
		to.sun_path[0] = '\0'; /* a name that is no file */

	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* Nobody listening is no reason to stop serving. */
	(void)sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&to,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
	(void)close(fd);
}

/* `head` and the status in one datagram; a long status is cut. */
static void notify_with(const char *head, const char *status)
{
	char text[512];

	if (status == NULL)
		(void)snprintf(text, sizeof(text), "%s", head);
	else
		(void)snprintf(text, sizeof(text), "%s\nSTATUS=%s", head, status);
	notify(text);
}

void notify_ready(const char *status)
{
	notify_with("READY=1", status);
}

void notify_reloading(void)
{
	char text[96];

	(void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu",
		       (unsigned long long)clock_mono());
	notify(text);
}

void notify_stopping(void)
{
	notify("STOPPING=1");
}

void notify_status(const char *status)
{
	char text[512];

	(void)snprintf(text, sizeof(text), "STATUS=%s", status);
	notify(text);
}

void notify_watchdog(void)
{
	notify("WATCHDOG=1");
}

usec_t notify_watchdog_interval(void)
{
	unsigned long long usec;
	unsigned long long pid;
	const char *for_pid = getenv("WATCHDOG_PID");

	if (!slice_to_u64(slice_str(getenv("WATCHDOG_USEC")), &usec))
		return 0;
	if (for_pid != NULL &&
	    (!slice_to_u64(slice_str(for_pid), &pid) || pid != (unsigned long long)getpid()))
		return 0;
	return usec;
}
