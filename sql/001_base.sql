-- 001_base: roles, schema, applied versions, lives of brokers

DO $$
DECLARE
	r text;
BEGIN
	FOREACH r IN ARRAY ARRAY['chat_owner', 'chat_broker', 'chat_app', 'chat_readonly'] LOOP
		IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN
			EXECUTE format('CREATE ROLE %I NOLOGIN', r);
		END IF;
	END LOOP;
	IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'chat') THEN
		CREATE SCHEMA chat AUTHORIZATION chat_owner;
	END IF;
END $$;

SET ROLE chat_owner;

-- What later files create is nobody's until 006_grants or a successor of it hands it out.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON ROUTINES FROM PUBLIC;

COMMENT ON SCHEMA chat IS 'Real-time chat server: what the brokers hold in memory, for people to look at; the chats; publishing from SQL.';

CREATE TABLE chat.schema_version (
	version    int PRIMARY KEY CHECK (version > 0),
	name       text NOT NULL,
	sha256     text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
	applied_at timestamptz NOT NULL DEFAULT now(),
	applied_by name NOT NULL DEFAULT session_user
);
COMMENT ON TABLE chat.schema_version IS 'One row for each migration file that was applied, written in the transaction of the file itself.';
COMMENT ON COLUMN chat.schema_version.sha256 IS 'Digest of the file as it was applied; a released file never changes.';

CREATE TABLE chat.broker (
	epoch             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	node              text NOT NULL CHECK (node <> ''),
	host              text NOT NULL,
	pid               int NOT NULL,
	version           text NOT NULL,
	started_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
	heartbeat_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
	stopped_at        timestamptz,
	mirror_flushed_at timestamptz,
	mirror_pending    bigint
) WITH (fillfactor = 50);
COMMENT ON TABLE chat.broker IS 'One row for each life of a broker process. Every row of the mirror tables carries the epoch of the broker that wrote it.';
COMMENT ON COLUMN chat.broker.epoch IS 'Grows with each start. Rows of an epoch that is not live are stale and shown by no view.';
COMMENT ON COLUMN chat.broker.node IS 'Configured name of the node; the guard lock lets one broker of a node live at a time.';
COMMENT ON COLUMN chat.broker.heartbeat_at IS 'Written every few seconds while the broker reaches the database; 45 s without it count as dead.';
COMMENT ON COLUMN chat.broker.stopped_at IS 'Set at an orderly stop; a successor on the node sets it to the last heartbeat.';
COMMENT ON COLUMN chat.broker.mirror_flushed_at IS 'When everything the broker knew was last in the mirror tables, as told by its last heartbeat.';
COMMENT ON COLUMN chat.broker.mirror_pending IS 'Rows of the mirror that were not yet written at the last heartbeat.';

CREATE VIEW chat.fresh_broker AS
	SELECT epoch, node, host, pid, version, started_at, heartbeat_at
	FROM chat.broker
	WHERE stopped_at IS NULL AND heartbeat_at > now() - interval '45 seconds';
COMMENT ON VIEW chat.fresh_broker IS 'Brokers that may be alive: they did not stop, and were heard of. Nothing that they wrote is cleaned away.';

-- The guard lock goes with the connection of a broker, and so within no time when its process dies.
-- A standby knows nothing of it; there the heartbeat alone must do.
CREATE VIEW chat.live_broker AS
	SELECT b.epoch, b.node, b.host, b.pid, b.version, b.started_at, b.heartbeat_at
	FROM chat.fresh_broker b
	WHERE pg_is_in_recovery() OR EXISTS (
		SELECT FROM pg_locks l
		WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid = 1667785076
			AND l.objid = (hashtext(b.node)::bigint & 4294967295)::oid
			AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()));
COMMENT ON VIEW chat.live_broker IS 'Brokers that are alive now: heard of, and connected with their guard lock. Every view of the mirror joins it, so what a dead broker left vanishes from all of them at once.';

CREATE FUNCTION chat.broker_start(p_node text, p_host text, p_pid int, p_version text)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_epoch bigint;
BEGIN
	UPDATE chat.broker SET stopped_at = heartbeat_at WHERE node = p_node AND stopped_at IS NULL;
	INSERT INTO chat.broker (node, host, pid, version) VALUES (p_node, p_host, p_pid, p_version)
	RETURNING epoch INTO v_epoch;
	RETURN v_epoch;
END $$;
COMMENT ON FUNCTION chat.broker_start(text, text, int, text) IS 'Begins the life of a broker, ends those before it on the node, and gives its epoch. To be called on the connection that holds the guard lock.';

CREATE FUNCTION chat.broker_heartbeat(p_epoch bigint, p_mirror_flushed_at timestamptz DEFAULT NULL,
	p_mirror_pending bigint DEFAULT NULL)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	UPDATE chat.broker
	SET heartbeat_at = clock_timestamp(),
		mirror_flushed_at = coalesce(p_mirror_flushed_at, mirror_flushed_at),
		mirror_pending = coalesce(p_mirror_pending, mirror_pending)
	WHERE epoch = p_epoch AND stopped_at IS NULL;
	RETURN FOUND;
END $$;
COMMENT ON FUNCTION chat.broker_heartbeat(bigint, timestamptz, bigint) IS 'False: a successor has taken the node over, the caller must write nothing more and end.';

CREATE FUNCTION chat.broker_stop(p_epoch bigint)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	UPDATE chat.broker SET heartbeat_at = clock_timestamp(), stopped_at = clock_timestamp()
	WHERE epoch = p_epoch AND stopped_at IS NULL;
	RETURN FOUND;
END $$;
COMMENT ON FUNCTION chat.broker_stop(bigint) IS 'Ends the life of a broker in good order. False: it had ended already.';

RESET ROLE;
