/*
 * chat.sync: where the chat and the user's cursors stand, to a connection right after it
 * subscribed. A client that missed messages learns it here, so one that cannot be made now is made
 * later. Few are under way at once: after a restart everybody subscribes again.
 */
#include <stdlib.h>

#include "broker/chat/chat_internal.h"

#define UNDER_WAY_MAX 256
#define SWEEP_MIN 4096

struct sync {
	UT_hash_handle hh; /* by connection and channel */
	TAILQ_ENTRY(sync) entry;
	struct chat *c;
	uint64_t chat;
	bool asked;
	bool again; /* subscribed once more while asked */
	uint32_t channel_n;
	uint32_t id_n; /* 0 = nothing identifies the connection */
	char id[LIMIT_USER_ID];
	char key[]; /* the connection, then the channel */
};

#define KEY_MAX (sizeof(uint64_t) + LIMIT_CHANNEL_NAME)

static uint64_t conn_of(const struct sync *s)
{
	uint64_t conn;

	memcpy(&conn, s->key, sizeof(conn));
	return conn;
}

static struct slice channel_of(const struct sync *s)
{
	return slice_of(s->key + sizeof(uint64_t), s->channel_n);
}

static struct slice id_of(const struct sync *s)
{
	return slice_of(s->id, s->id_n);
}

static bool is_here(const struct sync *s)
{
	return registry_is_subscribed(s->c->registry, conn_of(s), channel_of(s));
}

/* It must stand in neither list. */
static void drop(struct sync *s)
{
	HASH_DELETE(hh, s->c->sync_table, s);
	free(s);
}

static void cursor(struct buf *out, const struct sync *s, uint64_t seq)
{
	if (s->id_n > 0)
		(void)buf_u64(out, seq); /* tell() checks */
	else
		(void)buf_add(out, SLICE("null"));
}

static void tell(const struct sync *s, const struct chat_participant_row *row)
{
	struct chat *c = s->c;
	struct buf *out = &c->data;

	buf_clear(out);
	(void)buf_add(out, SLICE("{\"chat_id\":"));
	(void)buf_u64(out, s->chat);
	(void)buf_add(out, SLICE(",\"last_seq\":"));
	(void)buf_u64(out, row->last_seq);
	(void)buf_add(out, SLICE(",\"read_seq\":"));
	cursor(out, s, row->read_seq);
	(void)buf_add(out, SLICE(",\"delivered_seq\":"));
	cursor(out, s, row->delivered_seq);
	(void)buf_addc(out, '}');
	if (buf_ok(out))
		event_to_conn(c, conn_of(s), channel_of(s), SLICE("chat.sync"), buf_slice(out));
}

/* ---- asking ---- */

static void on_row(void *ctx, const struct chat_result *r, const struct chat_participant_row *rows,
		   size_t n)
{
	struct sync *s = ctx;
	struct chat *c = s->c;
	bool here = is_here(s);

	TAILQ_REMOVE(&c->syncs_asked, s, entry);
	c->syncs_under_way--;
	s->asked = false;
	if (here && r->code == CHAT_STORE_OK && n > 0)
		tell(s, &rows[0]);
	if (r->code == CHAT_STORE_UNAVAILABLE)
		chat_retry_later(c);
	if (here && (s->again || r->code == CHAT_STORE_UNAVAILABLE))
		TAILQ_INSERT_TAIL(&c->syncs, s, entry);
	else
		drop(s);
	sync_pump(c);
}

static void ask(struct sync *s)
{
	const struct chat_store *store = s->c->store;

	s->asked = true;
	s->again = false;
	TAILQ_INSERT_TAIL(&s->c->syncs_asked, s, entry);
	s->c->syncs_under_way++;
	if (s->id_n > 0)
		store->participant(store->self, s->chat, id_of(s), on_row, s);
	else
		store->participants(store->self, &s->chat, 1, 1, on_row, s);
}

void sync_pump(struct chat *c)
{
	struct sync *s;

	while (c->retry_at == USEC_NEVER && c->syncs_under_way < UNDER_WAY_MAX &&
	       (s = TAILQ_FIRST(&c->syncs)) != NULL) {
		TAILQ_REMOVE(&c->syncs, s, entry);
		if (is_here(s))
			ask(s);
		else
			drop(s);
	}
}

/* ---- waiting ---- */

/* While the database is away connections come and go: never more waits than twice what is here. */
static void sweep(struct chat *c)
{
	struct sync *s;
	struct sync *next;

	if (HASH_COUNT(c->sync_table) < c->sync_sweep)
		return;
	TAILQ_FOREACH_SAFE (s, &c->syncs, entry, next) {
		if (is_here(s))
			continue;
		TAILQ_REMOVE(&c->syncs, s, entry);
		drop(s);
	}
	c->sync_sweep = MAX(2 * HASH_COUNT(c->sync_table), SWEEP_MIN);
}

static struct sync *find_or_new(struct chat *c, uint64_t conn, struct slice channel)
{
	char key[KEY_MAX];
	size_t n = sizeof(conn) + channel.n;
	struct sync *s = NULL;

	memcpy(key, &conn, sizeof(conn));
	memcpy(key + sizeof(conn), channel.p, channel.n);
	HASH_FIND(hh, c->sync_table, key, n, s);
	if (s != NULL)
		return s;
	sweep(c);
	s = mem_zalloc(sizeof(*s) + n);
	s->c = c;
	s->channel_n = (uint32_t)channel.n;
	memcpy(s->key, key, n);
	HASH_ADD(hh, c->sync_table, key, n, s);
	TAILQ_INSERT_TAIL(&c->syncs, s, entry);
	return s;
}

void sync_add(struct chat *c, uint64_t conn, struct slice channel, uint64_t chat,
	      struct slice user_id)
{
	struct sync *s;

	if (channel.n > LIMIT_CHANNEL_NAME || user_id.n > LIMIT_USER_ID)
		return;
	s = find_or_new(c, conn, channel);
	s->again = s->asked;
	s->chat = chat;
	s->id_n = (uint32_t)user_id.n;
	if (user_id.n > 0)
		memcpy(s->id, user_id.p, user_id.n);
	sync_pump(c);
}

void sync_free_all(struct chat *c)
{
	struct sync *s;

	TAILQ_CONCAT(&c->syncs, &c->syncs_asked, entry);
	while ((s = TAILQ_FIRST(&c->syncs)) != NULL) {
		TAILQ_REMOVE(&c->syncs, s, entry);
		drop(s);
	}
}
