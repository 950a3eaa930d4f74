#include "worker/hub/roster.h"

#include <stdlib.h>

#include "common/base/buf.h"
#include "common/base/limits.h"
#include "common/base/list.h"
#include "common/base/map.h"
#include "worker/pusher/encode.h"

struct member {
	UT_hash_handle hh; /* by id */
	TAILQ_ENTRY(member) order;
	uint32_t marked; /* in this round */
	uint32_t info_n;
	char *info; /* NULL = none */
	uint32_t id_n;
	char id[];
};
TAILQ_HEAD(members, member);

struct roster {
	struct member *by_id;
	struct members in_order;
	uint32_t count;
	uint32_t round; /* of marks */
	bool stale;	/* the pieces are to be written again */
	struct buf ids;
	struct buf entries;
};

struct roster *roster_new(void)
{
	struct roster *r = NEW(struct roster);

	TAILQ_INIT(&r->in_order);
	buf_init(&r->ids, LIMIT_FRAME);
	buf_init(&r->entries, LIMIT_FRAME);
	return r;
}

uint32_t roster_count(const struct roster *r)
{
	return r->count;
}

/* ---- one member ---- */

static struct member *find(const struct roster *r, struct slice id)
{
	struct member *m = NULL;

	HASH_FIND(hh, r->by_id, id.p, id.n, m);
	return m;
}

static struct slice id_of(const struct member *m)
{
	return slice_of(m->id, m->id_n);
}

static struct slice info_of(const struct member *m)
{
	return slice_of(m->info, m->info_n);
}

static struct member *member_new(struct roster *r, struct slice id)
{
	struct member *m = mem_zalloc(sizeof(*m) + id.n);

	m->id_n = (uint32_t)id.n;
	memcpy(m->id, id.p, id.n);
	HASH_ADD(hh, r->by_id, id, m->id_n, m);
	TAILQ_INSERT_TAIL(&r->in_order, m, order);
	r->count++;
	return m;
}

static void member_free(struct roster *r, struct member *m)
{
	HASH_DELETE(hh, r->by_id, m);
	TAILQ_REMOVE(&r->in_order, m, order);
	r->count--;
	free(m->info);
	free(m);
}

static void set_info(struct member *m, struct slice info)
{
	free(m->info);
	m->info = info.n > 0 ? slice_dup(info) : NULL;
	m->info_n = (uint32_t)info.n;
}

void roster_free(struct roster *r)
{
	struct member *m;

	if (r == NULL)
		return;
	while ((m = TAILQ_FIRST(&r->in_order)) != NULL)
		member_free(r, m);
	buf_done(&r->ids);
	buf_done(&r->entries);
	free(r);
}

/* ---- the pieces ---- */

static void append(struct roster *r, const struct member *m)
{
	if (r->ids.n > 0) {
		(void)buf_addc(&r->ids, ',');
		(void)buf_addc(&r->entries, ',');
	}
	pusher_encode_snapshot_id(&r->ids, id_of(m));
	pusher_encode_snapshot_entry(&r->entries, id_of(m), info_of(m));
}

static void write_anew(struct roster *r)
{
	const struct member *m;

	buf_clear(&r->ids);
	buf_clear(&r->entries);
	TAILQ_FOREACH (m, &r->in_order, order)
		append(r, m);
	r->stale = false;
}

bool roster_pieces(struct roster *r, struct slice *ret_ids, struct slice *ret_entries)
{
	if (r->stale)
		write_anew(r);
	*ret_ids = buf_slice(&r->ids);
	*ret_entries = buf_slice(&r->entries);
	return buf_ok(&r->ids) && buf_ok(&r->entries);
}

/* ---- changes ---- */

bool roster_add(struct roster *r, struct slice user_id, struct slice user_info)
{
	struct member *m = find(r, user_id);
	bool is_new = m == NULL;

	if (is_new) {
		m = member_new(r, user_id);
		set_info(m, user_info);
		if (!r->stale)
			append(r, m);
	} else {
		/* The list of another broker: the order is this one's. */
		TAILQ_REMOVE(&r->in_order, m, order);
		TAILQ_INSERT_TAIL(&r->in_order, m, order);
		if (!slice_eq(info_of(m), user_info))
			set_info(m, user_info);
		r->stale = true;
	}
	m->marked = r->round;
	return is_new;
}

void roster_change(struct roster *r, struct slice user_id, struct slice user_info)
{
	struct member *m = find(r, user_id);

	if (m == NULL)
		return;
	set_info(m, user_info);
	r->stale = true;
}

bool roster_remove(struct roster *r, struct slice user_id)
{
	struct member *m = find(r, user_id);

	if (m == NULL)
		return false;
	member_free(r, m);
	r->stale = true;
	return true;
}

/* ---- walks ---- */

void roster_each(const struct roster *r, roster_fn *fn, void *ctx)
{
	const struct member *m;

	TAILQ_FOREACH (m, &r->in_order, order)
		fn(ctx, id_of(m), info_of(m));
}

void roster_begin_marks(struct roster *r)
{
	r->round++;
}

void roster_mark(struct roster *r, struct slice user_id)
{
	struct member *m = find(r, user_id);

	if (m != NULL)
		m->marked = r->round;
}

void roster_each_unmarked(struct roster *r, roster_fn *fn, void *ctx)
{
	struct member *m;
	struct member *next;

	TAILQ_FOREACH_SAFE (m, &r->in_order, order, next) {
		if (m->marked != r->round)
			fn(ctx, id_of(m), info_of(m));
	}
}
