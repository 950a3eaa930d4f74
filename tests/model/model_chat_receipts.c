/*
 * Random messages, receipts, comings and goings beside a model that is a plain table of cursors,
 * with the answers of the database's connections let through in random order. In the end, and
 * whenever nothing is under way: cursors never went back, each event was of a move, unread counts
 * are what subtraction gives, and events of messages left by seq.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/chat_fakes.h"

enum { USERS = 4, MOST = 12, STEPS = 2500 };

static struct fake_reply replies[MOST];
static bool busy[MOST];
static uint64_t read_told[USERS + 1]; /* the last message.read of each user */
static uint64_t delivered_told[USERS + 1];
static uint64_t sent_told;
static uint32_t seed;

static uint32_t below(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static const char *user_of(uint32_t n)
{
	static const char *const ids[] = {"1", "2", "3", "4"};

	return ids[n];
}

/* ---- asking ---- */

static int free_place(void)
{
	for (int i = 0; i < MOST; i++) {
		if (busy[i] && replies[i].count > 0) {
			assert_int_equal(replies[i].count, 1);
			busy[i] = false;
		}
		if (!busy[i])
			return i;
	}
	return -1;
}

static void ask(void)
{
	static const uint8_t routes[] = {WIRE_CHAT_SEND, WIRE_CHAT_READ, WIRE_CHAT_READ,
					 WIRE_CHAT_DELIVERED};
	struct chat_call call = {.chat = 1, .text = SLICE("x")};
	uint64_t last = fake_last_seq(1);
	uint32_t user = below(USERS);
	int place = free_place();

	if (place < 0)
		return;
	call.route = routes[below(4)];
	call.message = 1 + below((uint32_t)last + 2); /* messages of this test are all in chat 1 */
	if (below(40) == 0) {
		call.route =
			below(2) == 0 ? WIRE_CHAT_ADD_PARTICIPANT : WIRE_CHAT_REMOVE_PARTICIPANT;
		call.user = slice_str(user_of(1 + below(USERS - 1)));
		user = 0;
	}
	busy[place] = true;
	fake_call(user_of(user), call, &replies[place]);
}

/* ---- what was told ---- */

static uint64_t number_after(const char *line, const char *name)
{
	const char *at = strstr(line, name);

	assert_non_null(at);
	return strtoull(at + strlen(name), NULL, 10);
}

static void on_receipt(const char *line, uint64_t told[])
{
	uint64_t user = number_after(line, "\"user\":{\"id\":");
	uint64_t seq = number_after(line, "\"seq\":");

	assert_true(seq > told[user]); /* an event only when it moved */
	told[user] = seq;
}

static void on_line(const char *line)
{
	if (strstr(line, "message.sent") != NULL) {
		uint64_t seq = number_after(line, "\"seq\":");

		assert_int_equal(seq, sent_told + 1);
		sent_told = seq;
	} else if (strstr(line, "message.read") != NULL) {
		on_receipt(line, read_told);
	} else if (strstr(line, "message.delivered") != NULL) {
		on_receipt(line, delivered_told);
	} else if (strstr(line, "participant.removed") != NULL) {
		uint64_t user = number_after(line, "\"user\":{\"id\":");

		read_told[user] = delivered_told[user] = 0;
	}
}

static void look(void)
{
	char *text = slice_dup(buf_slice(&fake_told));
	char *line = text;
	char *end;

	while ((end = strchr(line, '\n')) != NULL) {
		*end = '\0';
		on_line(line);
		line = end + 1;
	}
	free(text);
	fake_forget();
}

/* ---- what stands ---- */

/* Everybody's list says what subtraction gives. */
static void compare(void)
{
	fake_settle();
	look();
	for (uint32_t u = 0; u < USERS; u++) {
		struct fake_reply *r =
			fake_ask(user_of(u), (struct chat_call){.route = WIRE_CHAT_ACTIVE_CHATS});
		const char *chat = strstr(r->body, "{\"id\":1,\"name\":\"Tea\"");
		uint64_t read;

		if (chat == NULL)
			continue;
		read = fake_read_seq(1, user_of(u));
		assert_int_equal(number_after(chat, "\"last_seq\":"), fake_last_seq(1));
		assert_int_equal(number_after(chat, "\"unread_count\":"), fake_last_seq(1) - read);
		assert_int_equal(number_after(chat, "\"read_seq\":"), read);
		assert_true(number_after(chat, "\"delivered_seq\":") >= read);
		assert_true(read_told[u + 1] <= read);
	}
	fake_forget();
}

static void random_receipts(void **state)
{
	(void)state;
	fake_begin();
	fake_options.messages.per_second = 0;
	fake_options.receipts.per_second = 0;
	chat_reload(fake_chat, &fake_options);
	for (int i = 0; i < STEPS; i++) {
		if (below(2) == 0)
			ask();
		else
			(void)fake_answer((enum fake_queue)below(QUEUES));
		fake_wall += below(1000);
		look();
		if (i % 100 == 0)
			compare();
	}
	compare();
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(random_receipts)};
	const char *given = getenv("MODEL_SEED");

	seed = given != NULL ? (uint32_t)strtoul(given, NULL, 10) : 20261124;
	print_message("# seed %u\n", seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
