#include "common/log/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log/log.h"

/* What journald would be, and a descriptor that leads there. */
static char folder[] = "/tmp/journal.XXXXXX";
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static int listener;
static int fd;

static int setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", folder);
	listener = socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	fd = journal_open(address.sun_path);
	assert_true(fd >= 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	(void)close(fd);
	(void)unlink(address.sun_path);
	return rmdir(folder);
}

static void expect(const char *text)
{
	char got[4096];
	ssize_t n = recv(listener, got, sizeof(got) - 1, MSG_DONTWAIT);

	assert_true(n > 0);
	got[n] = '\0';
	assert_string_equal(got, text);
}

static void sends_fields(void **state)
{
	(void)state;
	assert_true(journal_send(fd, 5, "chat-test", "start", "start workers=2"));
	expect("MESSAGE=start workers=2\nPRIORITY=5\nSYSLOG_IDENTIFIER=chat-test\n"
	       "CHAT_EVENT=start\n");
	assert_true(journal_send(fd, 6, "chat-test", "open", "open socket_id=1.2 x=3 app=shop"));
	expect("MESSAGE=open socket_id=1.2 x=3 app=shop\nPRIORITY=6\n"
	       "SYSLOG_IDENTIFIER=chat-test\nCHAT_EVENT=open\nCHAT_APP=shop\n"
	       "CHAT_SOCKET_ID=1.2\n");
}

static void takes_the_first_of_a_name(void **state)
{
	(void)state;
	assert_true(journal_send(fd, 6, "t", "e", "e app=ours agent=x app=theirs xapp=no"));
	expect("MESSAGE=e app=ours agent=x app=theirs xapp=no\nPRIORITY=6\nSYSLOG_IDENTIFIER=t\n"
	       "CHAT_EVENT=e\nCHAT_APP=ours\n");
}

static void takes_the_longest_line(void **state)
{
	char line[LOG_LINE_MAX];

	(void)state;
	memset(line, 'a', sizeof(line) - 1);
	memcpy(line, "e app=", 6);
	line[sizeof(line) - 1] = '\0';
	assert_true(journal_send(fd, 3, "chat-worker", "e", line));
}

static void says_when_nobody_takes_it(void **state)
{
	(void)state;
	assert_true(journal_open("/nonexistent/socket") < 0);
	(void)close(listener);
	assert_false(journal_send(fd, 5, "t", "e", "e"));
}

static void knows_where_standard_error_leads(void **state)
{
	struct stat st;
	char text[64];

	(void)state;
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	(void)snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)st.st_dev,
		       (unsigned long long)st.st_ino);
	assert_int_equal(setenv("JOURNAL_STREAM", text, 1), 0);
	assert_true(journal_has_stderr());
	(void)snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)st.st_dev,
		       (unsigned long long)st.st_ino + 1);
	assert_int_equal(setenv("JOURNAL_STREAM", text, 1), 0);
	assert_false(journal_has_stderr());
	assert_int_equal(setenv("JOURNAL_STREAM", "none", 1), 0);
	assert_false(journal_has_stderr());
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
	assert_false(journal_has_stderr());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sends_fields),
		cmocka_unit_test(takes_the_first_of_a_name),
		cmocka_unit_test(takes_the_longest_line),
		cmocka_unit_test(knows_where_standard_error_leads),
		cmocka_unit_test(says_when_nobody_takes_it),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
