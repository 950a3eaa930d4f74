#include "worker/edge/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "worker/edge/uring.h"

#define NOT_ENDED 99

struct client {
	struct stream stream;
	int peer;	/* the other end; blocking */
	char got[4096]; /* what on_bytes() has used */
	size_t got_n;
	size_t calls;	/* of on_bytes() */
	size_t takes;	/* most bytes to use of each offer */
	size_t offered; /* in the last call */
	unsigned drained;
	int end; /* enum stream_end, or NOT_ENDED */
	int err;
	void (*then)(struct client *c); /* at the end of on_bytes() */
	void (*at_drained)(struct client *c);
};

static bool with_ring; /* by the command line: all of it must be the same */
static int ring_fd;    /* the kernel gives the lowest one that is free */
static struct loop *loop;
static struct streams *all;
static struct client *one;

static struct client *client_of(struct stream *s)
{
	return CONTAINER_OF(s, struct client, stream);
}

static size_t on_bytes(struct stream *s, char *bytes, size_t n)
{
	struct client *c = client_of(s);
	size_t used = MIN(n, c->takes);

	c->calls++;
	c->offered = n;
	if (c->got_n + used <= sizeof(c->got))
		memcpy(c->got + c->got_n, bytes, used);
	c->got_n += used;
	memset(bytes, '#', used); /* in place, as unmasking does */
	if (c->then != NULL)
		c->then(c);
	return used;
}

static void on_closed(struct stream *s, enum stream_end end, int err)
{
	struct client *c = client_of(s);

	assert_int_equal(c->end, NOT_ENDED);
	c->end = (int)end;
	c->err = err;
}

static void on_drained(struct stream *s)
{
	struct client *c = client_of(s);

	c->drained++;
	if (c->at_drained != NULL)
		c->at_drained(c);
}

static const struct stream_handler handler = {on_bytes, on_closed, on_drained};

static void connect_client(struct client *c)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
	*c = (struct client){.peer = pair[1], .takes = SIZE_MAX, .end = NOT_ENDED};
	stream_open(&c->stream, all, pair[0], &stream_plain, NULL, &handler);
}

static void limits(size_t high, size_t pause_above, usec_t linger)
{
	streams_set_limits(all, &(struct stream_limits){.high = high,
							.pause_above = pause_above,
							.linger = linger});
}

static int setup(void **state)
{
	(void)state;
	loop = loop_new();
	all = streams_new(loop, &(struct stream_limits){0});
	ring_fd = dup(STDERR_FILENO);
	assert_int_equal(close(ring_fd), 0);
	if (with_ring)
		assert_int_equal(streams_use_uring(all), 0);
	one = NEW(struct client);
	connect_client(one);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (one->end == NOT_ENDED) {
		stream_abort(&one->stream);
		loop_flush(loop);
	}
	assert_int_not_equal(one->end, NOT_ENDED);
	assert_int_equal(streams_counts(all)->open, 0);
	assert_int_equal(streams_counts(all)->waiting, 0);
	if (one->peer >= 0)
		(void)close(one->peer); /* of the test */
	streams_free(all);
	loop_free(loop);
	free(one);
	return 0;
}

/* Turns of the loop until the condition holds: what a local socket was given is there at once. */
#define TURN_UNTIL(condition) \
	do { \
		int turns = 0; \
		while (!(condition)) { \
			loop_flush(loop); \
			assert_true(++turns < 10000); \
		} \
	} while (0)

static void say(const char *text)
{
	assert_int_equal(write(one->peer, text, strlen(text)), strlen(text));
}

static void send_text_to(struct client *c, const char *text)
{
	struct frame *f = frame_copy(slice_str(text));

	assert_true(stream_send(&c->stream, f));
	frame_unref(f);
}

static void send_text(const char *text)
{
	send_text_to(one, text);
}

static void send_urgent_to(struct client *c, const char *text)
{
	struct frame *f = frame_copy(slice_str(text));

	assert_true(stream_send_urgent(&c->stream, f));
	frame_unref(f);
}

static void assert_got(const char *text)
{
	assert_int_equal(one->got_n, strlen(text));
	assert_memory_equal(one->got, text, one->got_n);
}

/* What has come to the peer. */
static void assert_client_heard(const struct client *c, const char *text)
{
	char bytes[256];
	ssize_t n = recv(c->peer, bytes, sizeof(bytes), MSG_DONTWAIT);

	assert_int_equal(n, strlen(text));
	assert_memory_equal(bytes, text, (size_t)n);
}

static void assert_heard(const char *text)
{
	assert_client_heard(one, text);
}

/* ---- reading ---- */

static void bytes_come_in_one_piece_with_what_was_left(void **state)
{
	(void)state;
	one->takes = 2;
	say("abcde");
	TURN_UNTIL(one->calls == 1);
	assert_int_equal(one->offered, 5);
	assert_got("ab");
	assert_true(stream_held(&one->stream) >= 3);
	one->takes = SIZE_MAX;
	say("f");
	TURN_UNTIL(one->calls == 2);
	assert_int_equal(one->offered, 4);
	assert_got("abcdef");
	assert_int_equal(stream_held(&one->stream), 0);
	assert_int_equal(streams_counts(all)->bytes_in, 6);
	assert_int_equal(streams_counts(all)->reads, 2);
}

static void a_paused_stream_keeps_what_it_has(void **state)
{
	(void)state;
	one->takes = 1;
	say("ab");
	TURN_UNTIL(one->calls == 1);
	stream_pause(&one->stream);
	stream_pause(&one->stream);
	say("c");
	for (int i = 0; i < 10; i++)
		loop_flush(loop);
	assert_int_equal(one->calls, 1);
	one->takes = SIZE_MAX;
	stream_resume(&one->stream);
	TURN_UNTIL(one->got_n == 3);
	assert_got("abc");
}

static void again(struct client *c)
{
	if (c->got_n < 3)
		stream_resume(&c->stream);
}

/* on_bytes() does a part, and gets the rest in a later turn without new bytes. */
static void work_may_be_spread_over_turns(void **state)
{
	(void)state;
	one->takes = 1;
	one->then = again;
	say("abc");
	TURN_UNTIL(one->got_n == 3);
	assert_int_equal(one->calls, 3);
	assert_got("abc");
}

/* Whoever uses nothing of a full buffer would never go on. */
static void a_full_buffer_that_nobody_uses_is_an_end(void **state)
{
	static char block[STREAM_READ_BUFFER];
	size_t sent = 0;

	(void)state;
	one->takes = 0;
	memset(block, 'x', sizeof(block));
	while (one->end == NOT_ENDED && sent < 2 * sizeof(block)) {
		ssize_t n = send(one->peer, block, 4096, MSG_DONTWAIT);

		sent += n > 0 ? (size_t)n : 0;
		loop_flush(loop);
	}
	assert_int_equal(sent, STREAM_READ_BUFFER);
	assert_int_equal(one->end, STREAM_END_FULL);
}

/* ---- writing ---- */

static void a_turn_is_one_write(void **state)
{
	(void)state;
	send_text("ab");
	send_text("cd");
	send_urgent_to(one, "!");
	assert_int_equal(stream_waiting(&one->stream), 5);
	assert_int_equal(streams_counts(all)->waiting, 5);
	assert_int_equal(streams_counts(all)->writes, 0);
	loop_flush(loop);
	assert_heard("!abcd");
	assert_int_equal(streams_counts(all)->writes, 1);
	assert_int_equal(streams_counts(all)->bytes_out, 5);
	assert_int_equal(stream_waiting(&one->stream), 0);
	assert_int_equal(streams_counts(all)->waiting, 0);
}

#define MANY 200

static unsigned behind_calls;
static bool is_behind;

static void on_behind(void *ctx, bool behind)
{
	(void)ctx;
	assert_int_equal(is_behind, !behind); /* in turns */
	is_behind = behind;
	behind_calls++;
}

static void note_writes(evutil_socket_t fd, short what, void *ctx)
{
	uint64_t *seen = ctx;

	(void)fd;
	(void)what;
	*seen = streams_counts(all)->writes;
}

/* Others have their turn before the last of many sockets is written to. */
static void a_turn_ends_in_time(void **state)
{
	struct client *many = mem_calloc(MANY, sizeof(*many));
	struct frame *f = frame_copy(SLICE("x"));
	struct event other;
	uint64_t seen = 0;

	(void)state;
	streams_set_limits(all, &(struct stream_limits){.turn = 1});
	streams_watch_behind(all, on_behind, NULL);
	assert_int_equal(event_assign(&other, loop_base(loop), -1, 0, note_writes, &seen), 0);
	for (int i = 0; i < MANY; i++) {
		connect_client(&many[i]);
		assert_true(stream_send(&many[i].stream, f));
	}
	event_active(&other, 0, 0); /* behind the end of the turn */
	TURN_UNTIL(streams_counts(all)->writes == MANY);
	assert_in_range(seen, 1, MANY - 1);
	assert_int_equal(behind_calls, 2);
	assert_false(is_behind);
	frame_unref(f);

	for (int i = 0; i < MANY; i++)
		stream_abort(&many[i].stream);
	streams_finish(all);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(many[i].end, STREAM_END_ABORTED);
		(void)close(many[i].peer); /* of the test */
	}
	free(many);
}

/* ---- several in one turn ---- */

#define FEW 5

static struct client *few[FEW];

static void open_few(void)
{
	for (int i = 0; i < FEW; i++) {
		few[i] = NEW(struct client);
		connect_client(few[i]);
	}
}

static void close_few(void)
{
	for (int i = 0; i < FEW; i++)
		stream_abort(&few[i]->stream);
	streams_finish(all);
	for (int i = 0; i < FEW; i++) {
		assert_int_not_equal(few[i]->end, NOT_ENDED);
		if (few[i]->peer >= 0)
			(void)close(few[i]->peer); /* of the test */
		free(few[i]);
	}
}

static void disturb_the_others(struct client *c)
{
	(void)c;
	send_urgent_to(few[0], "!");
	send_urgent_to(few[2], "!");
	stream_cut(&few[3]->stream);
	send_text_to(few[3], "new");
	stream_abort(&few[4]->stream);
}

/* What has been written is over before the first owner is told. */
static void owners_are_told_when_all_is_written(void **state)
{
	(void)state;
	open_few();
	few[1]->at_drained = disturb_the_others;
	stream_want_drained(&few[1]->stream);
	for (int i = 0; i < FEW; i++) {
		send_text_to(few[i], "ab");
		send_text_to(few[i], "cd");
	}
	TURN_UNTIL(few[4]->end != NOT_ENDED);
	assert_client_heard(few[0], "abcd!");
	assert_client_heard(few[1], "abcd");
	assert_client_heard(few[2], "abcd!");
	assert_client_heard(few[3], "abcdnew");
	assert_client_heard(few[4], "abcd");
	assert_int_equal(few[4]->end, STREAM_END_ABORTED);
	assert_int_equal(streams_counts(all)->waiting, 0);
	close_few();
}

/* What an owner says when it is offered the rest again still counts for all of this turn. */
static void nothing_is_written_before_owners_have_said_all(void **state)
{
	(void)state;
	open_few();
	few[1]->takes = 0;
	assert_int_equal(write(few[1]->peer, "x", 1), 1);
	TURN_UNTIL(few[1]->calls == 1);
	few[1]->then = disturb_the_others;
	for (int i = 0; i < FEW; i++) {
		if (i == 1)
			stream_resume(&few[1]->stream);
		send_text_to(few[i], "ab");
	}
	TURN_UNTIL(few[4]->end != NOT_ENDED);
	assert_client_heard(few[0], "!ab");
	assert_client_heard(few[1], "ab");
	assert_client_heard(few[2], "!ab");
	assert_client_heard(few[3], "new");
	assert_client_heard(few[4], "");
	assert_int_equal(few[4]->end, STREAM_END_ABORTED);
	close_few();
}

static void free_client(struct stream *s, enum stream_end end, int err)
{
	struct client *c = client_of(s);

	assert_int_equal(end, STREAM_END_ERROR);
	assert_int_equal(err, EPIPE);
	if (c == few[0])
		few[0] = NULL;
	free(c);
}

/* Each is as full, as dead, or as well as it is. */
static void each_has_what_came_of_its_own(void **state)
{
	static const struct stream_handler frees = {on_bytes, free_client, on_drained};
	struct frame *f = frame_new(1 << 20);

	(void)state;
	limits(2U << 20, 0, 0);
	memset(f->data, 'x', f->len);
	open_few();
	few[0]->stream.handler = &frees;
	stream_pause(&few[0]->stream); /* so that writing meets the end first */
	loop_flush(loop);
	(void)close(few[0]->peer); /* the test's way to end */
	assert_true(stream_send(&few[1]->stream, f));
	for (int i = 0; i < FEW; i++)
		send_text_to(few[i], "ab");
	frame_unref(f);
	TURN_UNTIL(few[0] == NULL);
	few[0] = NEW(struct client);
	connect_client(few[0]);
	assert_in_range(stream_waiting(&few[1]->stream), 1, (1 << 20) + 1);
	assert_int_equal(streams_counts(all)->waiting, stream_waiting(&few[1]->stream));
	assert_int_equal(few[1]->end, NOT_ENDED);
	for (int i = 2; i < FEW; i++)
		assert_client_heard(few[i], "ab");
	close_few();
}

/* Whoever was in the batch has all of it with the next turns. */
static void a_ring_that_breaks_loses_nothing(void **state)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	open_few();
	if (with_ring)
		assert_int_equal(dup2(null, ring_fd), ring_fd);
	assert_int_equal(close(null), 0);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < FEW; i++)
			send_text_to(few[i], "ab");
		TURN_UNTIL(streams_counts(all)->waiting == 0);
		for (int i = 0; i < FEW; i++)
			assert_client_heard(few[i], "ab");
	}
	close_few();
}

static void drained_comes_once(void **state)
{
	(void)state;
	stream_want_drained(&one->stream);
	assert_int_equal(one->drained, 0);
	loop_flush(loop);
	assert_int_equal(one->drained, 1);
	send_text("a");
	loop_flush(loop);
	assert_int_equal(one->drained, 1);
}

/* Fills the kernel's buffer and more; returns how many bytes. */
static size_t flood(size_t more)
{
	struct frame *f = frame_new(4096);
	size_t n = 0;

	memset(f->data, 'x', f->len);
	while (stream_waiting(&one->stream) < more) {
		assert_true(stream_send(&one->stream, f));
		n += f->len;
		loop_flush(loop);
	}
	frame_unref(f);
	return n;
}

/* Reads all that comes to the peer until it is so many bytes. */
static void hear(size_t n)
{
	char bytes[65536];

	while (n > 0) {
		ssize_t r = recv(one->peer, bytes, MIN(n, sizeof(bytes)), MSG_DONTWAIT);

		if (r < 0)
			assert_int_equal(errno, EAGAIN);
		else
			n -= (size_t)r;
		loop_flush(loop);
	}
}

static void a_slow_reader_gets_all_of_it(void **state)
{
	size_t n;

	(void)state;
	n = flood(20000);
	stream_want_drained(&one->stream);
	loop_flush(loop);
	assert_int_equal(one->drained, 0);
	hear(n);
	TURN_UNTIL(one->drained == 1);
	assert_int_equal(streams_counts(all)->bytes_out, n);
}

static void who_does_not_read_is_not_read_from(void **state)
{
	size_t n;

	(void)state;
	limits(0, 10000, 0);
	n = flood(10001);
	say("request");
	for (int i = 0; i < 10; i++)
		loop_flush(loop);
	assert_int_equal(one->calls, 0);
	hear(n);
	TURN_UNTIL(one->calls == 1);
	assert_got("request");
}

static void above_the_high_mark_nothing_is_queued(void **state)
{
	struct frame *f = frame_new(10);

	(void)state;
	memset(f->data, 'x', f->len);
	limits(10 + OUTQ_FRAME_COST, 0, 0);
	assert_true(stream_send(&one->stream, f));
	assert_false(stream_send(&one->stream, f));
	assert_false(stream_send_urgent(&one->stream, f));
	assert_int_equal(streams_counts(all)->refused_frames, 2);
	stream_cut(&one->stream); /* makes room for a close frame */
	assert_true(stream_send(&one->stream, f));
	frame_unref(f);
}

/* ---- the end ---- */

static void the_peer_ends(void **state)
{
	(void)state;
	say("last");
	(void)close(one->peer); /* the test's way to end */
	one->peer = -1;
	TURN_UNTIL(one->end != NOT_ENDED);
	assert_int_equal(one->end, STREAM_END_PEER);
	assert_int_equal(one->err, 0);
	assert_got("last");
}

static void an_orderly_end_writes_all_and_waits_for_the_peer(void **state)
{
	char byte;

	(void)state;
	send_text("bye");
	stream_close(&one->stream);
	assert_true(stream_is_ending(&one->stream));
	send_text("too late");
	say("ignored");
	for (int i = 0; i < 10; i++)
		loop_flush(loop);
	assert_heard("bye");
	assert_int_equal(recv(one->peer, &byte, 1, 0), 0); /* we send no more */
	assert_int_equal(one->end, NOT_ENDED);
	assert_int_equal(one->calls, 0);
	(void)close(one->peer); /* the test's way to end */
	one->peer = -1;
	TURN_UNTIL(one->end != NOT_ENDED);
	assert_int_equal(one->end, STREAM_END_CLOSED);
}

static void a_peer_that_has_ended_already_is_not_waited_for(void **state)
{
	(void)state;
	stream_pause(&one->stream);
	assert_int_equal(shutdown(one->peer, SHUT_WR), 0);
	send_text("bye");
	stream_close(&one->stream);
	TURN_UNTIL(one->end != NOT_ENDED);
	assert_int_equal(one->end, STREAM_END_CLOSED);
	assert_heard("bye");
}

static void a_peer_that_never_ends_is_given_up(void **state)
{
	(void)state;
	limits(0, 0, 1000);
	stream_close(&one->stream);
	stream_close(&one->stream);
	while (one->end == NOT_ENDED)
		loop_flush(loop);
	assert_int_equal(one->end, STREAM_END_TIMEOUT);
}

static void an_abort_drops_what_waits(void **state)
{
	(void)state;
	send_text("unsent");
	stream_abort(&one->stream);
	assert_int_equal(one->end, NOT_ENDED); /* never from within a call */
	loop_flush(loop);
	assert_int_equal(one->end, STREAM_END_ABORTED);
	assert_heard("");
}

static void abort_it(struct client *c)
{
	stream_abort(&c->stream);
	stream_abort(&c->stream);
	stream_close(&c->stream);
	assert_int_equal(c->end, NOT_ENDED);
}

static void may_be_aborted_in_its_own_callback(void **state)
{
	(void)state;
	one->takes = 0;
	one->then = abort_it;
	say("x");
	TURN_UNTIL(one->end != NOT_ENDED);
	assert_int_equal(one->end, STREAM_END_ABORTED);
	assert_int_equal(one->calls, 1);
}

static void a_reset_is_an_error(void **state)
{
	(void)state;
	say("unread by us");
	stream_pause(&one->stream);
	loop_flush(loop);
	(void)close(one->peer); /* the test's way to end */
	one->peer = -1;
	send_text("to nobody");
	TURN_UNTIL(one->end != NOT_ENDED);
	assert_int_equal(one->end, STREAM_END_ERROR);
	assert_int_equal(one->err, EPIPE);
}

static struct client *other;

static void end_other(struct client *c)
{
	(void)c;
	stream_abort(&other->stream);
}

/* Both are ready in the same turn, and the first ends the second. */
static void one_ends_another(void **state)
{
	(void)state;
	other = NEW(struct client);
	connect_client(other);
	one->then = end_other;
	say("x");
	assert_int_equal(write(other->peer, "y", 1), 1);
	TURN_UNTIL(other->end != NOT_ENDED);
	assert_int_equal(other->end, STREAM_END_ABORTED);
	assert_int_equal(one->end, NOT_ENDED);
	assert_int_equal(streams_counts(all)->open, 1);
	(void)close(other->peer); /* of the test */
	free(other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* Whether a ring can be had; says so to the harness if not. */
static bool has_ring(void)
{
	struct uring *u;
	int r = uring_new(&u);

	if (r == 0)
		uring_free(u);
	else
		(void)printf("1..0 # SKIP no io_uring: %s\n", strerror(-r));
	return r == 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(bytes_come_in_one_piece_with_what_was_left),
		TEST(a_paused_stream_keeps_what_it_has),
		TEST(work_may_be_spread_over_turns),
		TEST(a_full_buffer_that_nobody_uses_is_an_end),
		TEST(a_turn_is_one_write),
		TEST(a_turn_ends_in_time),
		TEST(owners_are_told_when_all_is_written),
		TEST(nothing_is_written_before_owners_have_said_all),
		TEST(each_has_what_came_of_its_own),
		TEST(a_ring_that_breaks_loses_nothing),
		TEST(drained_comes_once),
		TEST(a_slow_reader_gets_all_of_it),
		TEST(who_does_not_read_is_not_read_from),
		TEST(above_the_high_mark_nothing_is_queued),
		TEST(the_peer_ends),
		TEST(an_orderly_end_writes_all_and_waits_for_the_peer),
		TEST(a_peer_that_has_ended_already_is_not_waited_for),
		TEST(a_peer_that_never_ends_is_given_up),
		TEST(an_abort_drops_what_waits),
		TEST(may_be_aborted_in_its_own_callback),
		TEST(a_reset_is_an_error),
		TEST(one_ends_another),
	};

	with_ring = argc > 1 && strcmp(argv[1], "io_uring") == 0;
	if (with_ring && !has_ring())
		return 0;
	return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
