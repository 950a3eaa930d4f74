#include "broker/registry/watchlist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define WINDOW (100 * USEC_PER_MSEC)

static struct watchlist *w;
static bool online[10]; /* users "0" ... "9" of application 1 */
static char told[4096];

static bool is_online(void *ctx, uint32_t app, struct slice user_id)
{
	(void)ctx;
	return app == 1 && online[user_id.p[0] - '0'];
}

static void tell(void *ctx, uint64_t conn, struct slice data)
{
	size_t n = strlen(told);

	(void)ctx;
	(void)snprintf(told + n, sizeof(told) - n, "%u %.*s\n", (unsigned)conn, SLICE_ARG(data));
}

static const struct watchlist_ops ops = {.is_online = is_online, .tell = tell};

static int setup(void **state)
{
	(void)state;
	w = watchlist_new(WINDOW, &ops, NULL);
	memset(online, 0, sizeof(online));
	told[0] = '\0';
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	watchlist_free(w);
	return 0;
}

static void expect(const char *text)
{
	assert_string_equal(told, text);
	told[0] = '\0';
}

/* A list of one-letter ids. */
static void watch(uint64_t conn, const char *ids)
{
	struct slice list[16];
	size_t n = strlen(ids);

	for (size_t i = 0; i < n; i++)
		list[i] = slice_of(ids + i, 1);
	watchlist_set(w, 1, conn, list, n, true);
}

static void change(usec_t now, char user, bool is)
{
	online[user - '0'] = is;
	watchlist_changed(w, now, 1, slice_of(&user, 1), is);
}

static void test_who_signs_in_hears_how_things_are(void **state)
{
	(void)state;
	online[8] = true;
	watch(1, "897");
	expect("1 {\"events\":[{\"name\":\"online\",\"user_ids\":[\"8\"]},"
	       "{\"name\":\"offline\",\"user_ids\":[\"9\",\"7\"]}]}\n");
	watch(2, "88");
	expect("2 {\"events\":[{\"name\":\"online\",\"user_ids\":[\"8\"]}]}\n");
	watch(3, "");
	expect("");
}

static void test_changes_are_gathered(void **state)
{
	(void)state;
	watch(1, "89");
	watch(2, "9");
	told[0] = '\0';
	assert_true(watchlist_deadline(w) == USEC_NEVER);
	change(1000, '8', true);
	change(2000, '9', true);
	change(2000, '7', true); /* nobody's business */
	assert_true(watchlist_deadline(w) == 1000 + WINDOW);
	watchlist_turn(w, 2000);
	expect("");
	watchlist_turn(w, 1000 + WINDOW);
	expect("1 {\"events\":[{\"name\":\"online\",\"user_ids\":[\"8\",\"9\"]}]}\n"
	       "2 {\"events\":[{\"name\":\"online\",\"user_ids\":[\"9\"]}]}\n");
	assert_true(watchlist_deadline(w) == USEC_NEVER);
	change(500000, '8', false);
	watchlist_turn(w, 900000);
	expect("1 {\"events\":[{\"name\":\"offline\",\"user_ids\":[\"8\"]}]}\n");
}

static void test_who_is_back_in_time_was_never_away(void **state)
{
	(void)state;
	online[8] = true;
	watch(1, "8");
	told[0] = '\0';
	change(0, '8', false);
	change(1, '8', true);
	watchlist_turn(w, WINDOW);
	expect("");
}

static void test_connections_and_lists_go(void **state)
{
	(void)state;
	watch(1, "89");
	watch(1, "7"); /* in place of the first */
	watch(2, "8");
	told[0] = '\0';
	change(0, '8', true);
	change(0, '9', true);
	watchlist_drop(w, 2); /* while a change is gathered */
	watchlist_drop(w, 77);
	watchlist_turn(w, WINDOW);
	expect("");
	change(WINDOW, '7', true);
	watchlist_turn(w, 2 * WINDOW);
	expect("1 {\"events\":[{\"name\":\"online\",\"user_ids\":[\"7\"]}]}\n");
}

static void test_a_resync_tells_nothing(void **state)
{
	struct slice id = SLICE("8");

	(void)state;
	watchlist_set(w, 1, 1, &id, 1, false);
	expect("");
	/* The same id of another application is another user. */
	watchlist_changed(w, 0, 2, id, true);
	watchlist_turn(w, WINDOW);
	expect("");
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(test_who_signs_in_hears_how_things_are),
		WITH(test_changes_are_gathered),
		WITH(test_who_is_back_in_time_was_never_away),
		WITH(test_connections_and_lists_go),
		WITH(test_a_resync_tells_nothing),
	};

	return cmocka_run_group_tests_name("watchlist", tests, NULL, NULL);
}
