#include "worker/pusher/encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/limits.h"
#include "common/json/scan.h"

static struct buf out;

static int setup(void **state)
{
	(void)state;
	buf_init(&out, LIMIT_FRAME);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_done(&out);
	return 0;
}

static void is_out(const char *want)
{
	struct json_value root;

	assert_true(buf_ok(&out));
	assert_int_equal(out.n, strlen(want));
	assert_memory_equal(out.p, want, out.n);
	assert_true(json_scan(buf_slice(&out), &root));
	buf_clear(&out);
}

static void test_events(void **state)
{
	(void)state;
	pusher_encode_event(&out, SLICE("price"), SLICE("cache-btc"), SLICE("{\"v\":1}"),
			    SLICE_NONE);
	is_out("{\"event\":\"price\",\"channel\":\"cache-btc\",\"data\":\"{\\\"v\\\":1}\"}");
	pusher_encode_event(&out, SLICE("client-typing"), SLICE("presence-chat.1"),
			    SLICE("{\"on\":true}"), SLICE("7"));
	is_out("{\"event\":\"client-typing\",\"channel\":\"presence-chat.1\","
	       "\"data\":\"{\\\"on\\\":true}\",\"user_id\":\"7\"}");
	pusher_encode_event(&out, SLICE("pusher:pong"), SLICE_NONE, SLICE("{}"), SLICE_NONE);
	is_out("{\"event\":\"pusher:pong\",\"data\":\"{}\"}");
	pusher_encode_event(&out, SLICE("App\\Events\\X"), SLICE("a"), SLICE(""), SLICE_NONE);
	is_out("{\"event\":\"App\\\\Events\\\\X\",\"channel\":\"a\",\"data\":\"\"}");
}

static void test_established(void **state)
{
	(void)state;
	pusher_encode_established(&out, SLICE("1234567.89012345"), 30);
	is_out("{\"event\":\"pusher:connection_established\",\"data\":\"{\\\"socket_id\\\":"
	       "\\\"1234567.89012345\\\",\\\"activity_timeout\\\":30}\"}");
}

static void test_errors(void **state)
{
	(void)state;
	pusher_encode_error(&out, 4301, SLICE("Client event rejected"), SLICE_NONE);
	is_out("{\"event\":\"pusher:error\",\"data\":{\"code\":4301,"
	       "\"message\":\"Client event rejected\"}}");
	pusher_encode_error(&out, 0, SLICE("Unsupported event received on socket: "),
			    SLICE("a\"b"));
	is_out("{\"event\":\"pusher:error\",\"data\":{\"code\":null,"
	       "\"message\":\"Unsupported event received on socket: a\\\"b\"}}");
	pusher_encode_subscription_error(&out, SLICE("private-a"), SLICE("AuthError"),
					 SLICE("The connection is unauthorized."), 401);
	is_out("{\"event\":\"pusher:subscription_error\",\"channel\":\"private-a\",\"data\":"
	       "\"{\\\"type\\\":\\\"AuthError\\\",\\\"error\\\":\\\"The connection is "
	       "unauthorized.\\\",\\\"status\\\":401}\"}");
}

/* What a client made up comes back shortened in texts, but never cut inside a character. */
static void test_long_names_are_shortened(void **state)
{
	char name[1024];
	struct json_value root;

	(void)state;
	name[0] = 'x';
	for (size_t i = 1; i + 1 < sizeof(name); i += 2)
		memcpy(name + i, "\xC3\xA9", 2);
	pusher_encode_error(&out, 0, SLICE("Invalid channel name: "), slice_of(name, 1023));
	assert_true(json_scan(buf_slice(&out), &root));
	assert_true(out.n < 400);
	buf_clear(&out);
	pusher_encode_subscription_error(&out, slice_of(name, 1023), SLICE("t"), SLICE("e"), 1);
	assert_true(json_scan(buf_slice(&out), &root));
	assert_true(out.n > 1023);
	buf_clear(&out);
	pusher_encode_subscription_error(&out, SLICE(""), SLICE("t"), SLICE("e"), 1);
	is_out("{\"event\":\"pusher:subscription_error\",\"channel\":\"\",\"data\":"
	       "\"{\\\"type\\\":\\\"t\\\",\\\"error\\\":\\\"e\\\",\\\"status\\\":1}\"}");
}

static void test_subscribed(void **state)
{
	(void)state;
	pusher_encode_subscribed(&out, SLICE("private-a"));
	is_out("{\"event\":\"pusher_internal:subscription_succeeded\",\"channel\":\"private-a\","
	       "\"data\":\"{}\"}");
	pusher_encode_cache_miss(&out, SLICE("cache-x"));
	is_out("{\"event\":\"pusher:cache_miss\",\"channel\":\"cache-x\",\"data\":\"{}\"}");
}

static void test_members(void **state)
{
	struct slice room = SLICE("presence-\"r");

	(void)state;
	pusher_encode_member_added(&out, room, SLICE("7"), SLICE("{\"n\":\"Z\"}"));
	is_out("{\"event\":\"pusher_internal:member_added\",\"channel\":\"presence-\\\"r\","
	       "\"data\":"
	       "\"{\\\"user_id\\\":\\\"7\\\",\\\"user_info\\\":{\\\"n\\\":\\\"Z\\\"}}\"}");
	pusher_encode_member_added(&out, room, SLICE("\"\n"), SLICE_NONE);
	is_out("{\"event\":\"pusher_internal:member_added\",\"channel\":\"presence-\\\"r\","
	       "\"data\":"
	       "\"{\\\"user_id\\\":\\\"\\\\\\\"\\\\n\\\",\\\"user_info\\\":null}\"}");
	pusher_encode_member_removed(&out, room, SLICE("7"));
	is_out("{\"event\":\"pusher_internal:member_removed\",\"channel\":\"presence-\\\"r\","
	       "\"data\":\"{\\\"user_id\\\":\\\"7\\\"}\"}");
}

static void test_a_snapshot(void **state)
{
	(void)state;
	pusher_encode_snapshot_begin(&out, SLICE("presence-r"));
	pusher_encode_snapshot_id(&out, SLICE("7"));
	(void)buf_addc(&out, ',');
	pusher_encode_snapshot_id(&out, SLICE("a\\"));
	(void)buf_add(&out, PUSHER_SNAPSHOT_HASH);
	pusher_encode_snapshot_entry(&out, SLICE("7"), SLICE("\"x\""));
	(void)buf_addc(&out, ',');
	pusher_encode_snapshot_entry(&out, SLICE("a\\"), SLICE_NONE);
	pusher_encode_snapshot_end(&out, 2);
	is_out("{\"event\":\"pusher_internal:subscription_succeeded\",\"channel\":\"presence-r\","
	       "\"data\":\"{\\\"presence\\\":{\\\"ids\\\":[\\\"7\\\",\\\"a\\\\\\\\\\\"],"
	       "\\\"hash\\\":{\\\"7\\\":\\\"x\\\",\\\"a\\\\\\\\\\\":null},\\\"count\\\":2}}\"}");
}

static void test_signed_in(void **state)
{
	(void)state;
	pusher_encode_signed_in(&out, SLICE("{\"id\":\"1\"}"));
	is_out("{\"event\":\"pusher:signin_success\",\"data\":\"{\\\"user_data\\\":"
	       "\\\"{\\\\\\\"id\\\\\\\":\\\\\\\"1\\\\\\\"}\\\"}\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_established, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_names_are_shortened, setup, teardown),
		cmocka_unit_test_setup_teardown(test_subscribed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_members, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_snapshot, setup, teardown),
		cmocka_unit_test_setup_teardown(test_signed_in, setup, teardown),
	};

	return cmocka_run_group_tests_name("encode", tests, NULL, NULL);
}
