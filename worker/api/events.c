#include "worker/api/events.h"

#include <stdlib.h>

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/json/scan.h"
#include "worker/api/answer.h"
#include "worker/api/api_internal.h"
#include "worker/api/event_input.h"

/* Bytes of the answer to a batch: what the broker says of each event is far smaller. */
#define ANSWER_MAX (1U << 20)

/* ---- reading ---- */

static struct event_limits limits_of(const struct api_call *c)
{
	const struct conf_limits *conf = &worker_conf(c->w)->limits;

	return (struct event_limits){
		.channel_name = MIN(c->app->max_channel_name, (uint32_t)LIMIT_CHANNEL_NAME),
		.event_name = conf->max_event_name,
		.data = c->app->max_event_data,
		.channels = conf->max_event_channels,
	};
}

static bool publish(const struct api_call *c, const struct event_input *e, worker_done_fn *done,
		    void *ctx)
{
	struct wire_publish p = {
		.app = c->app->index,
		.event = e->name,
		.channels = buf_slice(&e->channels),
		.data = e->data,
		.socket_id = e->socket_id,
		.info = e->info,
	};

	return worker_publish(c->w, &p, session_id(c->s), done, ctx);
}

/* Everything that a request needs while it is read; texts of the events stand in `scratch`. */
struct reading {
	struct buf scratch;
	struct event_fault err;
	struct event_limits limits;
};

static void reading_init(struct reading *in, const struct api_call *c)
{
	size_t n = MAX(c->r->body.n, c->r->query.n);

	buf_init(&in->scratch, n + 1);
	json_scratch(&in->scratch, n + 1);
	buf_init(&in->err.text, EVENT_FAULT_MAX);
	in->err.status = 400;
	in->limits = limits_of(c);
}

static void reading_done(struct reading *in)
{
	buf_done(&in->scratch);
	buf_done(&in->err.text);
}

static void refuse(const struct api_call *c, const struct reading *in)
{
	answer_error(c->w, session_id(c->s), in->err.status, buf_slice(&in->err.text));
}

/* ---- one event ---- */

static void on_published(struct worker *w, uint64_t session, void *ctx,
			 const struct worker_answer *a)
{
	(void)ctx;
	if (a->status == 200)
		answer_json(w, session, a->body.n > 0 ? a->body : SLICE("{}"));
	else
		answer_broker(w, session, a);
}

static bool read_event(const struct api_call *c, struct reading *in, struct event_input *e)
{
	struct json_value root;

	if (c->r->body.n == 0)
		return event_input_query(e, c->r->query, in->limits.channels, &in->scratch,
					 &in->err);
	if (!json_scan(c->r->body, &root))
		return event_refuse(&in->err, 400, "The body is not valid JSON", SLICE_NONE);
	return event_input_json(e, &root, in->limits.channels, &in->scratch, &in->err);
}

void events_serve(const struct api_call *c)
{
	struct reading in;
	struct event_input e;

	reading_init(&in, c);
	event_input_init(&e);
	if (!read_event(c, &in, &e) || !event_input_judge(&e, &in.limits, &in.err))
		refuse(c, &in);
	else if (!publish(c, &e, on_published, NULL))
		answer_unavailable(c->w, session_id(c->s));
	event_input_done(&e);
	reading_done(&in);
}

/* ---- a batch ---- */

/* Until the last event of a batch has been answered. */
struct batch {
	uint32_t n;
	uint32_t waiting;
	bool informs;
	unsigned status; /* of the first that failed; 200 = none so far */
	unsigned retry_after;
	struct buf error;
	struct batch_part {
		struct batch *batch;
		struct buf info; /* JSON object */
	} parts[];
};

static struct batch *batch_new(uint32_t n)
{
	struct batch *b = mem_zalloc(sizeof(*b) + n * sizeof(b->parts[0]));

	b->n = n;
	b->status = 200;
	buf_init(&b->error, EVENT_FAULT_MAX);
	for (uint32_t i = 0; i < n; i++) {
		b->parts[i].batch = b;
		buf_init(&b->parts[i].info, ANSWER_MAX / n);
	}
	return b;
}

static void batch_free(struct batch *b)
{
	for (uint32_t i = 0; i < b->n; i++)
		buf_done(&b->parts[i].info);
	buf_done(&b->error);
	free(b);
}

/* {"channels":{"b":{"subscription_count":13}}} of the only channel → {"subscription_count":13} */
static struct slice info_of_channel(struct slice body)
{
	struct json_field f = {.name = SLICE_INIT("channels")};
	struct json_iter it = {0};
	struct json_value root;
	struct json_value name;
	struct json_value info;

	if (json_scan(body, &root) && json_fields(&root, &f, 1, JSON_LAST_WINS) &&
	    json_next_member(&f.value, &it, &name, &info) && json_is(&info, JSON_OBJECT))
		return info.raw;
	return SLICE("{}");
}

static void batch_answer(struct worker *w, uint64_t session, const struct batch *b)
{
	struct worker_answer failed = {
		.status = b->status,
		.retry_after = b->retry_after,
		.body = buf_slice(&b->error),
	};
	struct buf out;

	if (b->status != 200) {
		answer_broker(w, session, &failed);
		return;
	}
	if (!b->informs) {
		answer_json(w, session, SLICE("{}"));
		return;
	}
	buf_init(&out, 2 * (size_t)ANSWER_MAX);
	(void)buf_add(&out, SLICE("{\"batch\":["));
	for (uint32_t i = 0; i < b->n; i++) {
		struct slice info = buf_slice(&b->parts[i].info);

		if (i > 0)
			(void)buf_addc(&out, ',');
		(void)buf_add(&out, info.n > 0 ? info : SLICE("{}"));
	}
	(void)buf_add(&out, SLICE("]}")); /* the parts are limited so that all of it fits */
	answer_json(w, session, buf_slice(&out));
	buf_done(&out);
}

static void batch_over(struct worker *w, uint64_t session, struct batch *b)
{
	if (b->waiting > 0)
		return;
	batch_answer(w, session, b);
	batch_free(b);
}

static void on_part(struct worker *w, uint64_t session, void *ctx, const struct worker_answer *a)
{
	struct batch_part *part = ctx;
	struct batch *b = part->batch;

	if (a->status == 200) {
		(void)buf_add(&part->info, info_of_channel(a->body)); /* else none */
	} else if (b->status == 200) {
		b->status = a->status;
		b->retry_after = a->retry_after;
		(void)buf_add(&b->error, slice_first(a->body, EVENT_FAULT_MAX));
	}
	b->waiting--;
	batch_over(w, session, b);
}

static void publish_batch(const struct api_call *c, const struct event_input *events, uint32_t n)
{
	struct batch *b = batch_new(n);

	b->waiting = 1; /* us, until all are sent */
	for (uint32_t i = 0; i < n; i++)
		b->informs = b->informs || events[i].info != 0;
	for (uint32_t i = 0; i < n; i++) {
		b->waiting++;
		if (publish(c, &events[i], on_part, &b->parts[i]))
			continue;
		/* What went before is published all the same: nobody can take it back. */
		b->waiting--;
		b->status = 503;
		b->retry_after = 1;
		break;
	}
	b->waiting--;
	batch_over(c->w, session_id(c->s), b);
}

static bool read_batch(const struct api_call *c, struct reading *in, struct event_input *events,
		       uint32_t max, uint32_t *ret_n)
{
	struct json_field f = {.name = SLICE_INIT("batch")};
	struct json_iter it = {0};
	struct json_value root;
	struct json_value v;

	*ret_n = 0;
	if (!json_scan(c->r->body, &root))
		return event_refuse(&in->err, 400, "The body is not valid JSON", SLICE_NONE);
	if (!json_fields(&root, &f, 1, JSON_REFUSE) || !json_is(&f.value, JSON_ARRAY))
		return event_refuse(&in->err, 400, "batch must be an array of events", SLICE_NONE);
	while (json_next(&f.value, &it, &v)) {
		struct event_input *e = &events[*ret_n];

		if (*ret_n == max)
			return event_refuse(&in->err, 400, "Too many events in one batch",
					    SLICE_NONE);
		event_input_init(e);
		++*ret_n;
		if (!event_input_json(e, &v, in->limits.channels, &in->scratch, &in->err) ||
		    !event_input_judge(e, &in->limits, &in->err))
			return false;
	}
	return true;
}

void events_serve_batch(const struct api_call *c)
{
	uint32_t max = worker_conf(c->w)->limits.max_batch;
	struct event_input *events = mem_calloc(max, sizeof(*events));
	struct reading in;
	uint32_t n;

	reading_init(&in, c);
	if (!read_batch(c, &in, events, max, &n))
		refuse(c, &in);
	else if (n == 0)
		answer_json(c->w, session_id(c->s), SLICE("{}"));
	else
		publish_batch(c, events, n);
	for (uint32_t i = 0; i < n; i++)
		event_input_done(&events[i]);
	free(events);
	reading_done(&in);
}
