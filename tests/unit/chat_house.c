#include "tests/unit/chat_house.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/mem.h"

struct house house;
bool fake_away;
bool fake_broken;
unsigned fake_calls;
unsigned fake_tokens;

static TAILQ_HEAD(, pending) queues[QUEUES];

/* The operation under way; texts of its rows live as long as it: sanitizers find what reads later.
 */
static struct pending *current;

struct slice house_keep(struct slice s)
{
	struct text *t;

	if (s.p == NULL)
		return s;
	t = NEW(struct text);
	t->p = slice_dup(s);
	SLIST_INSERT_HEAD(&current->texts, t, entry);
	return slice_of(t->p, s.n);
}

struct slice house_keep_str(const char *s)
{
	return house_keep(slice_str(s));
}

struct pending *house_pend(enum fake_queue queue, enum kind kind, void (*done)(void), void *ctx)
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

bool house_fine(const struct pending *p)
{
	return p->r.code == CHAT_STORE_OK;
}

void house_refuse(struct pending *p, enum chat_store_code code, const char *field, const char *why)
{
	p->r = (struct chat_result){code, field, why};
	p->n = 0;
}

static void deliver(struct pending *p)
{
	bool ok = house_fine(p);
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

struct user *house_find_user(struct slice id)
{
	for (size_t i = 0; i < house.nusers; i++) {
		if (slice_eq(slice_str(house.users[i].id), id))
			return &house.users[i];
	}
	return NULL;
}

struct room *house_find_room(uint64_t chat)
{
	return chat >= 1 && chat <= house.nrooms ? &house.rooms[chat - 1] : NULL;
}

struct person *house_find_person(uint64_t chat, struct slice id)
{
	struct room *room = house_find_room(chat);

	for (size_t i = 0; room != NULL && i < room->n; i++) {
		if (slice_eq(slice_str(room->people[i].id), id))
			return &room->people[i];
	}
	return NULL;
}

struct message *house_find_seq(uint64_t chat, uint64_t seq)
{
	for (size_t i = 0; i < house.nmessages; i++) {
		if (house.messages[i].chat == chat && house.messages[i].seq == seq)
			return &house.messages[i];
	}
	return NULL;
}

void house_copy(char *to, size_t size, struct slice from)
{
	assert_true(from.n < size);
	if (from.n > 0)
		memcpy(to, from.p, from.n);
	to[from.n] = '\0';
}

void fake_add_user(const char *id, const char *name)
{
	struct user *u = &house.users[house.nusers++];
	struct token *t = &house.tokens[house.ntokens++];

	*u = (struct user){0};
	house_copy(u->id, sizeof(u->id), slice_str(id));
	house_copy(u->name, sizeof(u->name), slice_str(name));
	*t = (struct token){.id = (int64_t)house.ntokens};
	house_copy(t->user, sizeof(t->user), slice_str(id));
	(void)snprintf(t->hash, sizeof(t->hash), "%064zu", house.ntokens);
}

void house_add_person(struct room *room, struct slice id)
{
	struct person *p = &room->people[room->n++];

	*p = (struct person){0};
	house_copy(p->id, sizeof(p->id), id);
	p->joined = p->read = p->delivered = room->last;
}

uint64_t house_add_room(struct slice name, struct slice owner, bool direct)
{
	struct room *room = &house.rooms[house.nrooms++];

	*room = (struct room){.direct = direct, .at = fake_wall};
	house_copy(room->name, sizeof(room->name), name);
	if (!direct)
		house_copy(room->owner, sizeof(room->owner), owner);
	return house.nrooms;
}

void house_drop_person(struct room *room, struct person *p)
{
	size_t i = (size_t)(p - room->people);

	memmove(p, p + 1, (room->n - i - 1) * sizeof(*p));
	room->n--;
}

void fake_leave(uint64_t chat, const char *user)
{
	house_drop_person(house_find_room(chat), house_find_person(chat, slice_str(user)));
}

void fake_revoke(int64_t token)
{
	house.tokens[token - 1].gone = true;
}

void fake_expire(int64_t token, wall_us_t at)
{
	house.tokens[token - 1].expires = at;
}

uint64_t fake_read_seq(uint64_t chat, const char *user)
{
	return house_find_person(chat, slice_str(user))->read;
}

uint64_t fake_last_seq(uint64_t chat)
{
	return house_find_room(chat)->last;
}

wall_us_t fake_last_seen(const char *user)
{
	return house_find_user(slice_str(user))->last_seen;
}

void house_last_seen(struct slice user, wall_us_t at)
{
	struct user *u = house_find_user(user);

	if (u != NULL && at > u->last_seen)
		u->last_seen = at;
}

/* ---- rows ---- */

struct chat_message_row house_message_row(const struct message *m)
{
	const struct user *u = house_find_user(slice_str(m->sender));

	return (struct chat_message_row){
		.id = (uint64_t)(m - house.messages) + 1,
		.chat = m->chat,
		.seq = m->seq,
		.prev_seq = m->seq - 1,
		.sender_id = house_keep_str(m->sender),
		.sender_name = house_keep_str(u->name),
		.body = house_keep_str(m->body),
		.reply_to = m->reply_to,
		.meta = m->meta != NULL ? house_keep_str(m->meta) : SLICE_NONE,
		.client_id = m->client[0] != '\0' ? house_keep_str(m->client) : SLICE_NONE,
		.created_at = m->at,
		.edited_at = m->edited,
		.deleted_at = m->deleted,
	};
}

struct chat_user_row house_user_row(const struct user *u)
{
	return (struct chat_user_row){
		.id = house_keep_str(u->id),
		.name = house_keep_str(u->name),
		.last_seen = u->last_seen,
		.policy = u->policy,
		.hidden_since = u->hidden_since,
	};
}

struct chat_participant_row house_person_row(uint64_t chat, const struct person *p)
{
	const struct room *room = house_find_room(chat);

	return (struct chat_participant_row){
		.chat = chat,
		.user_id = house_keep_str(p->id),
		.user_name = house_keep_str(house_find_user(slice_str(p->id))->name),
		.joined_seq = p->joined,
		.delivered_seq = p->delivered,
		.delivered_at = p->delivered_at,
		.read_seq = p->read,
		.read_at = p->read_at,
		.is_owner = slice_eq(slice_str(room->owner), slice_str(p->id)),
		.owner_id = room->owner[0] != '\0' ? house_keep_str(room->owner) : SLICE_NONE,
		.direct = room->direct,
		.last_seq = room->last,
		.unread = room->last - p->read,
		.participant_count = room->n,
	};
}

struct chat_row house_chat_row(uint64_t chat, const struct person *p)
{
	const struct room *room = house_find_room(chat);
	const struct message *last = house_find_seq(chat, room->last);
	struct chat_row row = {
		.chat = chat,
		.user_id = house_keep_str(p->id),
		.name = room->name[0] != '\0' ? house_keep_str(room->name) : SLICE_NONE,
		.direct = room->direct,
		.owner_id = room->owner[0] != '\0' ? house_keep_str(room->owner) : SLICE_NONE,
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
		row.last = house_message_row(last);
	return row;
}

/* ---- begin and end ---- */

void house_begin(void)
{
	house.nusers = house.ntokens = house.nrooms = house.nmessages = 0;
	fake_away = fake_broken = false;
	fake_calls = fake_tokens = 0;
	for (int q = 0; q < QUEUES; q++)
		TAILQ_INIT(&queues[q]);
	fake_add_user("1", "Ada");
	fake_add_user("2", "Bob");
	fake_add_user("3", "Cyd");
	fake_add_user("4", "Dan");
	(void)house_add_room(SLICE("Tea"), SLICE("1"), false);
	house_add_person(&house.rooms[0], SLICE("1"));
	house_add_person(&house.rooms[0], SLICE("2"));
	(void)house_add_room(SLICE(""), SLICE(""), true);
	house_add_person(&house.rooms[1], SLICE("1"));
	house_add_person(&house.rooms[1], SLICE("3"));
}

void house_end(void)
{
	struct pending *p;

	for (int q = 0; q < QUEUES; q++) {
		while ((p = TAILQ_FIRST(&queues[q])) != NULL) {
			TAILQ_REMOVE(&queues[q], p, entry);
			pending_free(p);
		}
	}
	for (size_t i = 0; i < house.nmessages; i++) {
		free(house.messages[i].body);
		free(house.messages[i].meta);
	}
}
