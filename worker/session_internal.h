/*
 * What the files of the session share. Else only worker.c, inbox.c and resync.c include this.
 *
 *	session.c         life: accept, states, deadlines, end
 *	session_http.c    requests and answers, the upgrade
 *	session_ws.c      messages, control frames, connection_established, close frames
 *	session_pusher.c  commands of the client
 *	session_queue.c   which of them have to wait
 *	session_broker.c  what the broker says about this client
 *	session_note.c    what it wants to be reminded of
 */
#ifndef WORKER_SESSION_INTERNAL_H
#define WORKER_SESSION_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/list.h"
#include "worker/edge/address.h"
#include "worker/edge/stream.h"
#include "worker/http/parser.h"
#include "worker/hub/channel.h"
#include "worker/hub/quota.h"
#include "worker/pusher/decode.h"
#include "worker/session.h"
#include "worker/session_note.h"
#include "worker/wheel.h"
#include "worker/ws/message.h"

enum session_state {
	SESSION_NEW,	 /* not yet in any table */
	SESSION_HTTP,	 /* reads a request */
	SESSION_ANSWER,	 /* the request is with its handler; nothing is read */
	SESSION_HELD,	 /* upgraded before the worker knew its apps; nothing is read */
	SESSION_OPEN,	 /* connection_established has been sent */
	SESSION_CLOSING, /* the last bytes go out; what comes is thrown away */
	SESSION_STATES
};

/* session.flags */
enum session_flag {
	SESSION_SECURE = 1,	   /* came by TLS */
	SESSION_PROXIED = 2,	   /* the peer is a trusted proxy */
	SESSION_OVERLOAD = 4,	   /* came when there was no room: to be refused politely */
	SESSION_FRESH = 8,	   /* the opening bytes may not have gone out: nothing overtakes */
	SESSION_TOLD = 16,	   /* the broker of today knows this connection */
	SESSION_AUTHORISED = 32,   /* signed in, or in an authorised channel */
	SESSION_PEER_CLOSED = 64,  /* the client's close frame has come */
	SESSION_PAUSED = 128,	   /* reading rests: too many commands or answers wait */
	SESSION_CLOSE_AFTER = 256, /* the answer that is due is the last one */
	SESSION_IN_READ = 512,	   /* on_bytes() of this session is running */
	SESSION_COUNTED = 1024,	   /* stands in the counts of its app */
	SESSION_BY_ADDRESS = 2048, /* stands in the counts of addresses */
	SESSION_SERVED = 4096,	   /* a first request has been answered */
	SESSION_LONG_ADDRESS = 8192, /* session.address.large is in use */
};

/* sub.flags */
#define SUB_AUTHORISED 1 /* stands by a signature */
#define SUB_GIVEN_UP 2	 /* ACTIVE, and the client has been told not to wait for an answer */

/* Who is signed in, kept to be told to another broker. */
struct session_user {
	struct slice id;
	struct slice user_info;
	struct slice watchlist; /* LIST of the lane */
	struct slice user_data;
	char bytes[]; /* all of the above */
};

/* What the upgrade asked for; judged when the apps are known. */
struct session_hello {
	char *key; /* NULL: a foreign path */
	char *origin;
	bool bad_version;
};

/* A command that waits for an answer of the broker, or for the broker. */
struct session_waiting {
	STAILQ_ENTRY(session_waiting) link;
	uint32_t n;
	char text[];
};
STAILQ_HEAD(session_waitings, session_waiting);

/* There while something waits. */
struct session_queue {
	struct session_waitings commands; /* in order; never empty */
	uint32_t n;
	uint32_t bytes;
};

/* The part that only WebSockets have. */
struct session_socket {
	struct ws_reader reader;
	struct session_queue *queue; /* NULL = nothing waits; only while something is awaited */
	uint32_t outstanding;	     /* answers of the broker that the client waits for */
	bool signing_in;	     /* one of them is for a signin */
	uint8_t protocol;
	uint8_t faults; /* malformed messages since faults_at */
	uint16_t close_code;
	uint32_t nonce; /* second number of the socket id */
	usec_t faults_at;
	usec_t heard;			  /* the last whole frame of the client */
	usec_t pinged;			  /* our ping that is not answered; 0 = none */
	usec_t waiting_since;		  /* for the broker; 0 = not */
	usec_t opened;			  /* on the loop's clock */
	int64_t opened_at;		  /* Unix epoch */
	struct quota events;		  /* client events */
	struct session_user *user;	  /* signed in as; NULL = nobody */
	struct session_user *signin;	  /* asked for */
	struct session_hello *hello;	  /* until it is established or refused */
	struct session_notes notes;	  /* of the broker, see NOTE in wire.def */
	struct text *agent;		  /* "js 8.6.0", at most 64 bytes */
	TAILQ_ENTRY(session_socket) list; /* of the worker: held, or open */
	struct session *s;
};

/* The part that only HTTP has; gone after the upgrade. */
struct session_http {
	struct http_parser *parser;
	char *peer;	   /* address of the socket itself, where that is a proxy; or NULL */
	struct slice path; /* without the prefix */
	usec_t since;	   /* when the idle time, the head or the body began */
	bool answered;	   /* in the very call of the handler */
};

#define SESSION_SMALL_ADDRESS 16

struct session {
	struct stream stream;
	struct subscriber sub; /* its conn is the id, see session_id() */
	struct timer timer;
	struct worker *w;
	struct app *app; /* WebSockets */
	struct session_http *http;
	struct session_socket *ws;
	/* Without port, see session_address(). Most are so short that they need no memory. */
	union {
		char small[SESSION_SMALL_ADDRESS]; /* ends in NUL */
		char *large;			   /* owned */
	} address;
	uint16_t flags;
	uint8_t state;
};

static inline bool session_has(const struct session *s, enum session_flag f)
{
	return (s->flags & f) != 0;
}

/* ---- session.c ---- */

/* A new connection; owns the fd. overload: it is to be refused politely. */
void session_accept(struct worker *w, int fd, const struct address *peer, bool overload);
/* A timer of the wheel is due. */
void session_due(struct timer *t);
/* Of the hub. */
void session_deliver(void *ctx, struct subscriber *who, struct frame *f, bool droppable);
/* Walks over all of the worker, see session_table_next(). */
struct session *session_next(struct worker *w, size_t *at);
/* The worker ends: 4200, or after the answer that is under way. */
void session_drain(struct session *s);

/* The one place where states change; dies on a change that the machine does not have. */
void session_enter(struct session *s, enum session_state to);
/* Arms the deadline that belongs to the state; call after what it depends on has changed. */
void session_arm(struct session *s);
/* Orderly end after what is queued: the broker is told, nothing is read any more. */
void session_finish(struct session *s);
/* The same without sending anything more. */
void session_abort(struct session *s);
/* Queues a frame of an HTTP answer or a WebSocket; a reader that is too slow is closed. */
void session_push(struct session *s, struct frame *f);
void session_set_address(struct session *s, struct slice address);
/* Another id: the first number of the socket id. */
void session_rename(struct session *s, uint64_t id);

/* ---- session_http.c ---- */

void session_http_start(struct session *s, usec_t now);
/* NULL members are allowed. */
void session_http_done(struct session *s);
size_t session_http_bytes(struct session *s, char *bytes, size_t n);
/* All answers are with the kernel. */
void session_http_drained(struct session *s);
usec_t session_http_deadline(const struct session *s);
void session_http_due(struct session *s, usec_t now);

/* ---- session_ws.c ---- */

/* After the 101: holds, refuses or establishes. `key` has .p == NULL for a foreign path. */
void session_ws_start(struct session *s, const struct http_request *r, struct slice key);
/* Out of the hub, the lists and the broker's mind; the memory stays until session_ws_done(). */
void session_ws_leave(struct session *s);
void session_ws_done(struct session *s);
size_t session_ws_bytes(struct session *s, char *bytes, size_t n);
usec_t session_ws_deadline(const struct session *s);
void session_ws_due(struct session *s, usec_t now);
/* The worker knows its apps now. */
void session_ws_release(struct session *s);
/* A text message with the contents of w->out. */
void session_ws_out(struct session *s);
void session_ws_pong(struct session *s);
/* pusher:error (for old protocols and refusals), close frame, end. */
void session_ws_close(struct session *s, uint16_t code, struct slice reason, bool with_error);
void session_ws_end(struct session *s, enum pusher_error_id why);
/* "123.456" into the caller's bytes. */
#define SOCKET_ID_TEXT 48
struct slice session_socket_id(const struct session *s, char text[SOCKET_ID_TEXT]);

/* ---- session_pusher.c: the order of commands is explained there ---- */

enum outcome { DONE, WAIT };

/* One command. WAIT: nothing has happened, try again later. */
enum outcome session_run(struct session *s, struct slice text);
void session_error(struct session *s, enum pusher_error_id id, struct slice detail);
void session_refuse(struct session *s, struct slice channel, enum pusher_refusal_id id);

/* ---- session_queue.c ---- */

/* A text message: done, or put off until the broker has answered. */
void session_pusher_message(struct session *s, struct slice text);
/* Goes on with what waits, as far as it can. */
void session_pusher_go_on(struct session *s);
/* Has waited too long: everything that waits is refused. */
void session_pusher_give_up(struct session *s);
void session_pusher_done(struct session *s);
/* An answer that the client waited for has come. */
void session_answered(struct session *s);

/* ---- session_broker.c ---- */

/* Tells the broker; false when it is away or its lane is full. */
bool session_tell_open(struct session *s);
bool session_tell_signin(struct session *s, const struct session_user *u, bool resync);
bool session_tell_subscribe(struct session *s, const struct sub *sub, uint8_t extra_flags);
/* A new broker has been told all that stands: what was under way is asked again. */
void session_ask_again(struct session *s);

struct wire_subscribed;
struct wire_refused;
struct wire_to_conn;
struct wire_error;
void session_on_subscribed(struct session *s, const struct wire_subscribed *m);
void session_on_refused(struct session *s, const struct wire_refused *m);
void session_on_to_conn(struct session *s, const struct wire_to_conn *m);
void session_on_error(struct session *s, const struct wire_error *m);
void session_on_close(struct session *s, uint16_t code, struct slice reason);
void session_on_expel(struct session *s, struct slice name);
void session_on_signed_in(struct session *s, struct slice user_data);

#endif
