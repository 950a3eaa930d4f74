#include "worker/api/signature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/encode.h"
#include "common/crypto/hmac.h"

/* Request, body and signature of the protocol's own documentation. */
#define DOC_KEY "278d425bdf160c739803"
#define DOC_SECRET "7ad3773142a6692b25b8"
#define DOC_BODY \
	"{\"name\":\"foo\",\"channels\":[\"project-3\"],\"data\":\"{\\\"some\\\":\\\"data\\\"}\"}"
#define DOC_SIGNATURE "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"
#define DOC_NOW 1353088179

static struct pusher_signer *signer;
static struct buf why;
static struct buf query;

static int setup(void **state)
{
	struct slice secret = SLICE(DOC_SECRET);

	(void)state;
	signer = pusher_signer_new(SLICE(DOC_KEY), &secret, 1);
	buf_init(&why, SIGNATURE_TEXT_MAX);
	buf_init(&query, 8192);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pusher_signer_free(signer);
	buf_done(&why);
	buf_done(&query);
	return 0;
}

static bool good(const char *method, const char *path, const char *text, const char *body,
		 int64_t now)
{
	struct signature_input in = {
		.method = slice_str(method),
		.path = slice_str(path),
		.query = slice_str(text),
		.body = slice_str(body),
		.now = now,
	};

	buf_clear(&why);
	return signature_ok(signer, SLICE(DOC_KEY), &in, &why);
}

static void expect_why(const char *text)
{
	const char *got = buf_cstr(&why);

	if (strstr(got, text) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", got, text);
}

/* A signed GET of `path`; to_sign is what stands between the version and the end. */
static const char *signed_query(const char *path, const char *raw, const char *to_sign)
{
	struct slice secret = SLICE(DOC_SECRET);
	struct hmac_key *key = hmac_key_new(secret);
	uint8_t mac[HMAC_SIZE];
	char hex[2 * HMAC_SIZE + 1];
	char text[4096];
	struct slice all;

	(void)snprintf(text, sizeof(text),
		       "GET\n%s\nauth_key=" DOC_KEY "&auth_timestamp=%d&auth_version=1.0%s", path,
		       DOC_NOW, to_sign);
	all = slice_str(text);
	hmac_sha256(key, &all, 1, mac);
	hex_encode(mac, sizeof(mac), hex);
	hmac_key_free(key);
	buf_clear(&query);
	assert_true(buf_printf(&query,
			       "auth_key=" DOC_KEY "&auth_timestamp=%d&auth_version=1.0%s"
			       "&auth_signature=%s",
			       DOC_NOW, raw, hex));
	return buf_cstr(&query);
}

#define DOC_QUERY \
	"auth_key=" DOC_KEY "&auth_timestamp=1353088179&auth_version=1.0" \
	"&body_md5=ec365a775a4cd0599faeb73354201b6f&auth_signature=" DOC_SIGNATURE

static void test_the_documented_request(void **state)
{
	(void)state;
	assert_true(good("POST", "/apps/3/events", DOC_QUERY, DOC_BODY, DOC_NOW));
	assert_true(good("POST", "/apps/3/events", DOC_QUERY, DOC_BODY, DOC_NOW + 600));
	assert_true(good("POST", "/apps/3/events", DOC_QUERY, DOC_BODY, DOC_NOW - 600));
}

static void test_what_is_wrong(void **state)
{
	static const struct {
		const char *query;
		const char *why;
	} rows[] = {
		{"", "Unknown auth_key"},
		{"auth_key=x", "Unknown auth_key"},
		{"auth_key=" DOC_KEY, "auth_version"},
		{"auth_key=" DOC_KEY "&auth_version=2.0", "auth_version"},
		{"auth_key=" DOC_KEY "&auth_version=1.0", "auth_signature"},
		{"auth_key=" DOC_KEY "&auth_version=1.0&auth_signature=ab", "auth_signature"},
		{"auth_key=" DOC_KEY "&auth_version=1.0&auth_signature=" DOC_SIGNATURE,
		 "auth_timestamp"},
		{"auth_key=" DOC_KEY
		 "&auth_version=1.0&auth_timestamp=&auth_signature=" DOC_SIGNATURE,
		 "auth_timestamp"},
		{"auth_key=" DOC_KEY
		 "&auth_version=1.0&auth_timestamp=-5&auth_signature=" DOC_SIGNATURE,
		 "auth_timestamp"},
		{"auth_key=" DOC_KEY "&auth_version=1.0&auth_timestamp=1353088179"
		 "&auth_signature=" DOC_SIGNATURE,
		 "body_md5"},
		{"auth_key=" DOC_KEY "&auth_version=1.0&auth_timestamp=1353088179&body_md5=ab"
		 "&auth_signature=" DOC_SIGNATURE,
		 "body_md5"},
		{DOC_QUERY "&auth_key=" DOC_KEY, "auth_key must stand exactly once"},
		{DOC_QUERY "&AUTH_KEY=" DOC_KEY, "auth_key must stand exactly once"},
		{DOC_QUERY "&auth_signature%5B%5D=x", "auth_signature must stand exactly once"},
		{DOC_QUERY "&body_md5=", "body_md5 must stand exactly once"},
		{DOC_QUERY "&x=%zz", "Malformed query string"},
		{DOC_QUERY "&x=1", "Invalid signature. String to sign was: \"POST\\n/apps/3/"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_false(good("POST", "/apps/3/events", rows[i].query, DOC_BODY, DOC_NOW));
		expect_why(rows[i].why);
	}
	/* method, path and body are signed, too */
	assert_false(good("PUT", "/apps/3/events", DOC_QUERY, DOC_BODY, DOC_NOW));
	assert_false(good("POST", "/apps/4/events", DOC_QUERY, DOC_BODY, DOC_NOW));
	assert_false(good("POST", "/apps/3/events", DOC_QUERY, DOC_BODY " ", DOC_NOW));
	expect_why("Invalid body_md5");
	assert_false(good("POST", "/apps/3/events", DOC_QUERY, "", DOC_NOW));
	expect_why("Invalid body_md5");
}

static void test_the_window(void **state)
{
	(void)state;
	assert_false(good("POST", "/apps/3/events", DOC_QUERY, DOC_BODY, DOC_NOW + 601));
	expect_why("Timestamp expired: Given timestamp (2012-11-16T17:49:39Z) not within 600s of "
		   "server time (2012-11-16T17:59:40Z)");
	assert_false(good("POST", "/apps/3/events", DOC_QUERY, DOC_BODY, DOC_NOW - 601));
	assert_false(good("GET", "/x",
			  "auth_key=" DOC_KEY "&auth_timestamp=999999999999999999"
			  "&auth_version=1.0&auth_signature=" DOC_SIGNATURE,
			  "", DOC_NOW));
	expect_why("Timestamp expired");
}

static void test_forms_of_libraries(void **state)
{
	static const struct {
		const char *path;
		const char *signed_path;
		const char *raw;
		const char *to_sign;
	} rows[] = {
		{"/a", "/a", "", ""},
		{"/a", "/a", "&info=user_count%2Csubscription_count",
		 "&info=user_count,subscription_count"},
		{"/a", "/a", "&info=user_count,subscription_count",
		 "&info=user_count,subscription_count"},
		{"/a", "/a", "&x=a+b", "&x=a b"},
		{"/a", "/a", "&x=a+b", "&x=a+b"},
		{"/a", "/a", "&Name=X", "&name=X"},
		{"/a", "/a", "&z=2&x=1", "&x=1&z=2"},
		{"/a", "/a", "&x=2&x=1", "&x=2&x=1"},
		{"/a", "/a", "&x", "&x="},
		{"/u%201/%C3%A9", "/u%201/%C3%A9", "", ""},
		{"/u%201/%C3%A9", "/u 1/\xC3\xA9", "", ""},
		{"/u%201", "/u 1", "&x=a+b", "&x=a+b"},
		{"/a", "/a", "&body_md5=", "&body_md5="},
		{"/a", "/a", "&body_md5=D41D8CD98F00B204E9800998ECF8427E",
		 "&body_md5=D41D8CD98F00B204E9800998ECF8427E"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *text = signed_query(rows[i].signed_path, rows[i].raw, rows[i].to_sign);

		if (!good("GET", rows[i].path, text, "", DOC_NOW))
			fail_msg("row %zu: %s", i, buf_cstr(&why));
	}
}

static void test_a_fraction_of_a_second(void **state)
{
	static const char *const bad[] = {".5", "1353088179.", "1353088179.x", "1.2.3", "0x1"};
	char text[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		(void)snprintf(text, sizeof(text),
			       "auth_key=" DOC_KEY "&auth_timestamp=%s&auth_version=1.0"
			       "&auth_signature=" DOC_SIGNATURE,
			       bad[i]);
		assert_false(good("GET", "/x", text, "", DOC_NOW));
		expect_why("Invalid auth_timestamp");
	}
	assert_false(good("GET", "/x",
			  "auth_key=" DOC_KEY "&auth_timestamp=1353088179.25&auth_version=1.0"
			  "&auth_signature=" DOC_SIGNATURE,
			  "", DOC_NOW));
	expect_why("Invalid signature"); /* the time is fine */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_documented_request),
		TEST(test_what_is_wrong),
		TEST(test_the_window),
		TEST(test_forms_of_libraries),
		TEST(test_a_fraction_of_a_second),
	};

	return cmocka_run_group_tests_name("api_signature", tests, NULL, NULL);
}
