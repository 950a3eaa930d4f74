/*
 * One text message of a client → one command. Pure.
 *
 * Slices of a command point into the message or into the scratch buffer: they live until either
 * changes. An absent member (or one that is null) has .p == NULL.
 *
 *	struct buf scratch;	// one per worker, of PUSHER_SCRATCH(max) bytes
 *	struct pusher_cmd cmd;
 *
 *	if (!pusher_decode(text, &scratch, &cmd, &error)) ...
 *	switch (cmd.kind) ...
 */
#ifndef WORKER_PUSHER_DECODE_H
#define WORKER_PUSHER_DECODE_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/macros.h"
#include "common/base/slice.h"
#include "worker/pusher/protocol.h"

enum pusher_cmd_kind {
	PUSHER_CMD_SUBSCRIBE,
	PUSHER_CMD_UNSUBSCRIBE,
	PUSHER_CMD_SIGNIN,
	PUSHER_CMD_PING,
	PUSHER_CMD_PONG,
	PUSHER_CMD_CLIENT_EVENT,
};

struct pusher_cmd {
	enum pusher_cmd_kind kind;
	struct slice event;	   /* the name as sent */
	struct slice channel;	   /* subscribe, unsubscribe, client event: a string; not judged */
	struct slice auth;	   /* subscribe, signin */
	struct slice channel_data; /* subscribe: text of the string */
	bool channel_data_wrong;   /* it was given, but is no string */
	struct slice user_data;	   /* signin: text of the string */
	/*
	 * Client event: the text of the string to relay. A string of the client as it is, the
	 * JSON text of any other value, "null" when there was none.
	 */
	struct slice data;
};

/* The most that a scratch buffer needs for messages of at most `max` bytes. */
#define PUSHER_SCRATCH(max) (2 * (size_t)(max) + 64)

/*
 * False: *err_error says which pusher:error to answer (MALFORMED, UNSUPPORTED, NO_CHANNEL,
 * EVENT_NO_CHANNEL); of UNSUPPORTED ret->event is the name. The connection stays.
 * `data` of control events may be an object or a string that holds one.
 */
MUST_CHECK bool pusher_decode(struct slice text, struct buf *scratch, struct pusher_cmd *ret,
			      enum pusher_error_id *err_error);

/*
 * Only whether the message is a pusher:ping, and quickly: pings may overtake commands that wait.
 * A false "no" is harmless.
 */
bool pusher_is_ping(struct slice text);

#endif
