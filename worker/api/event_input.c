#include "worker/api/event_input.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/encode.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "common/wire/wire.h"
#include "worker/api/info.h"
#include "worker/http/param.h"
#include "worker/pusher/channel_name.h"

/* What is quoted of a bad value. */
#define DETAIL_MAX 200

void event_input_init(struct event_input *e)
{
	*e = (struct event_input){0};
	buf_init(&e->channels, LIMIT_WIRE_RECORD);
}

void event_input_done(struct event_input *e)
{
	free(e->list);
	buf_done(&e->channels);
	e->list = NULL;
}

bool event_refuse(struct event_fault *err, unsigned status, const char *text, struct slice detail)
{
	size_t n = MIN(detail.n, (size_t)DETAIL_MAX);

	/* Not in the middle of a character. */
	while (n < detail.n && n > 0 && ((unsigned char)detail.p[n] & 0xC0) == 0x80)
		n--;
	err->status = status;
	buf_clear(&err->text);
	(void)buf_add(&err->text, slice_str(text));
	(void)buf_add(&err->text, slice_first(detail, n)); /* both are short */
	return false;
}

/* ---- JSON ---- */

/* A string, or with `optional` also nothing or null. */
static bool text_of(const struct json_field *f, bool optional, struct buf *scratch,
		    struct slice *ret, struct event_fault *err)
{
	*ret = SLICE_NONE;
	if (optional && !json_given(&f->value))
		return true;
	if (f->value.type == JSON_NONE)
		return event_refuse(err, 400, "Missing parameter: ", f->name);
	if (!json_is(&f->value, JSON_STRING))
		return event_refuse(err, 400, "This parameter must be a string: ", f->name);
	*ret = json_text(&f->value, scratch);
	if (ret->p == NULL)
		*ret = SLICE("");
	return true;
}

static bool list_of(struct event_input *e, const struct json_value *channels, size_t max,
		    struct buf *scratch, struct event_fault *err)
{
	struct json_iter it = {0};
	struct json_value v;
	size_t n;

	if (channels->type == JSON_NONE || channels->type == JSON_NULL)
		return true;
	if (!json_is(channels, JSON_ARRAY))
		return event_refuse(err, 400, "channels must be an array of strings", SLICE_NONE);
	n = json_count(channels);
	if (n > max)
		return event_refuse(err, 400, "Too many channels for one event", SLICE_NONE);
	e->has_list = true;
	e->list = mem_calloc(n + 1, sizeof(*e->list));
	while (json_next(channels, &it, &v)) {
		if (!json_is(&v, JSON_STRING))
			return event_refuse(err, 400, "channels must be an array of strings",
					    SLICE_NONE);
		e->list[e->list_n++] = json_text(&v, scratch);
	}
	return true;
}

bool event_input_json(struct event_input *e, const struct json_value *object, size_t max,
		      struct buf *scratch, struct event_fault *err)
{
	enum { NAME, DATA, CHANNEL, CHANNELS, SOCKET_ID, INFO, FIELDS };
	struct json_field f[FIELDS] = {
		[NAME] = {.name = SLICE_INIT("name")},
		[DATA] = {.name = SLICE_INIT("data")},
		[CHANNEL] = {.name = SLICE_INIT("channel")},
		[CHANNELS] = {.name = SLICE_INIT("channels")},
		[SOCKET_ID] = {.name = SLICE_INIT("socket_id")},
		[INFO] = {.name = SLICE_INIT("info")},
	};

	if (!json_is(object, JSON_OBJECT))
		return event_refuse(err, 400, "An event must be a JSON object", SLICE_NONE);
	if (!json_fields(object, f, FIELDS, JSON_REFUSE))
		return event_refuse(err, 400, "A parameter stands twice", SLICE_NONE);
	if (f[DATA].value.type != JSON_NONE && !json_is(&f[DATA].value, JSON_STRING))
		return event_refuse(err, 400,
				    "data must be a JSON string: encode the payload first",
				    SLICE_NONE);
	return text_of(&f[NAME], false, scratch, &e->name, err) &&
	       text_of(&f[DATA], false, scratch, &e->data, err) &&
	       text_of(&f[CHANNEL], true, scratch, &e->channel, err) &&
	       text_of(&f[SOCKET_ID], true, scratch, &e->socket_id, err) &&
	       text_of(&f[INFO], true, scratch, &e->info_text, err) &&
	       list_of(e, &f[CHANNELS].value, max, scratch, err);
}

/* ---- query parameters ---- */

static bool decoded(struct slice raw, struct buf *scratch, struct slice *ret)
{
	size_t from = scratch->n;

	if (!percent_decode(scratch, raw, true))
		return false;
	*ret = slice_of(scratch->p + from, scratch->n - from);
	return utf8_valid(*ret);
}

bool event_input_query(struct event_input *e, struct slice query, size_t max, struct buf *scratch,
		       struct event_fault *err)
{
	const struct {
		struct slice name;
		struct slice *value;
	} texts[] = {
		{SLICE("name"), &e->name},	     {SLICE("data"), &e->data},
		{SLICE("channel"), &e->channel},     {SLICE("info"), &e->info_text},
		{SLICE("socket_id"), &e->socket_id},
	};
	struct slice name;
	struct slice raw;
	struct slice value;

	e->list = mem_calloc(max + 1, sizeof(*e->list));
	while (http_param_next(&query, &name, &raw)) {
		if (!decoded(raw, scratch, &value))
			return event_refuse(err, 400, "Malformed query string", SLICE_NONE);
		for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
			if (!http_param_is(name, texts[i].name))
				continue;
			if (texts[i].value->p != NULL)
				return event_refuse(err, 400, "A parameter stands twice",
						    SLICE_NONE);
			*texts[i].value = value;
		}
		if (!http_param_is(name, SLICE("channels[]")))
			continue;
		if (e->list_n == max)
			return event_refuse(err, 400, "Too many channels for one event",
					    SLICE_NONE);
		e->has_list = true;
		e->list[e->list_n++] = value;
	}
	if (e->name.p == NULL)
		return event_refuse(err, 400, "Missing parameter: ", SLICE("name"));
	if (e->data.p == NULL)
		return event_refuse(err, 400, "Missing parameter: ", SLICE("data"));
	return true;
}

/* ---- the rules ---- */

static bool listed(struct slice list, struct slice name)
{
	struct slice item;

	while (wire_list_next(&list, &item)) {
		if (slice_eq(item, name))
			return true;
	}
	return false;
}

static bool add_channel(struct event_input *e, struct slice name, const struct event_limits *limits,
			struct event_fault *err)
{
	enum channel_kind kind;

	switch (channel_name_check(name, limits->channel_name, &kind)) {
	case CHANNEL_NAME_TOO_LONG:
		return event_refuse(err, 400, "Channel name too long: ", name);
	case CHANNEL_NAME_BAD:
		return event_refuse(err, 400, "Invalid channel name: ", name);
	case CHANNEL_NAME_OK:
		break;
	}
	/* The names are short and few: both are limited. */
	if (!listed(buf_slice(&e->channels), name) && !wire_list_add(&e->channels, name))
		return event_refuse(err, 413, "Too many channels for one event", SLICE_NONE);
	return true;
}

static bool channels_ok(struct event_input *e, const struct event_limits *limits,
			struct event_fault *err)
{
	if (!e->has_list && e->channel.p != NULL)
		return add_channel(e, e->channel, limits, err);
	if (e->list_n == 0)
		return event_refuse(err, 400, "Missing parameter: ", SLICE("channels"));
	if (e->list_n > limits->channels)
		return event_refuse(err, 400, "Too many channels for one event", SLICE_NONE);
	for (size_t i = 0; i < e->list_n; i++) {
		if (!add_channel(e, e->list[i], limits, err))
			return false;
	}
	return true;
}

static bool name_ok(const struct event_input *e, const struct event_limits *limits,
		    struct event_fault *err)
{
	if (e->name.n == 0)
		return event_refuse(err, 400, "The event name is empty", SLICE_NONE);
	if (e->name.n > limits->event_name && utf8_length(e->name) > limits->event_name)
		return event_refuse(err, 400, "Event name too long: ", e->name);
	/* Those of the server itself. */
	if (slice_starts(e->name, SLICE("pusher:")) ||
	    slice_starts(e->name, SLICE("pusher_internal:")))
		return event_refuse(err, 400, "This event name is reserved: ", e->name);
	return true;
}

static bool data_ok(const struct event_input *e, const struct event_limits *limits,
		    struct event_fault *err)
{
	char text[128];
	int n;

	if (e->data.n <= limits->data)
		return true;
	n = snprintf(text, sizeof(text),
		     "The data content of this event exceeds the allowed maximum (%zu bytes).",
		     limits->data);
	return event_refuse(err, 413, "", slice_of(text, (size_t)n));
}

bool event_input_judge(struct event_input *e, const struct event_limits *limits,
		       struct event_fault *err)
{
	if (!name_ok(e, limits, err) || !data_ok(e, limits, err) || !channels_ok(e, limits, err))
		return false;
	if (e->socket_id.p != NULL && !socket_id_is_valid(e->socket_id))
		return event_refuse(err, 400, "Invalid socket id", SLICE_NONE);
	/* Attributes that do not apply are left out in silence; so are those of another day. */
	(void)info_parse(e->info_text, &e->info);
	return true;
}
