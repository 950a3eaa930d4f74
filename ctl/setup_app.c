#include "ctl/setup_app.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/encode.h"
#include "common/crypto/random.h"
#include "ctl/commands.h"

#define APP_FILE "app.conf"
#define KEY_BYTES 10
#define SECRET_BYTES 20

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

int setup_app(const struct conf *conf, const char *file, bool dry_run)
{
	unsigned char bytes[KEY_BYTES + SECRET_BYTES];
	char key[2 * KEY_BYTES + 1];
	char secret[2 * SECRET_BYTES + 1];
	char path[4096];
	char text[512];
	int r;

	if (conf->napps > 0)
		return CTL_OK;
	if (conf->includes.n == 0) {
		(void)fprintf(stderr,
			      "chatctl: %s names no [app] and includes no directory for one; see "
			      "chat.conf(5)\n",
			      file);
		return CTL_CONFIG;
	}
	(void)snprintf(path, sizeof(path), "%s/" APP_FILE, conf->includes.v[0]);
	if (dry_run) {
		(void)printf("\n-- an application with a new key and secret would come to %s\n",
			     path);
		return CTL_OK;
	}
	random_bytes(bytes, sizeof(bytes));
	hex_encode(bytes, KEY_BYTES, key);
	hex_encode(bytes + KEY_BYTES, SECRET_BYTES, secret);
	(void)snprintf(text, sizeof(text),
		       "# An application: who may publish and connect. See chat.conf(5).\n"
		       "[app \"chat\"]\nkey = %s\nsecret = %s\n",
		       key, secret);
	errno = 0;
	r = make_file(path, file, text);
	explicit_bzero(text, sizeof(text));
	explicit_bzero(secret, sizeof(secret));
	if (r < 0) {
		(void)fprintf(stderr, "chatctl: %s: %s\n", path, strerror(-r));
		return CTL_IO;
	}
	(void)printf("application chat made in %s; chatctl export-env shows how to reach it\n",
		     path);
	return CTL_OK;
}
