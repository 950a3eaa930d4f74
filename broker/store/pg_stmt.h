/*
 * Every statement of the broker, once: name, text, types of its parameters, the columns that are
 * read from its result, and the connections that prepare it. Parameters travel in binary as
 * pg_param.h writes them; columns are found by name, so a statement may give more of them and in
 * any order.
 *
 * Those marked as configurable may be replaced by [sql "NAME"] query = ... : the new text gets the
 * same parameters, with the types shown here, and must give the same columns, of types that
 * pg_row.h reads (cast what is something else). pg_check.h looks whether it does, when a connection
 * prepares it and in `chatctl check`.
 *
 * A statement whose text is empty is not used.
 */
#ifndef BROKER_STORE_PG_STMT_H
#define BROKER_STORE_PG_STMT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/store/pg_param.h"
#include "common/base/macros.h"
#include "common/base/slice.h"

enum pg_role {
	PG_ROLE_CONTROL,
	PG_ROLE_MIRROR,
	PG_ROLE_MESSAGES0,
	PG_ROLE_MESSAGES1,
	PG_ROLE_LOOKUPS,
	PG_ROLE_OUTBOX,
	PG_ROLES,
};

/*
 * What these statements are planned with. Plans are kept, and those of the first seconds are made
 * for tables that are empty: without this they would read all of a table that has grown since, for
 * each batch, until the next ANALYZE.
 */
#define PG_PLAN_BY_INDEX "-c enable_seqscan=off"

enum pg_stmt_id {
	/* control */
	PG_SCHEMA_VERSION,
	PG_GUARD_TAKE,
	PG_BROKER_START,
	PG_BROKER_HEARTBEAT,
	PG_BROKER_STOP,
	/* mirror */
	PG_MARK_READ,
	PG_MARK_WRITE,
	PG_CONN_DELETE,
	PG_CONN_PUT,
	PG_MEMBER_DELETE,
	PG_MEMBER_PUT,
	PG_USER_DELETE,
	PG_USER_PUT,
	PG_LAST_SEEN_PUT,
	PG_WORKER_CONNS_DELETE,
	PG_WORKER_MEMBERS_DELETE,
	PG_EPOCH_CONNS_DELETE,
	PG_EPOCH_MEMBERS_DELETE,
	PG_EPOCH_USERS_DELETE,
	/* messages 0 and 1 */
	PG_POST_MESSAGES,
	PG_LOCK_CHATS, /* before it, in its transaction */
	PG_MOVE_CURSORS,
	PG_ASYNC_COMMIT,
	PG_CREATE_CHAT,
	PG_ADD_PARTICIPANT,
	PG_REMOVE_PARTICIPANT,
	PG_EDIT_MESSAGE,
	PG_DELETE_MESSAGE,
	PG_SET_POLICY,
	PG_SET_HIDDEN,
	/* look-ups */
	PG_FIND_TOKEN,
	PG_TOUCH_TOKEN,
	PG_USERS,
	PG_CONTACTS,
	PG_SHARES_CHAT,
	PG_PARTICIPANT,
	PG_PARTICIPANTS,
	PG_FIND_MESSAGE,
	PG_HISTORY,
	PG_CATCH_UP,
	PG_ACTIVE_CHATS,
	PG_CHAT_VIEW,
	PG_RECEIPTS,
	/* outbox */
	PG_OUTBOX_LOCK,
	PG_OUTBOX_TAKE,
	PG_OUTBOX_WAKE,

	PG_STMTS, /* from here on: statements that are rules of channels */
	PG_NO_STMT = PG_STMTS + 16,
};

/* Most rules that are statements. */
#define PG_RULES_MAX (PG_NO_STMT - PG_STMTS)

struct pg_stmt {
	const char *name;
	const char *text;
	enum pg_type types[PG_PARAMS_MAX]; /* as many as there are parameters, then 0 */
	const char *columns; /* names that the result must have, with blanks between */
	unsigned roles;	     /* bits of enum pg_role */
	bool configurable;
	char *own;	/* text of the configuration, or NULL */
	char *own_name; /* of a rule, or NULL */
};

struct pg_stmts {
	struct pg_stmt v[PG_STMTS + PG_RULES_MAX];
	size_t n;
};

void pg_stmts_init(struct pg_stmts *s);
void pg_stmts_done(struct pg_stmts *s);

/* Replaces a statement; the text is copied. False: no configurable statement has that name. */
MUST_CHECK bool pg_stmts_replace(struct pg_stmts *s, const char *name, const char *query);

/*
 * Adds a statement that says whether a user may subscribe to a channel: $1 user, $2 channel, any
 * row is a yes. Both texts are copied. False: there are too many, or the name is one of ours.
 */
MUST_CHECK bool pg_stmts_add_rule(struct pg_stmts *s, const char *name, const char *query);

/* PG_NO_STMT when there is none of that name. */
enum pg_stmt_id pg_stmts_rule(const struct pg_stmts *s, struct slice name);

int pg_stmt_params(const struct pg_stmt *s);
bool pg_stmt_used(const struct pg_stmt *s);

#endif
