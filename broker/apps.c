#include "broker/apps.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/wire/wire.h"

/* Most bytes of one list of a record: far above what the configuration allows. */
#define LIST_MAX (1U << 20)

struct apps {
	const struct conf *conf;
	struct app *v;
	uint32_t n;
	uint32_t live;
	uint32_t chat;
};

struct apps *apps_new(const struct conf *conf)
{
	struct apps *apps = NEW(struct apps);

	if (!apps_load(apps, conf))
		die("more applications than the configuration may have");
	return apps;
}

void apps_free(struct apps *apps)
{
	if (apps == NULL)
		return;
	for (uint32_t i = 0; i < apps->n; i++)
		free(apps->v[i].id);
	free(apps->v);
	free(apps);
}

static uint32_t place_of(struct apps *apps, const char *id)
{
	uint32_t at = apps_find(apps, slice_str(id));

	if (at != APPS_NONE || apps->n == APPS_MAX)
		return at;
	apps->v = mem_grow(apps->v, (size_t)apps->n + 1, sizeof(*apps->v));
	apps->v[apps->n] = (struct app){.id = mem_strdup(id)};
	return apps->n++;
}

bool apps_load(struct apps *apps, const struct conf *conf)
{
	const struct conf_app *chat = conf_chat_app(conf);
	bool all = true;

	apps->conf = conf;
	apps->live = 0;
	apps->chat = APPS_NONE;
	for (uint32_t i = 0; i < apps->n; i++)
		apps->v[i].conf = NULL;
	for (size_t i = 0; i < conf->napps; i++) {
		uint32_t at = place_of(apps, conf_app_id(&conf->apps[i]));

		if (at == APPS_NONE) {
			all = false;
			continue;
		}
		apps->v[at].conf = &conf->apps[i];
		apps->live++;
		if (&conf->apps[i] == chat)
			apps->chat = at;
	}
	return all;
}

uint32_t apps_count(const struct apps *apps)
{
	return apps->n;
}

uint32_t apps_live(const struct apps *apps)
{
	return apps->live;
}

const struct app *apps_at(const struct apps *apps, uint32_t index)
{
	return index < apps->n ? &apps->v[index] : NULL;
}

uint32_t apps_find(const struct apps *apps, struct slice id)
{
	for (uint32_t i = 0; i < apps->n; i++) {
		if (slice_eq(slice_str(apps->v[i].id), id))
			return i;
	}
	return APPS_NONE;
}

uint32_t apps_chat(const struct apps *apps)
{
	return apps->chat;
}

/* ---- the record ---- */

static struct slice list_of(struct buf *list, const struct conf_list *items)
{
	buf_init(list, LIST_MAX);
	for (size_t i = 0; i < items->n; i++)
		(void)wire_list_add(list,
				    slice_str(items->v[i])); /* bounded by the table of keys */
	return buf_slice(list);
}

/* What an application sets itself, or what holds for all. */
static uint32_t own_or(uint64_t own, uint64_t general)
{
	return (uint32_t)(own != 0 ? own : general);
}

static bool encode_live(const struct conf *conf, uint32_t index, const struct app *app,
			struct buf *record)
{
	const struct conf_limits *general = &conf->limits;
	const struct conf_app *c = app->conf;
	struct buf secrets;
	struct buf origins;
	struct buf cors;
	struct wire_app m = {
		.app = index,
		.id = slice_str(app->id),
		.key = slice_str(c->key),
		.secrets = list_of(&secrets, &c->secret),
		.enabled = c->enabled,
		.client_events = (uint8_t)c->client_events,
		.subscription_count = c->subscription_count,
		.watchlist = c->watchlist,
		.origins = list_of(&origins, &c->allowed_origins),
		.cors_origins = list_of(&cors, &c->cors_origins),
		.max_connections = c->max_connections,
		.client_event_rate = own_or(c->client_event_rate, general->client_event_rate),
		.max_event_data = own_or(c->max_event_data, general->max_event_data),
		.max_client_event_data =
			own_or(c->max_client_event_data, general->max_client_event_data),
		.max_channel_name = own_or(c->max_channel_name, general->max_channel_name),
		.authorize_timeout = (uint32_t)(c->authorize_timeout / USEC_PER_SEC),
	};
	bool ok = wire_encode_app(record, &m);

	buf_done(&secrets);
	buf_done(&origins);
	buf_done(&cors);
	return ok;
}

bool apps_encode(const struct apps *apps, uint32_t index, struct buf *record)
{
	const struct app *app = &apps->v[index];
	struct wire_app gone = {.app = index, .id = slice_str(app->id)};

	if (app->conf != NULL)
		return encode_live(apps->conf, index, app, record);
	return wire_encode_app(record, &gone);
}
