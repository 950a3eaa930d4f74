#include "broker/admin/admin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "common/json/scan.h"
#include "common/loop/loop.h"

static const struct admin_worker workers[] = {
	{.number = 3, .slot = 0, .generation = 1, .connections = 5, .held = 100, .slow = 9},
	{.number = 4, .slot = 1, .generation = 2},
};
static const struct admin_app apps[] = {
	{.id = "chat\"app", .enabled = true, .chat = true, .connections = 5},
};
static const struct admin_session sessions[] = {
	{.role = "control", .ready = true, .queued = 0, .connects = 1},
};

static struct admin_facts some_facts(void)
{
	return (struct admin_facts){
		.version = "1.2.3",
		.node = "here",
		.pid = 42,
		.open = true,
		.database_state = "away",
		.database_fault = "no \"route\"",
		.worker_rows = workers,
		.worker_count = 2,
		.app_rows = apps,
		.app_count = 1,
		.session_rows = sessions,
		.session_count = 1,
		.connections = 5,
		.published = 77,
	};
}

static void expect_part(const struct buf *out, const char *part)
{
	if (memmem(out->p, out->n, part, strlen(part)) == NULL)
		fail_msg("'%s' is not in: %.*s", part, (int)out->n, out->p);
}

/* ---- texts ---- */

static void test_metrics(void **state)
{
	struct admin_facts f = some_facts();
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 20);
	admin_metrics(&out, &f);
	expect_part(&out, "chat_build_info{version=\"1.2.3\"} 1\n");
	expect_part(&out, "# TYPE chat_connections gauge\nchat_connections 5\n");
	expect_part(&out, "# TYPE chat_events_published_total counter\n"
			  "chat_events_published_total 77\n");
	expect_part(&out, "chat_worker_connections{slot=\"0\",worker=\"3\"} 5\n");
	expect_part(&out, "chat_worker_unacknowledged_bytes{slot=\"1\",worker=\"4\"} 0\n");
	expect_part(&out, "chat_worker_slow_total{slot=\"0\",worker=\"3\"} 9\n");
	expect_part(&out, "chat_database_session_up{role=\"control\"} 1\n");
	buf_done(&out);
}

static void test_status_is_json(void **state)
{
	struct admin_facts f = some_facts();
	struct json_value root;
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 20);
	admin_status(&out, &f);
	assert_true(json_scan(buf_slice(&out), &root));
	expect_part(&out, "\"node\":\"here\",\"pid\":42,\"ready\":true");
	expect_part(&out, "\"database\":{\"state\":\"away\",\"fault\":\"no \\\"route\\\"\"");
	expect_part(&out, "{\"number\":3,\"slot\":0,\"generation\":1,\"connections\":5,"
			  "\"unacknowledged_bytes\":100,\"draining\":false,");
	expect_part(&out, "{\"id\":\"chat\\\"app\",\"enabled\":true,\"chat\":true,"
			  "\"connections\":5}");
	expect_part(&out, "\"counts\":{\"connections\":5,");
	buf_done(&out);
}

static void expect_ready(const struct admin_facts *f, bool ready, const char *text)
{
	struct buf out;

	buf_init(&out, 4096);
	assert_int_equal(admin_ready(&out, f), ready);
	assert_string_equal(buf_cstr(&out), text);
	buf_done(&out);
}

static void test_what_readiness_waits_for(void **state)
{
	struct admin_facts f = some_facts();

	(void)state;
	expect_ready(&f, true, "{\"ready\":true}"); /* the database is not required */
	f.database_required = true;
	expect_ready(&f, false, "{\"ready\":false,\"waiting_for\":[\"database\"]}");
	f.open = false;
	expect_ready(&f, false, "{\"ready\":false,\"waiting_for\":[\"workers\",\"database\"]}");
	f.standby = true;
	expect_ready(&f, false, "{\"ready\":false,\"waiting_for\":[\"standby\",\"database\"]}");
	f = some_facts();
	f.stopping = true;
	expect_ready(&f, false, "{\"ready\":false,\"waiting_for\":[\"stopping\"]}");
}

/* ---- over the socket ---- */

static void facts_fn(void *ctx, struct admin_facts *ret)
{
	(void)ctx;
	*ret = some_facts();
}

static unsigned reloads;
static uint32_t drained;

static unsigned on_reload(void *ctx)
{
	(void)ctx;
	return ++reloads;
}

static unsigned on_drain(void *ctx, uint32_t worker)
{
	(void)ctx;
	drained = worker;
	return 2;
}

static const struct admin_ops ops = {.facts = facts_fn, .reload = on_reload, .drain = on_drain};

/* What the admin socket answers; NUL-terminated, for the caller to free(). */
static char *ask(struct loop *loop, const char *path, const char *request)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char *answer = calloc(1, 65536);
	size_t n = 0;

	assert_true(fd >= 0 && answer != NULL);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	for (;;) {
		ssize_t r = recv(fd, answer + n, 65535 - n, MSG_DONTWAIT);

		if (r == 0)
			break;
		if (r > 0)
			n += (size_t)r;
		else
			(void)event_base_loop(loop_base(loop), EVLOOP_ONCE);
	}
	(void)close(fd);
	return answer;
}

static void expect_answer(struct loop *loop, const char *path, const char *request,
			  const char *status, const char *part)
{
	char *answer = ask(loop, path, request);

	if (strstr(answer, status) != answer + strlen("HTTP/1.1") || strstr(answer, part) == NULL)
		fail_msg("%s was answered with: %s", request, answer);
	free(answer);
}

#define POST(path) "POST " path " HTTP/1.0\r\nContent-Length: 0\r\n\r\n"

static void test_the_socket_answers(void **state)
{
	char dir[] = "/tmp/admin-XXXXXX";
	struct admin_options options = {0};
	struct loop *loop = loop_new();
	struct admin *admin;
	struct stat st;
	char path[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/admin.sock", dir);
	options.socket = path;
	assert_int_equal(admin_new(loop, &options, &ops, NULL, &admin), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	expect_answer(loop, path, "GET /live HTTP/1.0\r\n\r\n", " 200 ", "{\"live\":true}");
	expect_answer(loop, path, "GET /ready HTTP/1.0\r\n\r\n", " 200 ", "{\"ready\":true}");
	expect_answer(loop, path, "GET /status HTTP/1.0\r\n\r\n", " 200 ", "\"pid\":42");
	expect_answer(loop, path, "GET /metrics HTTP/1.0\r\n\r\n", " 200 ", "chat_connections 5\n");
	expect_answer(loop, path, "GET /other HTTP/1.0\r\n\r\n", " 404 ", "");
	expect_answer(loop, path, POST("/status"), " 405 ", "");
	expect_answer(loop, path, POST("/reload"), " 200 ", "{\"workers\":1}");
	expect_answer(loop, path, POST("/drain?worker=7"), " 200 ", "{\"workers\":2}");
	assert_int_equal(drained, 7);
	expect_answer(loop, path, POST("/drain"), " 200 ", "{\"workers\":2}");
	assert_int_equal(drained, 0);
	expect_answer(loop, path, POST("/drain?worker=x"), " 400 ", "");
	expect_answer(loop, path, "GET /reload HTTP/1.0\r\n\r\n", " 405 ", "");
	expect_answer(loop, path, "POST /reload HTTP/1.0\r\nOrigin: https://a.example\r\n\r\n",
		      " 403 ", "");
	assert_int_equal(reloads, 1);
	expect_answer(loop, path, "GET /status HTTP/1.0\r\nOrigin: https://a.example\r\n\r\n",
		      " 403 ", "");
	admin_free(admin);
	assert_int_not_equal(stat(path, &st), 0);
	loop_free(loop);
	assert_int_equal(rmdir(dir), 0);
}

static void test_an_address_that_cannot_be_had(void **state)
{
	struct admin_options options = {.socket = "/nowhere/at/all/admin.sock"};
	struct loop *loop = loop_new();
	struct admin *admin = NULL;

	(void)state;
	assert_true(admin_new(loop, &options, &ops, NULL, &admin) < 0);
	options.socket = NULL;
	options.host = "192.0.2.1"; /* of no interface */
	options.port = 1;
	assert_true(admin_new(loop, &options, &ops, NULL, &admin) < 0);
	assert_null(admin);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_metrics),
		cmocka_unit_test(test_status_is_json),
		cmocka_unit_test(test_what_readiness_waits_for),
		cmocka_unit_test(test_the_socket_answers),
		cmocka_unit_test(test_an_address_that_cannot_be_had),
	};

	return cmocka_run_group_tests_name("admin", tests, NULL, NULL);
}
