#include "broker/store/pg_outbox.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "broker/store/pg_row.h"
#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/loop/loop.h"

#define TAKE_ROWS 1000
#define TAKE_BYTES (4 << 20)
#define LOCK_RETRY USEC_PER_SEC
#define FAULT_RETRY USEC_PER_SEC
/* Between looks: asleep in case a notification was missed, awake under load. */
#define POLL_ASLEEP (USEC_PER_SEC / 4)
#define POLL_AWAKE (USEC_PER_SEC / 100)
/* Events a second from which it looks by itself, and below which it sleeps again. */
#define BUSY_RATE 1000
#define QUIET_RATE 300
/*
 * Rows up to the lower bound were taken long ago; their dead entries need not be walked through
 * each time. A transaction that stayed open for so long is found by the full look.
 */
#define FULL_LOOK_EVERY (60 * USEC_PER_SEC)

enum outbox_step {
	OUTBOX_IDLE,  /* nothing is under way */
	OUTBOX_BUSY,  /* a statement is */
	OUTBOX_GIVEN, /* a transaction is open, its events have been handed up */
};

struct pg_outbox {
	struct loop *loop;
	const struct pg_outbox_ops *ops;
	void *ctx;
	struct pg_conn *conn;
	struct pg_params params;
	struct event timer;
	struct event stopped_ev;
	enum outbox_step step;
	bool allowed;
	bool locked; /* this session drains the outbox */
	bool told;   /* the flag in the table says what `awake` does */
	bool awake;  /* looks by itself */
	bool woken;  /* something came while it was busy */
	bool stopping;
	bool owed;     /* events were handed up and are not done yet */
	usec_t second; /* of the rate */
	uint64_t in_second;
	int64_t low;		 /* looks above it */
	int64_t low_next;	 /* what had been taken at the last full look */
	int64_t highest;	 /* taken by this session */
	usec_t full_look;	 /* when the last one was */
	uint64_t ids[TAKE_ROWS]; /* handed up in this life, and not yet committed */
	size_t nids;
	uint64_t taken;
};

static void go(struct pg_outbox *o);
static void finish(struct pg_outbox *o);

static void arm(struct pg_outbox *o, usec_t in)
{
	struct timeval tv = loop_timeval(in);

	if (event_add(&o->timer, &tv) != 0)
		die("pg_outbox: event_add");
}

static void on_rolled_back(void *ctx, const struct pg_error *error, PGresult *const *results, int n)
{
	struct pg_outbox *o = ctx;

	(void)results;
	(void)n;
	o->step = OUTBOX_IDLE;
	if (o->stopping)
		finish(o);
	else if (error == NULL || error->class != PG_LOST)
		arm(o, FAULT_RETRY);
}

static void roll_back(struct pg_outbox *o)
{
	o->step = OUTBOX_BUSY;
	pg_conn_text(o->conn, "ROLLBACK");
	pg_conn_sync(o->conn, on_rolled_back, o);
}

static bool failed(struct pg_outbox *o, const struct pg_error *error)
{
	if (error == NULL)
		return false;
	if (error->class == PG_LOST)
		return true; /* on_lost() */
	log_err("outbox.failed", "sqlstate=%s error=\"%s\"", error->sqlstate, error->text);
	roll_back(o);
	return true;
}

/* ---- rate -------------------------------------------------------------------------------------
 */

static void count(struct pg_outbox *o, size_t n)
{
	usec_t now = loop_now(o->loop);
	bool awake = o->awake;

	o->in_second += n;
	if (o->in_second >= BUSY_RATE)
		awake = true;
	if (now - o->second >= USEC_PER_SEC) {
		if (o->in_second < QUIET_RATE)
			awake = false;
		o->second = now;
		o->in_second = 0;
	}
	if (awake != o->awake)
		o->told = false;
	o->awake = awake;
}

static void on_told(void *ctx, const struct pg_error *error, PGresult *const *results, int n)
{
	struct pg_outbox *o = ctx;

	(void)results;
	(void)n;
	if (failed(o, error))
		return;
	o->step = OUTBOX_IDLE;
	o->told = true;
	o->woken = true; /* who published before the flag stood has notified nobody */
	go(o);
}

static void tell(struct pg_outbox *o)
{
	pg_params_clear(&o->params);
	pg_param_bool(&o->params, !o->awake);
	o->step = OUTBOX_BUSY;
	pg_conn_query(o->conn, PG_OUTBOX_WAKE, &o->params);
	pg_conn_sync(o->conn, on_told, o);
}

/* ---- taking -----------------------------------------------------------------------------------
 */

static void on_committed(void *ctx, const struct pg_error *error, PGresult *const *results, int n)
{
	struct pg_outbox *o = ctx;

	(void)results;
	(void)n;
	if (failed(o, error))
		return;
	o->step = OUTBOX_IDLE;
	o->woken = o->woken || o->nids > 0;
	o->nids = 0;
	go(o);
}

static void commit(struct pg_outbox *o)
{
	o->step = OUTBOX_BUSY;
	pg_conn_text(o->conn, "COMMIT");
	pg_conn_sync(o->conn, on_committed, o);
}

/* Handed up before the connection went, and not to be handed up again. */
static bool had(const struct pg_outbox *o, uint64_t id)
{
	for (size_t i = 0; i < o->nids; i++)
		if (o->ids[i] == id)
			return true;
	return false;
}

/* Those that are new; all of them are remembered until they are committed. */
static size_t read_events(struct pg_outbox *o, struct pg_rows *rows, struct store_event *events)
{
	uint64_t ids[TAKE_ROWS] = {0};
	size_t nids = 0;
	size_t n = 0;

	for (int i = 0; i < rows->n && nids < TAKE_ROWS; i++) {
		struct store_event *e = &events[n];

		if (!pg_rows_read(rows, i, e))
			die("pg_outbox: a column has another type than it was asked for");
		ids[nids++] = e->id;
		o->highest = MAX(o->highest, (int64_t)e->id);
		if (!had(o, e->id))
			n++;
	}
	memcpy(o->ids, ids, nids * sizeof(ids[0]));
	o->nids = nids;
	return n;
}

static void on_taken(void *ctx, const struct pg_error *error, PGresult *const *results, int n)
{
	static const struct pg_field fields[] = {
		PG_FIELD("id", PG_READ_U64, struct store_event, id),
		PG_FIELD("app_id", PG_READ_TEXT, struct store_event, app),
		PG_FIELD("channel", PG_READ_TEXT, struct store_event, channel),
		PG_FIELD("event", PG_READ_TEXT, struct store_event, event),
		PG_FIELD("payload", PG_READ_TEXT, struct store_event, payload),
		PG_FIELD("socket_id", PG_READ_TEXT, struct store_event, socket_id),
	};
	struct pg_outbox *o = ctx;
	struct store_event *events;
	struct pg_rows rows;
	size_t taken;

	if (failed(o, error))
		return;
	if (!o->allowed || o->stopping) {
		roll_back(o);
		return;
	}
	pg_rows_init(&rows, results[n - 1], fields, ARRAY_LEN(fields));
	events = mem_calloc(TAKE_ROWS, sizeof(*events));
	taken = read_events(o, &rows, events);
	if (taken == 0) {
		commit(o); /* of nothing, or of what has been passed on already */
	} else {
		o->taken += taken;
		count(o, taken);
		o->step = OUTBOX_GIVEN;
		o->owed = true;
		o->ops->on_events(o->ctx, events, taken);
	}
	free(events);
	pg_rows_done(&rows);
}

static void take(struct pg_outbox *o)
{
	usec_t now = loop_now(o->loop);
	int64_t low = o->low;

	if (now - o->full_look >= FULL_LOOK_EVERY) {
		o->full_look = now;
		o->low = o->low_next;
		o->low_next = o->highest;
		low = 0;
	}
	o->woken = false;
	o->step = OUTBOX_BUSY;
	pg_params_clear(&o->params);
	pg_param_i64(&o->params, low);
	pg_param_i64(&o->params, TAKE_ROWS);
	pg_param_i64(&o->params, TAKE_BYTES);
	pg_conn_text(o->conn, "BEGIN");
	pg_conn_query(o->conn, PG_OUTBOX_TAKE, &o->params);
	pg_conn_sync(o->conn, on_taken, o);
}

/* ---- steps ------------------------------------------------------------------------------------
 */

static void on_locked(void *ctx, const struct pg_error *error, PGresult *const *results, int n)
{
	struct pg_outbox *o = ctx;

	if (failed(o, error))
		return;
	o->step = OUTBOX_IDLE;
	if (n != 1 || !pg_single_bool(results[0], "got", &o->locked))
		die("pg_outbox: the lock gave no answer");
	if (o->locked)
		go(o);
	else
		arm(o, LOCK_RETRY);
}

static void take_lock(struct pg_outbox *o)
{
	pg_params_clear(&o->params);
	o->step = OUTBOX_BUSY;
	pg_conn_query(o->conn, PG_OUTBOX_LOCK, &o->params);
	pg_conn_sync(o->conn, on_locked, o);
}

static void finish(struct pg_outbox *o)
{
	if (o->step == OUTBOX_IDLE)
		event_active(&o->stopped_ev, 0, 0);
}

/* The next thing to do; what `woken` says is looked for at once, else when the time has come. */
static void go(struct pg_outbox *o)
{
	if (o->stopping) {
		finish(o);
		return;
	}
	if (o->step != OUTBOX_IDLE || o->owed || !o->allowed || !pg_conn_ready(o->conn))
		return;
	if (!o->locked) {
		take_lock(o);
	} else if (!o->told) {
		tell(o);
	} else if (o->woken) {
		take(o);
	} else {
		count(o, 0);
		if (!o->told)
			tell(o);
		else
			arm(o, o->awake ? POLL_AWAKE : POLL_ASLEEP);
	}
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct pg_outbox *o = arg;

	(void)fd;
	(void)what;
	o->woken = true;
	go(o);
}

static void on_ready(void *ctx)
{
	struct pg_outbox *o = ctx;

	o->step = OUTBOX_IDLE;
	o->locked = false;
	o->told = false;
	o->woken = true;
	o->low = o->low_next = o->highest = 0; /* what was not committed is there again */
	go(o);
}

static void on_lost(void *ctx, const struct pg_error *error)
{
	struct pg_outbox *o = ctx;

	(void)error;
	o->step = OUTBOX_IDLE;
	o->locked = false;
	event_del(&o->timer);
	if (o->stopping)
		finish(o);
}

static void on_stopped(evutil_socket_t fd, short what, void *arg)
{
	struct pg_outbox *o = arg;

	(void)fd;
	(void)what;
	o->ops->on_stopped(o->ctx);
}

/* ---- interface --------------------------------------------------------------------------------
 */

void pg_outbox_done(struct pg_outbox *o)
{
	if (!o->owed)
		return;
	o->owed = false;
	if (o->step == OUTBOX_GIVEN && pg_conn_ready(o->conn))
		commit(o);
	else
		go(o); /* the connection went meanwhile: they come again and are told apart by id */
}

void pg_outbox_wake(struct pg_outbox *o)
{
	o->woken = true;
	go(o);
}

void pg_outbox_allow(struct pg_outbox *o, bool allow)
{
	o->allowed = allow;
	go(o);
}

void pg_outbox_stop(struct pg_outbox *o)
{
	o->stopping = true;
	event_del(&o->timer);
	finish(o);
}

void pg_outbox_open(struct pg_outbox *o)
{
	pg_conn_open(o->conn);
}

void pg_outbox_close(struct pg_outbox *o)
{
	pg_conn_close(o->conn);
}

struct pg_outbox *pg_outbox_new(struct loop *loop, const struct store_options *options,
				const struct pg_stmts *stmts, const struct pg_outbox_ops *ops,
				void *ctx)
{
	static const struct pg_conn_ops conn_ops = {.on_ready = on_ready, .on_lost = on_lost};
	const struct pg_conn_options conn = {
		.conninfo = options->conninfo,
		.password_file = options->password_file,
		.node = options->node,
		/* a crash of PostgreSQL may bring events again, never lose one */
		.settings = "-c synchronous_commit=off -c statement_timeout=5s -c "
			    "lock_timeout=2s " PG_PLAN_BY_INDEX,
		.stmts = stmts,
		.role = PG_ROLE_OUTBOX,
	};
	struct pg_outbox *o = NEW(struct pg_outbox);

	o->loop = loop;
	o->ops = ops;
	o->ctx = ctx;
	pg_params_init(&o->params);
	if (event_assign(&o->timer, loop_base(loop), -1, 0, on_timer, o) != 0 ||
	    event_assign(&o->stopped_ev, loop_base(loop), -1, 0, on_stopped, o) != 0)
		die("pg_outbox: event_assign");
	o->conn = pg_conn_new(loop, &conn, &conn_ops, o);
	return o;
}

void pg_outbox_free(struct pg_outbox *o)
{
	if (o == NULL)
		return;
	pg_conn_free(o->conn);
	event_del(&o->timer);
	event_del(&o->stopped_ev);
	pg_params_done(&o->params);
	free(o);
}

struct pg_conn *pg_outbox_conn(const struct pg_outbox *o)
{
	return o->conn;
}

uint64_t pg_outbox_taken(const struct pg_outbox *o)
{
	return o->taken;
}
