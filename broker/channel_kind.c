#include "broker/channel_kind.h"

#include <stddef.h>

#include "common/base/macros.h"

#define TO_USER SLICE("#server-to-user-")

bool channel_is_presence(struct slice name)
{
	return slice_starts(name, SLICE("presence-"));
}

bool channel_is_cache(struct slice name)
{
	static const struct slice prefixes[] = {
		SLICE_INIT("cache-"),
		SLICE_INIT("private-cache-"),
		SLICE_INIT("presence-cache-"),
		SLICE_INIT("private-encrypted-cache-"),
	};

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		if (slice_starts(name, prefixes[i]))
			return true;
	}
	return false;
}

bool channel_is_to_user(struct slice name, struct slice *ret_user_id)
{
	if (!slice_starts(name, TO_USER))
		return false;
	*ret_user_id = slice_skip(name, TO_USER.n);
	return true;
}

bool channel_is_listed(struct slice name)
{
	return name.n > 0 && name.p[0] != '#';
}
