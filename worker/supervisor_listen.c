/*
 * The listeners of the supervisor: opened, or taken over from whoever kept them while there was no
 * supervisor. As long as somebody holds them the kernel queues connections, so a restart refuses
 * nobody.
 */
#include "worker/supervisor_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log/log.h"
#include "common/proc/notify.h"

#define STORE_NAME "listener"

void supervisor_close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* nothing was written to it */
	*fd = -1;
}

void supervisor_close_listeners(struct supervisor *sv, const struct slot *except)
{
	for (unsigned i = 0; i < sv->options.workers; i++) {
		for (unsigned k = 0; &sv->slots[i] != except && k < sv->options.address_count; k++)
			supervisor_close_fd(&sv->slots[i].listeners[k]);
	}
}

/* ---- taken over ---- */

static bool is_listening(int fd)
{
	int value = 0;
	socklen_t n = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &n) == 0 && value != 0;
}

/* Where the configuration leaves the port open, any will do. */
static bool is_same(const struct address *wanted, struct address is)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (wanted->sa.ss_family != is.sa.ss_family)
		return false;
	if (is.sa.ss_family == AF_INET) {
		memcpy(&in, &wanted->sa, sizeof(in));
		if (in.sin_port == 0)
			memset((char *)&is.sa + offsetof(struct sockaddr_in, sin_port), 0,
			       sizeof(in.sin_port));
	} else if (is.sa.ss_family == AF_INET6) {
		memcpy(&in6, &wanted->sa, sizeof(in6));
		if (in6.sin6_port == 0)
			memset((char *)&is.sa + offsetof(struct sockaddr_in6, sin6_port), 0,
			       sizeof(in6.sin6_port));
	}
	return wanted->len == is.len && memcmp(&wanted->sa, &is.sa, is.len) == 0;
}

/* As listener_open() makes them. */
static void set_options(int fd, const struct address *a)
{
	static const int on = 1;

	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); /* an open socket */
	/* Inherited by what is accepted. Not needed to work: an error only costs latency. */
	if (a->sa.ss_family != AF_UNIX)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* One that was kept for this address, or -1. */
static int take_kept(struct supervisor *sv, const struct address *a)
{
	for (size_t i = 0; i < sv->kept_count; i++) {
		int fd = sv->kept[i];
		struct address is;

		if (listener_address(fd, &is) != 0 || !is_same(a, is) || !is_listening(fd))
			continue;
		sv->kept[i] = sv->kept[--sv->kept_count];
		set_options(fd, a);
		return fd;
	}
	return -1;
}

static void drop_kept(struct supervisor *sv)
{
	if (sv->kept_count > 0) {
		log_notice("supervisor.listeners_dropped", "count=%zu", sv->kept_count);
		notify_unstore(STORE_NAME);
	}
	while (sv->kept_count > 0)
		supervisor_close_fd(&sv->kept[--sv->kept_count]);
}

/* ---- opened ---- */

static int copy(int from, int *ret_fd)
{
	*ret_fd = fcntl(from, F_DUPFD_CLOEXEC, 0);
	return *ret_fd < 0 ? -errno : 0;
}

/*
 * A socket for each slot. One that was opened by somebody else may stand alone: then all slots
 * accept from it, as from a unix socket.
 */
static int listen_on(struct supervisor *sv, unsigned k)
{
	struct address a = sv->options.addresses[k];
	int first = -1;
	bool kept = false;
	int r = 0;

	for (unsigned i = 0; r == 0 && i < sv->options.workers; i++) {
		int *fd = &sv->slots[i].listeners[k];

		*fd = take_kept(sv, &a);
		kept = kept || *fd >= 0;
		if (*fd < 0 && i > 0 && a.sa.ss_family == AF_UNIX) {
			r = copy(first, fd);
			continue;
		}
		if (*fd < 0)
			r = listener_open(&a, sv->options.backlog, fd);
		if (r == -EADDRINUSE && first >= 0 && kept)
			r = copy(first, fd);
		if (r == 0 && i == 0) {
			first = *fd;
			r = listener_address(first, &a);
		}
	}
	return r;
}

static void store_all(const struct supervisor *sv)
{
	for (unsigned i = 0; i < sv->options.workers; i++) {
		for (unsigned k = 0; k < sv->options.address_count; k++)
			notify_store(STORE_NAME, sv->slots[i].listeners[k]);
	}
}

int supervisor_listen(struct supervisor *sv, unsigned *err_address)
{
	size_t kept = sv->kept_count;

	for (unsigned k = 0; k < sv->options.address_count; k++) {
		int r = listen_on(sv, k);

		if (r < 0) {
			*err_address = k;
			supervisor_close_listeners(sv, NULL);
			return r;
		}
	}
	if (kept > 0)
		log_notice("supervisor.listeners_kept", "count=%zu", kept - sv->kept_count);
	drop_kept(sv);
	store_all(sv);
	return 0;
}

int supervisor_address(const struct supervisor *sv, unsigned index, struct address *ret)
{
	return listener_address(sv->slots[0].listeners[index], ret);
}
