/*
 * A record of any kind: what can be decoded must come out the same when it is encoded again, and
 * lists in it must end. The first byte of the input is the kind; 0 stands for a message of the lane
 * with many records, which come from inside it and are counted right.
 */
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/wire/flow.h"
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

struct walk {
	struct slice message;
	uint64_t records;
};

static bool on_record(void *ctx, uint8_t kind, struct slice body)
{
	struct walk *w = ctx;

	(void)kind;
	if (body.p < w->message.p || body.p + body.n > w->message.p + w->message.n)
		die("a record outside of its message");
	return ++w->records % 3 != 0;
}

static void check_message(struct slice message)
{
	struct walk w = {.message = message};
	struct slice records = slice_skip(message, FLOW_HEAD);
	struct flow_hello hello;
	struct flow_head head;
	struct flow flow;
	enum flow_in in;

	(void)!flow_hello_take(message, &hello); /* either is right */
	if (!flow_head_take(message, &head))
		return;
	flow_init(&flow);
	if (flow_ack(&flow, head.ack) && head.ack > 1)
		die("an acknowledgement of nothing");
	(void)flow_behind(&flow, head.seq);
	do
		in = flow_take(&flow, &head, &records, on_record, &w);
	while (in == FLOW_IN_STOP);
	if (flow.want != 1 + w.records ||
	    (in == FLOW_IN_DONE && head.seq < flow.want && (head.count > 0 || records.n > 0)))
		die("records miscounted");
	flow_done(&flow);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice body = slice_skip(slice_of(data, size), 1);

	if (size == 0)
		return 0;
	switch (data[0]) {
	case 0:
		check_message(body);
		break;
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
