/*
 * A dispatcher with a real registry and history, whose workers, chat and database are played by the
 * test. What goes out is noted line by line: "1 EVENT private-a ev data", "chat online 7",
 * "mirror conn 268435457".
 */
#ifndef TESTS_UNIT_DISPATCH_FAKES_H
#define TESTS_UNIT_DISPATCH_FAKES_H

#include "broker/dispatch_internal.h"
#include "broker/registry/history.h"
#include "common/conf/conf.h"

struct lane {
	uint32_t number;
	void *data;
	uint64_t mark;
};

#define LANES_MAX 4
#define CONN(worker, counter) (((uint64_t)(worker) << 28) + (counter))

extern struct dispatch *fake_d;
extern struct conf *fake_conf;
extern struct lane fake_lanes[LANES_MAX]; /* numbers 1 ... */
extern usec_t fake_now;
extern size_t fake_expected;	    /* what server_expected() says */
extern bool fake_denied;	    /* chat_subscribing() refuses */
extern const char *fake_identifies; /* whom chat_subscribing() names */
/* Takes what workers are sent, in place of the notes; nothing else is noted then either. */
extern void (*fake_sent)(uint32_t worker, uint8_t kind, struct slice body);
/* Before fakes_begin(): how many workers are welcomed (2), members of a channel (2). */
extern uint32_t fake_workers;
extern uint32_t fake_max_members;

/*
 * Apps "app" (the chat's) and "other"; the workers are welcomed. With `open` they are known and
 * nothing of the start is left to be expected.
 */
void fakes_begin(bool open);
void fakes_end(void);

/* What was noted since the last call must be these lines, in this order, and no more. */
void expect_lines(const char *expected);
/* The same, without lines of the mirror. */
void expect_news(const char *expected);

/* Records of a worker. */
#define SAY(worker, name, NAME, ...) \
	do { \
		struct wire_##name say_m = {__VA_ARGS__}; \
		struct buf say_b; \
		buf_init(&say_b, LIMIT_WIRE_RECORD); \
		assert_true(wire_encode_##name(&say_b, &say_m)); \
		fake_record(worker, WIRE_##NAME, buf_slice(&say_b)); \
		buf_done(&say_b); \
	} while (0)

void fake_record(uint32_t worker, uint8_t kind, struct slice body);
/* A connection with the socket id "NUMBER.1" of an application. */
void fake_open(uint32_t worker, uint64_t conn, uint32_t app);
void fake_subscribe(uint32_t worker, uint64_t conn, const char *channel, uint8_t flags,
		    const char *user_id);
/* Channels parted by blanks, at most 8. */
void fake_publish(uint32_t worker, uint64_t number, const char *channels, uint8_t info);
/* The worker acknowledges all it was sent. */
void fake_ack(uint32_t worker);
void fake_gone(uint32_t worker);
void fake_wait(usec_t usec);

/* The question of the chat that came last is answered. */
void fake_answer(unsigned status, const char *body);

#endif
