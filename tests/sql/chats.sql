-- Making chats, who takes part, and the lists of them.
SELECT plan(39);

INSERT INTO chat.app_user (user_id, name) VALUES ('a', 'Ada'), ('b', 'Bob'), ('c', 'Cyd'), ('d', 'Dee');
CREATE TEMP TABLE made AS SELECT * FROM chat.create_chat('Club', 'a', ARRAY['b', 'a', 'b']);
SELECT is((SELECT status FROM made), 'created', 'a chat is made');
SELECT results_eq(
	$$SELECT p.user_id, p.user_name, p.is_owner, p.owner_id, p.direct, p.participant_count
		FROM made, chat.participants(ARRAY[made.chat_id]) p$$,
	$$VALUES ('a', 'Ada', true, 'a', false, 2::bigint), ('b', 'Bob', false, 'a', false, 2)$$,
	'each takes part once, the maker first');
SELECT results_eq($$SELECT status, unknown FROM chat.create_chat(NULL, 'a', '{b,y,z}')$$,
	$$VALUES ('unknown_users', ARRAY['y', 'z'])$$, 'users that do not exist');
SELECT results_eq($$SELECT status FROM chat.create_chat(NULL, 'a', '{}', true)$$, $$VALUES ('not_two')$$,
	'a direct chat is of two');
SELECT results_eq($$SELECT status FROM chat.create_chat(NULL, 'a', '{a}', true)$$, $$VALUES ('not_two')$$,
	'different ones');
CREATE TEMP TABLE direct AS SELECT * FROM chat.create_chat(NULL, 'b', '{a}', true);
SELECT is((SELECT status FROM direct), 'created', 'a direct chat');
SELECT results_eq($$SELECT c.status, c.chat_id = d.chat_id FROM direct d, chat.create_chat(NULL, 'a', '{b}', true) c$$,
	$$VALUES ('exists', true)$$, 'of the same two, either way round, there is one');

CREATE FUNCTION pg_temp.club() RETURNS bigint LANGUAGE sql AS 'SELECT chat_id FROM made';
SELECT results_eq($$SELECT status, user_name, owner_id FROM chat.add_participant(pg_temp.club(), 'c', 'b')$$,
	$$VALUES ('added', 'Cyd', 'a')$$, 'a member adds one');
SELECT results_eq($$SELECT status FROM chat.add_participant(pg_temp.club(), 'd', 'b', false)$$,
	$$VALUES ('forbidden')$$, 'unless only the owner may');
SELECT results_eq($$SELECT status FROM chat.add_participant(pg_temp.club(), 'd', 'a', false)$$,
	$$VALUES ('added')$$, 'who then may');
SELECT results_eq($$SELECT status FROM chat.add_participant(pg_temp.club(), 'd', 'b')$$,
	$$VALUES ('present')$$, 'one who is there');
SELECT results_eq($$SELECT status FROM chat.add_participant(pg_temp.club(), 'z', 'b')$$,
	$$VALUES ('unknown_user')$$, 'one who does not exist');
SELECT results_eq($$SELECT status FROM chat.add_participant(999999, 'd', 'b')$$,
	$$VALUES ('forbidden')$$, 'a chat that does not exist');
SELECT results_eq($$SELECT a.status FROM direct, chat.add_participant(direct.chat_id, 'd', 'a') a$$,
	$$VALUES ('forbidden')$$, 'nobody joins a direct chat');

SELECT results_eq($$SELECT status FROM chat.remove_participant(pg_temp.club(), 'd', 'b')$$,
	$$VALUES ('forbidden')$$, 'members do not remove others');
SELECT results_eq($$SELECT status, user_name, owner_id FROM chat.remove_participant(pg_temp.club(), 'd', 'a')$$,
	$$VALUES ('removed', 'Dee', 'a')$$, 'the owner does');
SELECT results_eq($$SELECT status FROM chat.remove_participant(pg_temp.club(), 'd', 'a')$$,
	$$VALUES ('absent')$$, 'once');
SELECT results_eq($$SELECT status, owner_id FROM chat.remove_participant(pg_temp.club(), 'a', 'a')$$,
	$$VALUES ('removed', 'b')$$, 'the chat of an owner who leaves passes on');
SELECT results_eq($$SELECT status FROM chat.remove_participant(pg_temp.club(), 'b', 'a')$$,
	$$VALUES ('forbidden')$$, 'who left has no say');
SELECT results_eq($$SELECT r.status FROM direct, chat.remove_participant(direct.chat_id, 'a', 'a') r$$,
	$$VALUES ('forbidden')$$, 'nobody leaves a direct chat');
SELECT results_eq($$SELECT r.owner_id FROM unnest(ARRAY['c', 'b']) WITH ORDINALITY u(u, o),
	LATERAL chat.remove_participant(pg_temp.club(), u.u, u.u) r ORDER BY u.o$$,
	$$VALUES ('b'), (NULL)$$, 'all leave');
SELECT results_eq($$SELECT status, owner_id FROM chat.add_participant(pg_temp.club(), 'a')$$,
	$$VALUES ('added', 'a')$$, 'an administrator brings one back, who owns it');
SELECT ok((SELECT chat.add_participant(pg_temp.club(), 'b', 'a') IS NOT NULL), 'and another');

-- what each sees
SELECT is((SELECT p.joined_seq FROM chat.participant(pg_temp.club(), 'b') p), 0::bigint, 'before any message');
SELECT is((SELECT count(*) FROM chat.post_messages(ARRAY[pg_temp.club(), pg_temp.club()], '{a,a}', '{NULL,NULL}',
	'{one,two}', '{NULL,NULL}', '{NULL,NULL}')), 2::bigint, 'two messages');
SELECT results_eq($$SELECT last_seq, unread_count, body, sender_name, seq FROM chat.chat_view(pg_temp.club(), 'b')$$,
	$$VALUES (2::bigint, 2::bigint, 'two', 'Ada', 2::bigint)$$, 'a chat with its newest message');
SELECT results_eq($$SELECT unread_count FROM chat.chat_view(pg_temp.club(), 'a')$$, $$VALUES (0::bigint)$$,
	'the sender has nothing unread');
SELECT is_empty($$SELECT * FROM chat.chat_view(pg_temp.club(), 'd')$$, 'others see nothing');
SELECT ok((SELECT chat.add_participant(pg_temp.club(), 'c', 'a') IS NOT NULL), 'Cyd joins');
SELECT results_eq($$SELECT unread_count, message_id IS NULL, last_seq FROM chat.chat_view(pg_temp.club(), 'c')$$,
	$$VALUES (0::bigint, true, 2::bigint)$$, 'with nothing unread, and nothing to see');
SELECT results_eq($$SELECT body FROM chat.chat_view(pg_temp.club(), 'c', true)$$, $$VALUES ('two')$$,
	'unless all is seen');
SELECT results_eq($$SELECT user_id, unread_count FROM chat.chat_view(
	ARRAY[pg_temp.club(), pg_temp.club(), 999999], '{b,a,a}')$$,
	$$VALUES ('b', 2::bigint), ('a', 0)$$, 'several at once');
SELECT results_eq($$SELECT user_id, participant_count FROM chat.participants(ARRAY[pg_temp.club()], 2)$$,
	$$VALUES ('a', 3::bigint), ('b', 3)$$, 'the first of the participants, all counted');

UPDATE chat.chat SET last_message_at = '2030-01-01Z' WHERE chat_id = pg_temp.club();
UPDATE chat.chat SET created_at = '2029-01-01Z' WHERE chat_id = (SELECT chat_id FROM direct);
CREATE TEMP TABLE page AS SELECT * FROM chat.active_chats('b', NULL, NULL, 1);
SELECT results_eq($$SELECT chat_id = pg_temp.club(), name, direct, body FROM page$$,
	$$VALUES (true, 'Club', false, 'two')$$, 'the newest activity first');
SELECT results_eq($$SELECT a.chat_id = d.chat_id, a.direct, a.message_id FROM page, direct d,
	chat.active_chats('b', page.updated_at, page.chat_id, 10) a$$,
	$$VALUES (true, true, NULL::bigint)$$, 'then the next page');
SELECT is_empty($$SELECT * FROM chat.active_chats('z', NULL, NULL, 10)$$, 'a user without chats');
SELECT is((SELECT count(*) FROM chat.active_chats('b', NULL, NULL, 10)), 2::bigint, 'all in one');

SELECT results_eq($$SELECT user_id FROM chat.shares_chat('b') ORDER BY user_id$$, $$VALUES ('a'), ('c')$$,
	'who shares a chat');
SELECT results_eq($$SELECT user_id FROM chat.shares_chat('b', '{c,d,b}')$$, $$VALUES ('c')$$, 'of some');
