#include "broker/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"

void options_registry(const struct conf *conf, struct registry_options *ret)
{
	*ret = (struct registry_options){
		.presence_grace = conf->presence.grace,
		.offline_grace = conf->chat.offline_grace,
		.max_members = conf->presence.max_members,
		.member_events_max = conf->presence.member_events_max,
	};
}

static enum chat_event_names event_names(const struct conf *conf)
{
	static const enum chat_event_names names[] = {
		[CONF_EVENTS_PLAIN] = CHAT_EVENTS_PLAIN,
		[CONF_EVENTS_ECHO] = CHAT_EVENTS_ECHO,
		[CONF_EVENTS_BOTH] = CHAT_EVENTS_BOTH,
	};

	return names[conf->chat.event_names];
}

static struct chat_rule *rules_of(const struct conf *conf)
{
	struct chat_rule *rules = mem_calloc(conf->nchannels + 1, sizeof(*rules));

	for (size_t i = 0; i < conf->nchannels; i++)
		rules[i] = (struct chat_rule){
			.pattern = conf->channels[i].name,
			.rule = conf->channels[i].rule,
			.presence = conf->channels[i].presence,
		};
	return rules;
}

void options_chat(const struct conf *conf, uint32_t app, struct chat_options *ret,
		  struct chat_rule **ret_rules)
{
	const struct conf_limits *limits = &conf->limits;
	struct chat_rule *rules = rules_of(conf);

	*ret = (struct chat_options){
		.app = app,
		.integer_ids = conf->chat.user_ids == CONF_IDS_INTEGER,
		.members_may_add = conf->chat.members_may_add,
		.see_all = conf->chat.new_members_see == CONF_SEE_ALL,
		.event_names = event_names(conf),
		.typing_timeout = conf->chat.typing_timeout,
		.typing_repeat = conf->chat.typing_repeat,
		.offline_grace = conf->chat.offline_grace,
		.auth_cache = conf->chat.auth_cache,
		.auth_cache_grace = conf->chat.auth_cache_grace,
		.auth_cache_size = conf->chat.auth_cache_size,
		.max_message_body = (uint32_t)limits->max_message_body,
		.max_chat_name = limits->max_chat_name,
		.max_participants = limits->max_participants,
		.messages = {limits->message_rate, limits->message_burst},
		.typing = {limits->typing_rate, limits->typing_burst},
		.receipts = {limits->receipt_rate, limits->receipt_burst},
		.authorizations = {limits->authorize_rate, limits->authorize_burst},
		.failed_tokens = {limits->failed_token_rate, limits->failed_token_burst},
		.rules = rules,
		.nrules = (uint32_t)conf->nchannels,
	};
	*ret_rules = rules;
}

/* A broker that lost the database comes back sooner than that. */
#define STANDBY_DELAY (3 * USEC_PER_SEC)

static enum mirror_scope mirror_scope(const struct conf *conf)
{
	static const enum mirror_scope scopes[] = {
		[CONF_MIRROR_ALL] = MIRROR_ALL,
		[CONF_MIRROR_PRESENCE] = MIRROR_PRESENCE,
		[CONF_MIRROR_OFF] = MIRROR_OFF,
	};

	return scopes[conf->database.mirror];
}

void options_store(const struct conf *conf, const char *node, struct store_options *ret,
		   struct store_sql **ret_sql)
{
	const struct conf_app *app = conf_chat_app(conf);
	struct store_sql *sql = mem_calloc(conf->nsqls + 1, sizeof(*sql));

	for (size_t i = 0; i < conf->nsqls; i++)
		sql[i] = (struct store_sql){.name = conf->sqls[i].name,
					    .query = conf->sqls[i].query,
					    .rule = conf_sql_is_rule(conf, conf->sqls[i].name)};
	*ret = (struct store_options){
		.conninfo = conf->database.conninfo,
		.password_file = conf->database.password_file,
		.node = node,
		.version = CHAT_VERSION,
		.app_id = app != NULL ? conf_app_id(app) : "",
		.publish = conf->database.sql_publish == CONF_SQL_PUBLISH_OUTBOX,
		.see_all = conf->chat.new_members_see == CONF_SEE_ALL,
		.members_may_add = conf->chat.members_may_add,
		.mirror = mirror_scope(conf),
		.mirror_window = conf->database.mirror_window,
		.database_wait = conf->database.database_wait,
		.guard_delay = conf->broker.standby ? STANDBY_DELAY : 0,
		.max_waiting = conf->database.max_waiting,
		.sql = sql,
		.nsql = conf->nsqls,
	};
	*ret_sql = sql;
}

void options_node(const struct conf *conf, char out[NODE_NAME])
{
	const char *name = conf->broker.node;

	if (name[0] != '\0')
		(void)snprintf(out, NODE_NAME, "%s", name); /* a longer one is cut */
	else if (gethostname(out, NODE_NAME) != 0)
		(void)snprintf(out, NODE_NAME, "localhost");
	out[NODE_NAME - 1] = '\0';
}

char *options_run_path(const struct conf *conf, const char *name)
{
	size_t n = strlen(conf->broker.run_dir) + strlen(name) + 2;
	char *path = mem_alloc(n);

	(void)snprintf(path, n, "%s/%s", conf->broker.run_dir, name);
	return path;
}
