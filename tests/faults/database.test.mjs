// PostgreSQL is cut off, slow, full, or broken: live traffic goes on, the chat says so, all comes back.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { after, before, beforeEach, test } from 'node:test';

import { disconnectAll, subscribe } from '../e2e/lib/clients.mjs';
import { env } from '../e2e/lib/house.mjs';
import { openHouse } from '../e2e/lib/other_house.mjs';
import { lifeIn } from '../e2e/lib/people.mjs';
import { until } from '../e2e/lib/wait.mjs';
import { pgProxy } from './lib/pg_proxy.mjs';

let dir;
let proxy;
let house;
let life;
let ann;
let ben;
let chat;

before(async () => {
	dir = mkdtempSync('/var/tmp/pgp-');
	chmodSync(dir, 0o755);
	const target = new URLSearchParams(env.PGURL.slice(env.PGURL.indexOf('?'))).get('host');
	proxy = await pgProxy(dir, target);
	chmodSync(`${dir}/.s.PGSQL.5432`, 0o777);
	house = await openHouse({ start: false });
	const { appendFileSync } = await import('node:fs');
	appendFileSync(house.files[1], `
[database]
conninfo = host=${dir} port=5432 dbname=${house.name} user=chat-broker
database_wait = 1s
[limits]
message_rate = 1000
message_burst = 1000
`);
	await house.start();
	life = lifeIn(house);
	[ann, ben] = life.addUsers('Ann', 'Ben');
	chat = await life.addChat(ann, [ben]);
});

after(async () => {
	disconnectAll();
	await house?.close();
	await proxy?.close();
	rmSync(dir, { recursive: true, force: true });
});

beforeEach(() => {
	proxy.refuse = null;
	proxy.delay = 0;
});

const post = (body, client_id = randomUUID()) =>
	life.api(ann, 'POST', `/api/websocket/chats/${chat.id}/messages`, { body, client_id });

/** Sends under one client_id until it is stored; then it must be there once. */
async function sendOnce(body) {
	const id = randomUUID();
	await until(async () => [200, 201].includes((await post(body, id)).status), `${body} to be stored`);
	const [[n]] = house.sql(`SELECT count(*) FROM chat.message WHERE chat_id = ${chat.id} AND body = '${body}'`);
	assert.equal(n, '1');
}

async function liveGoesOn() {
	const channel = await subscribe(await life.pusher(), `live-${randomUUID()}`);
	await life.server.trigger(channel.name, 'e', 1);
	await channel.tape.next((e) => e.event === 'e');
}

const well = () => until(() => house.isReady(), 'all connections of the database');

for (const [what, code] of [['a stop', '57P01'], ['an immediate stop', '57P02'], ['an I/O error', '58030'],
	['a corrupted row', 'XX001'], ['an internal error', 'XX000']]) {
	test(`sessions end with ${what} (${code})`, async () => {
		proxy.refuse = code;
		proxy.cut(code);
		await liveGoesOn();
		const r = await post('while away');
		assert.equal(r.status, 503);
		assert.ok(Number(r.headers.get('retry-after')) >= 1);
		proxy.refuse = null;
		await sendOnce(`after ${code}`);
		await well();
	});
}

test('no connections are left (53300)', async () => {
	proxy.refuse = '53300';
	proxy.cut();
	await liveGoesOn();
	assert.equal((await post('while full')).status, 503);
	proxy.refuse = null;
	await sendOnce('after 53300');
	await well();
});

test('a failover: sessions are cut in the middle of writes, nothing is stored twice', async () => {
	const sends = [...Array(30)].map((_, i) => sendOnce(`cut ${i}`));
	await until(() => proxy.sessions() > 0, 'sessions');
	proxy.cut();
	await Promise.all(sends);
	await well();
});

test('slow statements: live traffic does not wait for them', async () => {
	proxy.delay = 300;
	const slow = sendOnce('slow');
	await liveGoesOn();
	proxy.delay = 0;
	await slow;
	await well();
});
