#include "bench/env.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/slice.h"

#define FILE_MAX 65536
#define KEYS_MAX 128

struct env {
	char *keys[KEYS_MAX];
	char *values[KEYS_MAX];
	size_t n;
	char text[FILE_MAX];
};

/* Quotes are taken off; a quote within quotes, which shells write as '"'"', is not met here. */
static char *unquoted(struct slice value)
{
	if (value.n >= 2 && (value.p[0] == '\'' || value.p[0] == '"') &&
	    value.p[value.n - 1] == value.p[0])
		value = slice_of(value.p + 1, value.n - 2);
	return slice_dup(value);
}

static void read_line(struct env *e, struct slice line)
{
	struct slice key;
	struct slice value;

	if (!slice_cut(line, '=', &key, &value) || key.n == 0 || e->n == KEYS_MAX)
		return;
	e->keys[e->n] = slice_dup(slice_trim(key));
	e->values[e->n] = unquoted(slice_trim(value));
	e->n++;
}

int env_read(const char *path, struct env **ret)
{
	struct env *e = NEW(struct env);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct slice left;
	struct slice line;
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, e->text, sizeof(e->text));
	if (n < 0)
		n = 0;
	(void)close(fd); /* was only read */
	left = slice_of(e->text, (size_t)n);
	while (slice_cut(left, '\n', &line, &left))
		read_line(e, line);
	*ret = e;
	return 0;
}

const char *env_get(const struct env *e, const char *key)
{
	for (size_t i = 0; i < e->n; i++) {
		if (strcmp(e->keys[i], key) == 0)
			return e->values[i][0] != '\0' ? e->values[i] : NULL;
	}
	return NULL;
}
