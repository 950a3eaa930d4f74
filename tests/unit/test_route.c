#include "worker/http/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/macros.h"

enum { UP = 1, EVENTS, CHANNELS, CHANNEL, USERS, FILES, ADD, LAST };

static const struct http_route ROUTES[] = {
	{HTTP_GET, UP, SLICE_INIT("/up")},
	{HTTP_POST, EVENTS, SLICE_INIT("/apps/{}/events")},
	{HTTP_GET, CHANNELS, SLICE_INIT("/apps/{}/channels")},
	{HTTP_GET, CHANNEL, SLICE_INIT("/apps/{}/channels/{}")},
	{HTTP_GET, USERS, SLICE_INIT("/apps/{}/channels/{}/users")},
	{HTTP_POST, ADD, SLICE_INIT("/things/{}")},
	{HTTP_DELETE, LAST, SLICE_INIT("/things/{}")},
	{HTTP_GET, FILES, SLICE_INIT("/{*}")},
};

static struct http_match found;

static int find(enum http_method method, const char *path)
{
	switch (http_route_find(ROUTES, ARRAY_LEN(ROUTES), method, slice_str(path), &found)) {
	case HTTP_ROUTE_FOUND:
		return found.id;
	case HTTP_ROUTE_NO_PATH:
		return -404;
	case HTTP_ROUTE_NO_METHOD:
		return -405;
	}
	return 0;
}

static void assert_segment(unsigned i, const char *wanted)
{
	assert_true(i < found.count);
	assert_true(slice_eq(found.segments[i], slice_str(wanted)));
}

static void captures_segments_raw(void **state)
{
	(void)state;
	assert_int_equal(find(HTTP_GET, "/up"), UP);
	assert_int_equal(found.count, 0);
	assert_int_equal(find(HTTP_POST, "/apps/1/events"), EVENTS);
	assert_segment(0, "1");
	assert_int_equal(find(HTTP_GET, "/apps/a%2Fb/channels/presence-x%20"), CHANNEL);
	assert_int_equal(found.count, 2);
	assert_segment(0, "a%2Fb");
	assert_segment(1, "presence-x%20");
	assert_int_equal(find(HTTP_GET, "/apps/1/channels/c/users"), USERS);
}

static void the_first_row_that_fits(void **state)
{
	(void)state;
	assert_int_equal(find(HTTP_GET, "/apps/1/channels"), CHANNELS);
	assert_int_equal(find(HTTP_GET, "/other"), FILES);
	assert_segment(0, "other");
	assert_int_equal(find(HTTP_GET, "/"), FILES);
	assert_segment(0, "");
	assert_int_equal(find(HTTP_GET, "/a/b//c/"), FILES);
	assert_segment(0, "a/b//c/");
}

static void no_segment_is_empty_or_missing(void **state)
{
	(void)state;
	assert_int_equal(find(HTTP_GET, "/apps/1/channels/"), FILES);
	assert_int_equal(find(HTTP_GET, "/apps//channels"), FILES);
	assert_int_equal(find(HTTP_GET, "/up/"), FILES);
	assert_int_equal(find(HTTP_GET, "/Up"), FILES);
	assert_int_equal(find(HTTP_GET, "/%75p"), FILES); /* a fixed segment is compared raw */
}

static void head_is_a_get_without_its_body(void **state)
{
	(void)state;
	assert_int_equal(find(HTTP_HEAD, "/up"), UP);
	assert_int_equal(find(HTTP_HEAD, "/x"), FILES);
}

static void other_methods_learn_what_is_allowed(void **state)
{
	(void)state;
	assert_int_equal(find(HTTP_POST, "/up"), -405);
	assert_string_equal(found.allow, "GET, HEAD");
	assert_int_equal(found.count, 0);
	assert_int_equal(find(HTTP_OTHER, "/things/1"), -405);
	assert_string_equal(found.allow, "GET, HEAD, POST, DELETE");
	assert_int_equal(find(HTTP_PATCH, "/x"), -405);
	assert_string_equal(found.allow, "GET, HEAD");
}

static void no_path(void **state)
{
	struct http_match m;

	(void)state;
	assert_int_equal(http_route_find(ROUTES, 2, HTTP_GET, SLICE("/x"), &m), HTTP_ROUTE_NO_PATH);
	assert_int_equal(http_route_find(ROUTES, 2, HTTP_GET, SLICE("/apps/1/events/x"), &m),
			 HTTP_ROUTE_NO_PATH);
	assert_int_equal(http_route_find(ROUTES, 0, HTTP_GET, SLICE("/up"), &m),
			 HTTP_ROUTE_NO_PATH);
}

static void the_allow_line_has_room_for_all(void **state)
{
	struct http_route all[HTTP_OTHER];
	struct http_match m;

	(void)state;
	for (unsigned i = 0; i < HTTP_OTHER; i++)
		all[i] = (struct http_route){(enum http_method)i, 1, SLICE_INIT("/x")};
	assert_int_equal(http_route_find(all, HTTP_OTHER, HTTP_OTHER, SLICE("/x"), &m),
			 HTTP_ROUTE_NO_METHOD);
	assert_string_equal(m.allow, "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(captures_segments_raw),
		cmocka_unit_test(the_first_row_that_fits),
		cmocka_unit_test(no_segment_is_empty_or_missing),
		cmocka_unit_test(head_is_a_get_without_its_body),
		cmocka_unit_test(other_methods_learn_what_is_allowed),
		cmocka_unit_test(no_path),
		cmocka_unit_test(the_allow_line_has_room_for_all),
	};

	return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
