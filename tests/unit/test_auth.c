#include "worker/pusher/auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/base/macros.h"

#define KEY "278d425bdf160c739803"
#define SECRET "7ad3773142a6692b25b8"

static struct pusher_signer *signer_of(struct slice secret)
{
	return pusher_signer_new(SLICE(KEY), &secret, 1);
}

/* From Pusher's documentation and the tests of its server libraries. */
static void test_channel_vectors(void **state)
{
	static const struct {
		struct slice secret;
		struct slice socket_id;
		struct slice channel;
		struct slice data;
		struct slice auth;
	} rows[] = {
		{SLICE_INIT(SECRET),
		 SLICE_INIT("1234.1234"),
		 SLICE_INIT("private-foobar"),
		 {NULL, 0},
		 SLICE_INIT(KEY
			    ":58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4")},
		{SLICE_INIT(SECRET), SLICE_INIT("1234.1234"), SLICE_INIT("presence-foobar"),
		 SLICE_INIT("{\"user_id\":10,\"user_info\":{\"name\":\"Mr. Channels\"}}"),
		 SLICE_INIT(KEY
			    ":31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80")},
		{SLICE_INIT(SECRET), SLICE_INIT("1234.1234"), SLICE_INIT("presence-foobar"),
		 SLICE_INIT("{\"user_id\":10,\"user_info\":{\"name\":\"Mr. Pusher\"}}"),
		 SLICE_INIT(KEY
			    ":afaed3695da2ffd16931f457e338e6c9f2921fa133ce7dac49f529792be6304c")},
		{SLICE_INIT("thisisasecret"),
		 SLICE_INIT("1.1"),
		 SLICE_INIT("testing_pusher-php"),
		 {NULL, 0},
		 SLICE_INIT(KEY
			    ":751ccc12aeaa79d46f7c199bced5fa47527d3480b51fe61a0bd10438241bd52d")},
		{SLICE_INIT("thisisasecret"), SLICE_INIT("45055.28877557"),
		 SLICE_INIT("-azAZ9_=@,.;"), SLICE_INIT("{\"user_id\": \"123\"}"),
		 SLICE_INIT(KEY
			    ":3b3f1dcc4d7d2f95dd10ed05562397b3287b102d4cccfacbf30eed2f1ffa3d69")},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pusher_signer *s = signer_of(rows[i].secret);
		struct buf made;

		buf_init(&made, 200);
		assert_true(pusher_channel_auth_ok(s, rows[i].socket_id, rows[i].channel,
						   rows[i].data, rows[i].auth));
		assert_true(pusher_channel_auth(s, rows[i].socket_id, rows[i].channel, rows[i].data,
						&made));
		assert_true(slice_eq(buf_slice(&made), rows[i].auth));
		buf_done(&made);
		pusher_signer_free(s);
	}
}

/* What the server libraries make of a member, byte by byte: escapes and blanks differ. */
static void test_members_as_libraries_write_them(void **state)
{
	static const struct {
		struct slice data;
		struct slice hex;
	} rows[] = {
		/* PHP */
		{SLICE_INIT(
			 "{\"user_id\":\"10\",\"user_info\":{\"name\":\"M\\u00fcller \\/ S\\u00f6h"
			 "ne\"}}"),
		 SLICE_INIT("5f5dbd7f976893bb33ed5d474cf1ba8d95be768f3fe899eab223b93a82f73fdc")},
		/* Ruby */
		{SLICE_INIT(
			 "{\"user_id\":10,\"user_info\":{\"name\":\"M\303\274ller / S\303\266hne\""
			 "}}"),
		 SLICE_INIT("4269cadd280d2fb5092f52252e6b5f92caf80505ef11b2e972726fd0f8b027e6")},
		/* Go */
		{SLICE_INIT(
			 "{\"user_id\":\"10\",\"user_info\":{\"name\":\"M\\u0026M \\u003cb\\u003e"
			 "\"}}"),
		 SLICE_INIT("ab9f866baec0990bd68f338ce1ecd7e3b2cbc24c09c87fca8f48a6ab246cdc44")},
		/* Python */
		{SLICE_INIT(
			 "{\"user_id\": \"10\", \"user_info\": {\"name\": \"M\\u00fcller / S\\u00f"
			 "6hne\"}}"),
		 SLICE_INIT("ab5b8bdc9c74788e572c98c929c04c56c02442f1624352c107a93013714bbb3d")},
		/* .NET */
		{SLICE_INIT(
			 "{\"user_id\":\"10\",\"user_info\":{\"name\":\"M\303\274ller / S\303\266h"
			 "ne\"}}"),
		 SLICE_INIT("88a89ee54e10b8873c8eed8fd7375b0bd24d4d51099e89c73cc61c162f45b168")},
	};
	struct pusher_signer *s = signer_of(SLICE(SECRET));
	struct buf auth;

	(void)state;
	buf_init(&auth, 200);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_clear(&auth);
		assert_true(buf_add(&auth, SLICE(KEY ":")) && buf_add(&auth, rows[i].hex));
		assert_true(pusher_channel_auth_ok(s, SLICE("1234.1234"), SLICE("presence-foobar"),
						   rows[i].data, buf_slice(&auth)));
		assert_false(pusher_channel_auth_ok(s, SLICE("1234.1234"), SLICE("presence-foobar"),
						    rows[(i + 1) % ARRAY_LEN(rows)].data,
						    buf_slice(&auth)));
	}
	buf_done(&auth);
	pusher_signer_free(s);
}

static void test_user_vectors(void **state)
{
	static const struct {
		struct slice secret;
		struct slice socket_id;
		struct slice data;
		struct slice auth;
	} rows[] = {
		{SLICE_INIT(SECRET), SLICE_INIT("1234.1234"), SLICE_INIT("{\"id\":\"12345\"}"),
		 SLICE_INIT(KEY
			    ":4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba")},
		{SLICE_INIT(SECRET), SLICE_INIT("1234.1234"),
		 SLICE_INIT("{\"id\":\"12345\",\"user_info\":{\"name\":\"Ren\\u00e9\"},"
			    "\"watchlist\":[\"a\",\"b\"]}"),
		 SLICE_INIT(KEY
			    ":1a88b1aea199fbf877e4666f4ef86f9bec16de52a8bac1da6b14ecd752271e00")},
		{SLICE_INIT(SECRET), SLICE_INIT("1234.1234"), SLICE_INIT("{\"id\": \"12345\"}"),
		 SLICE_INIT(KEY
			    ":d06dc389319077f890321aeac54e04868921e1601686928f61fc9bf702e92830")},
		{SLICE_INIT("thisisasecret"), SLICE_INIT("12345.6789"),
		 SLICE_INIT("{\"id\":\"123\"}"),
		 SLICE_INIT(KEY
			    ":fc713f433deb729d0d96f9e26ef054285cbc3e833ebe840b93722a2fa16a6a18")},
		{SLICE_INIT("tofu"), SLICE_INIT("1.1"), SLICE_INIT("{\"id\":\"ą§¶™€łü€ß£\"}"),
		 SLICE_INIT(KEY
			    ":620494cee53d6c568b49598313194088afda37218f0d059af03c0c898ed61ff4")},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pusher_signer *s = signer_of(rows[i].secret);
		struct buf made;

		buf_init(&made, 200);
		assert_true(pusher_user_auth_ok(s, rows[i].socket_id, rows[i].data, rows[i].auth));
		assert_true(pusher_user_auth(s, rows[i].socket_id, rows[i].data, &made));
		assert_true(slice_eq(buf_slice(&made), rows[i].auth));
		buf_done(&made);
		pusher_signer_free(s);
	}
}

static void test_what_is_refused(void **state)
{
	static const struct slice bad[] = {
		{NULL, 0},
		SLICE_INIT(""),
		SLICE_INIT(KEY),
		SLICE_INIT(KEY ":"),
		/* one digit wrong, at either end */
		SLICE_INIT(KEY ":68df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"),
		SLICE_INIT(KEY ":58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a5"),
		/* one digit too few, too many */
		SLICE_INIT(KEY ":58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a"),
		SLICE_INIT(KEY
			   ":58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a40"),
		/* another key, none */
		SLICE_INIT("x:58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"),
		SLICE_INIT(":58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"),
		SLICE_INIT("58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"),
	};
	struct pusher_signer *s = signer_of(SLICE(SECRET));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(pusher_channel_auth_ok(s, SLICE("1234.1234"), SLICE("private-foobar"),
						    SLICE_NONE, bad[i]));
	/* signed for another socket, another channel, without the data */
	struct slice good =
		SLICE(KEY ":58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4");

	assert_false(pusher_channel_auth_ok(s, SLICE("1234.1235"), SLICE("private-foobar"),
					    SLICE_NONE, good));
	assert_false(pusher_channel_auth_ok(s, SLICE("1234.1234"), SLICE("private-foobas"),
					    SLICE_NONE, good));
	assert_false(pusher_channel_auth_ok(s, SLICE("1234.1234"), SLICE("private-foobar"),
					    SLICE("{}"), good));
	pusher_signer_free(s);
}

static void test_every_active_secret_counts(void **state)
{
	struct slice both[] = {SLICE_INIT("new"), SLICE_INIT(SECRET)};
	struct slice newest = SLICE("new");
	struct pusher_signer *s = pusher_signer_new(SLICE(KEY), both, 2);
	struct pusher_signer *only_new = signer_of(newest);
	struct buf made;

	(void)state;
	buf_init(&made, 200);
	assert_true(pusher_channel_auth_ok(
		s, SLICE("1234.1234"), SLICE("private-foobar"), SLICE_NONE,
		SLICE(KEY ":58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4")));
	assert_true(pusher_user_auth(s, SLICE("1.2"), SLICE("{}"), &made));
	assert_true(pusher_user_auth_ok(only_new, SLICE("1.2"), SLICE("{}"), buf_slice(&made)));
	buf_done(&made);
	pusher_signer_free(only_new);
	pusher_signer_free(s);

	s = pusher_signer_new(SLICE(KEY), NULL, 0);
	buf_init(&made, 200);
	assert_false(pusher_user_auth(s, SLICE("1.2"), SLICE("{}"), &made));
	buf_done(&made);
	pusher_signer_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_channel_vectors),
		cmocka_unit_test(test_members_as_libraries_write_them),
		cmocka_unit_test(test_user_vectors),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_every_active_secret_counts),
	};

	return cmocka_run_group_tests_name("auth", tests, NULL, NULL);
}
