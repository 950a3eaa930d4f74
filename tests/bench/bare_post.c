/* Messages: batches of so many rows, the next of a connection when the last is committed. */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "tests/bench/bare.h"
#include "tests/bench/bare_link.h"
#include "tests/bench/bare_requests.h"

#define BODY 200 /* bytes, as chat-bench sends */
#define LOOK (USEC_PER_SEC / 10)

struct post {
	const struct bare_options *options;
	struct bare_meter meter;
	struct bare_requests *requests; /* of each connection: its own chats */
	struct pg_params params;
	usec_t *since;
};

/* Chats are shared out by number, as the broker does it. */
static void share_out(struct post *p)
{
	struct bare_requests all;
	uint32_t n = p->options->connections;

	bare_requests_load(&all, p->options->requests);
	p->requests = mem_calloc(n, sizeof(*p->requests));
	for (uint32_t i = 0; i < n; i++)
		p->requests[i].v = mem_calloc(all.n, sizeof(*all.v));
	for (uint32_t i = 0; i < all.n; i++) {
		struct bare_requests *r = &p->requests[all.v[i].chat % n];

		r->v[r->n++] = all.v[i];
	}
	for (uint32_t i = 0; i < n; i++)
		if (p->requests[i].n == 0)
			die("%s: no chat for each connection", p->options->requests);
	bare_requests_done(&all);
}

static void fill(struct post *p, struct bare_requests *r)
{
	static char body[BODY];
	uint32_t n = p->options->rows;
	uint32_t first = r->next;

	memset(body, 'x', sizeof(body));
	pg_params_clear(&p->params);
	pg_array_begin(&p->params, PG_INT8, n);
	for (uint32_t i = 0; i < n; i++)
		pg_array_i64(&p->params, (int64_t)r->v[(first + i) % r->n].chat);
	pg_array_end(&p->params);
	pg_array_begin(&p->params, PG_TEXT, n);
	for (uint32_t i = 0; i < n; i++)
		pg_array_text(&p->params, slice_str(r->v[(first + i) % r->n].user));
	pg_array_end(&p->params);
	pg_array_begin(&p->params, PG_UUID, n);
	for (uint32_t i = 0; i < n; i++)
		pg_array_null(&p->params);
	pg_array_end(&p->params);
	pg_array_begin(&p->params, PG_TEXT, n);
	for (uint32_t i = 0; i < n; i++)
		pg_array_text(&p->params, slice_of(body, sizeof(body)));
	pg_array_end(&p->params);
	pg_array_begin(&p->params, PG_INT8, n);
	for (uint32_t i = 0; i < n; i++)
		pg_array_null(&p->params);
	pg_array_end(&p->params);
	pg_array_begin(&p->params, PG_JSON, n);
	for (uint32_t i = 0; i < n; i++)
		pg_array_null(&p->params);
	pg_array_end(&p->params);
	pg_param_bool(&p->params, false);
	r->next = (first + n) % r->n;
}

static void send_batch(struct post *p, struct bare_link *l)
{
	fill(p, &p->requests[l->number]);
	p->since[l->number] = clock_mono();
	bare_link_query(l, PG_POST_MESSAGES, &p->params);
	bare_link_sync(l);
}

static void on_posted(struct bare_link *l, const PGresult *last)
{
	struct post *p = l->ctx;

	if (PQntuples(last) != (int)p->options->rows)
		die("not all were stored");
	bare_meter_add(&p->meter, clock_mono(), p->since[l->number], p->options->rows, 1);
	send_batch(p, l);
}

int bare_post(const struct bare_options *o)
{
	struct post p = {.options = o};
	struct bare_link *links = mem_calloc(o->connections, sizeof(*links));
	struct pg_stmts stmts;

	pg_stmts_init(&stmts);
	pg_params_init(&p.params);
	share_out(&p);
	p.since = mem_calloc(o->connections, sizeof(*p.since));
	for (uint32_t i = 0; i < o->connections; i++) {
		links[i] = (struct bare_link){.on_answer = on_posted, .ctx = &p, .number = i};
		bare_link_open(&links[i], o->conninfo, &stmts, PG_ROLE_MESSAGES0, "");
	}
	bare_meter_init(&p.meter, o);
	for (uint32_t i = 0; i < o->connections; i++)
		send_batch(&p, &links[i]);
	while (!bare_meter_over(&p.meter, clock_mono()))
		bare_link_wait(links, o->connections, LOOK);
	bare_meter_print(&p.meter, "post");
	for (uint32_t i = 0; i < o->connections; i++) {
		bare_link_close(&links[i]);
		bare_requests_done(&p.requests[i]);
	}
	free(links);
	free(p.requests);
	free(p.since);
	pg_params_done(&p.params);
	pg_stmts_done(&stmts);
	return 0;
}
