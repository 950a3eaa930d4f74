/* A WebSocket connection: opens, subscribes, listens. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load_internal.h"
#include "bench/pusher.h"
#include "bench/stamp.h"
#include "common/base/mem.h"

static struct client *client_of(struct conn *c)
{
	return CONTAINER_OF(c, struct client, conn);
}

void client_flush(struct client *c)
{
	struct load *l = c->load;

	conn_send(&c->conn, buf_slice(&l->out));
	buf_clear(&l->out);
}

/* Sends what stands in l->text as one message. */
static void send_text(struct client *c)
{
	struct load *l = c->load;

	pusher_put_text(&l->out, buf_slice(&l->text));
	buf_clear(&l->text);
	client_flush(c);
}

/* ---- the subscription ---- */

static bool is_signed(struct slice channel)
{
	return slice_starts(channel, SLICE("private-")) ||
	       slice_starts(channel, SLICE("presence-"));
}

static void subscribe(struct client *c, const char *socket_id)
{
	struct load *l = c->load;
	char name[LOAD_CHANNEL_NAME];
	char member[96];
	struct pusher_subscribe s = {
		.key = slice_str(l->plan->app_key),
		.socket_id = socket_id,
		.channel = load_channel(l, c->part, c->group - c->part->first_group, name),
	};

	if (is_signed(s.channel))
		s.secret = l->secret;
	if (c->part->presence) {
		int n = snprintf(member, sizeof(member),
				 "{\"user_id\":\"%u\",\"user_info\":{\"name\":\"Member %u\"}}",
				 c->index, c->index);

		s.channel_data = slice_of(member, (size_t)n);
	}
	c->state = CLIENT_SUBSCRIBING;
	pusher_put_subscribe(&l->text, &s);
	send_text(c);
}

void client_subscribe(struct client *c)
{
	subscribe(c, c->socket_id);
	c->load->under_way++;
}

void client_unsubscribe(struct client *c)
{
	struct load *l = c->load;
	char name[LOAD_CHANNEL_NAME];

	pusher_put_unsubscribe(&l->text,
			       load_channel(l, c->part, c->group - c->part->first_group, name));
	send_text(c);
	c->state = CLIENT_STANDING;
	l->counts[COUNT_LEFT]++;
}

/* ---- messages ---- */

static void on_established(struct client *c, struct slice text)
{
	struct load *l = c->load;
	char socket_id[PUSHER_SOCKET_ID];

	if (c->state != CLIENT_OPENING || !pusher_socket_id(text, socket_id)) {
		load_fault(l, "unexpected", text);
		return;
	}
	l->counts[COUNT_OPEN]++;
	c->state = CLIENT_STANDING;
	if (c->part->presence)
		c->socket_id = mem_strdup(socket_id);
	if (c->part->later)
		l->under_way--;
	else
		subscribe(c, socket_id);
}

static void on_subscribed(struct client *c, struct slice text)
{
	struct load *l = c->load;

	if (c->state != CLIENT_SUBSCRIBING)
		return;
	c->state = CLIENT_READY;
	l->under_way--;
	if (!c->part->presence) {
		l->counts[COUNT_READY]++;
		return;
	}
	l->counts[COUNT_READY] += c->rank == 0; /* the first time */
	c->rank = pusher_member_count(text);
	c->added = 0;
	c->removed = 0;
	l->counts[COUNT_JOINED]++;
	l->counts[COUNT_SNAPSHOT_BYTES] += text.n;
}

static void on_event(struct client *c, struct slice text)
{
	struct load *l = c->load;
	struct stamp stamp;

	if (c->guest || !stamp_find(text, &l->hint, &stamp) || stamp.source >= c->part->talkers)
		return;
	/* Chat events may go out under two names. */
	if (c->part->talk == TALK_CHAT && !slice_eq(pusher_event_name(text), SLICE("message.sent")))
		return;
	switch (track_take(&c->tracks[stamp.source], stamp.number)) {
	case TRACK_TWICE:
		l->counts[COUNT_TWICE]++;
		return;
	case TRACK_LATE:
		l->counts[COUNT_LATE]++;
		break;
	case TRACK_NEXT:
	case TRACK_AHEAD:
		break;
	}
	l->counts[COUNT_DELIVERED]++;
	if (l->delivered[c->group]++ == 0)
		l->touched[l->touched_n++] = c->group;
	if (l->measured)
		histogram_add(&l->mine->delivery, l->now > stamp.at ? l->now - stamp.at : 0);
}

static void on_ping(struct client *c)
{
	c->load->counts[COUNT_PINGS]++;
	(void)buf_add(&c->load->text, SLICE("{\"event\":\"pusher:pong\",\"data\":{}}"));
	send_text(c);
}

static void on_message(struct client *c, struct slice text)
{
	struct load *l = c->load;

	l->counts[COUNT_FRAMES]++;
	switch (pusher_message_kind(text)) {
	case PUSHER_MSG_EVENT:
		on_event(c, text);
		break;
	case PUSHER_MSG_MEMBER_ADDED:
		l->counts[COUNT_MEMBERS]++;
		c->added++;
		break;
	case PUSHER_MSG_MEMBER_REMOVED:
		l->counts[COUNT_MEMBERS]++;
		l->counts[COUNT_WITNESSED] += client_is_witness(c);
		c->removed++;
		break;
	case PUSHER_MSG_ESTABLISHED:
		on_established(c, text);
		break;
	case PUSHER_MSG_SUBSCRIBED:
		on_subscribed(c, text);
		break;
	case PUSHER_MSG_PING:
		on_ping(c);
		break;
	case PUSHER_MSG_ERROR:
		load_fault(l, "the server says", text);
		break;
	case PUSHER_MSG_NOTHING:
		break;
	}
}

/* ---- the connection ---- */

static void gone(struct client *c, const char *why, struct slice detail)
{
	struct load *l = c->load;

	if (c->state == CLIENT_OPENING || c->state == CLIENT_SUBSCRIBING)
		l->under_way--;
	c->state = CLIENT_GONE;
	l->counts[COUNT_LOST_CONN]++;
	load_fault(l, why, detail);
	free(c->socket_id);
	c->socket_id = NULL;
}

static void on_open(struct conn *conn)
{
	struct client *c = client_of(conn);
	struct load *l = c->load;

	pusher_put_upgrade(&l->out, l->app.host, l->app.key);
	client_flush(c);
}

static void on_end(struct conn *conn, int err)
{
	const char *why = err == 0 ? "closed by the server" : strerror(err);

	gone(client_of(conn), "connection", slice_str(why));
}

static void refuse(struct client *c, const char *why, struct slice detail)
{
	conn_close(&c->conn);
	gone(c, why, detail);
}

static void on_close_frame(struct client *c, struct slice payload)
{
	char code[16];
	int n = snprintf(code, sizeof(code), "%u", pusher_close_code(payload));

	refuse(c, "closed with", slice_of(code, (size_t)n));
}

/* False: the connection has ended. */
static bool take_frame(struct client *c, enum pusher_frame kind, struct slice payload)
{
	switch (kind) {
	case PUSHER_TEXT:
		on_message(c, payload);
		break;
	case PUSHER_PING:
		pusher_put_pong(&c->load->out, payload);
		client_flush(c);
		break;
	case PUSHER_CLOSE:
		on_close_frame(c, payload);
		break;
	case PUSHER_OTHER:
		refuse(c, "unexpected", SLICE("frame"));
		break;
	case PUSHER_MORE:
		break;
	}
	return c->state != CLIENT_GONE;
}

static size_t on_bytes(struct conn *conn, char *bytes, size_t n)
{
	struct client *c = client_of(conn);
	struct slice left = slice_of(bytes, n);
	struct slice payload;
	size_t took = 0;

	/* Nothing has come before the answer to the upgrade: its status line stands first. */
	if (c->state == CLIENT_OPENING && slice_starts(left, SLICE("HTTP"))) {
		switch (pusher_take_upgrade(left, &took)) {
		case PUSHER_UPGRADE_MORE:
			return 0;
		case PUSHER_UPGRADE_REFUSED:
			refuse(c, "refused", slice_first(left, 60));
			return 0;
		case PUSHER_UPGRADE_DONE:
			left = slice_skip(left, took);
			break;
		}
	}
	for (;;) {
		enum pusher_frame kind = pusher_take_frame(left, &took, &payload);

		if (kind == PUSHER_MORE)
			return n - left.n;
		left = slice_skip(left, took);
		c->load->counts[COUNT_BYTES] += took;
		if (!take_frame(c, kind, payload))
			return 0;
	}
}

static const struct conn_handler handler = {
	.on_open = on_open,
	.on_bytes = on_bytes,
	.on_end = on_end,
};

void client_open(struct client *c)
{
	struct load *l = c->load;
	int r;

	c->state = CLIENT_OPENING;
	l->under_way++;
	r = conn_open(l->net, &c->conn, &handler);
	if (r < 0)
		gone(c, "connect", slice_str(strerror(-r)));
}
