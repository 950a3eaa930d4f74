#include "worker/pusher/decode.h"

#include "common/json/scan.h"

#define CLIENT_PREFIX SLICE("client-")

/* The text of a string, or .p == NULL; never NULL for a string. */
static struct slice text_or_none(const struct json_value *v, struct buf *scratch)
{
	struct slice s;

	if (!json_is(v, JSON_STRING))
		return SLICE_NONE;
	s = json_text(v, scratch);
	return s.p != NULL ? s : SLICE("");
}

/* An object, or a string that holds one (other libraries encode twice). */
static bool control_data(const struct json_value *data, struct buf *scratch,
			 struct json_value *ret_object)
{
	if (json_is(data, JSON_STRING))
		return json_scan(json_text(data, scratch), ret_object) &&
		       json_is(ret_object, JSON_OBJECT);
	*ret_object = *data;
	return json_is(data, JSON_OBJECT);
}

static bool decode_subscribe(const struct json_value *data, struct buf *scratch,
			     struct pusher_cmd *cmd, enum pusher_error_id *err_error)
{
	struct json_value object;
	struct json_field f[] = {{.name = SLICE_INIT("channel")},
				 {.name = SLICE_INIT("auth")},
				 {.name = SLICE_INIT("channel_data")}};

	*err_error = PUSHER_ERR_NO_CHANNEL;
	if (!control_data(data, scratch, &object) ||
	    !json_fields(&object, f, ARRAY_LEN(f), JSON_LAST_WINS))
		return false;
	cmd->channel = text_or_none(&f[0].value, scratch);
	cmd->auth = text_or_none(&f[1].value, scratch);
	cmd->channel_data = text_or_none(&f[2].value, scratch);
	cmd->channel_data_wrong = json_given(&f[2].value) && !json_is(&f[2].value, JSON_STRING);
	return cmd->channel.p != NULL;
}

/* What is missing or wrong here stays absent: the signature cannot be good then. */
static void decode_signin(const struct json_value *data, struct buf *scratch,
			  struct pusher_cmd *cmd)
{
	struct json_value object;
	struct json_field f[] = {{.name = SLICE_INIT("auth")}, {.name = SLICE_INIT("user_data")}};

	if (!control_data(data, scratch, &object) ||
	    !json_fields(&object, f, ARRAY_LEN(f), JSON_LAST_WINS))
		return;
	cmd->auth = text_or_none(&f[0].value, scratch);
	cmd->user_data = text_or_none(&f[1].value, scratch);
}

static bool decode_client_event(const struct json_value *data, const struct json_value *channel,
				struct buf *scratch, struct pusher_cmd *cmd,
				enum pusher_error_id *err_error)
{
	*err_error = PUSHER_ERR_EVENT_NO_CHANNEL;
	cmd->kind = PUSHER_CMD_CLIENT_EVENT;
	cmd->channel = text_or_none(channel, scratch);
	if (json_is(data, JSON_STRING))
		cmd->data = text_or_none(data, scratch);
	else
		cmd->data = json_is(data, JSON_NONE) ? SLICE("null") : data->raw;
	return cmd->channel.p != NULL;
}

static bool is_event(struct slice name, enum pusher_event ev)
{
	return slice_eq(name, pusher_event_name(ev));
}

bool pusher_decode(struct slice text, struct buf *scratch, struct pusher_cmd *ret,
		   enum pusher_error_id *err_error)
{
	struct json_value root;
	struct json_field f[] = {{.name = SLICE_INIT("event")},
				 {.name = SLICE_INIT("data")},
				 {.name = SLICE_INIT("channel")}};
	const struct json_value *data = &f[1].value;

	*ret = (struct pusher_cmd){0};
	*err_error = PUSHER_ERR_MALFORMED;
	if (!json_scan(text, &root) || !json_fields(&root, f, ARRAY_LEN(f), JSON_LAST_WINS) ||
	    !json_is(&f[0].value, JSON_STRING))
		return false;
	/* Twice: strings inside a string that holds the data are undone once more. */
	json_scratch(scratch, 2 * text.n);
	ret->event = text_or_none(&f[0].value, scratch);

	if (slice_starts(ret->event, CLIENT_PREFIX))
		return decode_client_event(data, &f[2].value, scratch, ret, err_error);
	if (is_event(ret->event, PUSHER_EV_SUBSCRIBE)) {
		ret->kind = PUSHER_CMD_SUBSCRIBE;
		return decode_subscribe(data, scratch, ret, err_error);
	}
	if (is_event(ret->event, PUSHER_EV_UNSUBSCRIBE)) {
		ret->kind = PUSHER_CMD_UNSUBSCRIBE;
		return decode_subscribe(data, scratch, ret, err_error);
	}
	if (is_event(ret->event, PUSHER_EV_SIGNIN)) {
		ret->kind = PUSHER_CMD_SIGNIN;
		decode_signin(data, scratch, ret);
		return true;
	}
	if (is_event(ret->event, PUSHER_EV_PING)) {
		ret->kind = PUSHER_CMD_PING;
		return true;
	}
	if (is_event(ret->event, PUSHER_EV_PONG)) {
		ret->kind = PUSHER_CMD_PONG;
		return true;
	}
	*err_error = PUSHER_ERR_UNSUPPORTED;
	return false;
}

bool pusher_is_ping(struct slice text)
{
	struct json_value root;
	struct json_field f[] = {{.name = SLICE_INIT("event")}};

	return text.n < 256 && json_scan(text, &root) &&
	       json_fields(&root, f, ARRAY_LEN(f), JSON_LAST_WINS) &&
	       json_is(&f[0].value, JSON_STRING) &&
	       json_string_is(&f[0].value, pusher_event_name(PUSHER_EV_PING));
}
