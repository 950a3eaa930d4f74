/*
 * From bytes to messages: frames are unmasked, fragments joined, text checked as UTF-8 while it
 * arrives, control frames taken out from between fragments. Pure.
 *
 *	for (;;) {
 *		ev = ws_read(&r, &limits, bytes + used, n - used, &took, &msg, &fault);
 *		used += took;
 *		if (ev == WS_MORE)
 *			break;	// keep what follows bytes + used: at most WS_LEFT_MAX bytes
 *		...		// WS_CLOSE and WS_FAULT are the last events
 *	}
 *
 * A text or binary frame that lies whole in the input is unmasked there and handed out in place,
 * without a copy. Everything else is gathered in memory of the reader, bounded by max_message and
 * grown as bytes arrive, never by what a header announces. An idle reader owns no memory.
 */
#ifndef WORKER_WS_MESSAGE_H
#define WORKER_WS_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/fault.h"
#include "common/base/macros.h"
#include "common/base/slice.h"
#include "worker/ws/frame.h"

#define WS_FRAGMENTS_MAX 4096 /* default of max_fragments */

/* What WS_MORE may leave in the input: an incomplete header, or a control frame less a byte. */
#define WS_LEFT_MAX (WS_HEADER_MAX + WS_CONTROL_MAX)

struct ws_limits {
	size_t max_message;	/* bytes; one more is 1009, judged at the header */
	uint32_t max_fragments; /* frames of one message, empty ones too; one more is 1008 */
};

enum ws_event {
	WS_MORE,   /* needs more bytes */
	WS_TEXT,   /* a whole text message, valid UTF-8 */
	WS_BINARY, /* a whole binary message */
	WS_PING,   /* answer with a pong of the same payload */
	WS_PONG,
	WS_CLOSE, /* code and payload (the reason) are set; answer with ws_close_echo(code) */
	WS_FAULT, /* the peer broke a rule: close with err->close_code, its text as the reason */
};

struct ws_message {
	struct slice payload; /* see ws_read() for how long */
	uint16_t code;	      /* of WS_CLOSE; WS_CLOSE_NONE if it had none */
};

struct ws_gather;

/* Embedded in each connection; zero it to begin. */
struct ws_reader {
	struct ws_gather *gather; /* NULL between messages */
	bool over;		  /* WS_CLOSE or WS_FAULT was given */
};

/*
 * Takes the next event out of the input, which is changed in place. *ret_used is set in every case.
 * The payload is valid until the next call with this reader, and not longer than the input. Must
 * not be called again after WS_CLOSE or WS_FAULT: whatever follows is to be thrown away.
 */
MUST_CHECK enum ws_event ws_read(struct ws_reader *r, const struct ws_limits *limits, char *in,
				 size_t n, size_t *ret_used, struct ws_message *ret,
				 struct fault *err);

/* Frees what is gathered. */
void ws_reader_done(struct ws_reader *r);

/* Bytes of memory held, for the accounts of the connection. */
size_t ws_reader_held(const struct ws_reader *r);

/* Whether a message has begun and is not complete (for a deadline). */
bool ws_reader_inside(const struct ws_reader *r);

#endif
