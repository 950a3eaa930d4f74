/*
 * worker/supervisor with real processes: the test forks a supervisor, whose children do what the
 * test says and write each step into one pipe. Nothing here sleeps; every wait is for such a line.
 */
#include "worker/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log/log.h"
#include "worker/control_bytes.h"

#define PATIENCE_MS 60000 /* then the test has failed */

enum what {
	STARTED,  /* a child */
	ACCEPTED, /* a connection from its listener */
	DRAINED,  /* was told to, and ends */
	STOPPED,  /* was told to end at once, and ends */
	ORPHANED, /* its control socket has ended, and so does it */
	RELOADED, /* the supervisor called reload() */
	ENDED,	  /* run() of the supervisor has returned */
};

struct step {
	enum what what;
	unsigned slot;
	pid_t pid;
	uint64_t generation;
	usec_t at;
};

/* How the children behave; shared with them. */
struct script {
	int dies_young;		/* so many children end as soon as they start */
	uint64_t accepts_after; /* later generations than this accept connections; 0 = none */
	bool mute;		/* sends nothing */
	bool stubborn;		/* does not end when told to drain */
	bool inherits;		/* the supervisor is handed `handed` by whoever started it */
	bool bad_reload;
};

static struct script *script;
static int steps[2];
static struct address address;
static pid_t supervisor;
static int handed = -1;

static void tell(enum what what, const struct worker_start *start)
{
	struct step s = {.what = what, .pid = getpid(), .at = clock_mono()};

	if (start != NULL) {
		s.slot = start->slot;
		s.generation = start->generation;
	}
	if (write(steps[1], &s, sizeof(s)) != (ssize_t)sizeof(s)) /* atomic: below PIPE_BUF */
		_exit(99);
}

static void send_byte(int fd, char byte)
{
	(void)send(fd, &byte, 1, MSG_NOSIGNAL); /* a dead supervisor is noticed by the reader */
}

/* The life of a child: 0 after an orderly end. */
static int live(const struct worker_start *start)
{
	struct pollfd fds[2] = {{.fd = start->control, .events = POLLIN},
				{.fd = start->listeners[0], .events = POLLIN}};

	bool dies = __atomic_fetch_sub(&script->dies_young, 1, __ATOMIC_SEQ_CST) > 0;

	tell(STARTED, start);
	if (dies)
		return 1;
	if (!script->mute)
		send_byte(start->control, CONTROL_READY);
	for (;;) {
		bool accepts =
			script->accepts_after > 0 && start->generation > script->accepts_after;
		char byte = 0;

		(void)poll(fds, accepts ? 2 : 1, -1); /* read() below says what there is */
		if (accepts && (fds[1].revents & POLLIN)) {
			(void)close(accept(start->listeners[0], NULL, NULL)); /* served */
			tell(ACCEPTED, start);
		}
		if (!(fds[0].revents & (POLLIN | POLLHUP)))
			continue;
		if (read(start->control, &byte, 1) != 1) {
			tell(ORPHANED, start);
			return 0;
		}
		if (byte == CONTROL_STOP)
			tell(STOPPED, start);
		else if (byte == CONTROL_DRAIN && !script->stubborn)
			tell(DRAINED, start);
		else
			continue;
		return 0;
	}
}

static bool on_reload(void *ctx)
{
	(void)ctx;
	tell(RELOADED, NULL);
	return !script->bad_reload;
}

/* As a service manager does it. */
static void hand_over(int fd)
{
	char pid[16];

	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	if (dup2(fd, 3) != 3 || setenv("LISTEN_PID", pid, 1) != 0 ||
	    setenv("LISTEN_FDS", "1", 1) != 0)
		_exit(92);
}

/* The supervisor's process. */
static void supervise(unsigned workers, usec_t silent)
{
	static struct address any;
	struct supervisor_options options = {
		.addresses = &any,
		.address_count = 1,
		.workers = workers,
		.silent = silent,
		.run = live,
		.reload = on_reload,
	};
	unsigned bad = 0;

	/* A test that fails leaves nobody behind. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 ||
	    !address_parse(SLICE("127.0.0.1:0"), &any))
		_exit(90);
	if (script->inherits) {
		/* What stands at 3 moves. */
		if (steps[1] == 3)
			steps[1] = dup(3);
		hand_over(handed);
	}

	struct supervisor *sv = supervisor_new(&options);

	if (supervisor_listen(sv, &bad) != 0 || supervisor_address(sv, 0, &address) != 0 ||
	    write(steps[1], &address, sizeof(address)) != (ssize_t)sizeof(address))
		_exit(91);

	int status = supervisor_run(sv);

	supervisor_free(sv);
	tell(ENDED, NULL);
	_exit(status);
}

static void read_all(void *to, size_t size)
{
	char *at = to;

	while (size > 0) {
		struct pollfd fd = {.fd = steps[0], .events = POLLIN};

		if (poll(&fd, 1, PATIENCE_MS) != 1)
			fail_msg("nothing happens");
		ssize_t n = read(steps[0], at, size);

		assert_true(n > 0);
		at += n;
		size -= (size_t)n;
	}
}

static struct step next(void)
{
	struct step s;

	read_all(&s, sizeof(s));
	return s;
}

static struct step expect(enum what what)
{
	struct step s = next();

	assert_int_equal(s.what, what);
	return s;
}

static void start(unsigned workers, usec_t silent)
{
	assert_int_equal(pipe(steps), 0);
	(void)fflush(NULL); /* or both processes write what is buffered */
	supervisor = fork();
	assert_true(supervisor >= 0);
	if (supervisor == 0) {
		(void)close(steps[0]); /* the test's end */
		supervise(workers, silent);
	}
	read_all(&address, sizeof(address));
}

static int connect_client(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address.sa, address.len), 0);
	return fd;
}

static void await(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (pid == supervisor)
		supervisor = -1;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Asks the supervisor to end and takes all steps until it has; returns how many were `what`. */
static unsigned finish(enum what what)
{
	unsigned n = 0;
	struct step s;

	assert_int_equal(kill(supervisor, SIGTERM), 0);
	do {
		s = next();
		n += s.what == what ? 1 : 0;
	} while (s.what != ENDED);
	await(supervisor);
	return n;
}

static int setup(void **state)
{
	(void)state;
	memset(script, 0, sizeof(*script));
	supervisor = -1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (supervisor > 0) { /* the test has failed; its children drain */
		(void)kill(supervisor, SIGKILL);
		(void)waitpid(supervisor, NULL, 0);
	}
	(void)close(steps[0]); /* both of the test */
	(void)close(steps[1]);
	return 0;
}

static int share_script(void **state)
{
	static const struct rlimit no_core = {0, 0};

	(void)state;
	log_set_level(LOG_LEVEL_ERR);
	script = mmap(NULL, sizeof(*script), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	/* Orphans come to us. */
	return script == MAP_FAILED || setrlimit(RLIMIT_CORE, &no_core) != 0 ||
			       prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0
		       ? -1
		       : 0;
}

static int unshare_script(void **state)
{
	(void)state;
	return munmap(script, sizeof(*script));
}

/* ---- tests ---- */

static void starts_all_and_drains_all(void **state)
{
	bool seen[3] = {false};

	(void)state;
	start(3, 0);
	for (unsigned i = 0; i < 3; i++) {
		struct step s = expect(STARTED);

		assert_true(s.slot < 3);
		assert_false(seen[s.slot]);
		seen[s.slot] = true;
	}
	assert_int_equal(finish(DRAINED), 3);
}

static void a_dead_child_has_a_successor(void **state)
{
	struct step first;
	struct step second;

	(void)state;
	start(1, 0);
	first = expect(STARTED);
	assert_int_equal(kill(first.pid, SIGKILL), 0);
	second = expect(STARTED);
	assert_int_equal(second.slot, first.slot);
	assert_int_not_equal(second.pid, first.pid);
	assert_true(second.generation > first.generation);
	assert_int_equal(finish(DRAINED), 1);
}

/* Who connects while no child lives is served by the next one. */
static void the_queue_of_a_dead_child_is_kept(void **state)
{
	struct step first;
	int fd;

	(void)state;
	start(1, 0);
	first = expect(STARTED);
	script->accepts_after = first.generation;
	fd = connect_client();
	assert_int_equal(kill(first.pid, SIGKILL), 0);
	expect(STARTED);
	expect(ACCEPTED);
	assert_int_equal(finish(DRAINED), 1);
	(void)close(fd); /* of the test */
}

/* At once, then not before 0.1 s, then not before 0.5 s more: each pause is at least that long. */
static void who_dies_young_is_started_later_each_time(void **state)
{
	usec_t at[4];

	(void)state;
	script->dies_young = 3;
	start(1, 0);
	for (size_t i = 0; i < 4; i++)
		at[i] = expect(STARTED).at;
	assert_true(at[2] - at[1] >= 100 * USEC_PER_MSEC);
	assert_true(at[3] - at[2] >= 500 * USEC_PER_MSEC);
	assert_int_equal(finish(DRAINED), 1);
}

/* A slot's successor serves before the old child drains, and one slot after the other. */
static void a_reload_goes_from_slot_to_slot(void **state)
{
	pid_t old[2];
	int born = -1; /* the last slot with a successor */
	unsigned drained = 0;

	(void)state;
	start(2, 0);
	for (int i = 0; i < 2; i++) {
		struct step s = expect(STARTED);

		old[s.slot] = s.pid;
	}
	assert_int_equal(kill(supervisor, SIGHUP), 0);
	expect(RELOADED);
	while (drained < 2) {
		struct step s = next();

		if (s.what == STARTED) {
			assert_int_equal(s.slot, born + 1);
			born = (int)s.slot;
		} else {
			assert_int_equal(s.what, DRAINED);
			assert_int_equal(s.pid, old[s.slot]);
			assert_true((int)s.slot <= born);
			drained++;
		}
	}
	assert_int_equal(finish(DRAINED), 2);
}

static void a_bad_configuration_changes_nothing(void **state)
{
	(void)state;
	script->bad_reload = true;
	start(1, 0);
	expect(STARTED);
	assert_int_equal(kill(supervisor, SIGHUP), 0);
	expect(RELOADED);
	assert_int_equal(finish(STARTED), 0);
}

static void a_successor_that_dies_leaves_the_old_child(void **state)
{
	struct step old;
	struct step s;

	(void)state;
	start(1, 0);
	old = expect(STARTED);
	__atomic_store_n(&script->dies_young, 2, __ATOMIC_SEQ_CST);
	assert_int_equal(kill(supervisor, SIGHUP), 0);
	expect(RELOADED);
	expect(STARTED);
	expect(STARTED);
	expect(STARTED); /* the third lives */
	s = expect(DRAINED);
	assert_int_equal(s.pid, old.pid);
	assert_int_equal(finish(DRAINED), 1);
}

static void a_silent_child_is_ended(void **state)
{
	struct step first;
	struct step second;

	(void)state;
	script->mute = true;
	start(1, 50 * USEC_PER_MSEC);
	first = expect(STARTED);
	second = expect(STARTED);
	assert_true(second.generation > first.generation);
	assert_int_equal(kill(supervisor, SIGTERM), 0);
	while (next().what != ENDED)
		;
	await(supervisor);
}

static void the_second_signal_ends_at_once(void **state)
{
	(void)state;
	script->stubborn = true;
	start(2, 0);
	expect(STARTED);
	expect(STARTED);
	assert_int_equal(kill(supervisor, SIGTERM), 0);
	assert_int_equal(kill(supervisor, SIGINT), 0);
	expect(STOPPED);
	expect(STOPPED);
	expect(ENDED);
	await(supervisor);
}

/* Children drain when the supervisor is killed, and nobody keeps the port. */
static void orphans_drain(void **state)
{
	struct step s[2];
	int status;
	int fd;

	(void)state;
	start(2, 0);
	expect(STARTED);
	expect(STARTED);
	assert_int_equal(kill(supervisor, SIGKILL), 0);
	for (int i = 0; i < 2; i++)
		s[i] = expect(ORPHANED);
	assert_int_equal(waitpid(supervisor, &status, 0), supervisor);
	supervisor = -1;
	for (int i = 0; i < 2; i++)
		await(s[i].pid);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address.sa, address.len), -1);
	assert_int_equal(errno, ECONNREFUSED);
	(void)close(fd); /* of the test */
}

/*
 * One socket that somebody else has opened serves all slots, and who connected to it while there
 * was no supervisor is accepted.
 */
static void a_listener_that_was_kept_is_used(void **state)
{
	struct address at;
	int fd;

	(void)state;
	assert_true(address_parse(SLICE("127.0.0.1:0"), &at));
	assert_int_equal(listener_open(&at, 16, &handed), 0);
	assert_int_equal(listener_address(handed, &address), 0);
	at = address;
	fd = connect_client();
	script->inherits = true;
	script->accepts_after = 1;
	start(2, 0);
	assert_int_equal(address.len, at.len);
	assert_memory_equal(&address.sa, &at.sa, at.len);
	for (int n = 0; n < 3;) { /* two starts, one accepted */
		struct step s = next();

		assert_true(s.what == STARTED || s.what == ACCEPTED);
		n++;
	}
	assert_int_equal(finish(DRAINED), 2);
	(void)close(fd); /* both of the test */
	(void)close(handed);
}

static void the_address_that_fails_is_named(void **state)
{
	struct address addresses[2];
	struct supervisor_options options = {
		.addresses = addresses, .address_count = 2, .workers = 2, .run = live};
	struct supervisor *sv;
	unsigned which = 0;

	(void)state;
	assert_int_equal(pipe(steps), 0); /* for teardown() */
	assert_true(address_parse(SLICE("127.0.0.1:0"), &addresses[0]));
	assert_true(address_parse(SLICE("192.0.2.1:1"), &addresses[1]));
	sv = supervisor_new(&options);
	assert_int_equal(supervisor_listen(sv, &which), -EADDRNOTAVAIL);
	assert_int_equal(which, 1);
	supervisor_free(sv);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(starts_all_and_drains_all),
		TEST(a_dead_child_has_a_successor),
		TEST(the_queue_of_a_dead_child_is_kept),
		TEST(who_dies_young_is_started_later_each_time),
		TEST(a_reload_goes_from_slot_to_slot),
		TEST(a_bad_configuration_changes_nothing),
		TEST(a_successor_that_dies_leaves_the_old_child),
		TEST(a_silent_child_is_ended),
		TEST(the_second_signal_ends_at_once),
		TEST(orphans_drain),
		TEST(a_listener_that_was_kept_is_used),
		TEST(the_address_that_fails_is_named),
	};

	return cmocka_run_group_tests_name("supervisor", tests, share_script, unshare_script);
}
