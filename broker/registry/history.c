#include "broker/registry/history.h"

#include <stdlib.h>

#include "common/base/list.h"
#include "common/base/map.h"

/* What an entry costs beside its texts. */
#define ENTRY_COST 192

struct entry {
	UT_hash_handle hh;
	TAILQ_ENTRY(entry) age; /* oldest first */
	usec_t expires;
	uint32_t key_n; /* application and channel */
	uint32_t event_n;
	uint32_t data_n;
	char text[]; /* key, event, data */
};
TAILQ_HEAD(entries, entry);

struct history {
	struct entry *by_key;
	struct entries ages;
	size_t bytes;
	size_t memory;
	usec_t ttl;
};

struct history *history_new(size_t memory, usec_t ttl)
{
	struct history *h = NEW(struct history);

	TAILQ_INIT(&h->ages);
	h->memory = memory;
	h->ttl = ttl;
	return h;
}

static size_t cost(const struct entry *e)
{
	return ENTRY_COST + (size_t)e->key_n + e->event_n + e->data_n;
}

static void drop(struct history *h, struct entry *e)
{
	HASH_DELETE(hh, h->by_key, e);
	TAILQ_REMOVE(&h->ages, e, age);
	h->bytes -= cost(e);
	free(e);
}

static void trim(struct history *h)
{
	while (h->bytes > h->memory)
		drop(h, TAILQ_FIRST(&h->ages));
}

void history_free(struct history *h)
{
	if (h == NULL)
		return;
	h->memory = 0;
	trim(h);
	free(h);
}

void history_reload(struct history *h, size_t memory, usec_t ttl)
{
	h->memory = memory;
	h->ttl = ttl;
	trim(h);
}

/* A new entry that is in no table yet. */
static struct entry *entry_new(uint32_t app, struct slice channel, struct slice event,
			       struct slice data)
{
	struct entry *e = mem_alloc(sizeof(*e) + sizeof(app) + channel.n + event.n + data.n);
	char *p = e->text;

	memset(&e->hh, 0, sizeof(e->hh));
	e->key_n = (uint32_t)(sizeof(app) + channel.n);
	e->event_n = (uint32_t)event.n;
	e->data_n = (uint32_t)data.n;
	memcpy(p, &app, sizeof(app));
	memcpy(p + sizeof(app), channel.p, channel.n);
	p += e->key_n;
	memcpy(p, event.p != NULL ? event.p : "", event.n);
	memcpy(p + event.n, data.p != NULL ? data.p : "", data.n);
	return e;
}

void history_put(struct history *h, usec_t now, uint32_t app, struct slice channel,
		 struct slice event, struct slice data)
{
	struct entry *e = entry_new(app, channel, event, data);
	struct entry *old;

	HASH_FIND(hh, h->by_key, e->text, e->key_n, old);
	if (old != NULL)
		drop(h, old);
	e->expires = now + h->ttl;
	h->bytes += cost(e);
	HASH_ADD_KEYPTR(hh, h->by_key, e->text, e->key_n, e);
	TAILQ_INSERT_TAIL(&h->ages, e, age);
	trim(h);
}

bool history_get(struct history *h, usec_t now, uint32_t app, struct slice channel,
		 struct history_event *ret)
{
	char key[sizeof(app) + 256];
	struct entry *e;

	if (channel.n > sizeof(key) - sizeof(app))
		return false;
	memcpy(key, &app, sizeof(app));
	memcpy(key + sizeof(app), channel.p, channel.n);
	HASH_FIND(hh, h->by_key, key, sizeof(app) + channel.n, e);
	if (e == NULL)
		return false;
	if (e->expires <= now) {
		drop(h, e);
		return false;
	}
	ret->event = slice_of(e->text + e->key_n, e->event_n);
	ret->data = slice_of(e->text + e->key_n + e->event_n, e->data_n);
	ret->expires = e->expires;
	return true;
}

size_t history_bytes(const struct history *h)
{
	return h->bytes;
}
