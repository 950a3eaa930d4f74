/* Under which names events go out, and on which channels. */
#include <inttypes.h>
#include <stdio.h>

#include "broker/chat/chat_internal.h"
#include "broker/chat/view.h"

/* What Laravel Echo makes of listen('message.sent') without a leading dot. */
#define ECHO_NAMESPACE "App\\Events\\"
#define NAME_MAX 64

static struct slice echo_name(char text[NAME_MAX], struct slice event)
{
	struct slice ns = SLICE(ECHO_NAMESPACE);

	if (ns.n + event.n > NAME_MAX)
		die("name of event of %zu bytes", event.n);
	memcpy(text, ns.p, ns.n);
	for (size_t i = 0; i < event.n; i++)
		text[ns.n + i] = event.p[i] == '.' ? '\\' : event.p[i];
	return slice_of(text, ns.n + event.n);
}

/* The plain name first. Returns how many there are. */
static size_t names_of(const struct chat *c, struct slice event, char text[NAME_MAX],
		       struct slice names[2])
{
	size_t n = 0;

	if (c->options.event_names != CHAT_EVENTS_ECHO)
		names[n++] = event;
	if (c->options.event_names != CHAT_EVENTS_PLAIN)
		names[n++] = echo_name(text, event);
	return n;
}

void event_publish(struct chat *c, struct slice channel, struct slice event, struct slice data,
		   uint64_t exclude, unsigned flags)
{
	char text[NAME_MAX];
	struct slice names[2];
	size_t n = names_of(c, event, text, names);

	if (channel.n > LIMIT_CHANNEL_NAME)
		return; /* of a user id that is too long: nobody can be subscribed */
	for (size_t i = 0; i < n; i++) {
		struct chat_event e = {
			.channel = channel,
			.event = names[i],
			.data = data,
			.exclude = exclude,
			.droppable = (flags & EVENT_DROPPABLE) != 0,
			.only_if_occupied = (flags & EVENT_ALIAS) != 0,
		};

		c->ops->publish(c->ctx, &e);
	}
}

void event_to_conn(struct chat *c, uint64_t conn, struct slice channel, struct slice event,
		   struct slice data)
{
	char text[NAME_MAX];
	struct slice names[2];
	size_t n = names_of(c, event, text, names);

	for (size_t i = 0; i < n; i++)
		c->ops->to_conn(c->ctx, conn, channel, names[i], data);
}

struct slice event_channel(char text[CHAT_CHANNEL_TEXT], const char *prefix, uint64_t chat)
{
	int n = snprintf(text, CHAT_CHANNEL_TEXT, "%s%" PRIu64, prefix, chat);

	return slice_of(text, (size_t)n);
}

void event_to_chat(struct chat *c, uint64_t chat, struct slice event, uint64_t exclude)
{
	char text[CHAT_CHANNEL_TEXT];

	if (buf_ok(&c->data))
		event_publish(c, event_channel(text, "private-chat.", chat), event,
			      buf_slice(&c->data), exclude, 0);
}

void event_to_user(struct chat *c, struct slice user_id, struct slice event)
{
	static const struct slice prefix = SLICE_INIT("private-user.");
	char text[sizeof("private-user.") + LIMIT_USER_ID];

	if (user_id.n > LIMIT_USER_ID || !buf_ok(&c->data))
		return;
	memcpy(text, prefix.p, prefix.n);
	memcpy(text + prefix.n, user_id.p, user_id.n);
	event_publish(c, slice_of(text, prefix.n + user_id.n), event, buf_slice(&c->data), 0, 0);
}

void event_chat_created(struct call *call, size_t i)
{
	struct buf *out = &call->chat->data;

	buf_clear(out);
	(void)buf_add(out, SLICE("{\"chat\":")); /* event_to_user() checks */
	view_encode(call, i, VIEWER_ANYBODY, out);
	(void)buf_addc(out, '}');
}
