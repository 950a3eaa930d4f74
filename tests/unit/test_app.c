#include "worker/hub/app.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/macros.h"

static struct app_spec spec_of(uint32_t index, struct slice id, struct slice key)
{
	static const struct slice secret = SLICE_INIT("secret");

	return (struct app_spec){.index = index,
				 .id = id,
				 .key = key,
				 .secrets = &secret,
				 .secret_count = 1,
				 .enabled = true};
}

static void test_look_ups(void **state)
{
	struct apps *t = apps_new();
	struct app_spec a = spec_of(0, SLICE("one"), SLICE("key-one"));
	struct app_spec b = spec_of(7, SLICE("two"), SLICE("key-two"));
	struct app *one = apps_put(t, &a);
	struct app *two = apps_put(t, &b);

	(void)state;
	assert_ptr_equal(apps_by_index(t, 0), one);
	assert_ptr_equal(apps_by_index(t, 7), two);
	assert_null(apps_by_index(t, 3));
	assert_null(apps_by_index(t, 8));
	assert_ptr_equal(apps_by_id(t, SLICE("two")), two);
	assert_ptr_equal(apps_by_key(t, SLICE("key-one")), one);
	assert_null(apps_by_key(t, SLICE("one")));
	assert_null(apps_by_key(t, SLICE("")));
	apps_free(t);
}

static void test_changes_keep_the_place(void **state)
{
	struct apps *t = apps_new();
	struct app_spec a = spec_of(0, SLICE("one"), SLICE("key-one"));
	struct app *one = apps_put(t, &a);

	(void)state;
	a = spec_of(4, SLICE("one"), SLICE("other"));
	a.enabled = false;
	assert_ptr_equal(apps_put(t, &a), one);
	assert_null(apps_by_index(t, 0));
	assert_ptr_equal(apps_by_index(t, 4), one);
	assert_null(apps_by_key(t, SLICE("key-one")));
	assert_ptr_equal(apps_by_key(t, SLICE("other")), one);
	assert_false(one->enabled);
	apps_free(t);
}

static void test_a_new_broker_numbers_anew(void **state)
{
	struct apps *t = apps_new();
	struct app_spec a = spec_of(0, SLICE("one"), SLICE("key-one"));
	struct app_spec b = spec_of(1, SLICE("two"), SLICE("key-two"));
	struct app *one = apps_put(t, &a);
	struct app *two = apps_put(t, &b);

	(void)state;
	apps_begin(t);
	assert_null(apps_by_id(t, SLICE("one")));
	assert_null(apps_by_index(t, 1));
	b.index = 0;
	assert_ptr_equal(apps_put(t, &b), two);
	assert_ptr_equal(apps_by_index(t, 0), two);
	assert_false(one->enabled);
	assert_null(apps_by_key(t, SLICE("key-one")));
	apps_free(t);
}

/* Two apps of one number or one key cannot both be right: the one told last is. */
static void test_collisions(void **state)
{
	struct apps *t = apps_new();
	struct app_spec a = spec_of(0, SLICE("one"), SLICE("key"));
	struct app_spec b = spec_of(0, SLICE("two"), SLICE("key"));
	struct app *one = apps_put(t, &a);
	struct app *two = apps_put(t, &b);

	(void)state;
	assert_ptr_equal(apps_by_index(t, 0), two);
	assert_ptr_equal(apps_by_key(t, SLICE("key")), two);
	assert_null(apps_by_id(t, SLICE("one")));
	assert_false(one->enabled);
	b.index = APPS_INDEX_MAX;
	assert_null(apps_put(t, &b));
	b.index = 1;
	b.secret_count = PUSHER_SECRETS_MAX + 1;
	assert_null(apps_put(t, &b));
	apps_free(t);
}

static void test_origins(void **state)
{
	static const struct {
		const char *pattern;
		const char *origin;
		bool ok;
	} rows[] = {
		{"*", "", true},
		{"*", "null", true},
		{"*", "https://anything", true},
		{"example.org", "", false},
		{"example.org", "https://example.org", true},
		{"example.org", "http://EXAMPLE.org:8080", true},
		{"example.org", "https://www.example.org", false},
		{"example.org", "https://evil-example.org", false},
		{"example.org", "https://example.org.evil", false},
		{"example.org:8080", "http://example.org:8080", true},
		{"example.org:8080", "http://example.org", false},
		{"*.example.org", "https://www.example.org", true},
		{"*.example.org", "https://a.b.example.org", true},
		{"*.example.org", "https://example.org", false},
		{"*.example.org", "https://evilexample.org", false},
		{"*.example.org", "https://.example.org", false},
		{"https://example.org", "https://example.org", true},
		{"https://example.org", "http://example.org", false},
		{"https://example.org", "https://example.org:8443", false},
		{"https://example.org:8443", "https://example.org:8443", true},
		{"https://*.example.org", "https://www.example.org", true},
		{"http://[::1]:3000", "http://[::1]:3000", true},
		{"[::1]", "http://[::1]:3000", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct apps *t = apps_new();
		struct app_spec a = spec_of(0, SLICE("a"), SLICE("k"));
		struct slice pattern = slice_str(rows[i].pattern);
		struct app *app;

		a.origins = &pattern;
		a.origin_count = 1;
		app = apps_put(t, &a);
		if (app_origin_ok(app, slice_str(rows[i].origin)) != rows[i].ok)
			fail_msg("%s against %s", rows[i].origin, rows[i].pattern);
		assert_false(app_cors_ok(app, slice_str(rows[i].origin)));
		apps_free(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_look_ups),
		cmocka_unit_test(test_changes_keep_the_place),
		cmocka_unit_test(test_a_new_broker_numbers_anew),
		cmocka_unit_test(test_collisions),
		cmocka_unit_test(test_origins),
	};

	return cmocka_run_group_tests_name("app", tests, NULL, NULL);
}
