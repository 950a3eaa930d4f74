#include "broker/store/pg_conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "broker/store/pg_conn_internal.h"
#include "broker/store/pg_conninfo.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/crypto/random.h"
#include "common/log/log.h"
#include "common/loop/loop.h"

/* A failure that lasts is logged once a minute. */
#define LOG_EVERY (60 * USEC_PER_SEC)

#define COMMON_SETTINGS \
	"-c TimeZone=UTC -c random_page_cost=1.1 -c jit=off -c " \
	"idle_in_transaction_session_timeout=60s"

static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_writable(evutil_socket_t fd, short what, void *arg);

static void arm(struct pg_conn *c, usec_t in)
{
	struct timeval tv = loop_timeval(in);

	if (event_add(&c->timer, &tv) != 0)
		die("pg_conn: event_add");
}

/* ---- sockets -----------------------------------------------------------------------------------
 */

static void unwatch(struct pg_conn *c)
{
	if (!c->watched)
		return;
	event_del(&c->readable);
	event_del(&c->writable);
	c->watched = false;
}

/* libpq may have changed its socket since the last time: both events are made anew. */
static void watch(struct pg_conn *c)
{
	int fd = PQsocket(c->pg);

	unwatch(c);
	if (event_assign(&c->readable, loop_base(c->loop), fd, EV_READ | EV_PERSIST, on_readable,
			 c) != 0 ||
	    event_assign(&c->writable, loop_base(c->loop), fd, EV_WRITE, on_writable, c) != 0)
		die("pg_conn: event_assign");
	c->watched = true;
}

static void want_read(struct pg_conn *c)
{
	if (event_add(&c->readable, NULL) != 0)
		die("pg_conn: event_add");
}

static void want_write(struct pg_conn *c)
{
	if (event_add(&c->writable, NULL) != 0)
		die("pg_conn: event_add");
}

/* ---- loss --------------------------------------------------------------------------------------
 */

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
	unwatch(c);
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

static void lose(struct pg_conn *c, const struct pg_error *why)
{
	struct pg_error error = *why;
	usec_t pause = c->pause;

	drop_socket(c);
	c->pause = MIN(c->pause * 2, PG_CONN_PAUSE_MAX);
	if (error.class == PG_CONFIG || error.class == PG_DATA)
		pause = PG_CONN_PAUSE_MAX;
	note_loss(c, &error);
	arm(c, pause / 2 + random_below((uint32_t)pause));
	tell_lost(c, &error);
	if (c->state == PG_CONN_DOWN)
		c->ops->on_lost(c->ctx, &error);
}

static void lose_text(struct pg_conn *c, const char *text)
{
	struct pg_error error = {.query = 0};

	pg_error_set(&error, NULL, text);
	lose(c, &error);
}

/* ---- results -----------------------------------------------------------------------------------
 */

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
			lose(c, &error);
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
		want_write(c);
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
			lose_text(c, PQerrorMessage(c->pg));
		return;
	}
	take_notifications(c);
	if (turn == c->turn)
		read_results(c);
	if (turn == c->turn && PQstatus(c->pg) == CONNECTION_BAD)
		lose_text(c, PQerrorMessage(c->pg));
	else if (turn == c->turn)
		flush(c);
}

/* ---- connecting --------------------------------------------------------------------------------
 */

static void on_notice(void *arg, const PGresult *r)
{
	struct pg_conn *c = arg;

	log_info("database.notice", "connection=%s sqlstate=%s text=\"%s\"",
		 pg_conn_role_name(c->options.role),
		 PQresultErrorField(r, PG_DIAG_SQLSTATE) != NULL
			 ? PQresultErrorField(r, PG_DIAG_SQLSTATE)
			 : "",
		 PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) != NULL
			 ? PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY)
			 : "");
}

static void on_setup(void *ctx, const struct pg_error *error, PGresult *const *results, int n)
{
	struct pg_conn *c = ctx;
	struct pg_error fault;

	if (error != NULL && error->class == PG_LOST)
		return; /* lose() is at work already */
	if (error != NULL) {
		fault = *error;
		pg_setup_name_fault(c, &fault);
	} else if (pg_setup_check(c, results, n, &fault)) {
		c->state = PG_CONN_READY;
		c->connects++;
		c->since = loop_now(c->loop);
		c->fault[0] = '\0';
		c->logged_at = 0;
		arm(c, PG_CONN_ANSWER_TIMEOUT / 4);
		log_info("database.connected", "connection=%s server=%d",
			 pg_conn_role_name(c->options.role), PQserverVersion(c->pg));
		c->ops->on_ready(c->ctx);
		return;
	}
	lose(c, &fault);
}

static void connected(struct pg_conn *c)
{
	if (PQsetnonblocking(c->pg, 1) != 0 || PQenterPipelineMode(c->pg) != 1) {
		lose_text(c, PQerrorMessage(c->pg));
		return;
	}
	watch(c);
	want_read(c);
	c->state = PG_CONN_SETUP;
	c->in_query = false;
	pg_setup_send(c);
	c->open->setup = true;
	pg_conn_sync(c, on_setup, c);
}

static void poll_connect(struct pg_conn *c)
{
	switch (PQconnectPoll(c->pg)) {
	case PGRES_POLLING_OK:
		connected(c);
		return;
	case PGRES_POLLING_READING:
		watch(c);
		want_read(c);
		return;
	case PGRES_POLLING_WRITING:
		watch(c);
		want_write(c);
		return;
	case PGRES_POLLING_FAILED:
	case PGRES_POLLING_ACTIVE:
	default:
		lose_text(c, PQerrorMessage(c->pg));
		return;
	}
}

static void start(struct pg_conn *c)
{
	char name[128];
	char settings[512];
	char fault[PG_ERROR_TEXT] = "";

	(void)snprintf(name, sizeof(name), "chat-broker/%s/%s", c->options.node,
		       pg_conn_role_name(c->options.role));
	(void)snprintf(settings, sizeof(settings), COMMON_SETTINGS " %s",
		       c->options.settings != NULL ? c->options.settings : "");
	c->state = PG_CONN_CONNECTING;
	c->pg = pg_conninfo_start(c->options.conninfo, c->options.password_file, name, settings,
				  fault, sizeof(fault));
	if (c->pg == NULL) {
		lose_text(c, fault);
		return;
	}
	PQsetNoticeReceiver(c->pg, on_notice, c);
	if (PQstatus(c->pg) == CONNECTION_BAD) {
		lose_text(c, PQerrorMessage(c->pg));
		return;
	}
	arm(c, PG_CONN_CONNECT_TIMEOUT);
	watch(c);
	want_write(c);
}

/* ---- events ------------------------------------------------------------------------------------
 */

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct pg_conn *c = arg;

	(void)fd;
	(void)what;
	if (c->state == PG_CONN_CONNECTING)
		poll_connect(c);
	else
		consume(c);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct pg_conn *c = arg;

	(void)fd;
	(void)what;
	if (c->state == PG_CONN_CONNECTING)
		poll_connect(c);
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
		start(c);
		return;
	case PG_CONN_CONNECTING:
	case PG_CONN_SETUP:
		lose_text(c, c->send_failed ? PQerrorMessage(c->pg) : "timeout while connecting");
		return;
	case PG_CONN_READY:
		if (c->send_failed) {
			lose_text(c, PQerrorMessage(c->pg));
			return;
		}
		if (oldest != NULL && loop_now(c->loop) - oldest->sent > PG_CONN_ANSWER_TIMEOUT) {
			lose_text(c, "no answer for too long");
			return;
		}
		arm(c, PG_CONN_ANSWER_TIMEOUT / 4);
		return;
	case PG_CONN_CLOSED:
		return;
	}
}

/* ---- interface ---------------------------------------------------------------------------------
 */

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
	arm(c, 0);
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
		arm(c, 0);
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
