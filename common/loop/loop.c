#include "common/loop/loop.h"

#include <stdbool.h>
#include <stdlib.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/base/mem.h"
#include "common/log/log.h"

/* Longest time for callbacks before descriptors and timers are looked at again. */
#define DISPATCH_US 10000

struct loop {
	struct event_base *base;
	struct event turn_ev; /* ends the turn: the time is asked anew */
	usec_t now;	      /* 0 = not asked in this turn */
	bool running;
	bool stop;
};

/* ---- libevent's own messages ---- */

static void on_log(int severity, const char *text)
{
	if (severity == EVENT_LOG_ERR)
		log_err("event.error", "text=%s", text);
	else if (severity == EVENT_LOG_WARN)
		log_warning("event.warning", "text=%s", text);
	else if (severity == EVENT_LOG_MSG)
		log_info("event.message", "text=%s", text);
	else
		log_debug("event.debug", "text=%s", text);
}

static void on_fatal(int err)
{
	die("libevent ended with %d", err);
}

/* ---- the time of the turn ---- */

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;

	(void)fd;
	(void)what;
	loop->now = 0;
}

usec_t loop_now(struct loop *loop)
{
	if (!loop->running)
		return clock_mono();
	if (loop->now == 0) {
		loop->now = clock_mono();
		event_active(&loop->turn_ev, 0, 0); /* behind all that is ready now */
	}
	return loop->now;
}

/* ---- the life ---- */

struct loop *loop_new(void)
{
	static const struct timeval most = {0, DISPATCH_US};
	struct event_config *config = event_config_new();
	struct loop *loop = NEW(struct loop);

	event_set_log_callback(on_log);
	event_set_fatal_callback(on_fatal);
	if (config == NULL || event_config_set_max_dispatch_interval(config, &most, -1, 0) != 0)
		die("event_config_new()");
	loop->base = event_base_new_with_config(config);
	if (loop->base == NULL)
		die("event_base_new()");
	event_config_free(config);
	if (event_assign(&loop->turn_ev, loop->base, -1, 0, on_turn, loop) != 0)
		die("event_assign() of the turn");
	return loop;
}

void loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	(void)event_del(&loop->turn_ev); /* cannot fail for an event that was assigned */
	event_base_free(loop->base);
	free(loop);
}

struct event_base *loop_base(const struct loop *loop)
{
	return loop->base;
}

static void run(struct loop *loop, int flags)
{
	loop->running = true;
	loop->now = 0;
	if (event_base_loop(loop->base, flags) < 0)
		die("event_base_loop()");
	loop->running = false;
}

void loop_run(struct loop *loop)
{
	if (!loop->stop)
		run(loop, EVLOOP_NO_EXIT_ON_EMPTY);
	loop->stop = false;
}

void loop_stop(struct loop *loop)
{
	loop->stop = true;
	if (loop->running && event_base_loopexit(loop->base, NULL) != 0)
		die("event_base_loopexit()");
}

void loop_flush(struct loop *loop)
{
	run(loop, EVLOOP_NONBLOCK);
}
