/* The outcome as one JSON object. */
#include <inttypes.h>
#include <stdio.h>

#include "bench/load.h"
#include "bench/report.h"
#include "bench/summary.h"
#include "common/base/buf.h"

#define JSON_MAX (1U << 20)

static const char *const count_names[COUNTS] = {
	[COUNT_OPEN] = "opened",
	[COUNT_READY] = "ready",
	[COUNT_LOST_CONN] = "lost_connections",
	[COUNT_SENT] = "sent",
	[COUNT_REFUSED] = "refused",
	[COUNT_DELIVERED] = "delivered",
	[COUNT_LATE] = "out_of_order",
	[COUNT_TWICE] = "repeated",
	[COUNT_FRAMES] = "frames",
	[COUNT_BYTES] = "bytes",
	[COUNT_JOINED] = "joined",
	[COUNT_LEFT] = "left",
	[COUNT_MEMBERS] = "member_events",
	[COUNT_WITNESSED] = "witnessed",
	[COUNT_SNAPSHOT_BYTES] = "snapshot_bytes",
	[COUNT_WRONG] = "told_wrongly",
	[COUNT_PINGS] = "pings",
	[COUNT_JUDGED] = "judged",
};

static void put_counts(struct buf *b, const uint64_t counts[COUNTS])
{
	for (unsigned i = 0; i < COUNT_JUDGED; i++)
		(void)buf_printf(b, "%s\"%s\":%" PRIu64, i > 0 ? "," : "", count_names[i],
				 counts[i]);
}

static void put_span(struct buf *b, const struct servers *s, const char *name,
		     const struct span *span)
{
	if (name != NULL)
		(void)buf_printf(b, ",\"%s\":", name);
	(void)buf_printf(b, "{\"seconds\":%.6f,\"server_cpu\":%.6f,\"load_cpu\":%.6f,\"cpu\":{",
			 span->seconds, span->server_cpu, span->load_cpu);
	for (uint32_t i = 0; i < s->role_count; i++)
		(void)buf_printf(b, "%s\"%s\":%.6f", i > 0 ? "," : "", s->roles[i], span->cpu[i]);
	(void)buf_add(b, SLICE("},"));
	put_counts(b, span->counts);
	(void)buf_addc(b, '}');
}

static void put_memory(struct buf *b, const struct servers *s, const char *name,
		       const struct server_sample *at)
{
	(void)buf_printf(b, ",\"%s\":{\"server\":%" PRIu64 ",\"kernel\":%" PRIu64, name,
			 servers_memory(s, at), at->kernel);
	for (uint32_t i = 0; i < s->role_count; i++)
		(void)buf_printf(b, ",\"%s\":%" PRIu64, s->roles[i], at->memory[i]);
	(void)buf_addc(b, '}');
}

static void put_times(struct buf *b, const char *name, const struct histogram *h)
{
	(void)buf_printf(b,
			 ",\"%s\":{\"n\":%" PRIu64 ",\"p50\":%" PRIu64 ",\"p90\":%" PRIu64
			 ",\"p99\":%" PRIu64 ",\"p999\":%" PRIu64 ",\"max\":%" PRIu64 "}",
			 name, h->n, histogram_at(h, 0.5), histogram_at(h, 0.9),
			 histogram_at(h, 0.99), histogram_at(h, 0.999), h->max);
}

static void put_summary(struct buf *b, const struct outcome *o, const char *name, summary_fn *fn)
{
	struct summary s = summary_of(o, fn);

	(void)buf_printf(b, ",\"%s\":{\"median\":%.3f,\"min\":%.3f,\"max\":%.3f}", name, s.median,
			 s.min, s.max);
}

static void put_parts(struct buf *b, const struct plan *p)
{
	(void)buf_add(b, SLICE(",\"parts\":["));
	for (uint32_t i = 0; i < p->part_count; i++) {
		const struct part *part = &p->parts[i];

		(void)buf_printf(b,
				 "%s{\"name\":\"%s\",\"channels\":%u,\"members\":%u,"
				 "\"talkers\":%u,\"outstanding\":%u,\"rate\":%g,\"size\":%u}",
				 i > 0 ? "," : "", part->name, part->channels, part->members,
				 part->talkers, part->window, part->rate, part->size);
	}
	(void)buf_addc(b, ']');
}

static void put_rounds(struct buf *b, const struct servers *s, const struct outcome *o)
{
	(void)buf_add(b, SLICE(",\"rounds\":["));
	for (uint32_t i = 0; i < o->round_count; i++) {
		if (i > 0)
			(void)buf_addc(b, ',');
		put_span(b, s, NULL, &o->rounds[i]);
	}
	(void)buf_addc(b, ']');
	put_summary(b, o, "events_per_second", summary_sent_rate);
	put_summary(b, o, "deliveries_per_second", summary_delivered_rate);
	put_summary(b, o, "events_per_cpu_second", summary_sent_per_cpu);
	put_summary(b, o, "deliveries_per_cpu_second", summary_delivered_per_cpu);
}

void report_json(FILE *to, const struct plan *plan, const struct servers *servers,
		 const struct outcome *o)
{
	struct buf b;

	buf_init(&b, JSON_MAX);
	(void)buf_printf(&b,
			 "{\"version\":\"" CHAT_VERSION "\",\"mode\":\"%s\",\"connections\":%u,"
			 "\"processes\":%u,\"tls\":%s",
			 plan->mode, load_clients(plan), plan->processes,
			 plan->target.tls ? "true" : "false");
	put_parts(&b, plan);
	put_span(&b, servers, "connect", &o->connect);
	put_memory(&b, servers, "memory_before", &o->empty);
	put_memory(&b, servers, "memory_after", &o->full);
	if (plan->shape == SHAPE_JOIN) {
		put_span(&b, servers, "join", &o->join);
		put_span(&b, servers, "leave", &o->leave);
	}
	put_rounds(&b, servers, o);
	put_times(&b, "delivery_us", &o->delivery);
	put_times(&b, "answer_us", &o->answer);
	(void)buf_add(&b, SLICE(",\"totals\":{"));
	put_counts(&b, o->counts);
	(void)buf_printf(&b, "},\"lost\":%" PRIu64 ",\"good\":%s,\"fault\":", o->lost,
			 report_is_good(o) ? "true" : "false");
	(void)buf_json_str(&b, slice_str(o->fault));
	(void)buf_add(&b, SLICE("}\n"));
	(void)fwrite(b.p, 1, b.n, to); /* who closes it asks whether it went well */
	buf_done(&b);
}
