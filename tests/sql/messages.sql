-- Storing, changing and reading messages.
SELECT plan(33);

INSERT INTO chat.app_user (user_id, name) VALUES ('a', 'Ada'), ('b', 'Bob'), ('c', 'Cyd');
INSERT INTO chat.chat (chat_id) VALUES (900001), (900002);
INSERT INTO chat.participant (chat_id, user_id) VALUES (900001, 'a'), (900001, 'b'), (900002, 'a');

CREATE FUNCTION pg_temp.post(chat bigint, sender text, key uuid, body text, reply bigint DEFAULT NULL,
	see_all boolean DEFAULT false)
RETURNS TABLE (status text, seq bigint, message_id bigint, body text, reply_to bigint) LANGUAGE sql AS $$
	SELECT p.status, p.seq, p.message_id, p.body, p.reply_to
	FROM chat.post_messages(ARRAY[chat], ARRAY[sender], ARRAY[key], ARRAY[body], ARRAY[reply],
		ARRAY[NULL::json], see_all) p
$$;

SELECT results_eq(
	$$SELECT ord, status, chat_id, seq, prev_seq, sender_name FROM chat.post_messages(
		'{900001,900002,900001,900001,1}', '{a,a,b,x,a}', ARRAY[NULL, NULL, NULL, NULL, NULL]::uuid[],
		'{1,2,3,4,5}', '{NULL,NULL,NULL,NULL,NULL}', '{NULL,NULL,NULL,NULL,NULL}')$$,
	$$VALUES (1, 'stored', 900001::bigint, 1::bigint, 0::bigint, 'Ada'), (2, 'stored', 900002, 1, 0, 'Ada'),
		(3, 'stored', 900001, 2, 1, 'Bob'), (4, 'forbidden', 900001, NULL, NULL, NULL),
		(5, 'forbidden', 1, NULL, NULL, 'Ada')$$,
	'a batch: each gets its verdict, numbers run by chat');
SELECT results_eq('SELECT last_seq FROM chat.chat WHERE chat_id IN (900001, 900002) ORDER BY chat_id',
	$$VALUES (2::bigint), (1)$$, 'refusals burn no number');
SELECT results_eq($$SELECT delivered_seq, read_seq, read_at IS NOT NULL FROM chat.participant
	WHERE chat_id = 900001 ORDER BY user_id$$,
	$$VALUES (1::bigint, 1::bigint, true), (2, 2, true)$$, 'the sender''s own cursors follow');

SELECT results_eq(
	$$SELECT status, seq FROM pg_temp.post(900001, 'a', '10000000-0000-0000-0000-000000000001', 'first')$$,
	$$VALUES ('stored', 3::bigint)$$, 'a message with a client id');
SELECT results_eq(
	$$SELECT status, seq, body FROM pg_temp.post(900001, 'a', '10000000-0000-0000-0000-000000000001', 'again')$$,
	$$VALUES ('duplicate', 3::bigint, 'first')$$, 'the same once more is answered with the first');
SELECT results_eq(
	$$SELECT status, seq FROM pg_temp.post(900001, 'b', '10000000-0000-0000-0000-000000000001', 'mine')$$,
	$$VALUES ('stored', 4::bigint)$$, 'of another sender it is another');
SELECT results_eq(
	$$SELECT ord, status, seq, body FROM chat.post_messages('{900001,900001,900001}', '{a,a,a}',
		ARRAY['20000000-0000-0000-0000-000000000001', '20000000-0000-0000-0000-000000000001', NULL]::uuid[],
		'{x,y,z}', '{NULL,NULL,NULL}', '{NULL,NULL,NULL}')$$,
	$$VALUES (1, 'stored', 5::bigint, 'x'), (2, 'duplicate', 5, 'x'), (3, 'stored', 6, 'z')$$,
	'twice in one batch: stored once');
SELECT results_eq(
	$$SELECT meta::text FROM chat.post_messages('{900001}', '{a}', '{NULL}', '{m}', '{NULL}',
		ARRAY['{"b":1, "a":"\u0000"}']::json[])$$,
	$$VALUES ('{"b":1, "a":"\u0000"}')$$, 'meta comes back byte for byte');
SELECT throws_ok(
	$$SELECT * FROM chat.post_messages('{900001}', '{a}', '{NULL}', '{m}', '{NULL}', ARRAY['[1]']::json[])$$,
	'23514', NULL, 'meta is an object');

SELECT results_eq(
	$$SELECT p.status, p.reply_to = x.id
		FROM (SELECT message_id AS id FROM chat.message WHERE chat_id = 900001 AND seq = 1) x,
		pg_temp.post(900001, 'b', NULL, 'answer', x.id) p$$,
	$$VALUES ('stored', true)$$, 'an answer');
SELECT results_eq(
	$$SELECT p.status FROM (SELECT message_id AS id FROM chat.message WHERE chat_id = 900002 AND seq = 1) x,
		pg_temp.post(900001, 'b', NULL, 'answer', x.id) p$$,
	$$VALUES ('bad_reply')$$, 'not to a message of another chat');

-- one who came later
SELECT is((SELECT joined_seq FROM chat.add_participant(900001, 'c', 'a')), 8::bigint, 'Cyd joins');
SELECT results_eq(
	$$SELECT p.status FROM (SELECT message_id AS id FROM chat.message WHERE chat_id = 900001 AND seq = 1) x,
		pg_temp.post(900001, 'c', NULL, 'answer', x.id) p$$,
	$$VALUES ('bad_reply')$$, 'nor to one from before the sender joined');
SELECT results_eq(
	$$SELECT p.status FROM (SELECT message_id AS id FROM chat.message WHERE chat_id = 900001 AND seq = 1) x,
		pg_temp.post(900001, 'c', NULL, 'answer', x.id, true) p$$,
	$$VALUES ('stored')$$, 'unless all is seen');
SELECT results_eq($$SELECT seq FROM chat.history(900001, 'c', NULL, 50)$$, $$VALUES (9::bigint)$$,
	'history begins at joining');
SELECT is((SELECT count(*) FROM chat.history(900001, 'c', NULL, 50, true)), 9::bigint, 'or is whole');
SELECT results_eq($$SELECT seq, prev_seq, sender_name FROM chat.history(900001, 'a', 4, 2)$$,
	$$VALUES (3::bigint, 2::bigint, 'Ada'), (2, 1, 'Bob')$$, 'a page before a place, newest first');
SELECT results_eq($$SELECT seq FROM chat.catch_up(900001, 'a', 7, 50)$$, $$VALUES (8::bigint), (9)$$,
	'what came after, oldest first');
SELECT results_eq($$SELECT message_id, chat_id FROM chat.catch_up(900001, 'a', 9, 50)$$,
	$$VALUES (NULL::bigint, 900001::bigint)$$, 'nothing new: a row without a message');
SELECT is_empty($$SELECT * FROM chat.history(900001, 'x', NULL, 50)$$, 'no participant: no row');
SELECT is_empty($$SELECT * FROM chat.catch_up(1, 'a', 0, 50)$$, 'no chat: no row');

SELECT results_eq(
	$$SELECT f.seq, f.read_seq, f.last_seq FROM (SELECT message_id AS id FROM chat.message
		WHERE chat_id = 900001 AND seq = 2) x, chat.find_message(x.id, 'b') f$$,
	$$VALUES (2::bigint, 8::bigint, 9::bigint)$$, 'where a message stands');
SELECT is_empty(
	$$SELECT f.* FROM (SELECT message_id AS id FROM chat.message WHERE chat_id = 900001 AND seq = 2) x,
		chat.find_message(x.id, 'c') f$$, 'one from before joining is not there');

-- changing
CREATE TEMP TABLE mine AS SELECT message_id AS id FROM chat.message WHERE chat_id = 900001 AND seq = 3;
CREATE TEMP TABLE newest AS SELECT message_id AS id FROM chat.message WHERE chat_id = 900001 AND seq = 9;
SELECT results_eq($$SELECT status, is_last, body, edited_at IS NOT NULL
	FROM chat.edit_message((SELECT id FROM mine), 'a', 'new')$$,
	$$VALUES ('edited', false, 'new', true)$$, 'a message is edited');
SELECT results_eq($$SELECT status, body FROM chat.edit_message((SELECT id FROM mine), 'b', 'new')$$,
	$$VALUES ('forbidden', NULL)$$, 'by nobody else');
SELECT results_eq($$SELECT status FROM chat.edit_message(1, 'b', 'new')$$, $$VALUES ('forbidden')$$,
	'one that is not there is the same');
SELECT results_eq($$SELECT status, is_last, body, meta::text, deleted_at IS NOT NULL
	FROM chat.delete_message((SELECT id FROM newest), 'c')$$,
	$$VALUES ('deleted', true, '', NULL, true)$$, 'a message is deleted');
SELECT results_eq($$SELECT status FROM chat.delete_message((SELECT id FROM newest), 'c')$$,
	$$VALUES ('unchanged')$$, 'once');
SELECT results_eq($$SELECT status, body FROM chat.edit_message((SELECT id FROM newest), 'c', 'back')$$,
	$$VALUES ('unchanged', '')$$, 'and stays so');
SELECT is((SELECT last_seq FROM chat.chat WHERE chat_id = 900001), 9::bigint, 'its place stays');
SELECT results_eq(
	$$SELECT status, body FROM pg_temp.post(900001, 'a', '10000000-0000-0000-0000-000000000001', 'again')$$,
	$$VALUES ('duplicate', 'new')$$, 'a repeat is answered with the message as it is now');
SELECT is((SELECT count(*) FROM chat.message_key), 3::bigint, 'keys of those that had one');
SELECT is(
	(SELECT count(*) FROM chat.message m WHERE m.chat_id = 900001),
	(SELECT last_seq FROM chat.chat WHERE chat_id = 900001), 'no gap');
