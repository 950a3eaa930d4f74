#include "worker/api/events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/api_fakes.h"
#include "worker/api/channels.h"

static struct fake_client *c;

static int setup(void **state)
{
	(void)state;
	api_fakes_begin(NULL);
	c = fake_connect();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	api_fakes_end();
	return 0;
}

static void post(const char *path, const char *body)
{
	fake_http(c, "POST", fake_signed("POST", path, "", body), "", body);
}

static void get(const char *path, const char *params)
{
	fake_http(c, "GET", fake_signed("GET", path, params, ""), "", NULL);
}

#define EVENTS "/apps/app/events"
#define BATCH "/apps/app/batch_events"

static struct wire_publish published(void)
{
	struct wire_publish p;

	assert_true(wire_decode_publish(fake_question(WIRE_PUBLISH), &p));
	return p;
}

static void expect_channels(struct slice list, const char *want)
{
	struct slice item;
	char text[512] = "";

	while (wire_list_next(&list, &item)) {
		size_t n = strlen(text);

		(void)snprintf(text + n, sizeof(text) - n, "%.*s|", SLICE_ARG(item));
	}
	assert_string_equal(text, want);
}

/* ---- one event ---- */

static void test_an_event(void **state)
{
	struct wire_publish p;

	(void)state;
	post(EVENTS,
	     "{\"name\":\"App\\\\Events\\\\Sent\",\"data\":\"{\\\"x\\\":\\\"\\u00e9/\\\"}\","
	     "\"channels\":[\"a\",\"b\",\"a\"],\"socket_id\":\"1.2\",\"more\":[]}");
	expect_no_answer(c);
	p = published();
	assert_true(slice_eq(p.event, SLICE("App\\Events\\Sent")));
	assert_true(slice_eq(p.data, SLICE("{\"x\":\"\xC3\xA9/\"}")));
	assert_true(slice_eq(p.socket_id, SLICE("1.2")));
	assert_int_equal(p.info, 0);
	expect_channels(p.channels, "a|b|");
	fake_reply(200, 0, "");
	expect_answer(c, 200, "{}");

	post(EVENTS, "{\"name\":\"e\",\"data\":\"\",\"channel\":\"#server-to-user-7\","
		     "\"socket_id\":null,\"info\":\"user_count,subscription_count,later\"}");
	p = published();
	assert_int_equal(p.info, WIRE_INFO_USER_COUNT | WIRE_INFO_SUBSCRIPTION_COUNT);
	expect_channels(p.channels, "#server-to-user-7|");
	fake_reply(200, 0, "{\"channels\":{}}");
	expect_answer(c, 200, "{\"channels\":{}}");
}

static void test_an_event_in_the_query(void **state)
{
	struct wire_publish p;

	(void)state;
	fake_http(c, "POST",
		  fake_signed("POST", EVENTS,
			      "channels[]=a&channels[]=b&data=%7B%7D&info=cache&name=my+event", ""),
		  "", NULL);
	p = published();
	assert_true(slice_eq(p.event, SLICE("my event")));
	assert_true(slice_eq(p.data, SLICE("{}")));
	assert_int_equal(p.info, WIRE_INFO_CACHE);
	expect_channels(p.channels, "a|b|");
}

static void test_events_that_are_refused(void **state)
{
	static const struct {
		const char *body;
		unsigned status;
		const char *why;
	} rows[] = {
		{"{", 400, "not valid JSON"},
		{"[]", 400, "must be a JSON object"},
		{"{\"data\":\"\",\"channel\":\"a\"}", 400, "Missing parameter: name"},
		{"{\"name\":7,\"data\":\"\",\"channel\":\"a\"}", 400, "must be a string: name"},
		{"{\"name\":\"\",\"data\":\"\",\"channel\":\"a\"}", 400, "name is empty"},
		{"{\"name\":\"e\",\"channel\":\"a\"}", 400, "Missing parameter: data"},
		{"{\"name\":\"e\",\"data\":{},\"channel\":\"a\"}", 400, "must be a JSON string"},
		{"{\"name\":\"e\",\"data\":null,\"channel\":\"a\"}", 400, "must be a JSON string"},
		{"{\"name\":\"e\",\"data\":\"\"}", 400, "Missing parameter: channels"},
		{"{\"name\":\"e\",\"data\":\"\",\"channels\":[]}", 400, "Missing parameter"},
		{"{\"name\":\"e\",\"data\":\"\",\"channels\":\"a\"}", 400, "array of strings"},
		{"{\"name\":\"e\",\"data\":\"\",\"channels\":[1]}", 400, "array of strings"},
		{"{\"name\":\"e\",\"data\":\"\",\"channel\":[\"a\"]}", 400, "must be a string"},
		{"{\"name\":\"e\",\"data\":\"\",\"channel\":\"a b\"}", 400,
		 "Invalid channel name: a b"},
		{"{\"name\":\"e\",\"data\":\"\",\"channel\":\"#x\"}", 400, "Invalid channel name"},
		{"{\"name\":\"e\",\"data\":\"\",\"channel\":\"a\",\"socket_id\":\"x\"}", 400,
		 "Invalid socket id"},
		{"{\"name\":\"e\",\"data\":\"\",\"channel\":\"a\",\"socket_id\":1.2}", 400,
		 "must be a string: socket_id"},
		{"{\"name\":\"e\",\"data\":\"\",\"channel\":\"a\",\"info\":[]}", 400,
		 "must be a string: info"},
		{"{\"name\":\"pusher:e\",\"data\":\"\",\"channel\":\"a\"}", 400, "reserved"},
		{"{\"name\":\"pusher_internal:e\",\"data\":\"\",\"channel\":\"a\"}", 400,
		 "reserved"},
		{"{\"name\":\"e\",\"name\":\"f\",\"data\":\"\",\"channel\":\"a\"}", 400, "twice"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fake_answer a;

		post(EVENTS, rows[i].body);
		a = fake_answer(c);
		if (a.status != rows[i].status || strstr(a.body, rows[i].why) == NULL)
			fail_msg("%s: %u %s", rows[i].body, a.status, a.body);
		assert_non_null(strstr(a.head, "Content-Type: text/plain"));
	}
	expect_no_question();
}

/* The body of an event with n bytes of data, n of the name, or n channels. */
static const char *sized(size_t data, size_t name, size_t channels)
{
	static struct buf b;

	buf_done(&b);
	buf_init(&b, 1 << 20);
	assert_true(buf_add(&b, SLICE("{\"name\":\"")));
	for (size_t i = 0; i < name; i++)
		assert_true(buf_add(&b, SLICE("\xC3\xA9")));
	assert_true(buf_add(&b, SLICE("\",\"data\":\"")));
	for (size_t i = 0; i < data; i++)
		assert_true(buf_add(&b, SLICE("\\\"")));
	assert_true(buf_add(&b, SLICE("\",\"channels\":[")));
	for (size_t i = 0; i < channels; i++)
		assert_true(buf_printf(&b, "%s\"c%zu\"", i > 0 ? "," : "", i));
	assert_true(buf_add(&b, SLICE("]}")));
	return buf_cstr(&b);
}

static void test_limits_of_events(void **state)
{
	(void)state;
	post(EVENTS, sized(10240, 200, 100));
	(void)published();
	fake_reply(200, 0, "");
	expect_answer(c, 200, "{}");
	post(EVENTS, sized(10241, 1, 1));
	expect_answer(c, 413,
		      "The data content of this event exceeds the allowed maximum (10240 bytes).");
	post(EVENTS, sized(1, 201, 1));
	assert_int_equal(fake_answer(c).status, 400);
	post(EVENTS, sized(1, 1, 101));
	expect_answer(c, 400, "Too many channels for one event");
	expect_no_question();
}

static void test_who_may_publish(void **state)
{
	const char *body = "{\"name\":\"e\",\"data\":\"\",\"channel\":\"a\"}";

	(void)state;
	post("/apps/none/events", body);
	expect_answer(c, 404, "Unknown app_id");
	fake_http(c, "POST", EVENTS, "", body);
	expect_answer(c, 401, "Unknown auth_key");
	fake_http(c, "POST", fake_signed("POST", EVENTS, "", "other"), "", body);
	expect_answer(c, 401, "Invalid body_md5");
	fake_http(c, "POST", fake_signed("PUT", EVENTS, "", body), "", body);
	assert_int_equal(fake_answer(c).status, 401);
	fake_worker->chat_app->enabled = false;
	post(EVENTS, body);
	expect_answer(c, 403, "The application is disabled");
	expect_no_question();
}

/* The window of ten minutes moves with the clock. */
static void test_the_wall_clock_steps(void **state)
{
	static const int64_t steps[] = {590, 20, -1220, 610};
	static const unsigned wanted[] = {200, 401, 401, 200};
	const char *body = "{\"name\":\"e\",\"data\":\"\",\"channel\":\"a\"}";
	const char *target = fake_signed("POST", EVENTS, "", body);

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(steps); i++) {
		clock_wall_step(steps[i] * 1000000);
		fake_http(c, "POST", target, "", body);
		if (wanted[i] == 200) {
			(void)published();
			fake_reply(200, 0, "");
			expect_answer(c, 200, "{}");
		} else {
			assert_int_equal(fake_answer(c).status, 401);
		}
	}
	expect_no_question();
}

static void test_what_the_broker_says(void **state)
{
	const char *body = "{\"name\":\"e\",\"data\":\"\",\"channel\":\"a\"}";
	struct fake_answer a;

	(void)state;
	post(EVENTS, body);
	(void)published();
	fake_reply(503, 3, "The server cannot do this at the moment");
	a = fake_answer(c);
	assert_int_equal(a.status, 503);
	assert_non_null(strstr(a.head, "Retry-After: 3"));
	assert_string_equal(a.body, "The server cannot do this at the moment");
	fake_broker_full = true;
	post(EVENTS, body);
	a = fake_answer(c);
	assert_int_equal(a.status, 503);
	assert_non_null(strstr(a.head, "Retry-After: 1"));
}

static void test_a_client_that_left(void **state)
{
	(void)state;
	post(EVENTS, "{\"name\":\"e\",\"data\":\"\",\"channel\":\"a\"}");
	fake_hang_up(c);
	(void)published();
	fake_reply(200, 0, "");
}

/* ---- batches ---- */

#define ONE(channel, more) "{\"name\":\"e\",\"data\":\"d\",\"channel\":\"" channel "\"" more "}"

static void test_a_batch(void **state)
{
	(void)state;
	post(BATCH, "{\"batch\":[" ONE("a", "") "," ONE("b", "") "]}");
	expect_channels(published().channels, "a|");
	fake_reply(200, 0, "");
	expect_no_answer(c);
	expect_channels(published().channels, "b|");
	fake_reply(200, 0, "{}");
	expect_answer(c, 200, "{}");

	post(BATCH, "{\"batch\":[" ONE("a", "") "," ONE(
			    "b", ",\"info\":\"subscription_count\"") "," ONE("c", "") "]}");
	(void)published();
	fake_reply(200, 0, "");
	assert_int_equal(published().info, WIRE_INFO_SUBSCRIPTION_COUNT);
	fake_reply(200, 0, "{\"channels\":{\"b\":{\"subscription_count\":13}}}");
	(void)published();
	fake_reply(200, 0, "{}");
	expect_answer(c, 200, "{\"batch\":[{},{\"subscription_count\":13},{}]}");
	post(BATCH, "{\"batch\":[]}");
	expect_answer(c, 200, "{}");
}

static void test_batches_that_are_refused(void **state)
{
	static const char *const bodies[] = {
		"{",
		"{}",
		"{\"batch\":{}}",
		"{\"batch\":[1]}",
		"{\"batch\":[" ONE("a", "") ",{}]}",
		"{\"batch\":[" ONE("a", "") "," ONE("a b", "") "]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		post(BATCH, bodies[i]);
		assert_int_equal(fake_answer(c).status, 400);
	}
	fake_conf()->limits.max_batch = 2;
	post(BATCH, "{\"batch\":[" ONE("a", "") "," ONE("b", "") "," ONE("c", "") "]}");
	expect_answer(c, 400, "Too many events in one batch");
	expect_no_question(); /* all or nothing */
}

static void test_a_batch_that_fails(void **state)
{
	(void)state;
	post(BATCH, "{\"batch\":[" ONE("a", "") "," ONE("b", "") "]}");
	(void)published();
	fake_reply(503, 1, "Away");
	(void)published();
	fake_reply(200, 0, "");
	expect_answer(c, 503, "Away");
	fake_broker_full = true;
	post(BATCH, "{\"batch\":[" ONE("a", "") "]}");
	assert_int_equal(fake_answer(c).status, 503);
}

/* ---- questions ---- */

static struct wire_query queried(void)
{
	struct wire_query q;

	assert_true(wire_decode_query(fake_question(WIRE_QUERY), &q));
	return q;
}

static void test_channels(void **state)
{
	struct wire_query q;

	(void)state;
	get("/apps/app/channels", "");
	assert_int_equal(queried().what, WIRE_QUERY_CHANNELS);
	fake_reply(200, 0, "{\"channels\":{}}");
	expect_answer(c, 200, "{\"channels\":{}}");
	get("/apps/app/channels", "filter_by_prefix=presence-%2C&info=user_count");
	q = queried();
	assert_true(slice_eq(q.prefix, SLICE("presence-,")));
	assert_int_equal(q.info, WIRE_INFO_USER_COUNT);
	get("/apps/app/channels/presence-a%2Cb", "info=user_count,subscription_count");
	q = queried();
	assert_int_equal(q.what, WIRE_QUERY_CHANNEL);
	assert_true(slice_eq(q.channel, SLICE("presence-a,b")));
	assert_int_equal(q.info, WIRE_INFO_USER_COUNT | WIRE_INFO_SUBSCRIPTION_COUNT);
}

static void test_users_and_connections(void **state)
{
	struct wire_query q;

	(void)state;
	get("/apps/app/channels/presence-a/users", "with_user_info=1");
	q = queried();
	assert_int_equal(q.what, WIRE_QUERY_USERS);
	assert_int_equal(q.info, WIRE_INFO_USER_INFO);
	fake_reply(200, 0, "{\"users\":[]}");
	expect_answer(c, 200, "{\"users\":[]}");
	get("/apps/app/connections", "");
	assert_int_equal(queried().what, WIRE_QUERY_CONNECTIONS);
}

static void test_questions_that_are_refused(void **state)
{
	static const struct {
		const char *path;
		const char *params;
	} rows[] = {
		{"/apps/app/channels", "info=user_count"},
		{"/apps/app/channels", "filter_by_prefix=private-&info=user_count"},
		{"/apps/app/channels", "info=cache"},
		{"/apps/app/channels", "info=nothing"},
		{"/apps/app/channels/a", "info=user_count"},
		{"/apps/app/channels/a", "info=cache"},
		{"/apps/app/channels/a", "info=x"},
		{"/apps/app/channels/a%20b", ""},
		{"/apps/app/channels/a/users", ""},
		{"/apps/app/channels/private-a/users", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		get(rows[i].path, rows[i].params);
		if (fake_answer(c).status != 400)
			fail_msg("%s?%s", rows[i].path, rows[i].params);
	}
	expect_no_question();
}

static void test_terminate(void **state)
{
	static const struct {
		const char *path;
		const char *user;
	} rows[] = {
		{"/apps/app/users/7/terminate_connections", "7"},
		{"/apps/app/users/u%201%2Fx/terminate_connections", "u 1/x"},
		{"/apps/app/users/a/b/terminate_connections", "a/b"},
	};
	struct wire_terminate t;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		post(rows[i].path, i == 0 ? "{}" : "");
		assert_true(wire_decode_terminate(fake_question(WIRE_TERMINATE), &t));
		assert_true(slice_eq(t.user_id, slice_str(rows[i].user)));
		fake_reply(200, 0, "{}");
		expect_answer(c, 200, "{}");
	}
	post("/apps/app/users/7/other", "");
	assert_int_equal(fake_answer(c).status, 404);
	post("/apps/app/users/terminate_connections", "");
	assert_int_equal(fake_answer(c).status, 404);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_an_event),
		TEST(test_an_event_in_the_query),
		TEST(test_events_that_are_refused),
		TEST(test_limits_of_events),
		TEST(test_who_may_publish),
		TEST(test_the_wall_clock_steps),
		TEST(test_what_the_broker_says),
		TEST(test_a_client_that_left),
		TEST(test_a_batch),
		TEST(test_batches_that_are_refused),
		TEST(test_a_batch_that_fails),
		TEST(test_channels),
		TEST(test_users_and_connections),
		TEST(test_questions_that_are_refused),
		TEST(test_terminate),
	};

	return cmocka_run_group_tests_name("api_events", tests, NULL, NULL);
}
