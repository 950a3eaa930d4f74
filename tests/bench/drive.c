/* The broker's own mirror, told of so many changes a second. */
#include <event2/event.h>
#include <stdlib.h>

#include "broker/store/store.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "tests/bench/bare.h"
#include "tests/bench/churn.h"

#define TICK (USEC_PER_MSEC)

struct drive {
	const struct bare_options *options;
	struct bare_meter meter;
	struct loop *loop;
	struct store *store;
	struct mirror *mirror;
	struct churn churn;
	usec_t begin; /* of the changes; 0 = what was there is not written yet */
	uint64_t told;
	uint64_t written; /* at the last look */
};

static void put(struct mirror *m, const struct churn_life *l)
{
	mirror_conn_put(m, &l->conn);
	mirror_member_put(m, &l->member);
	mirror_user_put(m, &l->user);
}

static void change(struct drive *d)
{
	struct mirror *m = d->mirror;
	struct churn_life l;

	churn_next(&d->churn, &l);
	d->told += churn_rows(&l);
	if (l.there) {
		put(m, &l);
		return;
	}
	mirror_conn_del(m, l.conn.worker, l.conn.conn);
	mirror_member_del(m, l.member.worker, l.member.conn, l.member.channel);
	mirror_user_del(m, l.user.app, l.user.user_id);
	mirror_last_seen(m, l.user.app, l.user.user_id, l.user.changed_at);
}

static bool walk(void *ctx, struct mirror *m, uint64_t *cursor, uint32_t most)
{
	const struct drive *d = ctx;
	struct churn_life l;

	for (uint32_t n = 0; n + 3 <= most && *cursor < CHURN_LIVES; (*cursor)++) {
		if (!d->churn.there[*cursor])
			continue;
		churn_life(&d->churn, (uint32_t)*cursor, &l);
		put(m, &l);
		n += 3;
	}
	return *cursor < CHURN_LIVES;
}

/* All that lives has been written once: the clock of the changes begins. */
static bool stands(struct drive *d, usec_t now)
{
	struct mirror_stats stats;

	mirror_stats(d->mirror, &stats);
	if (d->begin == 0 && stats.flushed_at != 0) {
		d->begin = now;
		bare_meter_init(&d->meter, d->options);
	}
	return d->begin != 0;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct drive *d = arg;
	usec_t now = clock_mono();
	struct mirror_stats stats;

	(void)fd;
	(void)what;
	if (!stands(d, now))
		return;
	while ((double)d->told < d->options->rate * (double)(now - d->begin) / USEC_PER_SEC)
		change(d);
	if (bare_meter_over(&d->meter, now)) {
		loop_stop(d->loop);
		return;
	}
	mirror_stats(d->mirror, &stats);
	if (stats.written > d->written)
		bare_meter_add(&d->meter, now, now - stats.last_flush_ms * USEC_PER_MSEC,
			       stats.written - d->written, 1);
	d->written = stats.written;
}

int bare_drive(const struct bare_options *o)
{
	static struct drive d;
	struct mirror_source source = {walk, &d};
	struct store_options options = {
		.conninfo = o->conninfo,
		.password_file = "",
		.node = "bench",
		.version = CHAT_VERSION,
		.app_id = "chatapp",
		.mirror = MIRROR_ALL,
	};
	static const struct store_ops ops;
	struct timeval tick = loop_timeval(TICK);
	char fault[STORE_FAULT];
	struct event *timer;

	d.options = o;
	d.loop = loop_new();
	churn_init(&d.churn);
	if (store_new(d.loop, &options, &ops, &d, &d.store, fault, sizeof(fault)) < 0)
		die("%s", fault);
	d.mirror = store_mirror(d.store);
	store_set_source(d.store, &source);
	timer = event_new(loop_base(d.loop), -1, EV_PERSIST, on_tick, &d);
	if (timer == NULL || event_add(timer, &tick) != 0)
		die("event_add");
	store_start(d.store);
	loop_run(d.loop);
	bare_meter_print(&d.meter, "drive");
	event_free(timer);
	store_free(d.store);
	loop_free(d.loop);
	return 0;
}
