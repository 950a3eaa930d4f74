#include "bench/modes.h"

#include <string.h>

#include "common/base/macros.h"

static const struct mode modes[] = {
	{
		.name = "idle",
		.help = "connections that stay, each with one subscription; then one event to all",
		.shape = SHAPE_HOLD,
		.parts = {{
			.name = "idle",
			.prefix = "bench-idle-",
			.talk = TALK_HTTP,
			.channels = 1,
			.members = 1000,
			.talkers = 1,
			.lines = 1,
			.pipeline = 1,
			.size = 200,
		}},
	},
	{
		.name = "fanout",
		.help = "events into channels with many subscribers",
		.shape = SHAPE_TALK,
		.parts = {{
			.name = "fanout",
			.prefix = "private-bench-fanout-",
			.talk = TALK_GUEST,
			.channels = 1,
			.members = 1000,
			.talkers = 1,
			.lines = 1,
			.pipeline = 1,
			.window = 32,
			.size = 200,
		}},
	},
	{
		.name = "client-events",
		.help = "small private rooms whose members send client events",
		.shape = SHAPE_TALK,
		.parts = {{
			.name = "rooms",
			.prefix = "private-bench-room-",
			.talk = TALK_CLIENT,
			.channels = 250,
			.members = 4,
			.talkers = 4,
			.window = 32,
			.size = 200,
		}},
	},
	{
		.name = "publish",
		.help = "signed POST /apps/ID/events into many channels",
		.shape = SHAPE_TALK,
		.parts = {{
			.name = "publish",
			.prefix = "bench-publish-",
			.talk = TALK_HTTP,
			.channels = 250,
			.members = 4,
			.talkers = 1,
			.lines = 16,
			.pipeline = 1,
			.size = 200,
		}},
	},
	{
		.name = "chat",
		.help = "messages of the chat, acknowledged after they are stored",
		.shape = SHAPE_TALK,
		.parts = {{
			.name = "chat",
			.prefix = "private-chat.",
			.talk = TALK_CHAT,
			.channels = 1,
			.members = 10,
			.talkers = 32,
			.lines = 32,
			.pipeline = 1,
			.size = 200,
		}},
	},
	{
		.name = "presence",
		.help = "members join one presence channel and leave it",
		.shape = SHAPE_JOIN,
		.parts = {{
			.name = "presence",
			.prefix = "presence-bench-",
			.channels = 1,
			.members = 1000,
			.presence = true,
			.later = true,
		}},
	},
	{
		.name = "mixed",
		.help = "a day of a chat: broadcasts, rooms, publishes, members that come and go, "
			"messages",
		.shape = SHAPE_TALK,
		.parts =
			{
				{
					.name = "broadcast",
					.prefix = "bench-broadcast-",
					.talk = TALK_HTTP,
					.channels = 1,
					.members = 1000,
					.talkers = 1,
					.lines = 1,
					.pipeline = 1,
					.rate = 2,
					.size = 300,
				},
				{
					.name = "rooms",
					.prefix = "private-bench-room-",
					.talk = TALK_CLIENT,
					.channels = 250,
					.members = 4,
					.talkers = 4,
					.rate = 500,
					.size = 120,
				},
				{
					.name = "publish",
					.prefix = "bench-publish-",
					.talk = TALK_HTTP,
					.channels = 100,
					.members = 5,
					.talkers = 1,
					.lines = 4,
					.pipeline = 1,
					.rate = 200,
					.size = 400,
				},
				{
					.name = "members",
					.prefix = "presence-bench-",
					.talk = TALK_CHURN,
					.channels = 20,
					.members = 25,
					.talkers = 25,
					.rate = 40,
					.presence = true,
				},
				{
					.name = "chat",
					.prefix = "private-chat.",
					.talk = TALK_CHAT,
					.channels = 1,
					.members = 10,
					.talkers = 4,
					.lines = 2,
					.pipeline = 1,
					.rate = 20,
					.size = 100,
				},
			},
	},
};

const struct mode *mode_at(size_t i)
{
	return i < ARRAY_LEN(modes) ? &modes[i] : NULL;
}

const struct mode *mode_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		if (strcmp(modes[i].name, name) == 0)
			return &modes[i];
	}
	return NULL;
}
