/*
 * The log: one line an event on standard error, "<6>client.closed reason=idle bytes=512", where <N>
 * is the syslog level that journald understands. Where standard error is a terminal, time and the
 * name of the level stand there instead; where it is the journal, the event, the application and
 * the socket id are fields of their own (journal.h).
 *
 * Levels: err = an operator must act; warning = something was lost and we go on; notice = start,
 * stop, reload; info = life of connections; debug = single messages.
 *
 *	log_info("client.closed", "socket_id=%s reason=%s", id, reason);
 *
 * Never give it secrets, tokens, auth strings, query strings or message bodies. Control bytes are
 * escaped and lines are capped, so text of clients is safe otherwise; lines that a client can cause
 * at will go through log_allowed(). errno is as before after every call.
 */
#ifndef COMMON_LOG_LOG_H
#define COMMON_LOG_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/macros.h"

/* Numbers of syslog(3). */
enum log_level {
	LOG_LEVEL_ERR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

/* Bytes of a whole line; what is longer ends in "...". */
#define LOG_LINE_MAX 1024

/*
 * `program` stands in front of the event in the terminal's form and must live for ever. Before this
 * call notice and above are written.
 */
void log_init(const char *program, enum log_level level);
void log_set_level(enum log_level level);
/* Before work that is only needed for a line. */
bool log_enabled(enum log_level level);

void log_write(enum log_level level, const char *event, const char *fmt, ...) PRINTF(3, 4);

/* The arguments are only evaluated when the level is written. */
#define LOG_AT(level, ...) \
	do { \
		if (log_enabled(level)) \
			log_write(level, __VA_ARGS__); \
	} while (0)
#define log_err(...) LOG_AT(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warning(...) LOG_AT(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) LOG_AT(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) LOG_AT(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) LOG_AT(LOG_LEVEL_DEBUG, __VA_ARGS__)

/*
 * At most `rate` lines a second at one place in the code; 0 = all of them.
 *
 *	static struct log_limit limit;
 *	if (log_allowed(&limit, conf->log.client_lines, clock_mono(), "http.bad_request"))
 *		log_info("http.bad_request", "address=%s", address);
 *
 * What was held back is reported in one line of level notice when the next second begins that has a
 * line.
 */
struct log_limit {
	usec_t second; /* when the current second began */
	uint32_t count;
	uint64_t held_back;
};

bool log_allowed(struct log_limit *limit, uint32_t rate, usec_t now, const char *event);

/*
 * Where lines go instead of standard error, for tests; NULL = back. The text has no line end and is
 * valid during the call.
 */
void log_set_sink(void (*sink)(void *ctx, enum log_level level, const char *line), void *ctx);

#endif
