/* Questions to the chat and their answers, and what the chat does by itself. */
#include "broker/dispatch_internal.h"

#include <stdlib.h>

#include "common/base/mem.h"

/* A question under way; the worker may be gone when its answer comes. */
struct asking {
	struct dispatch *d;
	uint64_t req;
	uint32_t worker;
};

static struct asking *asking_new(struct dispatch *d, uint32_t worker, uint64_t req)
{
	struct asking *a = NEW(struct asking);

	d->counts.calls++;
	a->d = d;
	a->req = req;
	a->worker = worker;
	return a;
}

/* The answer may have moved deadlines of the chat. */
static struct peer *asking_end(struct asking *a)
{
	struct peer *p = dispatch_peer(a->d, a->worker);

	a->d->options.wake(a->d->options.ctx);
	free(a);
	return p;
}

/* ---- POST /broadcasting/auth ---- */

static void on_authorized(void *ctx, const struct chat_answer *a)
{
	struct asking *asking = ctx;
	struct dispatch *d = asking->d;
	struct wire_authorized m = {
		.req = asking->req,
		.status = (uint16_t)a->status,
		.retry_after = (uint16_t)MIN(a->retry_after, (unsigned)UINT16_MAX),
		.user_id = a->user_id,
		.user_info = a->user_info,
		.presence = a->presence,
		.body = a->body,
	};

	dispatch_send(d, asking_end(asking), WIRE_AUTHORIZED,
		      wire_encode_authorized(&d->record, &m));
}

static void authorize(struct dispatch *d, uint32_t worker, const struct wire_authorize *m)
{
	struct chat_caller caller = {
		.token_id = m->token_id,
		.token_hash = m->token_hash,
		.address = m->address,
		.socket_id = m->socket_id,
	};

	chat_authorize(d->parts.chat, d->now.mono, &caller, m->channel, on_authorized,
		       asking_new(d, worker, m->req));
}

/* Whether a worker is about to tell of that connection: it has told of none that came after. */
static bool is_to_come(const struct dispatch *d, uint64_t conn)
{
	const struct peer *p = dispatch_peer(d, (uint32_t)(conn >> WIRE_CONN_BITS));
	struct registry_conn row;

	return p != NULL && p->lane != NULL && wire_conn_is_after(conn, p->newest) &&
	       !registry_conn(d->parts.registry, conn, &row);
}

/* Whom it is for would be forgotten if the connection were not known when it is granted. */
void dispatch_authorize(struct dispatch *d, struct peer *p, const struct wire_authorize *m)
{
	uint64_t conn = dispatch_conn_of(m->socket_id);
	bool waits = is_to_come(d, conn) && wire_encode_authorize(&d->record, m) &&
		     early_add(&d->early, d->now.mono, conn, p->number, buf_slice(&d->record));

	buf_clear(&d->record);
	if (!waits)
		authorize(d, p->number, m);
}

static void authorize_early(struct dispatch *d, struct early_row *row)
{
	struct wire_authorize m;

	if (wire_decode_authorize(slice_of(row->body, row->n), &m))
		authorize(d, row->worker, &m);
	free(row);
}

void dispatch_early(struct dispatch *d, uint64_t conn)
{
	struct early_row *row;

	while ((row = early_take(&d->early, conn)) != NULL)
		authorize_early(d, row);
}

void dispatch_early_turn(struct dispatch *d)
{
	struct early_row *row;

	while ((row = early_give_up(&d->early, d->now.mono)) != NULL)
		authorize_early(d, row);
}

/* ---- /api/websocket ---- */

static void on_reply(void *ctx, const struct chat_answer *a)
{
	struct asking *asking = ctx;
	struct dispatch *d = asking->d;
	struct wire_reply m = {
		.req = asking->req,
		.status = (uint16_t)a->status,
		.retry_after = (uint16_t)MIN(a->retry_after, (unsigned)UINT16_MAX),
		.body = a->body,
	};

	dispatch_send(d, asking_end(asking), WIRE_REPLY, wire_encode_reply(&d->record, &m));
}

void dispatch_chat_call(struct dispatch *d, struct peer *p, const struct wire_chat_call *m)
{
	struct chat_call call = {
		.route = m->route,
		.caller =
			{
				.token_id = m->token_id,
				.token_hash = m->token_hash,
				.address = m->address,
				.socket_id = m->socket_id,
			},
		.chat = m->chat,
		.message = m->message,
		.user = m->user,
		.text = m->text,
		.client_id = m->client_id,
		.reply_to = m->reply_to,
		.meta = m->meta,
		.name = m->name,
		.ids = m->ids,
		.flag = m->flag,
		.before_seq = m->before_seq,
		.after_seq = m->after_seq,
		.limit = m->limit,
		.cursor = m->cursor,
		.invalid = m->invalid,
	};

	chat_call(d->parts.chat, d->now.mono, &call, on_reply, asking_new(d, p->number, m->req));
}

/* ---- what the chat does ---- */

static void publish(void *ctx, const struct chat_event *e)
{
	struct dispatch *d = ctx;
	struct wire_event m = {
		.app = apps_chat(d->options.apps),
		.channel = e->channel,
		.event = e->event,
		.data = e->data,
		.exclude = e->exclude,
		.droppable = e->droppable,
	};

	/* Where nobody is, nothing is sent anyway: `only_if_occupied` is no other case here. */
	d->counts.chat_events++;
	dispatch_event(d, &m, UNTRACKED);
	d->options.wake(d->options.ctx);
}

static void to_conn(void *ctx, uint64_t conn, struct slice channel, struct slice event,
		    struct slice data)
{
	struct dispatch *d = ctx;
	struct wire_to_conn m = {.conn = conn, .channel = channel, .event = event, .data = data};

	dispatch_send(d, dispatch_peer_of(d, conn), WIRE_TO_CONN,
		      wire_encode_to_conn(&d->record, &m));
}

/* The worker will not tell us that the subscription ended: it ends here and there. */
static void expel(void *ctx, uint64_t conn, struct slice channel)
{
	struct dispatch *d = ctx;
	struct wire_expel m = {.conn = conn, .channel = channel};

	dispatch_enter(d);
	dispatch_send(d, dispatch_peer_of(d, conn), WIRE_EXPEL, wire_encode_expel(&d->record, &m));
	registry_unsubscribe(d->parts.registry, d->now, conn, channel);
}

static void close_conn(void *ctx, uint64_t conn, uint16_t code, struct slice reason)
{
	struct dispatch *d = ctx;
	struct wire_close m = {.conn = conn, .code = code, .reason = reason};

	dispatch_send(d, dispatch_peer_of(d, conn), WIRE_CLOSE, wire_encode_close(&d->record, &m));
}

static void note(void *ctx, uint64_t conn, struct slice key, struct slice value)
{
	dispatch_note(ctx, conn, key, value);
}

static void last_seen(void *ctx, struct slice user_id, wall_us_t at)
{
	struct dispatch *d = ctx;
	const struct app *app = apps_at(d->options.apps, apps_chat(d->options.apps));

	if (app != NULL)
		mirror_last_seen(store_mirror(d->parts.store), slice_str(app->id), user_id, at);
}

static uint64_t find_conn(void *ctx, struct slice socket_id)
{
	const struct dispatch *d = ctx;

	return dispatch_find_conn(d, apps_chat(d->options.apps), socket_id);
}

static wall_us_t wall(void *ctx)
{
	(void)ctx;
	return clock_wall();
}

const struct chat_ops dispatch_chat_ops = {
	.publish = publish,
	.to_conn = to_conn,
	.expel = expel,
	.close = close_conn,
	.note = note,
	.last_seen = last_seen,
	.find_conn = find_conn,
	.wall = wall,
};

void dispatch_on_token(struct dispatch *d, struct slice token_id)
{
	dispatch_enter(d);
	chat_token_changed(d->parts.chat, d->now.mono, token_id);
}

void dispatch_on_participant(struct dispatch *d, uint64_t chat, struct slice user_id)
{
	dispatch_enter(d);
	chat_participant_removed(d->parts.chat, d->now.mono, chat, user_id);
}

void dispatch_on_database(struct dispatch *d, bool up)
{
	dispatch_enter(d);
	chat_store_changed(d->parts.chat, d->now.mono, up);
}
