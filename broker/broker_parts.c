/* The parts of the broker: how they are made, connected, changed by a reload, and freed. */
#include <stdlib.h>
#include <sysexits.h>

#include "broker/apps.h"
#include "broker/broker_internal.h"
#include "broker/registry/history.h"
#include "common/log/log.h"
#include "common/loop/loop.h"

/* ---- options ---- */

static void dispatch_options_of(struct broker *b, struct dispatch_options *ret)
{
	const struct conf *conf = b->conf;

	*ret = (struct dispatch_options){
		.loop = b->loop,
		.apps = b->apps,
		.resync_wait = conf->broker.resync_wait,
		.max_watchlist = conf->limits.max_watchlist,
		.watchlist_window = conf->broker.watchlist_window,
		.hold_max = b->start_conf->broker.lane_window,
		.wake = broker_wake,
		.ctx = b,
	};
}

static void tell_registry_apps(struct broker *b)
{
	for (uint32_t i = 0; i < apps_count(b->apps); i++) {
		const struct conf_app *conf = apps_at(b->apps, i)->conf;

		registry_app(b->registry, i, conf != NULL && conf->subscription_count);
	}
}

static void tell_dispatch(struct broker *b)
{
	struct dispatch_parts parts = {
		.server = b->server,
		.registry = b->registry,
		.history = b->history,
		.chat = b->chat,
		.store = b->store,
	};

	dispatch_set_parts(b->dispatch, &parts);
}

/* ---- open ---- */

static int open_store(struct broker *b)
{
	struct mirror_source source = {.walk = dispatch_walk, .ctx = b->dispatch};
	struct store_options options;
	struct store_sql *sql;
	char fault[STORE_FAULT];
	int r;

	options_store(b->conf, b->node, &options, &sql);
	r = store_new(b->loop, &options, &broker_store_ops, b, &b->store, fault, sizeof(fault));
	free(sql);
	if (r < 0) {
		log_err("database.options", "%s", fault);
		return EX_CONFIG;
	}
	store_set_source(b->store, &source);
	store_events_allow(b->store, false); /* until the workers are known */
	return EX_OK;
}

int broker_open_parts(struct broker *b)
{
	const struct conf *conf = b->conf;
	struct dispatch_options dispatch;
	struct registry_options registry;
	struct chat_options chat;
	int status;

	b->apps = apps_new(conf);
	dispatch_options_of(b, &dispatch);
	b->dispatch = dispatch_new(&dispatch);
	options_registry(conf, &registry);
	b->registry = registry_new(&registry, &dispatch_registry_ops, b->dispatch);
	tell_registry_apps(b);
	b->history = history_new(conf->broker.cache_memory, conf->broker.cache_ttl);
	status = open_store(b);
	if (status != EX_OK)
		return status;
	options_chat(conf, apps_chat(b->apps), &chat, &b->rules);
	b->chat =
		chat_new(&chat, store_chat(b->store), b->registry, &dispatch_chat_ops, b->dispatch);
	tell_dispatch(b);
	return EX_OK;
}

int broker_open_server(struct broker *b)
{
	const struct conf_broker *conf = &b->start_conf->broker;
	struct server_options options = {
		.endpoints = conf->endpoint.v,
		.endpoint_count = conf->endpoint.n,
		.run_dir = conf->run_dir,
		.heartbeat = conf->heartbeat,
		.window = conf->lane_window,
	};
	int r = server_new(b->loop, &options, &dispatch_server_ops, b->dispatch, &b->server);

	if (r < 0)
		return r;
	b->waiting = false;
	tell_dispatch(b);
	dispatch_start(b->dispatch);
	return 0;
}

/* ---- reload ---- */

void broker_reload_parts(struct broker *b)
{
	const struct conf *conf = b->conf;
	struct chat_rule *rules = b->rules;
	struct dispatch_options dispatch;
	struct registry_options registry;
	struct store_options store;
	struct chat_options chat;
	struct store_sql *sql;

	if (!apps_load(b->apps, conf))
		log_err("config.too_many_apps", "most=%d", APPS_MAX);
	tell_registry_apps(b);
	options_registry(conf, &registry);
	registry_reload(b->registry, &registry);
	history_reload(b->history, conf->broker.cache_memory, conf->broker.cache_ttl);
	options_chat(conf, apps_chat(b->apps), &chat, &b->rules);
	chat_reload(b->chat, &chat);
	free(rules);
	options_store(conf, b->node, &store, &sql);
	store_reload(b->store, &store);
	free(sql);
	dispatch_options_of(b, &dispatch);
	dispatch_reload(b->dispatch, &dispatch);
}

/* ---- close ---- */

void broker_close_parts(struct broker *b)
{
	/* Nothing more is taken; the answers that chat_free() gives still go out. */
	dispatch_stop(b->dispatch);
	chat_free(b->chat);
	store_free(b->store);
	loop_flush(b->loop);
	server_free(b->server);
	registry_free(b->registry);
	history_free(b->history);
	dispatch_free(b->dispatch);
	apps_free(b->apps);
	free(b->rules);
}
