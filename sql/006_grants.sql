-- 006_grants: who may do what
--
-- chat_broker    the brokers: functions, and writing to the mirror; no message, token or user directly
-- chat_app       applications in the same database: publishing, and looking at who is there
-- chat_readonly  people: everything but texts of messages, tokens and the outbox
--
-- Whatever a later file adds is granted by that file.

SET ROLE chat_owner;

REVOKE ALL ON SCHEMA chat FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA chat FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA chat FROM PUBLIC;
GRANT USAGE ON SCHEMA chat TO chat_broker, chat_app, chat_readonly;

-- chat_broker
GRANT SELECT ON chat.schema_version, chat.broker, chat.fresh_broker,
	chat.live_broker, chat.who_is_online,
	chat.who_is_where, chat.connections, chat.channel_occupancy, chat.last_seen, chat.stale_rows,
	chat.mirror_lag TO chat_broker;
GRANT SELECT, INSERT, UPDATE, DELETE ON chat.connection, chat.channel_member, chat.user_presence,
	chat.mirror_mark, chat.outbox_wake TO chat_broker;
GRANT SELECT, INSERT, UPDATE ON chat.user_last_seen TO chat_broker;
GRANT SELECT, DELETE ON chat.outbox TO chat_broker;
GRANT EXECUTE ON FUNCTION
	chat.broker_start(text, text, int, text),
	chat.broker_heartbeat(bigint, timestamptz, bigint),
	chat.broker_stop(bigint),
	chat.post_messages(bigint[], text[], uuid[], text[], bigint[], json[], boolean),
	chat.edit_message(bigint, text, text, boolean),
	chat.delete_message(bigint, text, boolean),
	chat.find_message(bigint, text, boolean),
	chat.history(bigint, text, bigint, int, boolean),
	chat.catch_up(bigint, text, bigint, int, boolean),
	chat.move_cursors(bigint[], text[], bigint[], bigint[]),
	chat.receipts(bigint, text),
	chat.create_chat(text, text, text[], boolean),
	chat.add_participant(bigint, text, text, boolean),
	chat.remove_participant(bigint, text, text),
	chat.active_chats(text, timestamptz, bigint, int, boolean),
	chat.chat_view(bigint[], text[], boolean),
	chat.chat_view(bigint, text, boolean),
	chat.participant(bigint, text),
	chat.participants(bigint[], int),
	chat.shares_chat(text, text[]),
	chat.users(text, text[]),
	chat.contacts(text, text, text[], int),
	chat.set_last_seen_policy(text, text),
	chat.set_hidden(text, timestamptz),
	chat.find_token(text, text),
	chat.touch_token(bigint[]),
	chat.publish(text, text, jsonb, text, text),
	chat.cleanup_step(text, int)
	TO chat_broker;
GRANT EXECUTE ON PROCEDURE chat.cleanup(int, jsonb) TO chat_broker;

-- chat_app
GRANT EXECUTE ON FUNCTION chat.publish(text, text, jsonb, text, text), chat.broadcast_row(),
	chat.broadcast_on(regclass, text, text, text) TO chat_app;
-- for triggers on tables of its own
GRANT EXECUTE ON FUNCTION chat.token_changed(), chat.participant_removed() TO chat_app;
GRANT SELECT ON chat.who_is_online, chat.last_seen, chat.channel_occupancy, chat.unread TO chat_app;

-- chat_readonly
GRANT SELECT ON chat.schema_version, chat.broker, chat.fresh_broker,
	chat.live_broker, chat.mirror_mark,
	chat.connection, chat.channel_member, chat.user_presence, chat.user_last_seen, chat.connections,
	chat.channel_occupancy, chat.stale_rows, chat.mirror_lag, chat.app_user, chat.user_setting,
	chat.chat, chat.participant, chat.message_key, chat.unread, chat.who_is_online,
	chat.who_is_where, chat.last_seen, chat.outbox_wake TO chat_readonly;
GRANT SELECT (chat_id, seq, message_id, sender_id, client_id, reply_to, created_at, edited_at,
	deleted_at) ON chat.message TO chat_readonly;

RESET ROLE;
