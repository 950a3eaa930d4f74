/* POST /broadcasting/auth and /broadcasting/user-auth: may the user subscribe, or sign in? */
#include "broker/chat/chat_internal.h"

#define INFO_MAX 65536 /* a name with its escapes */

/*
 * Remembered for a socket that exists: who presents the signature there is identified by it, and it
 * can be taken back. A socket that does not exist can never present it.
 */
static bool remember(struct call *call)
{
	struct chat *c = call->chat;
	uint64_t conn = call_exclude(call);

	return conn == 0 || grants_add(c->grants, conn, call->channel, call->who);
}

static void grant(struct call *call)
{
	const struct chat *c = call->chat;
	struct buf info;

	if (!remember(call)) {
		call_fail(call, 429, 1);
		return;
	}
	buf_init(&info, INFO_MAX);
	encode_user(&info, c->options.integer_ids, call->who->user_id, call->who->user_name);
	if (buf_ok(&info))
		call_grant(call, buf_slice(&info), slice_starts(call->channel, SLICE("presence-")));
	else
		call_fail(call, 500, 0);
	buf_done(&info);
}

static void on_participant(void *ctx, enum chat_store_code code)
{
	struct call *call = ctx;
	struct chat_result r = {.code = code, .field = "", .why = ""};

	if (code == CHAT_STORE_OK)
		grant(call);
	else
		call_refuse(call, &r);
}

static void on_statement(void *ctx, const struct chat_result *r)
{
	struct call *call = ctx;

	if (r->code == CHAT_STORE_OK)
		grant(call);
	else if (r->code == CHAT_STORE_INVALID)
		call_fail(call, 403, 0); /* names that no row can hold */
	else
		call_refuse(call, r);
}

static void ask_statement(struct call *call)
{
	const struct chat_store *store = call->chat->store;

	if (store->may_subscribe == NULL)
		call_fail(call, 403, 0);
	else
		store->may_subscribe(store->self, call->rule.statement, call->who->user_id,
				     call->channel, on_statement, call);
}

void authorize_start(struct call *call)
{
	struct chat *c = call->chat;

	if (!call_within(call, c->authorization_rates, &c->options.authorizations))
		return;
	if (call->channel.n == 0) {
		grant(call);
		return;
	}
	rule_find(c->options.rules, c->options.nrules, call->channel, &call->rule);
	if (call->channel.n > LIMIT_CHANNEL_NAME)
		call->rule.kind = RULE_NONE;
	switch (call->rule.kind) {
	case RULE_AUTHENTICATED:
		grant(call);
		return;
	case RULE_OWNER:
		if (!slice_eq(call->rule.user, call->who->user_id))
			break;
		grant(call);
		return;
	case RULE_PARTICIPANT:
		if (call->rule.chat == 0)
			break;
		participant_ask(c, call->rule.chat, call->who->user_id, on_participant, call);
		return;
	case RULE_STATEMENT:
		ask_statement(call);
		return;
	case RULE_NONE:
	case RULE_DENY:
		break;
	}
	call_fail(call, 403, 0);
}
