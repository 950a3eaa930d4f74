-- 002_mirror: what the brokers hold in memory, for people to look at
--
-- The mirror tables are UNLOGGED: a crash of PostgreSQL, a promotion or a restored backup empties
-- them, a standby cannot read them, and the brokers write them again. A site that wants to look at
-- them on a standby may ALTER TABLE ... SET LOGGED; the brokers do not mind.
--
-- Columns that change with every write carry no index on purpose: one would end HOT updates.

SET ROLE chat_owner;

CREATE UNLOGGED TABLE chat.mirror_mark (
	epoch bigint PRIMARY KEY,
	token text NOT NULL
);
COMMENT ON TABLE chat.mirror_mark IS 'A broker that finds its own row gone knows that the unlogged tables were emptied and writes its whole state again.';
COMMENT ON COLUMN chat.mirror_mark.token IS 'Drawn by the broker for each whole write.';

CREATE UNLOGGED TABLE chat.connection (
	epoch        bigint NOT NULL,
	worker_id    int NOT NULL,
	conn_id      bigint NOT NULL,
	app_id       text COLLATE "C" NOT NULL,
	socket_id    text COLLATE "C" NOT NULL,
	user_id      text COLLATE "C",
	address      text COLLATE "C",
	agent        text,
	connected_at timestamptz NOT NULL,
	PRIMARY KEY (epoch, worker_id, conn_id)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000);
COMMENT ON TABLE chat.connection IS 'One row for each open client connection.';
COMMENT ON COLUMN chat.connection.conn_id IS 'First number of the socket id; unique in the cluster for a day.';
COMMENT ON COLUMN chat.connection.socket_id IS 'Name of the connection that the client was told.';
COMMENT ON COLUMN chat.connection.user_id IS 'User that the connection is identified as; null while it is nobody.';
COMMENT ON COLUMN chat.connection.address IS 'Address of the client, as a trusted proxy reports it if there is one.';
COMMENT ON COLUMN chat.connection.agent IS 'What the client says it is: library and version.';

CREATE UNLOGGED TABLE chat.channel_member (
	epoch     bigint NOT NULL,
	worker_id int NOT NULL,
	conn_id   bigint NOT NULL,
	channel   text COLLATE "C" NOT NULL,
	app_id    text COLLATE "C" NOT NULL,
	user_id   text COLLATE "C",
	user_info jsonb,
	joined_at timestamptz NOT NULL,
	PRIMARY KEY (epoch, worker_id, conn_id, channel)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000);
CREATE INDEX channel_member_channel ON chat.channel_member (app_id, channel);
COMMENT ON TABLE chat.channel_member IS 'One row for each subscription of a connection to a channel.';
COMMENT ON COLUMN chat.channel_member.user_id IS 'Member of the presence channel; on other channels the user of the connection, if it has one.';
COMMENT ON COLUMN chat.channel_member.user_info IS 'What a presence member shows of itself; null where it holds a NUL character, which jsonb cannot.';

CREATE UNLOGGED TABLE chat.user_presence (
	epoch        bigint NOT NULL,
	app_id       text COLLATE "C" NOT NULL,
	user_id      text COLLATE "C" NOT NULL,
	connections  int NOT NULL CHECK (connections >= 0),
	online_since timestamptz NOT NULL,
	changed_at   timestamptz NOT NULL,
	PRIMARY KEY (epoch, app_id, user_id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000);
COMMENT ON TABLE chat.user_presence IS 'Users with at least one identified connection on the node of that epoch.';
COMMENT ON COLUMN chat.user_presence.connections IS 'Identified connections; 0 while a user who went is still given time to return.';

CREATE TABLE chat.user_last_seen (
	app_id    text COLLATE "C" NOT NULL,
	user_id   text COLLATE "C" NOT NULL,
	last_seen timestamptz NOT NULL,
	PRIMARY KEY (app_id, user_id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000);
COMMENT ON TABLE chat.user_last_seen IS 'When the last connection of a user went. Durable, unlike the mirror: it must outlive a crash.';

CREATE VIEW chat.connections AS
	SELECT c.app_id, c.socket_id, c.user_id, c.address, c.agent, c.connected_at,
		b.node, c.worker_id, c.conn_id
	FROM chat.connection c JOIN chat.live_broker b USING (epoch);
COMMENT ON VIEW chat.connections IS 'Open client connections with the node and the worker that hold them.';

CREATE VIEW chat.channel_occupancy AS
	SELECT m.app_id, m.channel, count(*) AS subscriptions, count(DISTINCT m.user_id) AS users,
		min(m.joined_at) AS occupied_since
	FROM chat.channel_member m JOIN chat.live_broker b USING (epoch)
	GROUP BY m.app_id, m.channel;
COMMENT ON VIEW chat.channel_occupancy IS 'Channels in use now, with subscriptions and distinct users.';

CREATE VIEW chat.stale_rows AS
	SELECT t.epoch, t.table_name, t.row_count
	FROM (
		SELECT epoch, 'connection' AS table_name, count(*) AS row_count FROM chat.connection GROUP BY 1
		UNION ALL SELECT epoch, 'channel_member', count(*) FROM chat.channel_member GROUP BY 1
		UNION ALL SELECT epoch, 'user_presence', count(*) FROM chat.user_presence GROUP BY 1
		UNION ALL SELECT epoch, 'mirror_mark', count(*) FROM chat.mirror_mark GROUP BY 1
	) t
	WHERE NOT EXISTS (SELECT FROM chat.fresh_broker b WHERE b.epoch = t.epoch);
COMMENT ON VIEW chat.stale_rows IS 'What dead brokers left in the mirror tables, by table: the next cleanup removes it.';

CREATE VIEW chat.mirror_lag AS
	SELECT b.node, b.epoch, v.epoch IS NOT NULL AS alive, now() - b.heartbeat_at AS heartbeat_age,
		b.mirror_pending AS pending, now() - b.mirror_flushed_at AS lag
	FROM chat.broker b LEFT JOIN chat.live_broker v USING (epoch)
	WHERE b.stopped_at IS NULL;
COMMENT ON VIEW chat.mirror_lag IS 'How far the mirror of each node is behind its broker, as of the last heartbeat; not alive: the broker is gone or cannot reach the database.';

RESET ROLE;
