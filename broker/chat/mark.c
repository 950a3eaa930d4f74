/* Tokens in use, and what happens when one is revoked. */
#include <stdlib.h>

#include "broker/chat/grant_internal.h"

/* ---- owners ---- */

struct owner *owner_find(const struct grants *g, struct slice user_id)
{
	struct owner *o = NULL;

	if (user_id.n > 0)
		HASH_FIND(hh, g->owners, user_id.p, user_id.n, o);
	return o;
}

static struct owner *owner_of(struct grants *g, struct slice user_id)
{
	struct owner *o = owner_find(g, user_id);

	if (o != NULL)
		return o;
	o = NEW(struct owner);
	o->id_n = (uint8_t)user_id.n;
	memcpy(o->text, user_id.p, user_id.n);
	LIST_INIT(&o->marks);
	HASH_ADD(hh, g->owners, text, o->id_n, o);
	return o;
}

/* ---- marks ---- */

static bool same(const struct identity *a, const struct identity *b)
{
	return a->token_id == b->token_id && slice_eq(a->hash, b->hash) &&
	       slice_eq(a->user_id, b->user_id);
}

static struct mark *first_of(const struct grants *g, int64_t token_id)
{
	struct mark *m = NULL;

	HASH_FIND(hh, g->marks, &token_id, sizeof(token_id), m);
	return m;
}

/* A row that was changed gives another mark under the same id. */
struct mark *mark_find(const struct grants *g, const struct identity *who)
{
	const struct owner *o = owner_find(g, who->user_id);
	struct mark *m;

	if (o == NULL)
		return NULL;
	LIST_FOREACH (m, &o->marks, of_user) {
		if (same(m->who, who))
			return m;
	}
	return NULL;
}

struct mark *mark_of(struct grants *g, struct identity *who)
{
	struct mark *m = mark_find(g, who);

	if (m != NULL)
		return m;
	m = NEW(struct mark);
	m->who = identity_ref(who);
	m->owner = owner_of(g, who->user_id);
	LIST_INIT(&m->grants);
	LIST_INIT(&m->holders);
	LIST_INSERT_HEAD(&m->owner->marks, m, of_user);
	HASH_ADD_KEYPTR(hh, g->marks, &m->who->token_id, sizeof(m->who->token_id), m);
	return m;
}

void mark_release(struct grants *g, struct mark *m)
{
	struct owner *o = m->owner;

	if (!LIST_EMPTY(&m->grants) || !LIST_EMPTY(&m->holders) || m->state == MARK_ASKED ||
	    m->state == MARK_ASKED_AGAIN)
		return;
	if (m->state == MARK_SUSPECT)
		TAILQ_REMOVE(&g->suspects, m, suspects);
	HASH_DELETE(hh, g->marks, m);
	LIST_REMOVE(m, of_user);
	identity_unref(m->who);
	free(m);
	if (!LIST_EMPTY(&o->marks))
		return;
	HASH_DELETE(hh, g->owners, o);
	free(o);
}

void holder_unmark(struct grants *g, struct holder *h)
{
	struct mark *m = h->mark;

	if (m == NULL)
		return;
	h->mark = NULL;
	LIST_REMOVE(h, of_mark);
	mark_release(g, m);
}

/* ---- checking ---- */

void mark_suspect(struct grants *g, struct mark *m)
{
	switch (m->state) {
	case MARK_IDLE:
		m->state = MARK_SUSPECT;
		TAILQ_INSERT_TAIL(&g->suspects, m, suspects);
		break;
	case MARK_ASKED:
		m->state = MARK_ASKED_AGAIN;
		break;
	case MARK_SUSPECT:
	case MARK_ASKED_AGAIN:
		break;
	}
}

/* Others under the same id stand behind the first in its bucket. */
static struct mark *next_of(const struct mark *m)
{
	struct mark *other;

	for (UT_hash_handle *hh = m->hh.hh_next; hh != NULL; hh = hh->hh_next) {
		other = CONTAINER_OF(hh, struct mark, hh);
		if (other->who->token_id == m->who->token_id)
			return other;
	}
	return NULL;
}

void grants_suspect(struct grants *g, int64_t token_id)
{
	for (struct mark *m = first_of(g, token_id); m != NULL; m = next_of(m))
		mark_suspect(g, m);
}

void grants_suspect_all(struct grants *g)
{
	for (struct mark *m = g->marks; m != NULL; m = m->hh.next)
		mark_suspect(g, m);
}

struct mark *grants_next_suspect(struct grants *g)
{
	struct mark *m = TAILQ_FIRST(&g->suspects);

	if (m == NULL)
		return NULL;
	TAILQ_REMOVE(&g->suspects, m, suspects);
	m->state = MARK_ASKED;
	return m;
}

const struct identity *mark_identity(const struct mark *m)
{
	return m->who;
}

static void revoke(struct grants *g, struct mark *m, mark_conn_fn *fn, void *ctx)
{
	struct holder *h;
	struct grant *gr;

	while ((gr = LIST_FIRST(&m->grants)) != NULL) {
		struct place *p = gr->place;

		p->revoked = true;
		grant_drop(g, gr);
		grant_note_place(g, p);
	}
	while ((h = LIST_FIRST(&m->holders)) != NULL) {
		uint64_t conn = h->conn;

		holder_unmark(g, h);
		fn(ctx, conn);
	}
}

void grants_checked(struct grants *g, struct mark *m, enum mark_verdict verdict, mark_conn_fn *fn,
		    void *ctx)
{
	bool again = m->state == MARK_ASKED_AGAIN;

	if (verdict == MARK_REVOKED)
		revoke(g, m, fn, ctx); /* it stays: it is being checked */
	m->state = MARK_IDLE;
	if (verdict == MARK_UNKNOWN || again)
		mark_suspect(g, m);
	mark_release(g, m);
}
