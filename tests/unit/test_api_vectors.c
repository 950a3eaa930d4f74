/*
 * Requests as the server libraries of Pusher send them, recorded: what they escape, in which order
 * they write, what they put into a body. Time, key and secret are those of the documentation.
 */
#include "worker/api/signature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/buf.h"

#define KEY "278d425bdf160c739803"
#define SECRET "7ad3773142a6692b25b8"
#define NOW 1353088179

static const struct vector {
	const char *library;
	const char *method;
	const char *path;
	const char *query;
	const char *body;
} vectors[] = {
	{"PHP", "POST", "/apps/3/events",
	 "auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0"
	 "&body_md5=6534c914129ee38a1e98184e30ad8f17&auth_signature=e0ef6aaf81355f"
	 "1c88e926e939f39f635bc094ddd0aabd0e8e3d5e7bee680b7e",
	 "{\"name\":\"my_event\",\"data\":\"{\\\"url\\\":\\\"http:\\\\\\/\\\\\\/x."
	 "example\\\\\\/\\\",\\\"name\\\":\\\"Ren\\\\u00e9\\\"}\",\"channel\":\"my"
	 "-channel\"}"},
	{"PHP", "GET", "/apps/3/channels",
	 "auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0"
	 "&filter_by_prefix=presence-&info=user_count%2Csubscription_count&auth_si"
	 "gnature=ff97d40ab3fbbd15394386a29c12998c33635305357b2e2abd18dc67efe3f87d",
	 ""},
	{"PHP", "POST", "/apps/3/batch_events",
	 "auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0"
	 "&body_md5=2c03be4795fdf96f58fe26bbd1267f9d&auth_signature=a1a297b91decdf"
	 "9db965c1c74d79e48b1ba80c8ed4ce86c26bcaf90941cc75cb",
	 "{\"batch\":[{\"channel\":\"a\",\"name\":\"x\",\"data\":\"\\\"1\\\"\"}]}"},
	{"Ruby", "POST", "/apps/3/events",
	 "body_md5=f0796f623624fc553288d7a4831aca94&auth_version=1.0&auth_key=278d"
	 "425bdf160c739803&auth_timestamp=1353088179&auth_signature=b206db4682e58f"
	 "4916bfa6ba139719242f98ea1fdb288ac93030ac5afb2d0f70",
	 "{\"name\":\"my_event\",\"channels\":[\"my-channel\"],\"data\":\"{\\\"nam"
	 "e\\\":\\\"Ren\303\251\\\"}\"}"},
	{"Ruby", "GET", "/apps/3/channels",
	 "filter_by_prefix=presence-&info=user_count%2Csubscription_count&note=a+b"
	 "&auth_version=1.0&auth_key=278d425bdf160c739803&auth_timestamp=135308817"
	 "9&auth_signature=7e3c95574f21620423fb086af937b9c720bc8d961cf48ad4e8a0572"
	 "69722d67b",
	 ""},
	{"Ruby", "GET", "/apps/3/channels/presence-x",
	 "Info=user_count&auth_version=1.0&auth_key=278d425bdf160c739803&auth_time"
	 "stamp=1353088179&auth_signature=a3af19aea593d0c682885e84918819b7116f2e6d"
	 "96596b9d34c9a8faf4eee1f0",
	 ""},
	{"Go", "POST", "/apps/3/events",
	 "auth_key=278d425bdf160c739803&auth_signature=da454824c97ba181a32ccc17a72"
	 "625ba02771f50b50e1e7430e47a1f3f457e6c&auth_timestamp=1353088179&auth_ver"
	 "sion=1.0&body_md5=ec365a775a4cd0599faeb73354201b6f",
	 "{\"name\":\"foo\",\"channels\":[\"project-3\"],\"data\":\"{\\\"some\\\":"
	 "\\\"data\\\"}\"}"},
	{"Go", "GET", "/apps/3/channels",
	 "auth_key=278d425bdf160c739803&auth_signature=ff97d40ab3fbbd15394386a29c1"
	 "2998c33635305357b2e2abd18dc67efe3f87d&auth_timestamp=1353088179&auth_ver"
	 "sion=1.0&filter_by_prefix=presence-&info=user_count,subscription_count",
	 ""},
	{"Go", "GET", "/apps/3/channels/presence-a@b;c=d/users",
	 "auth_key=278d425bdf160c739803&auth_signature=d0df1f4a1d40b9e1bf42cc331ae"
	 "c944abc1ae78202e64e2e1aff058b6ea6736c&auth_timestamp=1353088179&auth_ver"
	 "sion=1.0",
	 ""},
	{"Python", "POST", "/apps/3/events",
	 "auth_key=278d425bdf160c739803&auth_signature=eb203ca4ad7e4484b8ab45aba53"
	 "c4ce859351eb46ebe0d2339c5f75a543c2716&auth_timestamp=1353088179&auth_ver"
	 "sion=1.0&body_md5=2e9e460fc5ce60415b64e5bc9eacd0ba",
	 "{\"name\": \"my_event\", \"channels\": [\"my-channel\"], \"data\": \"{\\"
	 "\"name\\\": \\\"Ren\\\\u00e9\\\"}\", \"socket_id\": \"1.2\"}"},
	{"Python", "GET", "/apps/3/channels",
	 "auth_key=278d425bdf160c739803&auth_signature=768aaa075988b9d73b4a3b232b6"
	 "e1dd9c207a55223438c0c36900e7eb2b5e182&auth_timestamp=1353088179&auth_ver"
	 "sion=1.0&body_md5=d41d8cd98f00b204e9800998ecf8427e&filter_by_prefix=pres"
	 "ence-&info=user_count,subscription_count",
	 ""},
	{".NET", "POST", "/apps/3/events",
	 "auth_signature=87746c16184728d685e20f86e46f6e54d0cd2c5d3e9ddaf3cc9e5e568"
	 "ac166d0&auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_ver"
	 "sion=1.0&body_md5=6ecc5aeb3f41b5e459286c34a9626884",
	 "{\"name\":\"my_event\",\"data\":\"{\\\"name\\\":\\\"Ren\303\251\\\"}\","
	 "\"channels\":[\"my-channel\"],\"socket_id\":null}"},
	{".NET", "GET", "/apps/3/channels",
	 "auth_signature=ff97d40ab3fbbd15394386a29c12998c33635305357b2e2abd18dc67e"
	 "fe3f87d&auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_ver"
	 "sion=1.0&filter_by_prefix=presence-&info=user_count,subscription_count",
	 ""},
	{"node", "POST", "/apps/3/users/u%201/%C3%A9/terminate_connections",
	 "auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0"
	 "&body_md5=99914b932bd37a50b983c5e7c90ae93b&auth_signature=28eaf5aa60fdb5"
	 "13aad44c3ab0702471e4e2a6a9336150f5903f5d1ce8e85403",
	 "{}"},
};

static bool good(const struct pusher_signer *signer, const struct vector *v, struct slice body)
{
	struct signature_input in = {
		.method = slice_str(v->method),
		.path = slice_str(v->path),
		.query = slice_str(v->query),
		.body = body,
		.now = NOW,
	};
	struct buf why;
	bool ok;

	buf_init(&why, SIGNATURE_TEXT_MAX);
	ok = signature_ok(signer, SLICE(KEY), &in, &why);
	buf_done(&why);
	return ok;
}

static void test_libraries(void **state)
{
	struct slice secrets[] = {SLICE_INIT("rotated"), SLICE_INIT(SECRET)};
	struct pusher_signer *signer = pusher_signer_new(SLICE(KEY), secrets, 2);
	struct pusher_signer *other = pusher_signer_new(SLICE(KEY), secrets, 1);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const struct vector *v = &vectors[i];
		struct vector get = *v;

		if (!good(signer, v, slice_str(v->body)))
			fail_msg("%s: %s %s?%s", v->library, v->method, v->path, v->query);
		assert_false(good(other, v, slice_str(v->body)));
		assert_false(good(signer, v, SLICE("another body")));
		get.method = "PUT";
		assert_false(good(signer, &get, slice_str(v->body)));
	}
	pusher_signer_free(other);
	pusher_signer_free(signer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_libraries),
	};

	return cmocka_run_group_tests_name("api_vectors", tests, NULL, NULL);
}
