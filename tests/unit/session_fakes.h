/*
 * A session without sockets, clock and broker: the streams, the lane and the time are played by the
 * test. Frames that the session sends are taken one by one with take(), records with record().
 */
#ifndef TESTS_UNIT_SESSION_FAKES_H
#define TESTS_UNIT_SESSION_FAKES_H

#include "worker/session_internal.h"
#include "worker/worker_internal.h"

extern struct worker *fake_worker;
extern usec_t fake_now;
extern bool fake_lane_full; /* the lane takes nothing */

/*
 * A worker that is welcomed and up, with the app "app", key "key", secret "secret", whose chat
 * pages of https://front.example may call.
 */
void fakes_begin(void);
void fakes_end(void);

/* One client. */
struct fake_client {
	struct stream *stream;
	const struct stream_handler *handler;
	struct buf out; /* what was sent and not taken yet */
	struct buf in;	/* what on_bytes() has not used */
	bool paused;
	bool closed;  /* stream_close() */
	bool aborted; /* stream_abort() */
	bool buried;  /* on_closed() has run */
	bool full;    /* the output queue takes nothing */
};

struct fake_client *fake_connect(void);
void fake_hang_up(struct fake_client *c);
struct session *fake_session(const struct fake_client *c);
/* Bytes from the network. */
void fake_bytes(struct fake_client *c, struct slice bytes);
/* One text frame of a client. */
void fake_say(struct fake_client *c, const char *text);
void fake_frame(struct fake_client *c, unsigned opcode, struct slice payload);
/* HTTP upgrade and connection_established are done; the socket id is in `fake_socket_id`. */
struct fake_client *fake_open(const char *path);
extern char fake_socket_id[SOCKET_ID_TEXT];

/* The next frame sent; .p == NULL: nothing. *ret_op is its opcode. */
struct slice fake_take(struct fake_client *c, unsigned *ret_op);
void expect_text(struct fake_client *c, const char *text);
/* The frame contains this. */
void expect_part(struct fake_client *c, const char *part);
void expect_close(struct fake_client *c, unsigned code);
void expect_nothing(struct fake_client *c);

/* The oldest record that was sent must be of this kind; its body until the next call. */
struct slice fake_record(uint8_t kind);
void expect_no_record(void);

void fake_subscribed(struct fake_client *c, const char *channel);

/* "key:HEX" for a channel and the client that was opened last. */
const char *fake_auth(const char *channel, const char *channel_data);

/* Lets time pass, with timers. */
void fake_wait(usec_t usec);

#endif
