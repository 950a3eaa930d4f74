#include "worker/worker_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "worker/api/api.h"
#include "worker/control.h"
#include "worker/departed.h"
#include "worker/inbox.h"
#include "worker/link/link.h"
#include "worker/link/seen.h"
#include "worker/questions.h"
#include "worker/report.h"
#include "worker/resync.h"
#include "worker/session_internal.h"
#include "worker/supervisor.h"

/* Descriptors that are not clients: log, control, lane, event base, files being read. */
#define FILES_RESERVED 64
/* A busy broker ends a grace late, and its word takes a while. */
#define DEPARTED_MARGIN (5 * USEC_PER_SEC)

/* ---- what parts and handlers ask ---- */

const struct conf *worker_conf(const struct worker *w)
{
	return w->conf;
}

struct apps *worker_apps(const struct worker *w)
{
	return w->apps;
}

struct api *worker_api(const struct worker *w)
{
	return w->api;
}

struct app *worker_chat_app(const struct worker *w)
{
	return w->chat_app;
}

usec_t worker_now(const struct worker *w)
{
	return loop_now(w->loop);
}

bool worker_is_welcomed(const struct worker *w)
{
	return w->welcomed;
}

bool worker_is_up(const struct worker *w)
{
	return worker_up(w);
}

uint32_t worker_sockets(const struct worker *w)
{
	return w->sockets;
}

uint32_t worker_websockets(const struct worker *w)
{
	return w->websockets;
}

bool worker_may_log(struct worker *w, struct log_limit *limit, const char *event)
{
	return log_enabled(LOG_LEVEL_INFO) &&
	       log_allowed(limit, w->conf->log.client_lines, worker_now(w), event);
}

/* What a large snapshot has left behind is not kept. */
#define OUT_KEPT (256U << 10)

void worker_out_done(struct worker *w)
{
	buf_clear(&w->out);
	if (w->out.cap <= OUT_KEPT)
		return;
	buf_done(&w->out);
	buf_init(&w->out, LIMIT_FRAME);
}

void worker_set_chat_app(struct worker *w, struct slice id)
{
	free(w->chat_app_id);
	w->chat_app_id = slice_dup(id);
	worker_find_chat_app(w);
}

void worker_find_chat_app(struct worker *w)
{
	w->chat_app =
		w->chat_app_id != NULL ? apps_by_id(w->apps, slice_str(w->chat_app_id)) : NULL;
}

void worker_order(struct worker *w, uint8_t what)
{
	if (w->control == NULL)
		return; /* it is about to begin */
	if (what == WIRE_ORDER_RELOAD)
		control_ask_reload(w->control);
	else if (what == WIRE_ORDER_REPLACE)
		control_ask_replacement(w->control);
}

/* ---- callbacks of the lane ---- */

static void on_record(void *ctx, uint8_t kind, struct slice body)
{
	inbox_record(ctx, kind, body);
}

static void on_up(void *ctx, bool new_broker)
{
	struct worker *w = ctx;

	log_info("broker.connected", "new=%d", new_broker);
	/* A new one says first who we are and which applications there are. */
	if (new_broker) {
		buf_clear(&w->late);
		w->brokers++;
		resync_forget(w);
	} else if (w->welcomed)
		resync_resume(w);
}

static void on_down(void *ctx)
{
	struct worker *w = ctx;

	log_warning("broker.away", "websockets=%u", w->websockets);
	w->broker = BROKER_AWAY;
}

static void on_retired(void *ctx)
{
	struct worker *w = ctx;

	log_err("worker.retired", "websockets=%u", w->websockets);
	w->broker = BROKER_AWAY;
	drain_now(w);
}

static const struct link_ops link_callbacks = {
	.on_record = on_record,
	.on_up = on_up,
	.on_down = on_down,
	.on_retired = on_retired,
};

/* What the broker says becomes output: no more of it before what there is has been written. */
static void on_behind(void *ctx, bool behind)
{
	struct worker *w = ctx;

	link_hold(w->link, behind);
}

/* ---- callbacks of listeners, supervisor, timers ---- */

static void on_accept(void *ctx, int fd, const struct address *peer)
{
	struct worker *w = ctx;

	/* A little above the limit clients still learn why they are refused. */
	if (w->sockets >= w->sockets_max + w->sockets_max / 32 + 16)
		(void)close(fd); /* nothing has been read or written */
	else
		session_accept(w, fd, peer, w->sockets >= w->sockets_max);
}

static void on_starved(void *ctx, int err)
{
	struct worker *w = ctx;

	if (log_allowed(&w->log_full, 1, worker_now(w), "worker.no_descriptors"))
		log_err("worker.no_descriptors", "error=%d sockets=%u", err, w->sockets);
}

static const struct listener_ops listener_callbacks = {
	.on_accept = on_accept,
	.on_starved = on_starved,
};

static void on_drain(void *ctx, bool orphan)
{
	drain_begin(ctx, orphan);
}

static void on_stop(void *ctx)
{
	drain_now(ctx);
}

static const struct control_ops control_callbacks = {
	.on_drain = on_drain,
	.on_stop = on_stop,
};

static void on_signal(evutil_socket_t number, short what, void *ctx)
{
	(void)number;
	(void)what;
	drain_begin(ctx, false);
}

static void on_timer(void *ctx, struct timer *t)
{
	(void)ctx;
	session_due(t);
}

static void tell_broker(struct worker *w)
{
	if (w->broker != BROKER_AWAY && outbox_flush(w) && resync_step(w))
		event_active(w->again, 0, 0);
}

static void on_again(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	tell_broker(ctx);
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
	struct worker *w = ctx;

	(void)fd;
	(void)what;
	wheel_turn(w->wheel, worker_now(w));
	tell_broker(w);
	questions_turn(w, worker_now(w));
	api_turn(w, worker_now(w));
	if (w->broker == BROKER_UP)
		departed_turn(w->departed, worker_now(w));
	drain_step(w);
	report_turn(w);
}

/* ---- the life ---- */

static const struct hub_ops hub_callbacks = {.deliver = session_deliver};

static struct event *event_of(struct worker *w, int fd, short what, event_callback_fn fn)
{
	struct event *ev = event_new(loop_base(w->loop), fd, what, fn, w);

	if (ev == NULL)
		die("event_new");
	return ev;
}

static uint32_t most_sockets(const struct conf *conf)
{
	struct rlimit files = {0};
	uint64_t most = FILES_RESERVED;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0)
		most = files.rlim_cur;
	most = most > 2ULL * FILES_RESERVED ? most - FILES_RESERVED : FILES_RESERVED;
	most -= most / 16; /* room for those that are refused politely */
	if (conf->worker.max_connections != 0)
		most = MIN(most, conf->worker.max_connections);
	return (uint32_t)MIN(most, 16000000U);
}

static void open_state(struct worker *w)
{
	const struct conf *conf = w->conf;
	size_t message = conf->limits.max_message;

	buf_init(&w->out, LIMIT_FRAME);
	buf_init(&w->record, LIMIT_WIRE_RECORD);
	buf_init(&w->late, (size_t)1 << 30);
	buf_init(&w->scratch, PUSHER_SCRATCH(message));
	buf_init(&w->member, PUSHER_SCRATCH(message));
	w->ws_limits.max_message = message;
	w->ws_limits.max_fragments = conf->limits.max_fragments;
	w->sockets_max = most_sockets(conf);
	TAILQ_INIT(&w->open);
	TAILQ_INIT(&w->held);
	w->apps = apps_new();
	w->hub = hub_new(&hub_callbacks, w);
	w->proxies = proxies_new(conf->proxy.trusted.v, conf->proxy.trusted.n);
	w->addresses = addresses_new();
	w->seen = seen_new();
	w->departed =
		departed_new(MAX(conf->presence.grace, conf->chat.offline_grace) + DEPARTED_MARGIN,
			     conf->worker.pending_memory);
	w->questions = questions_new();
	buf_init(&w->reported, 4096);
	w->api = api_new(conf);
}

static void use_uring(struct worker *w)
{
	int r = streams_use_uring(w->streams);

	if (r < 0)
		log_warning("worker.io_uring", "used=no error=%d", -r);
	else
		log_notice("worker.io_uring", "used=yes");
}

static void open_loop(struct worker *w)
{
	struct stream_limits limits = {
		.high = w->conf->limits.max_output,
		/* Mostly events of others wait: a slow reader is still read from. */
		.pause_above = w->conf->limits.max_output / 2,
		.linger = w->conf->worker.close_timeout,
	};
	static const struct timeval tick = {0, (suseconds_t)WHEEL_TICK};

	w->loop = loop_new();
	w->wheel = wheel_new(loop_now(w->loop), on_timer, w);
	w->streams = streams_new(w->loop, &limits);
	streams_watch_behind(w->streams, on_behind, w);
	if (w->conf->worker.io_uring)
		use_uring(w);
	w->tick = event_of(w, -1, EV_PERSIST, on_tick);
	w->again = event_of(w, -1, 0, on_again);
	w->signals[0] = event_of(w, SIGTERM, EV_SIGNAL | EV_PERSIST, on_signal);
	w->signals[1] = event_of(w, SIGINT, EV_SIGNAL | EV_PERSIST, on_signal);
	if (event_add(w->tick, &tick) != 0 || event_add(w->signals[0], NULL) != 0 ||
	    event_add(w->signals[1], NULL) != 0)
		die("event_add");
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN); /* a terminal's; reloads come as new processes */
}

static int open_link(struct worker *w, const struct worker_start *start)
{
	const struct conf *conf = w->conf;
	const struct conf_list *brokers =
		conf->worker.brokers.n > 0 ? &conf->worker.brokers : &conf->broker.endpoint;
	struct link_options options = {
		.endpoints = brokers->v,
		.endpoint_count = brokers->n,
		.slot = start->slot,
		.slots = start->slots,
		.generation = start->generation,
		.heartbeat = conf->broker.heartbeat,
		.window = conf->broker.lane_window,
	};

	return link_new(w->loop, &options, &link_callbacks, w, &w->link);
}

static void open_listeners(struct worker *w, const struct worker_start *start)
{
	w->listener_count = start->listener_count;
	w->listeners = mem_calloc(start->listener_count, sizeof(struct listener *));
	for (unsigned i = 0; i < start->listener_count; i++)
		w->listeners[i] =
			listener_new(w->loop, start->listeners[i], &listener_callbacks, w);
}

static void close_all(struct worker *w)
{
	struct session *s;
	size_t at = 0;

	/* Nobody is left, or the time is over: what remains is cut off. */
	while (w->sessions.count > 0) {
		s = session_next(w, &at);
		if (s != NULL)
			session_abort(s);
		at = s != NULL ? at - 1 : 0; /* rows behind it have moved up */
	}
	for (unsigned i = 0; i < w->listener_count; i++)
		listener_free(w->listeners[i]);
	free(w->listeners);
	control_free(w->control);
	loop_flush(w->loop); /* the closes go out before we take leave */
	streams_finish(w->streams);
	link_free(w->link);
	questions_free(w->questions, w);
	api_free(w->api);
	streams_free(w->streams);
	event_free(w->tick);
	event_free(w->again);
	event_free(w->signals[0]);
	event_free(w->signals[1]);
	wheel_free(w->wheel);
	hub_free(w->hub);
	apps_free(w->apps);
	proxies_free(w->proxies);
	addresses_free(w->addresses);
	seen_free(w->seen);
	departed_free(w->departed);
	buf_done(&w->reported);
	session_table_done(&w->sessions);
	buf_done(&w->out);
	buf_done(&w->record);
	buf_done(&w->late);
	buf_done(&w->scratch);
	buf_done(&w->member);
	free(w->chat_app_id);
	loop_free(w->loop);
	free(w);
}

int worker_run(const struct worker_start *start, const struct conf *conf)
{
	struct worker *w = NEW(struct worker);
	int r;

	w->conf = conf;
	w->serve = api_handle;
	open_state(w);
	open_loop(w); /* an event base of our own: none crosses a fork */
	r = open_link(w, start);
	if (r < 0) {
		log_err("broker.endpoint", "error=%d", -r);
		return 1;
	}
	w->control = control_new(w->loop, start->control, &control_callbacks, w);
	open_listeners(w, start);
	control_ready(w->control); /* handshakes wait in us until the broker has welcomed us */
	loop_run(w->loop);
	close_all(w);
	return 0;
}
