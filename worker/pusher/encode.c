#include "worker/pusher/encode.h"

#include "common/base/limits.h"
#include "common/base/utf8.h"

/* A frame begins with the name of its event; names of ours need no escapes. */
static void begin(struct buf *out, enum pusher_event ev)
{
	(void)buf_add(out, SLICE("{\"event\":\""));
	(void)buf_add(out, pusher_event_name(ev));
	(void)buf_addc(out, '"');
}

static void add_channel(struct buf *out, struct slice channel)
{
	if (channel.n == 0)
		return;
	(void)buf_add(out, SLICE(",\"channel\":"));
	(void)buf_json_str(out, channel);
}

static void add_data(struct buf *out, struct slice data)
{
	(void)buf_add(out, SLICE(",\"data\":"));
	(void)buf_json_str(out, data);
}

static void add_event(struct buf *out, struct slice event, struct slice channel, struct slice data)
{
	(void)buf_add(out, SLICE("{\"event\":"));
	(void)buf_json_str(out, event);
	add_channel(out, channel);
	add_data(out, data);
}

void pusher_encode_event(struct buf *out, struct slice event, struct slice channel,
			 struct slice data, struct slice user_id)
{
	add_event(out, event, channel, data);
	if (user_id.p != NULL) {
		(void)buf_add(out, SLICE(",\"user_id\":"));
		(void)buf_json_str(out, user_id);
	}
	(void)buf_addc(out, '}');
}

void pusher_encode_outbox(struct buf *out, struct slice event, struct slice channel,
			  struct slice data, uint64_t outbox_id)
{
	add_event(out, event, channel, data);
	(void)buf_add(out, SLICE(",\"outbox_id\":"));
	(void)buf_u64(out, outbox_id);
	(void)buf_addc(out, '}');
}

void pusher_encode_established(struct buf *out, struct slice socket_id, unsigned activity_timeout)
{
	begin(out, PUSHER_EV_CONNECTION_ESTABLISHED);
	(void)buf_printf(out,
			 ",\"data\":\"{\\\"socket_id\\\":\\\"%.*s\\\","
			 "\\\"activity_timeout\\\":%u}\"}",
			 SLICE_ARG(socket_id), activity_timeout);
}

/* The longest start of a text that fits and ends with a whole character. */
static struct slice shorten(struct slice text, size_t max)
{
	size_t n = text.n < max ? text.n : max;

	while (n > 0 && n < text.n && ((unsigned char)text.p[n] & 0xC0) == 0x80)
		n--;
	return slice_first(text, n);
}

void pusher_encode_error(struct buf *out, int64_t code, struct slice text, struct slice detail)
{
	char message[512];
	size_t room = sizeof(message);
	size_t n = 0;

	text = shorten(text, room);
	memcpy(message, text.p, text.n);
	n = text.n;
	detail = shorten(detail, MIN(room - n, (size_t)LIMIT_EVENT_NAME));
	if (detail.n > 0)
		memcpy(message + n, detail.p, detail.n);
	n += detail.n;

	begin(out, PUSHER_EV_ERROR);
	(void)buf_add(out, SLICE(",\"data\":{\"code\":"));
	if (code == 0)
		(void)buf_add(out, SLICE("null"));
	else
		(void)buf_i64(out, code);
	(void)buf_add(out, SLICE(",\"message\":"));
	(void)buf_json_str(out, slice_of(message, n));
	(void)buf_add(out, SLICE("}}"));
}

void pusher_encode_subscribed(struct buf *out, struct slice channel)
{
	begin(out, PUSHER_EV_SUBSCRIPTION_SUCCEEDED);
	add_channel(out, channel);
	add_data(out, SLICE("{}"));
	(void)buf_addc(out, '}');
}

/* ---- members: JSON within the string that is `data` ---- */

void pusher_encode_snapshot_id(struct buf *out, struct slice user_id)
{
	struct buf text;

	buf_init(&text, 6 * user_id.n + 2); /* its worst: each byte an escape */
	(void)buf_json_str(&text, user_id);
	(void)buf_json_part(out, buf_slice(&text));
	buf_done(&text);
}

static void add_info(struct buf *out, struct slice user_info)
{
	(void)buf_json_part(out, user_info.n > 0 ? user_info : SLICE("null"));
}

void pusher_encode_snapshot_entry(struct buf *out, struct slice user_id, struct slice user_info)
{
	pusher_encode_snapshot_id(out, user_id);
	(void)buf_addc(out, ':');
	add_info(out, user_info);
}

void pusher_encode_snapshot_begin(struct buf *out, struct slice channel)
{
	begin(out, PUSHER_EV_SUBSCRIPTION_SUCCEEDED);
	add_channel(out, channel);
	(void)buf_add(out, SLICE(",\"data\":\"{\\\"presence\\\":{\\\"ids\\\":["));
}

void pusher_encode_snapshot_end(struct buf *out, uint32_t count)
{
	(void)buf_add(out, SLICE("},\\\"count\\\":"));
	(void)buf_u64(out, count);
	(void)buf_add(out, SLICE("}}\"}"));
}

static void begin_member(struct buf *out, enum pusher_event ev, struct slice channel,
			 struct slice user_id)
{
	begin(out, ev);
	add_channel(out, channel);
	(void)buf_add(out, SLICE(",\"data\":\"{\\\"user_id\\\":"));
	pusher_encode_snapshot_id(out, user_id);
}

void pusher_encode_member_added(struct buf *out, struct slice channel, struct slice user_id,
				struct slice user_info)
{
	begin_member(out, PUSHER_EV_MEMBER_ADDED, channel, user_id);
	(void)buf_add(out, SLICE(",\\\"user_info\\\":"));
	add_info(out, user_info);
	(void)buf_add(out, SLICE("}\"}"));
}

void pusher_encode_member_removed(struct buf *out, struct slice channel, struct slice user_id)
{
	begin_member(out, PUSHER_EV_MEMBER_REMOVED, channel, user_id);
	(void)buf_add(out, SLICE("}\"}"));
}

void pusher_encode_subscription_error(struct buf *out, struct slice channel, struct slice type,
				      struct slice error, uint32_t status)
{
	struct buf data;

	buf_init(&data, 4096);
	(void)buf_add(&data, SLICE("{\"type\":"));
	(void)buf_json_str(&data, shorten(type, 100));
	(void)buf_add(&data, SLICE(",\"error\":"));
	(void)buf_json_str(&data, shorten(error, 400));
	(void)buf_add(&data, SLICE(",\"status\":"));
	(void)buf_u64(&data, status);
	(void)buf_addc(&data, '}');

	begin(out, PUSHER_EV_SUBSCRIPTION_ERROR);
	(void)buf_add(out, SLICE(",\"channel\":"));
	(void)buf_json_str(out, channel);
	add_data(out, buf_slice(&data));
	(void)buf_addc(out, '}');
	buf_done(&data);
}

void pusher_encode_signed_in(struct buf *out, struct slice user_data)
{
	struct buf data;

	buf_init(&data, LIMIT_FRAME);
	(void)buf_add(&data, SLICE("{\"user_data\":"));
	(void)buf_json_str(&data, user_data);
	(void)buf_addc(&data, '}');

	begin(out, PUSHER_EV_SIGNIN_SUCCESS);
	add_data(out, buf_slice(&data));
	(void)buf_addc(out, '}');
	buf_done(&data);
}

void pusher_encode_cache_miss(struct buf *out, struct slice channel)
{
	begin(out, PUSHER_EV_CACHE_MISS);
	add_channel(out, channel);
	add_data(out, SLICE("{}"));
	(void)buf_addc(out, '}');
}
