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

static void send_text(int fd, struct sockaddr_un *to, socklen_t to_n, const char *text, int passed)
{
	union {
		struct cmsghdr head; /* for its alignment */
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
	struct msghdr m = {.msg_name = to, .msg_namelen = to_n, .msg_iov = &iov, .msg_iovlen = 1};

	if (passed >= 0) {
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.head), &passed, sizeof(passed));
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
	}
	/* Nobody listening is no reason to stop serving. */
	(void)sendmsg(fd, &m, MSG_NOSIGNAL);
}

/* With a descriptor, or -1. */
static void notify_with_fd(const char *text, int passed)
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
	send_text(fd, &to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n), text, passed);
	(void)close(fd);
}

static void notify(const char *text)
{
	notify_with_fd(text, -1);
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

void notify_store(const char *name, int fd)
{
	char text[256];

	(void)snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s", name);
	notify_with_fd(text, fd);
}

void notify_unstore(const char *name)
{
	char text[256];

	(void)snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
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
