#include "ctl/migrations.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/base/encode.h"
#include "common/base/mem.h"
#include "common/crypto/hmac.h"

#define FILE_MAX (4 << 20)

PRINTF(2, 3) static bool fail(struct migrations_fault *err_fault, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(err_fault->text, sizeof(err_fault->text), fmt, args);
	va_end(args);
	return false;
}

/* "001_base.sql": three digits, a name of lower-case letters, digits and underscores. */
static bool parse_name(struct slice file, unsigned *ret_version, struct slice *ret_name)
{
	unsigned long long version;
	struct slice name;

	if (file.n < 9 || file.p[3] != '_' || !slice_ends(file, SLICE(".sql")) ||
	    !slice_to_u64(slice_first(file, 3), &version) || version == 0)
		return false;
	name = slice_of(file.p + 4, file.n - 8);
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
			return false;
	}
	*ret_version = (unsigned)version;
	*ret_name = name;
	return true;
}

static int is_migration(const struct dirent *entry)
{
	unsigned version;
	struct slice name;

	return parse_name(slice_str(entry->d_name), &version, &name);
}

static bool read_text(struct migration *m, const char *path, struct migrations_fault *err_fault)
{
	struct stat st;
	FILE *f = fopen(path, "re");
	bool ok = false;

	if (f == NULL)
		return fail(err_fault, "%s: %s", path, strerror(errno));
	if (fstat(fileno(f), &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
		(void)fail(err_fault, "%s: not a file of at most %d MiB", path, FILE_MAX >> 20);
	} else {
		m->size = (size_t)st.st_size;
		m->text = mem_zalloc(m->size + 1);
		ok = fread(m->text, 1, m->size, f) == m->size;
		if (!ok)
			(void)fail(err_fault, "%s: it changes while it is read", path);
		else if (memchr(m->text, '\0', m->size) != NULL)
			ok = fail(err_fault, "%s: holds a NUL character", path);
	}
	(void)fclose(f);
	return ok;
}

static bool read_migration(struct migrations *all, const char *dir, const char *file,
			   struct migrations_fault *err_fault)
{
	struct migration *m = &all->v[all->n];
	uint8_t digest[SHA256_SIZE];
	struct slice name;
	char path[4096];

	if (all->n == MIGRATIONS_MAX)
		return fail(err_fault, "%s: more than %d files", dir, MIGRATIONS_MAX);
	all->n++;
	m->file = mem_strdup(file);
	if (!parse_name(slice_str(m->file), &m->version, &name))
		die("migration file \"%s\"", file);
	m->name = slice_dup(name);
	if (m->version != all->n)
		return fail(err_fault, "%s: %s stands where number %zu is expected", dir, file,
			    all->n);
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, file) >= sizeof(path))
		return fail(err_fault, "%s: the path is too long", dir);
	if (!read_text(m, path, err_fault))
		return false;
	digest_sha256(slice_of(m->text, m->size), digest);
	hex_encode(digest, sizeof(digest), m->sha256);
	m->transaction = !slice_starts(slice_of(m->text, m->size), SLICE("-- no-transaction\n"));
	return true;
}

struct migrations *migrations_read(const char *dir, struct migrations_fault *err_fault)
{
	struct dirent **entries = NULL;
	struct migrations *all;
	bool ok = true;
	int n = scandir(dir, &entries, is_migration, alphasort);

	if (n < 0) {
		(void)fail(err_fault, "%s: %s", dir, strerror(errno));
		return NULL;
	}
	all = NEW(struct migrations);
	for (int i = 0; i < n; i++) {
		ok = ok && read_migration(all, dir, entries[i]->d_name, err_fault);
		free(entries[i]);
	}
	free(entries);
	if (ok && n == 0)
		ok = fail(err_fault, "%s: no files named like 001_name.sql", dir);
	if (ok)
		return all;
	migrations_free(all);
	return NULL;
}

void migrations_free(struct migrations *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->n; i++) {
		free(m->v[i].file);
		free(m->v[i].name);
		free(m->v[i].text);
	}
	free(m);
}

size_t migration_line(const struct migration *m, size_t position)
{
	size_t line = 1;
	size_t seen = 0;

	/* the server counts characters, not bytes */
	for (size_t i = 0; i < m->size && seen < position; i++) {
		if (((unsigned char)m->text[i] & 0xc0) != 0x80)
			seen++;
		if (m->text[i] == '\n' && seen < position)
			line++;
	}
	return line;
}

enum migration_state migrations_compare(const struct migrations *m, unsigned version,
					struct slice sha256)
{
	if (version == 0 || version > m->n)
		return MIGRATION_UNKNOWN;
	return slice_eq(slice_str(m->v[version - 1].sha256), sha256) ? MIGRATION_SAME
								     : MIGRATION_CHANGED;
}
