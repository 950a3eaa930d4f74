-- Lives of brokers, and the views that show only what living ones report.
SELECT plan(25);

CREATE TEMP TABLE life AS SELECT chat.broker_start('n', 'host', 1, 'v') AS epoch;
SELECT is_empty($$SELECT * FROM chat.live_broker WHERE node = 'n'$$, 'without its guard lock a broker does not live');
SELECT pg_advisory_lock(1667785076, hashtext('n')) \g /dev/null
SELECT is((SELECT count(*) FROM chat.live_broker WHERE node = 'n'), 1::bigint, 'a broker lives');
SELECT ok(chat.broker_heartbeat((SELECT epoch FROM life)), 'its heart beats');
SELECT ok(chat.broker_heartbeat((SELECT epoch FROM life), '2026-01-01Z', 5), 'and tells of the mirror');
SELECT ok(chat.broker_heartbeat((SELECT epoch FROM life)), 'without it, what was told stays');
SELECT results_eq($$SELECT pending, alive FROM chat.mirror_lag WHERE node = 'n'$$,
	$$VALUES (5::bigint, true)$$, 'the lag is seen');

INSERT INTO chat.app_user (user_id, name) VALUES ('1', 'Ada');
INSERT INTO chat.connection SELECT epoch, 1, 10, 'app', '10.1', '1', '::1', 'js', now() FROM life;
INSERT INTO chat.channel_member
SELECT epoch, 1, 10, 'presence-a', 'app', '1', '{"name": "Ada"}'::jsonb, now() FROM life
UNION ALL SELECT epoch, 1, 11, 'presence-a', 'app', '1', NULL, now() FROM life;
INSERT INTO chat.user_presence SELECT epoch, 'app', '1', 2, now(), now() FROM life;
SELECT results_eq('SELECT user_id COLLATE "default", name, connections, nodes FROM chat.who_is_online',
	$$VALUES ('1', 'Ada', 2, ARRAY['n'])$$, 'who is online');
SELECT results_eq('SELECT channel COLLATE "default", subscriptions, users FROM chat.channel_occupancy',
	$$VALUES ('presence-a', 2::bigint, 1::bigint)$$, 'how full a channel is');
SELECT results_eq('SELECT name, conn_id, socket_id COLLATE "default" FROM chat.who_is_where ORDER BY conn_id',
	$$VALUES ('Ada', 10::bigint, '10.1'), ('Ada', 11, NULL)$$, 'who is where');
SELECT is((SELECT count(*) FROM chat.connections), 1::bigint, 'connections');
SELECT results_eq('SELECT user_id COLLATE "default", is_online, last_seen IS NULL FROM chat.last_seen',
	$$VALUES ('1', true, true)$$, 'last seen of one who is here');
SELECT is_empty('SELECT * FROM chat.stale_rows', 'nothing is stale');

SELECT pg_advisory_unlock(1667785076, hashtext('n')) \g /dev/null
SELECT is_empty('SELECT * FROM chat.who_is_online', 'what it wrote is not shown when its connection has gone');
SELECT is_empty('SELECT * FROM chat.stale_rows', 'but not yet taken for stale');
SELECT is((chat.cleanup_step('user_presence')), 0::bigint, 'nor cleaned away');
SELECT pg_advisory_lock(1667785076, hashtext('n')) \g /dev/null

CREATE TEMP TABLE successor AS SELECT chat.broker_start('n', 'host', 2, 'v') AS epoch;
SELECT cmp_ok((SELECT epoch FROM successor), '>', (SELECT epoch FROM life), 'a successor has a higher epoch');
SELECT ok(NOT chat.broker_heartbeat((SELECT epoch FROM life)), 'whose predecessor is told that it ended');
SELECT is((SELECT count(*) FROM chat.live_broker WHERE node = 'n'), 1::bigint, 'one of a node lives');
SELECT is_empty('SELECT * FROM chat.who_is_online', 'what the dead one wrote is shown no more');
SELECT is_empty('SELECT * FROM chat.who_is_where', 'nowhere');
SELECT is((SELECT sum(row_count) FROM chat.stale_rows), 4::numeric, 'but as stale');

UPDATE chat.broker SET heartbeat_at = now() - interval '46 seconds' WHERE epoch = (SELECT epoch FROM successor);
SELECT is_empty($$SELECT * FROM chat.live_broker WHERE node = 'n'$$, 'without heartbeats it counts as dead');
SELECT ok(chat.broker_heartbeat((SELECT epoch FROM successor)), 'and lives again with the next');
SELECT ok(chat.broker_stop((SELECT epoch FROM successor)), 'an orderly stop');
SELECT ok(NOT chat.broker_stop((SELECT epoch FROM successor)), 'happens once');
