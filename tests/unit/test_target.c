#include "worker/http/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/macros.h"

static void sound_paths(void **state)
{
	static const struct slice paths[] = {
		SLICE_INIT("/"),
		SLICE_INIT("//"),
		SLICE_INIT("/a/b/"),
		SLICE_INIT("/%41%2F"),
		SLICE_INIT("/..."),
		SLICE_INIT("/a.b"),
		SLICE_INIT("/.well-known"),
		SLICE_INIT("/a/..b/c."),
		SLICE_INIT("/%C3%A9"),
		SLICE_INIT("/\xC3\xA9"),
		SLICE_INIT("/\xC3%A9"),
		SLICE_INIT("/%F0%9F%98%80"),
		SLICE_INIT("/%2520"),
		SLICE_INIT("/%01"),
		SLICE_INIT("/+"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		if (!http_path_is_sound(paths[i]))
			fail_msg("%.*s", SLICE_ARG(paths[i]));
	}
}

static void unsound_paths(void **state)
{
	static const struct slice paths[] = {
		/* no path */
		SLICE_INIT(""),
		SLICE_INIT("a"),
		SLICE_INIT("*"),
		SLICE_INIT("http://h/"),
		/* climbing, escaped or not, and behind an escaped slash */
		SLICE_INIT("/."),
		SLICE_INIT("/.."),
		SLICE_INIT("/./a"),
		SLICE_INIT("/a/../b"),
		SLICE_INIT("/a/.."),
		SLICE_INIT("/%2e"),
		SLICE_INIT("/%2e%2E/"),
		SLICE_INIT("/.%2e/a"),
		SLICE_INIT("/a%2f..%2fb"),
		SLICE_INIT("/a%2F.."),
		SLICE_INIT("/..%2fa"),
		/* escapes */
		SLICE_INIT("/%"),
		SLICE_INIT("/%2"),
		SLICE_INIT("/%g0"),
		SLICE_INIT("/%0g"),
		SLICE_INIT("/% 0"),
		SLICE_INIT("/a%00b"),
		/* UTF-8: cut off, overlong, a surrogate, above U+10FFFF, a stray byte */
		SLICE_INIT("/%C3"),
		SLICE_INIT("/%C3/%A9"),
		SLICE_INIT("/%c0%af"),
		SLICE_INIT("/%ED%A0%80"),
		SLICE_INIT("/%F4%90%80%80"),
		SLICE_INIT("/\xFF"),
		SLICE_INIT("/%80"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		if (http_path_is_sound(paths[i]))
			fail_msg("%.*s", SLICE_ARG(paths[i]));
	}
	assert_false(http_path_is_sound(SLICE_NONE));
}

static void hosts(void **state)
{
	static const struct slice good[] = {
		SLICE_INIT("h"),	  SLICE_INIT("example.org:8080"), SLICE_INIT("[::1]:80"),
		SLICE_INIT("127.0.0.1"),  SLICE_INIT("a_b-c~"),		  SLICE_INIT("%41"),
		SLICE_INIT("!$&'()*+;="),
	};
	static const struct slice bad[] = {
		SLICE_INIT(""),	   SLICE_INIT("a b"), SLICE_INIT("a/b"), SLICE_INIT("a,b"),
		SLICE_INIT("a@b"), SLICE_INIT("a?b"), SLICE_INIT("a#b"), SLICE_INIT("a\0b"),
		SLICE_INIT("\\a"), SLICE_INIT("a\""), SLICE_INIT("<a>"), SLICE_INIT("\xC3\xA9"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(http_host_is_sound(good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(http_host_is_sound(bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sound_paths),
		cmocka_unit_test(unsound_paths),
		cmocka_unit_test(hosts),
	};

	return cmocka_run_group_tests_name("target", tests, NULL, NULL);
}
