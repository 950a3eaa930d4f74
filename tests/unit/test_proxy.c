#include "worker/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/macros.h"

static char *const nets[] = {(char[]){"10.0.0.0/8"},	(char[]){"192.0.2.7"},
			     (char[]){"2001:db8::/33"}, (char[]){"unix"},
			     (char[]){"bad"},		(char[]){"1.2.3.4/33"}};

static void test_trust(void **state)
{
	static const struct {
		const char *address;
		bool trusted;
	} rows[] = {
		{"10.255.1.2", true},	     {"11.0.0.1", false},
		{"192.0.2.7", true},	     {"192.0.2.8", false},
		{"2001:db8::1", true},	     {"2001:db8:7fff::1", true},
		{"2001:db8:8000::1", false}, {"unix", true},
		{"1.2.3.4", false},	     {"", false},
		{"::ffff:10.0.0.1", false},
	};
	struct proxies *p = proxies_new(nets, ARRAY_LEN(nets));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(proxies_trust(p, slice_str(rows[i].address)), rows[i].trusted);
	proxies_free(p);
	p = proxies_new(NULL, 0);
	assert_false(proxies_trust(p, SLICE("10.0.0.1")));
	proxies_free(p);
}

/* Only what trusted proxies have written is believed: from the right up to the first stranger. */
static void test_client(void **state)
{
	static const struct {
		const char *header;
		const char *client;
	} rows[] = {
		{"203.0.113.9", "203.0.113.9"},
		{"6.6.6.6, 203.0.113.9", "203.0.113.9"},
		{"6.6.6.6, 203.0.113.9 , 10.1.1.1", "203.0.113.9"},
		{"203.0.113.9,2001:db8::5", "203.0.113.9"},
		{"2001:4860::1", "2001:4860::1"},
		{"10.0.0.1, 10.0.0.2", ""},
		{"6.6.6.6, rubbish", ""},
		{"", ""},
	};
	struct proxies *p = proxies_new(nets, ARRAY_LEN(nets));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_true(slice_eq(proxies_client(p, slice_str(rows[i].header)),
				     slice_str(rows[i].client)));
	proxies_free(p);
}

static void test_counts(void **state)
{
	struct addresses *a = addresses_new();

	(void)state;
	assert_true(addresses_take(a, SLICE("192.0.2.1"), 2));
	assert_true(addresses_take(a, SLICE("192.0.2.1"), 2));
	assert_false(addresses_take(a, SLICE("192.0.2.1"), 2));
	assert_true(addresses_take(a, SLICE("192.0.2.2"), 2));
	addresses_drop(a, SLICE("192.0.2.1"));
	assert_true(addresses_take(a, SLICE("192.0.2.1"), 2));
	assert_false(addresses_take(a, SLICE("192.0.2.1"), 2));
	/* one household of IPv6 */
	assert_true(addresses_take(a, SLICE("2001:db8::1"), 1));
	assert_false(addresses_take(a, SLICE("2001:db8::ffff:1"), 1));
	assert_true(addresses_take(a, SLICE("2001:db8:0:1::1"), 1));
	addresses_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trust),
		cmocka_unit_test(test_client),
		cmocka_unit_test(test_counts),
	};

	return cmocka_run_group_tests_name("proxy", tests, NULL, NULL);
}
