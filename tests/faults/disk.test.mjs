// PostgreSQL has no room to write: chat writes are told to come back, live traffic goes on, room heals it.
// Needs to mount a file system of its own; skips where that is not allowed.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, rmdirSync, statfsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { disconnectAll, subscribe } from '../e2e/lib/clients.mjs';
import { until } from '../e2e/lib/wait.mjs';
import { houseOn, openCluster } from './lib/cluster.mjs';

let small; // the mounted folder, or null
let cluster;
let house;
let life;

/** A file system of a few megabytes, or null. */
function mountSmall() {
	const dir = mkdtempSync('/var/tmp/small-');
	try {
		execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m,mode=0777', 'none', dir], { stdio: 'pipe' });
		return dir;
	} catch {
		rmdirSync(dir);
		return null;
	}
}

before(async () => {
	small = mountSmall();
	if (!small) return;
	cluster = openCluster();
	const place = path.join(small, 'space');
	execFileSync('install', ['-d', '-o', 'postgres', '-m', '0700', place]);
	cluster.sql(`CREATE TABLESPACE small LOCATION '${place}'`);
	for (const table of ['message', 'client_message']) {
		if (cluster.sql(`SELECT to_regclass('chat.${table}')`)[0]?.[0]) cluster.sql(`ALTER TABLE chat.${table} SET TABLESPACE small`);
	}
	({ house, life } = await houseOn([cluster]));
});

after(async () => {
	disconnectAll();
	await house?.close();
	cluster?.drop();
	if (small) {
		execFileSync('umount', [small]);
		rmSync(small, { recursive: true, force: true });
	}
});

const room = () => {
	const fs = statfsSync(small);
	return fs.bavail * fs.bsize;
};

test('the disk is full, and has room again', async (t) => {
	if (!small) {
		t.skip('no right to mount a small file system');
		return;
	}
	const [ann, ben] = life.addUsers('Ann', 'Ben');
	const chat = await life.addChat(ann, [ben]);
	const channel = await subscribe(await life.pusher(ben.token), chat.channel);
	const open = await subscribe(await life.pusher(), 'news');
	const post = (body, client_id = randomUUID()) =>
		life.api(ann, 'POST', `/api/websocket/chats/${chat.id}/messages`, { body, client_id });
	assert.equal((await post('first')).status, 201);

	const ballast = path.join(small, 'ballast');
	writeFileSync(ballast, Buffer.alloc(room()));
	chmodSync(ballast, 0o644);
	// what fits into pages that stand already is still taken
	const accepted = [];
	const refused = await until(async () => {
		const body = `${accepted.length} ${'x'.repeat(3000)}`;
		const r = await post(body);
		if (r.status < 300) accepted.push(body);
		return r.status >= 300 && r;
	}, 'a message for which there is no room');
	assert.equal(refused.status, 503);
	assert.ok(Number(refused.headers.get('retry-after')) >= 1);
	assert.equal(typeof refused.body.message, 'string');
	await life.server.trigger('news', 'flash', { n: 1 });
	await open.tape.next((e) => e.event === 'flash');
	assert.equal((await life.api(ben, 'GET', `/api/websocket/chats/${chat.id}/messages`)).status, 200);

	rmSync(ballast);
	const client_id = randomUUID();
	await until(async () => (await post('there is room', client_id)).status < 300, 'a message that is stored');
	const [[n]] = house.sql(`SELECT count(*) FROM chat.message WHERE client_id = '${client_id}'`);
	assert.equal(n, '1');
	await until(() => channel.tape.items.some((e) => e.event === 'message.sent' && e.data.message.body === 'there is room'),
		'its event');
	const kept = new Set(house.sql(`SELECT body FROM chat.message WHERE chat_id = ${chat.id}`).flat());
	assert.deepEqual(accepted.filter((body) => !kept.has(body)), []);
	await until(() => house.isReady(), 'all connections of the database');
});
