/*
 * The lists of members that workers keep (worker/hub/roster.h): the whole list when a worker
 * becomes interested in a channel and after it has told its state, each change in between.
 *
 * A broker that is not open knows only some of the members, so it tells of none.
 */
#include "broker/dispatch_internal.h"

#include "broker/channel_kind.h"
#include "broker/registry/presence.h"

/* ---- the whole list ---- */

static void list_member(void *ctx, struct slice user_id, struct slice user_info)
{
	struct buf *list = ctx;

	/* Bounded by the registry: it fits. */
	(void)(wire_list_add(list, user_id) && wire_list_add(list, user_info));
}

/* In d->record. */
static bool encode_members(struct dispatch *d, uint32_t app, struct slice channel)
{
	struct wire_members m = {
		.app = app,
		.channel = channel,
		.announce = registry_announces(d->parts.registry, app, channel),
	};
	bool fits;

	buf_clear(&d->body);
	registry_members(d->parts.registry, app, channel, list_member, &d->body);
	m.members = buf_slice(&d->body);
	fits = buf_ok(&d->body) && wire_encode_members(&d->record, &m);
	dispatch_body_done(d);
	return fits;
}

void dispatch_members(void *ctx, uint32_t worker, uint32_t app, struct slice channel)
{
	struct dispatch *d = ctx;

	dispatch_send(d, dispatch_peer(d, worker), WIRE_MEMBERS, encode_members(d, app, channel));
}

/* ---- to those that are interested ---- */

/* The record in d->record to each of them, or to the one worker. Clears it. */
static void send_interested(struct dispatch *d, uint32_t app, struct slice channel, uint8_t kind,
			    const struct peer *only)
{
	const struct interest *interest;
	uint32_t n;

	interest = registry_interest(d->parts.registry, app, channel, &n);
	for (uint32_t i = 0; i < n; i++) {
		const struct peer *p = dispatch_peer(d, interest[i].worker);

		if (p == NULL || p->lane == NULL || (only != NULL && p != only) ||
		    (kind == WIRE_MEMBERS && !p->synced))
			continue;
		server_send(d->parts.server, p->lane, kind, buf_slice(&d->record));
		d->counts.sent++;
	}
	dispatch_send(d, NULL, kind, true);
}

void dispatch_member(void *ctx, const struct registry_change *change)
{
	static const uint8_t ops[] = {
		[REGISTRY_ADDED] = WIRE_MEMBER_ADDED,
		[REGISTRY_REMOVED] = WIRE_MEMBER_REMOVED,
		[REGISTRY_CHANGED] = WIRE_MEMBER_CHANGED,
	};
	struct dispatch *d = ctx;
	struct wire_member m = {
		.app = change->app,
		.channel = change->channel,
		.op = ops[change->kind],
		.announce = change->announce,
		.user_id = change->user_id,
		.user_info = change->user_info,
		.exclude = change->exclude,
	};

	uint32_t n;

	if (!d->open)
		return;
	(void)registry_interest(d->parts.registry, change->app, change->channel, &n);
	if (n == 0)
		return;
	d->counts.presence_events += m.announce;
	if (wire_encode_member(&d->record, &m))
		send_interested(d, change->app, change->channel, WIRE_MEMBER, NULL);
	else
		dispatch_send(d, NULL, WIRE_MEMBER, false);
}

/* ---- after a resync ---- */

struct walk {
	struct dispatch *d;
	const struct peer *only;
};

static bool is_interested(const struct dispatch *d, uint32_t app, struct slice channel,
			  const struct peer *p)
{
	const struct interest *interest;
	uint32_t n;

	interest = registry_interest(d->parts.registry, app, channel, &n);
	for (uint32_t i = 0; i < n; i++)
		if (interest[i].worker == p->number)
			return true;
	return false;
}

static void tell_channel(void *ctx, uint32_t app, struct slice channel)
{
	const struct walk *w = ctx;
	struct dispatch *d = w->d;

	if (w->only != NULL && !is_interested(d, app, channel, w->only))
		return;
	if (encode_members(d, app, channel))
		send_interested(d, app, channel, WIRE_MEMBERS, w->only);
	else
		dispatch_send(d, NULL, WIRE_MEMBERS, false);
}

void dispatch_all_members(struct dispatch *d, const struct peer *p)
{
	struct walk w = {.d = d, .only = p};

	registry_presence(d->parts.registry, tell_channel, &w);
}

/* ---- what a worker knows of a broker before this one ---- */

/* An open broker knows who is there. */
void dispatch_members_again(struct dispatch *d, struct peer *p, const struct wire_members_again *m)
{
	struct slice list = m->members;
	struct slice user_id;
	struct slice user_info;

	(void)p;
	if (d->open || dispatch_app(d, m->app) == NULL || !channel_is_presence(m->channel))
		return;
	while (wire_list_next(&list, &user_id) && wire_list_next(&list, &user_info))
		registry_recall(d->parts.registry, d->now, m->app, m->channel, user_id, user_info);
}
