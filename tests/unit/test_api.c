#include "worker/api/api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/api_fakes.h"

static char root[] = "/tmp/api-web-XXXXXX";

static void write_file(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", root, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int group_setup(void **state)
{
	char path[256];

	(void)state;
	if (mkdtemp(root) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/a", root);
	if (mkdir(path, 0700) != 0)
		return -1;
	write_file("index.html", "<p>Hello</p>");
	write_file("a/index.html", "<p>A</p>");
	write_file("a/x y.js", "x()");
	write_file(".secret", "hidden");
	(void)snprintf(path, sizeof(path), "%s/link", root);
	return symlink("/etc/passwd", path);
}

static int group_teardown(void **state)
{
	static const char *const names[] = {"index.html", "a/index.html", "a/x y.js", ".secret",
					    "link"};
	char path[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", root, names[i]);
		(void)unlink(path);
	}
	(void)snprintf(path, sizeof(path), "%s/a", root);
	return rmdir(path) == 0 && rmdir(root) == 0 ? 0 : -1;
}

static int setup(void **state)
{
	(void)state;
	api_fakes_begin(root);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	api_fakes_end();
	return 0;
}

static void has(struct fake_answer a, const char *line)
{
	if (strstr(a.head, line) == NULL)
		fail_msg("no \"%s\"", line);
}

static void has_not(struct fake_answer a, const char *line)
{
	if (strstr(a.head, line) != NULL)
		fail_msg("there is \"%s\"", line);
}

static struct fake_answer get(struct fake_client *c, const char *target, const char *lines)
{
	fake_http(c, "GET", target, lines, NULL);
	return fake_answer(c);
}

/* ---- health ---- */

static void test_health(void **state)
{
	struct fake_client *c = fake_connect();

	(void)state;
	fake_worker->broker = BROKER_AWAY;
	fake_worker->welcomed = false;
	fake_http(c, "GET", "/up", "", NULL);
	expect_answer(c, 200, "{\"health\":\"OK\"}");
	has(get(c, "/up", ""), "Content-Type: application/json");
	/* Who still reaches a worker that drains is served; the address has others. */
	fake_worker->draining = true;
	fake_http(c, "GET", "/up", "", NULL);
	expect_answer(c, 200, "{\"health\":\"OK\"}");
}

/* ---- files ---- */

static void test_files(void **state)
{
	struct fake_client *c = fake_connect();
	struct fake_answer a = get(c, "/", "");

	(void)state;
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "<p>Hello</p>");
	has(a, "Content-Type: text/html; charset=utf-8");
	has(a, "X-Content-Type-Options: nosniff");
	has(a, "Cache-Control: no-cache");
	has(a, "connect-src 'self' ws://chat.example:8080 wss://chat.example:8080");
	a = get(c, "/a/x%20y.js", "");
	assert_string_equal(a.body, "x()");
	has(a, "Content-Type: text/javascript");
	has_not(a, "Content-Security-Policy");
	assert_string_equal(get(c, "/a/?x=1", "").body, "<p>A</p>");
	fake_http(c, "HEAD", "/index.html", "", NULL);
	a = fake_answer(c);
	has(a, "Content-Length: 12");
	assert_int_equal(a.body_n, 0);
}

static void test_no_such_file(void **state)
{
	static const char *const paths[] = {
		"/.secret", "/link", "/a", "/none", "/index", "/index.html/", "/a%2Findex.htm"};
	struct fake_client *c = fake_connect();
	struct fake_answer a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		a = get(c, paths[i], "");
		if (a.status != 404)
			fail_msg("%s: %u", paths[i], a.status);
		has(a, "Content-Type: text/plain");
	}
	fake_http(c, "POST", "/index.html", "", "");
	a = fake_answer(c);
	assert_int_equal(a.status, 405);
	has(a, "Allow: GET, HEAD");
	fake_http(c, "POST", "/none", "", "");
	assert_int_equal(fake_answer(c).status, 404);
}

static void test_file_known_already(void **state)
{
	struct fake_client *c = fake_connect();
	char tag[64];
	char line[128];
	struct fake_answer a = get(c, "/", "");
	const char *at = strstr(a.head, "ETag: ");

	(void)state;
	assert_non_null(at);
	(void)snprintf(tag, sizeof(tag), "%.34s", at + 6);
	(void)snprintf(line, sizeof(line), "If-None-Match: \"x\", W/%s\r\n", tag);
	a = get(c, "/", line);
	assert_int_equal(a.status, 304);
	assert_int_equal(a.body_n, 0);
	has(a, tag);
	assert_int_equal(get(c, "/", "If-None-Match: *\r\n").status, 304);
	assert_int_equal(get(c, "/", "If-None-Match: \"x\"\r\n").status, 200);
	assert_int_equal(get(c, "/a/", line).status, 200);
}

/* A Host line must not be able to write the policy. */
static void test_policy_of_odd_hosts(void **state)
{
	struct fake_client *c = fake_connect();

	(void)state;
	fake_bytes(c, SLICE("GET / HTTP/1.1\r\nHost: a;script-src\r\n\r\n"));
	has_not(fake_answer(c), "script-src");
	free(fake_conf()->chat.public_url);
	fake_conf()->chat.public_url = strdup("https://ws.example");
	has(get(c, "/", ""), "wss://ws.example:443");
}

/* ---- what there is not ---- */

static void test_unknown_paths_and_methods(void **state)
{
	struct fake_client *c = fake_connect();
	struct fake_answer a;

	(void)state;
	a = get(c, "/apps/app/nothing", "");
	assert_int_equal(a.status, 404);
	has(a, "Content-Type: text/plain");
	a = get(c, "/apps/app/events", "");
	assert_int_equal(a.status, 405);
	has(a, "Allow: POST");
	fake_http(c, "OPTIONS", "/apps/app/events", "Origin: https://front.example\r\n", NULL);
	a = fake_answer(c);
	assert_int_equal(a.status, 405);
	has_not(a, "Access-Control-Allow");
	fake_http(c, "GET", "/api/websocket/none", "", NULL);
	expect_answer(c, 404, "{\"message\":\"Not Found.\"}");
	fake_http(c, "PUT", "/api/websocket/chats/1/messages", "", NULL);
	a = fake_answer(c);
	assert_int_equal(a.status, 405);
	has(a, "Allow: GET, HEAD, POST");
	has(a, "Content-Type: application/json");
	fake_http(c, "FOO", "/broadcasting/auth", "", NULL);
	assert_int_equal(fake_answer(c).status, 405);
}

static void test_packed_bodies(void **state)
{
	struct fake_client *c = fake_connect();

	(void)state;
	fake_http(c, "POST", "/apps/app/events", "Content-Encoding: gzip\r\n", "x");
	expect_answer(c, 415, "A Content-Encoding is not supported");
	fake_http(c, "POST", "/broadcasting/auth", "Content-Encoding: br\r\n", "x");
	expect_answer(c, 415, "{\"message\":\"A Content-Encoding is not supported\"}");
	fake_http(c, "POST", "/apps/app/events", "Content-Encoding: identity\r\n", "x");
	assert_int_equal(fake_answer(c).status, 401);
}

/* ---- pages of other origins ---- */

static void test_preflight(void **state)
{
	struct fake_client *c = fake_connect();
	struct fake_answer a;

	(void)state;
	fake_http(c, "OPTIONS", "/api/websocket/chats/1/messages",
		  "Origin: https://front.example\r\nAccess-Control-Request-Method: POST\r\n"
		  "Access-Control-Request-Headers: authorization,x-socket-id\r\n",
		  NULL);
	a = fake_answer(c);
	assert_int_equal(a.status, 204);
	has(a, "Access-Control-Allow-Origin: https://front.example");
	has(a, "Access-Control-Allow-Methods: GET, HEAD, POST");
	has(a, "Access-Control-Allow-Headers: authorization,x-socket-id");
	has(a, "Access-Control-Max-Age: 7200");
	has_not(a, "Allow-Credentials");
	fake_http(c, "OPTIONS", "/broadcasting/auth", "Origin: https://evil.example\r\n", NULL);
	a = fake_answer(c);
	assert_int_equal(a.status, 204);
	has_not(a, "Access-Control-Allow");
	fake_http(c, "OPTIONS", "/api/none", "Origin: https://front.example\r\n", NULL);
	assert_int_equal(fake_answer(c).status, 404);
}

static void test_cors_of_answers(void **state)
{
	struct fake_client *c = fake_connect();
	struct fake_answer a;

	(void)state;
	a = get(c, "/api/websocket/active-chats", "Origin: https://front.example\r\n");
	assert_int_equal(a.status, 401);
	has(a, "Access-Control-Allow-Origin: https://front.example");
	has(a, "Vary: Origin");
	has(a, "WWW-Authenticate: Bearer");
	a = get(c, "/api/websocket/active-chats", "Origin: https://evil.example\r\n");
	has_not(a, "Access-Control-Allow");
	a = get(c, "/api/websocket/active-chats", "Origin: https://front.example.evil\r\n");
	has_not(a, "Access-Control-Allow");
	a = get(c, "/up", "Origin: https://front.example\r\n");
	has_not(a, "Access-Control-Allow");
}

/* ---- before the applications are known ---- */

static void test_waiting_for_the_apps(void **state)
{
	struct fake_client *c = fake_connect();
	struct fake_client *gone = fake_connect();
	struct fake_client *late = fake_connect();

	(void)state;
	fake_worker->welcomed = false;
	fake_http(late, "GET", "/apps/app/channels", "", NULL);
	fake_wait(USEC_PER_SEC);
	fake_http(c, "GET", "/api/websocket/active-chats", "", NULL);
	fake_http(gone, "GET", "/api/websocket/active-chats", "", NULL);
	fake_hang_up(gone);
	expect_no_answer(c);
	fake_wait(fake_conf()->worker.broker_wait - USEC_PER_SEC);
	api_turn(fake_worker, fake_now);
	has(fake_answer(late), "Retry-After: 1");
	expect_no_answer(c);
	fake_worker->welcomed = true;
	api_release(fake_worker);
	expect_answer(c, 401, "{\"message\":\"Unauthenticated.\"}");
	/* the connections live on */
	fake_http(late, "GET", "/up", "", NULL);
	assert_int_equal(fake_answer(late).status, 200);
}

static void test_too_many_wait(void **state)
{
	struct fake_client *a = fake_connect();
	struct fake_client *b = fake_connect();

	(void)state;
	fake_worker->welcomed = false;
	fake_conf()->worker.pending_requests = 1;
	fake_http(a, "GET", "/apps/app/channels", "", NULL);
	expect_no_answer(a);
	fake_http(b, "GET", "/apps/app/channels", "", NULL);
	assert_int_equal(fake_answer(b).status, 503);
}

static void test_path_prefix(void **state)
{
	struct fake_client *c = fake_connect();

	(void)state;
	free(fake_conf()->worker.path_prefix);
	fake_conf()->worker.path_prefix = strdup("/rt");
	fake_http(c, "GET", "/rt/up", "", NULL);
	assert_int_equal(fake_answer(c).status, 200);
	fake_http(c, "GET", "/rt/api/websocket/none", "", NULL);
	expect_answer(c, 404, "{\"message\":\"Not Found.\"}");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_health),
		TEST(test_files),
		TEST(test_no_such_file),
		TEST(test_file_known_already),
		TEST(test_policy_of_odd_hosts),
		TEST(test_unknown_paths_and_methods),
		TEST(test_packed_bodies),
		TEST(test_preflight),
		TEST(test_cors_of_answers),
		TEST(test_waiting_for_the_apps),
		TEST(test_too_many_wait),
		TEST(test_path_prefix),
	};

	return cmocka_run_group_tests_name("api", tests, group_setup, group_teardown);
}
