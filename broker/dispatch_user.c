/* Users: who signs in, and who wants to know of whom that they are online. */
#include "broker/dispatch_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "broker/registry/watchlist.h"
#include "common/base/mem.h"

#define CODE_WATCHLIST 4302

/* ---- watchlists ---- */

static bool is_online(void *ctx, uint32_t app, struct slice user_id)
{
	const struct dispatch *d = ctx;
	struct registry_user row;

	return registry_user(d->parts.registry, app, user_id, &row);
}

static void tell(void *ctx, uint64_t conn, struct slice data)
{
	struct dispatch *d = ctx;
	struct wire_to_conn m = {
		.conn = conn,
		.event = SLICE_INIT("pusher_internal:watchlist_events"),
		.data = data,
	};

	dispatch_send(d, dispatch_peer_of(d, conn), WIRE_TO_CONN,
		      wire_encode_to_conn(&d->record, &m));
}

const struct watchlist_ops dispatch_watchlist_ops = {.is_online = is_online, .tell = tell};

/* The signin stands; the worker sends one id more than may be used when there are too many. */
static void too_many(struct dispatch *d, struct peer *p, uint64_t conn)
{
	char text[128];

	(void)snprintf(text, sizeof(text),
		       "Watchlist limit exceeded. Only the first %u user IDs are accepted.",
		       d->options.max_watchlist);
	dispatch_error(d, p, conn, CODE_WATCHLIST, slice_str(text));
}

static void watch(struct dispatch *d, struct peer *p, uint32_t app, const struct wire_signin *m)
{
	const struct conf_app *conf = dispatch_app(d, app);
	size_t max = d->options.max_watchlist;
	struct slice list = m->watchlist;
	struct slice *ids;
	struct slice next;
	size_t n = 0;

	if (conf == NULL || !conf->watchlist)
		return;
	ids = mem_calloc(max + 1, sizeof(*ids));
	while (n < max && wire_list_next(&list, &ids[n]))
		n++;
	watchlist_set(d->watchlist, app, m->conn, ids, n, m->resync == 0);
	free(ids);
	if (m->resync == 0 && n == max && wire_list_next(&list, &next))
		too_many(d, p, m->conn);
}

/* ---- signin ---- */

static void signed_in(struct dispatch *d, struct peer *p, const struct wire_signin *s)
{
	struct wire_signed_in m = {.conn = s->conn, .user_data = s->user_data};

	dispatch_send(d, p, WIRE_SIGNED_IN, wire_encode_signed_in(&d->record, &m));
}

void dispatch_signin(struct dispatch *d, struct peer *p, const struct wire_signin *m)
{
	struct registry_conn row;
	bool was;

	if (!registry_conn(d->parts.registry, m->conn, &row))
		return; /* it is closing: nobody waits for the answer */
	was = row.user_id.n > 0;
	if (!registry_sign_in(d->parts.registry, d->now, m->conn, m->user_id)) {
		if (!m->resync)
			dispatch_error(d, p, m->conn, 4009,
				       SLICE("Connection is signed in as another user"));
		return;
	}
	dispatch_note_user(d, m->conn, was);
	if (!m->resync)
		signed_in(d, p, m);
	watch(d, p, row.app, m);
	if (dispatch_is_chat_app(d, row.app))
		chat_signed_in(d->parts.chat, d->now.mono, m->conn, m->user_id);
}
