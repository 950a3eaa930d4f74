/* What the mirror writes, by its statements alone: one transaction each window. */
#include <stdlib.h>

#include "common/base/macros.h"
#include "common/base/mem.h"
#include "tests/bench/bare.h"
#include "tests/bench/bare_link.h"
#include "tests/bench/churn.h"

#define WINDOW (USEC_PER_SEC / 10) /* as [broker] mirror_window */
#define LIVES_MAX (CHURN_LIVES / 2)

struct writing {
	struct bare_meter meter;
	struct churn churn;
	struct pg_params params;
	struct bare_link link;
	int64_t epoch;
	struct churn_life *lives; /* of the transaction */
	uint32_t n;
	uint64_t rows;	/* of the transaction */
	uint64_t taken; /* of all */
	usec_t since;
	bool busy;
};

typedef void column_fn(struct pg_params *p, const struct churn_life *l);

static void worker(struct pg_params *p, const struct churn_life *l)
{
	pg_array_i32(p, (int32_t)l->conn.worker);
}

static void conn(struct pg_params *p, const struct churn_life *l)
{
	pg_array_i64(p, (int64_t)l->conn.conn);
}

static void app(struct pg_params *p, const struct churn_life *l)
{
	pg_array_text(p, l->conn.app);
}

static void socket_id(struct pg_params *p, const struct churn_life *l)
{
	pg_array_text(p, slice_str(l->socket_id));
}

static void user(struct pg_params *p, const struct churn_life *l)
{
	pg_array_text(p, slice_str(l->user_id));
}

static void address(struct pg_params *p, const struct churn_life *l)
{
	pg_array_text(p, l->conn.address);
}

static void agent(struct pg_params *p, const struct churn_life *l)
{
	pg_array_text(p, l->conn.agent);
}

static void channel(struct pg_params *p, const struct churn_life *l)
{
	pg_array_text(p, slice_str(l->channel));
}

static void info(struct pg_params *p, const struct churn_life *l)
{
	pg_array_text(p, l->member.user_info);
}

static void count(struct pg_params *p, const struct churn_life *l)
{
	pg_array_i32(p, (int32_t)l->user.connections);
}

static void at(struct pg_params *p, const struct churn_life *l)
{
	pg_array_time(p, l->user.changed_at);
}

struct statement {
	enum pg_stmt_id id;
	bool there;
	bool epoch; /* is $1 */
	struct {
		enum pg_type type;
		column_fn *put;
	} columns[8];
};

static const struct statement statements[] = {
	{PG_CONN_DELETE, false, true, {{PG_INT4, worker}, {PG_INT8, conn}}},
	{PG_CONN_PUT,
	 true,
	 true,
	 {{PG_INT4, worker},
	  {PG_INT8, conn},
	  {PG_TEXT, app},
	  {PG_TEXT, socket_id},
	  {PG_TEXT, user},
	  {PG_TEXT, address},
	  {PG_TEXT, agent},
	  {PG_TIMESTAMPTZ, at}}},
	{PG_MEMBER_DELETE, false, true, {{PG_INT4, worker}, {PG_INT8, conn}, {PG_TEXT, channel}}},
	{PG_MEMBER_PUT,
	 true,
	 true,
	 {{PG_INT4, worker},
	  {PG_INT8, conn},
	  {PG_TEXT, channel},
	  {PG_TEXT, app},
	  {PG_TEXT, user},
	  {PG_JSONB, info},
	  {PG_TIMESTAMPTZ, at}}},
	{PG_USER_DELETE, false, true, {{PG_TEXT, app}, {PG_TEXT, user}}},
	{PG_USER_PUT,
	 true,
	 true,
	 {{PG_TEXT, app},
	  {PG_TEXT, user},
	  {PG_INT4, count},
	  {PG_TIMESTAMPTZ, at},
	  {PG_TIMESTAMPTZ, at}}},
	{PG_LAST_SEEN_PUT, false, false, {{PG_TEXT, app}, {PG_TEXT, user}, {PG_TIMESTAMPTZ, at}}},
};

static void query(struct writing *w, const struct statement *s, uint32_t n)
{
	struct pg_params *p = &w->params;

	pg_params_clear(p);
	if (s->epoch)
		pg_param_i64(p, w->epoch);
	for (size_t k = 0; k < ARRAY_LEN(s->columns) && s->columns[k].put != NULL; k++) {
		pg_array_begin(p, s->columns[k].type, n);
		for (uint32_t i = 0; i < w->n; i++)
			if (w->lives[i].there == s->there)
				s->columns[k].put(p, &w->lives[i]);
		pg_array_end(p);
	}
	bare_link_query(&w->link, s->id, p);
}

static void write_lives(struct writing *w)
{
	uint32_t there = 0;

	for (uint32_t i = 0; i < w->n; i++)
		there += w->lives[i].there;
	for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
		uint32_t n = statements[i].there ? there : w->n - there;

		if (n > 0)
			query(w, &statements[i], n);
	}
	w->since = clock_mono();
	w->busy = true;
	bare_link_sync(&w->link);
}

static void on_written(struct bare_link *l, const PGresult *last)
{
	struct writing *w = l->ctx;

	(void)last;
	w->busy = false;
	if (w->meter.options != NULL)
		bare_meter_add(&w->meter, clock_mono(), w->since, w->rows, 1);
}

static void wait_written(struct writing *w)
{
	while (w->busy)
		bare_link_wait(&w->link, 1, USEC_PER_SEC);
}

/* Those that are there from the beginning. */
static void write_first(struct writing *w)
{
	for (uint32_t i = 0; i < CHURN_LIVES; i++) {
		if (!w->churn.there[i])
			continue;
		churn_life(&w->churn, i, &w->lives[w->n++]);
		if (w->n < 1600 && i + 2 < CHURN_LIVES)
			continue;
		write_lives(w);
		wait_written(w);
		w->n = 0;
	}
}

static void write_due(struct writing *w, double due)
{
	w->n = 0;
	w->rows = 0;
	while ((double)w->taken < due && w->n < LIVES_MAX) {
		struct churn_life *l = &w->lives[w->n++];

		churn_next(&w->churn, l);
		w->rows += churn_rows(l);
		w->taken += churn_rows(l);
	}
	if (w->n > 0)
		write_lives(w);
}

int bare_mirror(const struct bare_options *o)
{
	static struct writing w;
	struct pg_stmts stmts;
	usec_t begin;
	usec_t next;

	pg_stmts_init(&stmts);
	pg_params_init(&w.params);
	churn_init(&w.churn);
	w.lives = mem_calloc(LIVES_MAX, sizeof(*w.lives));
	w.link = (struct bare_link){.on_answer = on_written, .ctx = &w};
	w.epoch = bare_link_number(o->conninfo,
				   "SELECT chat.broker_start('bare', 'bench', 1, 'bench')");
	bare_link_open(&w.link, o->conninfo, &stmts, PG_ROLE_MIRROR,
		       "-c synchronous_commit=off " PG_PLAN_BY_INDEX);
	write_first(&w);
	bare_meter_init(&w.meter, o);
	begin = next = clock_mono();
	while (!bare_meter_over(&w.meter, clock_mono())) {
		usec_t now = clock_mono();

		if (!w.busy && now >= next) {
			next = now + WINDOW;
			write_due(&w, o->rate * (double)(now - begin) / (double)USEC_PER_SEC);
		}
		bare_link_wait(&w.link, 1, next > now ? next - now : USEC_PER_MSEC);
	}
	bare_meter_print(&w.meter, "mirror");
	bare_link_close(&w.link);
	free(w.lives);
	pg_params_done(&w.params);
	pg_stmts_done(&stmts);
	return 0;
}
