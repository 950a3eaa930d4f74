#include "worker/pusher/member.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/limits.h"
#include "common/base/macros.h"

static struct buf scratch;
static struct pusher_member member;
static struct pusher_user user;

static enum member_result decode(const char *text)
{
	buf_done(&scratch);
	buf_init(&scratch, 65536);
	return pusher_member_decode(slice_str(text), 1024, &scratch, &member);
}

static enum member_result decode_user(const char *text)
{
	buf_done(&scratch);
	buf_init(&scratch, 65536);
	return pusher_user_decode(slice_str(text), 1024, &scratch, &user);
}

static void test_ids(void **state)
{
	static const struct {
		const char *text;
		const char *id;
	} rows[] = {
		{"{\"user_id\":\"7\"}", "7"},
		{"{\"user_id\":7}", "7"},
		{"{\"user_id\":1.50}", "1.50"},
		{"{\"user_id\":12345678901234567890}", "12345678901234567890"},
		{"{\"user_id\":\"\\u00e9\\/\"} ", "\xC3\xA9/"},
		{"{\"user_id\":1,\"user_id\":\"2\"}", "2"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(decode(rows[i].text), MEMBER_OK);
		assert_true(slice_eq(member.user_id, slice_str(rows[i].id)));
	}
}

static void test_no_member(void **state)
{
	static const char *const bad[] = {
		"",
		"7",
		"[]",
		"{}",
		"{\"user_id\":\"\"}",
		"{\"user_id\":null}",
		"{\"user_id\":true}",
		"{\"user_id\":[]}",
		"{\"user_id\":{}}",
		"{\"user_id\":\"a\\u0000b\"}",
		"{\"user_id\":7",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(decode(bad[i]), MEMBER_BAD);
}

static void test_info_is_relayed_raw(void **state)
{
	(void)state;
	assert_int_equal(decode("{\"user_id\":1,\"user_info\": {\"n\":1.10, \"b\":\"\\/\"} }"),
			 MEMBER_OK);
	assert_true(slice_eq(member.user_info, SLICE("{\"n\":1.10, \"b\":\"\\/\"}")));
	assert_int_equal(decode("{\"user_id\":1,\"user_info\":true}"), MEMBER_OK);
	assert_true(slice_eq(member.user_info, SLICE("true")));
	assert_int_equal(decode("{\"user_id\":1,\"user_info\":null}"), MEMBER_OK);
	assert_int_equal(member.user_info.n, 0);
	assert_int_equal(decode("{\"user_id\":1}"), MEMBER_OK);
	assert_int_equal(member.user_info.n, 0);
}

static void test_limits(void **state)
{
	char text[2048];
	char fill[1024];

	(void)state;
	memset(fill, 'x', sizeof(fill));
	for (int n = LIMIT_USER_ID; n <= LIMIT_USER_ID + 1; n++) {
		(void)snprintf(text, sizeof(text), "{\"user_id\":\"%.*s\"}", n, fill);
		assert_int_equal(decode(text), n <= LIMIT_USER_ID ? MEMBER_OK : MEMBER_TOO_BIG);
	}
	/* the quotes count: 1022 and two are the 1024 that pass */
	for (int n = 1022; n <= 1023; n++) {
		(void)snprintf(text, sizeof(text), "{\"user_id\":1,\"user_info\":\"%.*s\"}", n,
			       fill);
		assert_int_equal(decode(text), n == 1022 ? MEMBER_OK : MEMBER_TOO_BIG);
	}
}

static void test_users(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"id\":7}",
		"{\"id\":\"\"}",
		"{\"id\":\"a b\"}",
		"{\"id\":\"a:b\"}",
		"{\"id\":\"1\",\"watchlist\":{}}",
		"{\"id\":\"1\",\"watchlist\":[\"2\",3]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(decode_user(bad[i]), MEMBER_BAD);
	assert_int_equal(decode_user("{\"id\":\"7\",\"user_info\":{\"name\":\"Z\"},"
				     "\"watchlist\":[\"8\",\"9\"]}"),
			 MEMBER_OK);
	assert_true(slice_eq(user.id, SLICE("7")));
	assert_true(slice_eq(user.user_info, SLICE("{\"name\":\"Z\"}")));
	assert_int_equal(user.watched, 2);
	assert_int_equal(decode_user("{\"id\":\"7\",\"watchlist\":null}"), MEMBER_OK);
	assert_int_equal(user.watched, 0);
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
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_no_member),
		cmocka_unit_test(test_info_is_relayed_raw),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_users),
	};

	return cmocka_run_group_tests_name("member", tests, NULL, done);
}
