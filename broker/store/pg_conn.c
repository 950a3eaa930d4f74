#include "broker/store/pg_conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "broker/store/pg_conn_internal.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/crypto/random.h"
#include "common/log/log.h"
#include "common/loop/loop.h"

/* A failure that lasts is logged once a minute. */
#define LOG_EVERY (60 * USEC_PER_SEC)

void pg_arm(struct pg_conn *c, usec_t in)
{
	struct timeval tv = loop_timeval(in);

	if (event_add(&c->timer, &tv) != 0)
		die("pg_conn: event_add");
}

/* ---- loss ------------------------------------------------------------------------------------ */

static void note_loss(struct pg_conn *c, const struct pg_error *error)
{
	usec_t now = loop_now(c->loop);

	(void)snprintf(c->fault, sizeof(c->fault), "%s", error->text);
	c->since = now;
	if (c->logged_at != 0 && now - c->logged_at < LOG_EVERY)
		return;
	c->logged_at = now;
	log_warning("database.away", "connection=%s sqlstate=%s error=\"%s\"",
		    pg_conn_role_name(c->options.role), error->sqlstate, error->text);
}

static void end_batch(struct pg_batch *b, const struct pg_error *error)
{
	b->done(b->ctx, error, b->results, error == NULL ? b->got : 0);
	for (int i = 0; i < b->got; i++)
		PQclear(b->results[i]);
	free(b);
}

static void drop_socket(struct pg_conn *c)
{
	pg_unwatch(c);
	event_del(&c->timer);
	if (c->pg != NULL)
		PQfinish(c->pg);
	c->pg = NULL;
	c->state = PG_CONN_DOWN;
	c->send_failed = false;
	c->turn++;
}

/* The batches that were under way, taken off first because their owners may begin new ones. */
static void tell_lost(struct pg_conn *c, const struct pg_error *error)
{
	struct pg_batches lost = TAILQ_HEAD_INITIALIZER(lost);
	struct pg_error lost_error = *error;
	struct pg_batch *b;

	TAILQ_CONCAT(&lost, &c->flight, entry);
	c->nflight = 0;
	if (c->open != NULL)
		die("pg_conn: lost inside a batch that was being made");
	lost_error.class = PG_LOST;
	lost_error.query = 0;
	while ((b = TAILQ_FIRST(&lost)) != NULL) {
		TAILQ_REMOVE(&lost, b, entry);
		end_batch(b, &lost_error);
	}
}

void pg_lose(struct pg_conn *c, const struct pg_error *why)
{
	struct pg_error error = *why;
	usec_t pause = c->pause;

	drop_socket(c);
	c->pause = MIN(c->pause * 2, PG_CONN_PAUSE_MAX);
	if (error.class == PG_CONFIG || error.class == PG_DATA)
		pause = PG_CONN_PAUSE_MAX;
	note_loss(c, &error);
	pg_arm(c, pause / 2 + random_below((uint32_t)pause));
	tell_lost(c, &error);
	if (c->state == PG_CONN_DOWN)
		c->ops->on_lost(c->ctx, &error);
}

void pg_lose_text(struct pg_conn *c, const char *text)
{
	struct pg_error error = {.query = 0};

	pg_error_set(&error, NULL, text);
	pg_lose(c, &error);
}

/* ---- siblings ---------------------------------------------------------------------------------
 */

void pg_conn_join(struct pg_conn *a, struct pg_conn *b)
{
	struct pg_conn *next = a->sibling;

	a->sibling = b->sibling;
	b->sibling = next;
}

static void leave_siblings(struct pg_conn *c)
{
	struct pg_conn *before = c;

	while (before->sibling != c)
		before = before->sibling;
	before->sibling = c->sibling;
	c->sibling = c;
}

void pg_hurry_siblings(const struct pg_conn *c)
{
	for (struct pg_conn *s = c->sibling; s != c; s = s->sibling) {
		if (s->state != PG_CONN_DOWN)
			continue;
		s->pause = PG_CONN_PAUSE_MIN;
		pg_arm(s, 0);
	}
}

/* ---- results --------------------------------------------------------------------------------- */

static void take_notifications(struct pg_conn *c)
{
	uint64_t turn = c->turn;
	PGnotify *n;

	while (turn == c->turn && (n = PQnotifies(c->pg)) != NULL) {
		if (c->ops->on_notify != NULL)
			c->ops->on_notify(c->ctx, slice_str(n->relname), slice_str(n->extra));
		PQfreemem(n);
	}
}

static void fail_batch(struct pg_batch *b, const PGresult *r)
{
	if (b->failed)
		return;
	b->failed = true;
	pg_error_set(&b->error, PQresultErrorField(r, PG_DIAG_SQLSTATE),
		     PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY));
	if (b->error.text[0] == '\0')
		pg_error_set(&b->error, PQresultErrorField(r, PG_DIAG_SQLSTATE),
			     PQresultErrorMessage(r));
	b->error.query = b->got;
}

/* The server has answered a sync: the transaction stands or is undone. */
static void finish_batch(struct pg_conn *c)
{
	struct pg_batch *b = TAILQ_FIRST(&c->flight);

	TAILQ_REMOVE(&c->flight, b, entry);
	c->nflight--;
	if (b->failed) {
		struct pg_error error = b->error;

		if (error.class == PG_LOST) {
			TAILQ_INSERT_HEAD(&c->flight, b, entry);
			c->nflight++;
			pg_lose(c, &error);
			return;
		}
		end_batch(b, &error);
		return;
	}
	if (!b->setup)
		c->pause = PG_CONN_PAUSE_MIN;
	end_batch(b, NULL);
}

static void take_result(struct pg_conn *c, PGresult *r)
{
	struct pg_batch *b = TAILQ_FIRST(&c->flight);

	if (b == NULL)
		die("pg_conn: a result that nobody asked for");
	c->progress = loop_now(c->loop);
	switch (PQresultStatus(r)) {
	case PGRES_PIPELINE_SYNC:
		PQclear(r);
		finish_batch(c);
		return;
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
		if (b->got == b->n)
			die("pg_conn: a batch has more results than statements");
		b->results[b->got++] = r;
		break;
	case PGRES_PIPELINE_ABORTED:
		PQclear(r);
		break;
	case PGRES_FATAL_ERROR:
	case PGRES_BAD_RESPONSE:
	case PGRES_NONFATAL_ERROR:
	case PGRES_EMPTY_QUERY:
	case PGRES_COPY_OUT:
	case PGRES_COPY_IN:
	case PGRES_COPY_BOTH:
	case PGRES_SINGLE_TUPLE:
	default:
		fail_batch(b, r);
		PQclear(r);
		break;
	}
	c->in_query = true;
}

static void read_results(struct pg_conn *c)
{
	uint64_t turn = c->turn;

	/* NULL ends one query; a second one in a row means that nothing more is there */
	while (turn == c->turn && !TAILQ_EMPTY(&c->flight) && PQisBusy(c->pg) == 0) {
		PGresult *r = PQgetResult(c->pg);

		if (r != NULL) {
			take_result(c, r);
			continue;
		}
		if (!c->in_query)
			return;
		c->in_query = false;
	}
}

static void flush(struct pg_conn *c)
{
	int r = PQflush(c->pg);

	if (r > 0)
		pg_want_write(c);
	else if (r == 0)
		event_del(&c->writable);
	/* r < 0 shows when the socket is read: what the server said last stands there */
}

static void consume(struct pg_conn *c)
{
	uint64_t turn = c->turn;

	if (PQconsumeInput(c->pg) == 0) {
		/* results that came before the end are still there, and tell why */
		read_results(c);
		if (turn == c->turn)
			pg_lose_text(c, PQerrorMessage(c->pg));
		return;
	}
	take_notifications(c);
	if (turn == c->turn)
		read_results(c);
	if (turn == c->turn && PQstatus(c->pg) == CONNECTION_BAD)
		pg_lose_text(c, PQerrorMessage(c->pg));
	else if (turn == c->turn)
		flush(c);
}

/* ---- events ---------------------------------------------------------------------------------- */

void pg_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct pg_conn *c = arg;

	(void)fd;
	(void)what;
	if (c->state == PG_CONN_CONNECTING)
		pg_connect_poll(c);
	else
		consume(c);
}

void pg_on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct pg_conn *c = arg;

	(void)fd;
	(void)what;
	if (c->state == PG_CONN_CONNECTING)
		pg_connect_poll(c);
	else
		consume(c); /* before PQflush, or both sides may stand with full buffers */
}

/* Pause, connect timeout and watchdog: each state has one. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct pg_conn *c = arg;
	const struct pg_batch *oldest = TAILQ_FIRST(&c->flight);

	(void)fd;
	(void)what;
	switch (c->state) {
	case PG_CONN_DOWN:
		pg_connect_start(c);
		return;
	case PG_CONN_CONNECTING:
	case PG_CONN_SETUP:
		pg_lose_text(c,
			     c->send_failed ? PQerrorMessage(c->pg) : "timeout while connecting");
		return;
	case PG_CONN_READY:
		if (c->send_failed) {
			pg_lose_text(c, PQerrorMessage(c->pg));
			return;
		}
		if (oldest != NULL && loop_now(c->loop) - oldest->sent > PG_CONN_ANSWER_TIMEOUT) {
			pg_lose_text(c, "no answer for too long");
			return;
		}
		pg_arm(c, PG_CONN_WATCH);
		return;
	case PG_CONN_CLOSED:
		return;
	}
}

/* ---- interface ------------------------------------------------------------------------------- */

struct pg_conn *pg_conn_new(struct loop *loop, const struct pg_conn_options *options,
			    const struct pg_conn_ops *ops, void *ctx)
{
	struct pg_conn *c = NEW(struct pg_conn);

	c->loop = loop;
	c->options = *options;
	c->ops = ops;
	c->ctx = ctx;
	c->state = PG_CONN_CLOSED;
	c->pause = PG_CONN_PAUSE_MIN;
	c->sibling = c;
	TAILQ_INIT(&c->flight);
	if (event_assign(&c->timer, loop_base(loop), -1, 0, on_timer, c) != 0)
		die("pg_conn: event_assign");
	(void)snprintf(c->fault, sizeof(c->fault), "not connected yet");
	return c;
}

void pg_conn_free(struct pg_conn *c)
{
	struct pg_batch *b;

	if (c == NULL)
		return;
	leave_siblings(c);
	drop_socket(c);
	while ((b = TAILQ_FIRST(&c->flight)) != NULL) {
		TAILQ_REMOVE(&c->flight, b, entry);
		for (int i = 0; i < b->got; i++)
			PQclear(b->results[i]);
		free(b);
	}
	free(c->open);
	free(c);
}

void pg_conn_open(struct pg_conn *c)
{
	if (c->state != PG_CONN_CLOSED)
		return;
	c->state = PG_CONN_DOWN;
	pg_arm(c, 0);
}

void pg_conn_close(struct pg_conn *c)
{
	struct pg_error error = {.query = 0};

	if (c->state == PG_CONN_CLOSED)
		return;
	drop_socket(c);
	c->state = PG_CONN_CLOSED;
	(void)snprintf(c->fault, sizeof(c->fault), "closed");
	c->since = loop_now(c->loop);
	pg_error_set(&error, NULL, "closed");
	tell_lost(c, &error);
}

bool pg_conn_ready(const struct pg_conn *c)
{
	return c->state == PG_CONN_READY && !c->send_failed;
}

static struct pg_batch *open_batch(struct pg_conn *c)
{
	if (c->state != PG_CONN_READY && c->state != PG_CONN_SETUP)
		die("pg_conn: a batch on a connection that is not ready");
	if (c->open == NULL)
		c->open = NEW(struct pg_batch);
	if (c->open->n == PG_BATCH_MAX)
		die("pg_conn: a batch of more than %d statements", PG_BATCH_MAX);
	c->open->n++;
	return c->open;
}

void pg_conn_query(struct pg_conn *c, enum pg_stmt_id stmt, struct pg_params *params)
{
	const struct pg_stmt *s = &c->options.stmts->v[stmt];

	(void)open_batch(c);
	if ((s->roles & 1U << c->options.role) == 0 || pg_stmt_params(s) != params->n)
		die("pg_conn: statement %s is not for this", s->name);
	pg_params_ready(params);
	if (PQsendQueryPrepared(c->pg, s->name, params->n, params->values, params->lengths,
				params->formats, 1) == 0)
		c->send_failed = true;
}

void pg_conn_text(struct pg_conn *c, const char *text)
{
	(void)open_batch(c);
	if (PQsendQueryParams(c->pg, text, 0, NULL, NULL, NULL, NULL, 1) == 0)
		c->send_failed = true;
}

void pg_conn_sync(struct pg_conn *c, pg_done_fn done, void *ctx)
{
	struct pg_batch *b = c->open;

	if (b == NULL)
		die("pg_conn: a sync without a statement");
	c->open = NULL;
	b->done = done;
	b->ctx = ctx;
	b->sent = loop_now(c->loop);
	TAILQ_INSERT_TAIL(&c->flight, b, entry);
	c->nflight++;
	if (PQpipelineSync(c->pg) == 0)
		c->send_failed = true;
	if (c->send_failed)
		pg_arm(c, 0);
	else
		flush(c);
}

uint32_t pg_conn_flight(const struct pg_conn *c)
{
	return c->nflight;
}

const char *pg_conn_role_name(enum pg_role role)
{
	static const char *const names[PG_ROLES] = {
		[PG_ROLE_CONTROL] = "control",	   [PG_ROLE_MIRROR] = "mirror",
		[PG_ROLE_MESSAGES0] = "messages0", [PG_ROLE_MESSAGES1] = "messages1",
		[PG_ROLE_LOOKUPS] = "lookups",	   [PG_ROLE_OUTBOX] = "outbox",
	};

	return names[role];
}

const char *pg_conn_fault(const struct pg_conn *c)
{
	return c->fault;
}

uint64_t pg_conn_connects(const struct pg_conn *c)
{
	return c->connects;
}

usec_t pg_conn_since(const struct pg_conn *c)
{
	return c->since;
}
