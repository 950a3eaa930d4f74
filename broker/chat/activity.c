/*
 * chat.activity: the line of a chat in everybody's inbox, each with their own unread count.
 *
 * Who takes part and what they have read has to be asked, so the lines of a chat wait in a queue
 * and leave in its order, one question at a time: a later line is never older than an earlier one.
 * One question serves many chats: what comes while one is under way, of whatever chat, shares the
 * next. So messages that are stored together, and what they cost the database here, grow together.
 */
#include <stdlib.h>

#include "broker/chat/chat_internal.h"

/* All that wait. Past it the oldest of the chat give way: the newer ones say more. */
#define WAITING_BYTES (16 << 20)
/* Chats of one question; few enough that those of thousands are answered in time. */
#define QUESTION_CHATS 64

struct line {
	TAILQ_ENTRY(line) entry;
	uint64_t seq; /* 0: for the reader alone, the chat as they see it */
	bool is_new;  /* else edited or deleted: only while it is the newest */
	uint32_t id_n;
	uint32_t json_n;
	char text[]; /* the reader's id, or the message */
};

TAILQ_HEAD(lines, line);

/* A chat with lines that wait. */
struct inbox {
	UT_hash_handle hh;
	TAILQ_ENTRY(inbox) entry; /* in due or asked */
	struct chat *c;
	uint64_t chat;
	struct lines waiting;
	struct lines asked; /* all of one kind */
	bool busy;	    /* due, or asked about */
};

TAILQ_HEAD(inboxes, inbox);

struct activity {
	struct inbox *table;
	struct inboxes due;
	struct inboxes asked; /* about whom a question is under way */
	bool busy;
	size_t bytes; /* of all lines */
};

struct activity *activity_new(void)
{
	struct activity *a = NEW(struct activity);

	TAILQ_INIT(&a->due);
	TAILQ_INIT(&a->asked);
	return a;
}

static struct slice id_of(const struct line *l)
{
	return slice_of(l->text, l->id_n);
}

static struct slice json_of(const struct line *l)
{
	return slice_of(l->text + l->id_n, l->json_n);
}

static size_t cost(const struct line *l)
{
	return sizeof(*l) + l->id_n + l->json_n;
}

/* ---- queues ---- */

static void drop_line(struct chat *c, struct lines *from, struct line *l)
{
	TAILQ_REMOVE(from, l, entry);
	c->activity->bytes -= cost(l);
	free(l);
}

static void drop_lines(struct chat *c, struct lines *from)
{
	struct line *l;

	while ((l = TAILQ_FIRST(from)) != NULL)
		drop_line(c, from, l);
}

static struct inbox *inbox_of(struct chat *c, uint64_t chat)
{
	struct inbox *in = NULL;

	HASH_FIND(hh, c->activity->table, &chat, sizeof(chat), in);
	if (in != NULL)
		return in;
	in = NEW(struct inbox);
	in->c = c;
	in->chat = chat;
	TAILQ_INIT(&in->waiting);
	TAILQ_INIT(&in->asked);
	HASH_ADD(hh, c->activity->table, chat, sizeof(in->chat), in);
	return in;
}

static void drop_inbox(struct inbox *in)
{
	drop_lines(in->c, &in->waiting);
	drop_lines(in->c, &in->asked);
	HASH_DELETE(hh, in->c->activity->table, in);
	free(in);
}

/* ---- telling ---- */

static void tell(struct chat *c, uint64_t chat, struct slice user_id, struct slice message,
		 uint64_t unread)
{
	struct buf *out = &c->data;

	buf_clear(out);
	(void)buf_add(out, SLICE("{\"chat_id\":")); /* event_to_user() checks */
	(void)buf_u64(out, chat);
	(void)buf_add(out, SLICE(",\"last_message\":"));
	(void)buf_add(out, message.n > 0 ? message : SLICE("null"));
	(void)buf_add(out, SLICE(",\"unread_count\":"));
	(void)buf_u64(out, unread);
	(void)buf_addc(out, '}');
	event_to_user(c, user_id, SLICE("chat.activity"));
}

/*
 * Unread when the message was the newest. Where the cursor and the newest message have others of
 * the chat in between only, places say it; a mapped schema counts in ids of messages, where it is
 * what it is now.
 */
static uint64_t unread_at(const struct chat_participant_row *row, uint64_t seq)
{
	if (row->last_seq <= seq || row->last_seq != row->read_seq + row->unread)
		return row->unread;
	return seq > row->read_seq ? seq - row->read_seq : 0;
}

/* An edited message tells its line only while no other has come. */
static void tell_participants(const struct inbox *in, const struct line *l,
			      const struct chat_participant_row *rows, size_t n)
{
	struct chat *c = in->c;

	for (size_t i = 0; i < n; i++) {
		if (!l->is_new && rows[i].last_seq > l->seq)
			return;
		if (!c->options.see_all && rows[i].joined_seq >= l->seq)
			continue;
		tell(c, in->chat, rows[i].user_id, json_of(l), unread_at(&rows[i], l->seq));
	}
}

static void next(struct inbox *in);
static void ask_participants(struct chat *c);

/* The rows of one chat; its lines leave one after the other. */
static void tell_lines(const struct chat *c, uint64_t chat, const struct chat_participant_row *rows,
		       size_t n)
{
	const struct inbox *in = NULL;
	const struct line *l;

	HASH_FIND(hh, c->activity->table, &chat, sizeof(chat), in);
	if (in == NULL)
		return;
	TAILQ_FOREACH (l, &in->asked, entry)
		tell_participants(in, l, rows, n);
}

static void on_participants(void *ctx, const struct chat_result *r,
			    const struct chat_participant_row *rows, size_t n)
{
	struct chat *c = ctx;
	struct inboxes told = TAILQ_HEAD_INITIALIZER(told);
	struct inbox *in;

	if (r->code != CHAT_STORE_OK)
		n = 0;
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && rows[end].chat == rows[i].chat; end++)
			;
		tell_lines(c, rows[i].chat, &rows[i], end - i);
	}
	TAILQ_CONCAT(&told, &c->activity->asked, entry);
	while ((in = TAILQ_FIRST(&told)) != NULL) {
		TAILQ_REMOVE(&told, in, entry);
		drop_lines(c, &in->asked);
		in->busy = false;
		next(in);
	}
	c->activity->busy = false;
	ask_participants(c);
}

static void on_view(void *ctx, const struct chat_result *r, const struct chat_row *rows, size_t n)
{
	struct inbox *in = ctx;
	struct chat *c = in->c;

	for (size_t i = 0; r->code == CHAT_STORE_OK && i < n; i++) {
		buf_clear(&c->small);
		if (rows[i].has_last)
			encode_message(&c->small, c->options.integer_ids, &rows[i].last);
		if (buf_ok(&c->small))
			tell(c, in->chat, rows[i].user_id, buf_slice(&c->small), rows[i].unread);
	}
	drop_lines(c, &in->asked);
	in->busy = false;
	next(in);
	ask_participants(c);
}

/* ---- asking ---- */

/* Lines of one kind, from the front. */
static size_t take(struct inbox *in)
{
	struct line *l;
	size_t n = 0;

	while ((l = TAILQ_FIRST(&in->waiting)) != NULL) {
		const struct line *first = TAILQ_FIRST(&in->asked);

		if (first != NULL && (first->seq == 0) != (l->seq == 0))
			break;
		TAILQ_REMOVE(&in->waiting, l, entry);
		TAILQ_INSERT_TAIL(&in->asked, l, entry);
		n++;
	}
	return n;
}

static void ask_views(struct inbox *in, size_t n)
{
	const struct chat_store *store = in->c->store;
	struct chat_pair *pairs = mem_calloc(n, sizeof(*pairs));
	const struct line *l;
	size_t used = 0;

	TAILQ_FOREACH (l, &in->asked, entry)
		pairs[used++] = (struct chat_pair){in->chat, id_of(l)};
	store->chat_view(store->self, pairs, used, on_view, in);
	free(pairs);
}

/* One question about all that are due. */
static void ask_participants(struct chat *c)
{
	const struct chat_store *store = c->store;
	uint64_t chats[QUESTION_CHATS];
	size_t n = 0;
	struct inbox *in;

	if (c->activity->busy)
		return;
	while (n < QUESTION_CHATS && (in = TAILQ_FIRST(&c->activity->due)) != NULL) {
		TAILQ_REMOVE(&c->activity->due, in, entry);
		TAILQ_INSERT_TAIL(&c->activity->asked, in, entry);
		(void)take(in);
		chats[n++] = in->chat;
	}
	c->activity->busy = n > 0;
	if (n > 0)
		store->participants(store->self, chats, n, 0, on_participants, c);
}

/* What its first line needs; the question about participants is for the caller to ask. */
static void next(struct inbox *in)
{
	const struct line *first = TAILQ_FIRST(&in->waiting);

	if (first == NULL) {
		drop_inbox(in);
		return;
	}
	in->busy = true;
	if (first->seq == 0)
		ask_views(in, take(in));
	else
		TAILQ_INSERT_TAIL(&in->c->activity->due, in, entry);
}

static void add(struct chat *c, uint64_t chat, struct line *l)
{
	struct inbox *in = inbox_of(c, chat);
	struct line *oldest;

	TAILQ_INSERT_TAIL(&in->waiting, l, entry);
	c->activity->bytes += cost(l);
	while (c->activity->bytes > WAITING_BYTES && (oldest = TAILQ_FIRST(&in->waiting)) != l)
		drop_line(c, &in->waiting, oldest);
	if (!in->busy)
		next(in);
	ask_participants(c);
}

void activity_message(struct chat *c, const struct chat_message_row *m, bool is_new)
{
	struct line *l;

	buf_clear(&c->small);
	encode_message(&c->small, c->options.integer_ids, m);
	if (!buf_ok(&c->small))
		return;
	l = mem_zalloc(sizeof(*l) + c->small.n);
	l->seq = m->seq;
	l->is_new = is_new;
	l->json_n = (uint32_t)c->small.n;
	memcpy(l->text, c->small.p, c->small.n);
	add(c, m->chat, l);
}

void activity_reader(struct chat *c, uint64_t chat, struct slice user_id)
{
	struct line *l = mem_zalloc(sizeof(*l) + user_id.n);

	l->id_n = (uint32_t)user_id.n;
	memcpy(l->text, user_id.p, user_id.n);
	add(c, chat, l);
}

void activity_free_all(struct chat *c)
{
	struct inbox *in;
	struct inbox *following;

	HASH_ITER(hh, c->activity->table, in, following)
	drop_inbox(in);
	free(c->activity);
}
