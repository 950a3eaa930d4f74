// What administrators see and do: the views of the mirror, the queries of docs/OPERATING.md, chatctl.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { disconnectAll, subscribe } from './lib/clients.mjs';
import { chatctl, openHouse, root } from './lib/other_house.mjs';
import { lifeIn } from './lib/people.mjs';
import { until } from './lib/wait.mjs';

let house;
let there;

before(async () => {
	house = await openHouse();
	there = lifeIn(house);
});

after(async () => {
	disconnectAll();
	await house?.close();
});

const rows = (query) => house.sql(query);
const ctl = (...words) => chatctl(...words, '--conninfo', house.conninfo('postgres'));
const counts = () => rows(`SELECT (SELECT count(*) FROM chat.who_is_online), (SELECT count(*) FROM chat.who_is_where),
	(SELECT count(*) FROM chat.connections), (SELECT count(*) FROM chat.channel_occupancy)`)[0].map(Number);

test('who is online, where, since when, on which worker, from which address', async () => {
	const [ann, ben] = there.addUsers('Ann', 'Ben');
	const chat = await there.addChat(ann, [ben]);
	const [one, two] = [await there.pusher(ann.token), await there.pusher(ann.token)];
	const ofBen = await there.pusher(ben.token);
	for (const client of [one, two, ofBen]) await subscribe(client, chat.presence_channel);
	await subscribe(one, 'news');
	await until(() => counts().join() === '2,4,3,2', 'the mirror');

	const online = rows(`SELECT name, connections, nodes[1], online_since <= now() FROM chat.who_is_online ORDER BY name`);
	assert.deepEqual(online, [['Ann', '2', house.name, 't'], ['Ben', '1', house.name, 't']]);
	const where = rows(`SELECT channel, name, user_id, node, worker_id > 0, socket_id, address,
		since BETWEEN now() - interval '1 hour' AND now(), user_info ->> 'name'
		FROM chat.who_is_where WHERE channel = '${chat.presence_channel}' ORDER BY conn_id`);
	assert.deepEqual(where.map((r) => [r[1], r[2], r[3], r[4], r[6], r[7], r[8]]), [
		['Ann', ann.id, house.name, 't', '127.0.0.1', 't', 'Ann'], ['Ann', ann.id, house.name, 't', '127.0.0.1', 't', 'Ann'],
		['Ben', ben.id, house.name, 't', '127.0.0.1', 't', 'Ben']]);
	assert.deepEqual(new Set(where.map((r) => r[5])), new Set([one, two, ofBen].map((c) => c.connection.socket_id)));
	const connections = rows(`SELECT socket_id, user_id, address, agent FROM chat.connections ORDER BY conn_id`);
	assert.match(connections[0][3], /js/i); // what the client says it is
	assert.deepEqual(connections.map((r) => r[1]), [ann.id, ann.id, ben.id]);
	assert.deepEqual(rows(`SELECT channel, subscriptions, users FROM chat.channel_occupancy ORDER BY channel`),
		[['news', '1', '1'], [chat.presence_channel, '3', '2']]);
	await until(() => rows(`SELECT alive AND pending = 0 AND lag < interval '30 seconds' FROM chat.mirror_lag`)[0][0] === 't',
		'no lag');

	ofBen.disconnect();
	await until(() => rows("SELECT 1 FROM chat.last_seen WHERE name = 'Ben' AND NOT is_online AND last_seen <= now()")[0],
		'last seen of Ben');
	assert.equal(rows("SELECT is_online FROM chat.last_seen WHERE name = 'Ann'")[0][0], 't');
	two.disconnect();
	await until(() => rows("SELECT connections FROM chat.who_is_online WHERE name = 'Ann'")[0]?.[0] === '1', 'one less');
});

test('the queries of OPERATING.md run, for people who may read only', () => {
	const text = readFileSync(path.join(root, 'docs/OPERATING.md'), 'utf8');
	const section = text.slice(text.indexOf('## Five questions'), text.indexOf('\n## ', text.indexOf('## Five questions') + 5));
	const queries = [...section.matchAll(/```sql\n([\s\S]*?)```/g)].map((m) => m[1]);
	assert.ok(queries.length >= 5, `${queries.length} queries`);
	for (const query of queries) rows(`SET ROLE chat_readonly; ${query}`);
	for (const forbidden of ['SELECT body FROM chat.message', 'SELECT * FROM chat.personal_access_tokens',
		'SELECT * FROM chat.outbox']) {
		assert.throws(() => rows(`SET ROLE chat_readonly; ${forbidden}`));
	}
});

test('what a killed broker wrote vanishes at once, and comes back with its successor', async () => {
	await until(() => counts()[2] > 0, 'connections');
	const before = counts();
	const [[epoch]] = rows('SELECT epoch FROM chat.live_broker');
	await house.broker.kill();
	await until(() => counts().join() === '0,0,0,0', 'nothing in the views', 5000);
	assert.equal(rows('SELECT alive FROM chat.mirror_lag')[0][0], 'f');
	assert.notEqual(rows('SELECT count(*) FROM chat.connection')[0][0], '0'); // it could not clean up
	assert.equal(ctl('cleanup').status, 0); // safe although it may yet be alive
	await house.startBroker();
	await until(() => counts().join() === before.join(), 'the views as they were');
	assert.notEqual(rows('SELECT epoch FROM chat.live_broker')[0][0], epoch);
	assert.ok(rows(`SELECT 1 FROM chat.stale_rows WHERE epoch = ${epoch}`)[0]);
	const [[connections]] = rows(`SELECT count(*) FROM chat.connection WHERE epoch = ${epoch}`);
	const removed = JSON.parse(ctl('cleanup', '--json').out);
	assert.equal(removed.find((r) => r.kind === 'connection').removed, Number(connections));
	assert.deepEqual(rows('SELECT * FROM chat.stale_rows'), []);
	assert.deepEqual(counts(), before);
});

test('cleanup removes what is too old, tells it, and may run again', () => {
	const [user] = there.addUsers('Old');
	const token = there.addToken(user, { expires: "now() AT TIME ZONE 'UTC' - interval '1 minute'" });
	rows(`INSERT INTO chat.message_key VALUES (1, '${user.id}', gen_random_uuid(), 1, now() - interval '4 days')`);
	const first = JSON.parse(ctl('cleanup', '--json').out);
	const of = (kind) => first.find((r) => r.kind === kind).removed;
	assert.deepEqual([of('token'), of('message_key')], [1, 1]);
	assert.deepEqual(rows(`SELECT 1 FROM chat.personal_access_tokens WHERE id = ${token.tokenId}`), []);
	const second = ctl('cleanup');
	assert.equal(second.status, 0);
	assert.match(second.out, /kind +removed/);
	assert.ok(JSON.parse(ctl('cleanup', '--json').out).every((r) => r.removed === 0));
});

test('a chat without any application: chatctl makes users, tokens and chats', async () => {
	const ok = (...words) => {
		const r = ctl(...words);
		assert.equal(r.status, 0, r.err);
		return r.out.trim();
	};
	ok('user', 'add', '--id', '501', '--name', 'Ada Lovelace');
	ok('user', 'add', '--id', '502', '--name', 'Grace');
	const ada = { token: ok('token', 'create', '--user', '501', '--expires', '1 day') };
	const grace = { token: ok('token', 'create', '--user', '502') };
	const chat = ok('chat', 'create', '--owner', '501', '--user', '502', '--name', 'Alone');
	assert.equal(ok('chat', 'create', '--owner', '501', '--user', '502', '--direct'),
		ok('chat', 'create', '--owner', '502', '--user', '501', '--direct'));
	const channel = await subscribe(await there.pusher(grace.token), `private-chat.${chat}`);
	const m = await there.send(ada, chat, 'hello');
	assert.deepEqual((await channel.tape.next((e) => e.event === 'message.sent')).data.message, m);
	assert.equal(m.user.name, 'Ada Lovelace');
	const client = await there.pusher(ada.token);
	await subscribe(client, 'private-user.501');
	ok('token', 'revoke', ada.token.split('|')[0]);
	await until(() => client.connection.state !== 'connected', 'the end of the connection');
	await until(async () => (await there.api(ada, 'GET', '/api/websocket/active-chats')).status === 401, 'the revocation');
});
