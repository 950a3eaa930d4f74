/* Pages of history and lists of chats, by the statements that the broker sends for them. */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/macros.h"
#include "common/base/mem.h"
#include "tests/bench/bare.h"
#include "tests/bench/bare_http.h"
#include "tests/bench/bare_link.h"
#include "tests/bench/bare_requests.h"

#define LOOK (USEC_PER_SEC / 10)
#define OUTSTANDING_MAX 64
/* As broker/chat asks: one more than it shows, to know whether there is more. */
#define PAGE 50
#define SHOWN 50     /* participants of each chat */
#define IDS_MAX 2500 /* of them all */

/* What a list of chats is made of: the chats, who takes part, who they are. */
enum step { STEP_FIRST, STEP_PARTICIPANTS, STEP_USERS };

/* One that is under way. */
struct asked {
	usec_t since;
	enum step step;
};

struct reading {
	struct bare_meter meter;
	struct bare_requests requests;
	struct pg_params params;
	bool history;
	bool all_steps;
	struct asked ring[OUTSTANDING_MAX]; /* in the order of their answers */
	uint32_t first;
	uint32_t n;
};

static void push(struct reading *r, struct asked one)
{
	r->ring[(r->first + r->n++) % OUTSTANDING_MAX] = one;
}

static struct asked take(struct reading *r)
{
	struct asked one = r->ring[r->first];

	r->first = (r->first + 1) % OUTSTANDING_MAX;
	r->n--;
	return one;
}

static void ask_history(struct reading *r, struct bare_link *l)
{
	const struct bare_request *q = bare_requests_next(&r->requests);

	pg_params_clear(&r->params);
	pg_param_i64(&r->params, (int64_t)q->chat);
	pg_param_text(&r->params, slice_str(q->user));
	if (q->before != 0)
		pg_param_i64(&r->params, (int64_t)q->before);
	else
		pg_param_null(&r->params);
	pg_param_i32(&r->params, PAGE + 1);
	pg_param_bool(&r->params, false);
	bare_link_query(l, PG_HISTORY, &r->params);
}

static void ask_chats(struct reading *r, struct bare_link *l)
{
	const struct bare_request *q = bare_requests_next(&r->requests);

	pg_params_clear(&r->params);
	pg_param_text(&r->params, slice_str(q->user));
	pg_param_null(&r->params);
	pg_param_null(&r->params);
	pg_param_i32(&r->params, PAGE + 1);
	pg_param_bool(&r->params, false);
	bare_link_query(l, PG_ACTIVE_CHATS, &r->params);
}

static void begin(struct reading *r, struct bare_link *l)
{
	push(r, (struct asked){clock_mono(), STEP_FIRST});
	if (r->history)
		ask_history(r, l);
	else
		ask_chats(r, l);
	bare_link_sync(l);
}

static void ask_participants(struct reading *r, struct bare_link *l, const PGresult *chats)
{
	int n = MIN(PQntuples(chats), PAGE);
	int column = PQfnumber(chats, "chat_id");

	pg_params_clear(&r->params);
	pg_array_begin(&r->params, PG_INT8, (uint32_t)n);
	for (int i = 0; i < n; i++) {
		uint64_t id;

		memcpy(&id, PQgetvalue(chats, i, column), sizeof(id));
		pg_array_i64(&r->params, (int64_t)be64toh(id));
	}
	pg_array_end(&r->params);
	pg_param_i32(&r->params, SHOWN);
	bare_link_query(l, PG_PARTICIPANTS, &r->params);
	bare_link_sync(l);
}

static int by_text(const void *a, const void *b)
{
	const struct slice *x = a;
	const struct slice *y = b;
	int r = memcmp(x->p, y->p, MIN(x->n, y->n));

	return r != 0 ? r : (x->n > y->n) - (x->n < y->n);
}

static void ask_users(struct reading *r, struct bare_link *l, const PGresult *people)
{
	static struct slice ids[IDS_MAX];
	size_t n = 0;
	size_t kept = 0;
	int column = PQfnumber(people, "user_id");

	for (int i = 0; i < PQntuples(people) && n < IDS_MAX; i++)
		ids[n++] = slice_of(PQgetvalue(people, i, column),
				    (size_t)PQgetlength(people, i, column));
	qsort(ids, n, sizeof(ids[0]), by_text);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || !slice_eq(ids[kept - 1], ids[i]))
			ids[kept++] = ids[i];
	pg_params_clear(&r->params);
	pg_param_text(&r->params, SLICE("chatapp"));
	pg_array_begin(&r->params, PG_TEXT, (uint32_t)kept);
	for (size_t i = 0; i < kept; i++)
		pg_array_text(&r->params, ids[i]);
	pg_array_end(&r->params);
	bare_link_query(l, PG_USERS, &r->params);
	bare_link_sync(l);
}

static void on_read(struct bare_link *l, const PGresult *last)
{
	struct reading *r = l->ctx;
	struct asked one = take(r);

	if (r->all_steps && one.step == STEP_FIRST && PQntuples(last) > 0) {
		push(r, (struct asked){one.since, STEP_PARTICIPANTS});
		ask_participants(r, l, last);
		return;
	}
	if (one.step == STEP_PARTICIPANTS) {
		push(r, (struct asked){one.since, STEP_USERS});
		ask_users(r, l, last);
		return;
	}
	bare_meter_add(&r->meter, clock_mono(), one.since, 1, (uint64_t)PQntuples(last));
	begin(r, l);
}

static int run(const struct bare_options *o, const char *kind, bool history, bool all_steps)
{
	struct reading r = {.history = history, .all_steps = all_steps};
	struct bare_link link = {.on_answer = on_read, .ctx = &r};
	struct pg_stmts stmts;

	if (o->target != NULL)
		return bare_http(o, kind, history);
	pg_stmts_init(&stmts);
	pg_params_init(&r.params);
	bare_requests_load(&r.requests, o->requests);
	bare_link_open(&link, o->conninfo, &stmts, PG_ROLE_LOOKUPS, "");
	bare_meter_init(&r.meter, o);
	for (uint32_t i = 0; i < o->outstanding && i < OUTSTANDING_MAX; i++)
		begin(&r, &link);
	while (!bare_meter_over(&r.meter, clock_mono()))
		bare_link_wait(&link, 1, LOOK);
	bare_meter_print(&r.meter, kind);
	bare_link_close(&link);
	bare_requests_done(&r.requests);
	pg_params_done(&r.params);
	pg_stmts_done(&stmts);
	return 0;
}

int bare_history(const struct bare_options *o)
{
	return run(o, "history", true, false);
}

int bare_chats(const struct bare_options *o)
{
	return run(o, "chats", false, true);
}

int bare_list(const struct bare_options *o)
{
	return run(o, "list", false, false);
}
