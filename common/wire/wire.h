/*
 * Records of the lane between worker and broker, made from wire.def: for each message `x` a struct
 * wire_x, wire_encode_x() and wire_decode_x(). Pure: bytes in, struct out; slices of a decoded
 * record point into its input and live as long as that.
 */
#ifndef COMMON_WIRE_WIRE_H
#define COMMON_WIRE_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/macros.h"
#include "common/base/slice.h"

/* Opens every hello; peers of another version are refused with a clear log line. */
#define WIRE_VERSION 2

/* subscribe.flags */
enum wire_sub {
	WIRE_SUB_PRESENCE = 1, /* the channel is presence; user_id is set */
	WIRE_SUB_RESYNC = 2,   /* told again to a broker that does not know it */
	WIRE_SUB_AGAIN = 4, /* a second subscribe of a standing subscription: answer, no effects */
	WIRE_SUB_AUTHORISED = 8, /* presented a good signature */
	WIRE_SUB_CACHE = 16,	 /* a cache channel: replay or miss */
};

/* publish.info, query.info */
enum wire_info {
	WIRE_INFO_USER_COUNT = 1,
	WIRE_INFO_SUBSCRIPTION_COUNT = 2,
	WIRE_INFO_CACHE = 4,
	WIRE_INFO_USER_INFO = 8,
};

/*
 * note.key of the user that a connection was first identified as; the value is the user's id. The
 * only one that workers read.
 */
#define WIRE_NOTE_USER "u"

/* Bits of a conn below the number of its worker. */
#define WIRE_CONN_BITS 28

/* Whether a conn was counted after another one of the same worker; the counter may have wrapped. */
static inline bool wire_conn_is_after(uint64_t conn, uint64_t other)
{
	const uint64_t mask = (1ULL << WIRE_CONN_BITS) - 1;
	uint64_t ahead = (conn - other) & mask;

	return ahead != 0 && ahead <= mask / 2;
}

enum wire_query_what {
	WIRE_QUERY_CHANNELS = 1,
	WIRE_QUERY_CHANNEL,
	WIRE_QUERY_USERS,
	WIRE_QUERY_CONNECTIONS
};

/* order.what */
enum wire_order_what {
	WIRE_ORDER_RELOAD = 1, /* read the configuration, replace all workers */
	WIRE_ORDER_REPLACE,    /* replace this worker; its clients go to the others */
};

/* member.op */
enum wire_member_op {
	WIRE_MEMBER_ADDED = 1, /* the last in the order */
	WIRE_MEMBER_REMOVED,
	WIRE_MEMBER_CHANGED, /* another user_info; subscribers are not told */
};

enum wire_cache { WIRE_CACHE_NONE = 0, WIRE_CACHE_HIT, WIRE_CACHE_MISS };

/* chat_call.route; the fields each one uses stand beside it */
enum wire_chat {
	WIRE_CHAT_CONNECTION_INFO =
		1,		   /* answer's body is the user object; the worker adds the rest */
	WIRE_CHAT_ONLINE_STATUS,   /* flag */
	WIRE_CHAT_TYPING,	   /* chat flag */
	WIRE_CHAT_READ,		   /* message */
	WIRE_CHAT_DELIVERED,	   /* message */
	WIRE_CHAT_ACTIVE_CHATS,	   /* limit cursor */
	WIRE_CHAT_HISTORY,	   /* chat before_seq|after_seq (UINT64_MAX = not given) limit */
	WIRE_CHAT_SEND,		   /* chat text client_id reply_to meta */
	WIRE_CHAT_EDIT,		   /* message text */
	WIRE_CHAT_DELETE,	   /* message */
	WIRE_CHAT_CREATE,	   /* name ids flag = direct */
	WIRE_CHAT_ADD_PARTICIPANT, /* chat user */
	WIRE_CHAT_REMOVE_PARTICIPANT, /* chat user */
	WIRE_CHAT_RECEIPTS,	      /* chat */
	WIRE_CHAT_ME,		      /* name = last_seen policy */
	WIRE_CHAT_USERS_ONLINE,	      /* ids (empty = all who share a chat) */
};

enum wire_kind {
#define WIRE_MESSAGE(name, NAME, number, fields) WIRE_##NAME = (number),
#include "common/wire/wire.def"
#undef WIRE_MESSAGE
};

#define U8(f) uint8_t f;
#define U16(f) uint16_t f;
#define U32(f) uint32_t f;
#define U64(f) uint64_t f;
#define I64(f) int64_t f;
#define STR(f) struct slice f;
#define LIST(f) struct slice f;
#define WIRE_MESSAGE(name, NAME, number, fields) \
	struct wire_##name { \
		fields \
	};
#include "common/wire/wire.def"
#undef WIRE_MESSAGE
#undef U8
#undef U16
#undef U32
#undef U64
#undef I64
#undef STR
#undef LIST

/*
 * wire_encode_x() appends the body to a buffer; false when it does not fit. wire_decode_x() takes a
 * whole body; false when it is truncated, too long or a length points outside it.
 */
#define WIRE_MESSAGE(name, NAME, number, fields) \
	MUST_CHECK bool wire_encode_##name(struct buf *out, const struct wire_##name *m); \
	MUST_CHECK bool wire_decode_##name(struct slice body, struct wire_##name *ret_m);
#include "common/wire/wire.def"
#undef WIRE_MESSAGE

/* "SUBSCRIBE", or "?" for a number that names no message. */
const char *wire_kind_name(uint8_t kind);

/* Items of a LIST field. wire_list_next() is false at the end and on a broken list. */
bool wire_list_add(struct buf *list, struct slice item);
bool wire_list_next(struct slice *list, struct slice *ret_item);

#endif
