-- Users, their settings, and tokens.
SELECT plan(27);

INSERT INTO chat.app_user (user_id, name, info) VALUES ('a', 'Ada', '{"x": 1}'), ('b', 'Bob', NULL);
INSERT INTO chat.user_last_seen VALUES ('app', 'a', '2026-01-01Z'), ('other', 'a', '2027-01-01Z');
SELECT results_eq(
	$$SELECT user_id, user_name, user_info, last_seen, policy, hidden_since FROM chat.users('app', '{a,z}')$$,
	$$VALUES ('a', 'Ada', '{"x": 1}'::jsonb, '2026-01-01Z'::timestamptz, 'everyone', NULL::timestamptz)$$,
	'a user, as seen in one application');
SELECT lives_ok($$SELECT chat.set_last_seen_policy('a', 'contacts')$$, 'a policy');
SELECT is((SELECT policy FROM chat.users('app', '{a}')), 'contacts', 'is kept');
SELECT throws_ok($$SELECT chat.set_last_seen_policy('a', 'friends')$$, '23514', NULL, 'one of three');
SELECT is(chat.set_hidden('a', '2026-02-01Z'), '2026-02-01Z'::timestamptz, 'hidden');
SELECT is(chat.set_hidden('a', '2026-03-01Z'), '2026-02-01Z'::timestamptz, 'since the first time');
SELECT is((SELECT policy FROM chat.users('app', '{a}')), 'contacts', 'the policy stays');
SELECT is(chat.set_hidden('a', NULL), NULL::timestamptz, 'shown again');
SELECT is((SELECT hidden_since FROM chat.users('app', '{a}')), NULL::timestamptz, 'is kept too');

SELECT is((SELECT status FROM chat.create_chat(NULL, 'a', '{b}')), 'created', 'a chat of two');
SELECT results_eq($$SELECT user_id, user_name FROM chat.contacts('app', 'a')$$, $$VALUES ('b', 'Bob')$$,
	'contacts are those who share a chat');
SELECT is_empty($$SELECT * FROM chat.contacts('app', 'a', '{a,z}')$$, 'of some');
SELECT is_empty($$SELECT * FROM chat.contacts('app', 'a', NULL, 0)$$, 'at most so many');

-- tokens
INSERT INTO chat.personal_access_tokens (id, tokenable_type, tokenable_id, name, token, abilities, expires_at) VALUES
	(900001, DEFAULT, 'a', 'x', repeat('1', 64), '["*"]', NULL),
	(900002, DEFAULT, 'a', 'x', repeat('2', 64), NULL, (now() - interval '1 minute') AT TIME ZONE 'UTC'),
	(900003, DEFAULT, 'a', 'x', repeat('3', 64), NULL, (now() + interval '1 minute') AT TIME ZONE 'UTC'),
	(900004, 'App\Models\Device', 'a', 'x', repeat('4', 64), NULL, NULL),
	(900005, DEFAULT, 'gone', 'x', repeat('5', 64), NULL, NULL);
SELECT results_eq($$SELECT token_id, user_id, user_name, abilities, token_sha256 FROM chat.find_token('900001', '')$$,
	$$VALUES (900001::bigint, 'a', 'Ada', '["*"]', repeat('1', 64))$$, 'a token by id');
SELECT is((SELECT token_id FROM chat.find_token('', repeat('1', 64))), 900001::bigint, 'or by digest');
SELECT is((SELECT token_id FROM chat.find_token(NULL, repeat('1', 64))), 900001::bigint, 'without an id');
SELECT is_empty(format('SELECT * FROM chat.find_token(%L, %L)', i, ''), w) FROM (VALUES
	('900002', 'an expired one is none'), ('900004', 'nor one of another model'),
	('900005', 'nor one without its user'), ('1 OR 1=1', 'nor an id that is no number'),
	('99999999999999999999', 'nor one that is too large')) v(i, w);
SET LOCAL TimeZone = 'America/New_York';
SELECT is((SELECT count(*) FROM unnest(ARRAY['900002', '900003']) i, chat.find_token(i, '')), 1::bigint,
	'times are UTC whatever the session''s zone');

DO $$ BEGIN PERFORM chat.touch_token('{900001}'); END $$;
SELECT ok((SELECT last_used_at IS NOT NULL FROM chat.personal_access_tokens WHERE id = 900001), 'use is noted');
UPDATE chat.personal_access_tokens SET last_used_at = (now() AT TIME ZONE 'UTC') - interval '30 seconds'
WHERE id = 900001;
DO $$ BEGIN PERFORM chat.touch_token('{900001}'); END $$;
SELECT ok((SELECT last_used_at < (now() AT TIME ZONE 'UTC') - interval '20 seconds'
	FROM chat.personal_access_tokens WHERE id = 900001), 'at most once a minute');

SELECT triggers_are('chat', 'personal_access_tokens', ARRAY['chat_token_changed', 'chat_token_truncated'],
	'changes of tokens are told');
DELETE FROM chat.app_user WHERE user_id = 'a';
SELECT is((SELECT count(*) FROM chat.personal_access_tokens WHERE id IN (900001, 900002, 900003)), 0::bigint,
	'tokens go with their user');
SELECT is((SELECT count(*) FROM chat.personal_access_tokens WHERE id = 900004), 1::bigint, 'not those of another model');
