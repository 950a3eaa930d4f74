#include "broker/broker_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <event2/event.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/loop/loop.h"
#include "common/proc/lockfile.h"
#include "common/proc/notify.h"
#include "common/wire/wire.h"

#define LOCK_NAME "broker.lock"
#define ADMIN_NAME "admin.sock"
#define STANDBY_NAME "standby.sock" /* in its place, while another broker of this host serves */

/* How long the last writes may take after SIGTERM. */
#define STOP_WITHIN (5 * USEC_PER_SEC)
#define TICK USEC_PER_SEC

/* ---- one broker a node ---- */

static int take_node(struct broker *b)
{
	char *path = options_run_path(b->conf, LOCK_NAME);
	int holder = 0;
	int r = lockfile_take(path, &b->lock, &holder);

	if (r == -EWOULDBLOCK && b->conf->broker.standby)
		log_info("broker.waits", "lock=%s pid=%d", path, holder);
	else if (r == -EWOULDBLOCK)
		log_err("broker.runs_already", "lock=%s pid=%d do=\"stop that one first\"", path,
			holder);
	else if (r < 0)
		log_err("broker.lock",
			"lock=%s error=\"%s\" do=\"[broker] run_dir must exist and be the "
			"broker's\"",
			path, strerror(-r));
	free(path);
	if (r == -EWOULDBLOCK)
		return EX_TEMPFAIL;
	return r < 0 ? EX_CANTCREAT : EX_OK;
}

/* ---- callbacks of the store ---- */

static void end(struct broker *b, int status)
{
	b->status = status;
	b->stopping = true;
	loop_stop(b->loop);
}

/*
 * A standby serves once it has both the guard lock and, where the other one runs on this host, its
 * lock file: that one may live on for a moment without the database.
 */
static void stand_in(struct broker *b)
{
	if (!b->waiting || b->stopping || store_state(b->store) != STORE_UP)
		return;
	if (b->lock < 0 && take_node(b) != EX_OK)
		return; /* again with the next tick */
	if (broker_open_server(b) < 0) {
		end(b, EX_UNAVAILABLE);
		return;
	}
	log_notice("broker.stands_in", "node=%s", b->node);
	notify_ready("serving");
}

static void on_state(void *ctx, enum store_state state)
{
	static const char *const names[] = {
		[STORE_AWAY] = "away", [STORE_STANDBY] = "standby", [STORE_UP] = "up"};
	struct broker *b = ctx;

	log_notice("database.state", "state=%s fault=%s", names[state], store_fault(b->store));
	stand_in(b);
	dispatch_on_database(b->dispatch, state == STORE_UP);
}

/* A database that is away may come; one that is wrong waits for its operator. */
static void on_first_answer(void *ctx, const char *refusal)
{
	struct broker *b = ctx;

	if (refusal == NULL) {
		notify_ready(b->waiting ? "waiting for the guard lock" : "serving");
		return;
	}
	log_err("database.refused",
		"conninfo=\"%s\" fault=\"%s\" do=\"chatctl setup, chatctl migrate, or mend "
		"[database] in "
		"chat.conf\"",
		b->start_conf->database.conninfo, refusal);
	end(b, EX_CONFIG);
}

static void on_taken_over(void *ctx)
{
	struct broker *b = ctx;

	log_err("broker.taken_over", "node=%s", b->node);
	end(b, EX_TEMPFAIL);
}

static void on_token(void *ctx, struct slice token_id)
{
	struct broker *b = ctx;

	dispatch_on_token(b->dispatch, token_id);
}

static void on_participant(void *ctx, uint64_t chat, struct slice user_id)
{
	struct broker *b = ctx;

	dispatch_on_participant(b->dispatch, chat, user_id);
}

static void on_events(void *ctx, const struct store_event *events, size_t n)
{
	struct broker *b = ctx;

	dispatch_on_events(b->dispatch, events, n);
}

static void on_stopped(void *ctx)
{
	struct broker *b = ctx;

	loop_stop(b->loop);
}

const struct store_ops broker_store_ops = {
	.on_first_answer = on_first_answer,
	.on_state = on_state,
	.on_taken_over = on_taken_over,
	.on_token = on_token,
	.on_participant = on_participant,
	.on_events = on_events,
	.on_stopped = on_stopped,
};

/* ---- time ---- */

void broker_wake(void *ctx)
{
	struct broker *b = ctx;

	event_active(b->arm, 0, 0);
}

static void on_arm(evutil_socket_t fd, short what, void *ctx)
{
	struct broker *b = ctx;
	usec_t deadline = dispatch_deadline(b->dispatch);
	usec_t now = loop_now(b->loop);
	struct timeval in = loop_timeval(deadline > now ? deadline - now : 0);

	(void)fd;
	(void)what;
	if (deadline == USEC_NEVER)
		(void)event_del(b->due); /* fails for events of no base only */
	else if (event_add(b->due, &in) != 0)
		die("event_add");
}

static void on_due(evutil_socket_t fd, short what, void *ctx)
{
	struct broker *b = ctx;

	(void)fd;
	(void)what;
	dispatch_turn(b->dispatch);
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
	struct broker *b = ctx;

	(void)fd;
	(void)what;
	notify_watchdog();
	stand_in(b);
	broker_facts_tick(b);
}

/* ---- signals ---- */

static void on_stop(evutil_socket_t number, short what, void *ctx)
{
	struct broker *b = ctx;

	(void)what;
	if (b->stopping) { /* asked twice: at once */
		loop_stop(b->loop);
		return;
	}
	log_notice("broker.stop", "signal=%d", (int)number);
	b->stopping = true;
	notify_stopping();
	store_stop(b->store, STOP_WITHIN); /* on_stopped() */
}

static void reload(struct broker *b)
{
	struct conf *old = b->conf;
	struct conf *conf;
	struct buf changed;

	if (b->stopping)
		return;
	notify_reloading();
	conf = b->load(b->ctx);
	if (conf != NULL) {
		buf_init(&changed, 4096);
		if (conf_needs_restart(old, conf, &changed))
			log_warning("config.needs_restart", "keys=%.*s",
				    SLICE_ARG(buf_slice(&changed)));
		buf_done(&changed);
		b->conf = conf;
		broker_reload_parts(b);
		if (old != b->start_conf)
			conf_free(old);
		log_notice("config.reloaded", "apps=%zu", conf->napps);
	}
	notify_ready(NULL);
}

static void on_reload(evutil_socket_t number, short what, void *ctx)
{
	(void)number;
	(void)what;
	reload(ctx);
}

/* ---- wishes of operators ---- */

/* The workers read the file themselves. */
static unsigned wish_reload(void *ctx)
{
	struct broker *b = ctx;

	reload(b);
	return dispatch_order(b->dispatch, WIRE_ORDER_RELOAD, 0);
}

static unsigned wish_drain(void *ctx, uint32_t worker)
{
	struct broker *b = ctx;

	return dispatch_order(b->dispatch, WIRE_ORDER_REPLACE, worker);
}

static const struct admin_ops admin_callbacks = {
	.facts = broker_facts,
	.reload = wish_reload,
	.drain = wish_drain,
};

/* ---- the life ---- */

static struct event *event_of(struct broker *b, int fd, short what, event_callback_fn fn)
{
	struct event *ev = event_new(loop_base(b->loop), fd, what, fn, b);

	if (ev == NULL)
		die("event_new");
	return ev;
}

/* Systemd wants to hear twice in its interval. */
static usec_t tick_of(void)
{
	usec_t interval = notify_watchdog_interval();

	return interval > 0 ? MIN(interval / 2, TICK) : TICK;
}

static void open_loop(struct broker *b)
{
	struct timeval tick = loop_timeval(tick_of());

	b->loop = loop_new();
	b->started = loop_now(b->loop);
	b->started_at = clock_wall();
	b->signals[0] = event_of(b, SIGTERM, EV_SIGNAL | EV_PERSIST, on_stop);
	b->signals[1] = event_of(b, SIGINT, EV_SIGNAL | EV_PERSIST, on_stop);
	b->signals[2] = event_of(b, SIGHUP, EV_SIGNAL | EV_PERSIST, on_reload);
	b->tick = event_of(b, -1, EV_PERSIST, on_tick);
	b->due = event_of(b, -1, 0, on_due);
	b->arm = event_of(b, -1, 0, on_arm);
	for (size_t i = 0; i < BROKER_SIGNALS; i++) {
		if (event_add(b->signals[i], NULL) != 0)
			die("event_add");
	}
	if (event_add(b->tick, &tick) != 0)
		die("event_add");
	(void)signal(SIGPIPE, SIG_IGN);
}

static void close_loop(struct broker *b)
{
	for (size_t i = 0; i < BROKER_SIGNALS; i++)
		event_free(b->signals[i]);
	event_free(b->tick);
	event_free(b->due);
	event_free(b->arm);
	loop_free(b->loop);
}

static int open_admin(struct broker *b)
{
	const struct conf_admin *conf = &b->conf->admin;
	char *path = conf->socket[0] != '\0'
			     ? mem_strdup(conf->socket)
			     : options_run_path(b->conf, b->lock < 0 ? STANDBY_NAME : ADMIN_NAME);
	struct admin_options options = {.socket = path};
	struct slice name = SLICE_NONE;
	char *host = NULL;
	bool is_unix = false;
	int r;

	/* A unix path in place of HOST:PORT takes that of the socket. */
	if (conf->listen[0] != '\0' &&
	    conf_address(slice_str(conf->listen), &name, &options.port, &is_unix)) {
		host = slice_dup(name.n > 0 ? name : SLICE("0.0.0.0"));
		if (is_unix)
			options.socket = host;
		else
			options.host = host;
	}
	r = admin_new(b->loop, &options, &admin_callbacks, b, &b->admin);
	free(host);
	free(path);
	return r < 0 ? EX_UNAVAILABLE : EX_OK;
}

static int serve(struct broker *b)
{
	int status = broker_open_parts(b);

	if (status == EX_OK)
		status = open_admin(b);
	b->waiting = b->conf->broker.standby;
	if (status == EX_OK && !b->waiting && broker_open_server(b) < 0)
		status = EX_UNAVAILABLE;
	if (status != EX_OK)
		return status;
	store_start(b->store);
	log_notice("broker.start", "version=%s node=%s apps=%zu", CHAT_VERSION, b->node,
		   b->conf->napps);
	loop_run(b->loop);
	log_notice("broker.end", "status=%d", b->status);
	return b->status;
}

int broker_run(struct conf *conf, broker_load_fn *load, void *ctx)
{
	struct broker *b = NEW(struct broker);
	int status;

	b->conf = conf;
	b->start_conf = conf;
	b->load = load;
	b->ctx = ctx;
	b->lock = -1;
	options_node(conf, b->node);
	status = take_node(b); /* a second broker of this host ends here, unless it may wait */
	if (status == EX_OK || (status == EX_TEMPFAIL && conf->broker.standby)) {
		open_loop(b);
		status = serve(b);
		admin_free(b->admin);
		broker_close_parts(b);
		broker_facts_done(b);
		close_loop(b);
	}
	lockfile_drop(b->lock);
	if (b->conf != b->start_conf)
		conf_free(b->start_conf);
	conf_free(b->conf);
	free(b);
	return status;
}
