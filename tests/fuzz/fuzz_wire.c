/*
 * A record of any kind: what can be decoded must come out the same when it is encoded again, and
 * lists in it must end. The first byte of the input is the kind.
 */
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(struct slice list)
{
	struct slice item;
	size_t before = list.n;

	while (wire_list_next(&list, &item)) {
		if (list.n >= before || item.n > before)
			die("a list that does not end");
		before = list.n;
	}
}

/* The items of whatever is a list. */
#define U8(f)
#define U16(f)
#define U32(f)
#define U64(f)
#define I64(f)
#define STR(f)
#define LIST(f) walk(m.f);
#define WIRE_MESSAGE(name, NAME, number, fields) \
	static void check_##name(struct slice body) \
	{ \
		struct wire_##name m; \
		struct buf out; \
		if (!wire_decode_##name(body, &m)) \
			return; \
		buf_init(&out, LIMIT_WIRE_RECORD); \
		if (!wire_encode_##name(&out, &m) || !slice_eq(buf_slice(&out), body)) \
			die(#NAME " has changed"); \
		buf_done(&out); \
		fields \
	}
#include "common/wire/wire.def"
#undef WIRE_MESSAGE

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice body = slice_skip(slice_of(data, size), 1);

	if (size == 0)
		return 0;
	switch (data[0]) {
#define WIRE_MESSAGE(name, NAME, number, fields) \
	case number: \
		check_##name(body); \
		break;
#include "common/wire/wire.def"
#undef WIRE_MESSAGE
	default:
		walk(body);
		break;
	}
	return 0;
}
