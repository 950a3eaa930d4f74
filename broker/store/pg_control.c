#include "broker/store/pg_control.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "broker/store/pg_row.h"
#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/loop/loop.h"

#define HEARTBEAT (5 * USEC_PER_SEC)
#define GUARD_RETRY (USEC_PER_SEC / 4)
#define FAULT_RETRY (2 * USEC_PER_SEC)
#define GUARD_GRACE (30 * USEC_PER_SEC)

struct pg_control {
	struct loop *loop;
	const struct store_options *options;
	const struct pg_control_ops *ops;
	void *ctx;
	struct pg_conn *conn;
	struct pg_params params;
	struct event step; /* the next try of what did not work */
	struct event beat;
	struct event stopped;
	enum store_state state;
	bool answered; /* on_first_answer() was called */
	bool version_ok;
	bool guard;	   /* this session holds the lock */
	bool over;	   /* taken over, or stopping: nothing more is tried */
	usec_t held_since; /* since when somebody else has the lock; 0 = nobody has */
	int64_t epoch;
	char fault[PG_ERROR_TEXT + 64];
};

static void step(struct pg_control *k);

static void retry_in(struct pg_control *k, usec_t in)
{
	struct timeval tv = loop_timeval(in);

	if (event_add(&k->step, &tv) != 0)
		die("pg_control: event_add");
}

static void answer(struct pg_control *k, const char *refusal)
{
	if (!k->answered)
		k->ops->on_first_answer(k->ctx, refusal);
	k->answered = true;
}

static void set_state(struct pg_control *k, enum store_state state, const char *fault)
{
	bool changed = k->state != state;

	k->state = state;
	(void)snprintf(k->fault, sizeof(k->fault), "%s", fault);
	if (changed)
		k->ops->on_state(k->ctx);
	answer(k, NULL);
}

static void take_over(struct pg_control *k, const char *why)
{
	if (k->over)
		return;
	k->over = true;
	event_del(&k->step);
	event_del(&k->beat);
	log_err("database.taken_over", "epoch=%" PRId64 " reason=%s", k->epoch, why);
	set_state(k, STORE_AWAY, "taken over by another broker");
	k->ops->on_taken_over(k->ctx);
}

/* Not for lost connections: these come back by themselves. */
static bool failed(struct pg_control *k, const struct pg_error *error)
{
	if (error == NULL)
		return false;
	if (error->class == PG_LOST || k->over)
		return true;
	log_err("database.control_failed", "sqlstate=%s error=\"%s\"", error->sqlstate,
		error->text);
	answer(k, error->class == PG_CONFIG ? error->text : NULL);
	set_state(k, STORE_AWAY, error->text);
	retry_in(k, FAULT_RETRY);
	return true;
}

/* ---- heartbeat ------------------------------------------------------------------------------- */

static void on_lives(void *ctx, const struct pg_error *error, PGresult *const *results, int n)
{
	struct pg_control *k = ctx;
	bool lives = false;

	if (failed(k, error) || k->over)
		return;
	if (n != 1 || !pg_single_bool(results[0], "lives", &lives) || !lives)
		take_over(k, "epoch_ended");
	else if (k->guard)
		set_state(k, STORE_UP, "");
}

static void send_heartbeat(struct pg_control *k)
{
	wall_us_t flushed_at = 0;
	uint64_t pending = 0;

	k->ops->mirror(k->ctx, &flushed_at, &pending);
	pg_params_clear(&k->params);
	pg_param_i64(&k->params, k->epoch);
	if (flushed_at != 0)
		pg_param_time(&k->params, flushed_at);
	else
		pg_param_null(&k->params);
	pg_param_i64(&k->params, (int64_t)pending);
	pg_conn_query(k->conn, PG_BROKER_HEARTBEAT, &k->params);
	pg_conn_sync(k->conn, on_lives, k);
}

static void on_beat(evutil_socket_t fd, short what, void *arg)
{
	struct pg_control *k = arg;
	struct timeval tv = loop_timeval(HEARTBEAT);

	(void)fd;
	(void)what;
	if (pg_conn_ready(k->conn) && k->epoch != 0 && pg_conn_flight(k->conn) == 0)
		send_heartbeat(k);
	if (event_add(&k->beat, &tv) != 0)
		die("pg_control: event_add");
}

/* ---- version, guard, epoch ------------------------------------------------------------------- */

static void on_started(void *ctx, const struct pg_error *error, PGresult *const *results, int n)
{
	struct pg_control *k = ctx;

	if (failed(k, error) || k->over)
		return;
	if (n != 1 || !pg_single_i64(results[0], "epoch", &k->epoch))
		die("pg_control: broker_start gave no epoch");
	log_notice("database.epoch", "node=%s epoch=%" PRId64, k->options->node, k->epoch);
	set_state(k, STORE_UP, "");
}

static void start_life(struct pg_control *k)
{
	char host[256];

	if (gethostname(host, sizeof(host)) != 0)
		(void)snprintf(host, sizeof(host), "unknown");
	host[sizeof(host) - 1] = '\0';
	pg_params_clear(&k->params);
	pg_param_text(&k->params, slice_str(k->options->node));
	pg_param_text(&k->params, slice_str(host));
	pg_param_i32(&k->params, (int32_t)getpid());
	pg_param_text(&k->params, slice_str(k->options->version));
	pg_conn_query(k->conn, PG_BROKER_START, &k->params);
	pg_conn_sync(k->conn, on_started, k);
}

/* Somebody else holds the lock: a standby waits; who has an epoch may have to give it up. */
static void guard_held(struct pg_control *k)
{
	usec_t now = loop_now(k->loop);
	usec_t grace = k->options->guard_grace != 0 ? k->options->guard_grace : GUARD_GRACE;

	if (k->epoch == 0) {
		set_state(k, STORE_STANDBY, "another broker of the node holds the guard lock");
	} else {
		if (k->held_since == 0)
			k->held_since = now;
		if (now - k->held_since >= grace) {
			take_over(k, "guard_held");
			return;
		}
		set_state(k, STORE_STANDBY, "the guard lock is held by another session");
		send_heartbeat(k); /* tells at once when it is a successor */
	}
	retry_in(k, GUARD_RETRY);
}

static void on_guard(void *ctx, const struct pg_error *error, PGresult *const *results, int n)
{
	struct pg_control *k = ctx;

	if (failed(k, error) || k->over)
		return;
	if (n != 1 || !pg_single_bool(results[0], "got", &k->guard))
		die("pg_control: the guard lock gave no answer");
	if (!k->guard) {
		guard_held(k);
		return;
	}
	k->held_since = 0;
	if (k->epoch == 0)
		start_life(k);
	else
		send_heartbeat(k);
}

static void on_version(void *ctx, const struct pg_error *error, PGresult *const *results, int n)
{
	struct pg_control *k = ctx;
	char fault[PG_ERROR_TEXT];
	int64_t version = 0;

	if (failed(k, error) || k->over)
		return;
	if (n != 1 || !pg_single_i64(results[0], "version", &version))
		die("pg_control: the schema gave no version");
	k->version_ok = version >= STORE_SCHEMA_MIN && version <= STORE_SCHEMA_MAX;
	if (!k->version_ok) {
		(void)snprintf(fault, sizeof(fault),
			       "schema chat has version %" PRId64 ", %d to %d is needed: run "
			       "chatctl migrate",
			       version, STORE_SCHEMA_MIN, STORE_SCHEMA_MAX);
		if (k->answered)
			log_err("database.schema", "fault=\"%s\"", fault);
		answer(k, fault);
		set_state(k, STORE_AWAY, fault);
		retry_in(k, FAULT_RETRY);
		return;
	}
	step(k);
}

/* The next thing that this session lacks. */
static void step(struct pg_control *k)
{
	if (!pg_conn_ready(k->conn) || k->over)
		return;
	pg_params_clear(&k->params);
	if (!k->version_ok) {
		pg_conn_query(k->conn, PG_SCHEMA_VERSION, &k->params);
		pg_conn_sync(k->conn, on_version, k);
	} else if (!k->guard) {
		pg_param_text(&k->params, slice_str(k->options->node));
		pg_conn_query(k->conn, PG_GUARD_TAKE, &k->params);
		pg_conn_sync(k->conn, on_guard, k);
	} else if (k->epoch == 0) {
		start_life(k);
	} else {
		send_heartbeat(k);
	}
}

static void on_step(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	step(arg);
}

/* ---- connection ------------------------------------------------------------------------------ */

static void on_ready(void *ctx)
{
	struct pg_control *k = ctx;

	k->version_ok = false;
	k->guard = false;
	k->ops->on_token(k->ctx, SLICE("*"));
	if (k->epoch == 0 && k->options->guard_delay > 0)
		retry_in(k, k->options->guard_delay);
	else
		step(k);
}

static void on_lost(void *ctx, const struct pg_error *error)
{
	struct pg_control *k = ctx;

	k->guard = false;
	event_del(&k->step);
	answer(k, error->class == PG_CONFIG ? error->text : NULL);
	if (!k->over)
		set_state(k, STORE_AWAY, error->text);
}

/* "CHAT USER" */
static void on_participant(struct pg_control *k, struct slice payload)
{
	unsigned long long chat;
	struct slice number;
	struct slice user;

	if (slice_cut(payload, ' ', &number, &user) && slice_to_u64(number, &chat))
		k->ops->on_participant(k->ctx, chat, user);
}

static void on_notify(void *ctx, struct slice channel, struct slice payload)
{
	struct pg_control *k = ctx;

	if (slice_eq(channel, SLICE("chat_token")))
		k->ops->on_token(k->ctx, payload);
	else if (slice_eq(channel, SLICE("chat_participant")))
		on_participant(k, payload);
	else
		k->ops->on_outbox(k->ctx);
}

static void on_stop_time(evutil_socket_t fd, short what, void *arg)
{
	struct pg_control *k = arg;

	(void)fd;
	(void)what;
	pg_conn_close(k->conn);
	k->ops->on_stopped(k->ctx);
}

static void on_ended(void *ctx, const struct pg_error *error, PGresult *const *results, int n)
{
	struct pg_control *k = ctx;

	(void)results;
	(void)n;
	if (error != NULL)
		log_warning("database.stop", "error=\"%s\"", error->text);
	event_active(&k->stopped, 0, 0);
}

void pg_control_stop(struct pg_control *k)
{
	k->over = true;
	event_del(&k->step);
	event_del(&k->beat);
	if (!pg_conn_ready(k->conn) || k->epoch == 0) {
		event_active(&k->stopped, 0, 0);
		return;
	}
	pg_params_clear(&k->params);
	pg_param_i64(&k->params, k->epoch);
	pg_conn_query(k->conn, PG_BROKER_STOP, &k->params);
	pg_conn_sync(k->conn, on_ended, k);
}

struct pg_control *pg_control_new(struct loop *loop, const struct store_options *options,
				  const struct pg_stmts *stmts, const struct pg_control_ops *ops,
				  void *ctx)
{
	static const char *const setup[] = {"LISTEN chat_token", "LISTEN chat_participant",
					    "LISTEN chat_outbox", NULL};
	static const struct pg_conn_ops conn_ops = {
		.on_ready = on_ready, .on_lost = on_lost, .on_notify = on_notify};
	struct pg_control *k = NEW(struct pg_control);
	struct pg_conn_options conn = {
		.conninfo = options->conninfo,
		.password_file = options->password_file,
		.node = options->node,
		.settings = "-c statement_timeout=5s -c lock_timeout=2s",
		.setup = setup,
		.stmts = stmts,
		.role = PG_ROLE_CONTROL,
	};

	k->loop = loop;
	k->options = options;
	k->ops = ops;
	k->ctx = ctx;
	k->state = STORE_AWAY;
	(void)snprintf(k->fault, sizeof(k->fault), "not connected yet");
	pg_params_init(&k->params);
	if (event_assign(&k->step, loop_base(loop), -1, 0, on_step, k) != 0 ||
	    event_assign(&k->beat, loop_base(loop), -1, 0, on_beat, k) != 0 ||
	    event_assign(&k->stopped, loop_base(loop), -1, 0, on_stop_time, k) != 0)
		die("pg_control: event_assign");
	k->conn = pg_conn_new(loop, &conn, &conn_ops, k);
	return k;
}

void pg_control_free(struct pg_control *k)
{
	if (k == NULL)
		return;
	pg_conn_free(k->conn);
	event_del(&k->step);
	event_del(&k->beat);
	event_del(&k->stopped);
	pg_params_done(&k->params);
	free(k);
}

void pg_control_open(struct pg_control *k)
{
	pg_conn_open(k->conn);
	on_beat(-1, 0, k);
}

enum store_state pg_control_state(const struct pg_control *k)
{
	return k->state;
}

int64_t pg_control_epoch(const struct pg_control *k)
{
	return k->epoch;
}

const char *pg_control_fault(const struct pg_control *k)
{
	return k->fault;
}

struct pg_conn *pg_control_conn(const struct pg_control *k)
{
	return k->conn;
}
