/*
 * The client's side of WebSocket and of the Pusher protocol, as far as load needs it: texts to
 * send, messages taken apart. Pure.
 */
#ifndef BENCH_PUSHER_H
#define BENCH_PUSHER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/slice.h"

struct hmac_key;

#define PUSHER_SOCKET_ID 48

/* ---- WebSocket ---- */

/* The request that opens /app/KEY. */
void pusher_put_upgrade(struct buf *out, struct slice host, struct slice key);

enum pusher_upgrade { PUSHER_UPGRADE_MORE, PUSHER_UPGRADE_DONE, PUSHER_UPGRADE_REFUSED };

/* The answer; *ret_n is its length when it is whole. */
enum pusher_upgrade pusher_take_upgrade(struct slice bytes, size_t *ret_n);

/* Appends a masked text frame. */
void pusher_put_text(struct buf *out, struct slice text);
void pusher_put_pong(struct buf *out, struct slice payload);

enum pusher_frame { PUSHER_MORE, PUSHER_TEXT, PUSHER_PING, PUSHER_CLOSE, PUSHER_OTHER };

/* The first frame of the bytes; *ret_n is its length when it is whole. */
enum pusher_frame pusher_take_frame(struct slice bytes, size_t *ret_n, struct slice *ret_payload);

/* The code of a close frame's payload; 1005 if it has none. */
unsigned pusher_close_code(struct slice payload);

/* ---- messages ---- */

enum pusher_message {
	PUSHER_MSG_EVENT, /* anything that is not the server's own */
	PUSHER_MSG_ESTABLISHED,
	PUSHER_MSG_SUBSCRIBED,
	PUSHER_MSG_MEMBER_ADDED,
	PUSHER_MSG_MEMBER_REMOVED,
	PUSHER_MSG_PING,
	PUSHER_MSG_ERROR,
	PUSHER_MSG_NOTHING, /* may be ignored */
};

enum pusher_message pusher_message_kind(struct slice text);

/* The name of an event, still escaped; empty if it is not found. */
struct slice pusher_event_name(struct slice text);

/* False: there is none. */
bool pusher_socket_id(struct slice established, char ret[PUSHER_SOCKET_ID]);

/* Members in the answer to a presence subscription; 0 if there are none. */
uint32_t pusher_member_count(struct slice subscribed);

/* ---- what clients say ---- */

struct pusher_subscribe {
	struct slice key;	 /* of the application */
	struct hmac_key *secret; /* NULL = not signed */
	const char *socket_id;
	struct slice channel;
	struct slice channel_data; /* JSON text; empty = none */
};

void pusher_put_subscribe(struct buf *out, const struct pusher_subscribe *s);
void pusher_put_unsubscribe(struct buf *out, struct slice channel);

#endif
