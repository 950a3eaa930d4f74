#include "broker/chat/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Where the parts of a chat stand in the text. */
struct shown {
	uint64_t chat;
	size_t head;
	size_t tail;
	size_t end;
};

struct viewed {
	size_t at; /* the id, in `ids` */
	size_t n;
	size_t name_n; /* stands behind the id */
	bool named;
	uint64_t chat;
};

/* A participant's row of the database. */
struct known {
	UT_hash_handle hh;
	struct chat_user_row row;
	char text[];
};

struct view {
	view_fn *done;
	struct buf text;
	struct shown *chats;
	size_t nchats;
	struct viewed *people; /* by chat, in the order in which they came */
	size_t npeople;
	struct buf ids;
	struct known *known;
	char cursor[48];
};

void view_free(struct view *v)
{
	struct known *k;
	struct known *next;

	if (v == NULL)
		return;
	HASH_ITER(hh, v->known, k, next)
	{
		HASH_DELETE(hh, v->known, k);
		free(k);
	}
	buf_done(&v->text);
	buf_done(&v->ids);
	free(v->chats);
	free(v->people);
	free(v);
}

size_t view_count(const struct view *v)
{
	return v->nchats;
}

static struct slice id_of(const struct view *v, const struct viewed *p)
{
	return slice_of(v->ids.p + p->at, p->n);
}

static struct known *find(const struct view *v, struct slice id)
{
	struct known *k = NULL;

	if (id.n > 0)
		HASH_FIND(hh, v->known, id.p, id.n, k);
	return k;
}

/* ---- who they are ---- */

static void learn(struct view *v, const struct chat_user_row *row)
{
	struct known *k;

	if (row->id.n == 0 || find(v, row->id) != NULL)
		return;
	k = mem_zalloc(sizeof(*k) + row->id.n + row->name.n);
	k->row = *row;
	k->row.info = SLICE_NONE;
	memcpy(k->text, row->id.p, row->id.n);
	if (row->name.n > 0)
		memcpy(k->text + row->id.n, row->name.p, row->name.n);
	k->row.id = slice_of(k->text, row->id.n);
	if (row->name.p != NULL)
		k->row.name = slice_of(k->text + row->id.n, row->name.n);
	HASH_ADD_KEYPTR(hh, v->known, k->row.id.p, k->row.id.n, k);
}

static void on_users(void *ctx, const struct chat_result *r, const struct chat_user_row *rows,
		     size_t n)
{
	struct call *call = ctx;
	struct view *v = call->view;

	for (size_t i = 0; i < n; i++)
		learn(v, &rows[i]);
	v->done(call, r);
}

static void ask_users(struct call *call)
{
	const struct chat_store *store = call->chat->store;
	struct view *v = call->view;
	struct slice *ids = mem_calloc(v->npeople + 1, sizeof(*ids));

	for (size_t i = 0; i < v->npeople; i++)
		ids[i] = id_of(v, &v->people[i]);
	store->users(store->self, ids, call_unique(ids, v->npeople), on_users, call);
	free(ids);
}

/* ---- who takes part ---- */

static void on_participants(void *ctx, const struct chat_result *r,
			    const struct chat_participant_row *rows, size_t n)
{
	struct call *call = ctx;
	struct view *v = call->view;

	if (r->code != CHAT_STORE_OK) {
		v->done(call, r);
		return;
	}
	v->people = mem_calloc(n + 1, sizeof(*v->people));
	for (size_t i = 0; i < n; i++) {
		struct slice id = rows[i].user_id;
		struct slice name = rows[i].user_name;

		v->people[i] = (struct viewed){
			.at = v->ids.n,
			.n = id.n,
			.name_n = name.n,
			.named = name.p != NULL,
			.chat = rows[i].chat,
		};
		(void)buf_add(&v->ids, id);
		(void)buf_add(&v->ids, name); /* checked below */
	}
	v->npeople = buf_ok(&v->ids) ? n : 0;
	if (v->npeople > 0)
		ask_users(call);
	else
		v->done(call, r);
}

static void show(struct view *v, bool integers, const struct chat_row *row)
{
	struct shown *s = &v->chats[v->nchats++];

	s->chat = row->chat;
	s->head = v->text.n;
	encode_chat_head(&v->text, integers, row); /* view_encode() checks */
	s->tail = v->text.n;
	encode_chat_tail(&v->text, integers, row);
	s->end = v->text.n;
}

void view_start(struct call *call, const struct chat_row *rows, size_t n, size_t most,
		view_fn *done)
{
	const struct chat_store *store = call->chat->store;
	struct view *v = NEW(struct view);
	size_t shown = MIN(n, most);
	uint64_t *ids;

	view_free(call->view);
	call->view = v;
	v->done = done;
	buf_init(&v->text, CHAT_BODY_MAX);
	buf_init(&v->ids, CHAT_BODY_MAX);
	v->chats = mem_calloc(shown + 1, sizeof(*v->chats));
	ids = mem_calloc(shown + 1, sizeof(*ids));
	while (v->nchats < shown && v->text.n < CHAT_PAGE_BYTES) {
		ids[v->nchats] = rows[v->nchats].chat;
		show(v, call->chat->options.integer_ids, &rows[v->nchats]);
	}
	if (v->nchats > 0 && v->nchats < n)
		(void)snprintf(v->cursor, sizeof(v->cursor), "%" PRId64 "-%" PRIu64,
			       rows[v->nchats - 1].updated_at, rows[v->nchats - 1].chat);
	store->participants(store->self, ids, v->nchats, CHAT_SHOWN, on_participants, call);
	free(ids);
}

struct slice view_cursor(const struct view *v)
{
	return v->cursor[0] != '\0' ? slice_str(v->cursor) : SLICE_NONE;
}

/* ---- writing ---- */

/* One who is no more has no row of their own. */
static void person_of(const struct call *call, const struct viewed *p, enum viewer viewer,
		      struct person *ret)
{
	const struct view *v = call->view;
	const struct known *k = find(v, id_of(v, p));

	if (k != NULL) {
		if (viewer == VIEWER_CONTACT && slice_eq(k->row.id, call->who->user_id))
			viewer = VIEWER_SELF;
		status_person(call->chat, &k->row, viewer, ret);
		return;
	}
	*ret = (struct person){.id = id_of(v, p)};
	if (p->named)
		ret->name = slice_of(v->ids.p + p->at + p->n, p->name_n);
}

void view_encode(const struct call *call, size_t i, enum viewer viewer, struct buf *out)
{
	const struct view *v = call->view;
	const struct shown *s = &v->chats[i];
	bool first = true;

	out->full = out->full || !buf_ok(&v->text);
	(void)buf_add(out, slice_of(v->text.p + s->head, s->tail - s->head));
	for (size_t k = 0; k < v->npeople; k++) {
		struct person person;

		if (v->people[k].chat != s->chat)
			continue;
		if (!first)
			(void)buf_addc(out, ',');
		first = false;
		person_of(call, &v->people[k], viewer, &person);
		encode_person(out, call->chat->options.integer_ids, &person, false);
	}
	(void)buf_add(out, slice_of(v->text.p + s->tail, s->end - s->tail));
}
