#include "common/log/log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char last[LOG_LINE_MAX + 8];
static enum log_level last_level;
static int lines;

static void sink(void *ctx, enum log_level level, const char *line)
{
	(void)ctx;
	assert_true(strlen(line) < sizeof(last));
	memcpy(last, line, strlen(line) + 1);
	last_level = level;
	lines++;
}

static int setup(void **state)
{
	(void)state;
	log_set_sink(sink, NULL);
	log_set_level(LOG_LEVEL_INFO);
	lines = 0;
	last[0] = '\0';
	return 0;
}

static void writes_event_and_fields(void **state)
{
	(void)state;
	log_info("client.closed", "reason=%s bytes=%d", "idle", 5);
	assert_string_equal(last, "client.closed reason=idle bytes=5");
	assert_int_equal(last_level, LOG_LEVEL_INFO);
}

static int evaluated(void)
{
	lines += 100;
	return 0;
}

static void lower_levels_cost_nothing(void **state)
{
	(void)state;
	log_debug("message", "n=%d", evaluated());
	assert_int_equal(lines, 0);
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("message", "n=%d", evaluated());
	assert_int_equal(lines, 101);
}

static void escapes_control_bytes(void **state)
{
	(void)state;
	log_info("channel", "name=%s", "a\nb\x1b[31m\x7f\xC3\xA9");
	assert_string_equal(last, "channel name=a\\x0ab\\x1b[31m\\x7f\xC3\xA9");
}

static void caps_lines(void **state)
{
	char text[3000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_info("long", "%s", text);
	assert_true(strlen(last) < LOG_LINE_MAX);
	assert_string_equal(last + strlen(last) - 3, "...");
}

static void a_cap_never_splits_a_character(void **state)
{
	char text[2000];

	(void)state;
	for (size_t shift = 0; shift < 4; shift++) {
		size_t n = 0;

		while (n < shift)
			text[n++] = 'x';
		while (n + 5 < sizeof(text)) {
			memcpy(text + n, "\xF0\x9F\x98\x80", 4);
			n += 4;
		}
		text[n] = '\0';
		log_info("e", "%s", text);
		size_t end = strlen(last) - 3;

		assert_string_equal(last + end, "...");
		assert_int_equal((unsigned char)last[end - 1], 0x80);
		assert_int_equal((unsigned char)last[end - 4], 0xF0);
	}
}

static void keeps_errno(void **state)
{
	(void)state;
	errno = EPIPE;
	log_info("write", "error=%s", strerror(errno));
	assert_int_equal(errno, EPIPE);
	assert_string_equal(last, "write error=Broken pipe");
}

static void goes_to_stderr_with_the_level(void **state)
{
	int fds[2];
	char line[100] = "";
	int saved = dup(STDERR_FILENO);

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	log_set_sink(NULL, NULL);
	log_init("chat-test", LOG_LEVEL_INFO);
	log_warning("disk", "free=%d", 0);
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	assert_true(read(fds[0], line, sizeof(line) - 1) > 0);
	assert_string_equal(line, "<4>disk free=0\n");
	close(saved);
	close(fds[0]);
	close(fds[1]);
}

static void limits_lines_of_clients(void **state)
{
	struct log_limit limit = {0};
	usec_t now = 5 * USEC_PER_SEC;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(log_allowed(&limit, 3, now, "bad"));
	assert_false(log_allowed(&limit, 3, now, "bad"));
	assert_false(log_allowed(&limit, 3, now + USEC_PER_SEC - 1, "bad"));
	assert_int_equal(lines, 0);
	assert_true(log_allowed(&limit, 3, now + USEC_PER_SEC, "bad"));
	assert_string_equal(last, "log.held_back event=bad lines=2");
	assert_true(log_allowed(&limit, 3, now + USEC_PER_SEC, "bad"));
	assert_int_equal(lines, 1);
	for (int i = 0; i < 10; i++)
		assert_true(log_allowed(&limit, 0, now, "bad"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(writes_event_and_fields, setup),
		cmocka_unit_test_setup(lower_levels_cost_nothing, setup),
		cmocka_unit_test_setup(escapes_control_bytes, setup),
		cmocka_unit_test_setup(caps_lines, setup),
		cmocka_unit_test_setup(a_cap_never_splits_a_character, setup),
		cmocka_unit_test_setup(keeps_errno, setup),
		cmocka_unit_test_setup(goes_to_stderr_with_the_level, setup),
		cmocka_unit_test_setup(limits_lines_of_clients, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
