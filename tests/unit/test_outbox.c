#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "worker/api/api.h"
#include "worker/link/link.h"
#include "worker/questions.h"
#include "worker/session_internal.h"
#include "worker/worker_internal.h"

static struct worker *w;

/* The lane takes this many more; each record is a letter. */
static int room;
static char sent[256];

int link_send(struct link *link, uint8_t kind, struct slice body)
{
	size_t n = strlen(sent);

	(void)link;
	if (room == 0)
		return -1;
	room--;
	assert_int_equal(kind, WIRE_CONN_CLOSE);
	sent[n] = body.p[body.n - 1];
	return 0;
}

/* Who is told that records may flow again is no matter of the outbox. */
void questions_go_on(struct worker *worker)
{
	(void)worker;
}

void session_pusher_go_on(struct session *s)
{
	(void)s;
}

void session_ws_release(struct session *s)
{
	(void)s;
}

void api_release(struct worker *worker)
{
	(void)worker;
}

static int setup(void **state)
{
	(void)state;
	w = NEW(struct worker);
	buf_init(&w->record, LIMIT_WIRE_RECORD);
	buf_init(&w->late, 1 << 20);
	w->broker = BROKER_UP;
	memset(sent, 0, sizeof(sent));
	room = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_done(&w->record);
	buf_done(&w->late);
	free(w);
	return 0;
}

static void put(const char *text)
{
	assert_true(buf_add(&w->record, slice_str(text)));
}

static bool send_maybe(const char *text)
{
	put(text);
	return worker_send(w, WIRE_CONN_CLOSE);
}

static void send_surely(const char *text)
{
	put(text);
	worker_send_surely(w, WIRE_CONN_CLOSE);
}

static void test_order(void **state)
{
	(void)state;
	send_surely("..a");
	send_surely("b");
	assert_false(send_maybe("x"));
	room = 1;
	send_surely("...c"); /* behind those that have waited */
	assert_string_equal(sent, "a");
	assert_false(outbox_flush(w));
	room = 100;
	assert_true(send_maybe("d"));
	assert_string_equal(sent, "abcd");
	assert_true(outbox_flush(w));
	assert_int_equal(w->late.n, 0);
	assert_int_equal(w->record.n, 0);
}

static void test_the_broker_is_away(void **state)
{
	(void)state;
	room = 100;
	w->broker = BROKER_AWAY;
	assert_false(send_maybe("a"));
	assert_string_equal(sent, "");
}

/* What could not even be encoded must not spoil what comes after it. */
static void test_a_record_that_does_not_fit(void **state)
{
	(void)state;
	room = 100;
	buf_done(&w->record);
	buf_init(&w->record, 2);
	assert_false(worker_send_encoded(w, buf_add(&w->record, SLICE("abc")), WIRE_CONN_CLOSE));
	assert_true(send_maybe("a"));
	assert_string_equal(sent, "a");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_order),
		TEST(test_the_broker_is_away),
		TEST(test_a_record_that_does_not_fit),
	};

	return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
