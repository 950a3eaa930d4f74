#include "worker/members.h"

#include "common/base/limits.h"
#include "common/wire/wire.h"
#include "worker/pusher/encode.h"
#include "worker/worker_internal.h"
#include "worker/ws/frame.h"

/* The presence channel of a record; NULL: nobody here is in it any more. */
static struct channel *find(const struct worker *w, uint32_t index, struct slice name)
{
	struct app *app = apps_by_index(w->apps, index);
	struct channel *c = app != NULL ? hub_find(w->hub, app, name) : NULL;

	return c != NULL && channel_roster(c) != NULL ? c : NULL;
}

/* ---- to subscribers ---- */

/* What stands in w->out. */
static void deliver(struct worker *w, struct channel *c, uint64_t exclude)
{
	struct frame *f = ws_text_frame(buf_slice(&w->out));

	worker_out_done(w); /* receivers that are closed for their queue write there, too */
	(void)hub_deliver(w->hub, c, f, exclude, false);
	frame_unref(f);
}

static void announce_added(struct worker *w, struct channel *c, struct slice user_id,
			   struct slice user_info, uint64_t exclude)
{
	if (channel_count(c) == 0)
		return;
	pusher_encode_member_added(&w->out, channel_name(c), user_id, user_info);
	deliver(w, c, exclude);
}

static void announce_removed(struct worker *w, struct channel *c, struct slice user_id)
{
	if (channel_count(c) == 0)
		return;
	pusher_encode_member_removed(&w->out, channel_name(c), user_id);
	deliver(w, c, 0);
}

struct frame *members_snapshot(struct worker *w, struct channel *c)
{
	struct roster *r = channel_roster(c);
	struct slice ids;
	struct slice entries;
	struct frame *f;
	size_t begin;

	if (!roster_pieces(r, &ids, &entries))
		return NULL;
	pusher_encode_snapshot_begin(&w->out, channel_name(c));
	begin = w->out.n;
	pusher_encode_snapshot_end(&w->out, roster_count(r));

	struct slice parts[] = {
		slice_first(buf_slice(&w->out), begin), ids, PUSHER_SNAPSHOT_HASH, entries,
		slice_skip(buf_slice(&w->out), begin),
	};

	f = ids.n + entries.n <= LIMIT_FRAME - 4096 ? ws_text_frame_of(parts, ARRAY_LEN(parts))
						    : NULL;
	worker_out_done(w);
	return f;
}

/* ---- from the broker ---- */

void members_change(struct worker *w, const struct wire_member *m)
{
	struct channel *c = find(w, m->app, m->channel);
	struct roster *r = c != NULL ? channel_roster(c) : NULL;

	if (r == NULL)
		return;
	switch ((enum wire_member_op)m->op) {
	case WIRE_MEMBER_ADDED:
		if (roster_add(r, m->user_id, m->user_info) && m->announce != 0)
			announce_added(w, c, m->user_id, m->user_info, m->exclude);
		break;
	case WIRE_MEMBER_REMOVED:
		if (roster_remove(r, m->user_id) && m->announce != 0)
			announce_removed(w, c, m->user_id);
		break;
	case WIRE_MEMBER_CHANGED:
		roster_change(r, m->user_id, m->user_info);
		break;
	}
}

struct removing {
	struct worker *w;
	struct channel *c;
	bool announce;
};

static void remove_one(void *ctx, struct slice user_id, struct slice user_info)
{
	const struct removing *it = ctx;

	(void)user_info;
	if (it->announce)
		announce_removed(it->w, it->c, user_id);
	(void)roster_remove(channel_roster(it->c), user_id);
}

/* Who is missing goes first. */
void members_list(struct worker *w, const struct wire_members *m)
{
	struct removing removing = {.w = w, .c = find(w, m->app, m->channel)};
	struct channel *c = removing.c;
	struct slice list = m->members;
	struct slice user_id;
	struct slice user_info;

	if (c == NULL)
		return;
	hub_hold(c); /* the last receiver may go while it is told */
	removing.announce = m->announce != 0;
	roster_begin_marks(channel_roster(c));
	while (wire_list_next(&list, &user_id) && wire_list_next(&list, &user_info))
		roster_mark(channel_roster(c), user_id);
	roster_each_unmarked(channel_roster(c), remove_one, &removing);
	list = m->members;
	while (wire_list_next(&list, &user_id) && wire_list_next(&list, &user_info)) {
		if (roster_add(channel_roster(c), user_id, user_info) && removing.announce)
			announce_added(w, c, user_id, user_info, 0);
	}
	hub_release(w->hub, c);
}

/* ---- to a new broker ---- */

static void list_one(void *ctx, struct slice user_id, struct slice user_info)
{
	(void)(wire_list_add(ctx, user_id) && wire_list_add(ctx, user_info));
}

/* Those whom no subscription here makes a member. */
static bool tell(struct worker *w, struct channel *c)
{
	struct roster *r = channel_roster(c);
	struct wire_members_again m = {.app = channel_app(c)->index, .channel = channel_name(c)};
	struct buf list;
	bool told;

	if (apps_by_index(w->apps, m.app) != channel_app(c))
		return true; /* the application has gone */
	roster_begin_marks(r);
	for (uint32_t i = 0; i < channel_count(c); i++)
		roster_mark(r, sub_user_id(channel_sub(c, i)));
	buf_init(&list, LIMIT_WIRE_RECORD - 1024);
	roster_each_unmarked(r, list_one, &list);
	m.members = buf_slice(&list);
	told = list.n == 0 || worker_send_encoded(w, wire_encode_members_again(&w->record, &m),
						  WIRE_MEMBERS_AGAIN);
	buf_done(&list);
	return told;
}

bool members_tell(struct worker *w)
{
	for (struct channel *c = hub_next(w->hub, NULL); c != NULL; c = hub_next(w->hub, c)) {
		if (channel_roster(c) == NULL || channel_visit(c) == w->brokers)
			continue;
		if (!tell(w, c))
			return false;
		channel_set_visit(c, w->brokers);
	}
	return true;
}
