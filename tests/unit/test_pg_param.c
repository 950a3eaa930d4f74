#include "broker/store/pg_param.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/macros.h"

static struct pg_params params;

static int start(void **state)
{
	(void)state;
	pg_params_init(&params);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	pg_params_done(&params);
	return 0;
}

static void assert_param(int i, const void *bytes, int n)
{
	assert_int_equal(params.lengths[i], n);
	assert_int_equal(params.formats[i], 1);
	assert_memory_equal(params.values[i], bytes, (size_t)n);
}

static void values_are_big_endian(void **state)
{
	(void)state;
	pg_param_i64(&params, -2);
	pg_param_i32(&params, 258);
	pg_param_bool(&params, true);
	pg_param_text(&params, SLICE("abc"));
	pg_param_text(&params, SLICE(""));
	pg_param_text_or_null(&params, SLICE(""));
	pg_param_time(&params, PG_EPOCH_US + 1);
	pg_params_ready(&params);
	assert_int_equal(params.n, 7);
	assert_param(0, "\xff\xff\xff\xff\xff\xff\xff\xfe", 8);
	assert_param(1, "\0\0\1\2", 4);
	assert_param(2, "\1", 1);
	assert_param(3, "abc", 3);
	assert_param(4, "", 0);
	assert_int_equal(params.lengths[5], -1);
	assert_null(params.values[5]);
	assert_param(6, "\0\0\0\0\0\0\0\1", 8);
}

static void arrays_hold_values_and_nulls(void **state)
{
	static const char want[] = "\0\0\0\1\0\0\0\1\0\0\0\x19\0\0\0\3\0\0\0\1"
				   "\0\0\0\2hi\xff\xff\xff\xff\0\0\0\0";
	static const char none[] = "\0\0\0\0\0\0\0\1\0\0\0\x14";
	static const char jsonb[] = "\0\0\0\1\0\0\0\1\0\0\x0e\xda\0\0\0\1\0\0\0\1\0\0\0\3\1{}";

	(void)state;
	pg_array_begin(&params, PG_TEXT, 3);
	pg_array_text(&params, SLICE("hi"));
	pg_array_null(&params);
	pg_array_text(&params, SLICE(""));
	pg_array_end(&params);
	pg_array_begin(&params, PG_INT8, 0);
	pg_array_end(&params);
	pg_array_begin(&params, PG_JSONB, 1);
	pg_array_text(&params, SLICE("{}"));
	pg_array_end(&params);
	pg_params_ready(&params);
	assert_param(0, want, sizeof(want) - 1);
	assert_param(1, none, sizeof(none) - 1);
	assert_param(2, jsonb, sizeof(jsonb) - 1);

	pg_params_clear(&params);
	pg_array_begin(&params, PG_INT4, 1);
	pg_array_i32(&params, 7);
	pg_array_end(&params);
	pg_params_ready(&params);
	assert_int_equal(params.n, 1);
	assert_param(0, "\0\0\0\1\0\0\0\1\0\0\0\x17\0\0\0\1\0\0\0\1\0\0\0\4\0\0\0\7", 28);
}

static void text_that_postgresql_refuses(void **state)
{
	(void)state;
	assert_true(pg_text_ok(SLICE("")));
	assert_true(pg_text_ok(SLICE_NONE));
	assert_true(pg_text_ok(SLICE("\xc3\xa4")));
	assert_false(pg_text_ok(slice_of("a\0b", 3)));
	assert_false(pg_text_ok(SLICE("\xc3")));
	assert_false(pg_text_ok(SLICE("\xed\xa0\x80"))); /* half a surrogate pair */
}

static void json_that_jsonb_refuses(void **state)
{
	static const char *const good[] = {"{}",
					   "{\"a\":\"\\u0001\\n\\\\u0000\"}",
					   "{\"a\":\"\\ud83d\\ude00\"}",
					   "{\"a\":1e10,\"b\":-1.5E+3}",
					   "[\"e1000000\"]",
					   "[true,false,null]"};
	static const char *const bad[] = {
		"{\"a\":\"\\u0000\"}", "{\"a\":\"\\ud83d\"}",	     "{\"a\":\"\\ud83dx\"}",
		"{\"a\":\"\\ude00\"}", "{\"a\":\"\\ud83d\\ud83d\"}", "{\"a\":1e1000000}",
		"{\"\xff\":1}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(pg_jsonb_ok(slice_str(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(pg_jsonb_ok(slice_str(bad[i])));
}

static void uuids_go_there_and_back(void **state)
{
	uint8_t uuid[16];
	char text[PG_UUID_TEXT];

	(void)state;
	assert_true(pg_uuid_parse(SLICE("123E4567-e89b-12d3-a456-426614174000"), uuid));
	assert_int_equal(uuid[0], 0x12);
	pg_uuid_format(uuid, text);
	assert_string_equal(text, "123e4567-e89b-12d3-a456-426614174000");
	assert_false(pg_uuid_parse(SLICE(""), uuid));
	assert_false(pg_uuid_parse(SLICE("123e4567e89b12d3a456426614174000"), uuid));
	assert_false(pg_uuid_parse(SLICE("123e4567-e89b-12d3-a456-42661417400g"), uuid));
	assert_false(pg_uuid_parse(SLICE("123e4567-e89b-12d3-a456_426614174000"), uuid));
	assert_false(pg_uuid_parse(SLICE("{23e4567-e89b-12d3-a456-426614174000"), uuid));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(values_are_big_endian, start, stop),
		cmocka_unit_test_setup_teardown(arrays_hold_values_and_nulls, start, stop),
		cmocka_unit_test(text_that_postgresql_refuses),
		cmocka_unit_test(json_that_jsonb_refuses),
		cmocka_unit_test(uuids_go_there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
