#include "worker/api/chat_input.h"

#include "common/base/encode.h"
#include "common/base/limits.h"
#include "common/base/utf8.h"
#include "common/json/scan.h"
#include "worker/http/param.h"

#define UUID_TEXT 36

/* ---- the table ---- */

enum kind {
	FLAG,	 /* true or false */
	TEXT,	 /* a string, limited in bytes, no NUL */
	UUID,	 /* a string in that form */
	ID,	 /* of a message */
	OBJECT,	 /* kept as it was written, limited in bytes */
	USER,	 /* a user id */
	USERS,	 /* an array of them */
	VISIBLE, /* who may see last_seen_at */
};

enum limit { NO_LIMIT, MESSAGE_BODY, CHAT_NAME };

/* A member of the JSON body. */
struct field {
	struct slice name;
	enum kind kind;
	enum limit limit;
	bool required;
	size_t at; /* in struct wire_chat_call */
};

enum in_path { NOTHING, CHAT, CHAT_AND_USER, MESSAGE };
enum in_query { NO_QUERY, PAGE, HISTORY, USER_IDS };

#define FIELDS_MAX 4
#define AT(member) offsetof(struct wire_chat_call, member)

static const struct route {
	enum in_path path;
	enum in_query query;
	struct field fields[FIELDS_MAX]; /* an empty name ends them */
} routes[] = {
	[WIRE_CHAT_CONNECTION_INFO] = {.path = NOTHING},
	[WIRE_CHAT_ONLINE_STATUS] =
		{
			.fields = {{SLICE_INIT("is_online"), FLAG, NO_LIMIT, true, AT(flag)}},
		},
	[WIRE_CHAT_TYPING] =
		{
			.path = CHAT,
			.fields = {{SLICE_INIT("is_typing"), FLAG, NO_LIMIT, true, AT(flag)}},
		},
	[WIRE_CHAT_READ] = {.path = MESSAGE},
	[WIRE_CHAT_DELIVERED] = {.path = MESSAGE},
	[WIRE_CHAT_ACTIVE_CHATS] = {.query = PAGE},
	[WIRE_CHAT_HISTORY] = {.path = CHAT, .query = HISTORY},
	[WIRE_CHAT_SEND] =
		{
			.path = CHAT,
			.fields = {{SLICE_INIT("body"), TEXT, MESSAGE_BODY, true, AT(text)},
				   {SLICE_INIT("client_id"), UUID, NO_LIMIT, false, AT(client_id)},
				   {SLICE_INIT("reply_to"), ID, NO_LIMIT, false, AT(reply_to)},
				   {SLICE_INIT("meta"), OBJECT, MESSAGE_BODY, false, AT(meta)}},
		},
	[WIRE_CHAT_EDIT] =
		{
			.path = MESSAGE,
			.fields = {{SLICE_INIT("body"), TEXT, MESSAGE_BODY, true, AT(text)}},
		},
	[WIRE_CHAT_DELETE] = {.path = MESSAGE},
	[WIRE_CHAT_CREATE] =
		{
			.fields = {{SLICE_INIT("name"), TEXT, CHAT_NAME, false, AT(name)},
				   {SLICE_INIT("participant_ids"), USERS, NO_LIMIT, true, AT(ids)},
				   {SLICE_INIT("direct"), FLAG, NO_LIMIT, false, AT(flag)}},
		},
	[WIRE_CHAT_ADD_PARTICIPANT] =
		{
			.path = CHAT,
			.fields = {{SLICE_INIT("user_id"), USER, NO_LIMIT, true, AT(user)}},
		},
	[WIRE_CHAT_REMOVE_PARTICIPANT] = {.path = CHAT_AND_USER},
	[WIRE_CHAT_RECEIPTS] = {.path = CHAT},
	[WIRE_CHAT_ME] =
		{
			.fields = {{SLICE_INIT("last_seen"), VISIBLE, NO_LIMIT, true, AT(name)}},
		},
	[WIRE_CHAT_USERS_ONLINE] = {.query = USER_IDS},
};

void chat_input_init(struct chat_input *in)
{
	*in = (struct chat_input){0};
	in->call.before_seq = UINT64_MAX;
	in->call.after_seq = UINT64_MAX;
	invalid_init(&in->invalid);
	buf_init(&in->ids, LIMIT_WIRE_RECORD);
}

void chat_input_done(struct chat_input *in)
{
	invalid_done(&in->invalid);
	buf_done(&in->texts);
	buf_done(&in->ids);
}

/* ---- values ---- */

static bool has_nul(struct slice s)
{
	return s.n > 0 && memchr(s.p, '\0', s.n) != NULL;
}

static uint64_t limit_of(const struct conf *conf, enum limit limit)
{
	return limit == CHAT_NAME ? conf->limits.max_chat_name : conf->limits.max_message_body;
}

static bool is_uuid(struct slice s)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	if (s.n != UUID_TEXT)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool hex =
			(c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');

		if (form[i] == '-' ? c != '-' : !hex)
			return false;
	}
	return true;
}

/* Digits without a leading zero, within what JSON counts exactly. */
static bool is_number(struct slice s, uint64_t min, uint64_t *ret)
{
	unsigned long long n;

	if (!slice_to_u64(s, &n) || (s.n > 1 && s.p[0] == '0') || n < min || n > CHAT_ID_MAX)
		return false;
	*ret = n;
	return true;
}

static const char *user_rule(const struct conf *conf)
{
	return conf->chat.user_ids == CONF_IDS_INTEGER ? "must be an integer."
						       : "must be a string.";
}

/* A user id as text. */
static bool is_user(struct slice s, const struct conf *conf)
{
	uint64_t n;

	if (conf->chat.user_ids == CONF_IDS_INTEGER)
		return is_number(s, 1, &n);
	return s.n > 0 && !has_nul(s) && utf8_valid(s) && utf8_length(s) <= LIMIT_USER_ID;
}

/* A user id in JSON: a number or a string, as the configuration says. */
static bool user_of(struct chat_input *in, const struct json_value *v, const struct conf *conf,
		    struct slice *ret)
{
	bool integer = conf->chat.user_ids == CONF_IDS_INTEGER;

	if (!json_is(v, integer ? JSON_NUMBER : JSON_STRING))
		return false;
	*ret = integer ? v->raw : json_text(v, &in->texts);
	return is_user(*ret, conf);
}

static void add_user(struct chat_input *in, struct slice field, struct slice user)
{
	if (!wire_list_add(&in->ids, user))
		invalid_add(&in->invalid, field, "has too many items.");
	in->call.ids = buf_slice(&in->ids);
}

/* ---- the body ---- */

static void read_flag(struct chat_input *in, const struct field *f, const struct json_value *v,
		      uint8_t *ret)
{
	if (json_is(v, JSON_TRUE) || json_is(v, JSON_FALSE))
		*ret = json_is(v, JSON_TRUE);
	else
		invalid_add(&in->invalid, f->name, "must be true or false.");
}

static void read_text(struct chat_input *in, const struct field *f, const struct json_value *v,
		      const struct conf *conf, struct slice *ret)
{
	if (!json_is(v, JSON_STRING)) {
		invalid_add(&in->invalid, f->name, "must be a string.");
		return;
	}
	*ret = json_text(v, &in->texts);
	if (ret->n == 0 && f->required)
		invalid_required(&in->invalid, f->name);
	else if (has_nul(*ret))
		invalid_add(&in->invalid, f->name, "must not contain NUL characters.");
	else if (ret->n > limit_of(conf, f->limit))
		invalid_too_long(&in->invalid, f->name, limit_of(conf, f->limit));
}

static void read_uuid(struct chat_input *in, const struct field *f, const struct json_value *v,
		      struct slice *ret)
{
	if (json_is(v, JSON_STRING))
		*ret = json_text(v, &in->texts);
	if (!is_uuid(*ret))
		invalid_add(&in->invalid, f->name, "must be a valid UUID.");
}

static void read_object(struct chat_input *in, const struct field *f, const struct json_value *v,
			const struct conf *conf, struct slice *ret)
{
	*ret = v->raw;
	if (!json_is(v, JSON_OBJECT))
		invalid_add(&in->invalid, f->name, "must be an object.");
	else if (ret->n > limit_of(conf, f->limit))
		invalid_too_long(&in->invalid, f->name, limit_of(conf, f->limit));
}

static void read_users(struct chat_input *in, const struct field *f, const struct json_value *v,
		       const struct conf *conf)
{
	struct json_iter it = {0};
	struct json_value item;
	struct slice user;
	uint32_t left = conf->limits.max_participants;

	if (!json_is(v, JSON_ARRAY)) {
		invalid_add(&in->invalid, f->name, "must be an array.");
		return;
	}
	while (json_next(v, &it, &item)) {
		if (left-- == 0) {
			invalid_add(&in->invalid, f->name, "has too many items.");
			return;
		}
		if (!user_of(in, &item, conf, &user)) {
			invalid_add(&in->invalid, f->name, "must hold user ids only.");
			return;
		}
		add_user(in, f->name, user);
	}
}

static void read_visible(struct chat_input *in, const struct field *f, const struct json_value *v,
			 struct slice *ret)
{
	static const struct slice words[] = {SLICE_INIT("everyone"), SLICE_INIT("contacts"),
					     SLICE_INIT("nobody")};

	for (size_t i = 0; i < ARRAY_LEN(words) && json_is(v, JSON_STRING); i++) {
		if (json_string_is(v, words[i])) {
			*ret = words[i];
			return;
		}
	}
	invalid_add(&in->invalid, f->name, "must be everyone, contacts or nobody.");
}

static void read_field(struct chat_input *in, const struct field *f, const struct json_value *v,
		       const struct conf *conf)
{
	void *at = (char *)&in->call + f->at;

	if (!json_given(v)) {
		if (f->required)
			invalid_required(&in->invalid, f->name);
		return;
	}
	switch (f->kind) {
	case FLAG:
		read_flag(in, f, v, at);
		break;
	case TEXT:
		read_text(in, f, v, conf, at);
		break;
	case UUID:
		read_uuid(in, f, v, at);
		break;
	case ID:
		if (!json_is(v, JSON_NUMBER) || !is_number(v->raw, 1, at))
			invalid_add(&in->invalid, f->name, "must be an integer.");
		break;
	case OBJECT:
		read_object(in, f, v, conf, at);
		break;
	case USER:
		if (!user_of(in, v, conf, at))
			invalid_add(&in->invalid, f->name, user_rule(conf));
		break;
	case USERS:
		read_users(in, f, v, conf);
		break;
	case VISIBLE:
		read_visible(in, f, v, at);
		break;
	}
}

static bool read_body(struct chat_input *in, const struct route *route, struct slice body,
		      const struct conf *conf)
{
	struct json_field found[FIELDS_MAX] = {0};
	struct json_value root;
	size_t n = 0;

	while (n < FIELDS_MAX && route->fields[n].name.n > 0) {
		found[n].name = route->fields[n].name;
		n++;
	}
	if (n == 0)
		return true; /* whatever stands there is ignored */
	if (slice_trim(body).n > 0 &&
	    (!json_scan(body, &root) || !json_fields(&root, found, n, JSON_LAST_WINS)))
		return false;
	buf_init(&in->texts, body.n + 1);
	json_scratch(&in->texts, body.n);
	for (size_t i = 0; i < n; i++)
		read_field(in, &route->fields[i], &found[i].value, conf);
	return true;
}

/* ---- the query ---- */

/* A number of the query. False: it is not there, or it is wrong and that was noted. */
static bool number_param(struct chat_input *in, struct slice query, struct slice name, uint64_t min,
			 uint64_t *ret)
{
	struct slice raw;

	if (http_param_find(query, name, &raw) == 0)
		return false;
	if (is_number(raw, min, ret))
		return true;
	invalid_add(&in->invalid, name, "must be an integer.");
	return false;
}

static void read_limit(struct chat_input *in, struct slice query)
{
	uint64_t limit = CHAT_PAGE;

	(void)number_param(in, query, SLICE("limit"), 1, &limit);
	in->call.limit = (uint32_t)MIN(limit, (uint64_t)CHAT_PAGE_MAX);
}

/* What `texts` takes of the query: at most as much as it is long. */
static bool text_param(struct chat_input *in, struct slice raw, struct slice *ret)
{
	size_t from = in->texts.n;

	if (!percent_decode(&in->texts, raw, true))
		return false;
	*ret = slice_of(in->texts.p + from, in->texts.n - from);
	return utf8_valid(*ret) && !has_nul(*ret);
}

static void read_cursor(struct chat_input *in, struct slice query)
{
	struct slice raw;

	if (http_param_find(query, SLICE("cursor"), &raw) > 0 &&
	    !text_param(in, raw, &in->call.cursor))
		invalid_add(&in->invalid, SLICE("cursor"), "must be a string.");
}

static void read_history(struct chat_input *in, struct slice query)
{
	bool before = number_param(in, query, SLICE("before_seq"), 0, &in->call.before_seq);
	bool after = number_param(in, query, SLICE("after_seq"), 0, &in->call.after_seq);

	if (before && after)
		invalid_add(&in->invalid, SLICE("before_seq"),
			    "must not be used together with after_seq.");
}

/* ids=1,2 and ids[]=1&ids[]=2 */
static void read_user_ids(struct chat_input *in, struct slice query, const struct conf *conf)
{
	struct slice field = SLICE("ids");
	struct slice name;
	struct slice raw;
	uint32_t left = conf->limits.max_participants;

	while (http_param_next(&query, &name, &raw)) {
		struct slice rest;

		if (!http_param_is(name, field) && !http_param_is(name, SLICE("ids[]")))
			continue;
		if (!text_param(in, raw, &rest)) {
			invalid_add(&in->invalid, field, "must hold user ids only.");
			return;
		}
		while (rest.n > 0) {
			struct slice user = rest;
			struct slice after = SLICE_NONE;

			(void)slice_cut(rest, ',', &user, &after); /* without it: the last one */
			rest = after;
			if (left-- == 0) {
				invalid_add(&in->invalid, field, "has too many items.");
				return;
			}
			if (!is_user(user, conf)) {
				invalid_add(&in->invalid, field, "must hold user ids only.");
				return;
			}
			add_user(in, field, user);
		}
	}
}

static void read_query(struct chat_input *in, enum in_query kind, struct slice query,
		       const struct conf *conf)
{
	if (kind == NO_QUERY)
		return;
	buf_init(&in->texts, query.n + 1);
	(void)buf_reserve(&in->texts, query.n + 1); /* decoding never grows: nothing moves */
	if (kind == USER_IDS) {
		read_user_ids(in, query, conf);
		return;
	}
	read_limit(in, query);
	if (kind == PAGE)
		read_cursor(in, query);
	else
		read_history(in, query);
}

/* ---- the path ---- */

/* One that cannot be any is 0, which nobody has a part in: the broker's 403. */
static uint64_t id_in_path(struct slice raw)
{
	uint64_t id = 0;

	(void)is_number(raw, 1, &id);
	return id;
}

static void read_path(struct chat_input *in, enum in_path kind, const struct slice *segments,
		      const struct conf *conf)
{
	if (kind == MESSAGE)
		in->call.message = id_in_path(segments[0]);
	if (kind == CHAT || kind == CHAT_AND_USER)
		in->call.chat = id_in_path(segments[0]);
	if (kind != CHAT_AND_USER)
		return;
	buf_init(&in->texts, segments[1].n + 1);
	if (!percent_decode(&in->texts, segments[1], false) ||
	    !is_user(buf_slice(&in->texts), conf))
		invalid_add(&in->invalid, SLICE("user_id"), user_rule(conf));
	else
		in->call.user = buf_slice(&in->texts);
}

bool chat_input_read(struct chat_input *in, const struct chat_request *from,
		     const struct conf *conf)
{
	const struct route *route = &routes[from->route];

	in->call.route = (uint8_t)from->route;
	read_path(in, route->path, from->segments, conf);
	read_query(in, route->query, from->query, conf);
	return read_body(in, route, from->body, conf);
}
