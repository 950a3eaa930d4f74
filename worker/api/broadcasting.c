#include "worker/api/broadcasting.h"

#include <stdlib.h>

#include "common/base/encode.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "common/json/scan.h"
#include "worker/api/answer.h"
#include "worker/api/api_internal.h"
#include "worker/api/invalid.h"
#include "worker/api/token.h"
#include "worker/http/param.h"
#include "worker/pusher/channel_name.h"

/* user_info of a member, its escapes and the signature. */
#define ANSWER_MAX (1U << 20)

/* What is to be signed when the broker agrees. */
struct grant {
	struct slice socket_id;
	struct slice channel; /* .p == NULL: sign in */
	char text[];
};

static struct grant *grant_new(struct slice socket_id, struct slice channel)
{
	struct grant *g = mem_alloc(sizeof(*g) + socket_id.n + channel.n);

	memcpy(g->text, socket_id.p, socket_id.n);
	if (channel.n > 0)
		memcpy(g->text + socket_id.n, channel.p, channel.n);
	g->socket_id = slice_of(g->text, socket_id.n);
	g->channel = channel.p != NULL ? slice_of(g->text + socket_id.n, channel.n) : SLICE_NONE;
	return g;
}

/* ---- signing ---- */

/* {"user_id":"7","user_info":{...}}, or with "id" for signing in. */
static void add_member(struct buf *out, struct slice id_name, const struct wire_authorized *m)
{
	(void)buf_addc(out, '{'); /* checked at the end of the whole answer */
	(void)buf_json_str(out, id_name);
	(void)buf_addc(out, ':');
	(void)buf_json_str(out, m->user_id);
	if (m->user_info.n > 0) {
		(void)buf_add(out, SLICE(",\"user_info\":"));
		(void)buf_add(out, m->user_info);
	}
	(void)buf_addc(out, '}');
}

static bool sign(const struct grant *g, const struct app *app, const struct wire_authorized *m,
		 struct buf *member, struct buf *auth, struct slice *ret_member_name)
{
	bool user = g->channel.p == NULL;

	*ret_member_name = user ? SLICE("user_data") : SLICE("channel_data");
	if (user || m->presence)
		add_member(member, user ? SLICE("id") : SLICE("user_id"), m);
	if (!buf_ok(member))
		return false;
	if (user)
		return pusher_user_auth(app->signer, g->socket_id, buf_slice(member), auth);
	return pusher_channel_auth(app->signer, g->socket_id, g->channel,
				   m->presence ? buf_slice(member) : SLICE_NONE, auth);
}

static void answer_signed(struct worker *w, uint64_t session, const struct grant *g,
			  const struct wire_authorized *m)
{
	const struct app *app = worker_chat_app(w);
	struct buf member;
	struct buf auth;
	struct buf out;
	struct slice name;

	buf_init(&member, ANSWER_MAX / 4);
	buf_init(&auth, 1024);
	buf_init(&out, ANSWER_MAX);
	if (app != NULL && sign(g, app, m, &member, &auth, &name)) {
		(void)buf_add(&out, SLICE("{\"auth\":"));
		(void)buf_json_str(&out, buf_slice(&auth));
		if (member.n > 0) {
			(void)buf_addc(&out, ',');
			(void)buf_json_str(&out, name);
			(void)buf_addc(&out, ':');
			(void)buf_json_str(&out, buf_slice(&member));
		}
		(void)buf_addc(&out, '}');
	}
	if (out.n > 0 && buf_ok(&out))
		answer_json(w, session, buf_slice(&out));
	else
		answer_unavailable(w, session); /* no secret: the application has just gone */
	buf_done(&member);
	buf_done(&auth);
	buf_done(&out);
}

static void on_authorized(struct worker *w, uint64_t session, void *ctx,
			  const struct worker_answer *a)
{
	struct grant *g = ctx;

	if (a->authorized != NULL)
		answer_signed(w, session, g, a->authorized);
	else
		answer_broker(w, session, a);
	free(g);
}

/* ---- the request ---- */

/* Two texts of the body; .p == NULL where there is none. */
struct form {
	struct buf text;
	struct slice socket_id;
	struct slice channel_name;
};

static void take_json(struct form *f, const struct json_field *field, struct invalid *bad,
		      struct slice *ret)
{
	if (!json_given(&field->value))
		return;
	if (json_is(&field->value, JSON_STRING))
		*ret = json_text(&field->value, &f->text);
	else
		invalid_add(bad, field->name, "must be a string.");
}

/* False: no JSON object. */
static bool read_json(struct form *f, struct slice body, struct invalid *bad)
{
	struct json_field fields[] = {
		{.name = SLICE_INIT("socket_id")},
		{.name = SLICE_INIT("channel_name")},
	};
	struct json_value root;

	if (!json_scan(body, &root) || !json_fields(&root, fields, 2, JSON_LAST_WINS))
		return false;
	json_scratch(&f->text, body.n);
	take_json(f, &fields[0], bad, &f->socket_id);
	take_json(f, &fields[1], bad, &f->channel_name);
	return true;
}

static void take_param(struct form *f, struct slice body, struct slice name, struct invalid *bad,
		       struct slice *ret)
{
	size_t from = f->text.n;
	struct slice raw;

	if (http_param_find(body, name, &raw) == 0)
		return;
	if (percent_decode(&f->text, raw, true) &&
	    utf8_valid(slice_of(f->text.p + from, f->text.n - from)))
		*ret = slice_of(f->text.p + from, f->text.n - from);
	else
		invalid_add(bad, name, "must be a string.");
}

static bool read_form(struct form *f, struct slice body, struct invalid *bad)
{
	struct slice type_json = slice_trim(body);

	/* No form begins so, and clients are careless about the type that they name. */
	if (type_json.n > 0 && type_json.p[0] == '{')
		return read_json(f, body, bad);
	json_scratch(&f->text, body.n);
	take_param(f, body, SLICE("socket_id"), bad, &f->socket_id);
	take_param(f, body, SLICE("channel_name"), bad, &f->channel_name);
	return true;
}

static void ask(const struct api_call *c, const struct token *token, const struct form *f)
{
	struct api_question question = {
		.kind = WIRE_AUTHORIZE,
		.req = worker_new_req(c->w),
		.done = on_authorized,
		.ctx = grant_new(f->socket_id, f->channel_name),
	};
	struct wire_authorize m = {
		.req = question.req,
		.token_id = token->id,
		.token_hash = slice_str(token->hash),
		.address = session_address(c->s),
		.socket_id = f->socket_id,
		.channel = f->channel_name,
	};

	buf_init(&question.body, LIMIT_HTTP_HEAD);
	question.encoded = wire_encode_authorize(&question.body, &m);
	if (!api_ask(c, &question))
		free(question.ctx);
}

static void serve(const struct api_call *c, bool channel)
{
	uint64_t id = session_id(c->s);
	enum channel_kind kind;
	struct token token;
	struct invalid bad;
	struct form f = {0};

	if (!token_read(c->r, &token)) {
		answer_error(c->w, id, 401, SLICE_NONE);
		return;
	}
	invalid_init(&bad);
	buf_init(&f.text, c->r->body.n + 1);
	if (!read_form(&f, c->r->body, &bad)) {
		answer_error(c->w, id, 400, SLICE("The body is not a JSON object."));
		goto out;
	}
	if (!channel)
		f.channel_name = SLICE_NONE;
	if (f.socket_id.n == 0)
		invalid_required(&bad, SLICE("socket_id"));
	else if (!socket_id_is_valid(f.socket_id))
		invalid_add(&bad, SLICE("socket_id"), "must be a socket id.");
	if (channel && f.channel_name.n == 0)
		invalid_required(&bad, SLICE("channel_name"));
	if (bad.n > 0)
		invalid_answer(&bad, c->w, id);
	else if (channel &&
		 channel_name_check(f.channel_name, LIMIT_CHANNEL_NAME, &kind) != CHANNEL_NAME_OK)
		answer_error(c->w, id, 403, SLICE_NONE); /* there is no such channel */
	else
		ask(c, &token, &f);
out:
	buf_done(&f.text);
	invalid_done(&bad);
}

void broadcasting_serve_channel(const struct api_call *c)
{
	serve(c, true);
}

void broadcasting_serve_user(const struct api_call *c)
{
	serve(c, false);
}
