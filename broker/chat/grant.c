#include "broker/chat/grant.h"

#include <stdlib.h>

#include "broker/chat/grant_internal.h"

#define KEY_MAX (sizeof(uint64_t) + LIMIT_CHANNEL_NAME)

struct grants *grants_new(grants_note_fn *note, void *ctx)
{
	struct grants *g = NEW(struct grants);

	g->note = note;
	g->ctx = ctx;
	TAILQ_INIT(&g->suspects);
	LIST_INIT(&g->refusals);
	return g;
}

/* ---- places ---- */

static size_t make_key(char key[KEY_MAX], uint64_t conn, struct slice channel)
{
	memcpy(key, &conn, sizeof(conn));
	if (channel.n > 0)
		memcpy(key + sizeof(conn), channel.p, channel.n);
	return sizeof(conn) + channel.n;
}

static struct place *find(const struct grants *g, uint64_t conn, struct slice channel)
{
	char key[KEY_MAX];
	struct place *p = NULL;

	if (channel.n > LIMIT_CHANNEL_NAME)
		return NULL;
	size_t n = make_key(key, conn, channel);

	HASH_FIND(hh, g->places, key, n, p);
	return p;
}

static struct holder *find_holder(const struct grants *g, uint64_t conn)
{
	struct holder *h = NULL;

	HASH_FIND(hh, g->holders, &conn, sizeof(conn), h);
	return h;
}

static struct holder *holder_of(struct grants *g, uint64_t conn)
{
	struct holder *h = find_holder(g, conn);

	if (h != NULL)
		return h;
	h = NEW(struct holder);
	h->conn = conn;
	LIST_INIT(&h->places);
	HASH_ADD(hh, g->holders, conn, sizeof(h->conn), h);
	return h;
}

static struct slice channel_of(const struct place *p)
{
	return slice_of(p->key + sizeof(uint64_t), p->name_n);
}

/* NULL: the connection has too many. */
static struct place *place_of(struct grants *g, uint64_t conn, struct slice channel)
{
	struct place *p = find(g, conn, channel);
	struct holder *h;

	if (p != NULL)
		return p;
	h = holder_of(g, conn);
	if (h->nplaces >= GRANTS_PER_CONN || channel.n > LIMIT_CHANNEL_NAME)
		return NULL;
	p = mem_zalloc(sizeof(*p) + sizeof(conn) + channel.n);
	p->holder = h;
	p->name_n = (uint8_t)channel.n;
	LIST_INIT(&p->grants);
	LIST_INIT(&p->refusals);
	(void)make_key(p->key, conn, channel);
	HASH_ADD(hh, g->places, key, sizeof(conn) + channel.n, p);
	LIST_INSERT_HEAD(&h->places, p, of_conn);
	h->nplaces++;
	return p;
}

void grant_drop(struct grants *g, struct grant *gr)
{
	struct mark *m = gr->mark;

	LIST_REMOVE(gr, of_place);
	LIST_REMOVE(gr, of_mark);
	g->count--;
	free(gr);
	mark_release(g, m);
}

static void drop_refusal(struct refusal *r)
{
	LIST_REMOVE(r, of_place);
	LIST_REMOVE(r, all);
	free(r);
}

static void drop_place(struct grants *g, struct place *p)
{
	struct refusal *r;
	struct grant *gr;

	while ((gr = LIST_FIRST(&p->grants)) != NULL)
		grant_drop(g, gr);
	while ((r = LIST_FIRST(&p->refusals)) != NULL)
		drop_refusal(r);
	LIST_REMOVE(p, of_conn);
	p->holder->nplaces--;
	HASH_DELETE(hh, g->places, p);
	free(p);
}

static void drop_holder(struct grants *g, struct holder *h)
{
	struct place *p;

	while ((p = LIST_FIRST(&h->places)) != NULL)
		drop_place(g, p);
	holder_unmark(g, h);
	HASH_DELETE(hh, g->holders, h);
	free(h);
}

void grants_conn_closed(struct grants *g, uint64_t conn)
{
	struct holder *h = find_holder(g, conn);

	if (h != NULL)
		drop_holder(g, h);
}

void grants_free(struct grants *g)
{
	struct holder *h;
	struct holder *next;

	if (g == NULL)
		return;
	/* Marks that are being checked have nobody left to wait for. */
	for (struct mark *m = g->marks; m != NULL; m = m->hh.next) {
		if (m->state == MARK_SUSPECT)
			TAILQ_REMOVE(&g->suspects, m, suspects);
		m->state = MARK_IDLE;
	}
	HASH_ITER(hh, g->holders, h, next)
	drop_holder(g, h);
	while (g->marks != NULL)
		mark_release(g, g->marks);
	free(g);
}

/* ---- authorisations ---- */

static struct refusal *find_refusal(const struct place *p, struct slice user_id)
{
	struct refusal *r;

	LIST_FOREACH (r, &p->refusals, of_place) {
		if (slice_eq(slice_of(r->id, r->id_n), user_id))
			return r;
	}
	return NULL;
}

static void add_grant(struct grants *g, struct place *p, struct identity *who)
{
	struct mark *m = mark_of(g, who);
	struct grant *gr;

	LIST_FOREACH (gr, &p->grants, of_place) {
		if (gr->mark == m)
			return;
	}
	gr = NEW(struct grant);
	gr->place = p;
	gr->mark = m;
	LIST_INSERT_HEAD(&p->grants, gr, of_place);
	LIST_INSERT_HEAD(&m->grants, gr, of_mark);
	g->count++;
}

/* Of one user the newest token counts, and two users are as unclear as many. */
static void make_few(struct grants *g, struct place *p, const struct identity *newest)
{
	struct grant *gr;
	struct grant *next;
	uint32_t others = 0;

	LIST_FOREACH_SAFE (gr, &p->grants, of_place, next) {
		if (gr->mark->who == newest)
			continue;
		if (slice_eq(gr->mark->who->user_id, newest->user_id) || ++others > 8)
			grant_drop(g, gr);
	}
}

bool grants_add(struct grants *g, uint64_t conn, struct slice channel, struct identity *who)
{
	struct place *p = place_of(g, conn, channel);
	struct refusal *r;

	if (p == NULL)
		return false;
	r = find_refusal(p, who->user_id);
	if (r != NULL)
		drop_refusal(r);
	p->revoked = false;
	add_grant(g, p, who);
	make_few(g, p, mark_find(g, who)->who);
	grant_note_place(g, p);
	return true;
}

const struct identity *grants_user(const struct grants *g, uint64_t conn, struct slice channel)
{
	const struct place *p = find(g, conn, channel);
	const struct grant *first = p != NULL ? LIST_FIRST(&p->grants) : NULL;

	if (first == NULL || LIST_NEXT(first, of_place) != NULL)
		return NULL;
	return first->mark->who;
}

bool grants_refused(const struct grants *g, uint64_t conn, struct slice channel)
{
	const struct place *p = find(g, conn, channel);

	return p != NULL && (p->revoked || !LIST_EMPTY(&p->refusals));
}

static void hold(struct holder *h, struct mark *m)
{
	h->mark = m;
	LIST_INSERT_HEAD(&m->holders, h, of_mark);
}

void grants_identified(struct grants *g, uint64_t conn, const struct identity *who)
{
	struct mark *m = mark_find(g, who);
	struct holder *h = m != NULL ? holder_of(g, conn) : NULL;

	if (h == NULL || h->mark != NULL)
		return;
	hold(h, m);
	grant_note_token(g, conn, who);
}

uint64_t grants_count(const struct grants *g)
{
	return g->count;
}

/* ---- participants come and go ---- */

static void add_refusal(struct grants *g, struct place *p, struct slice user_id)
{
	struct refusal *r = NEW(struct refusal);

	r->id_n = (uint8_t)user_id.n;
	memcpy(r->id, user_id.p, user_id.n);
	r->place = p;
	LIST_INSERT_HEAD(&p->refusals, r, of_place);
	LIST_INSERT_HEAD(&g->refusals, r, all);
}

bool grants_withdraw(struct grants *g, uint64_t conn, struct slice channel, struct slice user_id)
{
	struct place *p = place_of(g, conn, channel);

	if (p == NULL || user_id.n > LIMIT_USER_ID)
		return false;
	if (find_refusal(p, user_id) != NULL)
		return true;
	add_refusal(g, p, user_id);
	grant_note_place(g, p);
	return true;
}

void grants_restore(struct grants *g, struct slice channel, struct slice user_id)
{
	struct refusal *r;
	struct refusal *next;

	LIST_FOREACH_SAFE (r, &g->refusals, all, next) {
		struct place *p = r->place;

		if (!slice_eq(channel_of(p), channel) ||
		    !slice_eq(slice_of(r->id, r->id_n), user_id))
			continue;
		drop_refusal(r);
		grant_note_place(g, p);
	}
}

static bool is_alone(const struct place *p, struct slice user_id)
{
	const struct grant *gr;

	LIST_FOREACH (gr, &p->grants, of_place) {
		if (!slice_eq(gr->mark->who->user_id, user_id))
			return false;
	}
	return true;
}

void grants_each(struct grants *g, struct slice channel, struct slice user_id, grants_conn_fn *fn,
		 void *ctx)
{
	const struct owner *o = owner_find(g, user_id);
	struct grant *gr;
	struct mark *m;

	if (o == NULL)
		return;
	LIST_FOREACH (m, &o->marks, of_user) {
		LIST_FOREACH (gr, &m->grants, of_mark) {
			if (slice_eq(channel_of(gr->place), channel))
				fn(ctx, gr->place->holder->conn, is_alone(gr->place, user_id));
		}
	}
}

/* ---- as it was in another broker ---- */

struct place *grant_restore_place(struct grants *g, uint64_t conn, struct slice channel)
{
	return place_of(g, conn, channel);
}

void grant_restore(struct grants *g, struct place *p, struct identity *who)
{
	add_grant(g, p, who);
	mark_suspect(g, mark_find(g, who));
}

void grant_restore_refusal(struct grants *g, struct place *p, struct slice user_id)
{
	if (find_refusal(p, user_id) == NULL)
		add_refusal(g, p, user_id);
}

void grant_restore_holder(struct grants *g, uint64_t conn, struct identity *who)
{
	struct holder *h = holder_of(g, conn);
	struct mark *m;

	if (h->mark != NULL)
		return;
	m = mark_of(g, who);
	hold(h, m);
	mark_suspect(g, m);
}
