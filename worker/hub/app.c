#include "worker/hub/app.h"

#include <stdlib.h>

#include "common/base/map.h"

struct app_row {
	struct app app;
	struct app_row *next; /* all that there ever were */
	UT_hash_handle by_id;
	UT_hash_handle by_key;
};

struct apps {
	struct app_row *all;
	struct app_row *ids;  /* those that are not gone */
	struct app_row *keys; /* the same */
	struct app **indexed; /* by the broker's number; NULL = none */
	size_t indexed_n;
};

struct apps *apps_new(void)
{
	return NEW(struct apps);
}

static struct slice copy(struct slice s)
{
	return slice_of(slice_dup(s), s.n);
}

static void drop(struct slice *s)
{
	free((void *)(uintptr_t)s->p);
	*s = SLICE_NONE;
}

static void texts_set(struct app_texts *t, const struct slice *v, size_t n)
{
	for (size_t i = 0; i < t->n; i++)
		drop(&t->v[i]);
	free(t->v);
	t->v = n > 0 ? mem_calloc(n, sizeof(*t->v)) : NULL;
	t->n = n;
	for (size_t i = 0; i < n; i++)
		t->v[i] = copy(v[i]);
}

static struct app_row *row_of(struct app *a)
{
	return CONTAINER_OF(a, struct app_row, app);
}

/* Finds it by nothing but its pointer from here on. */
static void unlink_row(struct apps *t, struct app_row *row)
{
	if (row->app.key.p == NULL)
		return;
	HASH_DELETE(by_id, t->ids, row);
	HASH_DELETE(by_key, t->keys, row);
	if (row->app.index < t->indexed_n && t->indexed[row->app.index] == &row->app)
		t->indexed[row->app.index] = NULL;
	drop(&row->app.key);
	row->app.enabled = false;
}

void apps_begin(struct apps *t)
{
	for (struct app_row *row = t->all; row != NULL; row = row->next)
		unlink_row(t, row);
}

void apps_free(struct apps *t)
{
	struct app_row *next;

	if (t == NULL)
		return;
	apps_begin(t);
	for (struct app_row *row = t->all; row != NULL; row = next) {
		next = row->next;
		pusher_signer_free(row->app.signer);
		texts_set(&row->app.origins, NULL, 0);
		texts_set(&row->app.cors_origins, NULL, 0);
		drop(&row->app.id);
		free(row);
	}
	free(t->indexed);
	free(t);
}

static struct app_row *known(const struct apps *t, struct slice id)
{
	for (struct app_row *row = t->all; row != NULL; row = row->next) {
		if (slice_eq(row->app.id, id))
			return row;
	}
	return NULL;
}

static void link_row(struct apps *t, struct app_row *row)
{
	struct app *a = &row->app;

	HASH_ADD_KEYPTR(by_id, t->ids, a->id.p, a->id.n, row);
	HASH_ADD_KEYPTR(by_key, t->keys, a->key.p, a->key.n, row);
	if (a->index >= t->indexed_n) {
		size_t n = (size_t)a->index + 1;

		t->indexed = mem_grow(t->indexed, n, sizeof(struct app *));
		for (size_t i = t->indexed_n; i < n; i++)
			t->indexed[i] = NULL;
		t->indexed_n = n;
	}
	t->indexed[a->index] = a;
}

struct app *apps_put(struct apps *t, const struct app_spec *spec)
{
	struct app_row *row = known(t, spec->id);
	struct app *a;

	if (spec->index >= APPS_INDEX_MAX || spec->secret_count > PUSHER_SECRETS_MAX)
		return NULL;
	if (row == NULL) {
		row = NEW(struct app_row);
		row->app.id = copy(spec->id);
		row->next = t->all;
		t->all = row;
	}
	unlink_row(t, row);
	/* Who had the number or the key before has it no more. */
	if (apps_by_index(t, spec->index) != NULL)
		unlink_row(t, row_of(apps_by_index(t, spec->index)));
	if (apps_by_key(t, spec->key) != NULL)
		unlink_row(t, row_of(apps_by_key(t, spec->key)));

	a = &row->app;
	a->index = spec->index;
	a->key = copy(spec->key);
	pusher_signer_free(a->signer);
	a->signer = pusher_signer_new(spec->key, spec->secrets, spec->secret_count);
	texts_set(&a->origins, spec->origins, spec->origin_count);
	texts_set(&a->cors_origins, spec->cors_origins, spec->cors_origin_count);
	a->enabled = spec->enabled;
	a->subscription_count = spec->subscription_count;
	a->watchlist = spec->watchlist;
	a->client_events = spec->client_events;
	a->max_connections = spec->max_connections;
	a->client_event_rate = spec->client_event_rate;
	a->max_event_data = spec->max_event_data;
	a->max_client_event_data = spec->max_client_event_data;
	a->max_channel_name = spec->max_channel_name;
	a->authorize_timeout = spec->authorize_timeout;
	link_row(t, row);
	return a;
}

struct app *apps_by_index(const struct apps *t, uint32_t index)
{
	return index < t->indexed_n ? t->indexed[index] : NULL;
}

struct app *apps_by_id(const struct apps *t, struct slice id)
{
	struct app_row *row;

	HASH_FIND(by_id, t->ids, id.p, id.n, row);
	return row != NULL ? &row->app : NULL;
}

struct app *apps_by_key(const struct apps *t, struct slice key)
{
	struct app_row *row;

	HASH_FIND(by_key, t->keys, key.p, key.n, row);
	return row != NULL ? &row->app : NULL;
}
