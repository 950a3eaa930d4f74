#include "broker/store/mirror.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "broker/store/mirror_internal.h"
#include "broker/store/store.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"

#define WINDOW (USEC_PER_SEC / 10)
#define QUEUE_MAX 1000000
/* kind, worker, conn and the longest text, or two ids with a NUL between */
#define KEY_MAX (1 + 4 + 8 + 512)

/* ---- rows ------------------------------------------------------------------------------------ */

struct key {
	size_t n;
	char bytes[KEY_MAX];
};

static void key_begin(struct key *k, enum mirror_kind kind)
{
	k->bytes[0] = (char)kind;
	k->n = 1;
}

static void key_add(struct key *k, const void *p, size_t n)
{
	memcpy(k->bytes + k->n, p, n);
	k->n += n;
}

/* False: too long, or nothing that PostgreSQL can hold; the row is then not written. */
static bool key_text(struct key *k, struct slice text)
{
	if (!pg_text_ok(text) || text.n + 1 > KEY_MAX - k->n)
		return false;
	if (text.n > 0)
		key_add(k, text.p, text.n);
	k->bytes[k->n++] = '\0';
	return true;
}

static void key_conn(struct key *k, enum mirror_kind kind, uint32_t worker, uint64_t conn)
{
	key_begin(k, kind);
	key_add(k, &worker, sizeof(worker));
	key_add(k, &conn, sizeof(conn));
}

static struct mirror_row *find(const struct mirror *m, const struct key *k)
{
	struct mirror_row *row = NULL;

	HASH_FIND(hh, m->rows, k->bytes, k->n, row);
	return row;
}

static void enqueue(struct mirror *m, struct mirror_row *row)
{
	TAILQ_INSERT_TAIL(&m->queue[row->kind], row, entry);
	m->nqueue[row->kind]++;
}

static struct mirror_row *add(struct mirror *m, const struct key *k)
{
	struct mirror_row *row = slab_zalloc(&m->slab, sizeof(*row) + k->n);

	row->kind = (enum mirror_kind)k->bytes[0];
	row->nkey = k->n;
	memcpy(row->key, k->bytes, k->n);
	HASH_ADD_KEYPTR(hh, m->rows, row->key, row->nkey, row);
	m->nkind[row->kind]++;
	enqueue(m, row);
	return row;
}

void mirror_row_free(struct mirror *m, struct mirror_row *row)
{
	if (row->flight) {
		TAILQ_REMOVE(&m->flight[row->kind], row, entry);
		m->nflight--;
	} else {
		TAILQ_REMOVE(&m->queue[row->kind], row, entry);
		m->nqueue[row->kind]--;
	}
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the table has living rows only */
	HASH_DEL(m->rows, row);
	m->nkind[row->kind]--;
	slab_free(&m->slab, row->data);
	slab_free(&m->slab, row);
}

/*
 * Forgets the rows of a kind, of one worker or (NULL) of all. Those that are on their way are freed
 * when they have landed.
 */
static void drop(struct mirror *m, enum mirror_kind kind, const uint32_t *worker)
{
	struct mirror_row *row, *next;

	TAILQ_FOREACH (row, &m->flight[kind], entry)
		if (worker == NULL || row->worker == *worker)
			row->dropped = true;
	TAILQ_FOREACH_SAFE (row, &m->queue[kind], entry, next)
		if (worker == NULL || row->worker == *worker)
			mirror_row_free(m, row);
}

static uint64_t living_rows(const struct mirror *m)
{
	return (uint64_t)m->nkind[MIRROR_CONN] + m->nkind[MIRROR_MEMBER] + m->nkind[MIRROR_USER];
}

void mirror_forget(struct mirror *m)
{
	struct mirror_gone *gone;

	drop(m, MIRROR_CONN, NULL);
	drop(m, MIRROR_MEMBER, NULL);
	drop(m, MIRROR_USER, NULL);
	while ((gone = TAILQ_FIRST(&m->gone)) != NULL) {
		TAILQ_REMOVE(&m->gone, gone, entry);
		free(gone);
	}
	m->gone_sent = false;
}

/* The row of that key, to be filled in anew; NULL when there are too many. */
static struct mirror_row *change(struct mirror *m, const struct key *k, bool put)
{
	struct mirror_row *row = find(m, k);
	bool seen = k->bytes[0] == (char)MIRROR_SEEN;

	if (row == NULL && seen && m->nkind[MIRROR_SEEN] >= m->queue_max) {
		m->stats.dropped++;
		return NULL;
	}
	if (row == NULL && !seen && !m->walking && living_rows(m) >= m->queue_max) {
		/* more than is kept: all of it will be told again by the source */
		m->stage = MIRROR_UNKNOWN;
		mirror_forget(m);
		mirror_stir(m);
		return NULL;
	}
	if (row == NULL)
		row = add(m, k);
	row->put = put;
	row->again = row->flight;
	row->dropped = false;
	return row;
}

static void set_texts(struct mirror *m, struct mirror_row *row, const struct slice *texts, int n)
{
	size_t total = 0;
	size_t at = 0;

	memset(row->lengths, 0, sizeof(row->lengths));
	for (int i = 0; i < n; i++)
		total += texts[i].n;
	slab_free(&m->slab, row->data);
	row->data = slab_zalloc(&m->slab, total);
	for (int i = 0; i < n; i++) {
		if (texts[i].n > 0)
			memcpy(row->data + at, texts[i].p, texts[i].n);
		at += texts[i].n;
		row->lengths[i] = (uint32_t)texts[i].n;
	}
}

struct slice mirror_text(const struct mirror_row *row, int i)
{
	size_t at = 0;

	for (int k = 0; k < i; k++)
		at += row->lengths[k];
	return slice_of(row->data + at, row->lengths[i]);
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* Whether what lives is of interest now; the walk tells it otherwise. */
static bool listens(const struct mirror *m)
{
	return m->conn != NULL && m->stage >= MIRROR_WALK && m->scope != MIRROR_OFF;
}

static struct slice text_or_none(struct slice text)
{
	return pg_text_ok(text) ? text : SLICE_NONE;
}

void mirror_conn_put(struct mirror *m, const struct mirror_conn *row)
{
	const struct slice texts[] = {row->app, row->socket_id, row->user_id,
				      text_or_none(row->address), text_or_none(row->agent)};
	struct mirror_row *changed;
	struct key k;

	if (!listens(m) || m->scope != MIRROR_ALL)
		return;
	if (!pg_text_ok(row->app) || !pg_text_ok(row->socket_id) || !pg_text_ok(row->user_id))
		return;
	key_conn(&k, MIRROR_CONN, row->worker, row->conn);
	changed = change(m, &k, true);
	if (changed == NULL)
		return;
	changed->worker = row->worker;
	changed->conn = row->conn;
	changed->at[0] = row->connected_at;
	set_texts(m, changed, texts, 5);
	mirror_stir(m);
}

void mirror_conn_del(struct mirror *m, uint32_t worker, uint64_t conn)
{
	struct mirror_row *row;
	struct key k;

	if (!listens(m) || m->scope != MIRROR_ALL)
		return;
	key_conn(&k, MIRROR_CONN, worker, conn);
	row = change(m, &k, false);
	if (row == NULL)
		return;
	row->worker = worker;
	row->conn = conn;
	set_texts(m, row, NULL, 0);
	mirror_stir(m);
}

static bool mirrored_channel(const struct mirror *m, struct slice channel)
{
	return listens(m) && (m->scope == MIRROR_ALL || slice_starts(channel, SLICE("presence-")));
}

void mirror_member_put(struct mirror *m, const struct mirror_member *row)
{
	const struct slice texts[] = {row->channel, row->app, row->user_id,
				      pg_jsonb_ok(row->user_info) ? row->user_info : SLICE_NONE};
	struct mirror_row *changed;
	struct key k;

	if (!mirrored_channel(m, row->channel) || !pg_text_ok(row->app) ||
	    !pg_text_ok(row->user_id))
		return;
	key_conn(&k, MIRROR_MEMBER, row->worker, row->conn);
	if (!key_text(&k, row->channel))
		return;
	changed = change(m, &k, true);
	if (changed == NULL)
		return;
	changed->worker = row->worker;
	changed->conn = row->conn;
	changed->at[0] = row->joined_at;
	set_texts(m, changed, texts, 4);
	mirror_stir(m);
}

void mirror_member_del(struct mirror *m, uint32_t worker, uint64_t conn, struct slice channel)
{
	struct mirror_row *row;
	struct key k;

	if (!mirrored_channel(m, channel))
		return;
	key_conn(&k, MIRROR_MEMBER, worker, conn);
	if (!key_text(&k, channel))
		return;
	row = change(m, &k, false);
	if (row == NULL)
		return;
	row->worker = worker;
	row->conn = conn;
	set_texts(m, row, &channel, 1);
	mirror_stir(m);
}

static struct mirror_row *change_user(struct mirror *m, enum mirror_kind kind, struct slice app,
				      struct slice user_id, bool put)
{
	const struct slice texts[] = {app, user_id};
	struct mirror_row *row;
	struct key k;

	key_begin(&k, kind);
	if (!key_text(&k, app) || !key_text(&k, user_id))
		return NULL;
	row = change(m, &k, put);
	if (row == NULL)
		return NULL;
	set_texts(m, row, texts, 2);
	mirror_stir(m);
	return row;
}

void mirror_user_put(struct mirror *m, const struct mirror_user *row)
{
	struct mirror_row *changed;

	if (!listens(m))
		return;
	changed = change_user(m, MIRROR_USER, row->app, row->user_id, true);
	if (changed == NULL)
		return;
	changed->count = row->connections;
	changed->at[0] = row->online_since;
	changed->at[1] = row->changed_at;
}

void mirror_user_del(struct mirror *m, struct slice app, struct slice user_id)
{
	if (listens(m))
		(void)change_user(m, MIRROR_USER, app, user_id, false);
}

void mirror_last_seen(struct mirror *m, struct slice app, struct slice user_id, wall_us_t at)
{
	struct mirror_row *row;

	if (m->conn == NULL)
		return;
	row = change_user(m, MIRROR_SEEN, app, user_id, true);
	if (row != NULL && at > row->at[0])
		row->at[0] = at;
}

void mirror_worker_gone(struct mirror *m, uint32_t worker)
{
	struct mirror_gone *gone;

	if (!listens(m))
		return;
	drop(m, MIRROR_CONN, &worker);
	drop(m, MIRROR_MEMBER, &worker);
	gone = NEW(struct mirror_gone);
	gone->worker = worker;
	TAILQ_INSERT_TAIL(&m->gone, gone, entry);
	mirror_stir(m);
}

/* ---- life ------------------------------------------------------------------------------------ */

uint64_t mirror_pending(const struct mirror *m)
{
	const struct mirror_gone *gone;
	uint64_t n = 0;

	for (int kind = 0; kind < MIRROR_KINDS; kind++)
		n += m->nkind[kind];
	TAILQ_FOREACH (gone, &m->gone, entry)
		n++;
	return n;
}

void mirror_stats(const struct mirror *m, struct mirror_stats *ret_stats)
{
	*ret_stats = m->stats;
	ret_stats->pending = mirror_pending(m);
	/* how many rows a whole write has before it, only the source knows */
	if (m->conn != NULL && m->stage != MIRROR_STEADY)
		ret_stats->pending++;
}

struct mirror *mirror_new(struct loop *loop, const struct store_options *options,
			  const struct pg_stmts *stmts)
{
	struct mirror *m = NEW(struct mirror);
	struct pg_conn_options conn = {
		.conninfo = options->conninfo,
		.password_file = options->password_file,
		.node = options->node,
		/* nothing here is acknowledged to anybody */
		.settings = "-c synchronous_commit=off -c statement_timeout=5s -c "
			    "lock_timeout=2s " PG_PLAN_BY_INDEX,
		.stmts = stmts,
		.role = PG_ROLE_MIRROR,
	};

	m->loop = loop;
	m->scope = options->mirror;
	mirror_set_window(m, options->mirror_window);
	m->queue_max = options->mirror_queue_max != 0 ? options->mirror_queue_max : QUEUE_MAX;
	TAILQ_INIT(&m->gone);
	for (int kind = 0; kind < MIRROR_KINDS; kind++) {
		m->limit[kind] = MIRROR_ROWS;
		TAILQ_INIT(&m->queue[kind]);
		TAILQ_INIT(&m->flight[kind]);
	}
	if (stmts == NULL)
		return m;
	pg_params_init(&m->params);
	m->conn = pg_conn_new(loop, &conn, &mirror_conn_ops, m);
	mirror_timer_init(m);
	return m;
}

void mirror_free(struct mirror *m)
{
	struct mirror_row *row;

	if (m == NULL)
		return;
	mirror_forget(m);
	for (int kind = 0; kind < MIRROR_KINDS; kind++) {
		while ((row = TAILQ_FIRST(&m->queue[kind])) != NULL)
			/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it left the list */
			mirror_row_free(m, row);
		while ((row = TAILQ_FIRST(&m->flight[kind])) != NULL)
			/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it left the list */
			mirror_row_free(m, row);
	}
	if (m->conn != NULL) {
		pg_conn_free(m->conn);
		event_del(&m->timer);
		pg_params_done(&m->params);
	}
	slab_done(&m->slab);
	free(m);
}

void mirror_set_source(struct mirror *m, const struct mirror_source *source)
{
	m->source = *source;
}

void mirror_set_window(struct mirror *m, usec_t window)
{
	m->window = window != 0 ? window : WINDOW;
}
