/*
 * Configuration: the structs made from conf.def, the parser and the checks. Pure: text in, struct
 * or fault out; conf_file.h reads files and the environment.
 *
 * A `struct conf` is whole at every moment: conf_new() fills in all defaults, conf_parse() changes
 * what the text names. It is never changed once it is in use: a reload makes a new one.
 *
 *	struct conf *conf = conf_new();
 *	struct conf_fault fault;
 *	if (!conf_parse(conf, text, "chat.conf", &fault) || !conf_check(conf, &fault))
 *		fprintf(stderr, "%s\n", fault.text);
 *	... conf->presence.grace, conf->limits.max_event_data, conf->worker.listen.v[0] ...
 *	conf_free(conf);
 */
#ifndef COMMON_CONF_CONF_H
#define COMMON_CONF_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/macros.h"
#include "common/base/slice.h"

#define CONF_APPS_MAX 1000
#define CONF_CHANNELS_MAX 256
#define CONF_SQL_MAX 64

/* Values of the word lists, in the order of conf.def. */
enum conf_tls_version { CONF_TLS_1_2, CONF_TLS_1_3 };
enum conf_mirror { CONF_MIRROR_ALL, CONF_MIRROR_PRESENCE, CONF_MIRROR_OFF };
enum conf_sql_publish { CONF_SQL_PUBLISH_OUTBOX, CONF_SQL_PUBLISH_OFF };
enum conf_user_ids { CONF_IDS_INTEGER, CONF_IDS_STRING };
enum conf_event_names { CONF_EVENTS_PLAIN, CONF_EVENTS_ECHO, CONF_EVENTS_BOTH };
enum conf_new_members_see { CONF_SEE_FROM_JOINING, CONF_SEE_ALL };
enum conf_log_level {
	CONF_LOG_ERR,
	CONF_LOG_WARNING,
	CONF_LOG_NOTICE,
	CONF_LOG_INFO,
	CONF_LOG_DEBUG,
};
enum conf_client_events {
	CONF_CLIENT_EVENTS_OFF,
	CONF_CLIENT_EVENTS_MEMBERS,
	CONF_CLIENT_EVENTS_ALL,
};

/* Strings with NUL at the end; v is NULL when n is 0. */
struct conf_list {
	char **v;
	size_t n;
};

#define CONF_SECTION(section, help) struct conf_##section {
#define CONF_MANY(section, most, help) \
	struct conf_##section { \
		char *name;
#define CONF_END(section) \
	} \
	;
#define CONF_STR(section, key, def, apply, who, help) char *key;
#define CONF_LIST(section, key, def, most, apply, who, help) struct conf_list key;
#define CONF_SECRETS(section, key, most, apply, who, help) struct conf_list key;
#define CONF_BOOL(section, key, def, apply, who, help) bool key;
#define CONF_INT(section, key, def, min, max, apply, who, help) uint32_t key;
#define CONF_BYTES(section, key, def, min, max, apply, who, help) uint64_t key;
#define CONF_TIME(section, key, def, min, max, apply, who, help) usec_t key;
#define CONF_ENUM(section, key, words, def, apply, who, help) unsigned int key;
#include "common/conf/conf.def"
#undef CONF_SECTION
#undef CONF_MANY
#undef CONF_END
#undef CONF_STR
#undef CONF_LIST
#undef CONF_SECRETS
#undef CONF_BOOL
#undef CONF_INT
#undef CONF_BYTES
#undef CONF_TIME
#undef CONF_ENUM

struct conf {
	struct conf_broker broker;
	struct conf_worker worker;
	struct conf_tls tls;
	struct conf_proxy proxy;
	struct conf_database database;
	struct conf_chat chat;
	struct conf_limits limits;
	struct conf_presence presence;
	struct conf_redis redis;
	struct conf_webhooks webhooks;
	struct conf_log log;
	struct conf_admin admin;

	/* Sections with names, in the order of their first appearance. */
	struct conf_app *apps;
	size_t napps;
	struct conf_channel *channels; /* starts with the shipped rows */
	size_t nchannels;
	struct conf_sql *sqls;
	size_t nsqls;

	struct conf_list includes; /* directories named by `include`, as they stand in the text */
};

/* One sentence for people: file, line, section, key, the value given, what is allowed. */
struct conf_fault {
	char text[640];
};

/* All defaults, the shipped channel rules, no application. Never NULL. */
MALLOC_LIKE struct conf *conf_new(void);
/* Erases secrets and frees; NULL is allowed. */
void conf_free(struct conf *c);

/*
 * Applies a text. `file` is its name in messages. Later texts override earlier ones; within one
 * text a repeated list key appends, in a later one it starts the list anew. False: *err_fault is
 * set and `c` is half changed, good for conf_free() only.
 */
MUST_CHECK bool conf_parse(struct conf *c, struct slice text, const char *file,
			   struct conf_fault *err_fault);

/*
 * One override from the environment, "CHAT_SECTION_KEY=value". Anything that does not begin with
 * CHAT_ and the names of a section and a key is ignored. CHAT_APP_ID, CHAT_APP_KEY ... set the only
 * application and make one named "default" if there is none. False: *err_fault is set.
 */
MUST_CHECK bool conf_env(struct conf *c, const char *assignment, struct conf_fault *err_fault);

/*
 * Sets one key as if the file had said so, for command line options: conf_set(c, "worker",
 * "listen", "0.0.0.0:9000", "--port", &fault). Lists start anew. `origin` is named in messages.
 */
MUST_CHECK bool conf_set(struct conf *c, const char *section, const char *key, struct slice value,
			 const char *origin, struct conf_fault *err_fault);

/*
 * What no single key shows: keys that need each other, addresses that are none, passwords inside
 * URLs, applications without key or secret, rules that do not exist. To be called after the last
 * change, and after secret files have been read.
 */
MUST_CHECK bool conf_check(const struct conf *c, struct conf_fault *err_fault);

/* The whole configuration as a file that could be read again; secrets are "(hidden)". */
MUST_CHECK bool conf_dump(const struct conf *c, struct buf *out);

/*
 * Appends the names ("[worker] listen, [tls] listen") of keys that changed and need a restart.
 * False when there are none.
 */
bool conf_needs_restart(const struct conf *old, const struct conf *new, struct buf *out);

/* The application the chat belongs to: [chat] app, else the first; NULL when there is none. */
const struct conf_app *conf_chat_app(const struct conf *c);

/* Its id, which is the section's name where no id is given. */
const char *conf_app_id(const struct conf_app *app);

/* Query of [sql "NAME"], or NULL. */
const char *conf_sql(const struct conf *c, const char *name);

/*
 * Whether a [sql] section of that name is the rule of some channel. The rules that need no
 * statement (owner, participant, authenticated, deny) are none.
 */
bool conf_sql_is_rule(const struct conf *c, const char *name);

/*
 * Parts of an address HOST:PORT, [V6]:PORT, :PORT or unix:/PATH. For a unix socket *ret_host is the
 * path and *ret_port 0. False for anything else.
 */
MUST_CHECK bool conf_address(struct slice text, struct slice *ret_host, uint16_t *ret_port,
			     bool *ret_is_unix);

#endif
