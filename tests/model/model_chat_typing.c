/*
 * Random typing beside a model that is a plain table: who types where, since when it was told,
 * until when it lasts. What is told must be what the model tells, at the same moments.
 */
#include "broker/chat/typing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { USERS = 6, CHATS = 4, STEPS = 20000 };

#define TIMEOUT (6 * USEC_PER_SEC)
#define REPEAT (3 * USEC_PER_SEC)

struct cell {
	bool typing;
	usec_t told_at;
	usec_t until;
	unsigned starts;
	unsigned stops;
	uint64_t exclude;
};

static struct cell cells[CHATS][USERS];
static uint32_t seed;

static uint32_t below(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static struct slice id_of(uint32_t user)
{
	static const char *const ids[USERS] = {"1", "2", "30", "ada", "bob", "x.y"};

	return slice_str(ids[user]);
}

static void on_tell(void *ctx, uint64_t chat, struct slice user_id, struct slice name,
		    bool is_typing, uint64_t exclude)
{
	(void)ctx;
	assert_true(slice_eq(name, SLICE("Name")));
	for (uint32_t u = 0; u < USERS; u++) {
		struct cell *c = &cells[chat][u];

		if (!slice_eq(id_of(u), user_id))
			continue;
		if (is_typing)
			c->starts++;
		else
			c->stops++;
		c->exclude = exclude;
		return;
	}
	fail_msg("an unknown user");
}

/* What was told of a cell since the last look. */
static void expect(struct cell *c, unsigned starts, unsigned stops, uint64_t exclude)
{
	assert_int_equal(c->starts, starts);
	assert_int_equal(c->stops, stops);
	if (starts + stops > 0)
		assert_int_equal(c->exclude, exclude);
	c->starts = c->stops = 0;
}

static void expect_quiet(void)
{
	for (int chat = 0; chat < CHATS; chat++) {
		for (int u = 0; u < USERS; u++)
			expect(&cells[chat][u], 0, 0, 0);
	}
}

static void start(struct typings *t, usec_t now)
{
	uint32_t chat = below(CHATS);
	uint32_t user = below(USERS);
	uint64_t exclude = below(3);
	struct cell *c = &cells[chat][user];
	bool tell = !c->typing || now - c->told_at >= REPEAT;

	typings_start(t, now, TIMEOUT, REPEAT, chat, id_of(user), SLICE("Name"), exclude);
	c->typing = true;
	c->until = now + TIMEOUT;
	if (tell)
		c->told_at = now;
	expect(c, tell ? 1 : 0, 0, exclude);
}

static void stop(struct typings *t)
{
	uint32_t chat = below(CHATS);
	uint32_t user = below(USERS);
	uint64_t exclude = below(3);
	struct cell *c = &cells[chat][user];

	typings_stop(t, chat, id_of(user), exclude);
	expect(c, 0, c->typing ? 1 : 0, exclude);
	c->typing = false;
}

static void stop_all(struct typings *t)
{
	uint32_t user = below(USERS);

	typings_stop_all(t, id_of(user));
	for (int chat = 0; chat < CHATS; chat++) {
		expect(&cells[chat][user], 0, cells[chat][user].typing ? 1 : 0, 0);
		cells[chat][user].typing = false;
	}
}

static void pass(struct typings *t, usec_t now)
{
	typings_turn(t, now);
	for (int chat = 0; chat < CHATS; chat++) {
		for (int u = 0; u < USERS; u++) {
			struct cell *c = &cells[chat][u];
			bool ends = c->typing && c->until <= now;

			expect(c, 0, ends ? 1 : 0, 0);
			c->typing = c->typing && !ends;
		}
	}
}

static void compare(const struct typings *t)
{
	usec_t first = USEC_NEVER;
	uint32_t count = 0;

	for (int chat = 0; chat < CHATS; chat++) {
		for (int u = 0; u < USERS; u++) {
			const struct cell *c = &cells[chat][u];

			count += c->typing;
			if (c->typing && c->until < first)
				first = c->until;
		}
	}
	assert_int_equal(typings_count(t), count);
	assert_int_equal(typings_deadline(t), first);
}

static void random_typing(void **state)
{
	struct typings *t = typings_new(on_tell, NULL);
	usec_t now = USEC_PER_SEC;

	(void)state;
	for (int i = 0; i < STEPS; i++) {
		switch (below(8)) {
		case 0:
		case 1:
		case 2:
			start(t, now);
			break;
		case 3:
			stop(t);
			break;
		case 4:
			if (below(4) == 0)
				stop_all(t);
			break;
		default:
			now += below(USEC_PER_SEC);
			pass(t, now);
			break;
		}
		expect_quiet();
		compare(t);
	}
	typings_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(random_typing)};
	const char *given = getenv("MODEL_SEED");

	seed = given != NULL ? (uint32_t)strtoul(given, NULL, 10) : 20261124;
	print_message("# seed %u\n", seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
