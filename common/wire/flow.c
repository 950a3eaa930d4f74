#include "common/wire/flow.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/wire/wire.h"

#define BATCH_FIRST 256 /* bytes of a new batch */

/* ---- bytes ---- */

static char *put(char *at, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		at[i] = (char)(value >> (8 * i));
	return at + bytes;
}

static uint64_t take(const char **at, size_t bytes)
{
	uint64_t value = 0;

	for (size_t i = 0; i < bytes; i++)
		value |= (uint64_t)(unsigned char)(*at)[i] << (8 * i);
	*at += bytes;
	return value;
}

void flow_head_put(char out[FLOW_HEAD], const struct flow_head *head)
{
	*out++ = 'C';
	*out++ = 'L';
	out = put(out, head->version, 2);
	out = put(out, head->type, 2);
	out = put(out, head->count, 2);
	out = put(out, head->epoch, 8);
	out = put(out, head->seq, 8);
	(void)put(out, head->ack, 8); /* the end of what is there */
}

bool flow_head_take(struct slice message, struct flow_head *ret_head)
{
	const char *at = message.p;
	struct flow_head h;

	if (message.n < FLOW_HEAD || at[0] != 'C' || at[1] != 'L')
		return false;
	at += 2;
	h.version = (uint16_t)take(&at, 2);
	h.type = (uint8_t)take(&at, 2);
	h.count = (uint16_t)take(&at, 2);
	h.epoch = take(&at, 8);
	h.seq = take(&at, 8);
	h.ack = take(&at, 8);
	*ret_head = h;
	return true;
}

void flow_hello_put(char out[FLOW_HELLO_BYTES], const struct flow_hello *hello)
{
	out = put(out, hello->life, 8);
	out = put(out, hello->generation, 8);
	out = put(out, hello->slot, 4);
	out = put(out, hello->slots, 4);
	(void)put(out, hello->number, 4); /* the end of what is there */
}

bool flow_hello_take(struct slice message, struct flow_hello *ret_hello)
{
	const char *at;

	if (message.n != FLOW_HEAD + FLOW_HELLO_BYTES)
		return false;
	at = message.p + FLOW_HEAD;
	ret_hello->life = take(&at, 8);
	ret_hello->generation = take(&at, 8);
	ret_hello->slot = (uint32_t)take(&at, 4);
	ret_hello->slots = (uint32_t)take(&at, 4);
	ret_hello->number = (uint32_t)take(&at, 4);
	return true;
}

/* ---- out ---- */

void flow_init(struct flow *f)
{
	*f = (struct flow){.next = 1, .acked = 1, .want = 1};
	TAILQ_INIT(&f->batches);
}

static size_t memory_of(const struct flow_batch *b)
{
	return sizeof(*b) + b->cap;
}

static void drop_first(struct flow *f)
{
	struct flow_batch *b = TAILQ_FIRST(&f->batches);

	TAILQ_REMOVE(&f->batches, b, link);
	if (f->unsent == b)
		f->unsent = TAILQ_FIRST(&f->batches);
	f->held -= memory_of(b);
	free(b->bytes);
	free(b);
}

void flow_done(struct flow *f)
{
	while (!TAILQ_EMPTY(&f->batches))
		drop_first(f);
}

/* The last batch, if it is still to go out and has room; else a new one. */
static struct flow_batch *batch_for(struct flow *f, uint32_t n)
{
	struct flow_batch *b = TAILQ_LAST(&f->batches, flow_batches);

	if (f->unsent != NULL && b->n + n <= FLOW_BATCH && b->count < UINT16_MAX)
		return b;
	b = NEW(struct flow_batch);
	b->seq = f->next;
	TAILQ_INSERT_TAIL(&f->batches, b, link);
	f->held += memory_of(b);
	if (f->unsent == NULL)
		f->unsent = b;
	return b;
}

static void make_room(struct flow *f, struct flow_batch *b, uint32_t n)
{
	uint32_t cap = MAX(b->cap, (uint32_t)BATCH_FIRST);

	if (b->n + n <= b->cap)
		return;
	while (cap < b->n + n && cap < FLOW_BATCH)
		cap *= 2;
	cap = MAX(cap, b->n + n); /* one record may be larger than a batch */
	b->bytes = mem_realloc(b->bytes, cap);
	f->held += cap - b->cap;
	b->cap = cap;
}

void flow_push(struct flow *f, uint8_t kind, struct slice body)
{
	uint32_t n = (uint32_t)body.n + FLOW_RECORD_HEAD;
	struct flow_batch *b;
	char *at;

	if (body.n > LIMIT_WIRE_RECORD)
		die("a record of %zu bytes", body.n);
	b = batch_for(f, n);
	make_room(f, b, n);
	at = put(b->bytes + b->n, kind, 1);
	at = put(at, body.n, 4);
	if (body.n > 0)
		memcpy(at, body.p, body.n);
	b->n += n;
	b->count++;
	f->next++;
}

struct flow_head flow_head(const struct flow *f, enum flow_type type, uint64_t epoch)
{
	return (struct flow_head){
		.version = WIRE_VERSION,
		.type = (uint8_t)type,
		.count = type == FLOW_DATA ? f->unsent->count : 0,
		.epoch = epoch,
		.seq = f->unsent != NULL ? f->unsent->seq : f->next,
		.ack = f->want,
	};
}

struct flow_batch *flow_out(const struct flow *f)
{
	return f->unsent;
}

void flow_sent(struct flow *f)
{
	if (f->unsent->sent)
		f->resent++;
	f->unsent->sent = true;
	f->unsent = TAILQ_NEXT(f->unsent, link);
	flow_told(f);
}

void flow_told(struct flow *f)
{
	f->untold = 0;
}

bool flow_ack(struct flow *f, uint64_t ack)
{
	struct flow_batch *b;

	if (ack > f->next)
		return false;
	f->acked = MAX(f->acked, ack);
	while ((b = TAILQ_FIRST(&f->batches)) != NULL && b->seq + b->count <= ack)
		drop_first(f);
	return true;
}

void flow_rewind(struct flow *f)
{
	f->unsent = TAILQ_FIRST(&f->batches);
}

/* ---- in ---- */

/* The next record of a message; false: it is cut off. */
static bool next_record(struct slice *left, uint8_t *ret_kind, struct slice *ret_body)
{
	const char *at = left->p;
	uint64_t n;

	if (left->n < FLOW_RECORD_HEAD)
		return false;
	*ret_kind = (uint8_t)take(&at, 1);
	n = take(&at, 4);
	*left = slice_skip(*left, FLOW_RECORD_HEAD);
	if (left->n < n)
		return false;
	*ret_body = slice_first(*left, (size_t)n);
	*left = slice_skip(*left, (size_t)n);
	return true;
}

enum flow_in flow_take(struct flow *f, struct flow_head *head, struct slice *records,
		       bool (*on_record)(void *ctx, uint8_t kind, struct slice body), void *ctx)
{
	struct slice body;
	uint8_t kind;

	if (head->seq > f->want) {
		if (f->asked == f->want)
			return FLOW_IN_DONE; /* more behind the same gap */
		f->asked = f->want;
		f->gaps++;
		return FLOW_IN_GAP;
	}
	f->untold++;
	for (; head->count > 0; head->count--) {
		if (!next_record(records, &kind, &body))
			return FLOW_IN_BROKEN;
		if (head->seq++ < f->want) {
			f->repeated++;
			continue;
		}
		f->want++;
		if (!on_record(ctx, kind, body)) {
			head->count--;
			return FLOW_IN_STOP;
		}
	}
	return records->n == 0 ? FLOW_IN_DONE : FLOW_IN_BROKEN;
}

bool flow_behind(struct flow *f, uint64_t seq)
{
	if (seq <= f->want)
		return false;
	f->asked = f->want;
	f->gaps++;
	return true;
}
