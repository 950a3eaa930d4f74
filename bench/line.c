/* A keep-alive HTTP connection. */
#include <stdio.h>
#include <string.h>

#include "bench/load_internal.h"

static struct line *line_of(struct conn *c)
{
	return CONTAINER_OF(c, struct line, conn);
}

static struct request take_request(struct line *line)
{
	struct request r = line->ring[line->first];

	line->first = (line->first + 1) % PLAN_PIPELINE;
	line->n--;
	return r;
}

/* It was counted when it was sent; nobody will get it. */
static void refused(struct line *line, const struct talker *t)
{
	struct load *l = line->load;

	l->counts[COUNT_REFUSED]++;
	group_take(&l->shared->group[t->part->first_group + t->channel].sent, 1);
}

static void on_answer(struct line *line, const struct http_answer *a)
{
	struct load *l = line->load;
	struct request r = take_request(line);
	char status[16];
	int n;

	if (l->measured)
		histogram_add(&l->mine->answer, l->now > r.at ? l->now - r.at : 0);
	if (a->status >= 200 && a->status < 300)
		return;
	refused(line, r.talker);
	n = snprintf(status, sizeof(status), "HTTP %u", a->status);
	if (n > 0)
		load_fault(l, status, slice_first(a->body, 120));
}

static size_t on_bytes(struct conn *conn, char *bytes, size_t n)
{
	struct line *line = line_of(conn);
	struct slice left = slice_of(bytes, n);
	struct http_answer answer;
	size_t took;

	while (left.n > 0 && line->n > 0 && http_take_answer(left, &took, &answer)) {
		on_answer(line, &answer);
		left = slice_skip(left, took);
	}
	return n - left.n;
}

static void on_open(struct conn *conn)
{
	line_of(conn)->open = true;
}

static void on_end(struct conn *conn, int err)
{
	struct line *line = line_of(conn);

	line->open = false;
	if (line->n > 0 || err != 0)
		load_fault(line->load, "HTTP connection",
			   slice_str(err == 0 ? "closed by the server" : strerror(err)));
	while (line->n > 0)
		refused(line, take_request(line).talker);
	/* An idle one may be closed by a server: opened again. One that fails stays closed. */
	if (err == 0)
		line_open(line);
}

static const struct conn_handler handler = {
	.on_open = on_open,
	.on_bytes = on_bytes,
	.on_end = on_end,
};

void line_open(struct line *line)
{
	int r = conn_open(line->load->net, &line->conn, &handler);

	if (r < 0)
		load_fault(line->load, "HTTP connection", slice_str(strerror(-r)));
}

bool line_may(const struct line *line)
{
	return line->open && line->n < line->part->pipeline;
}

void line_send(struct line *line, struct talker *talker, usec_t at)
{
	struct load *l = line->load;

	line->ring[(line->first + line->n) % PLAN_PIPELINE] = (struct request){talker, at};
	line->n++;
	conn_send(&line->conn, buf_slice(&l->out));
	buf_clear(&l->out);
}
