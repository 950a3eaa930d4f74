#include "tests/bench/churn.h"

#include <inttypes.h>
#include <stdio.h>

#define CHANNELS 2500
#define STRIDE 7919 /* a prime: those that change one after the other are not neighbours */

void churn_init(struct churn *c)
{
	c->at = 0;
	for (uint32_t i = 0; i < CHURN_LIVES; i++)
		c->there[i] = i % 2 == 0;
}

void churn_life(const struct churn *c, uint32_t number, struct churn_life *ret)
{
	wall_us_t now = clock_wall();

	(void)snprintf(ret->socket_id, CHURN_TEXT, "%" PRIu32 ".%" PRIu32, number + 1, number);
	(void)snprintf(ret->user_id, CHURN_TEXT, "%" PRIu32, number + 1);
	(void)snprintf(ret->channel, CHURN_TEXT, "presence-chat.%" PRIu32, number % CHANNELS);
	ret->there = c->there[number];
	ret->conn = (struct mirror_conn){
		.worker = CHURN_WORKER,
		.conn = number + 1,
		.app = SLICE("chatapp"),
		.socket_id = slice_str(ret->socket_id),
		.user_id = slice_str(ret->user_id),
		.address = SLICE("192.0.2.1"),
		.agent = SLICE("pusher-js 8.4.0"),
		.connected_at = now,
	};
	ret->member = (struct mirror_member){
		.worker = CHURN_WORKER,
		.conn = number + 1,
		.channel = slice_str(ret->channel),
		.app = SLICE("chatapp"),
		.user_id = slice_str(ret->user_id),
		.user_info = SLICE("{\"name\":\"Somebody\"}"),
		.joined_at = now,
	};
	ret->user = (struct mirror_user){
		.app = SLICE("chatapp"),
		.user_id = slice_str(ret->user_id),
		.connections = 1,
		.online_since = now,
		.changed_at = now,
	};
}

void churn_next(struct churn *c, struct churn_life *ret)
{
	c->there[c->at] = !c->there[c->at];
	churn_life(c, c->at, ret);
	c->at = (c->at + STRIDE) % CHURN_LIVES;
}
