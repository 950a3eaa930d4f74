/* The operations of the store on the house in memory. */
#include "tests/unit/chat_store_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "tests/unit/chat_house.h"

/* ---- tokens and users ---- */

static void find_token(void *self, struct slice id, struct slice hash, chat_token_fn done,
		       void *ctx)
{
	struct pending *p = PEND(QUEUE_LOOKUPS, TOKEN, done, ctx);
	unsigned long long n = 0;

	(void)self;
	fake_tokens++;
	(void)slice_to_u64(id, &n);
	for (size_t i = 0; house_fine(p) && i < house.ntokens; i++) {
		const struct token *t = &house.tokens[i];

		if (t->gone || (t->expires != 0 && t->expires <= fake_wall) ||
		    (n != 0 ? (int64_t)n != t->id : !slice_eq(hash, slice_str(t->hash))))
			continue;
		p->n = 1;
		p->u.token = (struct chat_token_row){
			.token_id = t->id,
			.user_id = house_keep_str(t->user),
			.user_name = house_keep_str(house_find_user(slice_str(t->user))->name),
			.hash = house_keep_str(t->hash),
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
	for (size_t i = 0; house_fine(p) && i < n; i++) {
		const struct user *u = house_find_user(ids[i]);

		if (u != NULL)
			p->u.users[p->n++] = house_user_row(u);
	}
}

static bool share(struct slice a, struct slice b)
{
	for (uint64_t chat = 1; chat <= house.nrooms; chat++) {
		if (house_find_person(chat, a) != NULL && house_find_person(chat, b) != NULL)
			return true;
	}
	return false;
}

static void contacts(void *self, struct slice user, const struct slice *ids, size_t n,
		     uint32_t limit, chat_users_fn done, void *ctx)
{
	struct pending *p = PEND(QUEUE_LOOKUPS, USERS_, done, ctx);

	(void)self;
	for (size_t i = 0; house_fine(p) && i < house.nusers && p->n < limit; i++) {
		struct slice id = slice_str(house.users[i].id);
		bool named = ids == NULL;

		for (size_t k = 0; k < n; k++)
			named = named || slice_eq(ids[k], id);
		if (named && !slice_eq(id, user) && share(user, id))
			p->u.users[p->n++] = house_user_row(&house.users[i]);
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
	if (house_fine(p))
		house_find_user(user)->policy = policy;
}

static void set_hidden(void *self, struct slice user, wall_us_t since, chat_hidden_fn done,
		       void *ctx)
{
	struct pending *p = PEND(QUEUE_LOOKUPS, HIDDEN, done, ctx);
	struct user *u = house_find_user(user);

	(void)self;
	if (!house_fine(p))
		return;
	if (since == 0 || u->hidden_since == 0)
		u->hidden_since = since;
	p->number = (uint64_t)u->hidden_since;
}

/* ---- messages ---- */

static void post(void *self, const struct chat_post *post, chat_posted_fn done, void *ctx)
{
	struct pending *p = PEND(QUEUE_MESSAGES, POSTED, done, ctx);
	struct person *who = house_find_person(post->chat, post->sender_id);
	struct room *room = house_find_room(post->chat);
	struct message *m;

	(void)self;
	if (!house_fine(p))
		return;
	if (who == NULL) {
		house_refuse(p, CHAT_STORE_FORBIDDEN, "", "");
		return;
	}
	p->n = 1;
	for (size_t i = 0; post->client_id.n > 0 && i < house.nmessages; i++) {
		if (house.messages[i].chat != post->chat ||
		    !slice_eq(slice_str(house.messages[i].client), post->client_id) ||
		    !slice_eq(slice_str(house.messages[i].sender), post->sender_id))
			continue;
		p->u.messages[0] = house_message_row(&house.messages[i]);
		return;
	}
	if (post->reply_to != 0 && (post->reply_to > house.nmessages ||
				    house.messages[post->reply_to - 1].chat != post->chat)) {
		house_refuse(p, CHAT_STORE_INVALID, "reply_to", "bad_reply");
		return;
	}
	m = &house.messages[house.nmessages++];
	assert_true(house.nmessages < MESSAGES);
	*m = (struct message){.chat = post->chat,
			      .seq = ++room->last,
			      .reply_to = post->reply_to,
			      .at = fake_wall};
	house_copy(m->sender, sizeof(m->sender), post->sender_id);
	house_copy(m->client, sizeof(m->client), post->client_id);
	m->body = slice_dup(post->body);
	m->meta = post->meta.n > 0 ? slice_dup(post->meta) : NULL;
	room->at = fake_wall;
	who->read = who->delivered = room->last;
	who->read_at = who->delivered_at = fake_wall;
	p->flag = true;
	p->u.messages[0] = house_message_row(m);
}

static struct message *visible(uint64_t message, struct slice user)
{
	struct message *m =
		message >= 1 && message <= house.nmessages ? &house.messages[message - 1] : NULL;
	const struct person *who = m != NULL ? house_find_person(m->chat, user) : NULL;

	return who != NULL && (fake_options.see_all || m->seq > who->joined) ? m : NULL;
}

static void change(uint64_t message, struct slice user, const struct slice *body,
		   chat_changed_fn done, void *ctx)
{
	struct pending *p = PEND(QUEUE_MESSAGES, CHANGED, done, ctx);
	struct message *m = visible(message, user);

	if (!house_fine(p))
		return;
	if (m == NULL || !slice_eq(slice_str(m->sender), user)) {
		house_refuse(p, CHAT_STORE_FORBIDDEN, "", "");
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
	p->last = m->seq == house_find_room(m->chat)->last;
	p->n = 1;
	p->u.messages[0] = house_message_row(m);
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
	if (!house_fine(p))
		return;
	if (m == NULL) {
		house_refuse(p, CHAT_STORE_FORBIDDEN, "", "");
		return;
	}
	p->n = 1;
	p->u.place = (struct chat_place_row){.message = message, .chat = m->chat, .seq = m->seq};
}

static void page(uint64_t chat, struct slice user, uint64_t seq, int step, uint32_t limit,
		 chat_messages_fn done, void *ctx)
{
	struct pending *p = PEND(QUEUE_LOOKUPS, ROWS_, done, ctx);
	const struct person *who = house_find_person(chat, user);

	if (!house_fine(p))
		return;
	if (who == NULL) {
		house_refuse(p, CHAT_STORE_FORBIDDEN, "", "");
		return;
	}
	for (; seq >= 1 && seq <= house_find_room(chat)->last && p->n<limit; seq = step> 0
		       ? seq + 1
		       : seq - 1) {
		if (fake_options.see_all || seq > who->joined)
			p->u.messages[p->n++] = house_message_row(house_find_seq(chat, seq));
	}
}

static void history(void *self, uint64_t chat, struct slice user, uint64_t before, uint32_t limit,
		    chat_messages_fn done, void *ctx)
{
	const struct room *room = house_find_room(chat);
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
	struct person *who = house_find_person(chat, user);
	struct chat_cursor_row *row = &p->u.cursor;
	uint64_t last;

	(void)self;
	if (!house_fine(p))
		return;
	if (who == NULL) {
		house_refuse(p, CHAT_STORE_FORBIDDEN, "", "");
		return;
	}
	last = house_find_room(chat)->last;
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
	row->user_id = house_keep(user);
	row->delivered_seq = who->delivered;
	row->delivered_at = who->delivered_at;
	row->read_seq = who->read;
	row->read_at = who->read_at;
	row->last_seq = last;
	row->unread = last - who->read;
	if (who->delivered > 0)
		row->delivered_id =
			(uint64_t)(house_find_seq(chat, who->delivered) - house.messages) + 1;
	if (who->read > 0)
		row->read_id = (uint64_t)(house_find_seq(chat, who->read) - house.messages) + 1;
}

static void receipts(void *self, uint64_t chat, struct slice user, chat_receipts_fn done, void *ctx)
{
	struct pending *p = PEND(QUEUE_LOOKUPS, RECEIPTS, done, ctx);
	const struct room *room = house_find_room(chat);

	(void)self;
	if (!house_fine(p))
		return;
	if (house_find_person(chat, user) == NULL) {
		house_refuse(p, CHAT_STORE_FORBIDDEN, "", "");
		return;
	}
	for (size_t i = 0; i < room->n; i++) {
		const struct person *who = &room->people[i];

		p->u.receipts[p->n++] = (struct chat_receipt_row){
			.user_id = house_keep_str(who->id),
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
	if (!house_fine(p))
		return;
	for (size_t i = 0; i < n; i++) {
		if (house_find_user(ids[i]) == NULL) {
			house_refuse(p, CHAT_STORE_INVALID, "participant_ids", "unknown_users");
			return;
		}
	}
	if (direct && (n != 1 || slice_eq(ids[0], creator))) {
		house_refuse(p, CHAT_STORE_INVALID, "participant_ids", "not_two");
		return;
	}
	for (uint64_t chat = 1; direct && chat <= house.nrooms; chat++) {
		if (!house.rooms[chat - 1].direct || house_find_person(chat, creator) == NULL ||
		    house_find_person(chat, ids[0]) == NULL)
			continue;
		p->number = chat;
		return;
	}
	p->flag = true;
	p->number = house_add_room(name, creator, direct);
	room = house_find_room(p->number);
	house_add_person(room, creator);
	for (size_t i = 0; i < n; i++) {
		if (house_find_person(p->number, ids[i]) == NULL)
			house_add_person(room, ids[i]);
	}
}

static void member(struct pending *p, struct slice user, const struct room *room)
{
	p->n = 1;
	p->u.member = (struct chat_member_row){
		.user_name = house_keep_str(house_find_user(user)->name),
		.owner_id = room->owner[0] != '\0' ? house_keep_str(room->owner) : SLICE_NONE,
		.joined_seq = room->last,
	};
}

static void add_participant(void *self, uint64_t chat, struct slice user, struct slice by,
			    chat_member_fn done, void *ctx)
{
	struct pending *p = PEND(QUEUE_MESSAGES, MEMBER, done, ctx);
	struct room *room = house_find_room(chat);

	(void)self;
	if (!house_fine(p))
		return;
	if (house_find_person(chat, by) == NULL || room->direct) {
		house_refuse(p, CHAT_STORE_FORBIDDEN, "", "");
	} else if (house_find_user(user) == NULL) {
		house_refuse(p, CHAT_STORE_INVALID, "user_id", "unknown_user");
	} else {
		p->flag = house_find_person(chat, user) == NULL;
		if (p->flag)
			house_add_person(room, user);
		member(p, user, room);
	}
}

static void remove_participant(void *self, uint64_t chat, struct slice user, struct slice by,
			       chat_member_fn done, void *ctx)
{
	struct pending *p = PEND(QUEUE_MESSAGES, MEMBER, done, ctx);
	struct room *room = house_find_room(chat);
	struct person *who = house_find_person(chat, user);

	(void)self;
	if (!house_fine(p))
		return;
	if (house_find_person(chat, by) == NULL || room->direct ||
	    (!slice_eq(user, by) && !slice_eq(slice_str(room->owner), by))) {
		house_refuse(p, CHAT_STORE_FORBIDDEN, "", "");
		return;
	}
	p->flag = who != NULL;
	if (who != NULL)
		house_drop_person(room, who);
	if (slice_eq(slice_str(room->owner), user))
		house_copy(room->owner, sizeof(room->owner),
			   room->n > 0 ? slice_str(room->people[0].id) : SLICE(""));
	if (house_find_user(user) != NULL)
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
	while (house_fine(p) && p->n < limit) {
		uint64_t best = 0;

		for (uint64_t chat = 1; chat <= house.nrooms; chat++) {
			const struct room *room = house_find_room(chat);

			if (taken[chat - 1] || house_find_person(chat, user) == NULL ||
			    (before != 0 &&
			     (room->at > before || (room->at == before && chat >= before_chat))))
				continue;
			if (best == 0 || room->at >= house.rooms[best - 1].at)
				best = chat;
		}
		if (best == 0)
			break;
		taken[best - 1] = true;
		p->u.chats[p->n++] = house_chat_row(best, house_find_person(best, user));
	}
}

static void chat_view(void *self, const struct chat_pair *pairs, size_t n, chat_chats_fn done,
		      void *ctx)
{
	struct pending *p = PEND(QUEUE_LOOKUPS, CHATS_, done, ctx);

	(void)self;
	for (size_t i = 0; house_fine(p) && i < n; i++) {
		const struct person *who = house_find_person(pairs[i].chat, pairs[i].user_id);

		if (who != NULL)
			p->u.chats[p->n++] = house_chat_row(pairs[i].chat, who);
	}
}

static void participant(void *self, uint64_t chat, struct slice user, chat_participants_fn done,
			void *ctx)
{
	struct pending *p = PEND(QUEUE_LOOKUPS, PEOPLE_, done, ctx);
	const struct person *who = house_find_person(chat, user);

	(void)self;
	if (!house_fine(p))
		return;
	if (who == NULL)
		house_refuse(p, CHAT_STORE_FORBIDDEN, "", "");
	else
		p->u.people[p->n++] = house_person_row(chat, who);
}

static void participants(void *self, const uint64_t *chats, size_t n, uint32_t limit,
			 chat_participants_fn done, void *ctx)
{
	struct pending *p = PEND(QUEUE_LOOKUPS, PEOPLE_, done, ctx);

	(void)self;
	for (size_t i = 0; house_fine(p) && i < n; i++) {
		const struct room *room = house_find_room(chats[i]);

		for (size_t k = 0; room != NULL && k < room->n && (limit == 0 || k < limit); k++)
			p->u.people[p->n++] = house_person_row(chats[i], &room->people[k]);
	}
}

static void may_subscribe(void *self, struct slice statement, struct slice user,
			  struct slice channel, chat_done_fn done, void *ctx)
{
	struct pending *p = PEND(QUEUE_LOOKUPS, DONE, done, ctx);

	(void)self;
	(void)channel;
	if (house_fine(p) &&
	    !(slice_eq(statement, SLICE("only_two")) && slice_eq(user, SLICE("2"))))
		house_refuse(p, CHAT_STORE_FORBIDDEN, "", "");
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
