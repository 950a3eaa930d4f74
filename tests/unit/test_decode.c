#include "worker/pusher/decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/base/macros.h"

static struct buf scratch;
static struct pusher_cmd cmd;
static enum pusher_error_id error;

static bool decode(const char *text)
{
	buf_done(&scratch);
	buf_init(&scratch, PUSHER_SCRATCH(65536));
	return pusher_decode(slice_str(text), &scratch, &cmd, &error);
}

static void is_text(struct slice s, const char *want)
{
	assert_non_null(s.p);
	assert_int_equal(s.n, strlen(want));
	assert_memory_equal(s.p, want, s.n);
}

static void test_what_clients_send(void **state)
{
	(void)state;
	assert_true(decode("{\"event\":\"pusher:subscribe\",\"data\":{\"auth\":\"\","
			   "\"channel\":\"chat\"}}"));
	assert_int_equal(cmd.kind, PUSHER_CMD_SUBSCRIBE);
	is_text(cmd.channel, "chat");
	is_text(cmd.auth, "");
	assert_null(cmd.channel_data.p);

	assert_true(decode("{\"event\":\"pusher:subscribe\",\"data\":{\"auth\":\"KEY:sig\","
			   "\"channel_data\":\"{\\\"user_id\\\":\\\"1\\\\/\\\"}\","
			   "\"channel\":\"presence-a\"}}"));
	is_text(cmd.channel, "presence-a");
	is_text(cmd.auth, "KEY:sig");
	is_text(cmd.channel_data, "{\"user_id\":\"1\\/\"}");

	assert_true(decode("{\"event\":\"pusher:unsubscribe\",\"data\":{\"channel\":\"a\"}}"));
	assert_int_equal(cmd.kind, PUSHER_CMD_UNSUBSCRIBE);
	is_text(cmd.channel, "a");

	assert_true(decode("{\"event\":\"pusher:signin\",\"data\":{\"auth\":\"KEY:sig\","
			   "\"user_data\":\"{\\\"id\\\":\\\"1\\\"}\"}}"));
	assert_int_equal(cmd.kind, PUSHER_CMD_SIGNIN);
	is_text(cmd.auth, "KEY:sig");
	is_text(cmd.user_data, "{\"id\":\"1\"}");
}

static void test_pings_carry_anything(void **state)
{
	static const char *const pings[] = {"{\"event\":\"pusher:ping\",\"data\":{}}",
					    "{\"event\":\"pusher:ping\"}",
					    "{\"data\":null,\"event\":\"pusher:ping\"}",
					    " { \"event\" : \"pusher:ping\" , \"data\" : 7 } "};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pings); i++) {
		assert_true(decode(pings[i]));
		assert_int_equal(cmd.kind, PUSHER_CMD_PING);
		assert_true(pusher_is_ping(slice_str(pings[i])));
	}
	assert_true(decode("{\"event\":\"pusher:pong\",\"data\":\"x\"}"));
	assert_int_equal(cmd.kind, PUSHER_CMD_PONG);
	assert_false(pusher_is_ping(SLICE("{\"event\":\"pusher:pong\"}")));
	assert_false(pusher_is_ping(SLICE("pusher:ping")));
}

static void test_control_data_may_be_encoded_twice(void **state)
{
	(void)state;
	assert_true(decode("{\"event\":\"pusher:subscribe\",\"data\":"
			   "\"{\\\"channel\\\":\\\"presence-a\\\",\\\"auth\\\":\\\"k:s\\\","
			   "\\\"channel_data\\\":\\\"{\\\\\\\"user_id\\\\\\\":7}\\\"}\"}"));
	is_text(cmd.channel, "presence-a");
	is_text(cmd.auth, "k:s");
	is_text(cmd.channel_data, "{\"user_id\":7}");
	/* but only once */
	assert_false(decode("{\"event\":\"pusher:subscribe\",\"data\":"
			    "\"\\\"{\\\\\\\"channel\\\\\\\":\\\\\\\"a\\\\\\\"}\\\"\"}"));
}

static void test_absent_and_null_are_the_same(void **state)
{
	(void)state;
	assert_true(decode("{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"a\","
			   "\"auth\":null,\"channel_data\":null}}"));
	assert_null(cmd.auth.p);
	assert_null(cmd.channel_data.p);
	assert_false(cmd.channel_data_wrong);
	assert_true(decode("{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"a\","
			   "\"auth\":7,\"channel_data\":{\"user_id\":1}}}"));
	assert_null(cmd.auth.p);
	assert_true(cmd.channel_data_wrong);
}

static void test_client_events_relay_data(void **state)
{
	static const struct {
		const char *data;
		const char *want;
	} rows[] = {
		{",\"data\":{\"k\":\"\\u00e9\\/\"}", "{\"k\":\"\\u00e9\\/\"}"},
		{",\"data\":\"str\"", "str"},
		{",\"data\":\"a\\\"b\\n\"", "a\"b\n"},
		{",\"data\":\"\"", ""},
		{",\"data\":0", "0"},
		{",\"data\": [1.10, 12345678901234567890] ", "[1.10, 12345678901234567890]"},
		{",\"data\":null", "null"},
		{"", "null"},
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		(void)snprintf(text, sizeof(text),
			       "{\"event\":\"client-x\",\"channel\":\"private-a\","
			       "\"user_id\":\"forged\"%s}",
			       rows[i].data);
		assert_true(decode(text));
		assert_int_equal(cmd.kind, PUSHER_CMD_CLIENT_EVENT);
		is_text(cmd.event, "client-x");
		is_text(cmd.channel, "private-a");
		is_text(cmd.data, rows[i].want);
	}
}

static void test_the_last_of_two_names_wins(void **state)
{
	(void)state;
	assert_true(decode("{\"event\":\"pusher:ping\",\"event\":\"client-x\",\"channel\":\"a\","
			   "\"channel\":\"b\"}"));
	assert_int_equal(cmd.kind, PUSHER_CMD_CLIENT_EVENT);
	is_text(cmd.channel, "b");
	/* names count after their escapes */
	assert_true(decode("{\"\\u0065vent\":\"pusher:\\u0070ing\"}"));
	assert_int_equal(cmd.kind, PUSHER_CMD_PING);
}

static void test_errors(void **state)
{
	static const struct {
		const char *text;
		enum pusher_error_id error;
	} rows[] = {
		{"", PUSHER_ERR_MALFORMED},
		{"x", PUSHER_ERR_MALFORMED},
		{"[]", PUSHER_ERR_MALFORMED},
		{"{}", PUSHER_ERR_MALFORMED},
		{"{\"event\":7}", PUSHER_ERR_MALFORMED},
		{"{\"event\":\"pusher:ping\"", PUSHER_ERR_MALFORMED},
		{"{\"event\":\"pusher:ping\"}x", PUSHER_ERR_MALFORMED},
		{"{\"event\":\"pusher:error\"}", PUSHER_ERR_UNSUPPORTED},
		{"{\"event\":\"hello\",\"channel\":\"private-a\"}", PUSHER_ERR_UNSUPPORTED},
		{"{\"event\":\"\"}", PUSHER_ERR_UNSUPPORTED},
		{"{\"event\":\"pusher:subscribe\"}", PUSHER_ERR_NO_CHANNEL},
		{"{\"event\":\"pusher:subscribe\",\"data\":{}}", PUSHER_ERR_NO_CHANNEL},
		{"{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":7}}",
		 PUSHER_ERR_NO_CHANNEL},
		{"{\"event\":\"pusher:subscribe\",\"data\":\"x\"}", PUSHER_ERR_NO_CHANNEL},
		{"{\"event\":\"pusher:unsubscribe\",\"data\":[]}", PUSHER_ERR_NO_CHANNEL},
		{"{\"event\":\"client-x\",\"data\":1}", PUSHER_ERR_EVENT_NO_CHANNEL},
		{"{\"event\":\"client-x\",\"channel\":null}", PUSHER_ERR_EVENT_NO_CHANNEL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_false(decode(rows[i].text));
		assert_int_equal(error, rows[i].error);
	}
	assert_false(decode("{\"event\":\"hel\\u006co\"}"));
	is_text(cmd.event, "hello");
}

static void test_signin_without_parts(void **state)
{
	(void)state;
	assert_true(decode("{\"event\":\"pusher:signin\"}"));
	assert_null(cmd.auth.p);
	assert_null(cmd.user_data.p);
	assert_true(decode("{\"event\":\"pusher:signin\",\"data\":{\"auth\":\"a\","
			   "\"user_data\":{\"id\":\"1\"}}}"));
	is_text(cmd.auth, "a");
	assert_null(cmd.user_data.p);
}

static int done(void **state)
{
	(void)state;
	buf_done(&scratch);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_clients_send),
		cmocka_unit_test(test_pings_carry_anything),
		cmocka_unit_test(test_control_data_may_be_encoded_twice),
		cmocka_unit_test(test_absent_and_null_are_the_same),
		cmocka_unit_test(test_client_events_relay_data),
		cmocka_unit_test(test_the_last_of_two_names_wins),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_signin_without_parts),
	};

	return cmocka_run_group_tests_name("decode", tests, NULL, done);
}
