/* Names of channels, user ids and socket ids: what is accepted keeps its promises. */
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "worker/pusher/channel_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice name = slice_of(data, size);
	enum channel_kind kind;

	if (channel_name_check(name, LIMIT_CHANNEL_NAME, &kind) == CHANNEL_NAME_OK) {
		if (kind >= CHANNEL_KINDS || channel_name_kind(name) != kind || !utf8_valid(name))
			die("a name with two kinds or of no text");
		if (kind == CHANNEL_TO_USER && !user_id_is_name(channel_name_user(name)))
			die("a channel of nobody");
		if (kind != CHANNEL_TO_USER && name.n > LIMIT_CHANNEL_NAME)
			die("a name of %zu bytes", name.n);
		if (channel_kind_is_presence(kind) && !channel_kind_is_authorised(kind))
			die("members without a signature");
	}
	if (user_id_is_name(name) && (name.n == 0 || name.n > LIMIT_USER_ID))
		die("a user id of %zu bytes", name.n);
	if (socket_id_is_valid(name) && name.n > LIMIT_SOCKET_ID)
		die("a socket id of %zu bytes", name.n);
	return 0;
}
