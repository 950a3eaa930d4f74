/* What users ask about themselves and those they know: who am I, hiding, settings, who is online.
 */
#include <stdlib.h>

#include "broker/chat/chat_internal.h"

void info_handle(struct call *call)
{
	struct chat *c = call->chat;

	buf_clear(&c->body);
	encode_user(&c->body, c->options.integer_ids, call->who->user_id, call->who->user_name);
	call_reply(call, 200);
}

/* ---- the caller as a row ---- */

static const char *policy_name(enum chat_policy policy)
{
	static const char *const names[] = {
		[CHAT_POLICY_EVERYONE] = "everyone",
		[CHAT_POLICY_CONTACTS] = "contacts",
		[CHAT_POLICY_NOBODY] = "nobody",
	};

	return names[policy];
}

static void reply(struct call *call, const struct chat_user_row *row)
{
	struct chat *c = call->chat;
	struct buf *out = &c->body;
	struct person person;

	status_person(c, row, VIEWER_SELF, &person);
	buf_clear(out);
	(void)buf_add(out, SLICE("{\"user\":")); /* call_reply() checks */
	encode_person(out, c->options.integer_ids, &person, true);
	if (call->q.route == WIRE_CHAT_ME) {
		(void)buf_add(out, SLICE(",\"last_seen\":"));
		(void)buf_json_str(out, slice_str(policy_name(row->policy)));
	}
	(void)buf_add(out, SLICE("}}"));
	call_reply(call, 200);
}

static void on_self(void *ctx, const struct chat_result *r, const struct chat_user_row *rows,
		    size_t n)
{
	struct call *call = ctx;
	struct chat *c = call->chat;

	if (r->code != CHAT_STORE_OK) {
		call_refuse(call, r);
	} else if (n == 0) {
		call_fail(call, 403, 0); /* the user has just gone */
	} else {
		profiles_put(c->profiles, &rows[0]);
		status_changed(c, &rows[0]);
		reply(call, &rows[0]);
	}
}

static void ask_self(struct call *call, chat_users_fn done)
{
	const struct chat_store *store = call->chat->store;

	store->users(store->self, &call->who->user_id, 1, done, call);
}

/* ---- online-status ---- */

static void on_hidden(void *ctx, const struct chat_result *r, wall_us_t hidden_since)
{
	struct call *call = ctx;
	struct chat *c = call->chat;

	if (r->code != CHAT_STORE_OK) {
		call_refuse(call, r);
		return;
	}
	/* For others the user goes now, so that is when he was last seen. */
	if (hidden_since != 0 && (uint64_t)hidden_since == call->number)
		c->ops->last_seen(c->ctx, call->who->user_id, hidden_since);
	ask_self(call, on_self);
}

static void set_hidden(struct call *call, wall_us_t since)
{
	const struct chat_store *store = call->chat->store;

	call->number = (uint64_t)since;
	store->set_hidden(store->self, call->who->user_id, since, on_hidden, call);
}

/* Who is away already keeps the moment when he went. */
static void on_away(void *ctx, const struct chat_result *r, const struct chat_user_row *rows,
		    size_t n)
{
	struct call *call = ctx;
	struct chat *c = call->chat;

	if (r->code != CHAT_STORE_OK)
		call_refuse(call, r);
	else
		set_hidden(call, n > 0 && rows[0].last_seen != 0 ? rows[0].last_seen
								 : c->ops->wall(c->ctx));
}

void online_status_handle(struct call *call)
{
	struct chat *c = call->chat;
	struct registry_user user;

	if (call->q.flag != 0)
		set_hidden(call, 0);
	else if (registry_user(c->registry, c->options.app, call->who->user_id, &user))
		set_hidden(call, c->ops->wall(c->ctx));
	else
		ask_self(call, on_away);
}

/* ---- settings ---- */

static void on_policy(void *ctx, const struct chat_result *r)
{
	if (r->code == CHAT_STORE_OK)
		ask_self(ctx, on_self);
	else
		call_refuse(ctx, r);
}

void me_handle(struct call *call)
{
	static const enum chat_policy policies[] = {
		CHAT_POLICY_EVERYONE,
		CHAT_POLICY_CONTACTS,
		CHAT_POLICY_NOBODY,
	};
	const struct chat_store *store = call->chat->store;

	for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
		if (!slice_eq(call->q.name, slice_str(policy_name(policies[i]))))
			continue;
		store->set_policy(store->self, call->who->user_id, policies[i], on_policy, call);
		return;
	}
	call_invalid(call, SLICE("last_seen"), "must be everyone, contacts or nobody.");
}

/* ---- others ---- */

static void on_contacts(void *ctx, const struct chat_result *r, const struct chat_user_row *rows,
			size_t n)
{
	struct call *call = ctx;
	struct chat *c = call->chat;
	struct buf *out = &c->body;
	struct person person;

	if (r->code != CHAT_STORE_OK) {
		call_refuse(call, r);
		return;
	}
	buf_clear(out);
	(void)buf_add(out, SLICE("{\"data\":[")); /* call_reply() checks */
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			(void)buf_addc(out, ',');
		status_person(c, &rows[i], VIEWER_CONTACT, &person);
		encode_person(out, c->options.integer_ids, &person, false);
	}
	(void)buf_add(out, SLICE("]}"));
	call_reply(call, 200);
}

void users_online_handle(struct call *call)
{
	const struct chat_store *store = call->chat->store;
	struct slice *ids;
	size_t n;

	ids = call_ids(call, &n);
	if (n > call->chat->options.max_participants)
		call_invalid(call, SLICE("ids"), "has too many items.");
	else
		store->contacts(store->self, call->who->user_id, n > 0 ? ids : NULL, n,
				n > 0 ? (uint32_t)n : CHAT_CONTACTS_MAX, on_contacts, call);
	free(ids);
}
