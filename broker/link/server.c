#include "broker/link/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <event2/event.h>

#include "broker/link/roster.h"
#include "broker/link/server_internal.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "common/wire/wire.h"

#define MISSED 3 /* heartbeats: a worker is dead */
#define PROBES 10
#define PROBE_PAUSE 20000 /* between them */
#define LANES_MAX 1024	  /* workers; more than any configuration starts, also in a reload */

/* ---- those who have no lane ---- */

void server_answer(struct server *server, struct slice peer, enum flow_type type, uint64_t epoch)
{
	struct flow_head head = {.version = WIRE_VERSION, .type = (uint8_t)type, .epoch = epoch};
	char bytes[FLOW_HEAD];

	flow_head_put(bytes, &head);
	if (zsock_send(server->z, peer, slice_of(bytes, sizeof(bytes)), SLICE_NONE) != 0)
		log_debug("worker.unheard", "type=%d", type); /* it is gone again */
}

static void refuse_version(struct server *server, struct slice peer, const struct flow_head *head)
{
	server->counts.refused++;
	if (server->refused != head->version)
		log_err("worker.refused", "why=version ours=%u theirs=%u", WIRE_VERSION,
			head->version);
	server->refused = head->version;
	server_answer(server, peer, FLOW_REFUSED, server->epoch);
}

/* ---- hello ---- */

static struct lane *find_peer(const struct server *server, struct slice peer)
{
	struct lane *lane;

	HASH_FIND(hh, server->peers, peer.p, peer.n, lane);
	return lane;
}

static struct lane *find_life(const struct server *server, uint64_t life)
{
	struct lane *lane;

	TAILQ_FOREACH (lane, &server->lanes, link) {
		if (lane->hello.life == life)
			break;
	}
	return lane;
}

static void log_lane(const struct lane *lane, const char *how)
{
	log_notice("worker.welcomed", "number=%u slot=%u generation=%llu how=%s", lane->number,
		   lane->hello.slot, (unsigned long long)lane->hello.generation, how);
}

static bool has_successor(const struct server *server, const struct lane *lane)
{
	const struct lane *other;

	TAILQ_FOREACH (other, &server->lanes, link) {
		if (other->hello.slot == lane->hello.slot &&
		    other->hello.generation > lane->hello.generation)
			return true;
	}
	return false;
}

static void set_timer(struct event *ev, usec_t t)
{
	struct timeval tv = loop_timeval(t);

	if (event_add(ev, &tv) != 0)
		die("no timer for the lanes");
}

/*
 * A successor is there: either its predecessor drains, or it is dead and nobody has noticed. Only
 * the latter's socket is gone, so it is enough to say anything; ZeroMQ may take a moment, though.
 */
static void on_probe(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;
	struct lane *lane;
	bool any = false;

	(void)fd;
	(void)what;
	TAILQ_FOREACH (lane, &server->lanes, link) {
		if (lane->ending || !has_successor(server, lane))
			continue;
		lane_say(lane, FLOW_ALIVE, SLICE_NONE);
		any = true;
	}
	if (any && server->probes > 0 && --server->probes > 0)
		set_timer(&server->probe_ev, PROBE_PAUSE);
}

static void welcome_new(struct server *server, struct slice peer, const struct flow_hello *hello)
{
	struct roster_worker w = {
		.life = hello->life,
		.generation = hello->generation,
		.slot = hello->slot,
		.pid = zsock_peer_pid(server->z),
	};
	struct lane *lane;

	if (server->count >= LANES_MAX) {
		if (log_allowed(&server->log_strangers, 1, loop_now(server->loop),
				"worker.too_many"))
			log_err("worker.too_many", "lanes=%zu", server->count);
		return;
	}
	if (server->announced == 0)
		server->announced = MIN(MAX(hello->slots, 1U), LANES_MAX);
	lane = lane_new(server, peer, hello);
	lane->number = w.number = roster_number(server->roster, hello->life, hello->number);
	roster_add(server->roster, &w);
	log_lane(lane, hello->number == 0 ? "new" : "found");
	lane_welcome(lane);
	server->probes = PROBES;
	set_timer(&server->probe_ev, 0);
	server->ops->on_worker_new(server->ctx, lane);
}

static void welcome_back(struct server *server, struct lane *lane, struct slice peer,
			 const struct flow_head *head)
{
	bool knows_us = head->epoch == server->epoch;

	lane_set_peer(lane, peer);
	if (knows_us)
		lane_take(lane, head, SLICE_NONE);
	lane->heard = loop_now(server->loop);
	lane_welcome(lane);
	if (!knows_us || lane->ending)
		return; /* another hello before our welcome came there */
	log_lane(lane, "back");
	server->ops->on_worker_back(server->ctx, lane);
}

static void on_hello(struct server *server, struct slice peer, const struct flow_head *head,
		     struct slice message)
{
	struct flow_hello hello;
	struct lane *lane;

	if (!flow_hello_take(message, &hello))
		return;
	lane = find_life(server, hello.life);
	if (lane != NULL && !lane->ending)
		welcome_back(server, lane, peer, head);
	else if (lane != NULL || head->epoch == server->epoch ||
		 roster_gave_up(server->roster, hello.life))
		server_answer(server, peer, FLOW_RETIRED, head->epoch); /* it knows only that one */
	else
		welcome_new(server, peer, &hello);
}

static void on_message(void *ctx, struct slice peer, struct slice message)
{
	struct server *server = ctx;
	struct flow_head head;
	struct lane *lane;

	if (!flow_head_take(message, &head)) {
		if (log_allowed(&server->log_strangers, 1, loop_now(server->loop),
				"worker.nonsense"))
			log_warning("worker.nonsense", "bytes=%zu", message.n);
		return;
	}
	if (head.version != WIRE_VERSION) {
		refuse_version(server, peer, &head);
		return;
	}
	if (head.type == FLOW_HELLO) {
		on_hello(server, peer, &head, message);
		return;
	}
	lane = find_peer(server, peer);
	if (lane != NULL && head.epoch == server->epoch)
		lane_take(lane, &head, message);
	else if (head.type != FLOW_BYE)
		server_answer(server, peer, FLOW_WHO,
			      server->epoch); /* meant for the broker before us, or given up */
}

/* ---- the end of the turn ---- */

static void bury(struct server *server, struct lane *lane)
{
	log_write(lane->end == LANE_LEFT ? LOG_LEVEL_NOTICE : LOG_LEVEL_WARNING, "worker.gone",
		  "number=%u slot=%u generation=%llu how=%s held=%zu", lane->number,
		  lane->hello.slot, (unsigned long long)lane->hello.generation,
		  lane_end_name(lane->end), lane->flow.held);
	if (lane->end == LANE_LEFT)
		roster_remove(server->roster, lane->hello.life);
	else if (lane->flow.want == 1)
		roster_await(server->roster, lane->hello.life); /* it may not have heard us yet */
	else
		roster_give_up(server->roster, lane->hello.life);
	server_synced(server, lane); /* nobody waits for it any more */
	server->ops->on_worker_gone(server->ctx, lane, lane->end);
	lane_free(lane);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;
	struct lane *lane;
	bool later = false;

	(void)fd;
	(void)what;
	/* What the callbacks cause is done in the same round. */
	while ((lane = TAILQ_FIRST(&server->turn)) != NULL) {
		TAILQ_REMOVE(&server->turn, lane, turn);
		lane->on_turn = false;
		if (!lane->ending)
			lane_turn(lane);
		later = later || lane->owes_later;
		if (lane->ending)
			bury(server, lane);
	}
	server->turn_set = false;
	if (later && event_pending(&server->ack_ev, EV_TIMEOUT, NULL) == 0)
		set_timer(&server->ack_ev, FLOW_DELAY);
}

/* ---- time ---- */

static void on_ack_due(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;
	struct lane *lane;

	(void)fd;
	(void)what;
	TAILQ_FOREACH (lane, &server->lanes, link) {
		if (lane->owes_later && flow_owes(&lane->flow))
			lane_say(lane, FLOW_ALIVE, SLICE_NONE);
		lane->owes_later = false;
	}
}

static void on_beat(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;
	usec_t now = loop_now(server->loop);
	bool slept = now - server->beaten > 2 * server->heartbeat;
	struct lane *lane;

	(void)fd;
	(void)what;
	server->beaten = now;
	TAILQ_FOREACH (lane, &server->lanes, link) {
		/* Whoever has slept himself cannot say that others were silent. */
		if (slept)
			lane->heard = now;
		if (now > lane->heard + MISSED * server->heartbeat)
			lane_give_up(lane, LANE_SILENT);
		else
			lane_say(lane, FLOW_ALIVE, SLICE_NONE);
	}
}

/* ---- the life ---- */

static const struct zsock_ops callbacks = {.on_message = on_message};

static void open_events(struct server *server)
{
	struct event_base *base = loop_base(server->loop);
	struct timeval beat = loop_timeval(server->heartbeat);

	if (event_assign(&server->turn_ev, base, -1, 0, on_turn, server) != 0 ||
	    event_assign(&server->ack_ev, base, -1, 0, on_ack_due, server) != 0 ||
	    event_assign(&server->probe_ev, base, -1, 0, on_probe, server) != 0 ||
	    event_assign(&server->beat_ev, base, -1, EV_PERSIST, on_beat, server) != 0 ||
	    event_add(&server->beat_ev, &beat) != 0)
		die("no events for the lanes");
}

static void draw_epoch(struct server *server)
{
	while (server->epoch == 0) {
		if (getrandom(&server->epoch, sizeof(server->epoch), 0) !=
		    (ssize_t)sizeof(server->epoch))
			die("getrandom(): %s", strerror(errno));
	}
}

static int bind_all(struct server *server, const struct server_options *options)
{
	for (size_t i = 0; i < options->endpoint_count; i++) {
		int r = zsock_bind(server->z, options->endpoints[i]);

		if (r < 0) {
			log_err("broker.endpoint", "endpoint=%s error=%d", options->endpoints[i],
				-r);
			return r;
		}
	}
	return 0;
}

int server_new(struct loop *loop, const struct server_options *options,
	       const struct server_ops *ops, void *ctx, struct server **ret_server)
{
	struct server *server = NEW(struct server);
	int r;

	server->loop = loop;
	server->ops = ops;
	server->ctx = ctx;
	server->window = options->window;
	server->heartbeat = options->heartbeat;
	server->beaten = loop_now(loop);
	TAILQ_INIT(&server->lanes);
	TAILQ_INIT(&server->turn);
	draw_epoch(server);
	server->roster = roster_new(options->run_dir);
	server->z = zsock_new(loop, ZSOCK_ROUTER, FLOW_MESSAGE_MAX, &callbacks, server);
	open_events(server);
	r = bind_all(server, options);
	if (r < 0) {
		server_free(server);
		return r;
	}
	*ret_server = server;
	return 0;
}

void server_free(struct server *server)
{
	struct lane *lane;

	if (server == NULL)
		return;
	while ((lane = TAILQ_FIRST(&server->lanes)) != NULL)
		lane_free(lane);
	(void)event_del(&server->turn_ev); /* cannot fail: all were assigned */
	(void)event_del(&server->ack_ev);
	(void)event_del(&server->beat_ev);
	(void)event_del(&server->probe_ev);
	zsock_free(server->z, 0);
	roster_free(server->roster);
	free(server);
}

/* ---- what the owner asks ---- */

void server_drop(struct server *server, struct lane *lane)
{
	(void)server;
	lane_give_up(lane, LANE_DROPPED);
}

void server_synced(struct server *server, struct lane *lane)
{
	if (lane->synced)
		return;
	lane->synced = true;
	server->unsynced--;
	server->settled++;
}

size_t server_expected(const struct server *server)
{
	size_t wanted = MAX(server->announced, (size_t)1);

	if (roster_found(server->roster))
		return roster_awaited(server->roster) + server->unsynced;
	return MAX(wanted > server->settled ? wanted - server->settled : 0, server->unsynced);
}

uint64_t server_epoch(const struct server *server)
{
	return server->epoch;
}

struct lane *server_next(const struct server *server, const struct lane *after)
{
	return after != NULL ? TAILQ_NEXT(after, link) : TAILQ_FIRST(&server->lanes);
}

size_t server_count(const struct server *server)
{
	return server->count;
}

struct server_counts server_counts(const struct server *server)
{
	struct server_counts c = server->counts;
	const struct lane *lane;

	TAILQ_FOREACH (lane, &server->lanes, link) {
		c.resent += lane->flow.resent;
		c.repeated += lane->flow.repeated;
		c.gaps += lane->flow.gaps;
	}
	c.missed = zsock_missed(server->z);
	return c;
}
