// PostgreSQL has no connection left, or answers late: the chat says so, live traffic does not notice.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';

import { disconnectAll, subscribe } from '../e2e/lib/clients.mjs';
import { until } from '../e2e/lib/wait.mjs';
import { houseOn, openCluster } from './lib/cluster.mjs';

let cluster;
let house;
let life;
let ann;
let chat;
let open;

before(async () => {
	cluster = openCluster('superuser_reserved_connections = 3\n');
	({ house, life } = await houseOn([cluster]));
	const [a, ben] = life.addUsers('Ann', 'Ben');
	ann = a;
	chat = await life.addChat(ann, [ben]);
	open = await subscribe(await life.pusher(), 'news');
});

after(async () => {
	disconnectAll();
	await house?.close();
	cluster?.drop();
});

const post = (body, client_id = randomUUID()) =>
	life.api(ann, 'POST', `/api/websocket/chats/${chat.id}/messages`, { body, client_id });

async function liveGoesOn() {
	const event = randomUUID();
	await life.server.trigger('news', event, 1);
	await open.tape.next((e) => e.event === event);
}

function comesBack(r) {
	assert.equal(r.status, 503);
	assert.match(r.headers.get('retry-after') ?? '', /^[1-9]\d*$/);
	assert.equal(typeof r.body.message, 'string');
}

test('all connections are taken by others', async () => {
	// the others' role may have as many as there are; the broker's may not come back
	cluster.sql('ALTER ROLE "chat-broker" CONNECTION LIMIT 0');
	cluster.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'chat-broker'`);
	comesBack(await post('while none is left'));
	await liveGoesOn();
	cluster.sql('ALTER ROLE "chat-broker" CONNECTION LIMIT -1');
	const client_id = randomUUID();
	await until(async () => (await post('again', client_id)).status < 300, 'a message that is stored');
	await until(() => house.isReady(), 'all connections of the database');
	assert.deepEqual(cluster.sql(`SELECT count(*) FROM chat.message WHERE client_id = '${client_id}'`), [['1']]);
});

test('a lock that somebody holds: writes end with 503, then go on', async () => {
	const lock = await cluster.hold(`BEGIN; LOCK TABLE chat.message IN ACCESS EXCLUSIVE MODE;`);
	const client_id = randomUUID();
	const waiting = post('behind a lock', client_id);
	await liveGoesOn();
	comesBack(await waiting);
	await liveGoesOn();
	await lock.end();
	await until(async () => (await post('behind a lock', client_id)).status < 300, 'a message that is stored');
	assert.deepEqual(cluster.sql(`SELECT count(*) FROM chat.message WHERE client_id = '${client_id}'`), [['1']]);
	await until(() => house.isReady(), 'all connections of the database');
});

test('a server that hangs altogether is given up, and taken back when it answers', async () => {
	const [[text]] = cluster.sql(`SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE usename = 'chat-broker'`);
	const pids = text.split(' ').map(Number);
	for (const pid of pids) process.kill(pid, 'SIGSTOP');
	try {
		comesBack(await post('while it hangs'));
		await liveGoesOn();
	} finally {
		for (const pid of pids) process.kill(pid, 'SIGCONT');
	}
	await until(async () => (await post('it answers')).status < 300, 'a message that is stored');
	await until(() => house.isReady(), 'all connections of the database');
});
