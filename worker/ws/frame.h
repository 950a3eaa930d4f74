/*
 * Frames of RFC 6455 section 5: headers, masks, and whole server frames. Pure.
 * Every rule that can be judged by the header is judged there, before a byte of payload is kept.
 */
#ifndef WORKER_WS_FRAME_H
#define WORKER_WS_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/fault.h"
#include "common/base/frame.h"
#include "common/base/macros.h"
#include "common/base/slice.h"

enum ws_opcode {
	WS_OP_CONTINUATION = 0x0,
	WS_OP_TEXT = 0x1,
	WS_OP_BINARY = 0x2,
	WS_OP_CLOSE = 0x8,
	WS_OP_PING = 0x9,
	WS_OP_PONG = 0xA,
};

/* Close codes of section 7.4.1 that we send or tell apart. Pusher's own are 4000 and up. */
enum ws_close_code {
	WS_CLOSE_NORMAL = 1000,
	WS_CLOSE_GOING_AWAY = 1001,
	WS_CLOSE_PROTOCOL = 1002,
	WS_CLOSE_UNSUPPORTED = 1003,
	WS_CLOSE_NONE = 1005, /* never on the wire: the close frame had no code */
	WS_CLOSE_NOT_UTF8 = 1007,
	WS_CLOSE_POLICY = 1008,
	WS_CLOSE_TOO_BIG = 1009,
};

#define WS_HEADER_MAX 14	/* of a client's frame: 2 + 8 length + 4 mask */
#define WS_SERVER_HEADER_MAX 10 /* of ours: no mask */
#define WS_CONTROL_MAX 125

struct ws_header {
	bool fin;
	uint8_t opcode;	 /* enum ws_opcode */
	uint8_t head_n;	 /* bytes of the header */
	uint8_t mask[4]; /* masking key */
	uint64_t len;	 /* bytes of payload */
};

/*
 * Decodes the header of a client's frame. PARSE_BAD as soon as the bytes so far prove it: 1002 for
 * reserved bits or opcodes, no mask, a longer length form than needed, a fragmented or oversized
 * control frame; 1009 for a data frame with more than max_len bytes.
 */
MUST_CHECK enum parse ws_header_decode(struct slice in, uint64_t max_len, struct ws_header *ret,
				       struct fault *err);

/*
 * Applies the mask in place, which is also how a client puts it on. phase is how many bytes of the
 * payload came before these; only its two lowest bits matter.
 */
void ws_unmask(char *bytes, size_t n, const uint8_t mask[4], size_t phase);

/* Writes the header of an unfragmented server frame; returns its length. */
size_t ws_header_encode(uint8_t out[WS_SERVER_HEADER_MAX], enum ws_opcode opcode, size_t len);

/*
 * Whole server frames, ready for any number of output queues; the caller owns one reference.
 * Payloads are at most LIMIT_FRAME bytes, those of control frames WS_CONTROL_MAX: more is our bug.
 */
MALLOC_LIKE struct frame *ws_frame_new(enum ws_opcode opcode, struct slice payload);

static inline struct frame *ws_text_frame(struct slice text)
{
	return ws_frame_new(WS_OP_TEXT, text);
}

/* The text in pieces: what is large is copied once. */
MALLOC_LIKE struct frame *ws_text_frame_of(const struct slice *parts, size_t n);

/*
 * A close frame. The reason is cut at a character within LIMIT_CLOSE_REASON bytes and must be
 * UTF-8. WS_CLOSE_NONE gives the frame without a code.
 */
MALLOC_LIKE struct frame *ws_close_frame(uint16_t code, struct slice reason);

/* What to answer to a peer's close frame: its code again, or an empty frame (section 5.5.1). */
MALLOC_LIKE struct frame *ws_close_echo(uint16_t code);

/* Whether a code may stand in a close frame (section 7.4): 1000-1003, 1007-1014, 3000-4999. */
bool ws_close_code_valid(uint16_t code);

#endif
