#include "broker/chat/profile.h"

#include <stdlib.h>

#include "common/base/list.h"
#include "common/base/map.h"

struct entry {
	UT_hash_handle hh;
	TAILQ_ENTRY(entry) use;
	char *name;
	struct profile profile; /* its name is `name` */
	uint32_t id_n;
	char id[];
};

struct profiles {
	struct entry *table;
	TAILQ_HEAD(, entry) uses; /* longest unused first */
	uint32_t most;
};

struct profiles *profiles_new(uint32_t most)
{
	struct profiles *p = NEW(struct profiles);

	p->most = most;
	TAILQ_INIT(&p->uses);
	return p;
}

static void drop(struct profiles *p, struct entry *e)
{
	HASH_DELETE(hh, p->table, e);
	TAILQ_REMOVE(&p->uses, e, use);
	free(e->name);
	free(e);
}

void profiles_free(struct profiles *p)
{
	struct entry *e;

	if (p == NULL)
		return;
	while ((e = TAILQ_FIRST(&p->uses)) != NULL)
		drop(p, e);
	free(p);
}

static struct entry *find(const struct profiles *p, struct slice user_id)
{
	struct entry *e = NULL;

	if (user_id.n > 0)
		HASH_FIND(hh, p->table, user_id.p, user_id.n, e);
	return e;
}

static struct entry *entry_of(struct profiles *p, struct slice user_id)
{
	struct entry *e = find(p, user_id);

	if (e != NULL) {
		TAILQ_REMOVE(&p->uses, e, use);
		TAILQ_INSERT_TAIL(&p->uses, e, use);
		return e;
	}
	if (HASH_COUNT(p->table) >= p->most)
		drop(p, TAILQ_FIRST(&p->uses));
	e = mem_zalloc(sizeof(*e) + user_id.n);
	e->id_n = (uint32_t)user_id.n;
	if (user_id.n > 0)
		memcpy(e->id, user_id.p, user_id.n);
	HASH_ADD(hh, p->table, id, e->id_n, e);
	TAILQ_INSERT_TAIL(&p->uses, e, use);
	return e;
}

static void set_name(struct entry *e, struct slice name)
{
	if (name.p == NULL || (e->name != NULL && slice_eq(e->profile.name, name)))
		return;
	free(e->name);
	e->name = slice_dup(name);
	e->profile.name = slice_of(e->name, name.n);
}

void profiles_put(struct profiles *p, const struct chat_user_row *row)
{
	struct entry *e = entry_of(p, row->id);

	set_name(e, row->name);
	e->profile.settings = true;
	e->profile.policy = row->policy;
	e->profile.hidden_since = row->hidden_since;
	e->profile.last_seen = MAX(e->profile.last_seen, row->last_seen);
}

void profiles_put_name(struct profiles *p, struct slice user_id, struct slice name)
{
	set_name(entry_of(p, user_id), name);
}

void profiles_put_hidden(struct profiles *p, struct slice user_id, wall_us_t since)
{
	struct entry *e = entry_of(p, user_id);

	e->profile.hidden_since = since;
}

void profiles_put_seen(struct profiles *p, struct slice user_id, wall_us_t at)
{
	struct entry *e = entry_of(p, user_id);

	e->profile.last_seen = MAX(e->profile.last_seen, at);
}

bool profiles_get(const struct profiles *p, struct slice user_id, struct profile *ret)
{
	const struct entry *e = find(p, user_id);

	*ret = e != NULL ? e->profile : (struct profile){0};
	return e != NULL;
}
