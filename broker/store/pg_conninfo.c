#include "broker/store/pg_conninfo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"

#define PASSWORD_MAX 1024
#define KEYWORDS_MAX 64
#define OPTIONS_MAX 2048

struct keywords {
	const char *names[KEYWORDS_MAX + 1];
	const char *values[KEYWORDS_MAX + 1];
	int n;
};

static const char *find(const PQconninfoOption *options, const char *name)
{
	for (const PQconninfoOption *o = options; o->keyword != NULL; o++)
		if (strcmp(o->keyword, name) == 0)
			return o->val;
	return NULL;
}

int pg_conninfo_check(const char *conninfo, char *err_fault, size_t size)
{
	char *text = NULL;
	PQconninfoOption *options = PQconninfoParse(conninfo, &text);
	int r = 0;

	if (options == NULL) {
		(void)snprintf(err_fault, size, "conninfo: %s", text != NULL ? text : "no memory");
		err_fault[strcspn(err_fault, "\n")] = '\0';
		PQfreemem(text);
		return -EINVAL;
	}
	if (find(options, "password") != NULL) {
		(void)snprintf(err_fault, size, "conninfo: a password belongs into password_file");
		r = -EINVAL;
	}
	PQconninfoFree(options);
	return r;
}

/* The first line of the file. */
static int read_password(const char *path, char ret_text[PASSWORD_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, ret_text, PASSWORD_MAX - 1);
	if (n < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	close(fd);
	ret_text[n] = '\0';
	ret_text[strcspn(ret_text, "\r\n")] = '\0';
	return 0;
}

static void put(struct keywords *k, const char *name, const char *value)
{
	if (k->n == KEYWORDS_MAX)
		die("pg_conninfo: more than %d keywords", KEYWORDS_MAX);
	k->names[k->n] = name;
	k->values[k->n] = value;
	k->n++;
}

/* What the operator did not say. Of keywords that stand twice libpq takes the later one. */
static void put_default(struct keywords *k, const PQconninfoOption *options, const char *name,
			const char *value)
{
	if (find(options, name) == NULL)
		put(k, name, value);
}

PGconn *pg_conninfo_start(const char *conninfo, const char *password_file,
			  const char *application_name, const char *settings, char *err_fault,
			  size_t size)
{
	char password[PASSWORD_MAX] = "";
	char session[OPTIONS_MAX];
	struct keywords k = {.n = 0};
	PQconninfoOption *options;
	const char *own;
	PGconn *pg;
	int r;

	if (password_file[0] != '\0') {
		r = read_password(password_file, password);
		if (r < 0) {
			(void)snprintf(err_fault, size, "password_file: %s", strerror(-r));
			return NULL;
		}
	}
	options = PQconninfoParse(conninfo, NULL);
	if (options == NULL)
		die("pg_conninfo: a string that was checked cannot be read");
	own = find(options, "options");
	(void)snprintf(session, sizeof(session), "%s %s", settings, own != NULL ? own : "");

	for (const PQconninfoOption *o = options; o->keyword != NULL; o++)
		if (o->val != NULL)
			put(&k, o->keyword, o->val);
	put(&k, "options", session);
	put(&k, "client_encoding", "UTF8");
	put_default(&k, options, "application_name", application_name);
	put_default(&k, options, "target_session_attrs", "read-write");
	put_default(&k, options, "keepalives_idle", "5");
	put_default(&k, options, "keepalives_interval", "2");
	put_default(&k, options, "keepalives_count", "3");
	put_default(&k, options, "tcp_user_timeout", "10000");
	if (password[0] != '\0')
		put(&k, "password", password);

	pg = PQconnectStartParams(k.names, k.values, 0);
	if (pg == NULL)
		die("pg_conninfo: no memory for a connection");
	explicit_bzero(password, sizeof(password));
	PQconninfoFree(options);
	return pg;
}
