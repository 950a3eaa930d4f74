#include "broker/chat/chat.h"

#include <stdlib.h>

#include "broker/chat/chat_internal.h"

/* Buckets of one kind, users that are remembered. */
#define RATES_MAX 65536
#define PROFILES_MAX 65536

/* By enum wire_chat. */
static call_fn *const routes[] = {
	[WIRE_CHAT_CONNECTION_INFO] = info_handle,
	[WIRE_CHAT_ONLINE_STATUS] = online_status_handle,
	[WIRE_CHAT_TYPING] = typing_handle,
	[WIRE_CHAT_READ] = read_handle,
	[WIRE_CHAT_DELIVERED] = delivered_handle,
	[WIRE_CHAT_ACTIVE_CHATS] = active_chats_handle,
	[WIRE_CHAT_HISTORY] = history_handle,
	[WIRE_CHAT_SEND] = send_handle,
	[WIRE_CHAT_EDIT] = edit_handle,
	[WIRE_CHAT_DELETE] = delete_handle,
	[WIRE_CHAT_CREATE] = create_handle,
	[WIRE_CHAT_ADD_PARTICIPANT] = add_participant_handle,
	[WIRE_CHAT_REMOVE_PARTICIPANT] = remove_participant_handle,
	[WIRE_CHAT_RECEIPTS] = receipts_handle,
	[WIRE_CHAT_ME] = me_handle,
	[WIRE_CHAT_USERS_ONLINE] = users_online_handle,
};

/* ---- life ---- */

static struct tokens_options tokens_options_of(const struct chat_options *o)
{
	return (struct tokens_options){
		.cache = o->auth_cache,
		.grace = o->auth_cache_grace,
		.size = o->auth_cache_size,
	};
}

static void on_note(void *ctx, uint64_t conn, struct slice key, struct slice value)
{
	const struct chat *c = ctx;

	c->ops->note(c->ctx, conn, key, value);
}

struct chat *chat_new(const struct chat_options *options, const struct chat_store *store,
		      struct registry *registry, const struct chat_ops *ops, void *ctx)
{
	struct tokens_options tokens = tokens_options_of(options);
	struct chat *c = NEW(struct chat);

	c->options = *options;
	c->store = store;
	c->registry = registry;
	c->ops = ops;
	c->ctx = ctx;
	c->up = true; /* the store says when it is not, by its answers first */
	c->retry_at = USEC_NEVER;
	c->started_at = ops->wall(ctx);
	c->tokens = tokens_new(&tokens, store);
	c->grants = grants_new(on_note, c);
	c->profiles = profiles_new(PROFILES_MAX);
	c->typings = typings_new(indicator_tell, c);
	c->message_rates = rates_new(RATES_MAX);
	c->typing_rates = rates_new(RATES_MAX);
	c->receipt_rates = rates_new(RATES_MAX);
	c->authorization_rates = rates_new(RATES_MAX);
	c->failed_rates = rates_new(RATES_MAX);
	TAILQ_INIT(&c->calls);
	TAILQ_INIT(&c->asks);
	TAILQ_INIT(&c->memories);
	c->activity = activity_new();
	TAILQ_INIT(&c->syncs);
	TAILQ_INIT(&c->syncs_asked);
	TAILQ_INIT(&c->checks);
	TAILQ_INIT(&c->reviews);
	TAILQ_INIT(&c->reviews_asked);
	TAILQ_INIT(&c->statuses_queued);
	TAILQ_INIT(&c->statuses_asked);
	TAILQ_INIT(&c->statuses_waiting);
	buf_init(&c->body, CHAT_BODY_MAX);
	buf_init(&c->data, CHAT_BODY_MAX);
	buf_init(&c->small, CHAT_BODY_MAX);
	return c;
}

void chat_free(struct chat *c)
{
	if (c == NULL)
		return;
	call_free_all(c);
	participant_free_all(c);
	activity_free_all(c);
	sync_free_all(c);
	recheck_free_all(c);
	review_free_all(c);
	status_free_all(c);
	tokens_free(c->tokens);
	grants_free(c->grants);
	profiles_free(c->profiles);
	typings_free(c->typings);
	rates_free(c->message_rates);
	rates_free(c->typing_rates);
	rates_free(c->receipt_rates);
	rates_free(c->authorization_rates);
	rates_free(c->failed_rates);
	buf_done(&c->body);
	buf_done(&c->data);
	buf_done(&c->small);
	free(c);
}

void chat_reload(struct chat *c, const struct chat_options *options)
{
	struct tokens_options tokens = tokens_options_of(options);

	c->options = *options;
	tokens_reload(c->tokens, &tokens);
}

/* ---- time ---- */

static void pump(struct chat *c)
{
	c->retry_at = USEC_NEVER;
	recheck_pump(c);
	review_pump(c);
	sync_pump(c);
	status_retry(c);
}

static void enter(struct chat *c, usec_t now)
{
	c->now = MAX(c->now, now);
	if (c->now >= c->retry_at)
		pump(c);
}

void chat_retry_later(struct chat *c)
{
	if (c->retry_at == USEC_NEVER)
		c->retry_at = c->now + CHAT_RETRY;
}

usec_t chat_deadline(const struct chat *c)
{
	usec_t typing = typings_deadline(c->typings);

	return MIN(typing, c->retry_at);
}

void chat_turn(struct chat *c, usec_t now)
{
	enter(c, now);
	typings_turn(c->typings, c->now);
}

/* ---- questions of HTTP ---- */

static void no_route(struct call *call)
{
	call_fail(call, 404, 0);
}

void chat_call(struct chat *c, usec_t now, const struct chat_call *call, chat_answer_fn *done,
	       void *ctx)
{
	call_fn *next = call->route < ARRAY_LEN(routes) ? routes[call->route] : NULL;

	enter(c, now);
	call_start(c, call, SLICE_NONE, next != NULL ? next : no_route, done, ctx);
}

void chat_authorize(struct chat *c, usec_t now, const struct chat_caller *caller,
		    struct slice channel, chat_answer_fn *done, void *ctx)
{
	struct chat_call call = {.caller = *caller};

	enter(c, now);
	call_start(c, &call, channel, authorize_start, done, ctx);
}

/* ---- connections ---- */

void chat_subscribing(struct chat *c, usec_t now, uint64_t conn, struct slice channel,
		      bool authorised, struct chat_admission *ret)
{
	const struct identity *who;
	struct rule_match match;

	enter(c, now);
	*ret = (struct chat_admission){.allowed = !grants_refused(c->grants, conn, channel)};
	rule_find(c->options.rules, c->options.nrules, channel, &match);
	if (match.kind == RULE_DENY && !authorised)
		ret->allowed = false;
	if (!ret->allowed || !authorised || slice_starts(channel, SLICE("presence-")))
		return;
	who = grants_user(c->grants, conn, channel);
	if (who != NULL)
		ret->user_id = who->user_id;
}

/* The connection lives by the token that was shown for what it has just presented. */
static void note_token(struct chat *c, uint64_t conn, struct slice channel, struct slice user_id)
{
	const struct identity *who = grants_user(c->grants, conn, channel);

	if (who != NULL && slice_eq(who->user_id, user_id))
		grants_identified(c->grants, conn, who);
}

void chat_subscribed(struct chat *c, usec_t now, uint64_t conn, struct slice user_id,
		     struct slice channel)
{
	static const struct slice prefix = SLICE_INIT("private-chat.");
	unsigned long long chat;

	enter(c, now);
	if (user_id.n > 0)
		note_token(c, conn, channel, user_id);
	if (slice_starts(channel, prefix) && slice_to_u64(slice_skip(channel, prefix.n), &chat) &&
	    chat > 0 && chat <= RULE_CHAT_MAX)
		sync_add(c, conn, channel, chat, user_id);
}

void chat_left(struct chat *c, usec_t now, struct slice user_id, struct slice channel)
{
	uint64_t chat = indicator_chat(channel);

	enter(c, now);
	if (chat != 0)
		typings_stop(c->typings, chat, user_id, 0);
}

void chat_signed_in(struct chat *c, usec_t now, uint64_t conn, struct slice user_id)
{
	struct registry_conn row;

	enter(c, now);
	if (registry_conn(c->registry, conn, &row) && slice_eq(row.user_id, user_id))
		note_token(c, conn, SLICE_NONE, user_id);
	if (grants_refused(c->grants, conn, SLICE_NONE))
		c->ops->close(c->ctx, conn, 4009, SLICE("Connection is no longer authorised"));
}

void chat_conn_closed(struct chat *c, usec_t now, uint64_t conn)
{
	enter(c, now);
	grants_conn_closed(c->grants, conn);
}

static void on_recalled(void *ctx, struct slice user_id, struct slice channel)
{
	struct chat *c = ctx;
	struct rule_match match;

	rule_find(c->options.rules, c->options.nrules, channel, &match);
	if (match.kind == RULE_PARTICIPANT && match.chat != 0)
		review_add(c, match.chat, user_id);
}

void chat_recalled(struct chat *c, usec_t now, uint64_t conn, struct slice key, struct slice value)
{
	enter(c, now);
	grants_recall(c->grants, conn, key, value, on_recalled, c);
}

void chat_all_recalled(struct chat *c, usec_t now)
{
	enter(c, now);
	c->all_recalled = true;
	recheck_pump(c);
	review_pump(c);
}

void chat_user_unconnected(struct chat *c, usec_t now, struct slice user_id, wall_us_t at)
{
	enter(c, now);
	profiles_put_seen(c->profiles, user_id, at);
	typings_stop_all(c->typings, user_id);
}

void chat_user_online(struct chat *c, usec_t now, struct slice user_id)
{
	enter(c, now);
	status_online(c, user_id);
}

void chat_user_offline(struct chat *c, usec_t now, struct slice user_id, wall_us_t last_seen)
{
	enter(c, now);
	profiles_put_seen(c->profiles, user_id, last_seen);
	status_refresh(c, user_id);
}

/* ---- what the database says ---- */

void chat_token_changed(struct chat *c, usec_t now, struct slice token_id)
{
	unsigned long long id;

	enter(c, now);
	tokens_changed(c->tokens, token_id);
	if (slice_to_u64(token_id, &id) && id <= INT64_MAX)
		grants_suspect(c->grants, (int64_t)id);
	else
		grants_suspect_all(c->grants);
	recheck_pump(c);
}

void chat_participant_removed(struct chat *c, usec_t now, uint64_t chat, struct slice user_id)
{
	enter(c, now);
	participant_changed(c, chat, user_id);
	review_add(c, chat, user_id);
	review_pump(c);
}

void chat_store_changed(struct chat *c, usec_t now, bool up)
{
	enter(c, now);
	c->up = up;
	tokens_store_changed(c->tokens, up);
	if (up)
		pump(c);
}

void chat_stats(const struct chat *c, struct chat_stats *ret)
{
	*ret = c->stats;
	ret->tokens_cached = tokens_count(c->tokens);
	ret->grants = grants_count(c->grants);
	ret->typing = typings_count(c->typings);
}
