#include "common/log/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/log/journal.h"

static struct {
	const char *program;
	enum log_level level;
	bool terminal;
	int journal; /* -1 = none; the whole life of the process */
	void (*sink)(void *ctx, enum log_level level, const char *line);
	void *ctx;
} state = {.level = LOG_LEVEL_NOTICE, .journal = -1};

void log_init(const char *program, enum log_level level)
{
	int saved = errno;

	state.program = program;
	state.level = level;
	state.terminal = isatty(STDERR_FILENO) == 1;
	if (state.journal < 0 && journal_has_stderr())
		state.journal = journal_open(JOURNAL_SOCKET); /* without it: standard error */
	errno = saved;
}

void log_set_level(enum log_level level)
{
	state.level = level;
}

bool log_enabled(enum log_level level)
{
	return level <= state.level;
}

void log_set_sink(void (*sink)(void *ctx, enum log_level level, const char *line), void *ctx)
{
	state.sink = sink;
	state.ctx = ctx;
}

/* Copies with control bytes as \xNN; returns the new length. */
static size_t add_escaped(char *line, size_t at, size_t room, const char *text)
{
	static const char hex[] = "0123456789abcdef";

	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		bool control = c < 0x20 || c == 0x7F;

		if (at + (control ? 4 : 1) > room)
			break;
		if (!control) {
			line[at++] = (char)c;
			continue;
		}
		line[at++] = '\\';
		line[at++] = 'x';
		line[at++] = hex[c >> 4];
		line[at++] = hex[c & 15];
	}
	if (*text != '\0') {
		size_t dots = room >= 3 && at > room - 3 ? room - 3 : at;

		while (dots > 0 && ((unsigned char)line[dots] & 0xC0) == 0x80)
			dots--; /* not inside a character */
		memcpy(line + dots, "...", 3);
		at = dots + 3;
	}
	return at;
}

static size_t add_prefix(char *line, size_t room, enum log_level level)
{
	static const char *const names[] = {"",	       "",	 "",	 "err",
					    "warning", "notice", "info", "debug"};
	struct buf stamp;
	int n = 0;

	if (state.sink != NULL)
		return 0;
	if (!state.terminal) {
		n = snprintf(line, room, "<%d>", (int)level);
		return n > 0 ? (size_t)n : 0;
	}
	buf_init(&stamp, 64);
	(void)clock_rfc3339(&stamp, clock_wall()); /* an empty stamp harms nobody */
	n = snprintf(line, room, "%.*s %s %s ", (int)stamp.n, stamp.n > 0 ? stamp.p : "",
		     state.program != NULL ? state.program : "-", names[level]);
	buf_done(&stamp);
	return n > 0 ? MIN((size_t)n, room - 1) : 0;
}

void log_write(enum log_level level, const char *event, const char *fmt, ...)
{
	int saved = errno;
	char text[LOG_LINE_MAX];
	char line[LOG_LINE_MAX + 1];
	size_t room = LOG_LINE_MAX - 1;
	size_t prefix;
	size_t at;
	va_list args;

	va_start(args, fmt);
	if (vsnprintf(text, sizeof(text), fmt, args) < 0)
		text[0] = '\0';
	va_end(args);

	prefix = add_prefix(line, room, level);
	at = add_escaped(line, prefix, room, event);
	if (text[0] != '\0' && at < room) {
		line[at++] = ' ';
		at = add_escaped(line, at, room, text);
	}
	line[at] = '\0';
	if (state.sink != NULL) {
		state.sink(state.ctx, level, line);
	} else if (state.journal < 0 ||
		   !journal_send(state.journal, (int)level, state.program, event, line + prefix)) {
		line[at++] = '\n';
		/* One write a line; a log that nobody reads must not stop the server. */
		ssize_t done = write(STDERR_FILENO, line, at);
		(void)done;
	}
	errno = saved;
}

bool log_allowed(struct log_limit *limit, uint32_t rate, usec_t now, const char *event)
{
	if (rate == 0)
		return true;
	if (limit->count == 0 || now - limit->second >= USEC_PER_SEC) {
		uint64_t held_back = limit->held_back;

		*limit = (struct log_limit){.second = now, .count = 1};
		if (held_back > 0)
			log_notice("log.held_back", "event=%s lines=%llu", event,
				   (unsigned long long)held_back);
		return true;
	}
	if (limit->count >= rate) {
		limit->held_back++;
		return false;
	}
	limit->count++;
	return true;
}
