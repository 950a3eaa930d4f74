#include "broker/store/pg_stmt_tables.h"

#include <stddef.h>

#define CONTROL (1U << PG_ROLE_CONTROL)
#define MIRROR (1U << PG_ROLE_MIRROR)
#define OUTBOX (1U << PG_ROLE_OUTBOX)

/* First key of all advisory locks of the project: "chat" in ASCII, less than 2^31. */
#define LOCKS "1667785076"

const struct pg_stmt pg_stmts_mirror[PG_POST_MESSAGES] = {
	[PG_SCHEMA_VERSION] =
		{
			.name = "schema_version",
			.text = "SELECT coalesce(max(version), 0) AS version FROM "
				"chat.schema_version",
			.columns = "version",
			.roles = CONTROL,
		},
	[PG_GUARD_TAKE] =
		{
			.name = "guard_take",
			.text = "SELECT pg_try_advisory_lock(" LOCKS ", hashtext($1)) AS got",
			.types = {PG_TEXT},
			.columns = "got",
			.roles = CONTROL,
		},
	[PG_BROKER_START] =
		{
			.name = "broker_start",
			.text = "SELECT chat.broker_start($1, $2, $3, $4) AS epoch",
			.types = {PG_TEXT, PG_TEXT, PG_INT4, PG_TEXT},
			.columns = "epoch",
			.roles = CONTROL,
		},
	[PG_BROKER_HEARTBEAT] =
		{
			.name = "broker_heartbeat",
			.text = "SELECT chat.broker_heartbeat($1, $2, $3) AS lives",
			.types = {PG_INT8, PG_TIMESTAMPTZ, PG_INT8},
			.columns = "lives",
			.roles = CONTROL,
		},
	[PG_BROKER_STOP] =
		{
			.name = "broker_stop",
			.text = "SELECT chat.broker_stop($1) AS stopped",
			.types = {PG_INT8},
			.columns = "stopped",
			.roles = CONTROL,
		},
	[PG_MARK_READ] =
		{
			.name = "mark_read",
			.text = "SELECT token FROM chat.mirror_mark WHERE epoch = $1",
			.types = {PG_INT8},
			.columns = "token",
			.roles = MIRROR,
		},
	[PG_MARK_WRITE] =
		{
			.name = "mark_write",
			.text = "INSERT INTO chat.mirror_mark (epoch, token) VALUES ($1, $2) "
				"ON CONFLICT (epoch) DO UPDATE SET token = excluded.token",
			.types = {PG_INT8, PG_TEXT},
			.roles = MIRROR,
		},
	[PG_CONN_DELETE] =
		{
			/*
			 * OFFSET 0 keeps the look-up apart, so that it is made for each key, by the
			 * index. A join may be planned the other way around while the table is
			 * empty.
			 */
			.name = "conn_delete",
			.text = "DELETE FROM chat.connection WHERE ctid = ANY (ARRAY(SELECT y.ctid "
				"FROM unnest($2::int[], $3::bigint[]) x(w, c), LATERAL (SELECT "
				"ctid "
				"FROM chat.connection WHERE epoch = $1 AND worker_id = x.w AND "
				"conn_id = x.c OFFSET 0) y))",
			.types = {PG_INT8, PG_INT4_ARRAY, PG_INT8_ARRAY},
			.roles = MIRROR,
		},
	[PG_CONN_PUT] =
		{
			.name = "conn_put",
			.text = "INSERT INTO chat.connection (epoch, worker_id, conn_id, app_id, "
				"socket_id, "
				"user_id, address, agent, connected_at) "
				"SELECT $1, x.* FROM unnest($2::int[], $3::bigint[], $4::text[], "
				"$5::text[], "
				"$6::text[], $7::text[], $8::text[], $9::timestamptz[]) x(w, c, a, "
				"s, u, h, g, t) "
				"ON CONFLICT (epoch, worker_id, conn_id) DO UPDATE SET "
				"app_id = excluded.app_id, socket_id = excluded.socket_id, "
				"user_id = excluded.user_id, address = excluded.address, "
				"agent = excluded.agent, connected_at = excluded.connected_at",
			.types = {PG_INT8, PG_INT4_ARRAY, PG_INT8_ARRAY, PG_TEXT_ARRAY,
				  PG_TEXT_ARRAY, PG_TEXT_ARRAY, PG_TEXT_ARRAY, PG_TEXT_ARRAY,
				  PG_TIMESTAMPTZ_ARRAY},
			.roles = MIRROR,
		},
	[PG_MEMBER_DELETE] =
		{
			.name = "member_delete",
			.text = "DELETE FROM chat.channel_member WHERE ctid = ANY (ARRAY(SELECT "
				"y.ctid FROM unnest($2::int[], $3::bigint[], $4::text[]) x(w, c, "
				"n), "
				"LATERAL (SELECT ctid FROM chat.channel_member WHERE epoch = $1 "
				"AND "
				"worker_id = x.w AND conn_id = x.c AND channel = x.n OFFSET 0) y))",
			.types = {PG_INT8, PG_INT4_ARRAY, PG_INT8_ARRAY, PG_TEXT_ARRAY},
			.roles = MIRROR,
		},
	[PG_MEMBER_PUT] =
		{
			.name = "member_put",
			.text = "INSERT INTO chat.channel_member (epoch, worker_id, conn_id, "
				"channel, app_id, "
				"user_id, user_info, joined_at) "
				"SELECT $1, x.* FROM unnest($2::int[], $3::bigint[], $4::text[], "
				"$5::text[], "
				"$6::text[], $7::jsonb[], $8::timestamptz[]) x(w, c, n, a, u, i, "
				"t) "
				"ON CONFLICT (epoch, worker_id, conn_id, channel) DO UPDATE SET "
				"app_id = excluded.app_id, user_id = excluded.user_id, "
				"user_info = excluded.user_info, joined_at = excluded.joined_at",
			.types = {PG_INT8, PG_INT4_ARRAY, PG_INT8_ARRAY, PG_TEXT_ARRAY,
				  PG_TEXT_ARRAY, PG_TEXT_ARRAY, PG_JSONB_ARRAY,
				  PG_TIMESTAMPTZ_ARRAY},
			.roles = MIRROR,
		},
	[PG_USER_DELETE] =
		{
			.name = "user_delete",
			.text = "DELETE FROM chat.user_presence WHERE ctid = ANY (ARRAY(SELECT "
				"y.ctid "
				"FROM unnest($2::text[], $3::text[]) x(a, u), LATERAL (SELECT ctid "
				"FROM chat.user_presence WHERE epoch = $1 AND app_id = x.a AND "
				"user_id = x.u OFFSET 0) y))",
			.types = {PG_INT8, PG_TEXT_ARRAY, PG_TEXT_ARRAY},
			.roles = MIRROR,
		},
	[PG_USER_PUT] =
		{
			.name = "user_put",
			.text = "INSERT INTO chat.user_presence (epoch, app_id, user_id, "
				"connections, "
				"online_since, changed_at) "
				"SELECT $1, x.* FROM unnest($2::text[], $3::text[], $4::int[], "
				"$5::timestamptz[], $6::timestamptz[]) x(a, u, n, s, c) "
				"ON CONFLICT (epoch, app_id, user_id) DO UPDATE SET "
				"connections = excluded.connections, online_since = "
				"excluded.online_since, "
				"changed_at = excluded.changed_at",
			.types = {PG_INT8, PG_TEXT_ARRAY, PG_TEXT_ARRAY, PG_INT4_ARRAY,
				  PG_TIMESTAMPTZ_ARRAY, PG_TIMESTAMPTZ_ARRAY},
			.roles = MIRROR,
		},
	[PG_LAST_SEEN_PUT] =
		{
			/* in order, because brokers of other nodes write the same rows */
			.name = "last_seen_put",
			.text = "INSERT INTO chat.user_last_seen AS t (app_id, user_id, last_seen) "
				"SELECT x.* FROM unnest($1::text[], $2::text[], $3::timestamptz[]) "
				"x(a, u, l) "
				"ORDER BY x.a COLLATE \"C\", x.u COLLATE \"C\" "
				"ON CONFLICT (app_id, user_id) DO UPDATE SET last_seen = "
				"excluded.last_seen "
				"WHERE t.last_seen < excluded.last_seen",
			.types = {PG_TEXT_ARRAY, PG_TEXT_ARRAY, PG_TIMESTAMPTZ_ARRAY},
			.roles = MIRROR,
		},
	[PG_WORKER_CONNS_DELETE] =
		{
			.name = "worker_conns_delete",
			.text = "DELETE FROM chat.connection WHERE ctid = ANY (ARRAY(SELECT ctid "
				"FROM chat.connection WHERE epoch = $1 AND worker_id = $2 LIMIT "
				"$3))",
			.types = {PG_INT8, PG_INT4, PG_INT8},
			.roles = MIRROR,
		},
	[PG_WORKER_MEMBERS_DELETE] =
		{
			.name = "worker_members_delete",
			.text = "DELETE FROM chat.channel_member WHERE ctid = ANY (ARRAY(SELECT "
				"ctid "
				"FROM chat.channel_member WHERE epoch = $1 AND worker_id = $2 "
				"LIMIT $3))",
			.types = {PG_INT8, PG_INT4, PG_INT8},
			.roles = MIRROR,
		},
	[PG_EPOCH_CONNS_DELETE] =
		{
			.name = "epoch_conns_delete",
			.text = "DELETE FROM chat.connection WHERE ctid = ANY (ARRAY(SELECT ctid "
				"FROM chat.connection WHERE epoch = $1 LIMIT $2))",
			.types = {PG_INT8, PG_INT8},
			.roles = MIRROR,
		},
	[PG_EPOCH_MEMBERS_DELETE] =
		{
			.name = "epoch_members_delete",
			.text = "DELETE FROM chat.channel_member WHERE ctid = ANY (ARRAY(SELECT "
				"ctid "
				"FROM chat.channel_member WHERE epoch = $1 LIMIT $2))",
			.types = {PG_INT8, PG_INT8},
			.roles = MIRROR,
		},
	[PG_EPOCH_USERS_DELETE] =
		{
			.name = "epoch_users_delete",
			.text = "DELETE FROM chat.user_presence WHERE ctid = ANY (ARRAY(SELECT "
				"ctid "
				"FROM chat.user_presence WHERE epoch = $1 LIMIT $2))",
			.types = {PG_INT8, PG_INT8},
			.roles = MIRROR,
		},
};

const struct pg_stmt pg_stmts_outbox[PG_STMTS] = {
	[PG_OUTBOX_LOCK] =
		{
			.name = "outbox_lock",
			.text = "SELECT pg_try_advisory_lock(" LOCKS ", 1) AS got",
			.columns = "got",
			.roles = OUTBOX,
		},
	[PG_OUTBOX_TAKE] =
		{
			/*
			 * At most $2 rows and $3 bytes, one row at least. = ANY (ARRAY(...)): an IN
			 * with LIMIT may be planned to run again and again.
			 */
			.name = "outbox_take",
			.text = "WITH d AS (DELETE FROM chat.outbox WHERE id = ANY (ARRAY("
				"SELECT b.id FROM (SELECT a.id, sum(a.n) OVER (ORDER BY a.id) - "
				"a.n AS before "
				"FROM (SELECT id, octet_length(payload::text) AS n FROM "
				"chat.outbox "
				"WHERE id > $1 ORDER BY id LIMIT $2) a) b WHERE b.before < $3)) "
				"RETURNING id, app_id, channel, event, payload::text AS payload, "
				"socket_id) "
				"SELECT * FROM d ORDER BY id",
			.types = {PG_INT8, PG_INT8, PG_INT8},
			.columns = "id app_id channel event payload socket_id",
			.roles = OUTBOX,
		},
	[PG_OUTBOX_WAKE] =
		{
			.name = "outbox_wake",
			.text = "INSERT INTO chat.outbox_wake (one, sleeping) VALUES (true, $1) "
				"ON CONFLICT (one) DO UPDATE SET sleeping = excluded.sleeping",
			.types = {PG_BOOL},
			.roles = OUTBOX,
		},
};
