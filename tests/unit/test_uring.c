#include "worker/edge/uring.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct uring *ring;
static int ring_fd; /* the kernel gives the lowest one that is free */

static struct uring_send sends[URING_SENDS];
static struct outq queues[URING_SENDS];
static int peers[URING_SENDS]; /* -1: closed by the test */
static unsigned opened;

/* One more send, with a socket of its own; blocking, for it must not matter. */
static void open_send(void)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	outq_init(&queues[opened]);
	sends[opened] = (struct uring_send){.fd = pair[0], .out = &queues[opened], .result = 999};
	peers[opened++] = pair[1];
}

static void close_peer(unsigned i)
{
	assert_int_equal(close(peers[i]), 0);
	peers[i] = -1;
}

static int setup(void **state)
{
	(void)state;
	ring_fd = dup(STDERR_FILENO);
	assert_int_equal(close(ring_fd), 0);
	opened = 0;
	return uring_new(&ring);
}

static int teardown(void **state)
{
	(void)state;
	uring_free(ring);
	while (opened > 0) {
		outq_done(&queues[--opened]);
		assert_int_equal(close(sends[opened].fd), 0);
		if (peers[opened] >= 0)
			close_peer(opened);
	}
	return 0;
}

static void push_frame(unsigned i, struct frame *f)
{
	assert_true(outq_push(&queues[i], f, SIZE_MAX));
	frame_unref(f);
}

static void push(unsigned i, const char *text)
{
	push_frame(i, frame_copy(slice_str(text)));
}

static void push_block(unsigned i, uint32_t n)
{
	struct frame *f = frame_new(n);

	memset(f->data, 'x', n);
	push_frame(i, f);
}

/* All that has come to a peer. */
static size_t hear(unsigned i)
{
	char bytes[65536];
	size_t sum = 0;
	ssize_t n;

	while ((n = recv(peers[i], bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		sum += (size_t)n;
	return sum;
}

static void assert_heard(unsigned i, const char *text)
{
	char bytes[256];
	ssize_t n = recv(peers[i], bytes, sizeof(bytes), MSG_DONTWAIT);

	assert_int_equal(n, strlen(text));
	assert_memory_equal(bytes, text, (size_t)n);
}

static void as_many_as_there_may_be(void **state)
{
	char text[32];

	(void)state;
	for (int round = 0; round < 3; round++) {
		while (opened < URING_SENDS)
			open_send();
		for (unsigned i = 0; i < opened; i++) {
			(void)snprintf(text, sizeof(text), "%d %u", round, i);
			push(i, text);
		}
		assert_int_equal(uring_send(ring, sends, opened), 0);
		for (unsigned i = 0; i < opened; i++) {
			(void)snprintf(text, sizeof(text), "%d %u", round, i);
			assert_int_equal(sends[i].result, strlen(text));
			assert_heard(i, text);
			outq_written(&queues[i], strlen(text));
		}
	}
}

static void none_is_nothing(void **state)
{
	(void)state;
	assert_int_equal(uring_send(ring, sends, 0), 0);
}

static void frames_of_a_queue_are_joined(void **state)
{
	(void)state;
	open_send();
	push(0, "abc");
	push(0, "d");
	outq_written(&queues[0], 2);
	assert_int_equal(uring_send(ring, sends, 1), 0);
	assert_int_equal(sends[0].result, 2);
	assert_heard(0, "cd");
	assert_int_equal(queues[0].bytes, 2); /* that they have gone out is the caller's to say */
}

static void frames_above_the_limit_stay(void **state)
{
	(void)state;
	open_send();
	for (int i = 0; i < URING_FRAMES; i++)
		push(0, "ab");
	assert_int_equal(uring_send(ring, sends, 1), 0);
	assert_int_equal(sends[0].result, 2 * URING_FRAMES);
	push(0, "cd");
	assert_int_equal(uring_send(ring, sends, 1), 0);
	assert_int_equal(sends[0].result, 2 * URING_FRAMES);
	assert_int_equal(hear(0), 4 * URING_FRAMES);
}

/* Each has its own end, and none holds up another. */
static void every_kind_of_end(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		open_send();
	push(0, "well");
	push_block(1, 8U << 20); /* more than a socket takes */
	push(2, "to nobody");
	close_peer(2);
	push(3, "to no socket");
	assert_int_equal(close(sends[3].fd), 0);
	push(4, "well, too");

	assert_int_equal(uring_send(ring, sends, 5), 0);
	assert_int_equal(sends[0].result, 4);
	assert_in_range(sends[1].result, 1, (8U << 20) - 1);
	assert_int_equal(sends[2].result, -EPIPE);
	assert_int_equal(sends[3].result, -EBADF);
	assert_int_equal(sends[4].result, 9);
	assert_heard(0, "well");
	assert_heard(4, "well, too");

	/* Nothing more goes in, until some has been read. */
	sends[3].fd = dup(sends[0].fd);
	outq_written(&queues[1], (size_t)sends[1].result);
	assert_int_equal(uring_send(ring, sends, 2), 0);
	assert_int_equal(sends[1].result, -EAGAIN);
	assert_heard(0, "well");
	assert_true(hear(1) > 0);
	assert_int_equal(uring_send(ring, sends, 2), 0);
	assert_true(sends[1].result > 0);
}

/* Who cannot know what became of a write must not be told that it was one. */
static void a_ring_may_break(void **state)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	open_send();
	open_send();
	push(0, "ab");
	push(1, "cd");
	assert_int_equal(dup2(null, ring_fd), ring_fd);
	assert_int_equal(close(null), 0);
	assert_true(uring_send(ring, sends, 2) < 0);
	assert_int_equal(sends[0].result, -EAGAIN);
	assert_int_equal(sends[1].result, -EAGAIN);
	assert_int_equal(hear(0) + hear(1), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(as_many_as_there_may_be),
		TEST(none_is_nothing),
		TEST(frames_of_a_queue_are_joined),
		TEST(frames_above_the_limit_stay),
		TEST(every_kind_of_end),
		TEST(a_ring_may_break),
	};
	int r = uring_new(&ring);

	if (r < 0) {
		(void)printf("1..0 # SKIP no io_uring: %s\n", strerror(-r));
		return 0;
	}
	uring_free(ring);
	return cmocka_run_group_tests_name("uring", tests, NULL, NULL);
}
