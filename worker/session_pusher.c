#include <stdlib.h>

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "common/wire/wire.h"
#include "worker/departed.h"
#include "worker/pusher/auth.h"
#include "worker/pusher/encode.h"
#include "worker/pusher/member.h"
#include "worker/session_internal.h"
#include "worker/worker_internal.h"

/*
 * Order. A command that needs the broker is answered when the broker answers; what follows must not
 * overtake it. So a command is either
 *
 *	DONE  has taken effect and was answered, or was sent to the broker (whose lane keeps order)
 *	WAIT  would have to be answered, or depends on what is not decided yet, while an answer is
 * out
 *
 * and once one waits, all behind it wait. Only pings are answered at once.
 */
/* ---- answers ---- */

static void send_error(struct session *s, int64_t code, struct slice text, struct slice detail)
{
	pusher_encode_error(&s->w->out, code, text, detail);
	session_ws_out(s);
}

void session_error(struct session *s, enum pusher_error_id id, struct slice detail)
{
	const struct pusher_error *e = pusher_error(id);

	send_error(s, e->code, e->text, detail);
}

void session_refuse(struct session *s, struct slice channel, enum pusher_refusal_id id)
{
	const struct pusher_refusal *r = pusher_refusal(id);

	pusher_encode_subscription_error(&s->w->out, channel, r->type, r->error, r->status);
	session_ws_out(s);
	if (s->state == SESSION_OPEN)
		session_error(s, r->then, r->then == PUSHER_ERR_BAD_CHANNEL ? channel : SLICE_NONE);
}

static enum outcome error(struct session *s, enum pusher_error_id id, struct slice detail)
{
	if (s->ws->outstanding > 0)
		return WAIT;
	session_error(s, id, detail);
	return DONE;
}

static enum outcome refuse(struct session *s, struct slice channel, enum pusher_refusal_id id)
{
	if (s->ws->outstanding > 0)
		return WAIT;
	session_refuse(s, channel, id);
	return DONE;
}

/* What was no command at all. Too many of them end the connection. */
static enum outcome fault(struct session *s, enum pusher_error_id id, struct slice detail)
{
	struct session_socket *ws = s->ws;
	usec_t now = worker_now(s->w);

	if (ws->outstanding > 0)
		return WAIT;
	if (ws->faults == 0 || now - ws->faults_at >= PUSHER_FAULTS_SECONDS * USEC_PER_SEC) {
		ws->faults_at = now;
		ws->faults = 0;
	}
	ws->faults++;
	session_error(s, id, detail);
	if (ws->faults >= PUSHER_FAULTS_MAX)
		session_ws_close(s, WS_CLOSE_POLICY, SLICE("Too many invalid messages"), false);
	return DONE;
}

static void asked(struct session *s)
{
	struct session_socket *ws = s->ws;

	ws->outstanding++;
	if (ws->waiting_since == 0) {
		ws->waiting_since = worker_now(s->w);
		session_arm(s);
	}
}

/* Whether the broker can be asked about this connection now. */
static bool can_ask(const struct session *s)
{
	return worker_up(s->w) && session_has(s, SESSION_TOLD);
}

/* ---- subscribe ---- */

struct joining {
	enum channel_kind kind;
	uint8_t flags; /* SUB_AUTHORISED */
	struct slice user_id;
	struct slice user_info;
};

static bool name_ok(const struct session *s, struct slice name, enum channel_kind *ret_kind,
		    enum pusher_refusal_id *err_why)
{
	size_t max = MIN(s->app->max_channel_name, (uint32_t)LIMIT_CHANNEL_NAME);

	switch (channel_name_check(name, max, ret_kind)) {
	case CHANNEL_NAME_OK:
		return true;
	case CHANNEL_NAME_TOO_LONG:
		*err_why = PUSHER_REF_NAME_LENGTH;
		return false;
	case CHANNEL_NAME_BAD:
		break;
	}
	*err_why = PUSHER_REF_CHANNEL;
	return false;
}

/* Who joins a presence channel: the signed member data, or without it the user signed in. */
static bool member_ok(const struct session *s, const struct pusher_cmd *cmd, struct joining *ret,
		      enum pusher_refusal_id *err_why)
{
	const struct session_user *user = s->ws->user;
	struct pusher_member member;

	*err_why = PUSHER_REF_MEMBER;
	if (cmd->channel_data_wrong)
		return false;
	if (cmd->channel_data.n == 0) {
		if (user == NULL)
			return false;
		ret->user_id = user->id;
		ret->user_info = user->user_info;
		return true;
	}
	switch (pusher_member_decode(cmd->channel_data, s->w->conf->presence.max_user_info,
				     &s->w->member, &member)) {
	case MEMBER_OK:
		ret->user_id = member.user_id;
		ret->user_info = member.user_info;
		return true;
	case MEMBER_TOO_BIG:
		*err_why = PUSHER_REF_MEMBER_SIZE;
		return false;
	case MEMBER_BAD:
		break;
	}
	return false;
}

static bool may_join(const struct session *s, const struct pusher_cmd *cmd, struct joining *ret,
		     enum pusher_refusal_id *err_why)
{
	char text[SOCKET_ID_TEXT];

	*ret = (struct joining){0};
	if (!name_ok(s, cmd->channel, &ret->kind, err_why))
		return false;
	*err_why = PUSHER_REF_AUTH;
	if (ret->kind == CHANNEL_TO_USER)
		return s->ws->user != NULL &&
		       slice_eq(s->ws->user->id, channel_name_user(cmd->channel));
	if (!channel_kind_is_authorised(ret->kind))
		return true;
	if (!pusher_channel_auth_ok(s->app->signer, session_socket_id(s, text), cmd->channel,
				    cmd->channel_data.n > 0 ? cmd->channel_data : SLICE_NONE,
				    cmd->auth))
		return false;
	ret->flags = SUB_AUTHORISED;
	return !channel_kind_is_presence(ret->kind) || member_ok(s, cmd, ret, err_why);
}

/* A subscription that stands is only answered again. */
static enum outcome subscribe_again(struct session *s, struct sub *sub)
{
	if ((sub->flags & SUB_GIVEN_UP) != 0) {
		sub->flags &= (uint8_t)~SUB_GIVEN_UP;
		asked(s);
		return DONE;
	}
	if (sub->waiting > 0 || !can_ask(s) || !session_tell_subscribe(s, sub, WIRE_SUB_AGAIN))
		return WAIT;
	sub->waiting++;
	asked(s);
	return DONE;
}

static enum outcome subscribe(struct session *s, const struct pusher_cmd *cmd)
{
	struct worker *w = s->w;
	enum pusher_refusal_id why;
	struct joining joining;
	struct channel *c;
	struct sub *sub;

	if (s->ws->signing_in)
		return WAIT; /* who is signed in decides */
	if (!may_join(s, cmd, &joining, &why))
		return refuse(s, cmd->channel, why);
	c = hub_find(w->hub, s->app, cmd->channel);
	sub = c != NULL ? hub_sub(&s->sub, c) : NULL;
	if (sub != NULL && sub->state == SUB_PENDING)
		return WAIT;
	if (sub != NULL && sub->state == SUB_ABANDONED) {
		/* The first request is still on its way; its answer is as good. */
		sub->state = SUB_PENDING;
		asked(s);
		return DONE;
	}
	if (sub != NULL)
		return subscribe_again(s, sub);
	if (s->sub.sub_count >= w->conf->limits.max_subscriptions)
		return refuse(s, cmd->channel, PUSHER_REF_SUBSCRIPTIONS);
	if (!can_ask(s))
		return WAIT;

	sub = hub_subscribe(w->hub, s->app, cmd->channel, &s->sub);
	sub->flags = joining.flags;
	sub->joined_at = clock_wall();
	if (channel_kind_is_presence(joining.kind))
		hub_set_member(sub, joining.user_id, joining.user_info);
	if (!session_tell_subscribe(s, sub, 0)) {
		hub_unsubscribe(w->hub, sub);
		return WAIT;
	}
	sub->waiting++;
	asked(s);
	return DONE;
}

static enum outcome unsubscribe(struct session *s, const struct pusher_cmd *cmd)
{
	struct worker *w = s->w;
	struct channel *c = hub_find(w->hub, s->app, cmd->channel);
	struct sub *sub = c != NULL ? hub_sub(&s->sub, c) : NULL;
	struct wire_unsubscribe m = {.conn = s->sub.conn, .channel = cmd->channel};

	if (sub == NULL || sub->state == SUB_ABANDONED)
		return DONE;
	if (sub->waiting > 0)
		return WAIT;
	departed_left(w, s, sub);
	hub_unsubscribe(w->hub, sub);
	if (session_has(s, SESSION_TOLD) && wire_encode_unsubscribe(&w->record, &m))
		worker_send_surely(w, WIRE_UNSUBSCRIBE);
	return DONE;
}

/* ---- signin ---- */

/* The lane's list of the ids, at most one more than are used: the broker then says so. */
static void watchlist_of(struct worker *w, const struct pusher_user *user, struct buf *list)
{
	size_t max = (size_t)w->conf->limits.max_watchlist + 1;
	struct json_iter it = {0};
	struct json_value v;
	struct buf one;

	buf_init(&one, w->conf->limits.max_message);
	for (size_t n = 0; n < max && json_next(&user->watchlist, &it, &v); n++) {
		buf_clear(&one);
		if (json_append_text(&v, &one))
			(void)wire_list_add(list, buf_slice(&one)); /* bounded as the message is */
	}
	buf_done(&one);
}

static struct slice put(char **at, struct slice s)
{
	struct slice copy = slice_of(*at, s.n);

	if (s.n > 0)
		memcpy(*at, s.p, s.n);
	*at += s.n;
	return copy;
}

static struct session_user *user_new(struct worker *w, const struct pusher_user *user,
				     struct slice user_data)
{
	struct session_user *u;
	struct buf list;
	char *at;

	buf_init(&list, 2 * w->conf->limits.max_message + 65536);
	watchlist_of(w, user, &list);
	u = mem_alloc(sizeof(*u) + user->id.n + user->user_info.n + list.n + user_data.n);
	at = u->bytes;
	u->id = put(&at, user->id);
	u->user_info = put(&at, user->user_info);
	u->watchlist = put(&at, buf_slice(&list));
	u->user_data = put(&at, user_data);
	buf_done(&list);
	return u;
}

static enum outcome signin(struct session *s, const struct pusher_cmd *cmd)
{
	struct session_socket *ws = s->ws;
	char text[SOCKET_ID_TEXT];
	struct pusher_user user;

	if (ws->signing_in)
		return WAIT;
	if (cmd->user_data.p == NULL ||
	    !pusher_user_auth_ok(s->app->signer, session_socket_id(s, text), cmd->user_data,
				 cmd->auth) ||
	    pusher_user_decode(cmd->user_data, s->w->conf->limits.max_message, &s->w->member,
			       &user) != MEMBER_OK)
		return error(s, PUSHER_ERR_UNAUTHORIZED, SLICE_NONE);
	if (ws->user != NULL && !slice_eq(ws->user->id, user.id))
		return error(s, PUSHER_ERR_OTHER_USER, SLICE_NONE);
	if (!can_ask(s))
		return WAIT;
	free(ws->signin);
	ws->signin = user_new(s->w, &user, cmd->user_data);
	if (!session_tell_signin(s, ws->signin, false)) {
		free(ws->signin);
		ws->signin = NULL;
		return WAIT;
	}
	ws->signing_in = true;
	asked(s);
	return DONE;
}

/* ---- client events ---- */

/* Why an event may not be relayed; PUSHER_ERR_COUNT if it may. */
static enum pusher_error_id event_fault(const struct session *s, const struct pusher_cmd *cmd,
					const struct sub *sub)
{
	const struct app *app = s->app;
	enum channel_kind kind = channel_name_kind(cmd->channel);

	if (!channel_kind_is_authorised(kind) &&
	    (app->client_events != APP_EVENTS_ALL || kind == CHANNEL_TO_USER))
		return PUSHER_ERR_EVENT_PUBLIC;
	if (sub == NULL || sub->state != SUB_ACTIVE)
		return PUSHER_ERR_EVENT_NOT_MEMBER;
	if (cmd->event.n > s->w->conf->limits.max_event_name &&
	    utf8_length(cmd->event) > s->w->conf->limits.max_event_name)
		return PUSHER_ERR_EVENT_NAME_TOO_LONG;
	if (cmd->data.n > app->max_client_event_data)
		return PUSHER_ERR_EVENT_TOO_BIG;
	return PUSHER_ERR_COUNT;
}

static enum outcome client_event(struct session *s, const struct pusher_cmd *cmd)
{
	struct worker *w = s->w;
	struct channel *c = hub_find(w->hub, s->app, cmd->channel);
	struct sub *sub = c != NULL ? hub_sub(&s->sub, c) : NULL;
	enum pusher_error_id why;

	if (s->app->client_events == APP_EVENTS_OFF)
		return error(s, PUSHER_ERR_EVENT_DISABLED, SLICE_NONE);
	if (s->ws->outstanding > 0 && (sub == NULL || sub->waiting > 0))
		return WAIT;
	why = event_fault(s, cmd, sub);
	if (s->ws->outstanding > 0 && why != PUSHER_ERR_COUNT)
		return WAIT;
	if (why == PUSHER_ERR_COUNT && !can_ask(s))
		return WAIT;
	/* Refused ones are counted too. */
	if (!quota_take(&s->ws->events, s->app->client_event_rate, worker_now(w)))
		return error(s, PUSHER_ERR_EVENT_RATE, SLICE_NONE);
	if (why != PUSHER_ERR_COUNT)
		return error(s, why, SLICE_NONE);

	struct wire_client_event m = {
		.conn = s->sub.conn,
		.channel = cmd->channel,
		.event = cmd->event,
		.data = cmd->data,
		.user_id = sub_user_id(sub),
	};

	(void)worker_send_encoded(w, wire_encode_client_event(&w->record, &m),
				  WIRE_CLIENT_EVENT); /* may be lost */
	return DONE;
}

/* ---- one message ---- */

enum outcome session_run(struct session *s, struct slice text)
{
	enum pusher_error_id why;
	struct pusher_cmd cmd;

	if (!pusher_decode(text, &s->w->scratch, &cmd, &why)) {
		if (why == PUSHER_ERR_UNSUPPORTED)
			return fault(s, why, cmd.event);
		return why == PUSHER_ERR_MALFORMED ? fault(s, why, SLICE_NONE)
						   : error(s, why, SLICE_NONE);
	}
	switch (cmd.kind) {
	case PUSHER_CMD_SUBSCRIBE:
		return subscribe(s, &cmd);
	case PUSHER_CMD_UNSUBSCRIBE:
		return unsubscribe(s, &cmd);
	case PUSHER_CMD_SIGNIN:
		return signin(s, &cmd);
	case PUSHER_CMD_CLIENT_EVENT:
		return client_event(s, &cmd);
	case PUSHER_CMD_PING:
		session_ws_pong(s);
		return DONE;
	case PUSHER_CMD_PONG:
		break;
	}
	return DONE;
}
