/* The static files: reading them. */
#include "worker/api/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/encode.h"
#include "common/base/mem.h"
#include "common/crypto/hmac.h"
#include "common/log/log.h"
#include "worker/api/files_internal.h"

static struct slice type_of(struct slice path)
{
	static const struct {
		struct slice end;
		struct slice type;
	} rows[] = {
		{SLICE_INIT(".html"), SLICE_INIT("text/html; charset=utf-8")},
		{SLICE_INIT(".js"), SLICE_INIT("text/javascript; charset=utf-8")},
		{SLICE_INIT(".mjs"), SLICE_INIT("text/javascript; charset=utf-8")},
		{SLICE_INIT(".css"), SLICE_INIT("text/css; charset=utf-8")},
		{SLICE_INIT(".json"), SLICE_INIT("application/json")},
		{SLICE_INIT(".map"), SLICE_INIT("application/json")},
		{SLICE_INIT(".webmanifest"), SLICE_INIT("application/manifest+json")},
		{SLICE_INIT(".txt"), SLICE_INIT("text/plain; charset=utf-8")},
		{SLICE_INIT(".svg"), SLICE_INIT("image/svg+xml")},
		{SLICE_INIT(".png"), SLICE_INIT("image/png")},
		{SLICE_INIT(".jpg"), SLICE_INIT("image/jpeg")},
		{SLICE_INIT(".jpeg"), SLICE_INIT("image/jpeg")},
		{SLICE_INIT(".gif"), SLICE_INIT("image/gif")},
		{SLICE_INIT(".webp"), SLICE_INIT("image/webp")},
		{SLICE_INIT(".ico"), SLICE_INIT("image/x-icon")},
		{SLICE_INIT(".woff2"), SLICE_INIT("font/woff2")},
		{SLICE_INIT(".woff"), SLICE_INIT("font/woff")},
		{SLICE_INIT(".mp3"), SLICE_INIT("audio/mpeg")},
		{SLICE_INIT(".ogg"), SLICE_INIT("audio/ogg")},
		{SLICE_INIT(".wasm"), SLICE_INIT("application/wasm")},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (slice_ends(path, rows[i].end))
			return rows[i].type;
	}
	return SLICE("application/octet-stream");
}

static void skip(const char *path, const char *why)
{
	log_warning("web.skipped", "path=%s reason=\"%s\"", path, why);
}

/* The whole file; NULL: it could not be read, or changed meanwhile. */
static char *read_all(int fd, size_t n)
{
	char *body = mem_alloc(n + 1);
	size_t at = 0;

	while (at <= n) {
		ssize_t r = read(fd, body + at, n + 1 - at);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			break;
		at += (size_t)r;
	}
	if (at == n)
		return body;
	free(body);
	return NULL;
}

static void add_row(struct files *f, const char *path, char *body, size_t n)
{
	struct file_row *row = NEW(struct file_row);
	uint8_t digest[SHA256_SIZE];

	row->path = mem_strdup(path);
	row->body = body;
	row->file.body = slice_of(body, n);
	row->file.type = type_of(slice_str(path));
	digest_sha256(row->file.body, digest);
	row->etag[0] = '"';
	hex_encode(digest, (FILES_ETAG - 2) / 2, row->etag + 1);
	row->etag[FILES_ETAG - 1] = '"';
	row->file.etag = row->etag;
	HASH_ADD_KEYPTR(hh, f->rows, row->path, strlen(row->path), row);
	f->bytes += n;
	f->count++;
}

/* Owns the fd. */
static void load_file(struct files *f, int fd, const struct stat *st, const char *path)
{
	size_t n = (size_t)st->st_size;
	char *body;

	if (n > FILES_ONE_MAX || f->bytes + n > FILES_ALL_MAX) {
		skip(path, "too large");
	} else if (f->count == FILES_MAX) {
		skip(path, "too many files");
	} else {
		body = read_all(fd, n);
		if (body != NULL)
			add_row(f, path, body, n);
		else
			skip(path, "not readable");
	}
	(void)close(fd); /* only read from */
}

static void load_dir(struct files *f, int fd, const char *path, unsigned depth);

static void load_entry(struct files *f, int dir, const char *name, const char *parent,
		       unsigned depth)
{
	char path[FILES_NAME_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s", parent, name);
	struct stat st;
	int fd;

	if (n < 0 || (size_t)n >= sizeof(path)) {
		skip(name, "name too long");
		return;
	}
	/* NONBLOCK: a pipe must not hold us up before it is seen to be one. */
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0) {
		skip(path, errno == ELOOP ? "a link" : "not readable");
		if (fd >= 0)
			(void)close(fd); /* nothing was done with it */
	} else if (S_ISREG(st.st_mode)) {
		load_file(f, fd, &st, path);
	} else if (S_ISDIR(st.st_mode) && depth < FILES_DEPTH) {
		load_dir(f, fd, path, depth + 1);
	} else {
		skip(path, S_ISDIR(st.st_mode) ? "too deep" : "no regular file");
		(void)close(fd); /* nothing was done with it */
	}
}

/* Owns the fd. Recursion ends at FILES_DEPTH. */
static void load_dir(struct files *f, int fd, const char *path, unsigned depth)
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;

	if (dir == NULL) {
		skip(path, "not readable");
		(void)close(fd); /* only to be listed */
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.')
			load_entry(f, fd, entry->d_name, path, depth);
	}
	(void)closedir(dir); /* with its fd */
}

struct files *files_new(const char *root)
{
	struct files *f = NEW(struct files);
	int fd;

	if (root[0] == '\0')
		return f;
	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		log_warning("web.no_root", "path=%s error=%d", root, errno);
		return f;
	}
	load_dir(f, fd, "", 0);
	log_info("web.loaded", "files=%u bytes=%zu", f->count, f->bytes);
	return f;
}

void files_free(struct files *f)
{
	struct file_row *row;
	struct file_row *next;

	if (f == NULL)
		return;
	HASH_ITER(hh, f->rows, row, next)
	{
		HASH_DELETE(hh, f->rows, row);
		free(row->path);
		free(row->body);
		free(row);
	}
	free(f);
}
