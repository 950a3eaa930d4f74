// The primary dies and its standby is promoted: the broker finds it by the list of hosts, nothing is lost.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';

import { disconnectAll, subscribe } from '../e2e/lib/clients.mjs';
import { until } from '../e2e/lib/wait.mjs';
import { houseOn, openCluster, standbyOf } from './lib/cluster.mjs';

let first;
let second;
let house;
let life;

before(async () => {
	first = openCluster('wal_level = replica\nmax_wal_senders = 4\nsynchronous_commit = on\n');
	second = standbyOf(first);
	// what is acknowledged stands on both
	first.sql("ALTER SYSTEM SET synchronous_standby_names = '*'");
	first.sql('SELECT pg_reload_conf()');
	({ house, life } = await houseOn([first, second]));
});

after(async () => {
	disconnectAll();
	await house?.close();
	first?.drop();
	second?.drop();
});

const outboxLeft = () => Number(house.sql('SELECT count(*) FROM chat.outbox')[0][0]);

test('a failover by the list of hosts', async () => {
	const [ann, ben] = life.addUsers('Ann', 'Ben');
	const chat = await life.addChat(ann, [ben]);
	const client = await life.pusher(ben.token);
	const channel = await subscribe(client, chat.channel);
	const room = await subscribe(client, chat.presence_channel);
	const open = await subscribe(client, 'news');
	const id = client.connection.socket_id;
	const stored = new Set();
	let serial = 0;
	const post = async (client_id = randomUUID(), body = `m${serial++}`) => {
		const r = await life.api(ann, 'POST', `/api/websocket/chats/${chat.id}/messages`, { body, client_id });
		if (r.status < 300) stored.add(body);
		return r;
	};
	for (let i = 0; i < 20; i++) assert.equal((await post()).status, 201);

	first.stop('immediate');
	const away = await post();
	assert.equal(away.status, 503);
	assert.ok(Number(away.headers.get('retry-after')) >= 1);
	await life.server.trigger('news', 'flash', { n: 1 });
	await open.tape.next((e) => e.event === 'flash');
	assert.ok(room.members.get(ben.id));

	second.promote();
	second.sql("ALTER SYSTEM SET synchronous_standby_names = ''");
	second.sql('SELECT pg_reload_conf()');
	house.cluster = second;
	// what somebody left in the outbox meanwhile is drained by who comes
	house.sql(`SELECT chat.publish('news', 'from-sql', '{"n": 2}')`);
	const client_id = randomUUID();
	await until(async () => (await post(client_id, 'after')).status < 300, 'a message that is stored');
	await until(() => house.isReady(), 'all connections of the database');
	for (let i = 0; i < 5; i++) assert.equal((await post()).status, 201);
	await open.tape.next((e) => e.event === 'from-sql');
	await until(() => outboxLeft() === 0, 'an empty outbox');

	// the mirror is written anew, and LISTEN stands
	await until(() => house.sql(`SELECT 1 FROM chat.who_is_where WHERE channel = '${chat.presence_channel}'`)[0],
		'the mirror');
	const gone = new Promise((resolve) => client.connection.bind('disconnected', resolve));
	const kept = house.sql(`SELECT body FROM chat.message WHERE chat_id = ${chat.id} ORDER BY seq`).flat();
	assert.equal(new Set(kept).size, kept.length, 'stored once');
	assert.deepEqual([...stored].filter((body) => !kept.includes(body)), [], 'acknowledged and lost');
	const seen = () => channel.tape.items.filter((e) => e.event === 'message.sent').map((e) => e.data.message.body);
	await until(() => [...stored].every((body) => seen().includes(body)), 'every message that was acknowledged');
	assert.deepEqual(seen(), [...new Set(seen())], 'delivered once');
	assert.equal(client.connection.socket_id, id);
	house.sql(`DELETE FROM chat.personal_access_tokens WHERE id = ${ben.tokenId}`);
	await gone;
});
