/* The database of the tests of the chat. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/list.h"
#include "common/base/mem.h"
#include "tests/unit/chat_fakes.h"
#include "tests/unit/chat_store_fake.h"

enum { USERS = 64, TOKENS = 64, CHATS = 32, PEOPLE = 64, MESSAGES = 4096, ROWS = 256 };

struct user {
	char id[16];
	char name[32];
	wall_us_t last_seen;
	wall_us_t hidden_since;
	enum chat_policy policy;
};

struct person {
	char id[16];
	uint64_t joined;
	uint64_t delivered;
	uint64_t read;
	wall_us_t delivered_at;
	wall_us_t read_at;
};

struct room {
	char name[64];
	bool direct;
	char owner[16];
	struct person people[PEOPLE];
	size_t n;
	uint64_t last;
	wall_us_t at;
};

struct message {
	uint64_t chat;
	uint64_t seq;
	char sender[16];
	char *body;
	char *meta;
	char client[40];
	uint64_t reply_to;
	wall_us_t at, edited, deleted;
};

struct token {
	int64_t id;
	char user[16];
	char hash[65];
	wall_us_t expires;
	bool gone;
};

static struct user users[USERS];
static struct token tokens[TOKENS];
static struct room rooms[CHATS]; /* by id - 1 */
static struct message messages[MESSAGES];
static size_t nusers, ntokens, nrooms, nmessages;

bool fake_away;
bool fake_broken;
unsigned fake_calls;
unsigned fake_tokens;

/* ---- answers that wait ---- */

enum kind {
	DONE,
	TOKEN,
	USERS_,
	IDS,
	POSTED,
	CHANGED,
	ROWS_,
	PLACE,
	CURSOR,
	RECEIPTS,
	CHATS_,
	CREATED,
	MEMBER,
	PEOPLE_,
	HIDDEN
};

struct text {
	SLIST_ENTRY(text) entry;
	char *p;
};

struct pending {
	SLIST_HEAD(, text) texts;
	TAILQ_ENTRY(pending) entry;
	enum kind kind;
	struct chat_result r;
	void (*done)(void);
	void *ctx;
	bool flag, last;
	uint64_t number;
	size_t n;
	union {
		struct chat_token_row token;
		struct chat_user_row users[ROWS];
		struct chat_message_row messages[ROWS];
		struct chat_place_row place;
		struct chat_cursor_row cursor;
		struct chat_receipt_row receipts[ROWS];
		struct chat_row chats[ROWS];
		struct chat_member_row member;
		struct chat_participant_row people[ROWS];
	} u;
};

static TAILQ_HEAD(, pending) queues[QUEUES];

/* The operation under way; texts of its rows live as long as it: sanitizers find what reads later.
 */
static struct pending *current;

static struct slice keep(struct slice s)
{
	struct text *t;

	if (s.p == NULL)
		return s;
	t = NEW(struct text);
	t->p = slice_dup(s);
	SLIST_INSERT_HEAD(&current->texts, t, entry);
	return slice_of(t->p, s.n);
}

static struct slice keep_str(const char *s)
{
	return keep(slice_str(s));
}

static struct pending *pend(enum fake_queue queue, enum kind kind, void (*done)(void), void *ctx)
{
	struct pending *p = NEW(struct pending);

	current = p;
	fake_calls++;
	p->kind = kind;
	p->done = done;
	p->ctx = ctx;
	p->r = (struct chat_result){CHAT_STORE_OK, "", ""};
	if (fake_away)
		p->r.code = CHAT_STORE_UNAVAILABLE;
	if (fake_broken)
		p->r.code = CHAT_STORE_FAULT;
	TAILQ_INSERT_TAIL(&queues[queue], p, entry);
	return p;
}

static bool fine(const struct pending *p)
{
	return p->r.code == CHAT_STORE_OK;
}

static void refuse(struct pending *p, enum chat_store_code code, const char *field, const char *why)
{
	p->r = (struct chat_result){code, field, why};
	p->n = 0;
}

#define PEND(queue, kind, done, ctx) pend(queue, kind, (void (*)(void))(done), ctx)

static void deliver(struct pending *p)
{
	bool ok = fine(p);
	size_t n = ok ? p->n : 0;

	switch (p->kind) {
	case DONE:
		((chat_done_fn)p->done)(p->ctx, &p->r);
		break;
	case TOKEN:
		((chat_token_fn)p->done)(p->ctx, &p->r, n > 0 ? &p->u.token : NULL);
		break;
	case USERS_:
		((chat_users_fn)p->done)(p->ctx, &p->r, p->u.users, n);
		break;
	case IDS:
		((chat_ids_fn)p->done)(p->ctx, &p->r, NULL, 0);
		break;
	case POSTED:
		((chat_posted_fn)p->done)(p->ctx, &p->r, p->flag, n > 0 ? p->u.messages : NULL);
		break;
	case CHANGED:
		((chat_changed_fn)p->done)(p->ctx, &p->r, p->flag, p->last,
					   n > 0 ? p->u.messages : NULL);
		break;
	case ROWS_:
		((chat_messages_fn)p->done)(p->ctx, &p->r, p->u.messages, n);
		break;
	case PLACE:
		((chat_place_fn)p->done)(p->ctx, &p->r, n > 0 ? &p->u.place : NULL);
		break;
	case CURSOR:
		((chat_cursor_fn)p->done)(p->ctx, &p->r, n > 0 ? &p->u.cursor : NULL);
		break;
	case RECEIPTS:
		((chat_receipts_fn)p->done)(p->ctx, &p->r, p->u.receipts, n);
		break;
	case CHATS_:
		((chat_chats_fn)p->done)(p->ctx, &p->r, p->u.chats, n);
		break;
	case CREATED:
		((chat_created_fn)p->done)(p->ctx, &p->r, p->flag, p->number);
		break;
	case MEMBER:
		((chat_member_fn)p->done)(p->ctx, &p->r, p->flag, n > 0 ? &p->u.member : NULL);
		break;
	case PEOPLE_:
		((chat_participants_fn)p->done)(p->ctx, &p->r, p->u.people, n);
		break;
	case HIDDEN:
		((chat_hidden_fn)p->done)(p->ctx, &p->r, (wall_us_t)p->number);
		break;
	}
}

static void pending_free(struct pending *p)
{
	struct text *t;

	while ((t = SLIST_FIRST(&p->texts)) != NULL) {
		SLIST_REMOVE_HEAD(&p->texts, entry);
		free(t->p);
		free(t);
	}
	free(p);
}

bool fake_answer(enum fake_queue queue)
{
	struct pending *p = TAILQ_FIRST(&queues[queue]);

	if (p == NULL)
		return false;
	TAILQ_REMOVE(&queues[queue], p, entry);
	deliver(p);
	pending_free(p);
	return true;
}

void fake_settle(void)
{
	bool more = true;

	while (more) {
		more = false;
		for (int q = 0; q < QUEUES; q++)
			more = fake_answer((enum fake_queue)q) || more;
	}
}

size_t fake_waiting(void)
{
	const struct pending *p;
	size_t n = 0;

	for (int q = 0; q < QUEUES; q++) {
		TAILQ_FOREACH (p, &queues[q], entry)
			n++;
	}
	return n;
}

/* ---- what stands there ---- */

static struct user *find_user(struct slice id)
{
	for (size_t i = 0; i < nusers; i++) {
		if (slice_eq(slice_str(users[i].id), id))
			return &users[i];
	}
	return NULL;
}

static struct room *find_room(uint64_t chat)
{
	return chat >= 1 && chat <= nrooms ? &rooms[chat - 1] : NULL;
}

static struct person *find_person(uint64_t chat, struct slice id)
{
	struct room *room = find_room(chat);

	for (size_t i = 0; room != NULL && i < room->n; i++) {
		if (slice_eq(slice_str(room->people[i].id), id))
			return &room->people[i];
	}
	return NULL;
}

static struct message *find_seq(uint64_t chat, uint64_t seq)
{
	for (size_t i = 0; i < nmessages; i++) {
		if (messages[i].chat == chat && messages[i].seq == seq)
			return &messages[i];
	}
	return NULL;
}

static void copy(char *to, size_t size, struct slice from)
{
	assert_true(from.n < size);
	if (from.n > 0)
		memcpy(to, from.p, from.n);
	to[from.n] = '\0';
}

void fake_add_user(const char *id, const char *name)
{
	struct user *u = &users[nusers++];
	struct token *t = &tokens[ntokens++];

	*u = (struct user){0};
	copy(u->id, sizeof(u->id), slice_str(id));
	copy(u->name, sizeof(u->name), slice_str(name));
	*t = (struct token){.id = (int64_t)ntokens};
	copy(t->user, sizeof(t->user), slice_str(id));
	(void)snprintf(t->hash, sizeof(t->hash), "%064zu", ntokens);
}

static void add_person(struct room *room, struct slice id)
{
	struct person *p = &room->people[room->n++];

	*p = (struct person){0};
	copy(p->id, sizeof(p->id), id);
	p->joined = p->read = p->delivered = room->last;
}

static uint64_t add_room(struct slice name, struct slice owner, bool direct)
{
	struct room *room = &rooms[nrooms++];

	*room = (struct room){.direct = direct, .at = fake_wall};
	copy(room->name, sizeof(room->name), name);
	if (!direct)
		copy(room->owner, sizeof(room->owner), owner);
	return nrooms;
}

static void drop_person(struct room *room, struct person *p)
{
	size_t i = (size_t)(p - room->people);

	memmove(p, p + 1, (room->n - i - 1) * sizeof(*p));
	room->n--;
}

void fake_leave(uint64_t chat, const char *user)
{
	drop_person(find_room(chat), find_person(chat, slice_str(user)));
}

void fake_revoke(int64_t token)
{
	tokens[token - 1].gone = true;
}

void fake_expire(int64_t token, wall_us_t at)
{
	tokens[token - 1].expires = at;
}

uint64_t fake_read_seq(uint64_t chat, const char *user)
{
	return find_person(chat, slice_str(user))->read;
}

uint64_t fake_last_seq(uint64_t chat)
{
	return find_room(chat)->last;
}

wall_us_t fake_last_seen(const char *user)
{
	return find_user(slice_str(user))->last_seen;
}

void fake_store_last_seen(struct slice user, wall_us_t at)
{
	struct user *u = find_user(user);

	if (u != NULL && at > u->last_seen)
		u->last_seen = at;
}

/* ---- rows ---- */

static struct chat_message_row message_row(const struct message *m)
{
	const struct user *u = find_user(slice_str(m->sender));

	return (struct chat_message_row){
		.id = (uint64_t)(m - messages) + 1,
		.chat = m->chat,
		.seq = m->seq,
		.prev_seq = m->seq - 1,
		.sender_id = keep_str(m->sender),
		.sender_name = keep_str(u->name),
		.body = keep_str(m->body),
		.reply_to = m->reply_to,
		.meta = m->meta != NULL ? keep_str(m->meta) : SLICE_NONE,
		.client_id = m->client[0] != '\0' ? keep_str(m->client) : SLICE_NONE,
		.created_at = m->at,
		.edited_at = m->edited,
		.deleted_at = m->deleted,
	};
}

static struct chat_user_row user_row(const struct user *u)
{
	return (struct chat_user_row){
		.id = keep_str(u->id),
		.name = keep_str(u->name),
		.last_seen = u->last_seen,
		.policy = u->policy,
		.hidden_since = u->hidden_since,
	};
}

static struct chat_participant_row person_row(uint64_t chat, const struct person *p)
{
	const struct room *room = find_room(chat);

	return (struct chat_participant_row){
		.chat = chat,
		.user_id = keep_str(p->id),
		.user_name = keep_str(find_user(slice_str(p->id))->name),
		.joined_seq = p->joined,
		.delivered_seq = p->delivered,
		.delivered_at = p->delivered_at,
		.read_seq = p->read,
		.read_at = p->read_at,
		.is_owner = strcmp(room->owner, p->id) == 0,
		.owner_id = room->owner[0] != '\0' ? keep_str(room->owner) : SLICE_NONE,
		.direct = room->direct,
		.last_seq = room->last,
		.participant_count = room->n,
	};
}

static struct chat_row chat_row(uint64_t chat, const struct person *p)
{
	const struct room *room = find_room(chat);
	const struct message *last = find_seq(chat, room->last);
	struct chat_row row = {
		.chat = chat,
		.user_id = keep_str(p->id),
		.name = room->name[0] != '\0' ? keep_str(room->name) : SLICE_NONE,
		.direct = room->direct,
		.owner_id = room->owner[0] != '\0' ? keep_str(room->owner) : SLICE_NONE,
		.updated_at = room->at,
		.last_seq = room->last,
		.participant_count = room->n,
		.joined_seq = p->joined,
		.delivered_seq = p->delivered,
		.read_seq = p->read,
		.unread = room->last - p->read,
		.has_last = last != NULL && (fake_options.see_all || last->seq > p->joined),
	};

	if (row.has_last)
		row.last = message_row(last);
	return row;
}

/* ---- tokens and users ---- */

static void find_token(void *self, struct slice id, struct slice hash, chat_token_fn done,
		       void *ctx)
{
	struct pending *p = PEND(QUEUE_LOOKUPS, TOKEN, done, ctx);
	unsigned long long n = 0;

	(void)self;
	fake_tokens++;
	(void)slice_to_u64(id, &n);
	for (size_t i = 0; fine(p) && i < ntokens; i++) {
		const struct token *t = &tokens[i];

		if (t->gone || (t->expires != 0 && t->expires <= fake_wall) ||
		    (n != 0 ? (int64_t)n != t->id : !slice_eq(hash, slice_str(t->hash))))
			continue;
		p->n = 1;
		p->u.token = (struct chat_token_row){
			.token_id = t->id,
			.user_id = keep_str(t->user),
			.user_name = keep_str(find_user(slice_str(t->user))->name),
			.hash = keep_str(t->hash),
			.expires_at = t->expires,
		};
	}
}

static void touch_token(void *self, int64_t id)
{
	(void)self;
	(void)id;
}

static void get_users(void *self, const struct slice *ids, size_t n, chat_users_fn done, void *ctx)
{
	struct pending *p = PEND(QUEUE_LOOKUPS, USERS_, done, ctx);

	(void)self;
	for (size_t i = 0; fine(p) && i < n; i++) {
		const struct user *u = find_user(ids[i]);

		if (u != NULL)
			p->u.users[p->n++] = user_row(u);
	}
}

static bool share(struct slice a, struct slice b)
{
	for (uint64_t chat = 1; chat <= nrooms; chat++) {
		if (find_person(chat, a) != NULL && find_person(chat, b) != NULL)
			return true;
	}
	return false;
}

static void contacts(void *self, struct slice user, const struct slice *ids, size_t n,
		     uint32_t limit, chat_users_fn done, void *ctx)
{
	struct pending *p = PEND(QUEUE_LOOKUPS, USERS_, done, ctx);

	(void)self;
	for (size_t i = 0; fine(p) && i < nusers && p->n < limit; i++) {
		struct slice id = slice_str(users[i].id);
		bool named = ids == NULL;

		for (size_t k = 0; k < n; k++)
			named = named || slice_eq(ids[k], id);
		if (named && !slice_eq(id, user) && share(user, id))
			p->u.users[p->n++] = user_row(&users[i]);
	}
}

static void shares_chat(void *self, struct slice user, const struct slice *ids, size_t n,
			chat_ids_fn done, void *ctx)
{
	(void)self;
	(void)user;
	(void)ids;
	(void)n;
	(void)PEND(QUEUE_LOOKUPS, IDS, done, ctx);
}

static void set_policy(void *self, struct slice user, enum chat_policy policy, chat_done_fn done,
		       void *ctx)
{
	struct pending *p = PEND(QUEUE_LOOKUPS, DONE, done, ctx);

	(void)self;
	if (fine(p))
		find_user(user)->policy = policy;
}

static void set_hidden(void *self, struct slice user, wall_us_t since, chat_hidden_fn done,
		       void *ctx)
{
	struct pending *p = PEND(QUEUE_LOOKUPS, HIDDEN, done, ctx);
	struct user *u = find_user(user);

	(void)self;
	if (!fine(p))
		return;
	if (since == 0 || u->hidden_since == 0)
		u->hidden_since = since;
	p->number = (uint64_t)u->hidden_since;
}

/* ---- messages ---- */

static void post(void *self, const struct chat_post *post, chat_posted_fn done, void *ctx)
{
	struct pending *p = PEND(QUEUE_MESSAGES, POSTED, done, ctx);
	struct person *who = find_person(post->chat, post->sender_id);
	struct room *room = find_room(post->chat);
	struct message *m;

	(void)self;
	if (!fine(p))
		return;
	if (who == NULL) {
		refuse(p, CHAT_STORE_FORBIDDEN, "", "");
		return;
	}
	p->n = 1;
	for (size_t i = 0; post->client_id.n > 0 && i < nmessages; i++) {
		if (messages[i].chat != post->chat ||
		    !slice_eq(slice_str(messages[i].client), post->client_id) ||
		    !slice_eq(slice_str(messages[i].sender), post->sender_id))
			continue;
		p->u.messages[0] = message_row(&messages[i]);
		return;
	}
	if (post->reply_to != 0 &&
	    (post->reply_to > nmessages || messages[post->reply_to - 1].chat != post->chat)) {
		refuse(p, CHAT_STORE_INVALID, "reply_to", "bad_reply");
		return;
	}
	m = &messages[nmessages++];
	assert_true(nmessages < MESSAGES);
	*m = (struct message){.chat = post->chat,
			      .seq = ++room->last,
			      .reply_to = post->reply_to,
			      .at = fake_wall};
	copy(m->sender, sizeof(m->sender), post->sender_id);
	copy(m->client, sizeof(m->client), post->client_id);
	m->body = slice_dup(post->body);
	m->meta = post->meta.n > 0 ? slice_dup(post->meta) : NULL;
	room->at = fake_wall;
	who->read = who->delivered = room->last;
	who->read_at = who->delivered_at = fake_wall;
	p->flag = true;
	p->u.messages[0] = message_row(m);
}

static struct message *visible(uint64_t message, struct slice user)
{
	struct message *m = message >= 1 && message <= nmessages ? &messages[message - 1] : NULL;
	const struct person *who = m != NULL ? find_person(m->chat, user) : NULL;

	return who != NULL && (fake_options.see_all || m->seq > who->joined) ? m : NULL;
}

static void change(uint64_t message, struct slice user, const struct slice *body,
		   chat_changed_fn done, void *ctx)
{
	struct pending *p = PEND(QUEUE_MESSAGES, CHANGED, done, ctx);
	struct message *m = visible(message, user);

	if (!fine(p))
		return;
	if (m == NULL || !slice_eq(slice_str(m->sender), user)) {
		refuse(p, CHAT_STORE_FORBIDDEN, "", "");
		return;
	}
	p->flag = m->deleted == 0;
	if (p->flag) {
		free(m->body);
		m->body = slice_dup(body != NULL ? *body : SLICE(""));
		if (body != NULL)
			m->edited = fake_wall;
		else
			m->deleted = fake_wall;
	}
	p->last = m->seq == find_room(m->chat)->last;
	p->n = 1;
	p->u.messages[0] = message_row(m);
}

static void edit(void *self, uint64_t message, struct slice user, struct slice body,
		 chat_changed_fn done, void *ctx)
{
	(void)self;
	change(message, user, &body, done, ctx);
}

static void delete_message(void *self, uint64_t message, struct slice user, chat_changed_fn done,
			   void *ctx)
{
	(void)self;
	change(message, user, NULL, done, ctx);
}

static void find_message(void *self, uint64_t message, struct slice user, chat_place_fn done,
			 void *ctx)
{
	struct pending *p = PEND(QUEUE_LOOKUPS, PLACE, done, ctx);
	const struct message *m = visible(message, user);

	(void)self;
	if (!fine(p))
		return;
	if (m == NULL) {
		refuse(p, CHAT_STORE_FORBIDDEN, "", "");
		return;
	}
	p->n = 1;
	p->u.place = (struct chat_place_row){.message = message, .chat = m->chat, .seq = m->seq};
}

static void page(uint64_t chat, struct slice user, uint64_t seq, int step, uint32_t limit,
		 chat_messages_fn done, void *ctx)
{
	struct pending *p = PEND(QUEUE_LOOKUPS, ROWS_, done, ctx);
	const struct person *who = find_person(chat, user);

	if (!fine(p))
		return;
	if (who == NULL) {
		refuse(p, CHAT_STORE_FORBIDDEN, "", "");
		return;
	}
	for (; seq >= 1 && seq <= find_room(chat)->last && p->n<limit; seq = step> 0 ? seq + 1
										     : seq - 1) {
		if (fake_options.see_all || seq > who->joined)
			p->u.messages[p->n++] = message_row(find_seq(chat, seq));
	}
}

static void history(void *self, uint64_t chat, struct slice user, uint64_t before, uint32_t limit,
		    chat_messages_fn done, void *ctx)
{
	const struct room *room = find_room(chat);
	uint64_t last = room != NULL ? room->last : 0;

	(void)self;
	page(chat, user, before == 0 || before > last ? last : before - 1, -1, limit, done, ctx);
}

static void catch_up(void *self, uint64_t chat, struct slice user, uint64_t after, uint32_t limit,
		     chat_messages_fn done, void *ctx)
{
	(void)self;
	page(chat, user, after + 1, 1, limit, done, ctx);
}

/* ---- receipts ---- */

static void move_cursors(void *self, uint64_t chat, struct slice user, uint64_t delivered,
			 uint64_t read, chat_cursor_fn done, void *ctx)
{
	struct pending *p = PEND(QUEUE_MESSAGES, CURSOR, done, ctx);
	struct person *who = find_person(chat, user);
	struct chat_cursor_row *row = &p->u.cursor;
	uint64_t last;

	(void)self;
	if (!fine(p))
		return;
	if (who == NULL) {
		refuse(p, CHAT_STORE_FORBIDDEN, "", "");
		return;
	}
	last = find_room(chat)->last;
	delivered = MIN(MAX(delivered, read), last);
	row->delivered_moved = delivered > who->delivered;
	row->read_moved = MIN(read, last) > who->read;
	if (row->delivered_moved) {
		who->delivered = delivered;
		who->delivered_at = fake_wall;
	}
	if (row->read_moved) {
		who->read = MIN(read, last);
		who->read_at = fake_wall;
	}
	p->n = 1;
	row->chat = chat;
	row->user_id = keep(user);
	row->delivered_seq = who->delivered;
	row->delivered_at = who->delivered_at;
	row->read_seq = who->read;
	row->read_at = who->read_at;
	row->last_seq = last;
	if (who->delivered > 0)
		row->delivered_id = (uint64_t)(find_seq(chat, who->delivered) - messages) + 1;
	if (who->read > 0)
		row->read_id = (uint64_t)(find_seq(chat, who->read) - messages) + 1;
}

static void receipts(void *self, uint64_t chat, struct slice user, chat_receipts_fn done, void *ctx)
{
	struct pending *p = PEND(QUEUE_LOOKUPS, RECEIPTS, done, ctx);
	const struct room *room = find_room(chat);

	(void)self;
	if (!fine(p))
		return;
	if (find_person(chat, user) == NULL) {
		refuse(p, CHAT_STORE_FORBIDDEN, "", "");
		return;
	}
	for (size_t i = 0; i < room->n; i++) {
		const struct person *who = &room->people[i];

		p->u.receipts[p->n++] = (struct chat_receipt_row){
			.user_id = keep_str(who->id),
			.delivered_seq = who->delivered,
			.delivered_at = who->delivered_at,
			.read_seq = who->read,
			.read_at = who->read_at,
		};
	}
}

/* ---- chats ---- */

static void create_chat(void *self, struct slice creator, struct slice name,
			const struct slice *ids, size_t n, bool direct, chat_created_fn done,
			void *ctx)
{
	struct pending *p = PEND(QUEUE_LOOKUPS, CREATED, done, ctx);
	struct room *room;

	(void)self;
	if (!fine(p))
		return;
	for (size_t i = 0; i < n; i++) {
		if (find_user(ids[i]) == NULL) {
			refuse(p, CHAT_STORE_INVALID, "participant_ids", "unknown_users");
			return;
		}
	}
	if (direct && (n != 1 || slice_eq(ids[0], creator))) {
		refuse(p, CHAT_STORE_INVALID, "participant_ids", "not_two");
		return;
	}
	for (uint64_t chat = 1; direct && chat <= nrooms; chat++) {
		if (!rooms[chat - 1].direct || find_person(chat, creator) == NULL ||
		    find_person(chat, ids[0]) == NULL)
			continue;
		p->number = chat;
		return;
	}
	p->flag = true;
	p->number = add_room(name, creator, direct);
	room = find_room(p->number);
	add_person(room, creator);
	for (size_t i = 0; i < n; i++) {
		if (find_person(p->number, ids[i]) == NULL)
			add_person(room, ids[i]);
	}
}

static void member(struct pending *p, struct slice user, const struct room *room)
{
	p->n = 1;
	p->u.member = (struct chat_member_row){
		.user_name = keep_str(find_user(user)->name),
		.owner_id = room->owner[0] != '\0' ? keep_str(room->owner) : SLICE_NONE,
		.joined_seq = room->last,
	};
}

static void add_participant(void *self, uint64_t chat, struct slice user, struct slice by,
			    chat_member_fn done, void *ctx)
{
	struct pending *p = PEND(QUEUE_MESSAGES, MEMBER, done, ctx);
	struct room *room = find_room(chat);

	(void)self;
	if (!fine(p))
		return;
	if (find_person(chat, by) == NULL || room->direct) {
		refuse(p, CHAT_STORE_FORBIDDEN, "", "");
	} else if (find_user(user) == NULL) {
		refuse(p, CHAT_STORE_INVALID, "user_id", "unknown_user");
	} else {
		p->flag = find_person(chat, user) == NULL;
		if (p->flag)
			add_person(room, user);
		member(p, user, room);
	}
}

static void remove_participant(void *self, uint64_t chat, struct slice user, struct slice by,
			       chat_member_fn done, void *ctx)
{
	struct pending *p = PEND(QUEUE_MESSAGES, MEMBER, done, ctx);
	struct room *room = find_room(chat);
	struct person *who = find_person(chat, user);

	(void)self;
	if (!fine(p))
		return;
	if (find_person(chat, by) == NULL || room->direct ||
	    (!slice_eq(user, by) && !slice_eq(slice_str(room->owner), by))) {
		refuse(p, CHAT_STORE_FORBIDDEN, "", "");
		return;
	}
	p->flag = who != NULL;
	if (who != NULL)
		drop_person(room, who);
	if (slice_eq(slice_str(room->owner), user))
		copy(room->owner, sizeof(room->owner),
		     room->n > 0 ? slice_str(room->people[0].id) : SLICE(""));
	if (find_user(user) != NULL)
		member(p, user, room);
	else
		p->n = 1;
}

static void active_chats(void *self, struct slice user, wall_us_t before, uint64_t before_chat,
			 uint32_t limit, chat_chats_fn done, void *ctx)
{
	struct pending *p = PEND(QUEUE_LOOKUPS, CHATS_, done, ctx);
	bool taken[CHATS] = {false};

	(void)self;
	while (fine(p) && p->n < limit) {
		uint64_t best = 0;

		for (uint64_t chat = 1; chat <= nrooms; chat++) {
			const struct room *room = find_room(chat);

			if (taken[chat - 1] || find_person(chat, user) == NULL ||
			    (before != 0 &&
			     (room->at > before || (room->at == before && chat >= before_chat))))
				continue;
			if (best == 0 || room->at >= rooms[best - 1].at)
				best = chat;
		}
		if (best == 0)
			break;
		taken[best - 1] = true;
		p->u.chats[p->n++] = chat_row(best, find_person(best, user));
	}
}

static void chat_view(void *self, const struct chat_pair *pairs, size_t n, chat_chats_fn done,
		      void *ctx)
{
	struct pending *p = PEND(QUEUE_LOOKUPS, CHATS_, done, ctx);

	(void)self;
	for (size_t i = 0; fine(p) && i < n; i++) {
		const struct person *who = find_person(pairs[i].chat, pairs[i].user_id);

		if (who != NULL)
			p->u.chats[p->n++] = chat_row(pairs[i].chat, who);
	}
}

static void participant(void *self, uint64_t chat, struct slice user, chat_participants_fn done,
			void *ctx)
{
	struct pending *p = PEND(QUEUE_LOOKUPS, PEOPLE_, done, ctx);
	const struct person *who = find_person(chat, user);

	(void)self;
	if (!fine(p))
		return;
	if (who == NULL)
		refuse(p, CHAT_STORE_FORBIDDEN, "", "");
	else
		p->u.people[p->n++] = person_row(chat, who);
}

static void participants(void *self, const uint64_t *chats, size_t n, uint32_t limit,
			 chat_participants_fn done, void *ctx)
{
	struct pending *p = PEND(QUEUE_LOOKUPS, PEOPLE_, done, ctx);

	(void)self;
	for (size_t i = 0; fine(p) && i < n; i++) {
		const struct room *room = find_room(chats[i]);

		for (size_t k = 0; room != NULL && k < room->n && (limit == 0 || k < limit); k++)
			p->u.people[p->n++] = person_row(chats[i], &room->people[k]);
	}
}

static void may_subscribe(void *self, struct slice statement, struct slice user,
			  struct slice channel, chat_done_fn done, void *ctx)
{
	struct pending *p = PEND(QUEUE_LOOKUPS, DONE, done, ctx);

	(void)self;
	(void)channel;
	if (fine(p) && !(slice_eq(statement, SLICE("only_two")) && slice_eq(user, SLICE("2"))))
		refuse(p, CHAT_STORE_FORBIDDEN, "", "");
}

const struct chat_store fake_store = {
	.find_token = find_token,
	.touch_token = touch_token,
	.users = get_users,
	.contacts = contacts,
	.shares_chat = shares_chat,
	.set_policy = set_policy,
	.set_hidden = set_hidden,
	.post = post,
	.edit = edit,
	.delete_message = delete_message,
	.find_message = find_message,
	.history = history,
	.catch_up = catch_up,
	.move_cursors = move_cursors,
	.receipts = receipts,
	.create_chat = create_chat,
	.add_participant = add_participant,
	.remove_participant = remove_participant,
	.active_chats = active_chats,
	.chat_view = chat_view,
	.participant = participant,
	.participants = participants,
	.may_subscribe = may_subscribe,
};

/* ---- begin and end ---- */

void fake_store_begin(void)
{
	nusers = ntokens = nrooms = nmessages = 0;
	fake_away = fake_broken = false;
	fake_calls = fake_tokens = 0;
	for (int q = 0; q < QUEUES; q++)
		TAILQ_INIT(&queues[q]);
	fake_add_user("1", "Ada");
	fake_add_user("2", "Bob");
	fake_add_user("3", "Cyd");
	fake_add_user("4", "Dan");
	(void)add_room(SLICE("Tea"), SLICE("1"), false);
	add_person(&rooms[0], SLICE("1"));
	add_person(&rooms[0], SLICE("2"));
	(void)add_room(SLICE(""), SLICE(""), true);
	add_person(&rooms[1], SLICE("1"));
	add_person(&rooms[1], SLICE("3"));
}

void fake_store_end(void)
{
	struct pending *p;

	for (int q = 0; q < QUEUES; q++) {
		while ((p = TAILQ_FIRST(&queues[q])) != NULL) {
			TAILQ_REMOVE(&queues[q], p, entry);
			pending_free(p);
		}
	}
	for (size_t i = 0; i < nmessages; i++) {
		free(messages[i].body);
		free(messages[i].meta);
	}
}
