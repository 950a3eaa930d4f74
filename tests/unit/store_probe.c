#include "tests/unit/store_probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "common/base/mem.h"
#include "common/loop/loop.h"

#define LOOK_EVERY 2000 /* us */
#define WAIT_MOST (60 * USEC_PER_SEC)

static void copy(char *to, size_t size, struct slice text)
{
	if (text.p == NULL)
		(void)snprintf(to, size, "(null)");
	else
		(void)snprintf(to, size, "%.*s", SLICE_ARG(text));
}

/* ---- waiting ----------------------------------------------------------------------------------
 */

struct waiting {
	struct loop *loop;
	bool (*holds)(void *ctx);
	void *ctx;
	usec_t until;
	bool late;
};

static void look(evutil_socket_t fd, short what, void *arg)
{
	struct waiting *w = arg;

	(void)fd;
	(void)what;
	w->late = clock_mono() > w->until;
	if (w->late || w->holds(w->ctx))
		loop_stop(w->loop);
}

void probe_wait(struct loop *loop, bool (*holds)(void *ctx), void *ctx)
{
	struct waiting w = {loop, holds, ctx, clock_mono() + WAIT_MOST, false};
	struct event *ev = event_new(loop_base(loop), -1, EV_PERSIST, look, &w);
	struct timeval tv = loop_timeval(LOOK_EVERY);

	event_add(ev, &tv);
	if (!holds(ctx))
		loop_run(loop);
	event_free(ev);
	assert_false(w.late);
}

static bool is_set(void *ctx)
{
	return *(const bool *)ctx;
}

void probe_wait_flag(struct loop *loop, const bool *flag)
{
	probe_wait(loop, is_set, (void *)(uintptr_t)flag);
}

/* ---- store ------------------------------------------------------------------------------------
 */

static void on_taken_over(void *ctx)
{
	struct probe *p = ctx;

	p->taken_over = true;
}

static void on_token(void *ctx, struct slice id)
{
	struct probe *p = ctx;

	if (slice_eq(id, SLICE("*")))
		p->tokens_all++;
	else
		copy(p->token, sizeof(p->token), id);
}

static void on_participant(void *ctx, uint64_t chat, struct slice id)
{
	struct probe *p = ctx;

	p->removed_chat = chat;
	copy(p->removed, sizeof(p->removed), id);
}

static void on_events(void *ctx, const struct store_event *events, size_t n)
{
	struct probe *p = ctx;

	for (size_t i = 0; i < n; i++) {
		struct probe_event *e = &p->events[p->nevents];

		assert_true(p->nevents < PROBE_EVENTS);
		p->nevents++;
		e->id = events[i].id;
		copy(e->app, sizeof(e->app), events[i].app);
		copy(e->channel, sizeof(e->channel), events[i].channel);
		copy(e->event, sizeof(e->event), events[i].event);
		copy(e->payload, sizeof(e->payload), events[i].payload);
		copy(e->socket_id, sizeof(e->socket_id), events[i].socket_id);
	}
	p->batches++;
	if (!p->hold)
		store_events_done(p->store);
}

static void on_stopped(void *ctx)
{
	struct probe *p = ctx;

	p->stopped = true;
}

struct probe *probe_new(struct loop *loop, const char *conninfo, const char *node)
{
	struct probe *p = NEW(struct probe);

	p->loop = loop;
	p->options = (struct store_options){
		.conninfo = conninfo,
		.password_file = "",
		.node = node,
		.version = "test",
		.app_id = "chatapp",
		.members_may_add = true,
		.mirror_window = 20 * USEC_PER_MSEC,
		.database_wait = 30 * USEC_PER_SEC,
	};
	return p;
}

void probe_open(struct probe *p)
{
	const struct store_ops ops = {
		.on_taken_over = on_taken_over,
		.on_token = on_token,
		.on_participant = on_participant,
		.on_events = on_events,
		.on_stopped = on_stopped,
	};
	char fault[STORE_FAULT] = "";

	if (store_new(p->loop, &p->options, &ops, p, &p->store, fault, sizeof(fault)) < 0)
		fail_msg("store_new: %s", fault);
	p->chat = store_chat(p->store);
	p->mirror = store_mirror(p->store);
}

static bool is_up(void *ctx)
{
	const struct probe *p = ctx;

	return store_state(p->store) == STORE_UP;
}

void probe_up(struct probe *p)
{
	if (p->store == NULL) {
		probe_open(p);
		store_start(p->store);
	}
	probe_wait(p->loop, is_up, p);
}

void probe_free(struct probe *p)
{
	store_free(p->store);
	free(p);
}

/* ---- answers ----------------------------------------------------------------------------------
 */

static struct answer *note(void *ctx, const struct chat_result *r)
{
	struct answer *a = ctx;

	a->done = true;
	a->times++;
	a->code = r->code;
	(void)snprintf(a->field, sizeof(a->field), "%s", r->field);
	(void)snprintf(a->why, sizeof(a->why), "%s", r->why);
	return a;
}

static void note_message(struct answer *a, const struct chat_message_row *row)
{
	a->has_row = row != NULL;
	if (row == NULL)
		return;
	a->message = *row;
	copy(a->sender_name, sizeof(a->sender_name), row->sender_name);
	copy(a->body, sizeof(a->body), row->body);
	copy(a->meta, sizeof(a->meta), row->meta);
	copy(a->client_id, sizeof(a->client_id), row->client_id);
}

void on_done_answer(void *ctx, const struct chat_result *r)
{
	(void)note(ctx, r);
}

void on_token_answer(void *ctx, const struct chat_result *r, const struct chat_token_row *row)
{
	struct answer *a = note(ctx, r);

	a->has_row = row != NULL;
	if (row == NULL)
		return;
	a->token = *row;
	copy(a->ids[0], sizeof(a->ids[0]), row->user_id);
	copy(a->body, sizeof(a->body), row->abilities);
	copy(a->meta, sizeof(a->meta), row->user_info);
	copy(a->sender_name, sizeof(a->sender_name), row->user_name);
}

void on_users_answer(void *ctx, const struct chat_result *r, const struct chat_user_row *rows,
		     size_t n)
{
	struct answer *a = note(ctx, r);

	a->n = n;
	if (n > 0)
		a->user = rows[0];
	for (size_t i = 0; i < n && i < ARRAY_LEN(a->ids); i++)
		copy(a->ids[i], sizeof(a->ids[i]), rows[i].id);
}

void on_ids_answer(void *ctx, const struct chat_result *r, const struct slice *ids, size_t n)
{
	struct answer *a = note(ctx, r);

	a->n = n;
	for (size_t i = 0; i < n && i < ARRAY_LEN(a->ids); i++)
		copy(a->ids[i], sizeof(a->ids[i]), ids[i]);
}

void on_posted_answer(void *ctx, const struct chat_result *r, bool stored,
		      const struct chat_message_row *row)
{
	struct answer *a = note(ctx, r);

	a->flag = stored;
	note_message(a, row);
}

void on_changed_answer(void *ctx, const struct chat_result *r, bool changed, bool is_last,
		       const struct chat_message_row *row)
{
	struct answer *a = note(ctx, r);

	a->flag = changed;
	a->is_last = is_last;
	note_message(a, row);
}

void on_messages_answer(void *ctx, const struct chat_result *r, const struct chat_message_row *rows,
			size_t n)
{
	struct answer *a = note(ctx, r);

	a->n = n;
	note_message(a, n > 0 ? &rows[0] : NULL);
	for (size_t i = 0; i < n && i < ARRAY_LEN(a->seqs); i++)
		a->seqs[i] = rows[i].seq;
}

void on_place_answer(void *ctx, const struct chat_result *r, const struct chat_place_row *row)
{
	struct answer *a = note(ctx, r);

	a->has_row = row != NULL;
	if (row != NULL)
		a->place = *row;
}

void on_cursor_answer(void *ctx, const struct chat_result *r, const struct chat_cursor_row *row)
{
	struct answer *a = note(ctx, r);

	a->has_row = row != NULL;
	if (row != NULL)
		a->cursor = *row;
}

void on_receipts_answer(void *ctx, const struct chat_result *r, const struct chat_receipt_row *rows,
			size_t n)
{
	struct answer *a = note(ctx, r);

	a->n = n;
	for (size_t i = 0; i < n && i < ARRAY_LEN(a->receipts); i++)
		a->receipts[i] = rows[i];
}

void on_chats_answer(void *ctx, const struct chat_result *r, const struct chat_row *rows, size_t n)
{
	struct answer *a = note(ctx, r);

	a->n = n;
	if (n > 0) {
		a->view = rows[0];
		copy(a->body, sizeof(a->body), rows[0].last.body);
	}
}

void on_created_answer(void *ctx, const struct chat_result *r, bool created, uint64_t chat)
{
	struct answer *a = note(ctx, r);

	a->flag = created;
	a->chat = chat;
}

void on_member_answer(void *ctx, const struct chat_result *r, bool changed,
		      const struct chat_member_row *row)
{
	struct answer *a = note(ctx, r);

	a->flag = changed;
	a->has_row = row != NULL;
	if (row == NULL)
		return;
	a->member = *row;
	copy(a->sender_name, sizeof(a->sender_name), row->user_name);
	copy(a->ids[0], sizeof(a->ids[0]), row->owner_id);
}

void on_participants_answer(void *ctx, const struct chat_result *r,
			    const struct chat_participant_row *rows, size_t n)
{
	struct answer *a = note(ctx, r);

	a->n = n;
	for (size_t i = 0; i < n && i < ARRAY_LEN(a->participants); i++) {
		a->participants[i] = rows[i];
		copy(a->ids[i], sizeof(a->ids[i]), rows[i].user_id);
	}
}

void on_hidden_answer(void *ctx, const struct chat_result *r, wall_us_t hidden_since)
{
	struct answer *a = note(ctx, r);

	a->hidden_since = hidden_since;
}
