-- Cursors: forward only, never past the newest message.
SELECT plan(15);

INSERT INTO chat.app_user (user_id, name) VALUES ('a', 'Ada'), ('b', 'Bob');
INSERT INTO chat.chat (chat_id) VALUES (900001);
INSERT INTO chat.participant (chat_id, user_id) VALUES (900001, 'a'), (900001, 'b');
SELECT is((SELECT count(*) FROM chat.post_messages(array_fill(900001::bigint, '{4}'), array_fill('a'::text, '{4}'),
	array_fill(NULL::uuid, '{4}'), array_fill('x'::text, '{4}'), array_fill(NULL::bigint, '{4}'),
	array_fill(NULL::json, '{4}'))), 4::bigint, 'four messages');

CREATE FUNCTION pg_temp.move(who text, delivered bigint, read bigint)
RETURNS TABLE (member boolean, delivered_moved boolean, read_moved boolean, delivered_seq bigint, read_seq bigint)
LANGUAGE sql AS $$
	SELECT m.member, m.delivered_moved, m.read_moved, m.delivered_seq, m.read_seq
	FROM chat.move_cursors(ARRAY[900001], ARRAY[who], ARRAY[delivered], ARRAY[read]) m
$$;
SELECT results_eq($$SELECT * FROM pg_temp.move('b', 1, NULL)$$,
	$$VALUES (true, true, false, 1::bigint, 0::bigint)$$, 'delivered alone leaves read where it is');
SELECT results_eq($$SELECT * FROM pg_temp.move('b', NULL, NULL)$$,
	$$VALUES (true, false, false, 1::bigint, 0::bigint)$$, 'nulls leave both alone');
SELECT results_eq($$SELECT * FROM pg_temp.move('b', NULL, 2)$$,
	$$VALUES (true, true, true, 2::bigint, 2::bigint)$$, 'reading implies delivered');
SELECT results_eq($$SELECT * FROM pg_temp.move('b', 1, 1)$$,
	$$VALUES (true, false, false, 2::bigint, 2::bigint)$$, 'never back');
SELECT results_eq($$SELECT * FROM pg_temp.move('b', 4, 3)$$,
	$$VALUES (true, true, true, 4::bigint, 3::bigint)$$, 'each to its place');
SELECT results_eq($$SELECT * FROM pg_temp.move('b', 99, 99)$$,
	$$VALUES (true, false, true, 4::bigint, 4::bigint)$$, 'not past the newest');
SELECT results_eq($$SELECT * FROM pg_temp.move('x', 1, 1)$$,
	$$VALUES (false, false, false, NULL::bigint, NULL::bigint)$$, 'no participant');

UPDATE chat.participant SET delivered_seq = 0, read_seq = 0, delivered_at = NULL, read_at = NULL WHERE user_id = 'b';
SELECT results_eq(
	$$SELECT ord, delivered_moved, read_moved, delivered_seq, read_seq, read_at IS NOT NULL FROM chat.move_cursors(
		'{900001,900001,900001,900001}', '{b,x,b,b}', '{1,1,4,NULL}', '{NULL,1,NULL,3}')$$,
	$$VALUES (1, true, true, 4::bigint, 3::bigint, true), (2, false, false, NULL, NULL, false),
		(3, false, false, 4, 3, true), (4, false, false, 4, 3, true)$$,
	'several of one participant are one move, which the first carries');
SELECT results_eq(
	$$SELECT delivered_id = d.message_id, read_id = r.message_id, last_seq FROM
		chat.move_cursors('{900001}', '{b}', '{NULL}', '{NULL}') m,
		chat.message d, chat.message r
		WHERE d.chat_id = 900001 AND d.seq = 4 AND r.chat_id = 900001 AND r.seq = 3$$,
	$$VALUES (true, true, 4::bigint)$$, 'with the messages under them');
SELECT results_eq($$SELECT user_id, user_name, delivered_seq, read_seq FROM chat.receipts(900001, 'a')$$,
	$$VALUES ('a', 'Ada', 4::bigint, 4::bigint), ('b', 'Bob', 4, 3)$$, 'receipts of all');
SELECT is_empty($$SELECT * FROM chat.receipts(900001, 'x')$$, 'for participants only');
SELECT results_eq($$SELECT user_id COLLATE "default", unread FROM chat.unread WHERE chat_id = 900001$$,
	$$VALUES ('b', 1::bigint)$$, 'unread');
SELECT throws_ok($$UPDATE chat.participant SET read_seq = 4 WHERE user_id = 'b' AND delivered_seq = 4;
	UPDATE chat.participant SET delivered_seq = 3 WHERE user_id = 'b'$$, '23514', NULL,
	'read is never ahead of delivered');
SELECT results_eq($$SELECT delivered_moved FROM chat.move_cursors('{}', '{}', '{}', '{}')$$,
	$$SELECT true WHERE false$$, 'an empty batch');
