#include "worker/api/channels.h"

#include "common/base/encode.h"
#include "common/base/limits.h"
#include "common/base/utf8.h"
#include "worker/api/answer.h"
#include "worker/api/api_internal.h"
#include "worker/api/info.h"
#include "worker/http/param.h"
#include "worker/pusher/channel_name.h"

#define TERMINATE SLICE("/terminate_connections")

static void refuse(const struct api_call *c, const char *text)
{
	answer_error(c->w, session_id(c->s), 400, slice_str(text));
}

/* A query parameter, decoded into `out`; empty when it is absent. */
static bool param(const struct api_call *c, struct slice name, struct buf *out)
{
	struct slice raw;

	buf_init(out, LIMIT_HTTP_LINE);
	(void)http_param_find(c->r->query, name, &raw);
	return percent_decode(out, raw, true) && utf8_valid(buf_slice(out));
}

/* False: it has a word that means nothing. */
static bool info_of(const struct api_call *c, uint8_t *ret_info)
{
	struct buf text;
	bool good = param(c, SLICE("info"), &text) && info_parse(buf_slice(&text), ret_info);

	buf_done(&text);
	return good;
}

static void ask(const struct api_call *c, struct wire_query *q)
{
	struct api_question question = {
		.kind = WIRE_QUERY, .req = worker_new_req(c->w), .done = answer_on_reply};

	buf_init(&question.body, 2 * (size_t)LIMIT_HTTP_LINE);
	q->req = question.req;
	q->app = c->app->index;
	question.encoded = wire_encode_query(&question.body, q);
	(void)api_ask(c, &question);
}

void channels_serve_list(const struct api_call *c)
{
	struct wire_query q = {.what = WIRE_QUERY_CHANNELS};
	struct buf prefix;

	if (!param(c, SLICE("filter_by_prefix"), &prefix)) {
		refuse(c, "Malformed filter_by_prefix");
	} else if (!info_of(c, &q.info) || (q.info & WIRE_INFO_CACHE) != 0) {
		refuse(c, "info may be user_count and subscription_count");
	} else if ((q.info & WIRE_INFO_USER_COUNT) != 0 &&
		   !slice_starts(buf_slice(&prefix), SLICE("presence-"))) {
		refuse(c, "user_count needs a filter_by_prefix that begins with presence-");
	} else {
		q.prefix = buf_slice(&prefix);
		ask(c, &q);
	}
	buf_done(&prefix);
}

/* The name in the path. False: answered. */
static bool name_of(const struct api_call *c, struct buf *name, enum channel_kind *ret_kind)
{
	size_t max = MIN(c->app->max_channel_name, (uint32_t)LIMIT_CHANNEL_NAME);
	struct buf text;

	buf_init(name, LIMIT_HTTP_LINE);
	if (percent_decode(name, c->match.segments[1], false) &&
	    channel_name_check(buf_slice(name), max, ret_kind) == CHANNEL_NAME_OK)
		return true;
	buf_init(&text, LIMIT_HTTP_LINE);
	(void)buf_add(&text, SLICE("Invalid channel name: "));
	(void)buf_add(&text, slice_first(c->match.segments[1], 3 * (size_t)LIMIT_CHANNEL_NAME));
	answer_error(c->w, session_id(c->s), 400, buf_slice(&text));
	buf_done(&text);
	return false;
}

void channels_serve_one(const struct api_call *c)
{
	struct wire_query q = {.what = WIRE_QUERY_CHANNEL};
	enum channel_kind kind;
	struct buf name;

	if (name_of(c, &name, &kind)) {
		if (!info_of(c, &q.info)) {
			refuse(c, "info may be user_count, subscription_count and cache");
		} else if ((q.info & WIRE_INFO_USER_COUNT) != 0 &&
			   !channel_kind_is_presence(kind)) {
			refuse(c, "user_count is only known of presence channels");
		} else if ((q.info & WIRE_INFO_CACHE) != 0 && !channel_kind_is_cache(kind)) {
			refuse(c, "cache is only known of cache channels");
		} else {
			q.channel = buf_slice(&name);
			ask(c, &q);
		}
	}
	buf_done(&name);
}

void channels_serve_users(const struct api_call *c)
{
	struct wire_query q = {.what = WIRE_QUERY_USERS};
	enum channel_kind kind;
	struct slice with_info;
	struct buf name;

	if (name_of(c, &name, &kind)) {
		if (channel_kind_is_presence(kind)) {
			(void)http_param_find(c->r->query, SLICE("with_user_info"), &with_info);
			if (slice_eq(with_info, SLICE("1")))
				q.info = WIRE_INFO_USER_INFO;
			q.channel = buf_slice(&name);
			ask(c, &q);
		} else {
			refuse(c, "Users are only known of presence channels");
		}
	}
	buf_done(&name);
}

void channels_serve_connections(const struct api_call *c)
{
	struct wire_query q = {.what = WIRE_QUERY_CONNECTIONS};

	ask(c, &q);
}

static void terminate(const struct api_call *c, struct slice user)
{
	struct api_question question = {
		.kind = WIRE_TERMINATE, .req = worker_new_req(c->w), .done = answer_on_reply};
	struct wire_terminate t = {.req = question.req, .app = c->app->index, .user_id = user};

	buf_init(&question.body, LIMIT_HTTP_LINE);
	question.encoded = wire_encode_terminate(&question.body, &t);
	(void)api_ask(c, &question);
}

/* A user id may hold slashes: the last segment is the verb. */
void channels_serve_terminate(const struct api_call *c)
{
	struct slice rest = c->match.segments[1];
	struct buf user;

	if (!slice_ends(rest, TERMINATE) || rest.n == TERMINATE.n) {
		answer_error(c->w, session_id(c->s), 404, SLICE_NONE);
		return;
	}
	buf_init(&user, LIMIT_HTTP_LINE);
	if (percent_decode(&user, slice_first(rest, rest.n - TERMINATE.n), false) &&
	    utf8_length(buf_slice(&user)) <= LIMIT_USER_ID)
		terminate(c, buf_slice(&user));
	else
		refuse(c, "Invalid user id");
	buf_done(&user);
}
