#include "common/wire/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/limits.h"
#include "common/base/mem.h"

/* Values that differ from field to field and fill every byte. */
static uint64_t next_value;

static uint64_t value(void)
{
	next_value += 0x9E3779B97F4A7C15ULL;
	return next_value ^ (next_value >> 29);
}

static struct slice text(void)
{
	static char bytes[64];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7);
	return slice_of(bytes, value() % sizeof(bytes));
}

/* Fills, compares and encodes whatever wire.def names, without knowing any of it. */
#define U8(f) m.f = (uint8_t)value();
#define U16(f) m.f = (uint16_t)value();
#define U32(f) m.f = (uint32_t)value();
#define U64(f) m.f = value();
#define I64(f) m.f = (int64_t)value();
#define STR(f) m.f = text();
#define LIST(f) m.f = text();
#define WIRE_MESSAGE(name, NAME, number, fields) \
	static void fill_##name(struct wire_##name *ret_m) \
	{ \
		struct wire_##name m; \
		fields *ret_m = m; \
	}
#include "common/wire/wire.def"
#undef WIRE_MESSAGE
#undef U8
#undef U16
#undef U32
#undef U64
#undef I64
#undef STR
#undef LIST

#define U8(f) assert_int_equal(a->f, b->f);
#define U16(f) assert_int_equal(a->f, b->f);
#define U32(f) assert_int_equal(a->f, b->f);
#define U64(f) assert_int_equal(a->f, b->f);
#define I64(f) assert_int_equal(a->f, b->f);
#define STR(f) assert_true(slice_eq(a->f, b->f));
#define LIST(f) assert_true(slice_eq(a->f, b->f));
#define WIRE_MESSAGE(name, NAME, number, fields) \
	static void compare_##name(const struct wire_##name *a, const struct wire_##name *b) \
	{ \
		fields \
	}
#include "common/wire/wire.def"
#undef WIRE_MESSAGE

/* A copy of exactly this size, so that the sanitizer sees every byte too far. */
static struct slice exact(struct slice s)
{
	char *p = mem_alloc(s.n);

	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return slice_of(p, s.n);
}

static void drop(struct slice s)
{
	free((void *)(uintptr_t)s.p);
}

#define WIRE_MESSAGE(name, NAME, number, fields) \
	static void trip_##name(void) \
	{ \
		struct wire_##name in; \
		struct wire_##name out; \
		struct buf b; \
		buf_init(&b, LIMIT_WIRE_RECORD); \
		fill_##name(&in); \
		assert_true(wire_encode_##name(&b, &in)); \
		struct slice body = exact(buf_slice(&b)); \
		assert_true(wire_decode_##name(body, &out)); \
		compare_##name(&in, &out); \
		for (size_t n = 0; n < body.n; n++) { \
			struct slice cut = exact(slice_first(body, n)); \
			assert_false(wire_decode_##name(cut, &out)); \
			drop(cut); \
		} \
		drop(body); \
		assert_true(buf_addc(&b, 'x')); \
		assert_false(wire_decode_##name(buf_slice(&b), &out)); \
		buf_done(&b); \
		buf_init(&b, body.n - 1); \
		assert_false(wire_encode_##name(&b, &in)); \
		buf_done(&b); \
	}
#include "common/wire/wire.def"
#undef WIRE_MESSAGE

static void test_every_record_comes_back(void **state)
{
	(void)state;
	for (int n = 0; n < 20; n++) {
#define WIRE_MESSAGE(name, NAME, number, fields) trip_##name();
#include "common/wire/wire.def"
#undef WIRE_MESSAGE
	}
}

static void test_bytes_on_the_wire(void **state)
{
	struct wire_unsubscribe m = {.conn = 0x0102030405060708, .channel = SLICE_INIT("ab")};
	static const char want[] = "\x08\x07\x06\x05\x04\x03\x02\x01\x02\0\0\0ab";
	struct buf b;

	(void)state;
	buf_init(&b, 64);
	assert_true(wire_encode_unsubscribe(&b, &m));
	assert_int_equal(b.n, sizeof(want) - 1);
	assert_memory_equal(b.p, want, sizeof(want) - 1);
	buf_done(&b);
}

static void test_lengths_that_point_outside(void **state)
{
	static const char body[] = "\x08\x07\x06\x05\x04\x03\x02\x01\xFF\xFF\xFF\xFF"
				   "ab";
	struct wire_unsubscribe m = {.conn = 77};

	(void)state;
	assert_false(wire_decode_unsubscribe(slice_of(body, sizeof(body) - 1), &m));
	assert_int_equal(m.conn, 77); /* nothing is set */
}

static void test_a_text_longer_than_any(void **state)
{
	struct wire_unsubscribe m = {.channel = slice_of("x", (size_t)UINT32_MAX + 1)};
	struct buf b;

	(void)state;
	buf_init(&b, 64);
	assert_false(wire_encode_unsubscribe(&b, &m));
	buf_done(&b);
}

static void test_names_and_numbers(void **state)
{
	uint8_t taken[256] = {0};

	(void)state;
#define WIRE_MESSAGE(name, NAME, number, fields) \
	assert_string_equal(wire_kind_name(number), #NAME); \
	assert_int_equal(taken[number]++, 0);
#include "common/wire/wire.def"
#undef WIRE_MESSAGE
	assert_string_equal(wire_kind_name(0), "?");
	assert_string_equal(wire_kind_name(63), "?");
	assert_string_equal(wire_kind_name(255), "?");
}

static void test_lists(void **state)
{
	struct buf b;
	struct slice list;
	struct slice item;

	(void)state;
	buf_init(&b, 64);
	assert_true(wire_list_add(&b, SLICE("one")));
	assert_true(wire_list_add(&b, SLICE("")));
	assert_true(wire_list_add(&b, SLICE("three")));
	list = buf_slice(&b);
	assert_true(wire_list_next(&list, &item));
	assert_true(slice_eq(item, SLICE("one")));
	assert_true(wire_list_next(&list, &item));
	assert_int_equal(item.n, 0);
	assert_true(wire_list_next(&list, &item));
	assert_true(slice_eq(item, SLICE("three")));
	assert_false(wire_list_next(&list, &item));
	list = slice_first(buf_slice(&b), 6);
	assert_false(wire_list_next(&list, &item)); /* cut inside an item */
	assert_int_equal(list.n, 6);
	list = slice_first(buf_slice(&b), 9);
	assert_true(wire_list_next(&list, &item));
	assert_false(wire_list_next(&list, &item)); /* cut inside a length */
	list = SLICE_NONE;
	assert_false(wire_list_next(&list, &item));
	buf_done(&b);
	buf_init(&b, 6);
	assert_false(wire_list_add(&b, SLICE("one")));
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_record_comes_back),
		cmocka_unit_test(test_bytes_on_the_wire),
		cmocka_unit_test(test_lengths_that_point_outside),
		cmocka_unit_test(test_a_text_longer_than_any),
		cmocka_unit_test(test_names_and_numbers),
		cmocka_unit_test(test_lists),
	};

	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
