#include "worker/pusher/channel_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/base/limits.h"
#include "common/base/macros.h"

static enum channel_name_result check(const char *name, enum channel_kind *ret_kind)
{
	return channel_name_check(slice_str(name), LIMIT_CHANNEL_NAME, ret_kind);
}

static void test_longest_prefix_wins(void **state)
{
	static const struct {
		const char *name;
		enum channel_kind kind;
	} rows[] = {
		{"news", CHANNEL_PUBLIC},
		{"privateer", CHANNEL_PUBLIC},
		{"presence", CHANNEL_PUBLIC},
		{"my-private-x", CHANNEL_PUBLIC},
		{"Private-x", CHANNEL_PUBLIC},
		{"cache-x", CHANNEL_CACHE},
		{"caches", CHANNEL_PUBLIC},
		{"private-", CHANNEL_PRIVATE},
		{"private-a", CHANNEL_PRIVATE},
		{"private-encrypted", CHANNEL_PRIVATE},
		{"private-encrypted-a", CHANNEL_ENCRYPTED},
		{"private-encrypted-cache-a", CHANNEL_ENCRYPTED_CACHE},
		{"private-cache-a", CHANNEL_PRIVATE_CACHE},
		{"presence-a", CHANNEL_PRESENCE},
		{"presence-presence-a", CHANNEL_PRESENCE},
		{"presence-cache-a", CHANNEL_PRESENCE_CACHE},
		{"#server-to-user-7", CHANNEL_TO_USER},
	};
	enum channel_kind kind;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(check(rows[i].name, &kind), CHANNEL_NAME_OK);
		assert_int_equal(kind, rows[i].kind);
	}
}

static void test_every_byte_is_judged(void **state)
{
	static const char legal[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-=@,.;";
	enum channel_kind kind;

	(void)state;
	for (int c = 0; c < 256; c++) {
		char name[2] = {'a', (char)c};
		bool ok = c != 0 && strchr(legal, c) != NULL;

		assert_int_equal(channel_name_check(slice_of(name, 2), 200, &kind),
				 ok ? CHANNEL_NAME_OK : CHANNEL_NAME_BAD);
	}
	assert_int_equal(check("", &kind), CHANNEL_NAME_BAD);
	assert_int_equal(check("#private-x", &kind), CHANNEL_NAME_BAD);
	assert_int_equal(check("#server-to-user-", &kind), CHANNEL_NAME_BAD);
	assert_int_equal(check("#server-to-user-a b", &kind), CHANNEL_NAME_BAD);
}

static void test_length(void **state)
{
	char name[LIMIT_CHANNEL_NAME + 1];
	enum channel_kind kind;

	(void)state;
	memset(name, 'a', sizeof(name));
	assert_int_equal(channel_name_check(slice_of(name, 200), 200, &kind), CHANNEL_NAME_OK);
	assert_int_equal(channel_name_check(slice_of(name, 201), 200, &kind),
			 CHANNEL_NAME_TOO_LONG);
	assert_int_equal(channel_name_check(slice_of(name, 10), 10, &kind), CHANNEL_NAME_OK);
	assert_int_equal(channel_name_check(slice_of(name, 11), 10, &kind), CHANNEL_NAME_TOO_LONG);
}

static void test_traits(void **state)
{
	(void)state;
	assert_true(channel_kind_is_authorised(CHANNEL_ENCRYPTED_CACHE));
	assert_true(channel_kind_is_authorised(CHANNEL_PRESENCE));
	assert_false(channel_kind_is_authorised(CHANNEL_CACHE));
	assert_false(channel_kind_is_authorised(CHANNEL_TO_USER));
	assert_true(channel_kind_is_presence(CHANNEL_PRESENCE_CACHE));
	assert_false(channel_kind_is_presence(CHANNEL_PRIVATE));
	assert_true(channel_kind_is_cache(CHANNEL_PRESENCE_CACHE));
	assert_false(channel_kind_is_cache(CHANNEL_PRESENCE));
}

static void test_user_ids(void **state)
{
	char id[LIMIT_USER_ID + 1];

	(void)state;
	memset(id, '1', sizeof(id));
	assert_true(user_id_is_name(slice_of(id, LIMIT_USER_ID)));
	assert_false(user_id_is_name(slice_of(id, LIMIT_USER_ID + 1)));
	assert_false(user_id_is_name(SLICE("")));
	assert_true(slice_eq(channel_name_user(SLICE("#server-to-user-7")), SLICE("7")));
}

static void test_socket_ids(void **state)
{
	static const char *const bad[] = {"",	  "1",	  "1.",	 ".1",	"1.2.3", "1.2 ",
					  " 1.2", "-1.2", "a.b", "1,2", "1.2\n"};

	(void)state;
	assert_true(socket_id_is_valid(SLICE("1.2")));
	assert_true(socket_id_is_valid(SLICE("1234567.89012345")));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(socket_id_is_valid(slice_str(bad[i])));
	assert_true(socket_id_is_valid(SLICE("1234567890123456789.12345678901234567890")));
	assert_false(socket_id_is_valid(SLICE("1234567890123456789.123456789012345678901")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_longest_prefix_wins),
		cmocka_unit_test(test_every_byte_is_judged),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_traits),
		cmocka_unit_test(test_user_ids),
		cmocka_unit_test(test_socket_ids),
	};

	return cmocka_run_group_tests_name("channel_name", tests, NULL, NULL);
}
