#include "common/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_stamp(wall_us_t at, const char *want)
{
	struct buf b;

	buf_init(&b, 64);
	assert_true(clock_rfc3339(&b, at));
	assert_string_equal(buf_cstr(&b), want);
	buf_done(&b);
}

static void stamps_in_utc_with_milliseconds(void **state)
{
	(void)state;
	assert_stamp(0, "1970-01-01T00:00:00.000Z");
	assert_stamp(1795509000123999, "2026-11-24T08:30:00.123Z");
	assert_stamp(951782400000000, "2000-02-29T00:00:00.000Z");
	assert_stamp(-1, "1969-12-31T23:59:59.999Z");
	assert_stamp(-1000000, "1969-12-31T23:59:59.000Z");
}

static void monotonic_time_does_not_go_back(void **state)
{
	usec_t before = clock_mono();

	(void)state;
	clock_wall_step(-3600LL * 1000000);
	assert_true(clock_mono() >= before);
	clock_wall_step(3600LL * 1000000);
}

static void wall_time_can_be_stepped(void **state)
{
	wall_us_t before = clock_wall();

	(void)state;
	clock_wall_step(3600LL * 1000000);
	assert_true(clock_wall() >= before + 3600LL * 1000000);
	clock_wall_step(-3600LL * 1000000);
	assert_true(clock_wall() < before + 3600LL * 1000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stamps_in_utc_with_milliseconds),
		cmocka_unit_test(monotonic_time_does_not_go_back),
		cmocka_unit_test(wall_time_can_be_stepped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
