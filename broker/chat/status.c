/*
 * Who is shown as online: user.status.changed, and hiding.
 *
 * The registry says who is online; settings of the user, which have to be asked for, say whether it
 * shows. For each user whose state is in question or shown as online there is a struct status; what
 * it shows in the end is told, once a change. Questions are gathered while one is under way: after
 * an outage everybody comes at once.
 */
#include <stdlib.h>

#include "broker/chat/chat_internal.h"

#define BATCH 500

enum place { NOWHERE, QUEUED, ASKED, WAITING };

struct status {
	UT_hash_handle hh;
	TAILQ_ENTRY(status) entry; /* of the list that `place` names */
	struct chat *c;
	enum place place;
	bool shown;  /* was told as online */
	bool before; /* was online before this broker was: shown, unless hidden */
	bool again;  /* something changed while asked */
	bool unhide; /* the database has not taken it yet */
	bool unhiding;
	uint32_t id_n;
	char id[];
};

static struct slice id_of(const struct status *s)
{
	return slice_of(s->id, s->id_n);
}

static struct status *find(const struct chat *c, struct slice user_id)
{
	struct status *s = NULL;

	if (user_id.n > 0)
		HASH_FIND(hh, c->statuses, user_id.p, user_id.n, s);
	return s;
}

static struct status *status_of(struct chat *c, struct slice user_id)
{
	struct status *s = find(c, user_id);

	if (s != NULL)
		return s;
	s = mem_zalloc(sizeof(*s) + user_id.n);
	s->c = c;
	s->id_n = (uint32_t)user_id.n;
	memcpy(s->id, user_id.p, user_id.n);
	HASH_ADD(hh, c->statuses, id, s->id_n, s);
	return s;
}

static struct statuses *list_of(const struct status *s)
{
	struct chat *c = s->c;

	switch (s->place) {
	case QUEUED:
		return &c->statuses_queued;
	case ASKED:
		return &c->statuses_asked;
	case WAITING:
		return &c->statuses_waiting;
	case NOWHERE:
		break;
	}
	return NULL;
}

static void put(struct status *s, enum place place)
{
	struct statuses *from = list_of(s);
	struct statuses *to;

	if (from != NULL)
		TAILQ_REMOVE(from, s, entry);
	s->place = place;
	to = list_of(s);
	if (to != NULL)
		TAILQ_INSERT_TAIL(to, s, entry);
}

static void drop(struct status *s)
{
	put(s, NOWHERE);
	HASH_DELETE(hh, s->c->statuses, s);
	free(s);
}

static void release(struct status *s)
{
	if (s->place == NOWHERE && !s->shown && !s->before && !s->unhide && !s->unhiding)
		drop(s);
}

void status_free_all(struct chat *c)
{
	struct status *s;
	struct status *next;

	HASH_ITER(hh, c->statuses, s, next)
	drop(s);
}

/* ---- how somebody looks ---- */

static bool is_online(const struct chat *c, struct slice user_id)
{
	struct registry_user user;

	return registry_user(c->registry, c->options.app, user_id, &user);
}

/*
 * Who appears offline was last seen when that began. The memory knows of a leave before the
 * database does.
 */
void status_person(const struct chat *c, const struct chat_user_row *row, enum viewer viewer,
		   struct person *ret)
{
	bool hidden = row->hidden_since != 0;
	struct profile profile;
	bool may_see;

	(void)profiles_get(c->profiles, row->id, &profile);
	may_see = viewer == VIEWER_SELF || row->policy == CHAT_POLICY_EVERYONE ||
		  (viewer == VIEWER_CONTACT && row->policy == CHAT_POLICY_CONTACTS);
	*ret = (struct person){
		.id = row->id,
		.name = row->name,
		.is_online = !hidden && is_online(c, row->id),
	};
	if (may_see)
		ret->last_seen =
			hidden ? row->hidden_since : MAX(row->last_seen, profile.last_seen);
}

static void publish(struct chat *c, const struct person *p)
{
	struct buf *out = &c->data;

	buf_clear(out);
	(void)buf_add(out, SLICE("{\"user\":")); /* checked below */
	encode_person(out, c->options.integer_ids, p, false);
	(void)buf_addc(out, '}');
	if (!buf_ok(out))
		return;
	event_publish(c, SLICE("presence-users"), SLICE("user.status.changed"), buf_slice(out), 0,
		      0);
	event_publish(c, SLICE("presence-presence-users"), SLICE("user.status.changed"),
		      buf_slice(out), 0, EVENT_ALIAS);
}

/* What the broker before had told of somebody who was online then. */
static void recall(struct status *s, const struct chat_user_row *row)
{
	if (s->before)
		s->shown = row->hidden_since == 0;
	s->before = false;
}

/* Tells what changed, and only that. */
static void show(struct status *s, const struct chat_user_row *row)
{
	struct person person;

	status_person(s->c, row, VIEWER_ANYBODY, &person);
	if (person.is_online == s->shown)
		return;
	s->shown = person.is_online;
	publish(s->c, &person);
}

/* ---- shown again ---- */

static void on_unhidden(void *ctx, const struct chat_result *r, wall_us_t hidden_since)
{
	struct status *s = ctx;

	(void)hidden_since;
	s->unhiding = false;
	s->unhide = r->code == CHAT_STORE_UNAVAILABLE;
	if (s->unhide && s->place == NOWHERE)
		put(s, WAITING);
	if (s->unhide)
		chat_retry_later(s->c);
	release(s);
}

static void unhide(struct status *s)
{
	const struct chat_store *store = s->c->store;

	if (s->unhiding)
		return;
	s->unhiding = true;
	store->set_hidden(store->self, id_of(s), 0, on_unhidden, s);
}

struct oldest {
	const struct chat *c;
	wall_us_t opened_at; /* 0 = none */
};

static void on_conn(void *ctx, uint64_t conn, uint32_t worker)
{
	struct oldest *oldest = ctx;
	struct registry_conn row;

	(void)worker;
	if (registry_conn(oldest->c->registry, conn, &row) &&
	    (oldest->opened_at == 0 || row.opened_at < oldest->opened_at))
		oldest->opened_at = row.opened_at;
}

/* When the oldest of the user's connections was opened; 0 = there is none. */
static wall_us_t opened_at(const struct chat *c, struct slice user_id)
{
	struct oldest oldest = {.c = c};

	registry_user_conns(c->registry, c->options.app, user_id, false, on_conn, &oldest);
	return oldest.opened_at;
}

/*
 * Hidden until shown again, or until the user has been without a connection for offline_grace and a
 * new one opens. Times are those of the database and the connections, so that it holds across a
 * restart of the broker too.
 */
static bool is_over(const struct chat *c, const struct chat_user_row *row)
{
	struct profile profile;
	wall_us_t opened;
	wall_us_t left;

	(void)profiles_get(c->profiles, row->id, &profile);
	left = MAX(row->last_seen, profile.last_seen);
	if (row->hidden_since == 0 || left <= row->hidden_since)
		return false;
	opened = opened_at(c, row->id);
	return opened != 0 && opened - left >= (wall_us_t)c->options.offline_grace;
}

/* ---- asking ---- */

static void settle(struct status *s, const struct chat_user_row *row)
{
	struct chat *c = s->c;
	struct chat_user_row seen = *row;

	recall(s, row);
	if (s->unhide || is_over(c, row)) {
		seen.hidden_since = 0;
		s->unhide = true;
		profiles_put_hidden(c->profiles, id_of(s), 0);
	}
	show(s, &seen);
	if (s->unhide)
		unhide(s);
}

/* The database is away: what is remembered must do, if anything is. */
static void settle_from_memory(struct status *s)
{
	struct profile profile;
	struct chat_user_row row;

	put(s, WAITING);
	(void)profiles_get(s->c->profiles, id_of(s), &profile);
	if (!profile.settings)
		return; /* might be hidden */
	row = (struct chat_user_row){
		.id = id_of(s),
		.name = profile.name,
		.last_seen = profile.last_seen,
		.policy = profile.policy,
		.hidden_since = profile.hidden_since,
	};
	recall(s, &row);
	if (s->unhide || is_over(s->c, &row)) {
		row.hidden_since = 0;
		s->unhide = true;
	}
	show(s, &row);
}

static void take_rows(struct chat *c, const struct chat_user_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct status *s = find(c, rows[i].id);

		profiles_put(c->profiles, &rows[i]);
		if (s != NULL && s->place == ASKED && !s->again)
			settle(s, &rows[i]);
	}
}

static void on_users(void *ctx, const struct chat_result *r, const struct chat_user_row *rows,
		     size_t n)
{
	struct chat *c = ctx;
	struct status *s;

	take_rows(c, rows, n);
	while ((s = TAILQ_FIRST(&c->statuses_asked)) != NULL) {
		if (s->again) {
			put(s, QUEUED);
			s->again = false;
		} else if (r->code == CHAT_STORE_UNAVAILABLE) {
			settle_from_memory(s);
		} else {
			put(s, NOWHERE);
			s->before = false; /* also one whom the database does not know */
			release(s);
		}
	}
	if (r->code == CHAT_STORE_UNAVAILABLE)
		chat_retry_later(c);
	status_pump(c);
}

/* One question at a time, of all who have come meanwhile. */
void status_pump(struct chat *c)
{
	struct slice ids[BATCH];
	struct status *s;
	size_t n = 0;

	if (!TAILQ_EMPTY(&c->statuses_asked))
		return;
	while (n < BATCH && (s = TAILQ_FIRST(&c->statuses_queued)) != NULL) {
		put(s, ASKED);
		ids[n++] = id_of(s);
	}
	if (n > 0)
		c->store->users(c->store->self, ids, n, on_users, c);
}

void status_retry(struct chat *c)
{
	struct status *s;

	while ((s = TAILQ_FIRST(&c->statuses_waiting)) != NULL)
		put(s, QUEUED);
	status_pump(c);
}

void status_refresh(struct chat *c, struct slice user_id)
{
	struct status *s;

	if (user_id.n == 0 || user_id.n > LIMIT_USER_ID)
		return;
	s = status_of(c, user_id);
	if (s->place == ASKED)
		s->again = true;
	else
		put(s, QUEUED);
	status_pump(c);
}

/*
 * One whose connections are older than this broker was told as online by the broker before: nothing
 * has changed, and nobody is told.
 */
void status_online(struct chat *c, struct slice user_id)
{
	wall_us_t opened = opened_at(c, user_id);

	if (user_id.n == 0 || user_id.n > LIMIT_USER_ID)
		return;
	if (opened != 0 && opened < c->started_at && find(c, user_id) == NULL)
		status_of(c, user_id)->before = true;
	status_refresh(c, user_id);
}

void status_changed(struct chat *c, const struct chat_user_row *row)
{
	struct status *s = find(c, row->id);

	if (s == NULL && !is_online(c, row->id))
		return;
	s = status_of(c, row->id);
	s->unhide = s->unhide && row->hidden_since == 0;
	if (s->place == ASKED) {
		s->again = true;
		return;
	}
	put(s, NOWHERE);
	recall(s, row);
	show(s, row);
	release(s);
}
