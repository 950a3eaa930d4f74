#include "worker/edge/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

#include "common/base/macros.h"

/* text, the same written back, the host alone */
static const char *const GOOD[][3] = {
	{"0.0.0.0:8080", "0.0.0.0:8080", "0.0.0.0"},
	{"127.0.0.1:0", "127.0.0.1:0", "127.0.0.1"},
	{"255.255.255.255:65535", "255.255.255.255:65535", "255.255.255.255"},
	{"127.0.0.1:0080", "127.0.0.1:80", "127.0.0.1"},
	{"[::]:8080", "[::]:8080", "::"},
	{"[::1]:443", "[::1]:443", "::1"},
	{"[2001:DB8:0:0::1]:1", "[2001:db8::1]:1", "2001:db8::1"},
	{"[::ffff:192.0.2.7]:80", "192.0.2.7:80", "192.0.2.7"},
	{"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
	 "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
	 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	{"unix:/run/chat/http.sock", "unix:/run/chat/http.sock", "unix"},
	{"unix:/a:b", "unix:/a:b", "unix"},
};

static const char *const BAD[] = {
	"",
	":",
	":80",
	"80",
	"127.0.0.1",
	"127.0.0.1:",
	"127.0.0.1:-1",
	"127.0.0.1:+1",
	"127.0.0.1:x",
	"127.0.0.1:65536",
	"127.0.0:80",
	"127.0.0.256:1",
	"host:80",
	" 127.0.0.1:80",
	"127.0.0.1:80 ",
	"::1:80",
	"[::1]",
	"[::1]:",
	"[]:80",
	"[::1:80",
	"[127.0.0.1]:80",
	"[::g]:80",
	"[fe80::1%lo]:80",
	"unix:",
	"unix:relative",
	"Unix:/a",
	"1111111111111111111111111111111111111111111111111:80",
};

static void reads_and_writes(void **state)
{
	char text[ADDRESS_TEXT];
	struct address a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(GOOD); i++) {
		assert_true(address_parse(slice_str(GOOD[i][0]), &a));
		address_text(&a, text);
		assert_string_equal(text, GOOD[i][1]);
		address_host(&a, text);
		assert_string_equal(text, GOOD[i][2]);
	}
}

static void refuses(void **state)
{
	struct address a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
		if (address_parse(slice_str(BAD[i]), &a))
			fail_msg("%s", BAD[i]);
	}
	assert_false(address_parse(SLICE_NONE, &a));
	assert_false(address_parse(SLICE("unix:/a\0b"), &a));
	assert_false(address_parse(SLICE("127.0.0.1\0:80"), &a));
}

/* The kernel's limit for the path of a socket, at N and N + 1. */
static void paths_as_long_as_the_kernel_takes(void **state)
{
	char text[5 + sizeof(((struct sockaddr_un *)0)->sun_path) + 1] = "unix:/";
	size_t longest = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
	char back[ADDRESS_TEXT];
	struct address a;

	(void)state;
	memset(text + 6, 'x', sizeof(text) - 6);
	assert_true(address_parse(slice_of(text, 5 + longest), &a));
	address_text(&a, back);
	assert_int_equal(strlen(back), 5 + longest);
	assert_memory_equal(back, text, 5 + longest);
	assert_false(address_parse(slice_of(text, 5 + longest + 1), &a));
}

/* As accept() tells of a client whose socket has no name. */
static void a_nameless_peer(void **state)
{
	struct address a = {.len = sizeof(sa_family_t)};
	char text[ADDRESS_TEXT];

	(void)state;
	a.sa.ss_family = AF_UNIX;
	address_text(&a, text);
	assert_string_equal(text, "unix:");
	address_host(&a, text);
	assert_string_equal(text, "unix");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_writes),
		cmocka_unit_test(refuses),
		cmocka_unit_test(paths_as_long_as_the_kernel_takes),
		cmocka_unit_test(a_nameless_peer),
	};

	return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
