#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "broker/store/mirror_internal.h"
#include "broker/store/pg_row.h"
#include "common/crypto/random.h"
#include "common/log/log.h"
#include "common/loop/loop.h"

#define RETRY_SOON (USEC_PER_SEC / 5)
#define RETRY_LATE (5 * USEC_PER_SEC)

static void arm(struct mirror *m, usec_t in)
{
	struct timeval tv = loop_timeval(in);

	if (event_add(&m->timer, &tv) != 0)
		die("mirror: event_add");
	m->timed = true;
}

static uint32_t queued(const struct mirror *m)
{
	uint32_t n = 0;

	for (int kind = 0; kind < MIRROR_KINDS; kind++)
		n += m->nqueue[kind];
	return n;
}

void mirror_stir(struct mirror *m)
{
	if (!m->timed && !m->busy && m->epoch != 0)
		arm(m, m->window);
}

/* What to do about an error that leaves the connection in place. */
static void put_off(struct mirror *m, const struct pg_error *error)
{
	if (error->class == PG_LOST)
		return; /* on_ready() goes on */
	log_warning("mirror.failed", "sqlstate=%s error=\"%s\"", error->sqlstate, error->text);
	arm(m, error->class == PG_AGAIN ? RETRY_SOON : RETRY_LATE);
}

static bool all_written(const struct mirror *m)
{
	return m->stage == MIRROR_STEADY && mirror_pending(m) == 0;
}

static void tell_idle(struct mirror *m)
{
	void (*on_idle)(void *ctx) = m->on_idle;

	if (on_idle == NULL || m->busy)
		return;
	if (pg_conn_ready(m->conn) && (queued(m) > 0 || !TAILQ_EMPTY(&m->gone)))
		return;
	m->on_idle = NULL;
	on_idle(m->idle_ctx);
}

/* ---- changes --------------------------------------------------------------------------------- */

static uint64_t affected(PGresult *result)
{
	return strtoull(PQcmdTuples(result), NULL, 10);
}

static void check_gone(struct mirror *m, PGresult *const *results)
{
	struct mirror_gone *gone = TAILQ_FIRST(&m->gone);

	if (!m->gone_sent || gone == NULL)
		return;
	m->gone_sent = false;
	if (affected(results[0]) == MIRROR_ROWS || affected(results[1]) == MIRROR_ROWS)
		return;
	TAILQ_REMOVE(&m->gone, gone, entry);
	free(gone);
}

/* One row of the kind is refused: half as many next time, until it stands alone and is dropped. */
static void refuse(struct mirror *m, const struct pg_error *error)
{
	int kind = 0;
	struct mirror_row *row;
	uint32_t sent = 0;

	while (kind < MIRROR_KINDS - 1 && error->query >= m->last_query[kind])
		kind++;
	TAILQ_FOREACH (row, &m->flight[kind], entry)
		sent++;
	if (sent != 1) {
		m->limit[kind] = MAX(MIN(m->limit[kind], sent) / 2, 1);
		return;
	}
	TAILQ_FIRST(&m->flight[kind])->dropped = true;
	m->stats.dropped++;
	log_warning("mirror.dropped", "sqlstate=%s error=\"%s\"", error->sqlstate, error->text);
}

static void widen(struct mirror *m)
{
	for (int kind = 0; kind < MIRROR_KINDS; kind++)
		m->limit[kind] = MIN(m->limit[kind] * 2, MIRROR_ROWS);
}

static void on_written(void *ctx, const struct pg_error *error, PGresult *const *results, int n)
{
	struct mirror *m = ctx;
	uint32_t sent = m->nflight;
	usec_t now = loop_now(m->loop);

	(void)n;
	m->busy = false;
	m->stats.last_flush_ms = (uint32_t)((now - m->sent_at) / USEC_PER_MSEC);
	if (error != NULL) {
		m->gone_sent = false;
		if (error->class == PG_DATA)
			refuse(m, error);
		mirror_landed(m, false);
		if (error->class == PG_DATA)
			mirror_go(m);
		else
			put_off(m, error);
		tell_idle(m);
		return;
	}
	check_gone(m, results);
	mirror_landed(m, true);
	widen(m);
	m->stats.written += sent;
	m->stats.batches++;
	if (all_written(m))
		m->stats.flushed_at = clock_wall();
	if (m->stage != MIRROR_STEADY || m->on_idle != NULL || queued(m) >= MIRROR_ROWS ||
	    !TAILQ_EMPTY(&m->gone))
		mirror_go(m);
	else if (queued(m) > 0)
		mirror_stir(m);
	tell_idle(m);
}

static void send_changes(struct mirror *m)
{
	m->busy = true;
	m->sent_at = loop_now(m->loop);
	mirror_batch(m);
	pg_conn_sync(m->conn, on_written, m);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void on_marked(void *ctx, const struct pg_error *error, PGresult *const *results, int n)
{
	struct mirror *m = ctx;

	(void)results;
	(void)n;
	m->busy = false;
	if (error != NULL) {
		put_off(m, error);
		tell_idle(m);
		return;
	}
	if (m->stage == MIRROR_MARK) {
		m->stage = MIRROR_STEADY;
		m->checked = true;
		log_info("mirror.whole", "epoch=%" PRId64, m->epoch);
		if (all_written(m))
			m->stats.flushed_at = clock_wall();
	}
	mirror_go(m);
	tell_idle(m);
}

static void send_mark(struct mirror *m)
{
	uint8_t bytes[(MIRROR_TOKEN - 1) / 2];

	m->stage = MIRROR_MARK;
	random_bytes(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		(void)snprintf(m->token + 2 * i, 3, "%02x", bytes[i]);
	pg_params_clear(&m->params);
	pg_param_i64(&m->params, m->epoch);
	pg_param_text(&m->params, slice_str(m->token));
	m->busy = true;
	pg_conn_query(m->conn, PG_MARK_WRITE, &m->params);
	pg_conn_sync(m->conn, on_marked, m);
}

static void go_on_walking(struct mirror *m)
{
	if (!m->walked && queued(m) < MIRROR_ROWS) {
		m->walking = true;
		m->walked = m->source.walk == NULL ||
			    !m->source.walk(m->source.ctx, m, &m->cursor, MIRROR_ROWS);
		m->walking = false;
	}
	if (queued(m) > 0 || !TAILQ_EMPTY(&m->gone))
		send_changes(m);
	else if (m->walked)
		send_mark(m);
	else
		arm(m, 0); /* a part of the walk without a row */
}

static void on_wiped(void *ctx, const struct pg_error *error, PGresult *const *results, int n)
{
	struct mirror *m = ctx;
	bool more = false;

	m->busy = false;
	if (error != NULL) {
		put_off(m, error);
		tell_idle(m);
		return;
	}
	for (int i = 0; i < n; i++)
		more = more || affected(results[i]) == MIRROR_ROWS;
	if (!more && m->stage == MIRROR_WIPE) {
		m->stage = MIRROR_WALK;
		m->cursor = 0;
		m->walked = false;
	}
	mirror_go(m);
	tell_idle(m);
}

static void send_wipe(struct mirror *m)
{
	static const enum pg_stmt_id stmts[] = {PG_EPOCH_CONNS_DELETE, PG_EPOCH_MEMBERS_DELETE,
						PG_EPOCH_USERS_DELETE};

	pg_params_clear(&m->params);
	pg_param_i64(&m->params, m->epoch);
	pg_param_i64(&m->params, MIRROR_ROWS);
	m->busy = true;
	for (size_t i = 0; i < ARRAY_LEN(stmts); i++)
		pg_conn_query(m->conn, stmts[i], &m->params);
	pg_conn_sync(m->conn, on_wiped, m);
}

static void begin_wipe(struct mirror *m)
{
	mirror_forget(m);
	if (m->began)
		m->stats.rewrites++;
	m->began = true;
	m->stage = MIRROR_WIPE;
	send_wipe(m);
}

static void on_mark(void *ctx, const struct pg_error *error, PGresult *const *results, int n)
{
	struct mirror *m = ctx;
	const char *token = "";

	m->busy = false;
	if (error != NULL) {
		put_off(m, error);
		return;
	}
	if (n == 1 && PQntuples(results[0]) == 1)
		token = PQgetvalue(results[0], 0, 0);
	if (strlen(token) == MIRROR_TOKEN - 1 && strcmp(token, m->token) == 0) {
		m->checked = true;
	} else if (m->stage == MIRROR_STEADY) {
		log_notice("mirror.emptied", "epoch=%" PRId64, m->epoch);
		m->stage = MIRROR_UNKNOWN;
	}
	mirror_go(m);
	tell_idle(m);
}

static void read_mark(struct mirror *m)
{
	pg_params_clear(&m->params);
	pg_param_i64(&m->params, m->epoch);
	m->busy = true;
	pg_conn_query(m->conn, PG_MARK_READ, &m->params);
	pg_conn_sync(m->conn, on_mark, m);
}

void mirror_go(struct mirror *m)
{
	if (m->busy || !pg_conn_ready(m->conn))
		return;
	switch (m->stage) {
	case MIRROR_UNKNOWN:
		begin_wipe(m);
		return;
	case MIRROR_WIPE:
		send_wipe(m);
		return;
	case MIRROR_WALK:
		go_on_walking(m);
		return;
	case MIRROR_MARK:
		send_mark(m);
		return;
	case MIRROR_STEADY:
		if (!m->checked)
			read_mark(m);
		else if (queued(m) > 0 || !TAILQ_EMPTY(&m->gone))
			send_changes(m);
		return;
	}
}

/* ---- events ---------------------------------------------------------------------------------- */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct mirror *m = arg;

	(void)fd;
	(void)what;
	m->timed = false;
	mirror_go(m);
}

static void on_ready(void *ctx)
{
	struct mirror *m = ctx;

	/* nothing but last seen is written: there is nothing to check */
	m->checked = m->scope == MIRROR_OFF;
	if (m->stage != MIRROR_STEADY)
		m->stage = MIRROR_UNKNOWN;
	mirror_go(m);
}

static void on_lost(void *ctx, const struct pg_error *error)
{
	struct mirror *m = ctx;

	(void)error;
	m->checked = false;
	tell_idle(m);
}

const struct pg_conn_ops mirror_conn_ops = {.on_ready = on_ready, .on_lost = on_lost};

void mirror_timer_init(struct mirror *m)
{
	if (event_assign(&m->timer, loop_base(m->loop), -1, 0, on_timer, m) != 0)
		die("mirror: event_assign");
}

void mirror_begin(struct mirror *m, int64_t epoch)
{
	if (m->conn == NULL)
		return;
	m->epoch = epoch;
	if (m->scope == MIRROR_OFF)
		m->stage = MIRROR_STEADY;
	pg_conn_open(m->conn);
}

void mirror_finish(struct mirror *m, void (*on_idle)(void *ctx), void *ctx)
{
	m->on_idle = on_idle;
	m->idle_ctx = ctx;
	if (m->conn == NULL)
		return;
	mirror_go(m);
	tell_idle(m);
}
