#include "worker/questions.h"

#include <stdlib.h>

#include "common/base/limits.h"
#include "common/base/list.h"
#include "common/base/map.h"
#include "worker/worker_internal.h"

/* What an entry costs beside its record. */
#define ENTRY_COST 256

/* One question or one publish. */
struct question {
	UT_hash_handle hh;
	TAILQ_ENTRY(question) age;    /* while nobody has answered: oldest first */
	TAILQ_ENTRY(question) unsent; /* while the broker has not been sent it */
	uint64_t id;		      /* req, or number of a publish */
	uint64_t session;
	worker_done_fn *done;
	void *ctx;
	usec_t deadline;
	uint32_t n;
	uint8_t kind;
	bool answered; /* publishes stay until they are stable */
	bool sent;
	bool named; /* a publish has its origin */
	char body[];
};

TAILQ_HEAD(question_list, question);

struct questions {
	struct question *asked;	    /* by req */
	struct question *published; /* by number, in their order */
	struct question_list waiting;
	struct question_list unsent;
	size_t bytes;
	uint32_t waiting_count;
	uint64_t next_req;
	uint64_t next_number;
	uint64_t unavailable;
};

struct questions *questions_new(void)
{
	struct questions *q = NEW(struct questions);

	TAILQ_INIT(&q->waiting);
	TAILQ_INIT(&q->unsent);
	return q;
}

uint64_t worker_new_req(struct worker *w)
{
	return ++w->questions->next_req;
}

/* ---- life of one ---- */

static struct question **table_of(struct questions *q, uint8_t kind)
{
	return kind == WIRE_PUBLISH ? &q->published : &q->asked;
}

static struct question *find(struct questions *q, uint8_t kind, uint64_t id)
{
	struct question *it;

	HASH_FIND(hh, *table_of(q, kind), &id, sizeof(id), it);
	return it;
}

static void drop(struct questions *q, struct question *it)
{
	struct question **table = table_of(q, it->kind);

	HASH_DELETE(hh, *table, it);
	if (!it->answered) {
		TAILQ_REMOVE(&q->waiting, it, age);
		q->waiting_count--;
	}
	if (!it->sent)
		TAILQ_REMOVE(&q->unsent, it, unsent);
	q->bytes -= it->n + ENTRY_COST;
	free(it);
}

/* The handler hears; what is no publish that went well is over with that. */
static void answer(struct worker *w, struct question *it, const struct worker_answer *a)
{
	struct questions *q = w->questions;
	worker_done_fn *done = it->done;
	uint64_t session = it->session;
	void *ctx = it->ctx;

	if (it->answered)
		return;
	if (it->kind == WIRE_PUBLISH && a->status == 200) {
		it->answered = true;
		TAILQ_REMOVE(&q->waiting, it, age);
		q->waiting_count--;
	} else {
		drop(q, it); /* NOLINT(clang-analyzer-unix.Malloc): it left its table */
	}
	done(w, session, ctx, a);
}

static void answer_unavailable(struct worker *w, struct question *it)
{
	struct worker_answer a = {
		.status = 503,
		.retry_after = 1,
		.body = SLICE("The server cannot do this at the moment"),
	};

	w->questions->unavailable++;
	answer(w, it, &a);
}

/* ---- sending ---- */

/*
 * The record's first field, `origin`: our number is known at the latest when the broker is there,
 * and names the publish for ever, also if another broker gives us another one.
 */
static void name(struct question *it, uint64_t number)
{
	if (it->named)
		return;
	for (size_t i = 0; i < sizeof(number); i++)
		it->body[i] = (char)(number >> (8 * i));
	it->named = true;
}

static bool send_one(struct worker *w, struct question *it)
{
	if (it->kind == WIRE_PUBLISH)
		name(it, w->number);
	(void)buf_add(&w->record, slice_of(it->body, it->n));
	return worker_send(w, it->kind);
}

void questions_go_on(struct worker *w)
{
	struct questions *q = w->questions;
	struct question *it;

	while (worker_up(w) && (it = TAILQ_FIRST(&q->unsent)) != NULL && send_one(w, it)) {
		TAILQ_REMOVE(&q->unsent, it, unsent);
		it->sent = true;
	}
}

/* False: too much is waiting. The record is in w->record and is used up. */
static bool add(struct worker *w, uint8_t kind, uint64_t id, uint64_t session, worker_done_fn *done,
		void *ctx)
{
	struct questions *q = w->questions;
	const struct conf_worker *conf = &w->conf->worker;
	struct slice body = buf_slice(&w->record);
	struct question *it;
	struct question **table = table_of(q, kind);

	if (!buf_ok(&w->record) || q->waiting_count >= conf->pending_requests ||
	    q->bytes + body.n + ENTRY_COST > conf->pending_memory) {
		buf_clear(&w->record);
		q->unavailable++;
		return false;
	}
	it = mem_zalloc(sizeof(*it) + body.n);
	it->kind = kind;
	it->id = id;
	it->session = session;
	it->done = done;
	it->ctx = ctx;
	it->deadline = worker_now(w) + conf->broker_wait;
	it->n = (uint32_t)body.n;
	memcpy(it->body, body.p, body.n);
	buf_clear(&w->record);
	HASH_ADD(hh, *table, id, sizeof(it->id), it);
	TAILQ_INSERT_TAIL(&q->waiting, it, age);
	TAILQ_INSERT_TAIL(&q->unsent, it, unsent);
	q->waiting_count++;
	q->bytes += it->n + ENTRY_COST;
	questions_go_on(w);
	return true;
}

bool worker_ask(struct worker *w, const struct worker_ask *ask)
{
	(void)buf_add(&w->record, ask->body);
	return add(w, ask->kind, ask->req, ask->session, ask->done, ask->ctx);
}

bool worker_publish(struct worker *w, struct wire_publish *p, uint64_t session,
		    worker_done_fn *done, void *ctx)
{
	p->origin = 0; /* when it is sent */
	p->number = ++w->questions->next_number;
	p->resent = 0;
	if (!wire_encode_publish(&w->record, p)) {
		buf_clear(&w->record);
		return false;
	}
	return add(w, WIRE_PUBLISH, p->number, session, done, ctx);
}

/* ---- answers ---- */

void questions_answered(struct worker *w, uint64_t req, const struct worker_answer *a)
{
	struct question *it = find(w->questions, WIRE_QUERY, req);

	if (it != NULL)
		answer(w, it, a);
}

void questions_published(struct worker *w, const struct wire_published *m)
{
	struct question *it = find(w->questions, WIRE_PUBLISH, m->number);
	struct worker_answer a = {
		.status = m->status,
		.retry_after = m->retry_after,
		.body = m->body,
	};

	if (it != NULL)
		answer(w, it, &a);
}

void questions_stable(struct worker *w, uint64_t number)
{
	struct question *it = find(w->questions, WIRE_PUBLISH, number);

	if (it != NULL && it->answered)
		drop(w->questions, it);
}

void questions_stats(const struct questions *q, struct questions_stats *ret)
{
	*ret = (struct questions_stats){
		.waiting = q->waiting_count,
		.unstable = HASH_COUNT(q->published) + HASH_COUNT(q->asked) - q->waiting_count,
		.bytes = q->bytes,
		.unavailable = q->unavailable,
	};
}

/* ---- time, and other brokers ---- */

void questions_turn(struct worker *w, usec_t now)
{
	struct question *it;

	/* What was sent and not answered is not promised to anybody: it is forgotten, too. */
	while ((it = TAILQ_FIRST(&w->questions->waiting)) != NULL && it->deadline <= now)
		answer_unavailable(w, it);
	questions_go_on(w);
}

/* Whether asking a second time can do no harm when the old broker has done it already. */
static bool may_repeat(uint8_t kind)
{
	return kind == WIRE_QUERY || kind == WIRE_AUTHORIZE || kind == WIRE_TERMINATE;
}

static void back_to_unsent(struct questions *q, struct question *it)
{
	it->sent = false;
	TAILQ_INSERT_TAIL(&q->unsent, it, unsent);
}

void questions_again(struct worker *w)
{
	struct questions *q = w->questions;
	struct question_list fresh = TAILQ_HEAD_INITIALIZER(fresh);
	struct question *it;
	struct question *next;

	/* What has never been sent comes after what has. */
	TAILQ_CONCAT(&fresh, &q->unsent, unsent);
	HASH_ITER(hh, q->published, it, next)
	{
		if (!it->sent)
			continue;
		it->body[it->n - 1] = 1; /* the record's last field: resent */
		back_to_unsent(q, it);
	}
	HASH_ITER(hh, q->asked, it, next)
	{
		if (it->sent && may_repeat(it->kind))
			back_to_unsent(q, it);
		else if (it->sent)
			answer_unavailable(w, it); /* a chat call: whether it was done is open */
	}
	TAILQ_CONCAT(&q->unsent, &fresh, unsent);
	questions_go_on(w);
}

void questions_free(struct questions *q, struct worker *w)
{
	struct question *it;

	if (q == NULL)
		return;
	while ((it = TAILQ_FIRST(&q->waiting)) != NULL)
		answer_unavailable(w, it);
	while ((it = q->published) != NULL)
		drop(q, it); /* NOLINT(clang-analyzer-unix.Malloc): it left its table */
	free(q);
}
