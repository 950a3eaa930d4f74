/*
 * The objects of the API as JSON, in the form of section 3 of the interface: ids of users as
 * numbers or strings, times in RFC 3339 with milliseconds, null for what is not there. Appends to a
 * buffer; whether all of it fitted is asked once, at the end. Pure.
 */
#ifndef BROKER_CHAT_ENCODE_H
#define BROKER_CHAT_ENCODE_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/chat/chat_store.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/slice.h"

/* A user as others may see them. */
struct person {
	struct slice id;
	struct slice name;
	bool is_online;
	wall_us_t last_seen; /* 0 = null */
};

/* A string; null for a slice whose p is NULL. */
void encode_text(struct buf *out, struct slice text);
/* null for 0 */
void encode_number(struct buf *out, uint64_t n);
void encode_time(struct buf *out, wall_us_t at);

/* With `integers` an id of digits is a number. Empty: null. */
void encode_user_id(struct buf *out, bool integers, struct slice id);
/* {"id":7,"name":"Ada"} */
void encode_user(struct buf *out, bool integers, struct slice id, struct slice name);
/* {"id":7,"name":"Ada","is_online":true,"last_seen_at":null}; `open` leaves out the last brace */
void encode_person(struct buf *out, bool integers, const struct person *p, bool open);
void encode_message(struct buf *out, bool integers, const struct chat_message_row *m);

/*
 * A chat but for the list of its participants: what stands before it, up to its bracket, and what
 * follows.
 */
void encode_chat_head(struct buf *out, bool integers, const struct chat_row *c);
void encode_chat_tail(struct buf *out, bool integers, const struct chat_row *c);

#endif
