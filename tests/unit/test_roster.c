#include "broker/link/roster.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log/log.h"

static char dir[64];
static char path[128];
static unsigned warnings;

static void on_line(void *ctx, enum log_level level, const char *line)
{
	(void)ctx;
	(void)line;
	warnings += level <= LOG_LEVEL_WARNING;
}

static int setup(void **state)
{
	(void)state;
	memcpy(dir, "/tmp/roster.XXXXXX", sizeof("/tmp/roster.XXXXXX"));
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/" ROSTER_FILE, dir);
	warnings = 0;
	log_set_sink(on_line, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	log_set_sink(NULL, NULL);
	(void)unlink(path);
	return rmdir(dir);
}

static struct roster_worker worker(struct roster *r, uint64_t life)
{
	struct roster_worker w = {.life = life, .generation = 1790000000000000, .slot = 3};

	w.number = roster_number(r, life, 0);
	roster_add(r, &w);
	return w;
}

static void test_the_next_broker_knows_the_workers(void **state)
{
	struct roster *r = roster_new(dir);
	struct roster_worker a;
	struct roster_worker b;

	(void)state;
	assert_false(roster_found(r));
	assert_int_equal(roster_awaited(r), 0);
	a = worker(r, UINT64_MAX);
	b = worker(r, 2);
	(void)worker(r, 3);
	roster_remove(r, 3);
	roster_free(r);

	r = roster_new(dir);
	assert_true(roster_found(r));
	assert_int_equal(roster_awaited(r), 2);
	assert_int_equal(roster_number(r, a.life, a.number), a.number); /* keeps its own */
	roster_add(r, &a);
	assert_int_equal(roster_awaited(r), 1);
	roster_add(r, &a);
	assert_int_equal(roster_awaited(r), 1);
	roster_remove(r, b.life);
	assert_int_equal(roster_awaited(r), 0);
	roster_remove(r, 99);
	roster_free(r);
	assert_int_equal(warnings, 0);
}

static void test_numbers_are_never_given_twice(void **state)
{
	struct roster *r = roster_new(dir);
	uint32_t first = worker(r, 1).number;
	uint32_t last;

	(void)state;
	assert_true(first > 0 && first < ROSTER_NUMBERS);
	roster_remove(r, 1);
	last = worker(r, 2).number;
	assert_int_not_equal(last, first);
	assert_int_not_equal(roster_number(r, 3, last), last); /* somebody else's */
	roster_free(r);
	r = roster_new(dir);
	assert_int_not_equal(roster_number(r, 4, 0), first);
	assert_int_not_equal(roster_number(r, 4, 0), last);
	assert_true(roster_number(r, 5, ROSTER_NUMBERS) < ROSTER_NUMBERS);
	roster_free(r);
}

static void write_text(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void test_numbers_begin_again_after_the_last(void **state)
{
	struct roster *r;

	(void)state;
	write_text("chat-roster 2\nplace 0\nnext 33554431\n"
		   "worker 000000000000000a 0 5 1 999999999\n");
	r = roster_new(dir);
	assert_int_equal(roster_awaited(r), 1);
	assert_int_equal(roster_number(r, 1, 0), 33554431);
	assert_int_equal(roster_number(r, 1, 0), 2); /* 1 is still in use */
	roster_free(r);
}

#define HEAD "chat-roster 2\nplace 1\n"

static void test_files_that_are_none(void **state)
{
	static const char *const texts[] = {
		"",
		"chat-roster 1\nnext 5\n",
		"chat-roster 3\nplace 1\nnext 5\n",
		"chat-roster 2\n",
		"chat-roster 2\nnext 5\n",
		"chat-roster 2\nplace x\nnext 5\n",
		HEAD "next 0\n",
		HEAD "next 33554432\n",
		HEAD "next 5",
		HEAD "next 5\nworker\n",
		HEAD "next 5\nworker 000000000000000a 0 5 x 1\n",
		HEAD "next 5\nworker 000000000000000a 0 5 1\n",
		HEAD "next 5\nworker 000000000000000a 0 5 1 1 1\n",
		HEAD "next 5\nworker 000000000000000 0 5 1 1\n",
		HEAD "next 5\nworker 000000000000000a 0 5 1 1\nx",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct roster *r;

		write_text(texts[i]);
		r = roster_new(dir);
		assert_false(roster_found(r));
		assert_int_equal(roster_awaited(r), 0);
		assert_int_equal(warnings, i + 1);
		roster_free(r);
	}
}

/* A process that has come and gone. */
static uint32_t dead_pid(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return (uint32_t)pid;
}

static void test_the_dead_are_not_awaited(void **state)
{
	struct roster_worker w[] = {
		{.life = 1, .number = 1, .pid = dead_pid()},
		{.life = 2, .number = 2, .pid = (uint32_t)getpid()},
		{.life = 3, .number = 3, .pid = 0},
	};
	struct roster *r = roster_new(dir);

	(void)state;
	for (size_t i = 0; i < sizeof(w) / sizeof(w[0]); i++)
		roster_add(r, &w[i]);
	roster_free(r);
	r = roster_new(dir);
	assert_int_equal(roster_awaited(r), 2);
	roster_remove(r, 2);
	roster_remove(r, 3);
	assert_int_equal(roster_awaited(r), 0);
	roster_free(r);
}

static void test_those_who_die_meanwhile_are_not(void **state)
{
	struct roster *r = roster_new(dir);
	struct roster_worker w = {.life = 1, .number = 1};
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		(void)pause();
		_exit(0);
	}
	assert_true(pid > 0);
	w.pid = (uint32_t)pid;
	roster_add(r, &w);
	roster_free(r);
	r = roster_new(dir);
	assert_int_equal(roster_awaited(r), 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(roster_awaited(r), 0);
	roster_free(r);
}

static void test_those_given_up_are_remembered(void **state)
{
	struct roster *r = roster_new(dir);
	struct roster_worker w = {.life = 1, .number = 1, .pid = (uint32_t)getpid()};
	struct roster_worker dead = {.life = 2, .number = 2, .pid = dead_pid()};

	(void)state;
	roster_add(r, &w);
	roster_add(r, &dead);
	assert_false(roster_gave_up(r, 1));
	roster_give_up(r, 1);
	roster_give_up(r, 2);
	roster_give_up(r, 3);
	roster_free(r);
	r = roster_new(dir);
	assert_int_equal(roster_awaited(r), 0);
	assert_true(roster_gave_up(r, 1));
	assert_false(roster_gave_up(r, 2)); /* it can no longer ask */
	assert_int_not_equal(roster_number(r, 4, 1), 1);
	roster_free(r);
}

static void test_only_some_hundreds_of_them(void **state)
{
	struct roster *r = roster_new(dir);
	unsigned n = 0;

	(void)state;
	for (uint32_t i = 1; i <= 1000; i++) {
		struct roster_worker w = {.life = i, .number = i};

		roster_add(r, &w);
		roster_give_up(r, i);
		assert_true(roster_gave_up(r, i));
	}
	for (uint32_t i = 1; i <= 1000; i++)
		n += roster_gave_up(r, i);
	assert_int_equal(n, 256);
	roster_free(r);
}

static void test_one_that_said_nothing_is_awaited_again(void **state)
{
	struct roster *r = roster_new(dir);
	struct roster_worker w = {.life = 1, .number = 1};

	(void)state;
	roster_add(r, &w);
	assert_int_equal(roster_awaited(r), 0);
	roster_await(r, 1);
	assert_int_equal(roster_awaited(r), 1);
	assert_int_equal(roster_number(r, 1, 1), 1);
	roster_free(r);
}

/* The numbers of another namespace say nothing here. */
static void test_the_dead_of_another_place_are(void **state)
{
	char text[128];
	struct roster *r;

	(void)state;
	(void)snprintf(text, sizeof(text), HEAD "next 5\nworker 000000000000000a 0 5 1 %u\n",
		       dead_pid());
	write_text(text);
	r = roster_new(dir);
	assert_int_equal(roster_awaited(r), 1);
	roster_free(r);
}

static void test_a_directory_that_cannot_be_written(void **state)
{
	struct roster *r = roster_new("/nonexistent");
	struct roster_worker w;

	(void)state;
	w = worker(r, 1);
	assert_int_not_equal(worker(r, 2).number, w.number);
	assert_int_equal(warnings, 2);
	roster_free(r);
	r = roster_new(NULL);
	(void)worker(r, 1);
	roster_free(r);
	assert_int_equal(warnings, 2);
	roster_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_next_broker_knows_the_workers),
		TEST(test_numbers_are_never_given_twice),
		TEST(test_numbers_begin_again_after_the_last),
		TEST(test_files_that_are_none),
		TEST(test_the_dead_are_not_awaited),
		TEST(test_those_who_die_meanwhile_are_not),
		TEST(test_those_given_up_are_remembered),
		TEST(test_only_some_hundreds_of_them),
		TEST(test_one_that_said_nothing_is_awaited_again),
		TEST(test_the_dead_of_another_place_are),
		TEST(test_a_directory_that_cannot_be_written),
	};

	return cmocka_run_group_tests_name("roster", tests, NULL, NULL);
}
