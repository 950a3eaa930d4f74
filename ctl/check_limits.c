#include "ctl/check_limits.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/slice.h"
#include "ctl/commands.h"
#include "ctl/db.h"

#define FILES_BESIDE 64	     /* of a worker, beside its clients */
#define BROKER_SESSIONS 6    /* what docs/OPERATING.md says that a broker keeps */
#define FIRST_FREE_PORT 1024 /* unless the kernel says otherwise */

struct machine {
	const struct conf *conf;
	struct outcome *o;
	bool is_running;
	int status;
};

static void wrong(struct machine *m)
{
	m->status = CTL_CONFIG;
}

/* A number of /proc/sys; `fallback` where it cannot be read. */
static uint64_t kernel_number(const char *path, uint64_t fallback)
{
	unsigned long long value;
	char text[32];
	size_t n;
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return fallback;
	n = fread(text, 1, sizeof(text), f);
	(void)fclose(f); /* it was only read */
	return slice_to_u64(slice_trim(slice_of(text, n)), &value) ? value : fallback;
}

/* ---- what the kernel gives ---- */

static void check_files(struct machine *m)
{
	uint64_t most = kernel_number("/proc/sys/fs/nr_open", UINT64_MAX);
	uint32_t wanted = m->conf->worker.max_connections;

	if (wanted == 0 || wanted + FILES_BESIDE <= most)
		return;
	wrong(m);
	outcome_find(m->o, "descriptors", FINDING_WRONG,
		     "[worker] max_connections = %u: a process may have %llu files: raise "
		     "fs.nr_open and LimitNOFILE= of the unit",
		     wanted, (unsigned long long)most);
}

static void check_backlog(struct machine *m)
{
	uint64_t most = kernel_number("/proc/sys/net/core/somaxconn", UINT64_MAX);

	if (m->conf->worker.backlog > most)
		outcome_find(m->o, "backlog", FINDING_WARNING,
			     "[worker] backlog = %u: the kernel cuts it to %llu: raise "
			     "net.core.somaxconn",
			     m->conf->worker.backlog, (unsigned long long)most);
}

/* ---- listeners ---- */

/* False: a name, which is not looked up. */
static bool address_of(struct slice host, uint16_t port, struct sockaddr_storage *ret,
		       socklen_t *ret_size)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)ret;
	char text[INET6_ADDRSTRLEN];

	*ret = (struct sockaddr_storage){0};
	(void)snprintf(text, sizeof(text), "%.*s", SLICE_ARG(host));
	if (host.n == 0 || inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		*ret_size = sizeof(*v4);
		return true;
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		*ret_size = sizeof(*v6);
		return true;
	}
	return false;
}

/* 0 or -errno of taking the address for a moment. */
static int try_address(const struct sockaddr_storage *address, socklen_t size)
{
	const int yes = 1;
	int r = 0;
	int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	/* As the daemons do: an old connection that lingers is no obstacle. */
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, (const struct sockaddr *)(const void *)address, size) != 0)
		r = -errno;
	(void)close(fd);
	return r;
}

static void check_listener(struct machine *m, const char *section, const char *user,
			   const char *text)
{
	uint64_t first =
		kernel_number("/proc/sys/net/ipv4/ip_unprivileged_port_start", FIRST_FREE_PORT);
	struct sockaddr_storage address;
	struct slice host;
	socklen_t size;
	uint16_t port;
	bool is_unix;
	int r;

	if (!conf_address(slice_str(text), &host, &port, &is_unix) || is_unix ||
	    !address_of(host, port, &address, &size))
		return;
	if (port < first && user[0] == '\0') { /* with a user, root binds before it becomes it */
		wrong(m);
		outcome_find(m->o, "listen", FINDING_WRONG,
			     "[%s] listen = %s: ports below %llu are root's: put a proxy in front, "
			     "or lower net.ipv4.ip_unprivileged_port_start",
			     section, text, (unsigned long long)first);
		return;
	}
	r = try_address(&address, size);
	if (r == 0 || r == -EACCES || (r == -EADDRINUSE && m->is_running))
		return;
	wrong(m);
	outcome_find(m->o, "listen", FINDING_WRONG, "[%s] listen = %s: %s%s", section, text,
		     strerror(-r), r == -EADDRINUSE ? ": ss -ltnp shows by whom" : "");
}

static void check_listeners(struct machine *m)
{
	const struct conf *conf = m->conf;

	for (size_t i = 0; i < conf->worker.listen.n; i++)
		check_listener(m, "worker", conf->worker.user, conf->worker.listen.v[i]);
	for (size_t i = 0; i < conf->tls.listen.n; i++)
		check_listener(m, "tls", conf->worker.user, conf->tls.listen.v[i]);
	if (conf->admin.listen[0] != '\0')
		check_listener(m, "admin", conf->broker.user, conf->admin.listen);
}

int check_machine(const struct conf *conf, bool is_running, struct outcome *o)
{
	struct machine m = {.conf = conf, .o = o, .is_running = is_running};

	check_files(&m);
	check_backlog(&m);
	check_listeners(&m);
	if (m.status == CTL_OK)
		outcome_find(o, "machine", FINDING_RIGHT,
			     "the machine is right: descriptors, addresses and ports");
	return m.status;
}

/* ---- the database server ---- */

int check_server(PGconn *db, struct outcome *o)
{
	/* Those of brokers are not counted: this one's may be among them. */
	static const char sql[] =
		"SELECT current_setting('max_connections')::int"
		" - current_setting('superuser_reserved_connections')::int"
		" - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
		" AND pid <> pg_backend_pid() AND application_name NOT LIKE 'chat-broker/%'),"
		" rolconnlimit FROM pg_roles WHERE rolname = current_user";
	PGresult *r = db_query(db, sql, 0, NULL);
	long left;
	long role;

	if (r == NULL)
		return db_failed(db);
	left = strtol(PQgetvalue(r, 0, 0), NULL, 10);
	role = strtol(PQgetvalue(r, 0, 1), NULL, 10); /* -1: as many as it likes */
	PQclear(r);
	if (left < BROKER_SESSIONS)
		outcome_find(o, "connections", FINDING_WARNING,
			     "PostgreSQL has room for %ld connections, a broker keeps %d: raise "
			     "max_connections",
			     MAX(left, 0), BROKER_SESSIONS);
	if (role < 0 || role >= BROKER_SESSIONS)
		return CTL_OK;
	outcome_find(
		o, "connections", FINDING_WRONG,
		"the role may have %ld connections, a broker keeps %d: ALTER ROLE … CONNECTION "
		"LIMIT 30",
		role, BROKER_SESSIONS);
	return CTL_REFUSED;
}
