/*
 * A client's message through decoder and encoders: every command that is accepted must be made of
 * valid text, and what is relayed must come out as a JSON frame with the same data.
 */
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "common/json/scan.h"
#include "worker/pusher/channel_name.h"
#include "worker/pusher/decode.h"
#include "worker/pusher/encode.h"
#include "worker/pusher/member.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_frame(struct buf *out, struct slice want)
{
	struct json_value root;
	struct json_field f[] = {{.name = SLICE_INIT("data")}};

	if (!buf_ok(out) || !json_scan(buf_slice(out), &root) ||
	    !json_fields(&root, f, 1, JSON_REFUSE))
		die("a frame is no JSON");
	if (want.p != NULL && !json_string_is(&f[0].value, want))
		die("data has changed");
	buf_clear(out);
}

static void check_text(struct slice s)
{
	if (s.p != NULL && !utf8_valid(s))
		die("a text of a command is no UTF-8");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of(data, size);
	enum pusher_error_id error;
	struct pusher_cmd cmd;
	struct pusher_member member;
	struct pusher_user user;
	enum channel_kind kind;
	struct buf scratch;
	struct buf second;
	struct buf out;

	buf_init(&scratch, PUSHER_SCRATCH(size));
	buf_init(&second, PUSHER_SCRATCH(size));
	buf_init(&out, LIMIT_FRAME);
	bool good = pusher_decode(text, &scratch, &cmd, &error);

	if (pusher_is_ping(text) && !(good && cmd.kind == PUSHER_CMD_PING))
		die("a ping is none");
	check_text(cmd.event);
	check_text(cmd.channel);
	check_text(cmd.data);
	check_text(cmd.channel_data);
	if (!good) {
		pusher_encode_error(&out, 0, pusher_error(error)->text, cmd.event);
		check_frame(&out, SLICE_NONE);
	} else if (cmd.kind == PUSHER_CMD_CLIENT_EVENT) {
		pusher_encode_event(&out, cmd.event, cmd.channel, cmd.data, SLICE("7"));
		check_frame(&out, cmd.data);
	} else if (cmd.kind == PUSHER_CMD_SUBSCRIBE) {
		if (channel_name_check(cmd.channel, LIMIT_CHANNEL_NAME, &kind) == CHANNEL_NAME_OK &&
		    channel_name_kind(cmd.channel) != kind)
			die("two kinds of one name");
		pusher_encode_subscription_error(&out, cmd.channel, SLICE("t"), SLICE("e"), 400);
		check_frame(&out, SLICE_NONE);
	}
	if (pusher_member_decode(cmd.channel_data.p != NULL ? cmd.channel_data : text, 1024,
				 &second, &member) == MEMBER_OK)
		check_text(member.user_id);
	if (pusher_user_decode(cmd.user_data.p != NULL ? cmd.user_data : text, 1024, &second,
			       &user) == MEMBER_OK &&
	    !user_id_is_name(user.id))
		die("a user id that is no name");
	buf_done(&out);
	buf_done(&second);
	buf_done(&scratch);
	return 0;
}
