-- 005_publish: events from SQL to clients, and the cleanup
--
-- A broker takes rows with DELETE ... RETURNING and commits once the workers have them. Ids are
-- given at INSERT, not at COMMIT, so a reader that remembered "all up to id n" would lose the rows
-- of a slower transaction; one that deletes what it sees cannot.

SET ROLE chat_owner;

CREATE TABLE chat.outbox (
	id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	app_id     text,
	channel    text NOT NULL,
	event      text NOT NULL,
	payload    jsonb NOT NULL,
	socket_id  text,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
COMMENT ON TABLE chat.outbox IS 'Events published from SQL that no broker has taken yet. Normally empty.';
COMMENT ON COLUMN chat.outbox.app_id IS 'Application of the channel; null: the one the chat belongs to.';
COMMENT ON COLUMN chat.outbox.socket_id IS 'Connection that does not get the event.';

CREATE UNLOGGED TABLE chat.outbox_wake (
	one      boolean PRIMARY KEY DEFAULT true CHECK (one),
	sleeping boolean NOT NULL
) WITH (fillfactor = 10);
COMMENT ON TABLE chat.outbox_wake IS 'One row at most: how the broker learns of new rows in the outbox.';
COMMENT ON COLUMN chat.outbox_wake.sleeping IS 'True, or no row: it waits for NOTIFY. False: traffic is high and it looks by itself, because notifying transactions commit one at a time.';

CREATE FUNCTION chat.publish(channel text, event text, payload jsonb, app_id text DEFAULT NULL,
	socket_id text DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_id bigint;
	v_payload jsonb := coalesce(publish.payload, 'null'::jsonb);
BEGIN
	IF channel IS NULL OR event IS NULL THEN
		RAISE EXCEPTION 'channel and event are required' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF octet_length(channel) > 200 OR channel !~ '^(#server-to-user-)?[A-Za-z0-9_=@,.;-]+$' THEN
		RAISE EXCEPTION 'invalid channel name "%"', channel USING
			ERRCODE = 'invalid_parameter_value',
			HINT = 'Up to 200 letters, digits and _ - = @ , . ; are allowed.';
	END IF;
	IF event = '' OR octet_length(event) > 200 THEN
		RAISE EXCEPTION 'an event name has 1 to 200 bytes' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF socket_id !~ '^[0-9]{1,19}\.[0-9]{1,19}$' THEN
		RAISE EXCEPTION 'invalid socket id "%"', socket_id USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF octet_length(v_payload::text) > 1048576 THEN
		RAISE EXCEPTION 'the payload is larger than 1 MiB' USING ERRCODE = 'program_limit_exceeded';
	END IF;
	INSERT INTO chat.outbox (app_id, channel, event, payload, socket_id)
	VALUES (publish.app_id, publish.channel, publish.event, v_payload, publish.socket_id)
	RETURNING id INTO v_id;
	IF coalesce((SELECT w.sleeping FROM chat.outbox_wake w), true) THEN
		PERFORM pg_notify('chat_outbox', '');
	END IF;
	RETURN v_id;
END $$;
COMMENT ON FUNCTION chat.publish(text, text, jsonb, text, text) IS
'Sends an event to the subscribers of a channel if, and only if, the transaction commits; kept while no broker runs. Delivered at least once: the number given back travels along, so that repeats can be told.';

CREATE FUNCTION chat.broadcast_row() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_row jsonb := to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END);
	v_channel text := '';
	v_part text[];
BEGIN
	-- value by value, so that braces inside a value stay what they are
	FOR v_part IN SELECT regexp_matches(TG_ARGV[0], '([^{}]+)|\{([^{}]+)\}', 'g') LOOP
		v_channel := v_channel || coalesce(v_part[1], v_row ->> v_part[2]);
	END LOOP;
	IF v_channel IS NOT NULL THEN
		PERFORM chat.publish(v_channel, TG_ARGV[1], v_row);
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION chat.broadcast_row() IS
'Trigger made by chat.broadcast_on(): publishes the row. A row whose column in the channel''s name is null has no channel and is not published.';

CREATE FUNCTION chat.broadcast_on(p_table regclass, channel_template text, event text,
	ops text DEFAULT 'INSERT')
RETURNS name LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_column text;
	v_name name;
BEGIN
	IF channel_template !~ '^([^{}]|\{[^{}]+\})+$' THEN
		RAISE EXCEPTION 'invalid channel template "%"', channel_template USING
			ERRCODE = 'invalid_parameter_value', HINT = 'Write it as private-orders.{customer_id}.';
	END IF;
	FOR v_column IN SELECT (regexp_matches(channel_template, '\{([^{}]+)\}', 'g'))[1] LOOP
		IF NOT EXISTS (SELECT FROM pg_attribute a
			WHERE a.attrelid = p_table AND a.attname = v_column AND a.attnum > 0 AND NOT a.attisdropped)
		THEN
			RAISE EXCEPTION 'table % has no column "%"', p_table, v_column USING
				ERRCODE = 'undefined_column';
		END IF;
	END LOOP;
	IF coalesce(event, '') = '' OR octet_length(event) > 200 THEN
		RAISE EXCEPTION 'an event name has 1 to 200 bytes' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF ops !~* '^\s*(insert|update|delete)(\s+or\s+(insert|update|delete))*\s*$' THEN
		RAISE EXCEPTION 'invalid operations "%"', ops USING
			ERRCODE = 'invalid_parameter_value', HINT = 'Write them as INSERT OR UPDATE.';
	END IF;
	v_name := 'chat_broadcast_' || left(md5(channel_template || E'\n' || event), 16);
	EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER %s ON %s FOR EACH ROW EXECUTE FUNCTION chat.broadcast_row(%L, %L)',
		v_name, ops, p_table, channel_template, event);
	RETURN v_name;
END $$;
COMMENT ON FUNCTION chat.broadcast_on(regclass, text, text, text) IS
'Publishes each row of a table that is inserted (or ops, as INSERT OR UPDATE OR DELETE) as an event whose data is the row. {column} in the channel''s template stands for the row''s value. To be called by the table''s owner; the same channel and event again change ops. Gives the trigger''s name, for DROP TRIGGER.';

CREATE FUNCTION chat.cleanup_step(p_kind text, p_chunk int DEFAULT 5000)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	n bigint;
BEGIN
	CASE
	WHEN p_kind IN ('connection', 'channel_member', 'mirror_mark') THEN
		EXECUTE format('DELETE FROM chat.%1$I WHERE ctid = ANY (ARRAY(SELECT x.ctid FROM chat.%1$I x
			WHERE NOT EXISTS (SELECT FROM chat.fresh_broker b WHERE b.epoch = x.epoch) LIMIT $1))',
			p_kind) USING p_chunk;
	WHEN p_kind = 'user_presence' THEN
		-- users whose broker died were last seen at its last heartbeat
		WITH gone AS (
			DELETE FROM chat.user_presence WHERE ctid = ANY (ARRAY(
				SELECT x.ctid FROM chat.user_presence x
				WHERE NOT EXISTS (SELECT FROM chat.fresh_broker b WHERE b.epoch = x.epoch)
				LIMIT p_chunk))
			RETURNING epoch, app_id, user_id
		), seen AS (
			INSERT INTO chat.user_last_seen AS l (app_id, user_id, last_seen)
			SELECT g.app_id, g.user_id, max(coalesce(b.stopped_at, b.heartbeat_at))
			FROM gone g JOIN chat.broker b USING (epoch)
			GROUP BY 1, 2 ORDER BY 1, 2
			ON CONFLICT (app_id, user_id) DO UPDATE SET last_seen = excluded.last_seen
			WHERE l.last_seen < excluded.last_seen
		)
		SELECT count(*) INTO n FROM gone;
		RETURN n;
	WHEN p_kind = 'broker' THEN
		DELETE FROM chat.broker b
		WHERE coalesce(b.stopped_at, b.heartbeat_at) < now() - interval '30 days'
			AND NOT EXISTS (SELECT FROM chat.user_presence p WHERE p.epoch = b.epoch);
	WHEN p_kind = 'message_key' THEN
		DELETE FROM chat.message_key WHERE ctid = ANY (ARRAY(
			SELECT x.ctid FROM chat.message_key x
			WHERE x.created_at < now() - interval '3 days' LIMIT p_chunk));
	WHEN p_kind = 'token' THEN
		DELETE FROM chat.personal_access_tokens WHERE ctid = ANY (ARRAY(
			SELECT x.ctid FROM chat.personal_access_tokens x
			WHERE x.expires_at <= (now() AT TIME ZONE 'UTC') LIMIT p_chunk));
	ELSE
		RAISE EXCEPTION 'unknown kind of rows "%"', p_kind USING ERRCODE = 'invalid_parameter_value';
	END CASE;
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END $$;
COMMENT ON FUNCTION chat.cleanup_step(text, int) IS
'Removes a chunk of old rows of one kind and gives their number: connection, channel_member, user_presence, mirror_mark (left by dead brokers), broker (dead for 30 days), message_key (older than 3 days), token (expired).';

CREATE PROCEDURE chat.cleanup(p_chunk int DEFAULT 5000, INOUT removed jsonb DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
	k text;
	n bigint;
	total bigint;
BEGIN
	removed := '{}';
	FOREACH k IN ARRAY ARRAY['connection', 'channel_member', 'user_presence', 'mirror_mark', 'broker',
		'message_key', 'token'] LOOP
		total := 0;
		LOOP
			n := chat.cleanup_step(k, p_chunk);
			COMMIT;
			total := total + n;
			EXIT WHEN n < p_chunk OR k = 'broker';
		END LOOP;
		removed := removed || pg_catalog.jsonb_build_object(k, total);
	END LOOP;
END $$;
COMMENT ON PROCEDURE chat.cleanup(int, jsonb) IS
'Removes what dead brokers left and what is too old, in small transactions, and tells how many rows of each kind. Safe at any time, twice, and without a broker.';

RESET ROLE;
