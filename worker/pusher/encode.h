/*
 * Server events → the text of one WebSocket message. Pure. Each function appends to `out`; check
 * buf_ok() at the end. Texts must be valid UTF-8.
 *
 * `data` is always the text *of the string*: it is escaped into the frame, so that the frame's data
 * is a JSON string as mobile clients need it. Only pusher:error has an object there.
 */
#ifndef WORKER_PUSHER_ENCODE_H
#define WORKER_PUSHER_ENCODE_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/slice.h"
#include "worker/pusher/protocol.h"

/* {"event":…,"channel":…,"data":"…","user_id":"…"}; no channel if empty, no user_id if .p == NULL.
 */
void pusher_encode_event(struct buf *out, struct slice event, struct slice channel,
			 struct slice data, struct slice user_id);

/* The same for an event of chat.publish(), with its id as "outbox_id": it may come more than once.
 */
void pusher_encode_outbox(struct buf *out, struct slice event, struct slice channel,
			  struct slice data, uint64_t outbox_id);

void pusher_encode_established(struct buf *out, struct slice socket_id, unsigned activity_timeout);

/* code 0 = null. `detail` is put behind the text (the offending name, shortened); may be empty. */
void pusher_encode_error(struct buf *out, int64_t code, struct slice text, struct slice detail);

/* With data "{}"; presence channels have a snapshot there. */
void pusher_encode_subscribed(struct buf *out, struct slice channel);

/*
 * The same with the members of a presence channel, in pieces, so that those of each member can be
 * kept: begin, ids parted by commas, PUSHER_SNAPSHOT_HASH, entries parted by commas, end.
 */
void pusher_encode_snapshot_begin(struct buf *out, struct slice channel);
#define PUSHER_SNAPSHOT_HASH SLICE("],\\\"hash\\\":{")
void pusher_encode_snapshot_end(struct buf *out, uint32_t count);
void pusher_encode_snapshot_id(struct buf *out, struct slice user_id);
/* An empty user_info is null. */
void pusher_encode_snapshot_entry(struct buf *out, struct slice user_id, struct slice user_info);

void pusher_encode_member_added(struct buf *out, struct slice channel, struct slice user_id,
				struct slice user_info);
void pusher_encode_member_removed(struct buf *out, struct slice channel, struct slice user_id);

/* The name comes back whole, also an empty or endless one: by it clients find who listens. */
void pusher_encode_subscription_error(struct buf *out, struct slice channel, struct slice type,
				      struct slice error, uint32_t status);

/* user_data is the text that the client sent. */
void pusher_encode_signed_in(struct buf *out, struct slice user_data);

void pusher_encode_cache_miss(struct buf *out, struct slice channel);

#endif
