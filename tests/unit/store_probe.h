/*
 * A store on a loop with everything that it tells written down, and ways to wait for what it does.
 */
#ifndef TESTS_UNIT_STORE_PROBE_H
#define TESTS_UNIT_STORE_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/chat/chat_store.h"
#include "broker/store/store.h"

#define PROBE_EVENTS 8192

struct probe_event {
	uint64_t id;
	char app[32];
	char channel[64];
	char event[32];
	char payload[64];
	char socket_id[32];
};

struct probe {
	struct loop *loop;
	struct store_options options;
	struct store *store;
	const struct chat_store *chat;
	struct mirror *mirror;
	bool taken_over;
	bool stopped;
	unsigned tokens_all;
	uint64_t removed_chat; /* of the participant */
	char removed[64];
	char token[64]; /* the last one told, "*" apart */
	bool hold;	/* events are not said to be done */
	struct probe_event events[PROBE_EVENTS];
	size_t nevents;
	size_t batches;
};

/* Not started; `options` may be changed before probe_open(). */
struct probe *probe_new(struct loop *loop, const char *conninfo, const char *node);
void probe_open(struct probe *p);
/* Waits until it is up. */
void probe_up(struct probe *p);
void probe_free(struct probe *p);

/* Runs the loop until the condition holds; fails the test when that takes a minute. */
void probe_wait(struct loop *loop, bool (*holds)(void *ctx), void *ctx);
/* Until the flag is set. */
void probe_wait_flag(struct loop *loop, const bool *flag);

/* What a chat call was answered: strings are copies, "(null)" for NULL. */
struct answer {
	bool done;
	unsigned times;
	enum chat_store_code code;
	char field[32];
	char why[32];
	bool flag; /* stored, changed, created */
	bool is_last;
	bool has_row;
	size_t n;
	uint64_t chat;
	struct chat_message_row message; /* slices void but for those below */
	char sender_name[64];
	char body[128];
	char meta[128];
	char client_id[40];
	struct chat_token_row token;
	struct chat_user_row user;
	struct chat_row view;
	struct chat_participant_row participants[8];
	struct chat_place_row place;
	struct chat_cursor_row cursor;
	struct chat_receipt_row receipts[8];
	struct chat_member_row member;
	uint64_t seqs[256];
	char ids[8][40];
	wall_us_t hidden_since;
};

void on_done_answer(void *ctx, const struct chat_result *r);
void on_token_answer(void *ctx, const struct chat_result *r, const struct chat_token_row *row);
void on_users_answer(void *ctx, const struct chat_result *r, const struct chat_user_row *rows,
		     size_t n);
void on_ids_answer(void *ctx, const struct chat_result *r, const struct slice *ids, size_t n);
void on_posted_answer(void *ctx, const struct chat_result *r, bool stored,
		      const struct chat_message_row *row);
void on_changed_answer(void *ctx, const struct chat_result *r, bool changed, bool is_last,
		       const struct chat_message_row *row);
void on_messages_answer(void *ctx, const struct chat_result *r, const struct chat_message_row *rows,
			size_t n);
void on_place_answer(void *ctx, const struct chat_result *r, const struct chat_place_row *row);
void on_cursor_answer(void *ctx, const struct chat_result *r, const struct chat_cursor_row *row);
void on_receipts_answer(void *ctx, const struct chat_result *r, const struct chat_receipt_row *rows,
			size_t n);
void on_chats_answer(void *ctx, const struct chat_result *r, const struct chat_row *rows, size_t n);
void on_created_answer(void *ctx, const struct chat_result *r, bool created, uint64_t chat);
void on_member_answer(void *ctx, const struct chat_result *r, bool changed,
		      const struct chat_member_row *row);
void on_participants_answer(void *ctx, const struct chat_result *r,
			    const struct chat_participant_row *rows, size_t n);
void on_hidden_answer(void *ctx, const struct chat_result *r, wall_us_t hidden_since);

#endif
