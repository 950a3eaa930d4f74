#include "bench/report.h"

#include <inttypes.h>
#include <stdio.h>

#include "bench/load.h"
#include "bench/summary.h"
#include "common/base/buf.h"

#define TEXT 32

bool report_is_good(const struct outcome *o)
{
	return !o->failed && o->lost == 0 && o->counts[COUNT_LATE] == 0 &&
	       o->counts[COUNT_TWICE] == 0 && o->counts[COUNT_WRONG] == 0 &&
	       o->counts[COUNT_LOST_CONN] == 0;
}

/* "1,234,567", or "1.23" where that says more. */
static const char *number(double v, char text[TEXT])
{
	char digits[TEXT];
	int n;
	int at = 0;

	if (v < 100) {
		(void)snprintf(text, TEXT, v == (double)(uint64_t)v ? "%.0f" : "%.2f", v);
		return text;
	}
	n = snprintf(digits, sizeof(digits), "%.0f", v);
	for (int i = 0; i < n && at < TEXT - 1; i++) {
		text[at++] = digits[i];
		if (i + 1 < n && (n - i - 1) % 3 == 0 && at < TEXT - 1)
			text[at++] = ',';
	}
	text[at] = '\0';
	return text;
}

/* ---- the page ---- */

static void show_head(const struct plan *p, const struct servers *s)
{
	(void)printf("chat-bench " CHAT_VERSION ": %s on %s port %s%s, %u connections, "
		     "%u load processes, %u server processes measured\n",
		     p->mode, p->host, p->port, p->target.tls ? " (TLS)" : "", load_clients(p),
		     p->processes, servers_counted(s));
	for (uint32_t i = 0; i < p->part_count; i++) {
		const struct part *part = &p->parts[i];

		(void)printf("  %s: %u %s of %u", part->name, part->channels,
			     part->channels == 1 ? "channel" : "channels", part->members);
		if (part->size > 0)
			(void)printf(", %u bytes", part->size);
		if (part->window > 0)
			(void)printf(", %u outstanding", part->window);
		if (part->rate > 0)
			(void)printf(", %g a second", part->rate);
		if (part->talk == TALK_HTTP || part->talk == TALK_CHAT)
			(void)printf(", %u HTTP connections", part->lines * p->processes);
		(void)puts("");
	}
}

static void show_summary(const char *name, struct summary s)
{
	char median[TEXT];
	char min[TEXT];
	char max[TEXT];

	(void)printf("  %-26s %14s   %s ... %s\n", name, number(s.median, median),
		     number(s.min, min), number(s.max, max));
}

static void show_connect(const struct plan *p, const struct servers *s, const struct outcome *o)
{
	double n = (double)o->connect.counts[COUNT_OPEN];
	double bytes = (double)servers_memory(s, &o->full) - (double)servers_memory(s, &o->empty);
	double kernel = (double)o->full.kernel - (double)o->empty.kernel;
	char text[3][TEXT];

	(void)printf("\nconnections%s\n", p->shape == SHAPE_JOIN ? "" : " with a subscription");
	(void)printf("  %-26s %14s   in %.2f s\n", "opened", number(n, text[0]),
		     o->connect.seconds);
	(void)printf("  %-26s %14s\n", "a second",
		     number(summary_ratio(n, o->connect.seconds), text[0]));
	if (s->n == 0)
		return;
	(void)printf("  %-26s %14s\n", "per server CPU second",
		     number(summary_ratio(n, o->connect.server_cpu), text[0]));
	(void)printf("  %-26s %14s   server, each connection (all: %.1f MB)\n", "bytes of memory",
		     number(summary_ratio(bytes > 0 ? bytes : 0, n), text[1]),
		     (double)servers_memory(s, &o->full) / 1e6);
	(void)printf("  %-26s %14s   both ends and all else on the machine\n",
		     "bytes in the kernel",
		     number(summary_ratio(kernel > 0 ? kernel : 0, n), text[2]));
}

static void show_cpu(const struct servers *s, const struct span *span, const char *what)
{
	(void)printf("  %-26s", what);
	for (uint32_t i = 0; i < s->role_count; i++)
		(void)printf(" %s%s %.2f", s->beside[i] ? "(" : "", s->roles[i], span->cpu[i]);
	for (uint32_t i = 0; i < s->role_count; i++)
		(void)printf("%s", s->beside[i] ? ")" : "");
	(void)printf(", chat-bench %.2f\n", span->load_cpu);
}

static void show_times(const char *name, const struct histogram *h)
{
	if (h->n == 0)
		return;
	(void)printf("  %-26s %8.3f %8.3f %8.3f %8.3f %8.3f\n", name,
		     (double)histogram_at(h, 0.5) / 1e3, (double)histogram_at(h, 0.9) / 1e3,
		     (double)histogram_at(h, 0.99) / 1e3, (double)histogram_at(h, 0.999) / 1e3,
		     (double)h->max / 1e3);
}

static void show_rounds(const struct plan *p, const struct servers *s, const struct outcome *o)
{
	struct span all = {0};

	if (o->round_count == 0)
		return;
	(void)printf("\n%-28s %14s   spread of %u\n",
		     p->shape == SHAPE_HOLD ? "one event to all" : "talk", "median",
		     o->round_count);
	show_summary("events a second", summary_of(o, summary_sent_rate));
	show_summary("deliveries a second", summary_of(o, summary_delivered_rate));
	if (s->n > 0) {
		show_summary("events / CPU second", summary_of(o, summary_sent_per_cpu));
		show_summary("deliveries / CPU second", summary_of(o, summary_delivered_per_cpu));
		show_summary("processors of the server", summary_of(o, summary_server_cores));
	}
	for (uint32_t i = 0; i < o->round_count; i++) {
		for (uint32_t k = 0; k < SERVERS_ROLES; k++)
			all.cpu[k] += o->rounds[i].cpu[k];
		all.load_cpu += o->rounds[i].load_cpu;
	}
	show_cpu(s, &all, "CPU seconds");
	if (o->delivery.n + o->answer.n == 0)
		return;
	(void)printf("\n%-28s %8s %8s %8s %8s %8s\n", "milliseconds", "50 %", "90 %", "99 %",
		     "99.9 %", "most");
	show_times("from sending to arrival", &o->delivery);
	show_times("HTTP answers", &o->answer);
}

static void show_change(const struct servers *s, const char *title, const char *each, double n,
			const struct span *span)
{
	char text[TEXT];

	(void)printf("\n%s\n  %-26s %14s   in %.2f s\n", title, "members", number(n, text),
		     span->seconds);
	(void)printf("  %-26s %14s\n", "members told",
		     number((double)span->counts[COUNT_MEMBERS], text));
	for (uint32_t i = 0; i < s->role_count; i++)
		(void)printf("  us of %-20s %14s   %s\n", s->roles[i],
			     number(summary_ratio(span->cpu[i] * 1e6, n), text), each);
	show_cpu(s, span, "CPU seconds");
}

static void show_check(const struct plan *p, const struct outcome *o)
{
	const uint64_t *c = o->counts;

	(void)puts("\ncheck");
	if (p->shape != SHAPE_JOIN)
		(void)printf("  %" PRIu64 " events sent (%" PRIu64 " refused), %" PRIu64
			     " deliveries: %" PRIu64 " lost, %" PRIu64 " out of order, %" PRIu64
			     " repeated\n",
			     c[COUNT_SENT], c[COUNT_REFUSED], c[COUNT_DELIVERED], o->lost,
			     c[COUNT_LATE], c[COUNT_TWICE]);
	if (c[COUNT_JOINED] > 0)
		(void)printf("  %" PRIu64 " joined, %" PRIu64 " left, %" PRIu64
			     " listeners were told wrongly\n",
			     c[COUNT_JOINED], c[COUNT_LEFT], c[COUNT_WRONG]);
	if (c[COUNT_LOST_CONN] > 0)
		(void)printf("  %" PRIu64 " connections failed or ended\n", c[COUNT_LOST_CONN]);
	if (o->fault[0] != '\0')
		(void)printf("  first fault: %s\n", o->fault);
	(void)puts(report_is_good(o) ? "  good" : "  NOT GOOD");
}

void report_text(const struct plan *plan, const struct servers *servers, const struct outcome *o)
{
	show_head(plan, servers);
	show_connect(plan, servers, o);
	show_rounds(plan, servers, o);
	if (plan->shape == SHAPE_JOIN) {
		show_change(servers, "joining", "for each that joins",
			    (double)o->join.counts[COUNT_JOINED], &o->join);
		show_change(servers, "leaving", "for each that leaves",
			    (double)o->leave.counts[COUNT_LEFT], &o->leave);
	}
	show_check(plan, o);
}
