-- 004_functions: all that the brokers do with the chats
--
-- Functions that take arrays do a whole batch in one statement and give one row for each element,
-- numbered by ord. Refusals are values of `status`, never errors, so that one caller's mistake does
-- not fail the batch of the others.
--
-- Who may see what: a participant sees messages with seq > joined_seq, or all of them where
-- p_see_all is set. A chat or message that the caller has no part in gives no row, or 'forbidden',
-- the same as one that does not exist.
--
-- Order of locks, the same everywhere: chats by chat_id, then participants by (chat_id, user_id).
--
-- plpgsql rather than sql, also for plain reading: its plans are kept for the life of a connection.

SET ROLE chat_owner;

CREATE TYPE chat.message_row AS (
	message_id  bigint,
	chat_id     bigint,
	seq         bigint,
	prev_seq    bigint,
	sender_id   text,
	sender_name text,
	body        text,
	reply_to    bigint,
	meta        json,
	client_id   uuid,
	created_at  timestamptz,
	edited_at   timestamptz,
	deleted_at  timestamptz
);
COMMENT ON TYPE chat.message_row IS 'A message as clients get it.';

CREATE TYPE chat.chat_row AS (
	chat_id           bigint,
	user_id           text,
	name              text,
	direct            boolean,
	owner_id          text,
	created_at        timestamptz,
	updated_at        timestamptz,
	last_seq          bigint,
	participant_count bigint,
	joined_seq        bigint,
	delivered_seq     bigint,
	delivered_at      timestamptz,
	read_seq          bigint,
	read_at           timestamptz,
	unread_count      bigint,
	message_id        bigint,
	seq               bigint,
	prev_seq          bigint,
	sender_id         text,
	sender_name       text,
	body              text,
	reply_to          bigint,
	meta              json,
	client_id         uuid,
	message_at        timestamptz,
	edited_at         timestamptz,
	deleted_at        timestamptz
);
COMMENT ON TYPE chat.chat_row IS 'A chat as one of its participants sees it. From message_id on: the newest message, all null when there is none that the user may see.';
COMMENT ON COLUMN chat.chat_row.user_id IS 'The participant who looks.';
COMMENT ON COLUMN chat.chat_row.updated_at IS 'The newest message, or the making of the chat: the order of the list of chats.';

CREATE TYPE chat.participant_row AS (
	chat_id           bigint,
	user_id           text,
	user_name         text,
	join_no           bigint,
	joined_at         timestamptz,
	joined_seq        bigint,
	delivered_seq     bigint,
	delivered_at      timestamptz,
	read_seq          bigint,
	read_at           timestamptz,
	is_owner          boolean,
	owner_id          text,
	direct            boolean,
	last_seq          bigint,
	unread_count      bigint,
	participant_count bigint
);
COMMENT ON TYPE chat.participant_row IS 'A participant with what the rules need to know of the chat.';

CREATE TYPE chat.user_row AS (
	user_id      text,
	user_name    text,
	user_info    jsonb,
	last_seen    timestamptz,
	policy       text,
	hidden_since timestamptz
);
COMMENT ON TYPE chat.user_row IS 'A user, when last connected, who may know it, and since when hidden.';
COMMENT ON COLUMN chat.user_row.policy IS 'everyone, contacts or nobody.';

-- ---- messages ----------------------------------------------------------------------------------

CREATE FUNCTION chat.post_messages(p_chat bigint[], p_sender text[], p_key uuid[], p_body text[],
	p_reply_to bigint[], p_meta json[], p_see_all boolean DEFAULT false)
RETURNS TABLE (ord int, status text, message_id bigint, chat_id bigint, seq bigint, prev_seq bigint,
	sender_id text, sender_name text, body text, reply_to bigint, meta json, client_id uuid,
	created_at timestamptz, edited_at timestamptz, deleted_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
	PERFORM FROM chat.chat h WHERE h.chat_id = ANY (p_chat) ORDER BY h.chat_id FOR NO KEY UPDATE;
	PERFORM FROM chat.participant p
	WHERE (p.chat_id, p.user_id) IN (SELECT t.c, t.s FROM unnest(p_chat, p_sender) t(c, s))
	ORDER BY p.chat_id, p.user_id FOR NO KEY UPDATE;

	-- A new statement, so a new snapshot: it sees what the last holder of the locks has committed.
	RETURN QUERY
	WITH inp AS MATERIALIZED (
		SELECT t.o::int AS ord, t.c, t.s, t.k, t.b, t.r, t.m
		FROM unnest(p_chat, p_sender, p_key, p_body, p_reply_to, p_meta)
			WITH ORDINALITY t(c, s, k, b, r, m, o)
	), judged AS MATERIALIZED (
		SELECT i.*, old.seq AS old_seq,
			CASE WHEN p.user_id IS NULL THEN 'forbidden'
				WHEN old.seq IS NOT NULL THEN 'duplicate'
				WHEN i.r IS NOT NULL AND NOT EXISTS (
					SELECT FROM chat.message a
					WHERE a.message_id = i.r AND a.chat_id = i.c
						AND (p_see_all OR a.seq > p.joined_seq)) THEN 'bad_reply'
				ELSE 'stored' END AS verdict
		FROM inp i
		LEFT JOIN chat.participant p ON p.chat_id = i.c AND p.user_id = i.s
		LEFT JOIN chat.message_key old
			ON old.chat_id = i.c AND old.sender_id = i.s AND old.client_id = i.k
	), once AS MATERIALIZED (
		-- of several new ones under one client id the first is stored, the others repeat it
		SELECT j.*, j.k IS NOT NULL AND row_number() OVER (
			PARTITION BY j.c, j.s, j.k, j.verdict ORDER BY j.ord) > 1 AS again
		FROM judged j
	), num AS MATERIALIZED (
		SELECT n.*, h.last_seq + row_number() OVER (PARTITION BY n.c ORDER BY n.ord) AS q
		FROM once n JOIN chat.chat h ON h.chat_id = n.c
		WHERE n.verdict = 'stored' AND NOT n.again
	), ins AS (
		INSERT INTO chat.message (chat_id, seq, sender_id, client_id, reply_to, body, meta)
		SELECT n.c, n.q, n.s, n.k, n.r, n.b, n.m FROM num n ORDER BY n.ord
		RETURNING message_id, chat_id, seq, sender_id, client_id, created_at
	), keys AS (
		INSERT INTO chat.message_key (chat_id, sender_id, client_id, seq, created_at)
		SELECT i.chat_id, i.sender_id, i.client_id, i.seq, i.created_at
		FROM ins i WHERE i.client_id IS NOT NULL
	), bump AS (
		UPDATE chat.chat h SET last_seq = x.q, last_message_at = x.t
		FROM (SELECT i.chat_id AS c, max(i.seq) AS q, max(i.created_at) AS t FROM ins i GROUP BY 1) x
		WHERE h.chat_id = x.c
	), own AS (
		UPDATE chat.participant p
		SET read_seq = x.q, read_at = x.t, delivered_seq = x.q, delivered_at = x.t
		FROM (SELECT i.chat_id AS c, i.sender_id AS s, max(i.seq) AS q, max(i.created_at) AS t
			FROM ins i GROUP BY 1, 2) x
		WHERE p.chat_id = x.c AND p.user_id = x.s
	), made AS (
		SELECT n.ord, n.c, n.s, n.k, i.message_id, i.seq, i.created_at, n.b, n.r, n.m
		FROM num n JOIN ins i ON i.chat_id = n.c AND i.seq = n.q
	)
	SELECT j.ord, CASE WHEN j.verdict = 'stored' AND j.again THEN 'duplicate' ELSE j.verdict END,
		coalesce(w.message_id, d.message_id), j.c, coalesce(w.seq, d.seq),
		coalesce(w.seq, d.seq) - 1, j.s, u.name, coalesce(w.b, d.body),
		CASE WHEN w.seq IS NOT NULL THEN w.r ELSE d.reply_to END,
		CASE WHEN w.seq IS NOT NULL THEN w.m ELSE d.meta END, j.k,
		coalesce(w.created_at, d.created_at), d.edited_at, d.deleted_at
	FROM once j
	LEFT JOIN made w ON w.c = j.c
		AND CASE WHEN j.again AND j.verdict = 'stored' THEN w.s = j.s AND w.k = j.k ELSE w.ord = j.ord END
	LEFT JOIN chat.message d ON d.chat_id = j.c AND d.seq = j.old_seq
		AND j.verdict = 'duplicate'
	LEFT JOIN chat.app_user u ON u.user_id = j.s
	ORDER BY j.ord;
END $$;
COMMENT ON FUNCTION chat.post_messages(bigint[], text[], uuid[], text[], bigint[], json[], boolean) IS
'Stores a batch of messages in one transaction, in the order given within each chat. status: stored; duplicate (the row is the message first stored under the client id, as it is now); forbidden (not a participant); bad_reply (reply_to names no message of the chat that the sender may see). The sender''s own cursors follow.';

CREATE FUNCTION chat.change_message(p_message bigint, p_user text, p_body text, p_delete boolean,
	p_see_all boolean)
RETURNS TABLE (status text, is_last boolean, message_id bigint, chat_id bigint, seq bigint,
	prev_seq bigint, sender_id text, sender_name text, body text, reply_to bigint, meta json,
	client_id uuid, created_at timestamptz, edited_at timestamptz, deleted_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	v_chat bigint;
	v_last bigint;
	v_floor bigint;
	v_status text := 'unchanged';
	m chat.message;
BEGIN
	SELECT x.chat_id INTO v_chat FROM chat.message x WHERE x.message_id = p_message;
	SELECT h.last_seq INTO v_last FROM chat.chat h WHERE h.chat_id = v_chat FOR NO KEY UPDATE;
	SELECT CASE WHEN p_see_all THEN 0 ELSE p.joined_seq END INTO v_floor
	FROM chat.participant p WHERE p.chat_id = v_chat AND p.user_id = p_user;
	SELECT * INTO m FROM chat.message x
	WHERE x.message_id = p_message AND x.sender_id = p_user AND x.seq > v_floor;
	IF NOT FOUND THEN
		RETURN QUERY SELECT 'forbidden', NULL::boolean, (NULL::chat.message_row).*;
		RETURN;
	END IF;

	IF m.deleted_at IS NULL AND p_delete THEN
		v_status := 'deleted';
		UPDATE chat.message x SET body = '', meta = NULL, deleted_at = clock_timestamp()
		WHERE x.chat_id = m.chat_id AND x.seq = m.seq RETURNING x.* INTO m;
	ELSIF m.deleted_at IS NULL THEN
		v_status := 'edited';
		UPDATE chat.message x SET body = p_body, edited_at = clock_timestamp()
		WHERE x.chat_id = m.chat_id AND x.seq = m.seq RETURNING x.* INTO m;
	END IF;
	RETURN QUERY SELECT v_status, m.seq = v_last, m.message_id, m.chat_id, m.seq, m.seq - 1,
		m.sender_id, (SELECT u.name FROM chat.app_user u WHERE u.user_id = m.sender_id), m.body,
		m.reply_to, m.meta, m.client_id, m.created_at, m.edited_at, m.deleted_at;
END $$;
COMMENT ON FUNCTION chat.change_message(bigint, text, text, boolean, boolean) IS
'Inner part of edit_message() and delete_message().';

CREATE FUNCTION chat.edit_message(p_message bigint, p_user text, p_body text,
	p_see_all boolean DEFAULT false)
RETURNS TABLE (status text, is_last boolean, message_id bigint, chat_id bigint, seq bigint,
	prev_seq bigint, sender_id text, sender_name text, body text, reply_to bigint, meta json,
	client_id uuid, created_at timestamptz, edited_at timestamptz, deleted_at timestamptz)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT * FROM chat.change_message(p_message, p_user, p_body, false, p_see_all)
$$;
COMMENT ON FUNCTION chat.edit_message(bigint, text, text, boolean) IS
'Gives a message a new text. status: edited; unchanged (it is deleted and stays so); forbidden (not the caller''s own, or the caller has no part in the chat). is_last: it is the newest of the chat.';

CREATE FUNCTION chat.delete_message(p_message bigint, p_user text, p_see_all boolean DEFAULT false)
RETURNS TABLE (status text, is_last boolean, message_id bigint, chat_id bigint, seq bigint,
	prev_seq bigint, sender_id text, sender_name text, body text, reply_to bigint, meta json,
	client_id uuid, created_at timestamptz, edited_at timestamptz, deleted_at timestamptz)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT * FROM chat.change_message(p_message, p_user, NULL, true, p_see_all)
$$;
COMMENT ON FUNCTION chat.delete_message(bigint, text, boolean) IS
'Empties a message; its place stays. status: deleted; unchanged (it was deleted before); forbidden (not the caller''s own, or the caller has no part in the chat). is_last: it is the newest of the chat.';

CREATE FUNCTION chat.find_message(p_message bigint, p_user text, p_see_all boolean DEFAULT false)
RETURNS TABLE (message_id bigint, chat_id bigint, seq bigint, sender_id text, joined_seq bigint,
	delivered_seq bigint, delivered_at timestamptz, read_seq bigint, read_at timestamptz,
	last_seq bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT m.message_id, m.chat_id, m.seq, m.sender_id, p.joined_seq, p.delivered_seq,
		p.delivered_at, p.read_seq, p.read_at, h.last_seq
	FROM chat.message m
	JOIN chat.participant p ON p.chat_id = m.chat_id AND p.user_id = p_user
	JOIN chat.chat h ON h.chat_id = m.chat_id
	WHERE m.message_id = p_message AND (p_see_all OR m.seq > p.joined_seq);
END $$;
COMMENT ON FUNCTION chat.find_message(bigint, text, boolean) IS
'Where a message stands, with the caller''s cursors in its chat. No row: none that the caller may see.';

CREATE FUNCTION chat.history(p_chat bigint, p_user text, p_before_seq bigint, p_limit int,
	p_see_all boolean DEFAULT false)
RETURNS SETOF chat.message_row
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY
	SELECT m.message_id, p.chat_id, m.seq, m.seq - 1, m.sender_id, u.name, m.body, m.reply_to,
		m.meta, m.client_id, m.created_at, m.edited_at, m.deleted_at
	FROM chat.participant p
	LEFT JOIN LATERAL (
		SELECT x.* FROM chat.message x
		WHERE x.chat_id = p.chat_id AND x.seq > CASE WHEN p_see_all THEN 0 ELSE p.joined_seq END
			AND x.seq < coalesce(p_before_seq, 9223372036854775807)
		ORDER BY x.seq DESC LIMIT p_limit
	) m ON true
	LEFT JOIN chat.app_user u ON u.user_id = m.sender_id
	WHERE p.chat_id = p_chat AND p.user_id = p_user
	ORDER BY m.seq DESC;
END $$;
COMMENT ON FUNCTION chat.history(bigint, text, bigint, int, boolean) IS
'A page of messages before a place (null: the newest), newest first. A participant for whom there is nothing gets one row without message_id; no row at all: not a participant.';

CREATE FUNCTION chat.catch_up(p_chat bigint, p_user text, p_after_seq bigint, p_limit int,
	p_see_all boolean DEFAULT false)
RETURNS SETOF chat.message_row
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY
	SELECT m.message_id, p.chat_id, m.seq, m.seq - 1, m.sender_id, u.name, m.body, m.reply_to,
		m.meta, m.client_id, m.created_at, m.edited_at, m.deleted_at
	FROM chat.participant p
	LEFT JOIN LATERAL (
		SELECT x.* FROM chat.message x
		WHERE x.chat_id = p.chat_id AND x.seq > p_after_seq
			AND x.seq > CASE WHEN p_see_all THEN 0 ELSE p.joined_seq END
		ORDER BY x.seq LIMIT p_limit
	) m ON true
	LEFT JOIN chat.app_user u ON u.user_id = m.sender_id
	WHERE p.chat_id = p_chat AND p.user_id = p_user
	ORDER BY m.seq;
END $$;
COMMENT ON FUNCTION chat.catch_up(bigint, text, bigint, int, boolean) IS
'A page of messages after a place, oldest first. A participant for whom there is nothing gets one row without message_id; no row at all: not a participant.';

-- ---- receipts ----------------------------------------------------------------------------------

CREATE FUNCTION chat.move_cursors(p_chat bigint[], p_user text[], p_delivered bigint[],
	p_read bigint[])
RETURNS TABLE (ord int, chat_id bigint, user_id text, member boolean, delivered_moved boolean,
	read_moved boolean, delivered_seq bigint, delivered_at timestamptz, delivered_id bigint,
	read_seq bigint, read_at timestamptz, read_id bigint, last_seq bigint, unread_count bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	v_now timestamptz;
BEGIN
	PERFORM FROM chat.participant p
	WHERE (p.chat_id, p.user_id) IN (SELECT t.c, t.u FROM unnest(p_chat, p_user) t(c, u))
	ORDER BY p.chat_id, p.user_id FOR NO KEY UPDATE;
	v_now := clock_timestamp();

	RETURN QUERY
	WITH inp AS MATERIALIZED (
		SELECT t.o::int AS ord, t.c, t.u, t.d, t.r
		FROM unnest(p_chat, p_user, p_delivered, p_read) WITH ORDINALITY t(c, u, d, r, o)
	), goal AS MATERIALIZED (
		SELECT p.chat_id AS c, p.user_id AS u, w.first, h.last_seq,
			p.delivered_seq AS old_d, p.delivered_at AS old_da, p.read_seq AS old_r, p.read_at AS old_ra,
			-- least() passes over nulls, so they must not come to it
			greatest(p.delivered_seq, least(h.last_seq, coalesce(greatest(w.d, w.r), 0))) AS new_d,
			greatest(p.read_seq, least(h.last_seq, coalesce(w.r, 0))) AS new_r
		FROM (SELECT i.c, i.u, max(i.d) AS d, max(i.r) AS r, min(i.ord) AS first
			FROM inp i GROUP BY i.c, i.u) w
		JOIN chat.participant p ON p.chat_id = w.c AND p.user_id = w.u
		JOIN chat.chat h ON h.chat_id = w.c
	), moved AS (
		UPDATE chat.participant p
		SET delivered_seq = g.new_d, read_seq = g.new_r,
			delivered_at = CASE WHEN g.new_d > g.old_d THEN v_now ELSE g.old_da END,
			read_at = CASE WHEN g.new_r > g.old_r THEN v_now ELSE g.old_ra END
		FROM goal g
		WHERE p.chat_id = g.c AND p.user_id = g.u AND (g.new_d > g.old_d OR g.new_r > g.old_r)
	)
	SELECT i.ord, i.c, i.u, g.c IS NOT NULL,
		coalesce(g.new_d > g.old_d AND i.ord = g.first, false),
		coalesce(g.new_r > g.old_r AND i.ord = g.first, false),
		g.new_d, CASE WHEN g.new_d > g.old_d THEN v_now ELSE g.old_da END, md.message_id,
		g.new_r, CASE WHEN g.new_r > g.old_r THEN v_now ELSE g.old_ra END, mr.message_id, g.last_seq,
		g.last_seq - g.new_r
	FROM inp i
	LEFT JOIN goal g ON g.c = i.c AND g.u = i.u
	LEFT JOIN chat.message md ON md.chat_id = g.c AND md.seq = g.new_d
	LEFT JOIN chat.message mr ON mr.chat_id = g.c AND mr.seq = g.new_r
	ORDER BY i.ord;
END $$;
COMMENT ON FUNCTION chat.move_cursors(bigint[], text[], bigint[], bigint[]) IS
'Moves cursors forward, never back and never past the newest message; null leaves one alone, reading implies delivered. One row for each input: where both cursors stand now and the messages under them. Of several inputs for one participant the first carries the marks of what moved. member false: nothing to move.';

CREATE FUNCTION chat.receipts(p_chat bigint, p_user text)
RETURNS TABLE (user_id text, user_name text, delivered_seq bigint, delivered_at timestamptz,
	read_seq bigint, read_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT p.user_id, u.name, p.delivered_seq, p.delivered_at, p.read_seq, p.read_at
	FROM chat.participant me
	JOIN chat.participant p USING (chat_id)
	LEFT JOIN chat.app_user u ON u.user_id = p.user_id
	WHERE me.chat_id = p_chat AND me.user_id = p_user
	ORDER BY p.join_no;
END $$;
COMMENT ON FUNCTION chat.receipts(bigint, text) IS
'Cursors of all participants, longest-standing first. No row: the caller is none of them.';

-- ---- chats -------------------------------------------------------------------------------------

CREATE FUNCTION chat.create_chat(p_name text, p_creator text, p_users text[],
	p_direct boolean DEFAULT false)
RETURNS TABLE (status text, chat_id bigint, unknown text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	v_users text[];
	v_unknown text[];
	v_key text[];
	v_chat bigint;
BEGIN
	-- each once, the creator first
	SELECT array_agg(x.u ORDER BY x.o) INTO v_users
	FROM (SELECT t.u, min(t.o) AS o
		FROM unnest(array_prepend(p_creator, p_users)) WITH ORDINALITY t(u, o)
		WHERE t.u IS NOT NULL GROUP BY t.u) x;
	SELECT array_agg(t.u) INTO v_unknown FROM unnest(v_users) t(u)
	WHERE NOT EXISTS (SELECT FROM chat.app_user a WHERE a.user_id = t.u);
	IF v_unknown IS NOT NULL THEN
		RETURN QUERY SELECT 'unknown_users', NULL::bigint, v_unknown;
		RETURN;
	END IF;
	IF p_direct AND cardinality(v_users) <> 2 THEN
		RETURN QUERY SELECT 'not_two', NULL::bigint, NULL::text[];
		RETURN;
	END IF;

	IF p_direct THEN
		v_key := ARRAY(SELECT t.u FROM unnest(v_users) t(u) ORDER BY t.u COLLATE "C");
		INSERT INTO chat.chat AS c (direct_key) VALUES (v_key)
		ON CONFLICT (direct_key) WHERE direct_key IS NOT NULL DO NOTHING
		RETURNING c.chat_id INTO v_chat;
		IF v_chat IS NULL THEN
			RETURN QUERY SELECT 'exists', c.chat_id, NULL::text[] FROM chat.chat c
			WHERE c.direct_key = v_key;
			RETURN;
		END IF;
	ELSE
		INSERT INTO chat.chat AS c (name, owner_id) VALUES (p_name, p_creator)
		RETURNING c.chat_id INTO v_chat;
	END IF;
	INSERT INTO chat.participant (chat_id, user_id)
	SELECT v_chat, t.u FROM unnest(v_users) WITH ORDINALITY t(u, o) ORDER BY t.o;
	RETURN QUERY SELECT 'created', v_chat, NULL::text[];
END $$;
COMMENT ON FUNCTION chat.create_chat(text, text, text[], boolean) IS
'Makes a chat of the creator, who owns it, and the users named. status: created; exists (the direct chat of these two, which is made once); unknown_users (named in unknown); not_two (a direct chat needs two different users).';

CREATE FUNCTION chat.add_participant(p_chat bigint, p_user text, p_by text DEFAULT NULL,
	p_members_may_add boolean DEFAULT true)
RETURNS TABLE (status text, user_name text, owner_id text, joined_seq bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	c chat.chat;
	v_name text;
BEGIN
	SELECT * INTO c FROM chat.chat h WHERE h.chat_id = p_chat FOR NO KEY UPDATE;
	IF c.chat_id IS NULL OR (p_by IS NOT NULL AND NOT EXISTS (
		SELECT FROM chat.participant p WHERE p.chat_id = p_chat AND p.user_id = p_by)) THEN
		RETURN QUERY SELECT 'forbidden', NULL::text, NULL::text, NULL::bigint;
		RETURN;
	END IF;
	IF c.direct_key IS NOT NULL
		OR (p_by IS NOT NULL AND NOT p_members_may_add AND p_by IS DISTINCT FROM c.owner_id) THEN
		RETURN QUERY SELECT 'forbidden', NULL::text, c.owner_id, NULL::bigint;
		RETURN;
	END IF;
	SELECT u.name INTO v_name FROM chat.app_user u WHERE u.user_id = p_user;
	IF v_name IS NULL THEN
		RETURN QUERY SELECT 'unknown_user', NULL::text, c.owner_id, NULL::bigint;
		RETURN;
	END IF;
	INSERT INTO chat.participant AS p (chat_id, user_id, joined_seq, delivered_seq, read_seq,
		delivered_at, read_at)
	VALUES (p_chat, p_user, c.last_seq, c.last_seq, c.last_seq,
		CASE WHEN c.last_seq > 0 THEN now() END, CASE WHEN c.last_seq > 0 THEN now() END)
	ON CONFLICT (chat_id, user_id) DO NOTHING;
	IF NOT FOUND THEN
		RETURN QUERY SELECT 'present', v_name, c.owner_id, p.joined_seq FROM chat.participant p
		WHERE p.chat_id = p_chat AND p.user_id = p_user;
		RETURN;
	END IF;
	IF c.owner_id IS NULL THEN -- all had left
		UPDATE chat.chat h SET owner_id = p_user WHERE h.chat_id = p_chat;
		c.owner_id := p_user;
	END IF;
	RETURN QUERY SELECT 'added', v_name, c.owner_id, c.last_seq;
END $$;
COMMENT ON FUNCTION chat.add_participant(bigint, text, text, boolean) IS
'Adds a user, who starts without unread messages. p_by null: an administrator. status: added; present (was a participant already); unknown_user; forbidden (the caller has no part in the chat or no right to add, or the chat is direct).';

CREATE FUNCTION chat.remove_participant(p_chat bigint, p_user text, p_by text DEFAULT NULL)
RETURNS TABLE (status text, user_name text, owner_id text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	c chat.chat;
	v_name text;
BEGIN
	SELECT * INTO c FROM chat.chat h WHERE h.chat_id = p_chat FOR NO KEY UPDATE;
	IF c.chat_id IS NULL OR c.direct_key IS NOT NULL
		OR (p_by IS NOT NULL AND NOT EXISTS (
			SELECT FROM chat.participant p WHERE p.chat_id = p_chat AND p.user_id = p_by))
		OR (p_by IS NOT NULL AND p_by <> p_user AND p_by IS DISTINCT FROM c.owner_id) THEN
		RETURN QUERY SELECT 'forbidden', NULL::text, c.owner_id;
		RETURN;
	END IF;
	SELECT u.name INTO v_name FROM chat.app_user u WHERE u.user_id = p_user;
	DELETE FROM chat.participant p WHERE p.chat_id = p_chat AND p.user_id = p_user;
	IF NOT FOUND THEN
		RETURN QUERY SELECT 'absent', v_name, c.owner_id;
		RETURN;
	END IF;
	IF c.owner_id = p_user THEN
		UPDATE chat.chat h
		SET owner_id = (SELECT p.user_id FROM chat.participant p WHERE p.chat_id = p_chat
			ORDER BY p.join_no LIMIT 1)
		WHERE h.chat_id = p_chat RETURNING h.owner_id INTO c.owner_id;
	END IF;
	RETURN QUERY SELECT 'removed', v_name, c.owner_id;
END $$;
COMMENT ON FUNCTION chat.remove_participant(bigint, text, text) IS
'Removes a user; the chat of an owner who goes passes to the longest-standing participant. p_by null: an administrator. status: removed; absent (was none); forbidden (the caller has no part in the chat, neither leaves nor owns it, or the chat is direct). owner_id: the owner afterwards.';

CREATE FUNCTION chat.active_chats(p_user text, p_before timestamptz, p_before_chat bigint,
	p_limit int, p_see_all boolean DEFAULT false)
RETURNS SETOF chat.chat_row
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	-- the page first, then what belongs to its chats: only those are looked up
	RETURN QUERY
	SELECT t.chat_id, t.user_id, t.name, t.direct, t.owner_id, t.created_at, t.at, t.last_seq,
		(SELECT count(*) FROM chat.participant x WHERE x.chat_id = t.chat_id),
		t.joined_seq, t.delivered_seq, t.delivered_at, t.read_seq, t.read_at,
		t.last_seq - t.read_seq, m.message_id, m.seq, m.seq - 1, m.sender_id, u.name, m.body,
		m.reply_to, m.meta, m.client_id, m.created_at, m.edited_at, m.deleted_at
	FROM (
		SELECT c.chat_id, p.user_id, c.name, c.direct_key IS NOT NULL AS direct, c.owner_id,
			c.created_at, coalesce(c.last_message_at, c.created_at) AS at, c.last_seq, p.joined_seq,
			p.delivered_seq, p.delivered_at, p.read_seq, p.read_at
		FROM chat.participant p JOIN chat.chat c USING (chat_id)
		WHERE p.user_id = p_user
			AND (coalesce(c.last_message_at, c.created_at), c.chat_id)
				< (coalesce(p_before, 'infinity'), coalesce(p_before_chat, 9223372036854775807))
		ORDER BY coalesce(c.last_message_at, c.created_at) DESC, c.chat_id DESC
		LIMIT p_limit
	) t
	LEFT JOIN chat.message m ON m.chat_id = t.chat_id AND m.seq = t.last_seq
		AND (p_see_all OR m.seq > t.joined_seq)
	LEFT JOIN chat.app_user u ON u.user_id = m.sender_id
	ORDER BY t.at DESC, t.chat_id DESC;
END $$;
COMMENT ON FUNCTION chat.active_chats(text, timestamptz, bigint, int, boolean) IS
'A page of a user''s chats, newest activity first. The next page begins after (updated_at, chat_id) of the last row; nulls begin the first one.';

CREATE FUNCTION chat.chat_view(p_chat bigint[], p_user text[], p_see_all boolean DEFAULT false)
RETURNS SETOF chat.chat_row
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY
	SELECT c.chat_id, p.user_id, c.name, c.direct_key IS NOT NULL, c.owner_id, c.created_at,
		coalesce(c.last_message_at, c.created_at), c.last_seq,
		(SELECT count(*) FROM chat.participant x WHERE x.chat_id = c.chat_id),
		p.joined_seq, p.delivered_seq, p.delivered_at, p.read_seq, p.read_at,
		c.last_seq - p.read_seq, m.message_id, m.seq, m.seq - 1, m.sender_id, u.name, m.body,
		m.reply_to, m.meta, m.client_id, m.created_at, m.edited_at, m.deleted_at
	FROM unnest(p_chat, p_user) WITH ORDINALITY t(c, u, o)
	JOIN chat.participant p ON p.chat_id = t.c AND p.user_id = t.u
	JOIN chat.chat c ON c.chat_id = t.c
	LEFT JOIN chat.message m ON m.chat_id = c.chat_id AND m.seq = c.last_seq
		AND (p_see_all OR m.seq > p.joined_seq)
	LEFT JOIN chat.app_user u ON u.user_id = m.sender_id
	ORDER BY t.o;
END $$;
COMMENT ON FUNCTION chat.chat_view(bigint[], text[], boolean) IS
'Chats, each as the user beside it sees it. Pairs of which the user is no participant give no row.';

CREATE FUNCTION chat.chat_view(p_chat bigint, p_user text, p_see_all boolean DEFAULT false)
RETURNS SETOF chat.chat_row
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT * FROM chat.chat_view(ARRAY[p_chat], ARRAY[p_user], p_see_all)
$$;
COMMENT ON FUNCTION chat.chat_view(bigint, text, boolean) IS 'One chat as one of its participants sees it.';

CREATE FUNCTION chat.participant(p_chat bigint, p_user text)
RETURNS SETOF chat.participant_row
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY
	SELECT p.chat_id, p.user_id, u.name, p.join_no, p.joined_at, p.joined_seq, p.delivered_seq,
		p.delivered_at, p.read_seq, p.read_at, coalesce(c.owner_id = p.user_id, false), c.owner_id,
		c.direct_key IS NOT NULL, c.last_seq, c.last_seq - p.read_seq,
		(SELECT count(*) FROM chat.participant x WHERE x.chat_id = c.chat_id)
	FROM chat.participant p
	JOIN chat.chat c USING (chat_id)
	LEFT JOIN chat.app_user u ON u.user_id = p.user_id
	WHERE p.chat_id = p_chat AND p.user_id = p_user;
END $$;
COMMENT ON FUNCTION chat.participant(bigint, text) IS 'Whether a user takes part in a chat, and how. No row: no.';

CREATE FUNCTION chat.participants(p_chat bigint[], p_limit int DEFAULT NULL)
RETURNS SETOF chat.participant_row
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	-- materialized, or each participant would have all of the chat counted anew
	RETURN QUERY
	WITH h AS MATERIALIZED (
		SELECT c.chat_id, c.owner_id, c.direct_key IS NOT NULL AS direct, c.last_seq,
			(SELECT count(*) FROM chat.participant x WHERE x.chat_id = c.chat_id) AS n
		FROM chat.chat c WHERE c.chat_id = ANY (p_chat)
	)
	SELECT h.chat_id, p.user_id, u.name, p.join_no, p.joined_at, p.joined_seq, p.delivered_seq,
		p.delivered_at, p.read_seq, p.read_at, coalesce(h.owner_id = p.user_id, false), h.owner_id,
		h.direct, h.last_seq, h.last_seq - p.read_seq, h.n
	FROM h
	CROSS JOIN LATERAL (
		SELECT x.* FROM chat.participant x WHERE x.chat_id = h.chat_id ORDER BY x.join_no LIMIT p_limit
	) p
	LEFT JOIN chat.app_user u ON u.user_id = p.user_id
	ORDER BY h.chat_id, p.join_no;
END $$;
COMMENT ON FUNCTION chat.participants(bigint[], int) IS
'Participants of chats, longest-standing first, at most p_limit of each chat (null: all); participant_count is always that of the whole chat.';

CREATE FUNCTION chat.shares_chat(p_user text, p_others text[] DEFAULT NULL)
RETURNS TABLE (user_id text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT DISTINCT o.user_id
	FROM chat.participant me JOIN chat.participant o USING (chat_id)
	WHERE me.user_id = p_user AND o.user_id <> p_user
		AND (p_others IS NULL OR o.user_id = ANY (p_others));
END $$;
COMMENT ON FUNCTION chat.shares_chat(text, text[]) IS
'Those of the others (null: of all users) who share a chat with the user.';

-- ---- users and tokens --------------------------------------------------------------------------

CREATE FUNCTION chat.users(p_app text, p_users text[])
RETURNS SETOF chat.user_row
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY
	SELECT a.user_id, a.name, a.info, l.last_seen, coalesce(s.last_seen, 'everyone'), s.hidden_since
	FROM chat.app_user a
	LEFT JOIN chat.user_last_seen l ON l.app_id = p_app AND l.user_id = a.user_id
	LEFT JOIN chat.user_setting s ON s.user_id = a.user_id
	WHERE a.user_id = ANY (p_users);
END $$;
COMMENT ON FUNCTION chat.users(text, text[]) IS
'Users by id; those that do not exist give no row. p_app: the application whose connections count as being seen.';

CREATE FUNCTION chat.contacts(p_app text, p_user text, p_others text[] DEFAULT NULL,
	p_limit int DEFAULT NULL)
RETURNS SETOF chat.user_row
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY
	SELECT a.user_id, a.name, a.info, l.last_seen, coalesce(s.last_seen, 'everyone'), s.hidden_since
	FROM chat.shares_chat(p_user, p_others) x
	JOIN chat.app_user a ON a.user_id = x.user_id
	LEFT JOIN chat.user_last_seen l ON l.app_id = p_app AND l.user_id = a.user_id
	LEFT JOIN chat.user_setting s ON s.user_id = a.user_id
	ORDER BY a.user_id LIMIT p_limit;
END $$;
COMMENT ON FUNCTION chat.contacts(text, text, text[], int) IS
'The same for those of the others (null: of all users) who share a chat with the user.';

CREATE FUNCTION chat.set_last_seen_policy(p_user text, p_policy text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO chat.user_setting AS s (user_id, last_seen) VALUES (p_user, p_policy)
	ON CONFLICT (user_id) DO UPDATE SET last_seen = excluded.last_seen;
END $$;
COMMENT ON FUNCTION chat.set_last_seen_policy(text, text) IS
'Who may see when the user was last connected: everyone, contacts or nobody.';

CREATE FUNCTION chat.set_hidden(p_user text, p_since timestamptz)
RETURNS timestamptz LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v timestamptz;
BEGIN
	INSERT INTO chat.user_setting AS s (user_id, hidden_since) VALUES (p_user, p_since)
	ON CONFLICT (user_id) DO UPDATE
	SET hidden_since = CASE WHEN excluded.hidden_since IS NULL THEN NULL
		ELSE coalesce(s.hidden_since, excluded.hidden_since) END
	RETURNING s.hidden_since INTO v;
	RETURN v;
END $$;
COMMENT ON FUNCTION chat.set_hidden(text, timestamptz) IS
'Makes the user appear offline since that moment, or (null) as he is. Who is hidden already keeps the earlier moment, which is given back.';

CREATE FUNCTION chat.find_token(p_id text, p_sha256 text)
RETURNS TABLE (token_id bigint, user_id text, user_name text, user_info jsonb, abilities text,
	token_sha256 text, expires_at timestamptz, created_at timestamptz, last_used_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	v_id bigint;
BEGIN
	IF coalesce(p_id, '') = '' THEN
		SELECT t.id INTO v_id FROM chat.personal_access_tokens t WHERE t.token = p_sha256;
	ELSIF p_id ~ '^[0-9]{1,18}$' THEN
		v_id := p_id::bigint;
	END IF;
	RETURN QUERY
	SELECT t.id, u.user_id, u.name, u.info, t.abilities, t.token::text,
		t.expires_at AT TIME ZONE 'UTC', t.created_at AT TIME ZONE 'UTC',
		t.last_used_at AT TIME ZONE 'UTC'
	FROM chat.personal_access_tokens t
	JOIN chat.app_user u ON u.user_id = t.tokenable_id
	WHERE t.id = v_id AND t.tokenable_type = 'App\Models\User'
		AND (t.expires_at IS NULL OR t.expires_at > (now() AT TIME ZONE 'UTC'));
END $$;
COMMENT ON FUNCTION chat.find_token(text, text) IS
'The token with that id, or without an id the one with that digest, if it has not expired. The caller compares token_sha256 itself, in constant time.';

CREATE FUNCTION chat.touch_token(p_ids bigint[])
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	UPDATE chat.personal_access_tokens t SET last_used_at = now() AT TIME ZONE 'UTC'
	WHERE t.id = ANY (p_ids)
		AND (t.last_used_at IS NULL OR t.last_used_at < (now() AT TIME ZONE 'UTC') - interval '1 minute');
END $$;
COMMENT ON FUNCTION chat.touch_token(bigint[]) IS 'Notes that tokens were used; writes each at most once a minute.';

RESET ROLE;
