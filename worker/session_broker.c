#include <stdlib.h>

#include "common/wire/wire.h"
#include "worker/departed.h"
#include "worker/members.h"
#include "worker/pusher/encode.h"
#include "worker/session_internal.h"
#include "worker/worker_internal.h"

/* ---- to the broker ---- */

bool session_tell_open(struct session *s)
{
	char text[SOCKET_ID_TEXT];
	struct wire_conn_open m = {
		.conn = s->sub.conn,
		.app = s->app->index,
		.socket_id = session_socket_id(s, text),
		.address = session_address(s),
		.agent = text_slice(s->ws->agent),
		.opened_at = s->ws->opened_at,
	};

	if (!worker_send_encoded(s->w, wire_encode_conn_open(&s->w->record, &m), WIRE_CONN_OPEN))
		return false;
	s->flags |= SESSION_TOLD;
	return true;
}

bool session_tell_signin(struct session *s, const struct session_user *u, bool resync)
{
	struct wire_signin m = {
		.conn = s->sub.conn,
		.user_id = u->id,
		.user_info = u->user_info,
		.watchlist = u->watchlist,
		.user_data = u->user_data,
		.resync = resync,
	};

	return worker_send_encoded(s->w, wire_encode_signin(&s->w->record, &m), WIRE_SIGNIN);
}

bool session_tell_subscribe(struct session *s, const struct sub *sub, uint8_t extra_flags)
{
	enum channel_kind kind = channel_kind(sub->channel);
	struct wire_subscribe m = {
		.conn = s->sub.conn,
		.channel = channel_name(sub->channel),
		.flags = extra_flags,
		.user_id = sub_user_id(sub),
		.user_info = sub_user_info(sub),
		.joined_at = sub->joined_at,
	};

	if (channel_kind_is_presence(kind))
		m.flags |= WIRE_SUB_PRESENCE;
	if (channel_kind_is_cache(kind))
		m.flags |= WIRE_SUB_CACHE;
	if ((sub->flags & SUB_AUTHORISED) != 0)
		m.flags |= WIRE_SUB_AUTHORISED;
	return worker_send_encoded(s->w, wire_encode_subscribe(&s->w->record, &m), WIRE_SUBSCRIBE);
}

/* What the old broker did not answer. Abandoned requests died with it. */
void session_ask_again(struct session *s)
{
	struct session_socket *ws = s->ws;

	for (uint32_t i = 0; i < s->sub.sub_count;) {
		struct sub *sub = subscriber_sub(&s->sub, i);

		if (sub->state == SUB_ABANDONED) {
			hub_unsubscribe(s->w->hub, sub);
			continue;
		}
		i++;
		if ((sub->flags & SUB_GIVEN_UP) != 0) {
			sub->flags &= (uint8_t)~SUB_GIVEN_UP;
			sub->waiting = 0;
		}
		if (sub->waiting > 0)
			(void)session_tell_subscribe(s, sub,
						     sub->state == SUB_ACTIVE ? WIRE_SUB_AGAIN : 0);
	}
	if (ws->signing_in)
		(void)session_tell_signin(s, ws->signin, false);
	session_pusher_go_on(s);
}

/* ---- from the broker ---- */

static struct sub *find_sub(const struct session *s, struct slice name)
{
	struct channel *c = hub_find(s->w->hub, s->app, name);

	return c != NULL ? hub_sub(&s->sub, c) : NULL;
}

static void send_event(struct session *s, struct slice event, struct slice channel,
		       struct slice data)
{
	pusher_encode_event(&s->w->out, event, channel, data, SLICE_NONE);
	session_ws_out(s);
}

/* The answer came after the client had been told that it failed. */
static void too_late(struct session *s, struct sub *sub)
{
	struct worker *w = s->w;
	struct wire_unsubscribe m = {.conn = s->sub.conn, .channel = channel_name(sub->channel)};

	if (sub->waiting > 0)
		return;
	departed_left(w, s, sub);
	if (wire_encode_unsubscribe(&w->record, &m))
		worker_send_surely(w, WIRE_UNSUBSCRIBE);
	hub_unsubscribe(w->hub, sub);
}

static void send_snapshot(struct session *s, struct channel *c)
{
	struct frame *f = members_snapshot(s->w, c);

	if (f == NULL) {
		/* Beyond all measure: without it the client would be wrong for ever. */
		log_err("message.too_large", "members=%u", roster_count(channel_roster(c)));
		session_ws_end(s, PUSHER_END_OVERLOAD);
		return;
	}
	session_push(s, f);
	frame_unref(f);
}

static void send_success(struct session *s, const struct sub *sub)
{
	if (channel_roster(sub->channel) != NULL) {
		send_snapshot(s, sub->channel);
		return;
	}
	pusher_encode_subscribed(&s->w->out, channel_name(sub->channel));
	session_ws_out(s);
}

void session_on_subscribed(struct session *s, const struct wire_subscribed *m)
{
	struct sub *sub = find_sub(s, m->channel);

	if (sub == NULL || sub->waiting == 0)
		return;
	sub->waiting--;
	if (sub->state == SUB_ABANDONED) {
		too_late(s, sub);
		return;
	}
	if ((sub->flags & SUB_GIVEN_UP) != 0) {
		sub->flags &= (uint8_t)~SUB_GIVEN_UP;
		session_pusher_go_on(s);
		return;
	}
	hub_activate(s->w->hub, sub);
	if ((sub->flags & SUB_AUTHORISED) != 0)
		s->flags |= SESSION_AUTHORISED;
	send_success(s, sub);
	if (s->state == SESSION_OPEN && m->cache == WIRE_CACHE_HIT)
		send_event(s, m->cache_event, m->channel, m->cache_data);
	else if (s->state == SESSION_OPEN && m->cache == WIRE_CACHE_MISS) {
		pusher_encode_cache_miss(&s->w->out, m->channel);
		session_ws_out(s);
	}
	if (s->state == SESSION_OPEN)
		session_answered(s);
}

static void tell_refusal(struct session *s, const struct wire_refused *m)
{
	pusher_encode_subscription_error(&s->w->out, m->channel, m->type, m->error, m->status);
	session_ws_out(s);
	if (s->state != SESSION_OPEN)
		return;
	pusher_encode_error(&s->w->out, m->code, m->message, SLICE_NONE);
	session_ws_out(s);
}

void session_on_refused(struct session *s, const struct wire_refused *m)
{
	struct sub *sub = find_sub(s, m->channel);
	bool awaited;

	if (sub == NULL || sub->waiting == 0)
		return;
	awaited = sub->state != SUB_ABANDONED && (sub->flags & SUB_GIVEN_UP) == 0;
	hub_unsubscribe(s->w->hub, sub);
	if (awaited)
		tell_refusal(s, m);
	if (awaited && s->state == SESSION_OPEN)
		session_answered(s);
}

void session_on_to_conn(struct session *s, const struct wire_to_conn *m)
{
	send_event(s, m->event, m->channel, m->data);
}

void session_on_error(struct session *s, const struct wire_error *m)
{
	bool of_signin = s->ws->signing_in;

	pusher_encode_error(&s->w->out, m->code, m->message, SLICE_NONE);
	session_ws_out(s);
	if (s->state != SESSION_OPEN || !of_signin)
		return;
	s->ws->signing_in = false;
	session_answered(s);
}

void session_on_close(struct session *s, uint16_t code, struct slice reason)
{
	session_ws_close(s, code, reason, false);
}

void session_on_expel(struct session *s, struct slice name)
{
	struct sub *sub = find_sub(s, name);
	struct worker *w = s->w;

	/* One that is not decided yet gets its refusal as an answer. */
	if (sub == NULL || sub->state != SUB_ACTIVE)
		return;
	if (sub->waiting > 0 && (sub->flags & SUB_GIVEN_UP) == 0)
		s->ws->outstanding--;
	if (sub->waiting > 0)
		hub_suspend(w->hub, sub, SUB_ABANDONED);
	else
		hub_unsubscribe(w->hub, sub);
	session_refuse(s, name, PUSHER_REF_EXPELLED);
	if (s->state == SESSION_OPEN)
		session_pusher_go_on(s);
}

void session_on_signed_in(struct session *s, struct slice user_data)
{
	struct session_socket *ws = s->ws;
	bool awaited = ws->signing_in;

	if (ws->signin == NULL)
		return;
	free(ws->user);
	ws->user = ws->signin;
	ws->signin = NULL;
	ws->signing_in = false;
	s->flags |= SESSION_AUTHORISED;
	pusher_encode_signed_in(&s->w->out, user_data.n > 0 ? user_data : ws->user->user_data);
	session_ws_out(s);
	if (s->state == SESSION_OPEN && awaited)
		session_answered(s);
}
