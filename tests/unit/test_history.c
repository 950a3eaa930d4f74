#include "broker/registry/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_event(struct history *h, usec_t now, uint32_t app, struct slice channel,
			 const char *event, const char *data)
{
	struct history_event e;

	assert_true(history_get(h, now, app, channel, &e));
	assert_true(slice_eq(e.event, slice_str(event)));
	assert_true(slice_eq(e.data, slice_str(data)));
}

static void test_the_last_one_stays(void **state)
{
	struct history *h = history_new(10000, 100);
	struct history_event e;

	(void)state;
	assert_false(history_get(h, 1, 0, SLICE("cache-a"), &e));
	history_put(h, 1, 0, SLICE("cache-a"), SLICE("price"), SLICE("{\"v\":1}"));
	history_put(h, 2, 0, SLICE("cache-a"), SLICE("price"), SLICE("{\"v\":2}"));
	history_put(h, 2, 1, SLICE("cache-a"), SLICE("other"), SLICE(""));
	assert_event(h, 3, 0, SLICE("cache-a"), "price", "{\"v\":2}");
	assert_event(h, 3, 1, SLICE("cache-a"), "other", "");
	assert_false(history_get(h, 3, 0, SLICE("cache-b"), &e));
	history_free(h);
}

static void test_it_expires(void **state)
{
	struct history *h = history_new(10000, 100);
	struct history_event e;

	(void)state;
	history_put(h, 1, 0, SLICE("cache-a"), SLICE("e"), SLICE("1"));
	assert_event(h, 100, 0, SLICE("cache-a"), "e", "1");
	assert_false(history_get(h, 101, 0, SLICE("cache-a"), &e));
	assert_int_equal(history_bytes(h), 0);
	/* a later event begins the time anew */
	history_put(h, 200, 0, SLICE("cache-a"), SLICE("e"), SLICE("2"));
	history_put(h, 250, 0, SLICE("cache-a"), SLICE("e"), SLICE("3"));
	assert_event(h, 349, 0, SLICE("cache-a"), "e", "3");
	history_free(h);
}

static void test_memory_is_bounded(void **state)
{
	struct history *h = history_new(500, 1000);
	struct history_event e;
	static const char large[600];

	(void)state;
	history_put(h, 1, 0, SLICE("cache-1"), SLICE("e"), SLICE("1"));
	history_put(h, 1, 0, SLICE("cache-2"), SLICE("e"), SLICE("2"));
	history_put(h, 1, 0, SLICE("cache-3"), SLICE("e"), SLICE("3"));
	assert_true(history_bytes(h) <= 500);
	assert_false(history_get(h, 2, 0, SLICE("cache-1"), &e));
	assert_event(h, 2, 0, SLICE("cache-3"), "e", "3");
	/* what is larger than all of it is not kept, and replaces what was there */
	history_put(h, 3, 0, SLICE("cache-3"), SLICE("e"), slice_of(large, sizeof(large)));
	assert_false(history_get(h, 3, 0, SLICE("cache-3"), &e));
	history_reload(h, 0, 1000);
	assert_int_equal(history_bytes(h), 0);
	history_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_last_one_stays),
		cmocka_unit_test(test_it_expires),
		cmocka_unit_test(test_memory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
