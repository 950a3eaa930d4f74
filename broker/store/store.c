#include "broker/store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "broker/store/mirror_internal.h"
#include "broker/store/pg_chat.h"
#include "broker/store/pg_conninfo.h"
#include "broker/store/pg_control.h"
#include "broker/store/pg_outbox.h"
#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/loop/loop.h"

#define STOP_LOOK (USEC_PER_SEC / 50)

/* An orderly stop: chat calls and outbox, then the mirror, then the epoch. */
enum stop_step {
	STOP_NOT,
	STOP_CHAT,
	STOP_MIRROR,
	STOP_EPOCH,
	STOP_DONE,
};

struct store {
	struct loop *loop;
	struct store_options options;
	struct store_ops ops;
	void *ctx;
	bool database;
	struct pg_stmts stmts;
	struct pg_control *control; /* NULL without a database */
	struct mirror *mirror;
	struct pg_chat *chat;
	struct pg_outbox *outbox; /* NULL: not drained */
	bool opened;		  /* the other connections */
	enum stop_step stop;
	bool outbox_stopped;
	struct event stop_look; /* whether the step is over */
	struct event stop_end;	/* the time for the stop is over */
};

/* ---- what the parts tell ----------------------------------------------------------------------
 */

static void on_state(void *ctx)
{
	struct store *s = ctx;
	enum store_state state = pg_control_state(s->control);

	if (state == STORE_UP && !s->opened) {
		s->opened = true;
		mirror_begin(s->mirror, pg_control_epoch(s->control));
		pg_chat_open(s->chat);
		if (s->outbox != NULL)
			pg_outbox_open(s->outbox);
	}
	if (s->ops.on_state != NULL)
		s->ops.on_state(s->ctx, state);
}

static void on_first_answer(void *ctx, const char *refusal)
{
	struct store *s = ctx;

	if (s->ops.on_first_answer != NULL)
		s->ops.on_first_answer(s->ctx, refusal);
}

static void on_taken_over(void *ctx)
{
	struct store *s = ctx;

	if (s->ops.on_taken_over != NULL)
		s->ops.on_taken_over(s->ctx);
}

static void on_token(void *ctx, struct slice token_id)
{
	struct store *s = ctx;

	if (s->ops.on_token != NULL)
		s->ops.on_token(s->ctx, token_id);
}

static void on_participant(void *ctx, uint64_t chat, struct slice user_id)
{
	struct store *s = ctx;

	if (s->ops.on_participant != NULL)
		s->ops.on_participant(s->ctx, chat, user_id);
}

static void on_outbox(void *ctx)
{
	struct store *s = ctx;

	if (s->outbox != NULL)
		pg_outbox_wake(s->outbox);
}

static void on_mirror_asked(void *ctx, wall_us_t *ret_flushed_at, uint64_t *ret_pending)
{
	const struct store *s = ctx;
	struct mirror_stats stats;

	mirror_stats(s->mirror, &stats);
	*ret_flushed_at = stats.flushed_at;
	*ret_pending = stats.pending;
}

static void on_events(void *ctx, const struct store_event *events, size_t n)
{
	struct store *s = ctx;

	s->ops.on_events(s->ctx, events, n);
}

/* ---- stop -------------------------------------------------------------------------------------
 */

static void arm(struct event *ev, usec_t in)
{
	struct timeval tv = loop_timeval(in);

	if (event_add(ev, &tv) != 0)
		die("store: event_add");
}

static void end_stop(struct store *s)
{
	if (s->stop == STOP_DONE)
		return;
	s->stop = STOP_DONE;
	event_del(&s->stop_look);
	event_del(&s->stop_end);
	pg_chat_close(s->chat);
	if (s->outbox != NULL)
		pg_outbox_close(s->outbox);
	if (s->ops.on_stopped != NULL)
		s->ops.on_stopped(s->ctx);
}

static void on_control_stopped(void *ctx)
{
	end_stop(ctx);
}

static void on_mirror_idle(void *ctx)
{
	struct store *s = ctx;

	if (s->stop != STOP_MIRROR)
		return;
	s->stop = STOP_EPOCH;
	pg_control_stop(s->control);
}

static void on_outbox_stopped(void *ctx)
{
	struct store *s = ctx;

	s->outbox_stopped = true;
}

static void on_stop_look(evutil_socket_t fd, short what, void *arg)
{
	struct store *s = arg;

	(void)fd;
	(void)what;
	if (!s->database) {
		if (pg_chat_idle(s->chat))
			end_stop(s);
		else
			arm(&s->stop_look, 0);
		return;
	}
	if (!pg_chat_idle(s->chat) || !s->outbox_stopped) {
		arm(&s->stop_look, STOP_LOOK);
		return;
	}
	s->stop = STOP_MIRROR;
	mirror_finish(s->mirror, on_mirror_idle, s);
}

static void on_stop_end(evutil_socket_t fd, short what, void *arg)
{
	struct store *s = arg;

	(void)fd;
	(void)what;
	log_warning("store.stop", "reason=timeout step=%d", (int)s->stop);
	end_stop(s);
}

void store_stop(struct store *s, usec_t within)
{
	if (s->stop != STOP_NOT)
		return;
	s->stop = STOP_CHAT;
	s->outbox_stopped = s->outbox == NULL;
	arm(&s->stop_end, within);
	arm(&s->stop_look, 0);
	pg_chat_stop(s->chat);
	if (s->outbox != NULL)
		pg_outbox_stop(s->outbox);
}

/* ---- life -------------------------------------------------------------------------------------
 */

static int take_statements(struct store *s, char *err_fault, size_t size)
{
	pg_stmts_init(&s->stmts);
	for (size_t i = 0; i < s->options.nsql; i++) {
		const struct store_sql *sql = &s->options.sql[i];

		if (sql->rule ? pg_stmts_add_rule(&s->stmts, sql->name, sql->query)
			      : pg_stmts_replace(&s->stmts, sql->name, sql->query))
			continue;
		(void)snprintf(err_fault, size, "[sql \"%s\"]: %s", sql->name,
			       sql->rule ? "too many rules, or the name of a shipped statement"
					 : "no statement has that name");
		return -EINVAL;
	}
	return 0;
}

/* NULL: there is none. */
static struct pg_conn *conn_of(const struct store *s, enum pg_role role)
{
	if (!s->database)
		return NULL;
	switch (role) {
	case PG_ROLE_CONTROL:
		return pg_control_conn(s->control);
	case PG_ROLE_MIRROR:
		return s->mirror->conn;
	case PG_ROLE_MESSAGES0:
	case PG_ROLE_MESSAGES1:
	case PG_ROLE_LOOKUPS:
		return pg_chat_conn(s->chat, role);
	case PG_ROLE_OUTBOX:
		return s->outbox != NULL ? pg_outbox_conn(s->outbox) : NULL;
	case PG_ROLES:
		break;
	}
	return NULL;
}

static void make_parts(struct store *s)
{
	static const struct pg_control_ops control_ops = {
		.on_first_answer = on_first_answer,
		.on_state = on_state,
		.on_taken_over = on_taken_over,
		.on_token = on_token,
		.on_participant = on_participant,
		.on_outbox = on_outbox,
		.mirror = on_mirror_asked,
		.on_stopped = on_control_stopped,
	};
	static const struct pg_outbox_ops outbox_ops = {.on_events = on_events,
							.on_stopped = on_outbox_stopped};
	const struct pg_stmts *stmts = s->database ? &s->stmts : NULL;

	s->mirror = mirror_new(s->loop, &s->options, stmts);
	s->chat = pg_chat_new(s->loop, &s->options, stmts);
	if (!s->database)
		return;
	s->control = pg_control_new(s->loop, &s->options, stmts, &control_ops, s);
	if (s->options.publish && s->ops.on_events != NULL)
		s->outbox = pg_outbox_new(s->loop, &s->options, stmts, &outbox_ops, s);
	for (int role = 0; role < PG_ROLES; role++) {
		struct pg_conn *c = conn_of(s, (enum pg_role)role);

		if (c != NULL && role != PG_ROLE_CONTROL)
			pg_conn_join(pg_control_conn(s->control), c);
	}
}

int store_new(struct loop *loop, const struct store_options *options, const struct store_ops *ops,
	      void *ctx, struct store **ret_store, char *err_fault, size_t size)
{
	bool database = options->conninfo[0] != '\0';
	struct store *s;

	if (database && pg_conninfo_check(options->conninfo, err_fault, size) < 0)
		return -EINVAL;
	s = NEW(struct store);
	s->loop = loop;
	s->options = *options;
	s->ops = *ops;
	s->ctx = ctx;
	s->database = database;
	if (take_statements(s, err_fault, size) < 0) {
		pg_stmts_done(&s->stmts);
		free(s);
		return -EINVAL;
	}
	s->options.sql = NULL;
	s->options.nsql = 0;
	if (event_assign(&s->stop_look, loop_base(loop), -1, 0, on_stop_look, s) != 0 ||
	    event_assign(&s->stop_end, loop_base(loop), -1, 0, on_stop_end, s) != 0)
		die("store: event_assign");
	make_parts(s);
	*ret_store = s;
	return 0;
}

void store_free(struct store *s)
{
	if (s == NULL)
		return;
	event_del(&s->stop_look);
	event_del(&s->stop_end);
	pg_outbox_free(s->outbox);
	pg_chat_free(s->chat);
	mirror_free(s->mirror);
	pg_control_free(s->control);
	pg_stmts_done(&s->stmts);
	free(s);
}

void store_start(struct store *s)
{
	if (s->database)
		pg_control_open(s->control);
	else
		on_first_answer(s, NULL);
}

enum store_state store_state(const struct store *s)
{
	return s->database ? pg_control_state(s->control) : STORE_AWAY;
}

const char *store_fault(const struct store *s)
{
	return s->database ? pg_control_fault(s->control) : "no database is configured";
}

int64_t store_epoch(const struct store *s)
{
	return s->database ? pg_control_epoch(s->control) : 0;
}

const struct chat_store *store_chat(struct store *s)
{
	return pg_chat_ops(s->chat);
}

struct mirror *store_mirror(struct store *s)
{
	return s->mirror;
}

void store_set_source(struct store *s, const struct mirror_source *source)
{
	mirror_set_source(s->mirror, source);
}

void store_events_allow(struct store *s, bool allow)
{
	if (s->outbox != NULL)
		pg_outbox_allow(s->outbox, allow);
}

void store_events_done(struct store *s)
{
	if (s->outbox != NULL)
		pg_outbox_done(s->outbox);
}

void store_reload(struct store *s, const struct store_options *options)
{
	s->options.see_all = options->see_all;
	s->options.members_may_add = options->members_may_add;
	s->options.database_wait = options->database_wait;
	s->options.max_waiting = options->max_waiting;
	s->options.guard_grace = options->guard_grace;
	mirror_set_window(s->mirror, options->mirror_window);
}

/* ---- numbers ----------------------------------------------------------------------------------
 */

static void conn_stats(const struct store *s, enum pg_role role, struct store_conn_stats *out)
{
	const struct pg_conn *c = conn_of(s, role);

	out->role = pg_conn_role_name(role);
	if (c == NULL)
		return;
	if (role == PG_ROLE_MESSAGES0 || role == PG_ROLE_MESSAGES1 || role == PG_ROLE_LOOKUPS)
		out->queued = pg_chat_queued(s->chat, role);
	if (out->queued == 0)
		out->queued = pg_conn_flight(c);
	out->ready = pg_conn_ready(c);
	out->connects = pg_conn_connects(c);
	out->since = pg_conn_since(c);
}

void store_stats(const struct store *s, struct store_stats *ret_stats)
{
	memset(ret_stats, 0, sizeof(*ret_stats));
	for (int role = 0; role < PG_ROLES; role++)
		conn_stats(s, (enum pg_role)role, &ret_stats->conns[role]);
	pg_chat_stats(s->chat, ret_stats);
	ret_stats->events = s->outbox != NULL ? pg_outbox_taken(s->outbox) : 0;
	mirror_stats(s->mirror, &ret_stats->mirror);
}
