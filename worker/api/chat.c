#include "worker/api/chat.h"

#include "common/base/limits.h"
#include "worker/api/answer.h"
#include "worker/api/api_internal.h"
#include "worker/api/chat_input.h"
#include "worker/api/connection_info.h"
#include "worker/api/token.h"
#include "worker/pusher/channel_name.h"

static void ask(const struct api_call *c, struct chat_input *in, const struct token *token)
{
	struct wire_chat_call *m = &in->call;
	struct slice socket_id = http_header(c->r, SLICE("X-Socket-ID"));
	struct api_question question = {
		.kind = WIRE_CHAT_CALL,
		.req = worker_new_req(c->w),
		.done = m->route == WIRE_CHAT_CONNECTION_INFO ? connection_info_on_reply
							      : answer_on_reply,
	};

	m->req = question.req;
	m->token_id = token->id;
	m->token_hash = slice_str(token->hash);
	m->address = session_address(c->s);
	if (socket_id_is_valid(socket_id))
		m->socket_id = socket_id; /* any other is ignored */
	m->invalid = invalid_body(&in->invalid);
	buf_init(&question.body, LIMIT_WIRE_RECORD);
	question.encoded = wire_encode_chat_call(&question.body, m);
	(void)api_ask(c, &question);
}

void chat_serve(const struct api_call *c)
{
	const struct chat_request from = {
		.route = (enum wire_chat)(c->match.id - API_CHAT),
		.segments = c->match.segments,
		.query = c->r->query,
		.body = c->r->body,
	};
	struct chat_input in;
	struct token token;

	if (!token_read(c->r, &token)) {
		answer_error(c->w, session_id(c->s), 401, SLICE_NONE);
		return;
	}
	chat_input_init(&in);
	if (chat_input_read(&in, &from, worker_conf(c->w)))
		ask(c, &in, &token);
	else
		answer_error(c->w, session_id(c->s), 400, SLICE("The body is not a JSON object."));
	chat_input_done(&in);
}
