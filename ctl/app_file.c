#include "ctl/app_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/encode.h"
#include "common/crypto/random.h"
#include "ctl/commands.h"
#include "ctl/outcome.h"

#define FIRST_ID "chat"

/* 0 or -errno. Whoever may read the configuration may read it, and nobody else. */
static int make_file(const char *path, const char *like, const char *text)
{
	size_t n = strlen(text);
	struct stat st;
	int r = 0;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	if (write(fd, text, n) != (ssize_t)n ||
	    (stat(like, &st) == 0 &&
	     (fchown(fd, (uid_t)-1, st.st_gid) != 0 || fchmod(fd, 0640) != 0)))
		r = errno != 0 ? -errno : -EIO;
	if (close(fd) != 0 && r == 0)
		r = -errno;
	if (r < 0)
		(void)unlink(path);
	return r;
}

static int find_place(const struct conf *conf, const char *file, const char *id,
		      char path[PATH_MAX])
{
	if (conf->includes.n == 0) {
		(void)fprintf(stderr,
			      "chatctl: %s includes no directory for applications; see "
			      "chat.conf(5)\n",
			      file);
		return CTL_CONFIG;
	}
	if (snprintf(path, PATH_MAX, "%s/app-%s.conf", conf->includes.v[0], id) >= PATH_MAX) {
		(void)fprintf(stderr, "chatctl: %s: the path is too long\n", conf->includes.v[0]);
		return CTL_CONFIG;
	}
	return CTL_OK;
}

int app_file_make(const struct conf *conf, const char *file, const char *id, struct app_file *ret)
{
	unsigned char bytes[APP_KEY_BYTES + APP_SECRET_BYTES];
	char text[512];
	int status = find_place(conf, file, id, ret->path);
	int r;

	if (status != CTL_OK)
		return status;
	random_bytes(bytes, sizeof(bytes));
	hex_encode(bytes, APP_KEY_BYTES, ret->key);
	hex_encode(bytes + APP_KEY_BYTES, APP_SECRET_BYTES, ret->secret);
	(void)snprintf(text, sizeof(text),
		       "# An application: who may publish and connect. See chat.conf(5).\n"
		       "[app \"%s\"]\nkey = %s\nsecret = %s\n",
		       id, ret->key, ret->secret);
	errno = 0;
	r = make_file(ret->path, file, text);
	explicit_bzero(text, sizeof(text));
	explicit_bzero(bytes, sizeof(bytes));
	if (r == 0)
		return CTL_OK;
	explicit_bzero(ret->secret, sizeof(ret->secret));
	(void)fprintf(stderr, "chatctl: %s: %s\n", ret->path, strerror(-r));
	return r == -EEXIST ? CTL_REFUSED : CTL_IO;
}

int app_file_first(const struct conf *conf, const char *file, bool dry_run, struct outcome *o)
{
	struct app_file made;
	int status;

	if (conf->napps > 0)
		return CTL_OK;
	if (dry_run) {
		status = find_place(conf, file, FIRST_ID, made.path);
		if (status == CTL_OK)
			(void)printf("\n-- an application with a new key and secret would come to "
				     "%s\n",
				     made.path);
		return status;
	}
	status = app_file_make(conf, file, FIRST_ID, &made);
	if (status != CTL_OK)
		return status;
	if (o->json)
		outcome_add(o, "application " FIRST_ID, "made");
	else
		(void)printf("application " FIRST_ID " made in %s; chatctl export-env shows how to "
			     "reach it\n",
			     made.path);
	explicit_bzero(&made, sizeof(made));
	return CTL_OK;
}
