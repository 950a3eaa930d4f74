-- Who may do what: each role can what it needs, and nothing beside it.
SELECT plan(36);

SELECT is_empty(
	$$SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'chat'::regnamespace
		AND has_function_privilege('public', p.oid, 'EXECUTE')$$, 'PUBLIC runs nothing');
SELECT is_empty(
	$$SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'chat'::regnamespace AND c.relkind IN ('r', 'v')
		AND has_table_privilege('public', c.oid, 'SELECT, INSERT, UPDATE, DELETE')$$, 'and reads nothing');
SELECT ok(NOT has_schema_privilege('public', 'chat', 'USAGE'), 'and does not get in');
SELECT is_empty($$SELECT rolname FROM pg_roles WHERE rolname IN ('chat_owner', 'chat_broker', 'chat_app',
	'chat_readonly') AND (rolcanlogin OR rolsuper)$$, 'no role of ours can log in');

INSERT INTO chat.app_user (user_id, name) VALUES ('a', 'Ada'), ('b', 'Bob');
INSERT INTO chat.chat (chat_id) VALUES (900001);
INSERT INTO chat.participant (chat_id, user_id) VALUES (900001, 'a'), (900001, 'b');
GRANT USAGE ON SCHEMA public TO chat_broker, chat_app, chat_readonly;

SET LOCAL ROLE chat_broker;
SELECT lives_ok(q, 'broker: ' || q) FROM unnest(ARRAY[
	$$SELECT * FROM chat.post_messages('{900001}', '{a}', '{NULL}', '{x}', '{NULL}', '{NULL}')$$,
	$$SELECT * FROM chat.move_cursors('{900001}', '{b}', '{1}', '{1}')$$,
	$$SELECT * FROM chat.find_token('1', '')$$,
	$$SELECT * FROM chat.create_chat(NULL, 'a', '{b}')$$,
	$$SELECT chat.broker_heartbeat(chat.broker_start('n', 'h', 1, 'v'))$$,
	$$SELECT max(version) FROM chat.schema_version$$,
	$$INSERT INTO chat.user_last_seen VALUES ('app', 'a', now()) ON CONFLICT DO NOTHING$$,
	$$INSERT INTO chat.outbox_wake VALUES (true, true)
		ON CONFLICT (one) DO UPDATE SET sleeping = excluded.sleeping$$,
	$$DELETE FROM chat.outbox$$,
	$$INSERT INTO chat.mirror_mark VALUES (1, 'x')$$,
	$$SELECT chat.cleanup_step('token')$$]) q;
SELECT throws_ok(q, '42501', NULL, 'broker may not: ' || q) FROM unnest(ARRAY[
	$$SELECT * FROM chat.message$$,
	$$SELECT * FROM chat.personal_access_tokens$$,
	$$SELECT * FROM chat.app_user$$,
	$$UPDATE chat.chat SET last_seq = 0$$,
	$$INSERT INTO chat.outbox (channel, event, payload) VALUES ('c', 'e', '{}')$$,
	$$DELETE FROM chat.user_last_seen$$,
	$$SELECT * FROM chat.change_message(1, 'a', 'x', false, false)$$,
	$$CREATE TABLE chat.mine (x int)$$]) q;

SET LOCAL ROLE chat_app;
SELECT lives_ok(q, 'app: ' || q) FROM unnest(ARRAY[
	$$SELECT chat.publish('c', 'e', '{}')$$,
	$$SELECT * FROM chat.who_is_online$$]) q;
SELECT throws_ok(q, '42501', NULL, 'app may not: ' || q) FROM unnest(ARRAY[
	$$SELECT * FROM chat.outbox$$,
	$$SELECT * FROM chat.post_messages('{900001}', '{a}', '{NULL}', '{x}', '{NULL}', '{NULL}')$$,
	$$SELECT chat.broker_start('n', 'h', 1, 'v')$$]) q;

SET LOCAL ROLE chat_readonly;
SELECT lives_ok(q, 'readonly: ' || q) FROM unnest(ARRAY[
	$$SELECT chat_id, seq, sender_id FROM chat.message$$,
	$$SELECT * FROM chat.who_is_where$$,
	$$SELECT * FROM chat.stale_rows$$]) q;
SELECT throws_ok(q, '42501', NULL, 'readonly may not: ' || q) FROM unnest(ARRAY[
	$$SELECT body FROM chat.message$$,
	$$SELECT meta FROM chat.message$$,
	$$SELECT token FROM chat.personal_access_tokens$$,
	$$SELECT payload FROM chat.outbox$$,
	$$DELETE FROM chat.participant$$]) q;
RESET ROLE;
