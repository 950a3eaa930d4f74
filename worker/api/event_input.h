/*
 * One event as backends write it: {"name", "data", "channels" or "channel", "socket_id", "info"},
 * in JSON or, with an empty body, as query parameters. Pure.
 *
 *	struct event_input e;
 *	event_input_init(&e);
 *	if (!event_input_json(&e, &object, &scratch, &err) || !event_input_judge(&e, &limits, &err))
 *		... answer err.status with err.text
 *	... e.name, e.data, e.channels
 *	event_input_done(&e);
 */
#ifndef WORKER_API_EVENT_INPUT_H
#define WORKER_API_EVENT_INPUT_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/json/scan.h"

#define EVENT_FAULT_MAX 2048

/* Why it is refused: a sentence for people, plain text. */
struct event_fault {
	unsigned status;
	struct buf text;
};

struct event_limits {
	size_t channel_name; /* bytes */
	size_t event_name;   /* characters */
	size_t data;	     /* bytes of the string, its escapes undone */
	size_t channels;
};

struct event_input {
	struct slice name; /* absent: .p == NULL, as below */
	struct slice data;
	struct slice socket_id;
	struct slice info_text;
	struct slice channel; /* of "channel"; channels go before it */
	struct slice *list;   /* of "channels" */
	size_t list_n;
	bool has_list;
	/* after event_input_judge() */
	struct buf channels; /* LIST of the lane, each name once */
	uint8_t info;	     /* enum wire_info */
};

void event_input_init(struct event_input *e);
void event_input_done(struct event_input *e);

/*
 * Read without judging more than the types. Texts point into the input or the scratch buffer,
 * which must have room for them: json_scratch(). max: channels that are looked at.
 */
MUST_CHECK bool event_input_json(struct event_input *e, const struct json_value *object, size_t max,
				 struct buf *scratch, struct event_fault *err);
MUST_CHECK bool event_input_query(struct event_input *e, struct slice query, size_t max,
				  struct buf *scratch, struct event_fault *err);

/* The rules for names, sizes and numbers; makes `channels` and `info`. */
MUST_CHECK bool event_input_judge(struct event_input *e, const struct event_limits *limits,
				  struct event_fault *err);

/* Sets the fault; always false. `detail` is shortened; may be empty. */
bool event_refuse(struct event_fault *err, unsigned status, const char *text, struct slice detail);

#endif
