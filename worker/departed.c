#include "worker/departed.h"

#include <stdlib.h>

#include "common/base/list.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/wire/wire.h"
#include "worker/session_internal.h"
#include "worker/worker_internal.h"

/* A subscription that stood, as it is retold. */
struct was_sub {
	TAILQ_ENTRY(was_sub) link;
	int64_t joined_at;
	uint32_t info_n;
	uint16_t id_n;
	uint8_t channel_n;
	uint8_t flags; /* enum wire_sub */
	bool left;     /* unsubscribed, before or without the end of its connection */
	char bytes[];  /* channel, user_id, user_info */
};

/* A connection; closed_at 0: it stands yet, only subscriptions have ended. */
struct was_conn {
	UT_hash_handle hh;
	TAILQ_ENTRY(was_conn) age;    /* oldest first */
	TAILQ_ENTRY(was_conn) untold; /* the broker of today does not know it */
	TAILQ_HEAD(, was_sub) subs;
	uint64_t conn;
	usec_t since;
	size_t bytes;
	const struct app *app; /* stays as long as the worker */
	int64_t opened_at;
	int64_t closed_at;
	uint16_t code;
	bool told; /* not in `untold` */
	char *socket_id;
	char *address;
	char *agent;
	char *user; /* identified as; NULL = nobody */
	size_t user_n;
};

TAILQ_HEAD(was_conns, was_conn);

struct departed {
	struct was_conn *conns;
	struct was_conns ages;
	struct was_conns untold;
	usec_t keep;
	size_t bytes;
	size_t max_bytes;
	uint32_t count;
	uint64_t lost;
};

struct departed *departed_new(usec_t keep, size_t max_bytes)
{
	struct departed *d = NEW(struct departed);

	d->keep = keep;
	d->max_bytes = max_bytes;
	TAILQ_INIT(&d->ages);
	TAILQ_INIT(&d->untold);
	return d;
}

/* ---- life of one ---- */

static void charge(struct departed *d, struct was_conn *c, size_t bytes)
{
	c->bytes += bytes;
	d->bytes += bytes;
}

static struct was_conn *find(const struct departed *d, uint64_t conn)
{
	struct was_conn *c = NULL;

	HASH_FIND(hh, d->conns, &conn, sizeof(conn), c);
	return c;
}

static void drop_sub(struct departed *d, struct was_conn *c, struct was_sub *s)
{
	size_t bytes = sizeof(*s) + s->channel_n + s->id_n + s->info_n;

	TAILQ_REMOVE(&c->subs, s, link);
	c->bytes -= bytes;
	d->bytes -= bytes;
	free(s);
}

static void set_told(struct departed *d, struct was_conn *c, bool told)
{
	if (c->told == told)
		return;
	c->told = told;
	if (told)
		TAILQ_REMOVE(&d->untold, c, untold);
	else
		TAILQ_INSERT_TAIL(&d->untold, c, untold);
}

static void drop(struct departed *d, struct was_conn *c)
{
	struct was_sub *s;

	while ((s = TAILQ_FIRST(&c->subs)) != NULL)
		drop_sub(d, c, s);
	set_told(d, c, true);
	HASH_DELETE(hh, d->conns, c);
	TAILQ_REMOVE(&d->ages, c, age);
	d->count--;
	d->bytes -= c->bytes;
	free(c->socket_id);
	free(c->address);
	free(c->agent);
	free(c->user);
	free(c);
}

/* Nothing of it needs to be told any more. */
static void release(struct departed *d, struct was_conn *c)
{
	if (TAILQ_EMPTY(&c->subs) && (c->closed_at == 0 || c->user == NULL))
		drop(d, c);
}

void departed_free(struct departed *d)
{
	struct was_conn *c;

	if (d == NULL)
		return;
	while ((c = TAILQ_FIRST(&d->ages)) != NULL)
		drop(d, c);
	free(d);
}

static struct was_conn *conn_of(struct departed *d, usec_t now, const struct session *s)
{
	struct was_conn *c = find(d, s->sub.conn);

	if (c != NULL) {
		TAILQ_REMOVE(&d->ages, c, age); /* its time counts anew */
	} else {
		c = NEW(struct was_conn);
		c->told = true;
		TAILQ_INIT(&c->subs);
		c->conn = s->sub.conn;
		c->app = s->app;
		HASH_ADD(hh, d->conns, conn, sizeof(c->conn), c);
		d->count++;
		charge(d, c, sizeof(*c));
	}
	c->since = now;
	TAILQ_INSERT_TAIL(&d->ages, c, age);
	/* Where the broker knows the session, its end is told in the common way. */
	if (!session_has(s, SESSION_TOLD))
		set_told(d, c, false);
	return c;
}

static struct slice sub_channel(const struct was_sub *s)
{
	return slice_of(s->bytes, s->channel_n);
}

static struct was_sub *find_sub(const struct was_conn *c, struct slice channel)
{
	struct was_sub *s;

	TAILQ_FOREACH (s, &c->subs, link) {
		if (slice_eq(sub_channel(s), channel))
			return s;
	}
	return NULL;
}

static void add_sub(struct departed *d, struct was_conn *c, const struct sub *sub, bool left)
{
	struct slice parts[] = {channel_name(sub->channel), sub_user_id(sub), sub_user_info(sub)};
	struct was_sub *s = find_sub(c, parts[0]);
	char *at;

	if (s != NULL) /* it had come back meanwhile, or goes a second time */
		drop_sub(d, c, s);
	s = mem_alloc(sizeof(*s) + parts[0].n + parts[1].n + parts[2].n);
	*s = (struct was_sub){
		.joined_at = sub->joined_at,
		.channel_n = (uint8_t)parts[0].n,
		.id_n = (uint16_t)parts[1].n,
		.info_n = (uint32_t)parts[2].n,
		.flags = WIRE_SUB_RESYNC,
		.left = left,
	};
	if (channel_kind_is_presence(channel_kind(sub->channel)))
		s->flags |= WIRE_SUB_PRESENCE;
	if ((sub->flags & SUB_AUTHORISED) != 0)
		s->flags |= WIRE_SUB_AUTHORISED;
	at = s->bytes;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (parts[i].n > 0)
			memcpy(at, parts[i].p, parts[i].n);
		at += parts[i].n;
	}
	TAILQ_INSERT_TAIL(&c->subs, s, link);
	charge(d, c, sizeof(*s) + parts[0].n + parts[1].n + parts[2].n);
}

/* The oldest make room for the newest. */
static void make_room(struct departed *d)
{
	while (d->bytes > d->max_bytes && d->count > 1) {
		drop(d, TAILQ_FIRST(&d->ages));
		d->lost++;
	}
}

/* Whether others see it: members, and counts where the application has them told. */
static bool is_seen(const struct sub *sub, const struct app *app)
{
	return channel_kind_is_presence(channel_kind(sub->channel)) || app->subscription_count;
}

/* ---- what ends ---- */

void departed_left(struct worker *w, const struct session *s, const struct sub *sub)
{
	struct departed *d = w->departed;

	if (!is_seen(sub, s->app))
		return;
	add_sub(d, conn_of(d, worker_now(w), s), sub, true);
	make_room(d);
}

static void describe(struct departed *d, struct was_conn *c, const struct session *s,
		     struct slice user)
{
	char text[SOCKET_ID_TEXT];
	struct slice socket_id = session_socket_id(s, text);

	c->opened_at = s->ws->opened_at;
	c->closed_at = clock_wall();
	c->code = s->ws->close_code;
	c->socket_id = slice_dup(socket_id);
	c->address = slice_dup(session_address(s));
	c->agent = slice_dup(text_slice(s->ws->agent));
	c->user = user.n > 0 ? slice_dup(user) : NULL;
	c->user_n = user.n;
	charge(d, c, socket_id.n + strlen(c->address) + strlen(c->agent) + user.n);
}

void departed_closed(struct worker *w, const struct session *s)
{
	struct departed *d = w->departed;
	struct slice user = session_note_value(s->ws, SLICE(WIRE_NOTE_USER));
	struct was_conn *c = find(d, s->sub.conn);

	for (uint32_t i = 0; i < s->sub.sub_count; i++) {
		const struct sub *sub = subscriber_sub(&s->sub, i);

		if (!is_seen(sub, s->app))
			continue;
		c = conn_of(d, worker_now(w), s);
		add_sub(d, c, sub, false);
	}
	if (c != NULL || user.n > 0)
		describe(d, conn_of(d, worker_now(w), s), s, user);
	make_room(d);
}

void departed_settled(struct departed *d, uint64_t conn, struct slice channel)
{
	struct was_conn *c = find(d, conn);
	struct was_sub *s = c != NULL ? find_sub(c, channel) : NULL;

	if (s == NULL)
		return;
	drop_sub(d, c, s);
	release(d, c);
}

/* ---- time ---- */

void departed_restart(struct departed *d, usec_t now, bool is_new)
{
	struct was_conn *c;

	TAILQ_FOREACH (c, &d->ages, age) {
		c->since = now;
		if (is_new)
			set_told(d, c, false);
	}
}

void departed_turn(struct departed *d, usec_t now)
{
	struct was_conn *c;

	while ((c = TAILQ_FIRST(&d->ages)) != NULL && now - c->since >= d->keep)
		drop(d, c);
}

uint32_t departed_count(const struct departed *d)
{
	return d->count;
}

uint64_t departed_lost(const struct departed *d)
{
	return d->lost;
}

/* ---- the resync ---- */

static bool tell_conn(struct worker *w, const struct was_conn *c)
{
	struct wire_conn_open open = {
		.conn = c->conn,
		.app = c->app->index,
		.socket_id = slice_str(c->socket_id),
		.address = slice_str(c->address),
		.agent = slice_str(c->agent),
		.opened_at = c->opened_at,
	};
	struct wire_note_again user = {.conn = c->conn, .key = SLICE_INIT(WIRE_NOTE_USER)};

	if (!worker_send_encoded(w, wire_encode_conn_open(&w->record, &open), WIRE_CONN_OPEN))
		return false;
	if (c->user == NULL)
		return true;
	user.value = slice_of(c->user, c->user_n);
	return worker_send_encoded(w, wire_encode_note_again(&w->record, &user), WIRE_NOTE_AGAIN);
}

static bool tell_sub(struct worker *w, const struct was_conn *c, const struct was_sub *s)
{
	struct wire_subscribe m = {
		.conn = c->conn,
		.channel = sub_channel(s),
		.flags = s->flags,
		.user_id = slice_of(s->bytes + s->channel_n, s->id_n),
		.user_info = slice_of(s->bytes + s->channel_n + s->id_n, s->info_n),
		.joined_at = s->joined_at,
	};
	struct wire_unsubscribe end = {.conn = c->conn, .channel = m.channel};

	if (!worker_send_encoded(w, wire_encode_subscribe(&w->record, &m), WIRE_SUBSCRIBE))
		return false;
	return !s->left ||
	       worker_send_encoded(w, wire_encode_unsubscribe(&w->record, &end), WIRE_UNSUBSCRIBE);
}

/* The client has subscribed anew, and that has been told. */
static bool stands(struct worker *w, const struct was_conn *c, const struct was_sub *s)
{
	const struct session *session = c->closed_at == 0 ? session_find(w, c->conn) : NULL;
	struct channel *channel =
		session != NULL ? hub_find(w->hub, session->app, sub_channel(s)) : NULL;
	const struct sub *sub = channel != NULL ? hub_sub(&session->sub, channel) : NULL;

	return sub != NULL && sub->state == SUB_ACTIVE;
}

/* From its start again when the lane has no room in the middle of it: that does no harm. */
static bool tell(struct worker *w, const struct was_conn *c)
{
	struct wire_conn_gone gone = {.conn = c->conn, .code = c->code, .closed_at = c->closed_at};
	const struct was_sub *s;

	if (apps_by_index(w->apps, c->app->index) != c->app)
		return true; /* the application has gone, too */
	if (c->closed_at != 0 && !tell_conn(w, c))
		return false;
	TAILQ_FOREACH (s, &c->subs, link) {
		if (!stands(w, c, s) && !tell_sub(w, c, s))
			return false;
	}
	return c->closed_at == 0 ||
	       worker_send_encoded(w, wire_encode_conn_gone(&w->record, &gone), WIRE_CONN_GONE);
}

bool departed_tell(struct worker *w)
{
	struct departed *d = w->departed;
	struct was_conn *c;

	while ((c = TAILQ_FIRST(&d->untold)) != NULL) {
		if (!tell(w, c))
			return false;
		set_told(d, c, true);
	}
	return true;
}
