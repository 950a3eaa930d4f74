#include "common/log/journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/slice.h"
#include "common/log/log.h"

#define FIELDS_MAX (LOG_LINE_MAX + 1024)

bool journal_has_stderr(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device;
	unsigned long long inode;
	struct slice left;
	struct slice right;
	struct stat st;

	return stream != NULL && slice_cut(slice_str(stream), ':', &left, &right) &&
	       slice_to_u64(left, &device) && slice_to_u64(right, &inode) &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

int journal_open(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	int fd;
	int r;

	if (n < 0 || (size_t)n >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)(const void *)&address, sizeof(address)) == 0)
		return fd;
	r = -errno;
	(void)close(fd);
	return r;
}

/* The value of `key` in "event key=value other=value"; the first one is ours, not a client's. */
static struct slice value_of(const char *line, const char *key)
{
	struct slice rest = slice_str(line);
	struct slice word;
	struct slice name;
	struct slice value;

	while (rest.n > 0) {
		if (!slice_cut(rest, ' ', &word, &rest)) {
			word = rest;
			rest = SLICE_NONE;
		}
		if (slice_cut(word, '=', &name, &value) && slice_eq(name, slice_str(key)))
			return value;
	}
	return SLICE_NONE;
}

bool journal_send(int fd, int level, const char *program, const char *event, const char *line)
{
	static const struct {
		const char *key;
		const char *field;
	} fields[] = {{"app", "CHAT_APP"}, {"socket_id", "CHAT_SOCKET_ID"}};
	char text[FIELDS_MAX];
	int n = snprintf(text, sizeof(text),
			 "MESSAGE=%s\nPRIORITY=%d\nSYSLOG_IDENTIFIER=%s\nCHAT_EVENT=%s\n", line,
			 level, program, event);

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		struct slice value = value_of(line, fields[i].key);
		size_t room = n > 0 && (size_t)n < sizeof(text) ? sizeof(text) - (size_t)n : 0;

		if (value.n > 0 && room > value.n + 32)
			n += snprintf(text + n, room, "%s=%.*s\n", fields[i].field,
				      SLICE_ARG(value));
	}
	return n > 0 && (size_t)n < sizeof(text) &&
	       send(fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) == n;
}
