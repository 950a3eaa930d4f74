/* A chat and a database that have nothing to say, and clients that need no word: for model_resync.
 */
#include "broker/dispatch.h"
#include "worker/api/api.h"
#include "worker/session_internal.h"

void chat_authorize(struct chat *c, usec_t now, const struct chat_caller *caller,
		    struct slice channel, chat_answer_fn *done, void *ctx)
{
	(void)c, (void)now, (void)caller, (void)channel, (void)done, (void)ctx;
}

void chat_call(struct chat *c, usec_t now, const struct chat_call *call, chat_answer_fn *done,
	       void *ctx)
{
	(void)c, (void)now, (void)call, (void)done, (void)ctx;
}

void chat_subscribing(struct chat *c, usec_t now, uint64_t conn, struct slice channel,
		      bool authorised, struct chat_admission *ret)
{
	(void)c, (void)now, (void)conn, (void)channel, (void)authorised;
	*ret = (struct chat_admission){.allowed = true};
}

void chat_subscribed(struct chat *c, usec_t now, uint64_t conn, struct slice user_id,
		     struct slice channel)
{
	(void)c, (void)now, (void)conn, (void)user_id, (void)channel;
}

void chat_left(struct chat *c, usec_t now, struct slice user_id, struct slice channel)
{
	(void)c, (void)now, (void)user_id, (void)channel;
}

void chat_signed_in(struct chat *c, usec_t now, uint64_t conn, struct slice user_id)
{
	(void)c, (void)now, (void)conn, (void)user_id;
}

void chat_conn_closed(struct chat *c, usec_t now, uint64_t conn)
{
	(void)c, (void)now, (void)conn;
}

void chat_user_unconnected(struct chat *c, usec_t now, struct slice user_id, wall_us_t at)
{
	(void)c, (void)now, (void)user_id, (void)at;
}

void chat_user_online(struct chat *c, usec_t now, struct slice user_id)
{
	(void)c, (void)now, (void)user_id;
}

void chat_user_offline(struct chat *c, usec_t now, struct slice user_id, wall_us_t last_seen)
{
	(void)c, (void)now, (void)user_id, (void)last_seen;
}

void chat_recalled(struct chat *c, usec_t now, uint64_t conn, struct slice key, struct slice value)
{
	(void)c, (void)now, (void)conn, (void)key, (void)value;
}

void chat_all_recalled(struct chat *c, usec_t now)
{
	(void)c, (void)now;
}

void chat_token_changed(struct chat *c, usec_t now, struct slice token_id)
{
	(void)c, (void)now, (void)token_id;
}

void chat_participant_removed(struct chat *c, usec_t now, uint64_t chat, struct slice user_id)
{
	(void)c, (void)now, (void)chat, (void)user_id;
}

void chat_store_changed(struct chat *c, usec_t now, bool up)
{
	(void)c, (void)now, (void)up;
}

usec_t chat_deadline(const struct chat *c)
{
	(void)c;
	return USEC_NEVER;
}

void chat_turn(struct chat *c, usec_t now)
{
	(void)c, (void)now;
}

/* ---- the database ---- */

struct mirror *store_mirror(struct store *s)
{
	(void)s;
	return NULL;
}

void store_events_allow(struct store *s, bool allow)
{
	(void)s, (void)allow;
}

void store_events_done(struct store *s)
{
	(void)s;
}

void mirror_conn_put(struct mirror *m, const struct mirror_conn *row)
{
	(void)m, (void)row;
}

void mirror_conn_del(struct mirror *m, uint32_t worker, uint64_t conn)
{
	(void)m, (void)worker, (void)conn;
}

void mirror_member_put(struct mirror *m, const struct mirror_member *row)
{
	(void)m, (void)row;
}

void mirror_member_del(struct mirror *m, uint32_t worker, uint64_t conn, struct slice channel)
{
	(void)m, (void)worker, (void)conn, (void)channel;
}

void mirror_user_put(struct mirror *m, const struct mirror_user *row)
{
	(void)m, (void)row;
}

void mirror_user_del(struct mirror *m, struct slice app, struct slice user_id)
{
	(void)m, (void)app, (void)user_id;
}

void mirror_last_seen(struct mirror *m, struct slice app, struct slice user_id, wall_us_t at)
{
	(void)m, (void)app, (void)user_id, (void)at;
}

void mirror_worker_gone(struct mirror *m, uint32_t worker)
{
	(void)m, (void)worker;
}

/* ---- the worker's clients and handlers ---- */

void session_pusher_go_on(struct session *s)
{
	(void)s;
}

void session_ws_release(struct session *s)
{
	(void)s;
}

void api_release(struct worker *w)
{
	(void)w;
}
