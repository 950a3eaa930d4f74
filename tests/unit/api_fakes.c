#include "tests/unit/api_fakes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/encode.h"
#include "common/base/mem.h"
#include "common/crypto/hmac.h"
#include "worker/api/api.h"

#define QUESTIONS_MAX 64

bool fake_broker_full;

static struct question {
	uint8_t kind;
	struct buf body;
	uint64_t session;
	worker_done_fn *done;
	void *ctx;
} questions[QUESTIONS_MAX], taken;
static size_t first;
static size_t count;
static bool has_taken;
static uint64_t next_req;

/* ---- the worker ---- */

const struct conf *worker_conf(const struct worker *w)
{
	return w->conf;
}

struct apps *worker_apps(const struct worker *w)
{
	return w->apps;
}

struct api *worker_api(const struct worker *w)
{
	return w->api;
}

struct app *worker_chat_app(const struct worker *w)
{
	return w->chat_app;
}

uint64_t worker_new_req(struct worker *w)
{
	(void)w;
	return ++next_req;
}

static bool keep(uint8_t kind, struct slice body, uint64_t session, worker_done_fn *done, void *ctx)
{
	struct question *q = &questions[(first + count) % QUESTIONS_MAX];

	if (fake_broker_full)
		return false;
	assert_true(count++ < QUESTIONS_MAX);
	q->kind = kind;
	q->session = session;
	q->done = done;
	q->ctx = ctx;
	buf_init(&q->body, 1 << 24);
	assert_true(buf_add(&q->body, body));
	return true;
}

bool worker_ask(struct worker *w, const struct worker_ask *ask)
{
	(void)w;
	return keep(ask->kind, ask->body, ask->session, ask->done, ask->ctx);
}

bool worker_publish(struct worker *w, struct wire_publish *p, uint64_t session,
		    worker_done_fn *done, void *ctx)
{
	struct buf body;
	bool kept;

	(void)w;
	buf_init(&body, 1 << 24);
	assert_true(wire_encode_publish(&body, p));
	kept = keep(WIRE_PUBLISH, buf_slice(&body), session, done, ctx);
	buf_done(&body);
	return kept;
}

struct conf *fake_conf(void)
{
	return (struct conf *)(uintptr_t)fake_worker->conf;
}

void api_fakes_begin(const char *web_root)
{
	struct conf_fault fault;

	fakes_begin();
	first = count = 0;
	has_taken = false;
	fake_broker_full = false;
	assert_true(conf_set(fake_conf(), "worker", "web_root",
			     slice_str(web_root != NULL ? web_root : ""), "test", &fault));
	fake_worker->api = api_new(fake_conf());
	fake_worker->serve = api_handle;
	fake_worker->chat_app = apps_by_key(fake_worker->apps, SLICE("key"));
}

static void drop_taken(void)
{
	buf_done(&taken.body);
}

void api_fakes_end(void)
{
	/* Whoever asked is told, as when a worker ends; it frees what it kept. */
	while (count > 0) {
		(void)fake_question(questions[first].kind);
		fake_reply(503, 1, "The end");
	}
	if (has_taken)
		fake_reply(503, 1, "The end");
	drop_taken();
	api_free(fake_worker->api);
	fakes_end();
}

/* ---- the broker ---- */

struct slice fake_question(uint8_t kind)
{
	assert_true(count > 0);
	assert_int_equal(questions[first].kind, kind);
	if (has_taken)
		fake_reply(503, 1, "Forgotten");
	drop_taken();
	taken = questions[first];
	questions[first].body = (struct buf){0};
	first = (first + 1) % QUESTIONS_MAX;
	count--;
	has_taken = true;
	return buf_slice(&taken.body);
}

void expect_no_question(void)
{
	assert_int_equal(count, 0);
}

void fake_reply(unsigned status, unsigned retry_after, const char *body)
{
	struct worker_answer a = {status, retry_after, slice_str(body), NULL};

	assert_true(has_taken);
	has_taken = false;
	taken.done(fake_worker, taken.session, taken.ctx, &a);
}

void fake_authorize(const char *user_id, const char *user_info, bool presence)
{
	struct wire_authorized m = {
		.status = 200,
		.user_id = slice_str(user_id),
		.user_info = slice_str(user_info),
		.presence = presence,
	};
	struct worker_answer a = {200, 0, SLICE_NONE, &m};

	assert_true(has_taken);
	has_taken = false;
	taken.done(fake_worker, taken.session, taken.ctx, &a);
}

/* ---- the client ---- */

void fake_http(struct fake_client *c, const char *method, const char *target, const char *lines,
	       const char *body)
{
	struct buf b;

	if (has_taken) { /* what nobody looked at */
		fake_reply(503, 1, "Forgotten");
		buf_clear(&c->out);
	}
	buf_init(&b, 1 << 22);
	assert_true(buf_printf(&b, "%s %s HTTP/1.1\r\nHost: chat.example:8080\r\n%s", method,
			       target, lines));
	if (body != NULL)
		assert_true(buf_printf(&b, "Content-Length: %zu\r\n", strlen(body)));
	assert_true(buf_printf(&b, "\r\n%s", body != NULL ? body : ""));
	fake_bytes(c, buf_slice(&b));
	buf_done(&b);
}

struct fake_answer fake_answer(struct fake_client *c)
{
	static struct buf kept;
	struct fake_answer a = {0};
	char *end;

	buf_done(&kept);
	kept = c->out;
	buf_init(&c->out, 1 << 24);
	assert_true(kept.n > 0);
	assert_non_null(buf_cstr(&kept));
	end = strstr(kept.p, "\r\n\r\n");
	assert_non_null(end);
	*end = '\0';
	a.head = kept.p;
	a.body = end + 4;
	a.body_n = kept.n - (size_t)(a.body - kept.p);
	a.status = (unsigned)strtoul(kept.p + strlen("HTTP/1.1 "), NULL, 10);
	return a;
}

void expect_answer(struct fake_client *c, unsigned status, const char *body)
{
	struct fake_answer a = fake_answer(c);

	if (a.status != status)
		fail_msg("%u instead of %u: %s", a.status, status, a.body);
	assert_string_equal(a.body, body);
}

void expect_no_answer(struct fake_client *c)
{
	if (c->out.n > 0)
		fail_msg("unexpected: %s", buf_cstr(&c->out));
}

/* Decodes what the string to sign has decoded. */
static void add_decoded(struct buf *out, const char *raw)
{
	assert_true(percent_decode(out, slice_str(raw), true));
}

const char *fake_signed(const char *method, const char *path, const char *params, const char *body)
{
	static struct buf target;
	struct hmac_key *key = hmac_key_new(SLICE("secret"));
	uint8_t mac[HMAC_SIZE];
	uint8_t md5[MD5_SIZE];
	char hex[2 * HMAC_SIZE + 1];
	char md5_hex[2 * MD5_SIZE + 1] = "";
	struct buf text;
	struct buf query;
	struct slice whole;

	buf_init(&query, 8192);
	buf_init(&text, 16384);
	assert_true(buf_printf(&query, "auth_key=key&auth_timestamp=%lld&auth_version=1.0",
			       (long long)(clock_wall() / (wall_us_t)USEC_PER_SEC)));
	if (body != NULL && body[0] != '\0') {
		digest_md5(slice_str(body), md5);
		hex_encode(md5, sizeof(md5), md5_hex);
		assert_true(buf_printf(&query, "&body_md5=%s", md5_hex));
	}
	if (params[0] != '\0')
		assert_true(buf_printf(&query, "&%s", params));
	assert_true(buf_printf(&text, "%s\n%s\n", method, path));
	add_decoded(&text, buf_cstr(&query));
	whole = buf_slice(&text);
	hmac_sha256(key, &whole, 1, mac);
	hex_encode(mac, sizeof(mac), hex);
	hmac_key_free(key);
	buf_done(&target);
	buf_init(&target, 16384);
	assert_true(buf_printf(&target, "%s?%s&auth_signature=%s", path, buf_cstr(&query), hex));
	buf_done(&query);
	buf_done(&text);
	return buf_cstr(&target);
}
