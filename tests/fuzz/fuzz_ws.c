/*
 * Bytes of a client after the handshake, whole and in pieces: the same events must come of them.
 * The first byte of the input is the seed of the pieces.
 */
#include <stdlib.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "worker/ws/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ws_limits LIMITS = {.max_message = 300, .max_fragments = 5};

static void note(struct buf *log, enum ws_event event, const struct ws_message *m,
		 const struct fault *err)
{
	if ((event == WS_TEXT || event == WS_CLOSE) && !utf8_valid(m->payload))
		die("a text that is none");
	if (m->payload.n > LIMITS.max_message)
		die("a message above its limit");
	(void)buf_printf(log, "%d %u %u:", (int)event, event == WS_CLOSE ? m->code : 0,
			 event == WS_FAULT ? err->close_code : 0);
	if (event != WS_FAULT)
		(void)buf_add(log, m->payload); /* the log has room for all of the input */
}

/* Events out of n bytes; how many are used. In memory of exactly their size, as they are changed.
 */
static size_t take(struct ws_reader *r, struct slice in, struct buf *log, bool *ret_over)
{
	char *bytes = mem_alloc(in.n + 1);
	enum ws_event event = WS_PING;
	size_t used = 0;

	if (in.n > 0)
		memcpy(bytes, in.p, in.n);
	while (event != WS_MORE && !r->over) {
		struct ws_message m;
		struct fault err;
		size_t took = 0;

		event = ws_read(r, &LIMITS, bytes + used, in.n - used, &took, &m, &err);
		used += took;
		if (event != WS_MORE)
			note(log, event, &m, &err);
	}
	*ret_over = r->over;
	if (!r->over && in.n - used > WS_LEFT_MAX)
		die("too much is left");
	free(bytes);
	return used;
}

static void read_all(struct slice in, bool whole, uint32_t seed, struct buf *log)
{
	struct ws_reader r = {0};
	size_t seen = whole ? in.n : 0;
	bool over = false;

	do {
		if (!whole)
			seen = MIN(seen + 1 + (seed >> 8) % 40, in.n);
		seed = seed * 1664525 + 1013904223;
		size_t used = take(&r, slice_first(in, seen), log, &over);

		in = slice_skip(in, used);
		seen -= used;
	} while (!over && seen < in.n);
	ws_reader_done(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_skip(slice_of(data, size), 1);
	struct buf whole;
	struct buf pieces;

	buf_init(&whole, 64 * size + 64);
	buf_init(&pieces, 64 * size + 64);
	read_all(in, true, 0, &whole);
	read_all(in, false, size > 0 ? data[0] : 0, &pieces);
	if (!slice_eq(buf_slice(&whole), buf_slice(&pieces)))
		die("pieces make a difference");
	buf_done(&whole);
	buf_done(&pieces);
	return 0;
}
