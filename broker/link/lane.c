/* One worker, as the server sees it: its messages, what goes to it, how it ends. */
#include "broker/link/server_internal.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "common/base/mem.h"
#include "common/loop/loop.h"

/* ---- the life ---- */

static struct slice peer_of(const struct lane *lane)
{
	return slice_of(lane->peer, lane->peer_n);
}

static void forget_peer(struct lane *lane)
{
	if (lane->peer_n > 0)
		HASH_DELETE(hh, lane->server->peers, lane);
	lane->peer_n = 0;
}

void lane_set_peer(struct lane *lane, struct slice peer)
{
	struct server *server = lane->server;

	if (slice_eq(peer_of(lane), peer))
		return;
	forget_peer(lane);
	memcpy(lane->peer, peer.p, peer.n);
	lane->peer_n = (uint32_t)peer.n;
	HASH_ADD(hh, server->peers, peer, lane->peer_n, lane);
}

struct lane *lane_new(struct server *server, struct slice peer, const struct flow_hello *hello)
{
	struct lane *lane = NEW(struct lane);

	lane->server = server;
	lane->hello = *hello;
	lane->heard = loop_now(server->loop);
	flow_init(&lane->flow);
	STAILQ_INIT(&lane->held);
	lane_set_peer(lane, peer);
	TAILQ_INSERT_TAIL(&server->lanes, lane, link);
	server->count++;
	server->unsynced++;
	return lane;
}

static void drop_held(struct lane *lane)
{
	struct held *h = STAILQ_FIRST(&lane->held);

	STAILQ_REMOVE_HEAD(&lane->held, link);
	free(h);
}

void lane_free(struct lane *lane)
{
	struct server *server = lane->server;

	forget_peer(lane);
	TAILQ_REMOVE(&server->lanes, lane, link);
	if (lane->on_turn)
		TAILQ_REMOVE(&server->turn, lane, turn);
	server->count--;
	server->counts.resent += lane->flow.resent;
	server->counts.repeated += lane->flow.repeated;
	server->counts.gaps += lane->flow.gaps;
	while (!STAILQ_EMPTY(&lane->held))
		drop_held(lane);
	flow_done(&lane->flow);
	free(lane);
}

/* ---- out ---- */

void lane_schedule(struct lane *lane)
{
	struct server *server = lane->server;

	if (!lane->on_turn) {
		lane->on_turn = true;
		TAILQ_INSERT_TAIL(&server->turn, lane, turn);
	}
	if (!server->turn_set) {
		server->turn_set = true;
		event_active(&server->turn_ev, 0, 0);
	}
}

/* False: the worker's socket is gone, and so is the lane. */
static bool send_message(struct lane *lane, enum flow_type type, struct slice body)
{
	struct flow_head head = flow_head(&lane->flow, type, lane->server->epoch);
	char bytes[FLOW_HEAD];

	flow_head_put(bytes, &head);
	if (zsock_send(lane->server->z, peer_of(lane), slice_of(bytes, sizeof(bytes)), body) != 0) {
		lane_give_up(lane, LANE_LOST);
		return false;
	}
	return true;
}

void lane_say(struct lane *lane, enum flow_type type, struct slice body)
{
	if (!lane->ending && send_message(lane, type, body))
		flow_told(&lane->flow);
}

void lane_welcome(struct lane *lane)
{
	struct flow_hello info = lane->hello;
	char bytes[FLOW_HELLO_BYTES];

	info.number = lane->number;
	flow_hello_put(bytes, &info);
	lane_say(lane, FLOW_WELCOME, slice_of(bytes, sizeof(bytes)));
	/* Whatever is on the way has met a worker that was not yet ready to take it. */
	flow_rewind(&lane->flow);
	lane_schedule(lane);
}

static void send_records(struct lane *lane)
{
	struct flow_batch *b;

	while ((b = flow_out(&lane->flow)) != NULL) {
		if (!send_message(lane, FLOW_DATA, slice_of(b->bytes, b->n)))
			return;
		flow_sent(&lane->flow);
	}
}

void server_send(struct server *server, struct lane *lane, uint8_t kind, struct slice body)
{
	if (lane->ending)
		return;
	if (lane->flow.held >= server->window) {
		lane_give_up(lane, LANE_SLOW);
		return;
	}
	flow_push(&lane->flow, kind, body);
	server->counts.records_out++;
	if (lane->flow.held > server->window / 2 && !lane->paused) {
		lane->paused = true;
		log_debug("worker.paused", "number=%u held=%zu", lane->number, lane->flow.held);
	}
	lane_schedule(lane);
}

void lane_give_up(struct lane *lane, enum lane_end end)
{
	if (lane->ending)
		return;
	if (end != LANE_LEFT && end != LANE_LOST)
		server_answer(lane->server, peer_of(lane), FLOW_RETIRED, lane->server->epoch);
	lane->ending = true;
	lane->end = end;
	forget_peer(lane);
	lane_schedule(lane);
}

/* ---- in ---- */

static bool on_record(void *ctx, uint8_t kind, struct slice body)
{
	struct lane *lane = ctx;
	struct server *server = lane->server;

	server->counts.records_in++;
	server->ops->on_record(server->ctx, lane, kind, body);
	return !lane->ending && !lane->paused;
}

static struct held *hold_new(const struct flow_head *head, struct slice records)
{
	struct held *h = mem_alloc(sizeof(*h) + records.n);

	h->head = *head;
	h->n = records.n;
	if (records.n > 0)
		memcpy(h->records, records.p, records.n);
	return h;
}

/*
 * Keeps a message for later. Only what follows on the last one is kept, so all together is no more
 * than what the worker may have under way; the rest it sends again when it is asked.
 */
static void hold(struct lane *lane, const struct flow_head *head, struct slice records)
{
	uint64_t behind = head->seq + head->count;
	struct held *h;

	if (STAILQ_EMPTY(&lane->held))
		lane->held_next = lane->flow.want;
	if (head->seq > lane->held_next || behind <= lane->held_next)
		return;
	h = hold_new(head, records);
	STAILQ_INSERT_TAIL(&lane->held, h, link);
	lane->held_next = behind;
}

/* What is left of a message when the lane was paused in the middle of it. */
static void hold_rest(struct lane *lane, const struct flow_head *head, struct slice records)
{
	struct held *h;

	if (head->count == 0)
		return;
	h = hold_new(head, records);
	if (STAILQ_EMPTY(&lane->held))
		lane->held_next = head->seq + head->count;
	STAILQ_INSERT_HEAD(&lane->held, h, link);
}

static void take_records(struct lane *lane, struct flow_head head, struct slice records)
{
	switch (flow_take(&lane->flow, &head, &records, on_record, lane)) {
	case FLOW_IN_GAP:
		lane_say(lane, FLOW_AGAIN, SLICE_NONE);
		return;
	case FLOW_IN_BROKEN:
		lane_give_up(lane, LANE_BROKEN);
		return;
	case FLOW_IN_STOP:
		if (!lane->ending)
			hold_rest(lane, &head, records);
		break;
	case FLOW_IN_DONE:
		break;
	}
	lane_schedule(lane); /* for the acknowledgement */
}

static void take_held(struct lane *lane)
{
	struct held *h;

	while (!lane->paused && !lane->ending && (h = STAILQ_FIRST(&lane->held)) != NULL) {
		STAILQ_REMOVE_HEAD(&lane->held, link);
		take_records(lane, h->head, slice_of(h->records, h->n));
		free(h);
	}
}

static bool take_ack(struct lane *lane, uint64_t ack)
{
	struct server *server = lane->server;
	uint64_t before = lane->flow.acked;

	if (!flow_ack(&lane->flow, ack)) {
		lane_give_up(lane, LANE_BROKEN);
		return false;
	}
	if (lane->flow.acked != before)
		server->ops->on_acked(server->ctx, lane, lane->flow.acked);
	if (lane->paused && lane->flow.held <= server->window / 4) {
		lane->paused = false;
		lane_schedule(lane);
	}
	return !lane->ending;
}

void lane_take(struct lane *lane, const struct flow_head *head, struct slice message)
{
	struct slice records = slice_skip(message, FLOW_HEAD);

	lane->heard = loop_now(lane->server->loop);
	if (!take_ack(lane, head->ack))
		return;
	switch (head->type) {
	case FLOW_DATA:
		/* What is held goes first, also when it may be handled by now. */
		if (lane->paused || !STAILQ_EMPTY(&lane->held))
			hold(lane, head, records);
		else
			take_records(lane, *head, records);
		break;
	case FLOW_AGAIN:
		flow_rewind(&lane->flow);
		lane_schedule(lane);
		break;
	case FLOW_ALIVE:
		if (!lane->paused && STAILQ_EMPTY(&lane->held) &&
		    flow_behind(&lane->flow, head->seq))
			lane_say(lane, FLOW_AGAIN, SLICE_NONE);
		break;
	case FLOW_BYE:
		lane_give_up(lane, LANE_LEFT);
		break;
	default:
		break;
	}
}

void lane_turn(struct lane *lane)
{
	take_held(lane);
	if (!lane->ending)
		send_records(lane);
	if (lane->ending)
		return;
	if (flow_owes_much(&lane->flow))
		lane_say(lane, FLOW_ALIVE, SLICE_NONE);
	else if (flow_owes(&lane->flow))
		lane->owes_later = true;
}

/* ---- what the owner asks ---- */

uint32_t lane_number(const struct lane *lane)
{
	return lane->number;
}

unsigned lane_slot(const struct lane *lane)
{
	return lane->hello.slot;
}

uint64_t lane_generation(const struct lane *lane)
{
	return lane->hello.generation;
}

void lane_set_data(struct lane *lane, void *data)
{
	lane->data = data;
}

void *lane_data(const struct lane *lane)
{
	return lane->data;
}

uint64_t lane_mark(const struct lane *lane)
{
	return lane->flow.next;
}

uint64_t lane_acked(const struct lane *lane)
{
	return lane->flow.acked;
}

size_t lane_held(const struct lane *lane)
{
	return lane->flow.held;
}

const char *lane_end_name(enum lane_end end)
{
	static const char *const names[] = {
		[LANE_LEFT] = "left", [LANE_LOST] = "lost",	[LANE_SILENT] = "silent",
		[LANE_SLOW] = "slow", [LANE_BROKEN] = "broken", [LANE_DROPPED] = "dropped",
	};

	return names[end];
}
