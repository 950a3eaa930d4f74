-- Publishing from SQL, triggers that do it, and the cleanup.
SELECT plan(33);

SELECT ok(chat.publish('private-orders.5', 'shipped', '{"id": 5}') > 0, 'an event is published');
SELECT results_eq('SELECT app_id, channel, event, payload, socket_id FROM chat.outbox',
	$$VALUES (NULL, 'private-orders.5', 'shipped', '{"id": 5}'::jsonb, NULL)$$, 'and waits');
SELECT lives_ok($$SELECT chat.publish('#server-to-user-7', 'e', NULL, app_id => 'shop', socket_id => '1.2')$$,
	'to one user, without a payload');
SELECT is((SELECT payload FROM chat.outbox WHERE app_id = 'shop'), 'null'::jsonb, 'which is null');
SELECT throws_ok(format('SELECT chat.publish(%L, %L, %L, socket_id => %L)', c, e, '{}', s), state, NULL, w)
FROM (VALUES
	('bad name', 'e', NULL, '22023', 'a bad channel name'),
	('', 'e', NULL, '22023', 'an empty one'),
	(repeat('x', 201), 'e', NULL, '22023', 'a long one'),
	('#private', 'e', NULL, '22023', 'a # of its own'),
	('c', '', NULL, '22023', 'an empty event name'),
	('c', repeat('e', 201), NULL, '22023', 'a long event name'),
	('c', 'e', 'x', '22023', 'a bad socket id'),
	(NULL, 'e', NULL, '22004', 'no channel'),
	('c', NULL, NULL, '22004', 'no event')) v(c, e, s, state, w);
SELECT throws_ok($$SELECT chat.publish('c', 'e', to_jsonb(repeat('x', 1048577)))$$, '54000', NULL,
	'a payload of more than 1 MiB');
SELECT is((SELECT count(*) FROM chat.outbox), 2::bigint, 'what was refused does not wait');

-- triggers
DELETE FROM chat.outbox;
CREATE TABLE public.orders (id int PRIMARY KEY, customer text, "odd name" int);
SELECT ok(chat.broadcast_on('public.orders', 'private-customer.{customer}', 'order') LIKE 'chat_broadcast_%',
	'a table is broadcast');
INSERT INTO public.orders VALUES (1, '7', 3), (2, NULL, 4);
SELECT results_eq('SELECT channel, event, payload FROM chat.outbox',
	$$VALUES ('private-customer.7', 'order', '{"id": 1, "customer": "7", "odd name": 3}'::jsonb)$$,
	'a row without a value for the channel is not');
UPDATE public.orders SET customer = '8' WHERE id = 1;
SELECT is((SELECT count(*) FROM chat.outbox), 1::bigint, 'inserts only');
SELECT ok(chat.broadcast_on('public.orders', 'private-customer.{customer}', 'order', 'INSERT OR update OR DELETE')
	= (SELECT tgname FROM pg_trigger WHERE tgrelid = 'public.orders'::regclass), 'or more, by the same trigger');
DELETE FROM public.orders WHERE id = 1;
SELECT is((SELECT payload ->> 'customer' FROM chat.outbox ORDER BY id DESC LIMIT 1), '8', 'the old row of a DELETE');
SELECT ok(chat.broadcast_on('public.orders', 'odd.{odd name}', 'odd') IS NOT NULL, 'any column');
INSERT INTO public.orders VALUES (3, NULL, 9);
SELECT results_eq($$SELECT channel FROM chat.outbox WHERE channel LIKE 'odd%'$$, $$VALUES ('odd.9')$$, 'by its name');
SELECT throws_ok($$SELECT chat.broadcast_on('public.orders', 'x.{nothing}', 'e')$$, '42703', NULL, 'no such column');
SELECT throws_ok($$SELECT chat.broadcast_on('public.orders', 'x.{', 'e')$$, '22023', NULL, 'a broken template');
SELECT throws_ok($$SELECT chat.broadcast_on('public.orders', 'x', 'e', 'INSERT; DROP TABLE x')$$, '22023', NULL,
	'operations are no SQL');

-- cleanup
INSERT INTO chat.broker (node, host, pid, version, started_at, heartbeat_at)
VALUES ('dead', 'h', 1, 'v', now() - interval '2 hours', now() - interval '1 hour');
INSERT INTO chat.user_presence SELECT epoch, 'app', u, 1, now(), now() FROM chat.broker, unnest('{a,b}'::text[]) u
WHERE node = 'dead';
INSERT INTO chat.user_last_seen VALUES ('app', 'a', now() - interval '2 hours'), ('app', 'b', now());
INSERT INTO chat.connection SELECT epoch, 1, g, 'app', g || '.1', NULL, NULL, NULL, now()
FROM chat.broker, generate_series(1, 7) g WHERE node = 'dead';
INSERT INTO chat.message_key VALUES (1, 'a', gen_random_uuid(), 1, now() - interval '4 days'),
	(1, 'a', gen_random_uuid(), 2, now());
SELECT is(chat.cleanup_step('connection', 5), 5::bigint, 'a chunk of what a dead broker left');
SELECT is(chat.cleanup_step('connection', 5), 2::bigint, 'and the rest');
SELECT is(chat.cleanup_step('user_presence'), 2::bigint, 'its users');
SELECT results_eq($$SELECT user_id COLLATE "default", last_seen FROM chat.user_last_seen ORDER BY 1$$,
	$$VALUES ('a', now() - interval '1 hour'), ('b', now())$$,
	'were last seen at its last heartbeat, unless later');
SELECT is(chat.cleanup_step('message_key'), 1::bigint, 'old client ids');
SELECT is(chat.cleanup_step('broker'), 0::bigint, 'brokers stay for a while');
UPDATE chat.broker SET heartbeat_at = now() - interval '31 days' WHERE node = 'dead';
SELECT is(chat.cleanup_step('broker'), 1::bigint, 'for 30 days');
SELECT throws_ok($$SELECT chat.cleanup_step('chat')$$, '22023', NULL, 'nothing else');
