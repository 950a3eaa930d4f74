/* Typing indicators: POST /api/websocket/chats/{chat}/typing and where they are told. */
#include "broker/chat/chat_internal.h"

void indicator_tell(void *ctx, uint64_t chat, struct slice user_id, struct slice name,
		    bool is_typing, uint64_t exclude)
{
	static const struct {
		const char *prefix;
		unsigned flags;
	} channels[] = {
		{"presence-chat.", 0},
		{"presence-presence-chat.", EVENT_ALIAS},
	};
	struct chat *c = ctx;
	struct buf *out = &c->small;

	buf_clear(out);
	(void)buf_add(out, SLICE("{\"chat_id\":")); /* checked below */
	(void)buf_u64(out, chat);
	(void)buf_add(out, SLICE(",\"user\":"));
	encode_user(out, c->options.integer_ids, user_id, name);
	(void)buf_add(out,
		      is_typing ? SLICE(",\"is_typing\":true}") : SLICE(",\"is_typing\":false}"));
	if (!buf_ok(out))
		return;
	for (size_t i = 0; i < ARRAY_LEN(channels); i++) {
		char text[CHAT_CHANNEL_TEXT];
		/* A start may get lost on a slow connection, a stop would leave it standing. */
		unsigned flags = channels[i].flags | (is_typing ? EVENT_DROPPABLE : 0);

		event_publish(c, event_channel(text, channels[i].prefix, chat),
			      SLICE("user.typing"), buf_slice(out), exclude, flags);
	}
}

uint64_t indicator_chat(struct slice channel)
{
	static const struct slice prefixes[] = {
		SLICE_INIT("presence-chat."),
		SLICE_INIT("presence-presence-chat."),
	};
	unsigned long long chat;

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		if (slice_starts(channel, prefixes[i]) &&
		    slice_to_u64(slice_skip(channel, prefixes[i].n), &chat))
			return chat;
	}
	return 0;
}

static void change(struct call *call)
{
	struct chat *c = call->chat;
	const struct chat_options *o = &c->options;
	const struct identity *who = call->who;

	if (call->q.flag != 0)
		typings_start(c->typings, c->now, o->typing_timeout, o->typing_repeat, call->q.chat,
			      who->user_id, who->user_name, call_exclude(call));
	else
		typings_stop(c->typings, call->q.chat, who->user_id, call_exclude(call));
}

static void on_participant(void *ctx, enum chat_store_code code)
{
	struct call *call = ctx;
	struct chat *c = call->chat;
	struct chat_result r = {.code = code, .field = "", .why = ""};

	if (code != CHAT_STORE_OK) {
		call_refuse(call, &r);
		return;
	}
	change(call);
	buf_clear(&c->body);
	(void)buf_add(&c->body, SLICE("{\"is_typing\":")); /* call_reply() checks */
	(void)buf_add(&c->body, call->q.flag != 0 ? SLICE("true") : SLICE("false"));
	(void)buf_add(&c->body, SLICE(",\"expires_in\":"));
	(void)buf_u64(&c->body, (c->options.typing_timeout + USEC_PER_SEC - 1) / USEC_PER_SEC);
	(void)buf_addc(&c->body, '}');
	call_reply(call, 200);
}

void typing_handle(struct call *call)
{
	struct chat *c = call->chat;

	if (call_within(call, c->typing_rates, &c->options.typing))
		participant_ask(c, call->q.chat, call->who->user_id, on_participant, call);
}
