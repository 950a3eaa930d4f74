#include <stdio.h>
#include <string.h>

#include <event2/event.h>

#include "broker/store/pg_conn_internal.h"
#include "broker/store/pg_conninfo.h"
#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/loop/loop.h"

#define COMMON_SETTINGS \
	"-c TimeZone=UTC -c random_page_cost=1.1 -c jit=off -c " \
	"idle_in_transaction_session_timeout=60s"

/* ---- sockets --------------------------------------------------------------------------------- */

void pg_unwatch(struct pg_conn *c)
{
	if (!c->watched)
		return;
	event_del(&c->readable);
	event_del(&c->writable);
	c->watched = false;
}

/* libpq may have changed its socket since the last time: both events are made anew. */
static void watch(struct pg_conn *c)
{
	int fd = PQsocket(c->pg);

	pg_unwatch(c);
	if (event_assign(&c->readable, loop_base(c->loop), fd, EV_READ | EV_PERSIST, pg_on_readable,
			 c) != 0 ||
	    event_assign(&c->writable, loop_base(c->loop), fd, EV_WRITE, pg_on_writable, c) != 0)
		die("pg_conn: event_assign");
	c->watched = true;
}

static void want_read(struct pg_conn *c)
{
	if (event_add(&c->readable, NULL) != 0)
		die("pg_conn: event_add");
}

void pg_want_write(struct pg_conn *c)
{
	if (event_add(&c->writable, NULL) != 0)
		die("pg_conn: event_add");
}

/* ---- connecting ------------------------------------------------------------------------------ */

static void on_notice(void *arg, const PGresult *r)
{
	struct pg_conn *c = arg;

	log_info("database.notice", "connection=%s sqlstate=%s text=\"%s\"",
		 pg_conn_role_name(c->options.role),
		 PQresultErrorField(r, PG_DIAG_SQLSTATE) != NULL
			 ? PQresultErrorField(r, PG_DIAG_SQLSTATE)
			 : "",
		 PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) != NULL
			 ? PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY)
			 : "");
}

static void on_setup(void *ctx, const struct pg_error *error, PGresult *const *results, int n)
{
	struct pg_conn *c = ctx;
	struct pg_error fault;

	if (error != NULL && error->class == PG_LOST)
		return; /* pg_lose() is at work already */
	if (error != NULL) {
		fault = *error;
		pg_setup_name_fault(c, &fault);
	} else if (pg_setup_check(c, results, n, &fault)) {
		c->state = PG_CONN_READY;
		c->connects++;
		c->since = loop_now(c->loop);
		c->fault[0] = '\0';
		c->logged_at = 0;
		pg_arm(c, PG_CONN_WATCH);
		log_info("database.connected", "connection=%s server=%d",
			 pg_conn_role_name(c->options.role), PQserverVersion(c->pg));
		pg_hurry_siblings(c);
		c->ops->on_ready(c->ctx);
		return;
	}
	pg_lose(c, &fault);
}

/*
 * The SQLSTATE inside of "... FATAL:  3D000: database ...", as verbose messages have it; libpq
 * tells it in no other way while it connects. NULL: the server has not answered.
 */
static const char *sqlstate_of(const char *message, char out[6])
{
	const char *at = strstr(message, ":  ");

	if (at == NULL || strspn(at + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 5 ||
	    at[8] != ':')
		return NULL;
	memcpy(out, at + 3, 5);
	out[5] = '\0';
	return out;
}

/* Whether the server is away or does not want us is told by the class. */
static void refused(struct pg_conn *c)
{
	struct pg_error error = {.query = 0};
	char sqlstate[6];

	pg_error_set(&error, sqlstate_of(PQerrorMessage(c->pg), sqlstate), PQerrorMessage(c->pg));
	pg_lose(c, &error);
}

static void connected(struct pg_conn *c)
{
	(void)PQsetErrorVerbosity(c->pg, PQERRORS_DEFAULT);
	if (PQsetnonblocking(c->pg, 1) != 0 || PQenterPipelineMode(c->pg) != 1) {
		pg_lose_text(c, PQerrorMessage(c->pg));
		return;
	}
	watch(c);
	want_read(c);
	c->state = PG_CONN_SETUP;
	c->in_query = false;
	pg_setup_send(c);
	c->open->setup = true;
	pg_conn_sync(c, on_setup, c);
}

void pg_connect_poll(struct pg_conn *c)
{
	switch (PQconnectPoll(c->pg)) {
	case PGRES_POLLING_OK:
		connected(c);
		return;
	case PGRES_POLLING_READING:
		watch(c);
		want_read(c);
		return;
	case PGRES_POLLING_WRITING:
		watch(c);
		pg_want_write(c);
		return;
	case PGRES_POLLING_FAILED:
	case PGRES_POLLING_ACTIVE:
	default:
		refused(c);
		return;
	}
}

void pg_connect_start(struct pg_conn *c)
{
	char name[128];
	char settings[512];
	char fault[PG_ERROR_TEXT] = "";

	(void)snprintf(name, sizeof(name), "chat-broker/%s/%s", c->options.node,
		       pg_conn_role_name(c->options.role));
	(void)snprintf(settings, sizeof(settings), COMMON_SETTINGS " %s",
		       c->options.settings != NULL ? c->options.settings : "");
	c->state = PG_CONN_CONNECTING;
	c->pg = pg_conninfo_start(c->options.conninfo, c->options.password_file, name, settings,
				  fault, sizeof(fault));
	if (c->pg == NULL) {
		pg_lose_text(c, fault);
		return;
	}
	PQsetNoticeReceiver(c->pg, on_notice, c);
	(void)PQsetErrorVerbosity(c->pg, PQERRORS_VERBOSE);
	if (PQstatus(c->pg) == CONNECTION_BAD) {
		pg_lose_text(c, PQerrorMessage(c->pg));
		return;
	}
	pg_arm(c, PG_CONN_CONNECT_TIMEOUT);
	watch(c);
	pg_want_write(c);
}
