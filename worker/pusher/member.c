#include "worker/pusher/member.h"

#include "common/base/limits.h"
#include "common/base/utf8.h"
#include "worker/pusher/channel_name.h"

static bool info_of(const struct json_value *v, size_t max_info, struct slice *ret_info)
{
	*ret_info = json_given(v) ? v->raw : SLICE("");
	return ret_info->n <= max_info;
}

enum member_result pusher_member_decode(struct slice channel_data, size_t max_info,
					struct buf *scratch, struct pusher_member *ret)
{
	struct json_value root;
	struct json_field f[] = {{.name = SLICE_INIT("user_id")},
				 {.name = SLICE_INIT("user_info")}};
	const struct json_value *id = &f[0].value;

	if (!json_scan(channel_data, &root) || !json_fields(&root, f, ARRAY_LEN(f), JSON_LAST_WINS))
		return MEMBER_BAD;
	json_scratch(scratch, channel_data.n);
	if (json_is(id, JSON_STRING))
		ret->user_id = json_text(id, scratch);
	else if (json_is(id, JSON_NUMBER))
		ret->user_id = id->raw; /* 7 and "7" are the same member */
	else
		return MEMBER_BAD;
	/* A NUL is no part of any id and poison for databases. */
	if (ret->user_id.n == 0 || memchr(ret->user_id.p, '\0', ret->user_id.n) != NULL)
		return MEMBER_BAD;
	if (utf8_length(ret->user_id) > LIMIT_USER_ID ||
	    !info_of(&f[1].value, max_info, &ret->user_info))
		return MEMBER_TOO_BIG;
	return MEMBER_OK;
}

static bool only_strings(const struct json_value *array)
{
	struct json_iter it = {0};
	struct json_value v;

	while (json_next(array, &it, &v)) {
		if (!json_is(&v, JSON_STRING))
			return false;
	}
	return true;
}

enum member_result pusher_user_decode(struct slice user_data, size_t max_info, struct buf *scratch,
				      struct pusher_user *ret)
{
	struct json_value root;
	struct json_field f[] = {{.name = SLICE_INIT("id")},
				 {.name = SLICE_INIT("user_info")},
				 {.name = SLICE_INIT("watchlist")}};

	if (!json_scan(user_data, &root) || !json_fields(&root, f, ARRAY_LEN(f), JSON_LAST_WINS) ||
	    !json_is(&f[0].value, JSON_STRING))
		return MEMBER_BAD;
	json_scratch(scratch, user_data.n);
	ret->id = json_text(&f[0].value, scratch);
	if (!user_id_is_name(ret->id))
		return MEMBER_BAD;
	if (!info_of(&f[1].value, max_info, &ret->user_info))
		return MEMBER_TOO_BIG;
	ret->watchlist = (struct json_value){0};
	ret->watched = 0;
	if (!json_given(&f[2].value))
		return MEMBER_OK;
	if (!json_is(&f[2].value, JSON_ARRAY) || !only_strings(&f[2].value))
		return MEMBER_BAD;
	ret->watchlist = f[2].value;
	ret->watched = json_count(&ret->watchlist);
	return MEMBER_OK;
}
