#include <stdlib.h>

#include "broker/store/pg_chat_internal.h"
#include "common/base/mem.h"
#include "common/log/log.h"

/* NOLINTBEGIN(bugprone-macro-parentheses): types and members of offsetof() take none */

/* A row of one message inside a larger struct. */
#define MESSAGE_FIELDS(type, m, created) \
	PG_FIELD("message_id", PG_READ_U64, type, m.id), \
		PG_FIELD("chat_id", PG_READ_U64, type, m.chat), \
		PG_FIELD("seq", PG_READ_U64, type, m.seq), \
		PG_FIELD("prev_seq", PG_READ_U64, type, m.prev_seq), \
		PG_FIELD("sender_id", PG_READ_TEXT, type, m.sender_id), \
		PG_FIELD("sender_name", PG_READ_TEXT, type, m.sender_name), \
		PG_FIELD("body", PG_READ_TEXT, type, m.body), \
		PG_FIELD("reply_to", PG_READ_U64, type, m.reply_to), \
		PG_FIELD("meta", PG_READ_TEXT, type, m.meta), \
		PG_FIELD("client_id", PG_READ_TEXT, type, m.client_id), \
		PG_FIELD(created, PG_READ_TIME, type, m.created_at), \
		PG_FIELD("edited_at", PG_READ_TIME, type, m.edited_at), \
		PG_FIELD("deleted_at", PG_READ_TIME, type, m.deleted_at)

#define CURSOR_FIELDS(type) \
	PG_FIELD("delivered_seq", PG_READ_U64, type, delivered_seq), \
		PG_FIELD("delivered_at", PG_READ_TIME, type, delivered_at), \
		PG_FIELD("read_seq", PG_READ_U64, type, read_seq), \
		PG_FIELD("read_at", PG_READ_TIME, type, read_at)

/* NOLINTEND(bugprone-macro-parentheses) */

/* All rows of a result as an array of structs; the slices in them live until unread(). */
struct read {
	struct pg_rows rows;
	void *v;
	size_t n;
	bool ok;
};

static void read_rows(struct read *x, const PGresult *result, const struct pg_field *fields,
		      size_t nfields, size_t size)
{
	static struct log_limit limit;

	*x = (struct read){.ok = true};
	if (result == NULL)
		return;
	pg_rows_init(&x->rows, result, fields, nfields);
	x->n = (size_t)x->rows.n;
	x->v = mem_calloc(MAX(x->n, 1), size);
	for (size_t i = 0; i < x->n && x->ok; i++)
		x->ok = pg_rows_read(&x->rows, (int)i, (char *)x->v + i * size);
	if (x->ok)
		return;
	x->n = 0;
	if (log_allowed(&limit, 1, clock_mono(), "database.row"))
		log_err("database.row", "fault=\"a value has another type than its column\"");
}

static void unread(struct read *x)
{
	if (x->v != NULL)
		pg_rows_done(&x->rows);
	free(x->v);
}

#define READ(x, result, fields, type) read_rows(x, result, fields, ARRAY_LEN(fields), sizeof(type))

/* The outcome that stands when the rows could not be read. */
static struct chat_result outcome(const struct chat_result *r, const struct read *x)
{
	return x->ok ? *r : pg_refusal(CHAT_STORE_FAULT, "", "");
}

/* No row means that the caller has no part in what was asked for. */
static struct chat_result outcome_of_some(const struct chat_result *r, const struct read *x)
{
	struct chat_result out = outcome(r, x);

	if (out.code == CHAT_STORE_OK && x->n == 0)
		out.code = CHAT_STORE_FORBIDDEN;
	return out;
}

/* ---- tokens and users ------------------------------------------------------------------------ */

void pg_answer_none(struct pg_call *call, const struct chat_result *r, const PGresult *result)
{
	(void)call;
	(void)r;
	(void)result;
}

void pg_answer_done(struct pg_call *call, const struct chat_result *r, const PGresult *result)
{
	(void)result;
	((chat_done_fn)call->done)(call->ctx, r);
}

void pg_answer_any(struct pg_call *call, const struct chat_result *r, const PGresult *result)
{
	struct chat_result out = *r;

	if (result != NULL && PQntuples(result) == 0)
		out.code = CHAT_STORE_FORBIDDEN;
	((chat_done_fn)call->done)(call->ctx, &out);
}

void pg_answer_token(struct pg_call *call, const struct chat_result *r, const PGresult *result)
{
	static const struct pg_field fields[] = {
		PG_FIELD("token_id", PG_READ_I64, struct chat_token_row, token_id),
		PG_FIELD("user_id", PG_READ_TEXT, struct chat_token_row, user_id),
		PG_FIELD("user_name", PG_READ_TEXT, struct chat_token_row, user_name),
		PG_FIELD("user_info", PG_READ_TEXT, struct chat_token_row, user_info),
		PG_FIELD("abilities", PG_READ_TEXT, struct chat_token_row, abilities),
		PG_FIELD("token_sha256", PG_READ_TEXT, struct chat_token_row, hash),
		PG_FIELD("expires_at", PG_READ_TIME, struct chat_token_row, expires_at),
		PG_FIELD("created_at", PG_READ_TIME, struct chat_token_row, created_at),
		PG_FIELD("last_used_at", PG_READ_TIME, struct chat_token_row, last_used_at),
	};
	struct chat_result out;
	struct read x;

	READ(&x, result, fields, struct chat_token_row);
	out = outcome(r, &x);
	((chat_token_fn)call->done)(call->ctx, &out, x.n > 0 ? x.v : NULL);
	unread(&x);
}

struct user_read {
	struct chat_user_row row;
	struct slice policy;
};

static enum chat_policy policy_of(struct slice name)
{
	if (slice_eq(name, SLICE("nobody")))
		return CHAT_POLICY_NOBODY;
	return slice_eq(name, SLICE("contacts")) ? CHAT_POLICY_CONTACTS : CHAT_POLICY_EVERYONE;
}

void pg_answer_users(struct pg_call *call, const struct chat_result *r, const PGresult *result)
{
	static const struct pg_field fields[] = {
		PG_FIELD("user_id", PG_READ_TEXT, struct user_read, row.id),
		PG_FIELD("user_name", PG_READ_TEXT, struct user_read, row.name),
		PG_FIELD("user_info", PG_READ_TEXT, struct user_read, row.info),
		PG_FIELD("last_seen", PG_READ_TIME, struct user_read, row.last_seen),
		PG_FIELD("policy", PG_READ_TEXT, struct user_read, policy),
		PG_FIELD("hidden_since", PG_READ_TIME, struct user_read, row.hidden_since),
	};
	struct chat_user_row *rows;
	struct chat_result out;
	struct read x;

	READ(&x, result, fields, struct user_read);
	out = outcome(r, &x);
	rows = mem_calloc(MAX(x.n, 1), sizeof(*rows));
	for (size_t i = 0; i < x.n; i++) {
		const struct user_read *u = (const struct user_read *)x.v + i;

		rows[i] = u->row;
		rows[i].policy = policy_of(u->policy);
	}
	((chat_users_fn)call->done)(call->ctx, &out, rows, x.n);
	free(rows);
	unread(&x);
}

struct id_read {
	struct slice id;
};

void pg_answer_ids(struct pg_call *call, const struct chat_result *r, const PGresult *result)
{
	static const struct pg_field fields[] = {
		PG_FIELD("user_id", PG_READ_TEXT, struct id_read, id)};
	struct chat_result out;
	struct read x;

	READ(&x, result, fields, struct id_read);
	out = outcome(r, &x);
	((chat_ids_fn)call->done)(call->ctx, &out, x.v, x.n); /* a struct of one slice */
	unread(&x);
}

struct hidden_read {
	wall_us_t since;
};

void pg_answer_hidden(struct pg_call *call, const struct chat_result *r, const PGresult *result)
{
	static const struct pg_field fields[] = {
		PG_FIELD("hidden_since", PG_READ_TIME, struct hidden_read, since)};
	const struct hidden_read *h;
	struct chat_result out;
	struct read x;

	READ(&x, result, fields, struct hidden_read);
	out = outcome(r, &x);
	h = x.v;
	((chat_hidden_fn)call->done)(call->ctx, &out, x.n > 0 ? h->since : 0);
	unread(&x);
}

/* ---- messages -------------------------------------------------------------------------------- */

void pg_posted_rows(struct pg_rows *rows, const PGresult *result)
{
	static const struct pg_field fields[] = {
		PG_FIELD("ord", PG_READ_U64, struct pg_posted, ord),
		PG_FIELD("status", PG_READ_TEXT, struct pg_posted, status),
		MESSAGE_FIELDS(struct pg_posted, row, "created_at"),
	};

	pg_rows_init(rows, result, fields, ARRAY_LEN(fields));
}

struct changed_read {
	struct slice status;
	bool is_last;
	struct chat_message_row row;
};

void pg_answer_changed(struct pg_call *call, const struct chat_result *r, const PGresult *result)
{
	static const struct pg_field fields[] = {
		PG_FIELD("status", PG_READ_TEXT, struct changed_read, status),
		PG_FIELD("is_last", PG_READ_BOOL, struct changed_read, is_last),
		MESSAGE_FIELDS(struct changed_read, row, "created_at"),
	};
	static const struct changed_read none;
	const struct changed_read *c = &none;
	struct chat_result out;
	struct read x;
	bool ok;

	READ(&x, result, fields, struct changed_read);
	out = outcome_of_some(r, &x);
	if (x.n > 0)
		c = x.v;
	if (out.code == CHAT_STORE_OK && slice_eq(c->status, SLICE("forbidden")))
		out.code = CHAT_STORE_FORBIDDEN;
	ok = out.code == CHAT_STORE_OK;
	((chat_changed_fn)call->done)(call->ctx, &out,
				      ok && !slice_eq(c->status, SLICE("unchanged")),
				      ok && c->is_last, ok ? &c->row : NULL);
	unread(&x);
}

void pg_answer_place(struct pg_call *call, const struct chat_result *r, const PGresult *result)
{
	static const struct pg_field fields[] = {
		PG_FIELD("message_id", PG_READ_U64, struct chat_place_row, message),
		PG_FIELD("chat_id", PG_READ_U64, struct chat_place_row, chat),
		PG_FIELD("seq", PG_READ_U64, struct chat_place_row, seq),
		PG_FIELD("sender_id", PG_READ_TEXT, struct chat_place_row, sender_id),
		PG_FIELD("joined_seq", PG_READ_U64, struct chat_place_row, joined_seq),
		CURSOR_FIELDS(struct chat_place_row),
		PG_FIELD("last_seq", PG_READ_U64, struct chat_place_row, last_seq),
	};
	struct chat_result out;
	struct read x;

	READ(&x, result, fields, struct chat_place_row);
	out = outcome_of_some(r, &x);
	((chat_place_fn)call->done)(call->ctx, &out, x.n > 0 ? x.v : NULL);
	unread(&x);
}

struct message_read {
	struct chat_message_row m;
};

void pg_answer_messages(struct pg_call *call, const struct chat_result *r, const PGresult *result)
{
	static const struct pg_field fields[] = {
		MESSAGE_FIELDS(struct message_read, m, "created_at")};
	const struct message_read *first;
	struct chat_result out;
	struct read x;

	READ(&x, result, fields, struct message_read);
	out = outcome_of_some(r, &x);
	/* a participant for whom there is nothing gets one row without a message */
	first = x.v;
	if (x.n == 1 && first->m.id == 0)
		x.n = 0;
	((chat_messages_fn)call->done)(call->ctx, &out, x.v, x.n);
	unread(&x);
}

void pg_answer_receipts(struct pg_call *call, const struct chat_result *r, const PGresult *result)
{
	static const struct pg_field fields[] = {
		PG_FIELD("user_id", PG_READ_TEXT, struct chat_receipt_row, user_id),
		PG_FIELD("user_name", PG_READ_TEXT, struct chat_receipt_row, user_name),
		CURSOR_FIELDS(struct chat_receipt_row),
	};
	struct chat_result out;
	struct read x;

	READ(&x, result, fields, struct chat_receipt_row);
	out = outcome_of_some(r, &x);
	((chat_receipts_fn)call->done)(call->ctx, &out, x.v, x.n);
	unread(&x);
}

/* ---- chats ----------------------------------------------------------------------------------- */

struct created_read {
	struct slice status;
	uint64_t chat;
};

void pg_answer_created(struct pg_call *call, const struct chat_result *r, const PGresult *result)
{
	static const struct pg_field fields[] = {
		PG_FIELD("status", PG_READ_TEXT, struct created_read, status),
		PG_FIELD("chat_id", PG_READ_U64, struct created_read, chat),
	};
	static const struct created_read none;
	const struct created_read *c = &none;
	struct chat_result out;
	struct read x;
	bool created;

	READ(&x, result, fields, struct created_read);
	out = outcome(r, &x);
	if (x.n > 0)
		c = x.v;
	created = slice_eq(c->status, SLICE("created"));
	if (out.code == CHAT_STORE_OK && slice_eq(c->status, SLICE("unknown_users")))
		out = pg_refusal(CHAT_STORE_INVALID, "participant_ids", "unknown_users");
	else if (out.code == CHAT_STORE_OK && slice_eq(c->status, SLICE("not_two")))
		out = pg_refusal(CHAT_STORE_INVALID, "participant_ids", "not_two");
	else if (out.code == CHAT_STORE_OK && c->chat == 0)
		out = pg_refusal(CHAT_STORE_FORBIDDEN, "", "");
	((chat_created_fn)call->done)(call->ctx, &out, created, c->chat);
	unread(&x);
}

struct member_read {
	struct slice status;
	struct chat_member_row row;
};

static void answer_member(struct pg_call *call, const struct chat_result *r, const PGresult *result,
			  struct slice changed)
{
	static const struct pg_field fields[] = {
		PG_FIELD("status", PG_READ_TEXT, struct member_read, status),
		PG_FIELD("user_name", PG_READ_TEXT, struct member_read, row.user_name),
		PG_FIELD("owner_id", PG_READ_TEXT, struct member_read, row.owner_id),
		PG_FIELD("joined_seq", PG_READ_U64, struct member_read, row.joined_seq),
	};
	static const struct member_read none;
	const struct member_read *m = &none;
	struct chat_result out;
	struct read x;
	bool ok;

	READ(&x, result, fields, struct member_read);
	out = outcome_of_some(r, &x);
	if (x.n > 0)
		m = x.v;
	if (out.code == CHAT_STORE_OK && slice_eq(m->status, SLICE("forbidden")))
		out = pg_refusal(CHAT_STORE_FORBIDDEN, "", "");
	else if (out.code == CHAT_STORE_OK && slice_eq(m->status, SLICE("unknown_user")))
		out = pg_refusal(CHAT_STORE_INVALID, "user_id", "unknown_user");
	ok = out.code == CHAT_STORE_OK;
	((chat_member_fn)call->done)(call->ctx, &out, ok && slice_eq(m->status, changed),
				     ok ? &m->row : NULL);
	unread(&x);
}

void pg_answer_added(struct pg_call *call, const struct chat_result *r, const PGresult *result)
{
	answer_member(call, r, result, SLICE("added"));
}

void pg_answer_removed(struct pg_call *call, const struct chat_result *r, const PGresult *result)
{
	answer_member(call, r, result, SLICE("removed"));
}

void pg_answer_chats(struct pg_call *call, const struct chat_result *r, const PGresult *result)
{
	static const struct pg_field fields[] = {
		PG_FIELD("chat_id", PG_READ_U64, struct chat_row, chat),
		PG_FIELD("user_id", PG_READ_TEXT, struct chat_row, user_id),
		PG_FIELD("name", PG_READ_TEXT, struct chat_row, name),
		PG_FIELD("direct", PG_READ_BOOL, struct chat_row, direct),
		PG_FIELD("owner_id", PG_READ_TEXT, struct chat_row, owner_id),
		PG_FIELD("created_at", PG_READ_TIME, struct chat_row, created_at),
		PG_FIELD("updated_at", PG_READ_TIME, struct chat_row, updated_at),
		PG_FIELD("last_seq", PG_READ_U64, struct chat_row, last_seq),
		PG_FIELD("participant_count", PG_READ_U64, struct chat_row, participant_count),
		PG_FIELD("joined_seq", PG_READ_U64, struct chat_row, joined_seq),
		CURSOR_FIELDS(struct chat_row),
		PG_FIELD("unread_count", PG_READ_U64, struct chat_row, unread),
		MESSAGE_FIELDS(struct chat_row, last, "message_at"),
	};
	struct chat_result out;
	struct chat_row *rows;
	struct read x;

	READ(&x, result, fields, struct chat_row);
	out = outcome(r, &x);
	rows = x.v;
	for (size_t i = 0; i < x.n; i++)
		rows[i].has_last = rows[i].last.id != 0;
	((chat_chats_fn)call->done)(call->ctx, &out, rows, x.n);
	unread(&x);
}

static void read_participants(struct read *x, const PGresult *result)
{
	static const struct pg_field fields[] = {
		PG_FIELD("chat_id", PG_READ_U64, struct chat_participant_row, chat),
		PG_FIELD("user_id", PG_READ_TEXT, struct chat_participant_row, user_id),
		PG_FIELD("user_name", PG_READ_TEXT, struct chat_participant_row, user_name),
		PG_FIELD("joined_seq", PG_READ_U64, struct chat_participant_row, joined_seq),
		CURSOR_FIELDS(struct chat_participant_row),
		PG_FIELD("is_owner", PG_READ_BOOL, struct chat_participant_row, is_owner),
		PG_FIELD("owner_id", PG_READ_TEXT, struct chat_participant_row, owner_id),
		PG_FIELD("direct", PG_READ_BOOL, struct chat_participant_row, direct),
		PG_FIELD("last_seq", PG_READ_U64, struct chat_participant_row, last_seq),
		PG_FIELD("unread_count", PG_READ_U64, struct chat_participant_row, unread),
		PG_FIELD("participant_count", PG_READ_U64, struct chat_participant_row,
			 participant_count),
	};

	READ(x, result, fields, struct chat_participant_row);
}

void pg_answer_participant(struct pg_call *call, const struct chat_result *r,
			   const PGresult *result)
{
	struct chat_result out;
	struct read x;

	read_participants(&x, result);
	out = outcome_of_some(r, &x);
	((chat_participants_fn)call->done)(call->ctx, &out, x.v, x.n);
	unread(&x);
}

void pg_answer_participants(struct pg_call *call, const struct chat_result *r,
			    const PGresult *result)
{
	struct chat_result out;
	struct read x;

	read_participants(&x, result);
	out = outcome(r, &x);
	((chat_participants_fn)call->done)(call->ctx, &out, x.v, x.n);
	unread(&x);
}
