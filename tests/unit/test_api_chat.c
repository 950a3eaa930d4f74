#include "worker/api/chat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/api_fakes.h"
#include "worker/api/broadcasting.h"
#include "worker/api/connection_info.h"

#define TOKEN "Authorization: Bearer 1|plain\r\n"

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

static void call(const char *method, const char *path, const char *body)
{
	char target[512];

	(void)snprintf(target, sizeof(target), "/api/websocket/%s", path);
	fake_http(c, method, target, TOKEN, body);
}

static struct wire_chat_call called(void)
{
	struct wire_chat_call m;

	assert_true(wire_decode_chat_call(fake_question(WIRE_CHAT_CALL), &m));
	return m;
}

static bool is(struct slice got, const char *want)
{
	return slice_eq(got, slice_str(want));
}

/* ---- who calls ---- */

static void test_tokens(void **state)
{
	static const char *const none[] = {
		"",
		"Authorization: Bearer\r\n",
		"Authorization: Bearer \r\n",
		"Authorization: Basic eDp5\r\n",
		"Authorization: Bearer 1|\r\n",
		"Authorization: Bearer |plain\r\n",
	};
	struct wire_chat_call m;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		fake_http(c, "GET", "/api/websocket/active-chats", none[i], NULL);
		expect_answer(c, 401, "{\"message\":\"Unauthenticated.\"}");
	}
	expect_no_question();
	fake_http(c, "GET", "/api/websocket/active-chats",
		  "Authorization: bearer 12|abc\r\nX-Socket-ID: 1.2\r\n", NULL);
	m = called();
	assert_true(is(m.token_id, "12"));
	assert_true(is(m.token_hash,
		       "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
	assert_true(is(m.socket_id, "1.2"));
	assert_true(is(m.address, "192.0.2.7"));
	fake_reply(200, 0, "{\"data\":[],\"next_cursor\":null}");
	expect_answer(c, 200, "{\"data\":[],\"next_cursor\":null}");
	fake_http(c, "GET", "/api/websocket/active-chats",
		  "Authorization: Bearer abc\r\nX-Socket-ID: nonsense\r\n", NULL);
	m = called();
	assert_int_equal(m.token_id.n, 0);
	assert_int_equal(m.socket_id.n, 0);
}

static void test_no_application(void **state)
{
	(void)state;
	fake_worker->chat_app = NULL;
	call("GET", "active-chats", NULL);
	assert_int_equal(fake_answer(c).status, 403);
}

/* ---- the routes ---- */

static void test_routes_without_a_body(void **state)
{
	static const struct {
		const char *method;
		const char *path;
		unsigned route;
		uint64_t chat;
		uint64_t message;
	} rows[] = {
		{"GET", "connection-info", WIRE_CHAT_CONNECTION_INFO, 0, 0},
		{"GET", "active-chats", WIRE_CHAT_ACTIVE_CHATS, 0, 0},
		{"GET", "chats/5/messages", WIRE_CHAT_HISTORY, 5, 0},
		{"GET", "chats/9007199254740991/receipts", WIRE_CHAT_RECEIPTS, 9007199254740991, 0},
		{"POST", "messages/6/read", WIRE_CHAT_READ, 0, 6},
		{"POST", "messages/6/delivered", WIRE_CHAT_DELIVERED, 0, 6},
		{"DELETE", "messages/6", WIRE_CHAT_DELETE, 0, 6},
		{"GET", "users/online", WIRE_CHAT_USERS_ONLINE, 0, 0},
		/* which no chat and no message has: the broker's 403 */
		{"GET", "chats/x/receipts", WIRE_CHAT_RECEIPTS, 0, 0},
		{"GET", "chats/-1/receipts", WIRE_CHAT_RECEIPTS, 0, 0},
		{"GET", "chats/9007199254740992/receipts", WIRE_CHAT_RECEIPTS, 0, 0},
		{"POST", "messages/06/read", WIRE_CHAT_READ, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct wire_chat_call m;

		call(rows[i].method, rows[i].path, NULL);
		m = called();
		assert_int_equal(m.route, rows[i].route);
		assert_int_equal(m.chat, rows[i].chat);
		assert_int_equal(m.message, rows[i].message);
		assert_int_equal(m.invalid.n, 0);
		assert_int_equal(m.before_seq, UINT64_MAX);
		assert_int_equal(m.after_seq, UINT64_MAX);
		fake_reply(403, 0, "{\"message\":\"This action is unauthorized.\"}");
		expect_answer(c, 403, "{\"message\":\"This action is unauthorized.\"}");
	}
}

static void test_send(void **state)
{
	struct wire_chat_call m;

	(void)state;
	call("POST", "chats/5/messages",
	     "{\"body\":\"H\\u00e9llo\\n\",\"client_id\":\"6BA7B810-9dad-11d1-80b4-00c04fd430c8\","
	     "\"reply_to\":9,\"meta\":{ \"a\" : 1.10 },\"other\":1}");
	m = called();
	assert_int_equal(m.route, WIRE_CHAT_SEND);
	assert_int_equal(m.chat, 5);
	assert_true(is(m.text, "H\xC3\xA9llo\n"));
	assert_true(is(m.client_id, "6BA7B810-9dad-11d1-80b4-00c04fd430c8"));
	assert_int_equal(m.reply_to, 9);
	assert_true(is(m.meta, "{ \"a\" : 1.10 }"));
	assert_int_equal(m.invalid.n, 0);
	fake_reply(201, 0, "{\"message\":{}}");
	expect_answer(c, 201, "{\"message\":{}}");
	call("POST", "chats/5/messages",
	     "{\"body\":\"x\",\"client_id\":null,\"reply_to\":null,\"meta\":null}");
	m = called();
	assert_int_equal(m.client_id.n + m.meta.n + m.reply_to + m.invalid.n, 0);
}

static void test_other_bodies(void **state)
{
	struct wire_chat_call m;
	struct slice ids;
	struct slice id;

	(void)state;
	call("POST", "chats/5/typing", "{\"is_typing\":true}");
	m = called();
	assert_int_equal(m.route, WIRE_CHAT_TYPING);
	assert_int_equal(m.flag, 1);
	call("POST", "online-status", "{\"is_online\":false}");
	m = called();
	assert_int_equal(m.route, WIRE_CHAT_ONLINE_STATUS);
	assert_int_equal(m.flag, 0);
	call("PATCH", "messages/3", "{\"body\":\"new\"}");
	m = called();
	assert_int_equal(m.route, WIRE_CHAT_EDIT);
	assert_true(is(m.text, "new"));
	call("PATCH", "me", "{\"last_seen\":\"contacts\"}");
	m = called();
	assert_int_equal(m.route, WIRE_CHAT_ME);
	assert_true(is(m.name, "contacts"));
	call("POST", "chats", "{\"name\":\"Team\",\"participant_ids\":[2,3],\"direct\":false}");
	m = called();
	assert_int_equal(m.route, WIRE_CHAT_CREATE);
	assert_true(is(m.name, "Team"));
	ids = m.ids;
	assert_true(wire_list_next(&ids, &id) && is(id, "2"));
	assert_true(wire_list_next(&ids, &id) && is(id, "3"));
	assert_false(wire_list_next(&ids, &id));
	call("POST", "chats/5/participants", "{\"user_id\":7}");
	m = called();
	assert_int_equal(m.route, WIRE_CHAT_ADD_PARTICIPANT);
	assert_true(is(m.user, "7"));
	call("DELETE", "chats/5/participants/7", NULL);
	m = called();
	assert_int_equal(m.route, WIRE_CHAT_REMOVE_PARTICIPANT);
	assert_int_equal(m.chat, 5);
	assert_true(is(m.user, "7"));
}

static void test_queries(void **state)
{
	struct wire_chat_call m;
	struct slice id;

	(void)state;
	call("GET", "chats/5/messages", NULL);
	assert_int_equal(called().limit, 50);
	call("GET", "chats/5/messages?after_seq=0&limit=1000", NULL);
	m = called();
	assert_int_equal(m.after_seq, 0);
	assert_int_equal(m.limit, 200);
	call("GET", "chats/5/messages?before_seq=17&limit=20", NULL);
	m = called();
	assert_int_equal(m.before_seq, 17);
	assert_int_equal(m.limit, 20);
	call("GET", "active-chats?cursor=2026%2D1+x&limit=7", NULL);
	m = called();
	assert_true(is(m.cursor, "2026-1 x"));
	assert_int_equal(m.limit, 7);
	call("GET", "users/online?ids=1,2&ids[]=3&ids=", NULL);
	m = called();
	for (const char *want = "123"; *want != '\0'; want++) {
		assert_true(wire_list_next(&m.ids, &id));
		assert_true(slice_eq(id, slice_of(want, 1)));
	}
	assert_false(wire_list_next(&m.ids, &id));
}

/* ---- wrong input ---- */

static void test_bodies_that_are_no_objects(void **state)
{
	static const char *const bodies[] = {"[]", "7", "{\"body\":", "body=x", "{} {}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		call("POST", "chats/5/messages", bodies[i]);
		expect_answer(c, 400, "{\"message\":\"The body is not a JSON object.\"}");
	}
	expect_no_question();
}

static void expect_invalid(const char *method, const char *path, const char *body, const char *want)
{
	struct wire_chat_call m;

	call(method, path, body);
	m = called();
	if (!slice_eq(m.invalid, slice_str(want)))
		fail_msg("%s: %.*s", body != NULL ? body : path, SLICE_ARG(m.invalid));
}

#define ONLY(field, text) \
	"{\"message\":\"The " text "\",\"errors\":{\"" field "\":[\"The " text "\"]}}"

static void test_invalid_fields(void **state)
{
	static const struct {
		const char *path;
		const char *body;
		const char *invalid;
	} rows[] = {
		{"chats/5/messages", "{}", ONLY("body", "body field is required.")},
		{"chats/5/messages", "", ONLY("body", "body field is required.")},
		{"chats/5/messages", "{\"body\":\"\"}", ONLY("body", "body field is required.")},
		{"chats/5/messages", "{\"body\":7}", ONLY("body", "body field must be a string.")},
		{"chats/5/messages", "{\"body\":\"a\\u0000b\"}",
		 ONLY("body", "body field must not contain NUL characters.")},
		{"chats/5/messages", "{\"body\":\"123456789\"}",
		 ONLY("body", "body field must not be greater than 8 bytes.")},
		{"chats/5/messages", "{\"body\":\"x\",\"client_id\":\"7\"}",
		 ONLY("client_id", "client id field must be a valid UUID.")},
		{"chats/5/messages", "{\"body\":\"x\",\"client_id\":7}",
		 ONLY("client_id", "client id field must be a valid UUID.")},
		{"chats/5/messages", "{\"body\":\"x\",\"reply_to\":\"7\"}",
		 ONLY("reply_to", "reply to field must be an integer.")},
		{"chats/5/messages", "{\"body\":\"x\",\"reply_to\":1.5}",
		 ONLY("reply_to", "reply to field must be an integer.")},
		{"chats/5/messages", "{\"body\":\"x\",\"meta\":[]}",
		 ONLY("meta", "meta field must be an object.")},
		{"chats/5/messages", "{\"body\":\"x\",\"meta\":{\"abc\":1}}",
		 ONLY("meta", "meta field must not be greater than 8 bytes.")},
		{"chats/5/typing", "{\"is_typing\":1}",
		 ONLY("is_typing", "is typing field must be true or false.")},
		{"chats/5/typing", "{\"is_typing\":null}",
		 ONLY("is_typing", "is typing field is required.")},
		{"chats/5/participants", "{\"user_id\":\"7\"}",
		 ONLY("user_id", "user id field must be an integer.")},
		{"chats", "{\"participant_ids\":7}",
		 ONLY("participant_ids", "participant ids field must be an array.")},
		{"chats", "{\"participant_ids\":[0]}",
		 ONLY("participant_ids", "participant ids field must hold user ids only.")},
		{"chats", "{\"participant_ids\":[1,2,3]}",
		 ONLY("participant_ids", "participant ids field has too many items.")},
		{"chats/5/messages", "{\"body\":7,\"client_id\":7,\"meta\":7}",
		 "{\"message\":\"The body field must be a string. (and 2 more errors)\",\"errors\":"
		 "{\"body\":[\"The body field must be a string.\"],\"client_id\":[\"The client id "
		 "field must be a valid UUID.\"],\"meta\":[\"The meta field must be an "
		 "object.\"]}}"},
	};

	(void)state;
	fake_conf()->limits.max_message_body = 8;
	fake_conf()->limits.max_participants = 2;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect_invalid("POST", rows[i].path, rows[i].body, rows[i].invalid);
	expect_invalid("PATCH", "me", "{\"last_seen\":\"all\"}",
		       ONLY("last_seen", "last seen field must be everyone, contacts or nobody."));
	expect_invalid("GET", "chats/5/messages?limit=0", NULL,
		       ONLY("limit", "limit field must be an integer."));
	expect_invalid("GET", "chats/5/messages?after_seq=-1", NULL,
		       ONLY("after_seq", "after seq field must be an integer."));
	expect_invalid(
		"GET", "chats/5/messages?after_seq=1&before_seq=2", NULL,
		ONLY("before_seq", "before seq field must not be used together with after_seq."));
	expect_invalid("GET", "users/online?ids=1,x", NULL,
		       ONLY("ids", "ids field must hold user ids only."));
	expect_invalid("DELETE", "chats/5/participants/x", NULL,
		       ONLY("user_id", "user id field must be an integer."));
}

static void test_ids_that_are_strings(void **state)
{
	struct wire_chat_call m;

	(void)state;
	fake_conf()->chat.user_ids = CONF_IDS_STRING;
	call("POST", "chats/5/participants", "{\"user_id\":\"ada/1\"}");
	m = called();
	assert_true(is(m.user, "ada/1"));
	call("DELETE", "chats/5/participants/ada%2F1", NULL);
	m = called();
	assert_true(is(m.user, "ada/1"));
	expect_invalid("POST", "chats/5/participants", "{\"user_id\":7}",
		       ONLY("user_id", "user id field must be a string."));
}

static void test_what_the_broker_says(void **state)
{
	struct fake_answer a;

	(void)state;
	call("POST", "chats/5/messages", "{\"body\":\"x\"}");
	(void)called();
	fake_reply(429, 2, "{\"message\":\"Too Many Attempts.\"}");
	a = fake_answer(c);
	assert_int_equal(a.status, 429);
	assert_non_null(strstr(a.head, "Retry-After: 2"));
	call("POST", "chats/5/messages", "{\"body\":\"x\"}");
	(void)called();
	fake_reply(503, 1, "The server cannot do this at the moment"); /* of the worker itself */
	expect_answer(c, 503, "{\"message\":\"The server cannot do this at the moment\"}");
	fake_broker_full = true;
	call("POST", "chats/5/messages", "{\"body\":\"x\"}");
	expect_answer(c, 503, "{\"message\":\"Service Unavailable\"}");
}

/* ---- connection-info ---- */

static void test_connection_info(void **state)
{
	(void)state;
	call("GET", "connection-info", NULL);
	(void)called();
	fake_reply(200, 0, "{\"id\":7,\"name\":\"Ada\"}");
	expect_answer(
		c, 200,
		"{\"broadcaster\":\"reverb\",\"key\":\"key\",\"wsHost\":\"chat.example\","
		"\"wsPort\":8080,\"wssPort\":8080,\"wsPath\":\"\",\"forceTLS\":false,"
		"\"enabledTransports\":[\"ws\",\"wss\"],"
		"\"authEndpoint\":\"/broadcasting/auth\","
		"\"userAuthentication\":{\"endpoint\":\"/broadcasting/user-auth\",\"headers\":{}},"
		"\"user\":{\"id\":7,\"name\":\"Ada\"},"
		"\"channels\":{\"user\":\"private-user.7\",\"presence\":\"presence-users\"}}");
	call("GET", "connection-info", NULL);
	(void)called();
	fake_reply(401, 0, "{\"message\":\"Unauthenticated.\"}");
	expect_answer(c, 401, "{\"message\":\"Unauthenticated.\"}");
}

static void test_connection_places(void **state)
{
	static const struct {
		const char *url;
		const char *host;
		bool secure;
		struct connection_place want;
	} rows[] = {
		{"", "a", false, {SLICE_INIT("a"), 80, 443, false, SLICE_INIT("/p")}},
		{"", "a:81", true, {SLICE_INIT("a"), 81, 81, true, SLICE_INIT("/p")}},
		{"", "[::1]:81", false, {SLICE_INIT("[::1]"), 81, 81, false, SLICE_INIT("/p")}},
		{"", "[::1]", false, {SLICE_INIT("[::1]"), 80, 443, false, SLICE_INIT("/p")}},
		{"https://b", "a", false, {SLICE_INIT("b"), 80, 443, true, SLICE_INIT("/p")}},
		{"HTTP://b:82/ws/", "a", true, {SLICE_INIT("b"), 82, 82, false, SLICE_INIT("/ws")}},
		{"wss://b:9/", "a", false, {SLICE_INIT("b"), 9, 9, true, SLICE_INIT("/p")}},
	};
	struct connection_place p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(connection_place_read(slice_str(rows[i].url), slice_str(rows[i].host),
						  rows[i].secure, SLICE("/p"), &p));
		assert_true(slice_eq(p.host, rows[i].want.host));
		assert_true(slice_eq(p.path, rows[i].want.path));
		assert_int_equal(p.ws_port, rows[i].want.ws_port);
		assert_int_equal(p.wss_port, rows[i].want.wss_port);
		assert_int_equal(p.tls, rows[i].want.tls);
	}
	assert_false(connection_place_read(SLICE("ftp://b"), SLICE("a"), false, SLICE(""), &p));
	assert_false(connection_place_read(SLICE(""), SLICE("a:70000"), false, SLICE(""), &p));
}

/* ---- /broadcasting ---- */

static struct wire_authorize authorize(const char *path, const char *body)
{
	struct wire_authorize m;

	fake_http(c, "POST", path, TOKEN, body);
	assert_true(wire_decode_authorize(fake_question(WIRE_AUTHORIZE), &m));
	return m;
}

static void expect_signed(const char *channel, const char *data, const char *more)
{
	char text[1024];

	(void)snprintf(fake_socket_id, sizeof(fake_socket_id), "1.2");
	(void)snprintf(text, sizeof(text), "{\"auth\":\"%s\"%s}", fake_auth(channel, data), more);
	expect_answer(c, 200, text);
}

static void test_channel_auth(void **state)
{
	struct wire_authorize m;

	(void)state;
	m = authorize("/broadcasting/auth", "socket_id=1.2&channel_name=private-chat.1");
	assert_true(is(m.token_id, "1"));
	assert_true(is(m.socket_id, "1.2"));
	assert_true(is(m.channel, "private-chat.1"));
	assert_true(is(m.address, "192.0.2.7"));
	fake_authorize("7", "{\"id\":7}", false);
	expect_signed("private-chat.1", NULL, "");

	m = authorize("/broadcasting/auth",
		      " {\"channel_name\":\"presence-chat.1\",\"socket_id\":\"1.2\"}");
	assert_true(is(m.channel, "presence-chat.1"));
	fake_authorize("7", "{\"id\":7,\"name\":\"A/\xC3\xA9\"}", true);
	expect_signed(
		"presence-chat.1",
		"{\"user_id\":\"7\",\"user_info\":{\"id\":7,\"name\":\"A/\xC3\xA9\"}}",
		",\"channel_data\":\"{\\\"user_id\\\":\\\"7\\\",\\\"user_info\\\":{\\\"id\\\":7,"
		"\\\"name\\\":\\\"A/\xC3\xA9\\\"}}\"");
}

static void test_user_auth(void **state)
{
	struct wire_authorize m = authorize("/broadcasting/user-auth", "socket_id=1.2");
	const char *data = "{\"id\":\"7\",\"user_info\":{\"id\":7}}";
	struct fake_answer a;
	struct slice auth;

	(void)state;
	assert_int_equal(m.channel.n, 0);
	fake_authorize("7", "{\"id\":7}", false);
	a = fake_answer(c);
	assert_int_equal(a.status, 200);
	assert_non_null(strstr(a.body, ",\"user_data\":\"{\\\"id\\\":\\\"7\\\",\\\"user_info\\\":"
				       "{\\\"id\\\":7}}\"}"));
	auth = slice_first(slice_skip(slice_str(a.body), strlen("{\"auth\":\"")),
			   strlen("key:") + 64);
	assert_true(pusher_user_auth_ok(fake_worker->chat_app->signer, SLICE("1.2"),
					slice_str(data), auth));
}

static void test_auth_that_is_refused(void **state)
{
	static const struct {
		const char *body;
		unsigned status;
	} rows[] = {
		{"", 422},
		{"{", 400},
		{"socket_id=1.2", 422},
		{"socket_id=x&channel_name=a", 422},
		{"socket_id=1.2&channel_name=%zz", 422},
		{"{\"socket_id\":1.2,\"channel_name\":\"a\"}", 422},
		{"socket_id=1.2&channel_name=private-a+b", 403},
		{"socket_id=1.2&channel_name=private-a%00", 403},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fake_answer a;

		fake_http(c, "POST", "/broadcasting/auth", TOKEN, rows[i].body);
		a = fake_answer(c);
		if (a.status != rows[i].status)
			fail_msg("%s: %u %s", rows[i].body, a.status, a.body);
	}
	fake_http(c, "POST", "/broadcasting/auth", "", "socket_id=1.2&channel_name=a");
	expect_answer(c, 401, "{\"message\":\"Unauthenticated.\"}");
	expect_no_question();
	(void)authorize("/broadcasting/auth", "socket_id=1.2&channel_name=private-chat.1");
	fake_reply(403, 0, "{\"message\":\"This action is unauthorized.\"}");
	expect_answer(c, 403, "{\"message\":\"This action is unauthorized.\"}");
	(void)authorize("/broadcasting/auth", "socket_id=1.2&channel_name=private-chat.1");
	fake_hang_up(c);
	fake_authorize("7", "{}", false); /* nobody is there */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_tokens),
		TEST(test_no_application),
		TEST(test_routes_without_a_body),
		TEST(test_send),
		TEST(test_other_bodies),
		TEST(test_queries),
		TEST(test_bodies_that_are_no_objects),
		TEST(test_invalid_fields),
		TEST(test_ids_that_are_strings),
		TEST(test_what_the_broker_says),
		TEST(test_connection_info),
		TEST(test_connection_places),
		TEST(test_channel_auth),
		TEST(test_user_auth),
		TEST(test_auth_that_is_refused),
	};

	return cmocka_run_group_tests_name("api_chat", tests, NULL, NULL);
}
