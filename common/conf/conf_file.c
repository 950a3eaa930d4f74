#include "common/conf/conf_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/conf/conf_internal.h"

/* A whole regular file of at most b->max bytes. 0 or -errno; -EFBIG when it is larger. */
static int read_file(const char *path, struct buf *b)
{
	struct stat st;
	int r = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) != 0)
		r = -errno;
	else if (S_ISDIR(st.st_mode))
		r = -EISDIR;
	while (r == 0) {
		size_t room = MIN(b->max - b->n, (size_t)16384);
		char *at = room > 0 ? buf_reserve(b, room) : NULL;

		if (at == NULL) {
			char one;
			ssize_t more = read(fd, &one, 1);

			r = more == 0 ? 0 : more > 0 ? -EFBIG : -errno;
			break;
		}
		ssize_t n = read(fd, at, room);

		if (n == 0)
			break;
		if (n > 0)
			b->n += (size_t)n;
		else if (errno != EINTR)
			r = -errno;
	}
	(void)close(fd);
	return r;
}

/* "FILE: Permission denied: …", with what is to be done. */
static bool cannot_read(struct conf_fault *err_fault, const char *path, int err)
{
	return conf_fail(err_fault, "%s: %s%s", path, strerror(err),
			 err == EACCES ? ": give it to the group of the daemons, readable (chgrp "
					 "chat, chmod 640; a directory 750)"
				       : "");
}

static bool load_file(struct conf *c, const char *path, bool optional, struct conf_fault *err_fault)
{
	struct buf text;
	bool ok = true;

	buf_init(&text, CONF_TEXT_MAX);
	int r = read_file(path, &text);

	if (r < 0 && !(optional && r == -ENOENT))
		ok = cannot_read(err_fault, path, -r);
	if (r == 0)
		ok = conf_parse(c, buf_slice(&text), path, err_fault);
	if (text.n > 0)
		explicit_bzero(text.p, text.n);
	buf_done(&text);
	return ok;
}

static int is_conf(const struct dirent *entry)
{
	struct slice name = slice_str(entry->d_name);

	return name.p[0] != '.' && name.n > 5 && slice_ends(name, SLICE(".conf"));
}

static bool load_directory(struct conf *c, const char *dir, struct conf_fault *err_fault)
{
	struct dirent **entries = NULL;
	bool ok = true;
	int n = scandir(dir, &entries, is_conf, alphasort);

	if (n < 0) {
		if (errno == ENOENT)
			return true; /* a directory for what may come */
		return cannot_read(err_fault, dir, errno);
	}
	for (int i = 0; i < n; i++) {
		char path[4096];

		if (ok && snprintf(path, sizeof(path), "%s/%s", dir, entries[i]->d_name) >=
				  (int)sizeof(path))
			ok = conf_fail(err_fault, "%s: the path is too long", dir);
		ok = ok && load_file(c, path, false, err_fault);
		free(entries[i]);
	}
	free(entries);
	return ok;
}

/* Files of included directories may name further ones; each is read once, in order. */
static bool load_includes(struct conf *c, size_t from, struct conf_fault *err_fault)
{
	for (size_t i = from; i < c->includes.n; i++) {
		/* a copy: reading may grow the list */
		char *dir = mem_strdup(c->includes.v[i]);
		bool ok = load_directory(c, dir, err_fault);

		free(dir);
		if (!ok)
			return false;
	}
	return true;
}

/* Full path of a secret: names without '/' are systemd credentials. */
static int secret_path(const char *path, char *out, size_t cap)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	int n;

	if (strchr(path, '/') != NULL)
		n = snprintf(out, cap, "%s", path);
	else if (dir != NULL)
		n = snprintf(out, cap, "%s/%s", dir, path);
	else
		return -ENOENT;
	return n >= 0 && (size_t)n < cap ? 0 : -ENAMETOOLONG;
}

static int read_secret_file(const char *name, struct buf *b)
{
	char path[4096];
	int r = secret_path(name, path, sizeof(path));

	if (r < 0)
		return r;
	r = read_file(path, b);
	if (r == 0 && (b->n == 0 || memchr(b->p, '\0', b->n) != NULL))
		r = -EINVAL;
	return r;
}

static void erase(struct buf *b)
{
	if (b->n > 0)
		explicit_bzero(b->p, b->n);
	buf_done(b);
}

int conf_secret(const char *path, char **ret_secret)
{
	struct buf text;
	struct slice line;
	struct slice rest;

	buf_init(&text, 4096);
	int r = read_secret_file(path, &text);

	if (r == 0) {
		line = buf_slice(&text);
		(void)slice_cut(line, '\n', &line, &rest); /* without a line end it is all of it */
		line = slice_trim(line);
		if (line.n == 0)
			r = -EINVAL;
		else
			*ret_secret = slice_dup(line);
	}
	erase(&text);
	return r;
}

static bool load_app_secrets(struct conf *c, struct conf_fault *err_fault)
{
	const struct conf_group *g = conf_group_find(SLICE("app"));

	for (size_t i = 0; i < c->napps; i++) {
		struct conf_where where = {.file = c->apps[i].secret_file};
		struct buf text;

		if (c->apps[i].secret_file[0] == '\0')
			continue;
		buf_init(&text, 4096);
		int r = read_secret_file(c->apps[i].secret_file, &text);
		bool ok = r == 0 ? conf_assign(c, g, i, SLICE("secret"),
					       slice_trim(buf_slice(&text)), &where, err_fault)
				 : conf_fail(err_fault, "[app \"%.60s\"] secret_file = %.200s: %s",
					     c->apps[i].name, c->apps[i].secret_file, strerror(-r));

		erase(&text);
		if (!ok)
			return false;
	}
	return true;
}

/* The file of [chat] preset; false: its statements are those of the program. */
static bool preset_path(const struct conf *c, char *out, size_t cap)
{
	const char *preset = c->chat.preset;

	if (preset[0] == '\0' || strcmp(preset, "chat") == 0)
		return false;
	if (strchr(preset, '/') != NULL)
		(void)snprintf(out, cap, "%s", preset); /* one cut short does not exist */
	else
		(void)snprintf(out, cap, CONF_PRESET_DIR "/%s.conf", preset);
	return true;
}

/* `preset`: a file that all others override, or NULL. */
static bool load_all(const struct conf_source *s, const char *preset, struct conf *c,
		     struct conf_fault *err_fault)
{
	if (preset != NULL && !load_file(c, preset, false, err_fault))
		return false;
	if (!load_file(c, s->file, s->optional, err_fault) || !load_includes(c, 0, err_fault))
		return false;
	for (size_t i = 0; i < s->nmore; i++) {
		size_t from = c->includes.n;

		if (!load_file(c, s->more[i], false, err_fault) ||
		    !load_includes(c, from, err_fault))
			return false;
	}
	for (char *const *e = s->env; e != NULL && *e != NULL; e++) {
		if (!conf_env(c, *e, err_fault))
			return false;
	}
	return !s->secrets || load_app_secrets(c, err_fault);
}

bool conf_load(const struct conf_source *source, struct conf **ret_conf,
	       struct conf_fault *err_fault)
{
	struct conf *c = conf_new();
	char preset[4096];
	bool ok = load_all(source, NULL, c, err_fault);

	/* which file comes first is known after the last one */
	if (ok && preset_path(c, preset, sizeof(preset))) {
		conf_free(c);
		c = conf_new();
		ok = load_all(source, preset, c, err_fault);
	}
	if (!ok) {
		conf_free(c);
		return false;
	}
	*ret_conf = c;
	return true;
}
