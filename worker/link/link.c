#include "worker/link/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/loop/loop.h"
#include "common/loop/zsock.h"
#include "common/wire/flow.h"
#include "common/wire/wire.h"
#include "worker/link/pace.h"

#define MISSED 3		   /* heartbeats: the broker is away */
#define HELLO_FIRST 50000	   /* pause after the first hello; doubles */
#define HELLO_LAST USEC_PER_SEC	   /* the longest pause */
#define ENDPOINT_TIME USEC_PER_SEC /* without a welcome; then the next one is tried */
#define GOODBYE 200000		   /* most time for the last records and the goodbye */

enum state {
	SEEKING, /* says hello until it is welcomed */
	UP,
	RETIRED, /* for ever */
};

struct link {
	struct loop *loop;
	struct zsock *z;
	const struct link_ops *ops;
	void *ctx;
	struct flow flow;
	struct flow_hello hello;
	struct pace pace;
	struct event turn_ev;
	struct event later_ev; /* what may wait has waited */
	struct event beat_ev;
	struct event hello_ev;
	struct link_counts counts;
	char **endpoints;
	size_t endpoint_count;
	size_t endpoint; /* the one in use */
	usec_t tried;	 /* since when */
	uint64_t epoch;	 /* of the broker that has welcomed us last; 0 = none */
	uint64_t window;
	usec_t heartbeat;
	usec_t heard;  /* the last message of the broker */
	usec_t beaten; /* the last turn of the heartbeat's timer */
	usec_t pause;  /* before the next hello */
	uint64_t jitter;
	enum state state;
	uint16_t refused; /* by a broker of this version; 0 = not */
	bool turn_set;
	bool spoke; /* since the last heartbeat */
};

/* ---- out ---- */

static void set_timer(struct event *ev, usec_t t)
{
	struct timeval tv = loop_timeval(t);

	if (event_add(ev, &tv) != 0)
		die("no timer for the lane");
}

static void mark_turn(struct link *link)
{
	if (link->turn_set)
		return;
	link->turn_set = true;
	event_active(&link->turn_ev, 0, 0);
}

/* A message without records. Not sent when there is no connection: then a hello follows it. */
static void say(struct link *link, enum flow_type type, struct slice body)
{
	struct flow_head head = flow_head(&link->flow, type, link->epoch);
	char bytes[FLOW_HEAD];

	flow_head_put(bytes, &head);
	if (zsock_send(link->z, SLICE_NONE, slice_of(bytes, sizeof(bytes)), body) != 0)
		return;
	flow_told(&link->flow);
	link->spoke = true;
}

static void send_records(struct link *link)
{
	struct flow_batch *b;
	char bytes[FLOW_HEAD];

	while ((b = flow_out(&link->flow)) != NULL) {
		struct flow_head head = flow_head(&link->flow, FLOW_DATA, link->epoch);

		flow_head_put(bytes, &head);
		if (zsock_send(link->z, SLICE_NONE, slice_of(bytes, sizeof(bytes)),
			       slice_of(b->bytes, b->n)) != 0)
			break; /* the connection is lost; all is sent again after a welcome */
		flow_sent(&link->flow);
		link->spoke = true;
	}
	pace_sent(&link->pace, loop_now(link->loop));
}

/* All that the broker has not acknowledged. */
static void send_again(struct link *link)
{
	flow_rewind(&link->flow);
	pace_hurry(&link->pace);
	mark_turn(link);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct link *link = arg;

	(void)fd;
	(void)what;
	link->turn_set = false;
	if (link->state != UP)
		return;
	if (pace_is_due(&link->pace, loop_now(link->loop)))
		send_records(link);
	if (flow_owes_much(&link->flow))
		say(link, FLOW_ALIVE, SLICE_NONE);
	else if ((flow_owes(&link->flow) || pace_waits(&link->pace)) &&
		 !event_pending(&link->later_ev, EV_TIMEOUT, NULL))
		set_timer(&link->later_ev, FLOW_DELAY);
}

static void on_later(evutil_socket_t fd, short what, void *arg)
{
	struct link *link = arg;

	(void)fd;
	(void)what;
	if (link->state != UP)
		return;
	if (pace_waits(&link->pace))
		send_records(link);
	else if (flow_owes(&link->flow))
		say(link, FLOW_ALIVE, SLICE_NONE);
}

int link_send(struct link *link, uint8_t kind, struct slice body)
{
	if (link->state != UP)
		return -ENOTCONN;
	if (body.n > LIMIT_WIRE_RECORD)
		return -EMSGSIZE;
	if (link->flow.held >= link->window)
		return -ENOBUFS;
	flow_push(&link->flow, kind, body);
	pace_add(&link->pace, kind);
	link->counts.records_out++;
	mark_turn(link);
	return 0;
}

/* ---- looking for the broker ---- */

static int try_endpoint(struct link *link, size_t which)
{
	link->endpoint = which;
	link->tried = loop_now(link->loop);
	return zsock_connect(link->z, link->endpoints[which]);
}

/* An address that cannot be used is passed over in its turn. */
static void try_next(struct link *link)
{
	zsock_disconnect(link->z, link->endpoints[link->endpoint]);
	if (try_endpoint(link, (link->endpoint + 1) % link->endpoint_count) < 0)
		log_err("broker.endpoint", "endpoint=%s", link->endpoints[link->endpoint]);
}

static void say_hello(struct link *link)
{
	char bytes[FLOW_HELLO_BYTES];

	if (link->endpoint_count > 1 && loop_now(link->loop) - link->tried >= ENDPOINT_TIME)
		try_next(link);
	flow_hello_put(bytes, &link->hello);
	say(link, FLOW_HELLO, slice_of(bytes, sizeof(bytes)));
	/* Many workers lose a broker at once: half of the pause is left to chance. */
	link->jitter = link->jitter * 6364136223846793005ULL + 1442695040888963407ULL;
	set_timer(&link->hello_ev, link->pause / 2 + (link->jitter >> 33) % (link->pause / 2 + 1));
	link->pause = MIN(link->pause * 2, HELLO_LAST);
}

static void seek(struct link *link)
{
	link->pause = HELLO_FIRST;
	link->tried = loop_now(link->loop);
	say_hello(link);
}

static void on_hello_due(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	say_hello(arg);
}

static void lose(struct link *link)
{
	link->state = SEEKING;
	link->ops->on_down(link->ctx);
}

static void retire(struct link *link)
{
	link->state = RETIRED;
	(void)event_del(&link->hello_ev); /* cannot fail: both were assigned */
	(void)event_del(&link->beat_ev);
	link->ops->on_retired(link->ctx);
}

static void on_connection(void *ctx, bool up)
{
	struct link *link = ctx;

	if (link->state == UP && !up) {
		lose(link);
		seek(link);
	} else if (link->state == SEEKING && up) {
		seek(link);
	}
}

/* ---- in ---- */

static bool on_record(void *ctx, uint8_t kind, struct slice body)
{
	struct link *link = ctx;

	link->counts.records_in++;
	link->ops->on_record(link->ctx, kind, body);
	return link->state == UP;
}

/* The broker does not keep to the protocol: nothing that it says can be trusted. */
static void give_up(struct link *link, const char *why)
{
	log_err("broker.broken", "why=%s", why);
	retire(link);
}

static void welcomed(struct link *link, const struct flow_head *head, struct slice message)
{
	struct flow_hello info;
	bool fresh = head->epoch != link->epoch;

	if (!flow_hello_take(message, &info) || info.life != link->hello.life)
		return; /* the answer to somebody else */
	if (link->state == UP && fresh)
		lose(link);
	link->hello.number = info.number;
	link->refused = 0;
	if (fresh) {
		link->counts.resent += link->flow.resent;
		link->counts.repeated += link->flow.repeated;
		link->counts.gaps += link->flow.gaps;
		flow_done(&link->flow);
		flow_init(&link->flow);
		link->epoch = head->epoch;
	}
	if (!flow_ack(&link->flow, head->ack)) {
		give_up(link, "welcome");
		return;
	}
	send_again(link);
	(void)event_del(&link->hello_ev); /* cannot fail: it was assigned */
	if (link->state == UP)
		return; /* the answer to a second hello */
	link->state = UP;
	link->ops->on_up(link->ctx, fresh);
}

static void refused(struct link *link, uint16_t version)
{
	if (link->refused != version)
		log_err("broker.refused", "why=version ours=%u theirs=%u", WIRE_VERSION, version);
	link->refused = version;
}

static void take_data(struct link *link, const struct flow_head *data, struct slice message)
{
	struct slice records = slice_skip(message, FLOW_HEAD);
	struct flow_head head = *data;

	switch (flow_take(&link->flow, &head, &records, on_record, link)) {
	case FLOW_IN_GAP:
		say(link, FLOW_AGAIN, SLICE_NONE);
		break;
	case FLOW_IN_BROKEN:
		give_up(link, "records");
		break;
	case FLOW_IN_DONE:
	case FLOW_IN_STOP:
		mark_turn(link); /* for the acknowledgement */
		break;
	}
}

/* Messages of the broker that has welcomed us. */
static void on_lane_message(struct link *link, const struct flow_head *head, struct slice message)
{
	if (!flow_ack(&link->flow, head->ack)) {
		give_up(link, "acknowledgement");
		return;
	}
	switch (head->type) {
	case FLOW_DATA:
		take_data(link, head, message);
		break;
	case FLOW_AGAIN:
		send_again(link);
		break;
	case FLOW_ALIVE:
		if (flow_behind(&link->flow, head->seq))
			say(link, FLOW_AGAIN, SLICE_NONE);
		break;
	default:
		break;
	}
}

static void on_message(void *ctx, struct slice peer, struct slice message)
{
	struct link *link = ctx;
	struct flow_head head;

	(void)peer;
	if (link->state == RETIRED || !flow_head_take(message, &head))
		return;
	if (head.version != WIRE_VERSION) {
		refused(link, head.version);
		return;
	}
	link->heard = loop_now(link->loop);
	switch (head.type) {
	case FLOW_WELCOME:
		welcomed(link, &head, message);
		break;
	case FLOW_WHO:
		if (link->state != UP)
			break; /* a hello is under way */
		lose(link);
		seek(link);
		break;
	case FLOW_RETIRED:
		if (head.epoch == link->epoch)
			retire(link);
		break;
	default:
		if (link->state == UP && head.epoch == link->epoch)
			on_lane_message(link, &head, message);
		break;
	}
}

/* ---- time ---- */

static void on_beat(evutil_socket_t fd, short what, void *arg)
{
	struct link *link = arg;
	usec_t now = loop_now(link->loop);

	(void)fd;
	(void)what;
	/* Whoever has slept himself cannot say that the other was silent. */
	if (now - link->beaten > 2 * link->heartbeat)
		link->heard = now;
	link->beaten = now;
	if (link->state == UP && now - link->heard > MISSED * link->heartbeat) {
		log_warning("broker.silent", "ms=%llu",
			    (unsigned long long)((now - link->heard) / USEC_PER_MSEC));
		lose(link);
		seek(link);
	} else if (link->state == UP && !link->spoke) {
		say(link, FLOW_ALIVE, SLICE_NONE);
	}
	link->spoke = false;
}

/* ---- the life ---- */

static const struct zsock_ops callbacks = {
	.on_message = on_message,
	.on_connection = on_connection,
};

static void open_events(struct link *link)
{
	struct event_base *base = loop_base(link->loop);
	struct timeval beat = loop_timeval(link->heartbeat);

	if (event_assign(&link->turn_ev, base, -1, 0, on_turn, link) != 0 ||
	    event_assign(&link->later_ev, base, -1, 0, on_later, link) != 0 ||
	    event_assign(&link->hello_ev, base, -1, 0, on_hello_due, link) != 0 ||
	    event_assign(&link->beat_ev, base, -1, EV_PERSIST, on_beat, link) != 0 ||
	    event_add(&link->beat_ev, &beat) != 0)
		die("no events for the lane");
}

static void close_all(struct link *link, usec_t linger)
{
	(void)event_del(&link->turn_ev); /* cannot fail: all were assigned */
	(void)event_del(&link->later_ev);
	(void)event_del(&link->hello_ev);
	(void)event_del(&link->beat_ev);
	zsock_free(link->z, linger);
	flow_done(&link->flow);
	for (size_t i = 0; i < link->endpoint_count; i++)
		free(link->endpoints[i]);
	free(link->endpoints);
	free(link);
}

static void copy_endpoints(struct link *link, const struct link_options *options)
{
	link->endpoints = mem_calloc(options->endpoint_count, sizeof(char *));
	link->endpoint_count = options->endpoint_count;
	for (size_t i = 0; i < link->endpoint_count; i++)
		link->endpoints[i] = mem_strdup(options->endpoints[i]);
}

int link_new(struct loop *loop, const struct link_options *options, const struct link_ops *ops,
	     void *ctx, struct link **ret_link)
{
	struct link *link = NEW(struct link);
	int r;

	link->loop = loop;
	link->ops = ops;
	link->ctx = ctx;
	link->window = options->window;
	link->heartbeat = options->heartbeat;
	link->beaten = loop_now(loop);
	link->pause = HELLO_FIRST;
	link->hello = (struct flow_hello){
		.generation = options->generation,
		.slot = options->slot,
		.slots = options->slots,
	};
	if (getrandom(&link->hello.life, sizeof(link->hello.life), 0) !=
	    (ssize_t)sizeof(link->hello.life))
		die("getrandom(): %s", strerror(errno));
	link->jitter = link->hello.life;
	flow_init(&link->flow);
	open_events(link);
	link->z = zsock_new(loop, ZSOCK_DEALER, FLOW_MESSAGE_MAX, &callbacks, link);
	copy_endpoints(link, options);
	r = link->endpoint_count > 0 ? try_endpoint(link, 0) : -EINVAL;
	if (r < 0) {
		close_all(link, 0);
		return r;
	}
	set_timer(&link->hello_ev, HELLO_FIRST);
	*ret_link = link;
	return 0;
}

void link_free(struct link *link)
{
	bool up;

	if (link == NULL)
		return;
	up = link->state == UP;
	if (up) {
		send_records(link);
		say(link, FLOW_BYE, SLICE_NONE);
	}
	close_all(link, up ? GOODBYE : 0);
}

void link_hold(struct link *link, bool hold)
{
	zsock_hold(link->z, hold);
}

struct link_counts link_counts(const struct link *link)
{
	struct link_counts c = link->counts;

	c.resent += link->flow.resent;
	c.repeated += link->flow.repeated;
	c.gaps += link->flow.gaps;
	c.missed = zsock_missed(link->z);
	c.held = link->flow.held;
	return c;
}
