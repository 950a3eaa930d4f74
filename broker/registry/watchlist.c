#include "broker/registry/watchlist.h"

#include <stdlib.h>

#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/base/map.h"

/* Of one frame: the lists of the configuration are far smaller. */
#define FRAME_MAX (16U << 20)

/* One watcher of one user. */
struct watch {
	TAILQ_ENTRY(watch) of_watched;
	struct watched *watched;
	struct watcher *watcher;
};

TAILQ_HEAD(watches, watch);

/* A user whom somebody watches. */
struct watched {
	UT_hash_handle hh;
	struct watches watches;
	TAILQ_ENTRY(watched) changing;
	bool online;
	bool told;    /* what watchers know */
	bool changes; /* is in the list of those that change */
	size_t n;
	char key[]; /* application, user id */
};

TAILQ_HEAD(watcheds, watched);

/* A connection that watches. */
struct watcher {
	UT_hash_handle hh;
	TAILQ_ENTRY(watcher) hearing;
	bool hears; /* is in the list of those to be told */
	uint64_t conn;
	uint32_t n;
	struct watch v[];
};

TAILQ_HEAD(watchers, watcher);

struct watchlist {
	const struct watchlist_ops *ops;
	void *ctx;
	usec_t window;
	usec_t due;
	struct watched *watched;
	struct watcher *watchers;
	struct watcheds changing;
	struct buf key;
	struct buf frame;
};

struct watchlist *watchlist_new(usec_t window, const struct watchlist_ops *ops, void *ctx)
{
	struct watchlist *w = NEW(struct watchlist);

	w->ops = ops;
	w->ctx = ctx;
	w->window = window;
	w->due = USEC_NEVER;
	TAILQ_INIT(&w->changing);
	buf_init(&w->key, 1 << 20);
	buf_init(&w->frame, FRAME_MAX);
	return w;
}

void watchlist_reload(struct watchlist *w, usec_t window)
{
	w->window = window;
}

/* ---- users ---- */

static struct slice key_of(struct watchlist *w, uint32_t app, struct slice user_id)
{
	buf_clear(&w->key);
	(void)buf_add(&w->key, slice_of(&app, sizeof(app)));
	(void)buf_add(&w->key, user_id); /* ids are bounded by the message that brought them */
	return buf_slice(&w->key);
}

static struct watched *find_watched(const struct watchlist *w, struct slice key)
{
	struct watched *u;

	HASH_FIND(hh, w->watched, key.p, key.n, u);
	return u;
}

static struct slice user_id_of(const struct watched *u)
{
	return slice_skip(slice_of(u->key, u->n), sizeof(uint32_t));
}

static struct watched *get_watched(struct watchlist *w, uint32_t app, struct slice user_id)
{
	struct slice key = key_of(w, app, user_id);
	struct watched *u = find_watched(w, key);

	if (u != NULL)
		return u;
	u = mem_zalloc(sizeof(*u) + key.n);
	TAILQ_INIT(&u->watches);
	u->n = key.n;
	memcpy(u->key, key.p, key.n);
	u->online = u->told = w->ops->is_online(w->ctx, app, user_id);
	HASH_ADD_KEYPTR(hh, w->watched, u->key, u->n, u);
	return u;
}

static void unwatch(struct watchlist *w, struct watch *watch)
{
	struct watched *u = watch->watched;

	TAILQ_REMOVE(&u->watches, watch, of_watched);
	if (!TAILQ_EMPTY(&u->watches))
		return;
	if (u->changes)
		TAILQ_REMOVE(&w->changing, u, changing);
	HASH_DELETE(hh, w->watched, u);
	free(u);
}

/* ---- frames ---- */

static void open_list(struct buf *frame, bool first, bool online)
{
	(void)buf_printf(frame, "%s{\"name\":\"%s\",\"user_ids\":[", first ? "" : ",",
			 online ? "online" : "offline");
}

/* Appends {"name":NAME,"user_ids":[...]} of the watched users in that state; nothing if none. */
static void put_list(struct watchlist *w, const struct watcher *watcher, bool online,
		     bool only_changed, bool *first)
{
	bool any = false;

	for (uint32_t i = 0; i < watcher->n; i++) {
		const struct watched *u = watcher->v[i].watched;

		if (u->online != online || (only_changed && (!u->changes || u->told == online)))
			continue;
		if (any)
			(void)buf_addc(&w->frame, ',');
		else
			open_list(&w->frame, *first, online);
		any = true;
		*first = false;
		(void)buf_json_str(&w->frame, user_id_of(u));
	}
	if (any)
		(void)buf_add(&w->frame, SLICE("]}"));
}

static void tell(struct watchlist *w, const struct watcher *watcher, bool only_changed)
{
	bool first = true;

	buf_clear(&w->frame);
	(void)buf_add(&w->frame, SLICE("{\"events\":["));
	put_list(w, watcher, true, only_changed, &first);
	put_list(w, watcher, false, only_changed, &first);
	(void)buf_add(&w->frame, SLICE("]}"));
	if (!first && buf_ok(&w->frame))
		w->ops->tell(w->ctx, watcher->conn, buf_slice(&w->frame));
}

/* ---- watchers ---- */

static struct watcher *find_watcher(const struct watchlist *w, uint64_t conn)
{
	struct watcher *watcher;

	HASH_FIND(hh, w->watchers, &conn, sizeof(conn), watcher);
	return watcher;
}

/* The watcher that is being made stands last with each user that it has already. */
static bool watches(const struct watcher *watcher, const struct watched *u)
{
	const struct watch *last = TAILQ_LAST(&u->watches, watches);

	return last != NULL && last->watcher == watcher;
}

void watchlist_set(struct watchlist *w, uint32_t app, uint64_t conn, const struct slice *ids,
		   size_t n, bool tell_now)
{
	struct watcher *watcher;

	watchlist_drop(w, conn);
	if (n == 0)
		return;
	watcher = mem_zalloc(sizeof(*watcher) + n * sizeof(watcher->v[0]));
	watcher->conn = conn;
	for (size_t i = 0; i < n; i++) {
		struct watched *u = get_watched(w, app, ids[i]);

		if (watches(watcher, u))
			continue;
		watcher->v[watcher->n].watched = u;
		watcher->v[watcher->n].watcher = watcher;
		TAILQ_INSERT_TAIL(&u->watches, &watcher->v[watcher->n], of_watched);
		watcher->n++;
	}
	HASH_ADD(hh, w->watchers, conn, sizeof(watcher->conn), watcher);
	if (tell_now)
		tell(w, watcher, false);
}

void watchlist_drop(struct watchlist *w, uint64_t conn)
{
	struct watcher *watcher = find_watcher(w, conn);

	if (watcher == NULL)
		return;
	HASH_DELETE(hh, w->watchers, watcher);
	for (uint32_t i = 0; i < watcher->n; i++)
		unwatch(w, &watcher->v[i]);
	free(watcher);
}

void watchlist_free(struct watchlist *w)
{
	if (w == NULL)
		return;
	while (w->watchers != NULL)
		watchlist_drop(w, w->watchers->conn);
	buf_done(&w->key);
	buf_done(&w->frame);
	free(w);
}

/* ---- changes ---- */

void watchlist_changed(struct watchlist *w, usec_t now, uint32_t app, struct slice user_id,
		       bool online)
{
	struct watched *u = find_watched(w, key_of(w, app, user_id));

	if (u == NULL)
		return;
	u->online = online;
	if (u->changes)
		return;
	if (TAILQ_EMPTY(&w->changing))
		w->due = now + w->window;
	u->changes = true;
	TAILQ_INSERT_TAIL(&w->changing, u, changing);
}

usec_t watchlist_deadline(const struct watchlist *w)
{
	return TAILQ_EMPTY(&w->changing) ? USEC_NEVER : w->due;
}

void watchlist_settle(struct watchlist *w)
{
	struct watched *u;

	while ((u = TAILQ_FIRST(&w->changing)) != NULL) {
		TAILQ_REMOVE(&w->changing, u, changing);
		u->changes = false;
		u->told = u->online;
	}
}

void watchlist_turn(struct watchlist *w, usec_t now)
{
	struct watchers hearing = TAILQ_HEAD_INITIALIZER(hearing);
	struct watcher *watcher;
	struct watched *u;
	struct watch *watch;

	if (now < watchlist_deadline(w))
		return;
	TAILQ_FOREACH (u, &w->changing, changing) {
		if (u->online == u->told)
			continue;
		TAILQ_FOREACH (watch, &u->watches, of_watched) {
			if (watch->watcher->hears)
				continue;
			watch->watcher->hears = true;
			TAILQ_INSERT_TAIL(&hearing, watch->watcher, hearing);
		}
	}
	TAILQ_FOREACH (watcher, &hearing, hearing) {
		watcher->hears = false;
		tell(w, watcher, true);
	}
	watchlist_settle(w);
}
