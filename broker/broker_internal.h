/* What the files of the broker's process share. Nobody else includes this. */
#ifndef BROKER_BROKER_INTERNAL_H
#define BROKER_BROKER_INTERNAL_H

#include <stdbool.h>

#include "broker/admin/admin.h"
#include "broker/broker.h"
#include "broker/dispatch.h"
#include "broker/options.h"

struct apps;
struct event;
struct history;

/* SIGTERM, SIGINT, SIGHUP */
#define BROKER_SIGNALS 3

struct broker {
	struct conf *conf;	 /* in force */
	struct conf *start_conf; /* that of the start, whose strings the store keeps; may be conf */
	broker_load_fn *load;
	void *ctx; /* of load */
	char node[NODE_NAME];
	int lock; /* descriptor of the lock file */
	int status;
	bool stopping;
	bool waiting; /* standby: the guard lock is another's so far */
	usec_t started;
	wall_us_t started_at;

	struct loop *loop;
	struct event *signals[BROKER_SIGNALS];
	struct event *tick;
	struct event *due; /* dispatch_turn() */
	struct event *arm; /* sets `due` at the end of a turn */

	struct apps *apps;
	struct dispatch *dispatch;
	struct registry *registry;
	struct history *history;
	struct chat *chat;
	struct chat_rule *rules; /* of the chat */
	struct store *store;
	struct server *server;
	struct admin *admin;

	/* facts.c */
	struct dispatch_counts before; /* a second ago */
	struct admin_rates rates;
	struct admin_worker *worker_rows;
	struct admin_app *app_rows;
	struct admin_session session_rows[STORE_CONNS];
};

/* ---- broker.c ---- */

extern const struct store_ops broker_store_ops;

/* For the dispatcher: at the end of this turn its deadline is looked at. */
void broker_wake(void *ctx);

/* ---- broker_parts.c ---- */

/* Makes everything but the server and connects it. An exit status. */
MUST_CHECK int broker_open_parts(struct broker *b);
/* Binds the endpoints; workers may come from now on. 0 or -errno, which has been logged. */
MUST_CHECK int broker_open_server(struct broker *b);
/* b->conf is another one. */
void broker_reload_parts(struct broker *b);
/* Also of what was opened only in part. */
void broker_close_parts(struct broker *b);

/* ---- broker_facts.c ---- */

/* For admin_new(); ctx is the broker. */
void broker_facts(void *ctx, struct admin_facts *ret);
/* Once a second: what happened since the last call. */
void broker_facts_tick(struct broker *b);
void broker_facts_done(struct broker *b);

#endif
